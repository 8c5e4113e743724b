//! Files below granted names, through capability handles: a path is taken apart here and
//! resolved by the operating system below the granted directory, links included. Refuses
//! everything that is not a plain path below a granted name.

use std::collections::BTreeMap;
use std::io::{self, Read as _, Seek as _, Write as _};
use std::sync::{Arc, Mutex, PoisonError};

use cap_std::ambient_authority;
use cap_std::fs::{Dir, File, OpenOptions, OpenOptionsExt as _};
use claw_core::errors::{Code, Fault};
use claw_core::grants::{Access, Grants, hex};
use claw_core::journal::{Effect, Recorder};
use sha2::{Digest as _, Sha256};

use crate::limits::MAX_HOST_DATA;
use crate::package::Packaged;

/// The name that holds the packaged files.
const PACKAGE: &str = "skill";
/// The most entries of one listing.
const MAX_ENTRIES: usize = 10_000;

/// What lies at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    File,
    Directory,
    Other,
}

/// One thing that lies somewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) size: u64,
}

/// How a file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Create,
    Replace,
    Append,
}

/// The files of one run. Cheap to clone; the directories are opened when first used.
#[derive(Clone)]
pub(crate) struct Files {
    inner: Arc<Inner>,
}

struct Inner {
    grants: Arc<Grants>,
    packaged: Arc<Packaged>,
    journal: Arc<Recorder>,
    open: Mutex<BTreeMap<String, Arc<Dir>>>,
}

/// Where a path leads.
enum Place<'p> {
    Package(&'p str),
    Granted { dir: Arc<Dir>, rest: &'p str, access: Access },
}

impl Files {
    pub(crate) fn new(grants: Arc<Grants>, packaged: Arc<Packaged>, journal: Arc<Recorder>) -> Self {
        Files {
            inner: Arc::new(Inner {
                grants,
                packaged,
                journal,
                open: Mutex::default(),
            }),
        }
    }

    pub(crate) fn stat(&self, path: &str) -> Result<Found, Fault> {
        let result = self.place(path).and_then(|place| match place {
            Place::Package(rest) => packaged_stat(&self.inner.packaged, rest).ok_or_else(|| not_found(path)),
            Place::Granted { dir, rest, .. } => {
                let metadata = if rest.is_empty() {
                    dir.dir_metadata()
                } else {
                    dir.metadata(rest)
                };
                let metadata = metadata.map_err(|error| io_fault(path, &error))?;
                Ok(Found {
                    name: last_part(path),
                    kind: kind(&metadata.file_type()),
                    size: size_of(&metadata),
                })
            }
        });
        self.record("stat", path, result.as_ref().map(|found| found.size), None);
        result
    }

    pub(crate) fn read(&self, path: &str) -> Result<Vec<u8>, Fault> {
        let result = self.read_at(path, 0, MAX_HOST_DATA, true);
        self.record(
            "read",
            path,
            result.as_ref().map(|data| data.len() as u64),
            result.as_deref().ok(),
        );
        result
    }

    pub(crate) fn read_range(&self, path: &str, offset: u64, length: u32) -> Result<Vec<u8>, Fault> {
        let length = (length as usize).min(MAX_HOST_DATA);
        let result = self.read_at(path, offset, length, false);
        self.record(
            "read",
            path,
            result.as_ref().map(|data| data.len() as u64),
            result.as_deref().ok(),
        );
        result
    }

    fn read_at(&self, path: &str, offset: u64, length: usize, whole: bool) -> Result<Vec<u8>, Fault> {
        let too_large = || {
            Fault::new(Code::FileTooLarge, format!("`{path}` has more than {MAX_HOST_DATA} bytes"))
                .hint("read it piece by piece with `read-range`")
        };
        match self.place(path)? {
            Place::Package(rest) => {
                let data = self.inner.packaged.files.get(rest).ok_or_else(|| not_found(path))?;
                if whole && data.len() > length {
                    return Err(too_large());
                }
                let start = usize::try_from(offset).unwrap_or(usize::MAX).min(data.len());
                let end = start.saturating_add(length).min(data.len());
                Ok(data.get(start..end).unwrap_or_default().to_vec())
            }
            Place::Granted { dir, rest, .. } => {
                let mut file = open_regular(&dir, rest, OpenOptions::new().read(true)).map_err(|error| io_fault(path, &error))?;
                if offset > 0 {
                    // Past the end there is nothing, whatever the file system thinks of the offset.
                    let length_of_file = file.metadata().map_err(|error| io_fault(path, &error))?.len();
                    file.seek(io::SeekFrom::Start(offset.min(length_of_file)))
                        .map_err(|error| io_fault(path, &error))?;
                }
                let mut data = Vec::new();
                // One byte more than asked for shows that a whole read would not be whole.
                let limit = length as u64 + u64::from(whole);
                file.take(limit)
                    .read_to_end(&mut data)
                    .map_err(|error| io_fault(path, &error))?;
                if data.len() > length {
                    return Err(too_large());
                }
                Ok(data)
            }
        }
    }

    pub(crate) fn list(&self, path: &str) -> Result<Vec<Found>, Fault> {
        let result = self.place(path).and_then(|place| match place {
            Place::Package(rest) => packaged_list(&self.inner.packaged, rest).ok_or_else(|| not_found(path)),
            Place::Granted { dir, rest, .. } => listing(&dir, rest).map_err(|error| io_fault(path, &error)),
        });
        let result = result.and_then(|mut found| {
            if found.len() > MAX_ENTRIES {
                let message = format!("`{path}` has more than {MAX_ENTRIES} entries");
                return Err(Fault::new(Code::FileTooLarge, message));
            }
            found.sort_by(|a, b| a.name.cmp(&b.name));
            Ok(found)
        });
        self.record("list", path, result.as_ref().map(|found| found.len() as u64), None);
        result
    }

    pub(crate) fn write(&self, path: &str, data: &[u8], mode: Mode) -> Result<(), Fault> {
        let result = self.writable(path).and_then(|(dir, rest)| {
            let written = match mode {
                Mode::Create => open_regular(&dir, rest, OpenOptions::new().write(true).create_new(true))
                    .and_then(|mut file| file.write_all(data)),
                Mode::Append => open_regular(&dir, rest, OpenOptions::new().append(true).create(true))
                    .and_then(|mut file| file.write_all(data)),
                Mode::Replace => replace(&dir, rest, data),
            };
            written.map_err(|error| io_fault(path, &error))
        });
        self.record("write", path, result.as_ref().map(|()| data.len() as u64), Some(data));
        result
    }

    pub(crate) fn make_directory(&self, path: &str) -> Result<(), Fault> {
        let result = self
            .writable(path)
            .and_then(|(dir, rest)| dir.create_dir_all(rest).map_err(|error| io_fault(path, &error)));
        self.record("make_directory", path, result.as_ref().map(|()| 0), None);
        result
    }

    fn writable<'p>(&self, path: &'p str) -> Result<(Arc<Dir>, &'p str), Fault> {
        match self.place(path)? {
            Place::Granted {
                dir,
                rest,
                access: Access::ReadWrite,
            } if !rest.is_empty() => Ok((dir, rest)),
            Place::Granted {
                access: Access::ReadWrite,
                ..
            } => Err(bad_path(path, "is the granted directory itself")),
            Place::Granted {
                access: Access::Read, ..
            } => {
                let message = format!("`{path}` lies below a name that is granted for reading only");
                Err(Fault::new(Code::GrantUndeclared, message)
                    .hint("ask for `access: read-write` in `metadata.claw.files` of its SKILL.md"))
            }
            Place::Package(_) => Err(Fault::new(
                Code::GrantUndeclared,
                "the packaged files of a skill cannot be written",
            )),
        }
    }

    fn place<'p>(&self, path: &'p str) -> Result<Place<'p>, Fault> {
        check(path)?;
        if let Some(rest) = below(path, PACKAGE) {
            return Ok(Place::Package(rest));
        }
        let granted = self
            .inner
            .grants
            .files
            .iter()
            .filter_map(|(name, dir)| Some((name, below(path, name)?, dir)));
        // Of two names that both hold the path, the longer one is meant.
        if let Some((name, rest, allowed)) = granted.max_by_key(|(name, ..)| name.len()) {
            let mut open = self.inner.open.lock().unwrap_or_else(PoisonError::into_inner);
            let dir = match open.get(name) {
                Some(dir) => dir.clone(),
                None => {
                    let dir = Dir::open_ambient_dir(&allowed.path, ambient_authority())
                        .map(Arc::new)
                        .map_err(|_| {
                            Fault::new(Code::FileIo, format!("the directory granted as `{name}` cannot be opened"))
                                .hint(format!("`grants.yaml` names `{}`", allowed.path.display()))
                        })?;
                    open.insert(name.clone(), dir.clone());
                    dir
                }
            };
            return Ok(Place::Granted {
                dir,
                rest,
                access: allowed.access,
            });
        }
        let name = path.split('/').next().unwrap_or_default();
        if self.inner.grants.missing.files.contains_key(name) {
            return Err(Fault::new(Code::GrantMissing, format!("the files `{name}` are not allowed"))
                .hint(format!("claw skill allow <skill> --files {name}=/a/directory")));
        }
        Err(
            Fault::new(Code::GrantUndeclared, format!("`{name}` is no declared name of files"))
                .hint("add it to `metadata.claw.files` in its SKILL.md and build it again"),
        )
    }

    fn record(&self, op: &str, path: &str, size: Result<u64, &Fault>, bytes: Option<&[u8]>) {
        let effect = Effect::File {
            op: op.to_owned(),
            path: path.chars().take(512).collect(),
            size: size.unwrap_or(0),
            sha256: bytes.filter(|_| size.is_ok()).map(|bytes| hex(&Sha256::digest(bytes))),
            fault: size.err().cloned(),
        };
        self.inner.journal.push(effect, path.len().min(512) + 64);
    }
}

/// Only plain parts with `/` between them.
fn check(path: &str) -> Result<(), Fault> {
    if path.len() > 4_096 {
        return Err(bad_path(
            &path.chars().take(64).collect::<String>(),
            "has more than 4,096 bytes",
        ));
    }
    if path.contains('\0') {
        return Err(bad_path(&path.replace('\0', "\\0"), "holds a NUL"));
    }
    if path.contains('\\') {
        return Err(bad_path(path, "holds a backslash"));
    }
    if path.starts_with('/') {
        return Err(bad_path(path, "is absolute"));
    }
    if path.split('/').any(|part| part == "." || part == "..") {
        return Err(bad_path(path, "holds `.` or `..`"));
    }
    if path.split('/').any(str::is_empty) {
        return Err(bad_path(path, "has an empty part"));
    }
    Ok(())
}

fn bad_path(path: &str, why: &str) -> Fault {
    Fault::new(Code::FilePath, format!("the path `{path}` {why}")).hint("write `<granted name>/<part>/<part>`")
}

fn not_found(path: &str) -> Fault {
    Fault::new(Code::FileNotFound, format!("`{path}` does not exist"))
}

fn io_fault(path: &str, error: &io::Error) -> Fault {
    match error.kind() {
        io::ErrorKind::NotFound => not_found(path),
        io::ErrorKind::AlreadyExists => Fault::new(Code::FileExists, format!("`{path}` exists")),
        // The way in which a handle says that a path led out from below it.
        io::ErrorKind::PermissionDenied if error.raw_os_error().is_none() => bad_path(path, "leads out of the granted directory"),
        kind => Fault::new(Code::FileIo, format!("`{path}`: {kind}")),
    }
}

/// What of `path` lies below `name`; empty for the name itself.
fn below<'p>(path: &'p str, name: &str) -> Option<&'p str> {
    let rest = path.strip_prefix(name)?;
    if rest.is_empty() { Some(rest) } else { rest.strip_prefix('/') }
}

fn last_part(path: &str) -> String {
    path.rsplit('/').next().unwrap_or_default().to_owned()
}

fn kind(file_type: &cap_std::fs::FileType) -> Kind {
    match file_type {
        file_type if file_type.is_file() => Kind::File,
        file_type if file_type.is_dir() => Kind::Directory,
        _ => Kind::Other,
    }
}

fn size_of(metadata: &cap_std::fs::Metadata) -> u64 {
    if metadata.is_file() { metadata.len() } else { 0 }
}

/// Opens without waiting for the other end of a pipe, and refuses what is no regular file.
fn open_regular(dir: &Dir, rest: &str, options: &mut OpenOptions) -> io::Result<File> {
    if rest.is_empty() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    let nonblocking = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap_or_default();
    let file = dir.open_with(rest, options.custom_flags(nonblocking))?;
    let metadata = file.metadata()?;
    match kind(&metadata.file_type()) {
        Kind::File => Ok(file),
        Kind::Directory => Err(io::ErrorKind::IsADirectory.into()),
        Kind::Other => Err(io::ErrorKind::Unsupported.into()),
    }
}

/// Writes beside the file and moves it into place, below a handle on the very directory that
/// holds it, so that no path is resolved twice.
fn replace(dir: &Dir, rest: &str, data: &[u8]) -> io::Result<()> {
    let (parent, name) = match rest.rsplit_once('/') {
        Some((parent, name)) => (dir.open_dir(parent)?, name),
        None => (dir.try_clone()?, rest),
    };
    if parent.symlink_metadata(name).is_ok_and(|metadata| metadata.is_dir()) {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    let temporary = format!(".{:032x}.partial", rand::random::<u128>());
    let result = parent
        .open_with(&temporary, OpenOptions::new().write(true).create_new(true))
        .and_then(|mut file| file.write_all(data))
        .and_then(|()| parent.rename(&temporary, &parent, name));
    if result.is_err() {
        let _ = parent.remove_file(&temporary);
    }
    result
}

fn listing(dir: &Dir, rest: &str) -> io::Result<Vec<Found>> {
    let entries = if rest.is_empty() {
        dir.entries()?
    } else {
        dir.read_dir(rest)?
    };
    let mut found = Vec::new();
    for entry in entries.take(MAX_ENTRIES + 1) {
        let entry = entry?;
        let metadata = entry.metadata()?;
        let name = entry.file_name().to_string_lossy().into_owned();
        found.push(Found {
            name,
            kind: kind(&metadata.file_type()),
            size: size_of(&metadata),
        });
    }
    Ok(found)
}

fn packaged_stat(packaged: &Packaged, rest: &str) -> Option<Found> {
    match packaged.files.get(rest) {
        Some(data) => Some(Found {
            name: last_part(rest),
            kind: Kind::File,
            size: data.len() as u64,
        }),
        None if rest.is_empty() => Some(Found {
            name: PACKAGE.to_owned(),
            kind: Kind::Directory,
            size: 0,
        }),
        None => packaged_list(packaged, rest).map(|_| Found {
            name: last_part(rest),
            kind: Kind::Directory,
            size: 0,
        }),
    }
}

fn packaged_list(packaged: &Packaged, rest: &str) -> Option<Vec<Found>> {
    let mut found: Vec<Found> = Vec::new();
    for (path, data) in &packaged.files {
        let inside = if rest.is_empty() {
            Some(path.as_str())
        } else {
            below(path, rest).filter(|inside| !inside.is_empty())
        };
        let Some(inside) = inside else { continue };
        let entry = match inside.split_once('/') {
            Some((directory, _)) => Found {
                name: directory.to_owned(),
                kind: Kind::Directory,
                size: 0,
            },
            None => Found {
                name: inside.to_owned(),
                kind: Kind::File,
                size: data.len() as u64,
            },
        };
        if found.last() != Some(&entry) {
            found.push(entry);
        }
    }
    (!found.is_empty()).then_some(found)
}

#[cfg(test)]
mod tests;
