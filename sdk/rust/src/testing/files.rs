//! Files of a test: from memory, or below a folder that stands for a granted name. Refuses
//! the same paths that the host refuses.

use std::fs;
use std::io::{ErrorKind, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::PathBuf;

use super::Host;
use crate::error::{Error, Kind};
use crate::files::{self, Entry, WriteMode};

/// The most that one call carries, as at the host.
const MAX_READ: u64 = 8 << 20;

enum Place {
    Memory(String),
    Disk(PathBuf),
}

fn place(host: &Host, path: &str) -> Result<Place, Error> {
    let bad = |why: &str| Err(error(Kind::Denied, "file.path", format!("`{}` {why}", short(path))));
    if path.contains('\\') || path.contains('\0') {
        return bad("holds a backslash or NUL");
    }
    if path.split('/').any(|part| matches!(part, "" | "." | "..")) {
        return bad("is no path of the form `name/rest`");
    }
    if host.files.contains_key(path) {
        return Ok(Place::Memory(path.to_owned()));
    }
    let (name, rest) = path.split_once('/').unwrap_or((path, ""));
    let Some(folder) = host.folders.get(name) else {
        if host.files.keys().any(|known| known.split('/').next() == Some(name)) {
            return Ok(Place::Memory(path.to_owned()));
        }
        let message = format!("the directory `{}` is not granted", short(name));
        return Err(error(Kind::Denied, "grant.undeclared", message));
    };
    let full = if rest.is_empty() { folder.clone() } else { folder.join(rest) };
    if let (Ok(root), Ok(real)) = (folder.canonicalize(), full.canonicalize())
        && !real.starts_with(root)
    {
        return bad("leads out of its directory");
    }
    Ok(Place::Disk(full))
}

pub(super) fn stat(host: &Host, path: &str) -> Result<Entry, Error> {
    let name = path.rsplit('/').next().unwrap_or_default().to_owned();
    match place(host, path)? {
        Place::Memory(key) => match host.files.get(&key) {
            Some(bytes) => Ok(Entry {
                name,
                kind: files::Kind::File,
                size: bytes.len() as u64,
            }),
            None => Err(missing(path)),
        },
        Place::Disk(full) => Ok(entry(name, &fs::symlink_metadata(full).map_err(|error| io(path, &error))?)),
    }
}

pub(super) fn read(host: &Host, path: &str) -> Result<Vec<u8>, Error> {
    let size = stat(host, path)?.size;
    if size > MAX_READ {
        return Err(error(
            Kind::LimitExceeded,
            "file.too_large",
            format!("`{}` is too large for one call", short(path)),
        ));
    }
    read_range(host, path, 0, u32::try_from(MAX_READ).unwrap_or(u32::MAX))
}

pub(super) fn read_range(host: &Host, path: &str, offset: u64, length: u32) -> Result<Vec<u8>, Error> {
    match place(host, path)? {
        Place::Memory(key) => {
            let bytes = host.files.get(&key).ok_or_else(|| missing(path))?;
            let start = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
            let end = start.saturating_add(length as usize).min(bytes.len());
            Ok(bytes.get(start..end).unwrap_or_default().to_vec())
        }
        Place::Disk(full) => {
            let mut piece = Vec::new();
            let mut file = fs::File::open(full).map_err(|error| io(path, &error))?;
            file.seek(SeekFrom::Start(offset)).map_err(|error| io(path, &error))?;
            file.take(u64::from(length))
                .read_to_end(&mut piece)
                .map_err(|error| io(path, &error))?;
            Ok(piece)
        }
    }
}

pub(super) fn list(host: &Host, path: &str) -> Result<Vec<Entry>, Error> {
    let mut entries = Vec::new();
    match place(host, path)? {
        Place::Memory(key) => {
            let below = format!("{key}/");
            for (name, bytes) in host
                .files
                .iter()
                .filter_map(|(name, bytes)| Some((name.strip_prefix(&below)?, bytes)))
            {
                let entry = match name.split_once('/') {
                    None => Entry {
                        name: name.to_owned(),
                        kind: files::Kind::File,
                        size: bytes.len() as u64,
                    },
                    Some((name, _)) => Entry {
                        name: name.to_owned(),
                        kind: files::Kind::Directory,
                        size: 0,
                    },
                };
                entries.push(entry);
            }
        }
        Place::Disk(full) => {
            for found in fs::read_dir(full).map_err(|error| io(path, &error))? {
                let found = found.map_err(|error| io(path, &error))?;
                let about = found.metadata().map_err(|error| io(path, &error))?;
                entries.push(entry(found.file_name().to_string_lossy().into_owned(), &about));
            }
        }
    }
    entries.sort_by(|one, other| one.name.cmp(&other.name));
    entries.dedup_by(|one, other| one.name == other.name);
    Ok(entries)
}

pub(super) fn write(host: &mut Host, path: &str, data: &[u8], mode: WriteMode) -> Result<(), Error> {
    match place(host, path)? {
        Place::Memory(key) => match (host.files.get_mut(&key), mode) {
            (Some(_), WriteMode::Create) => Err(error(Kind::InvalidInput, "file.exists", format!("`{}` exists", short(path)))),
            (Some(bytes), WriteMode::Append) => {
                bytes.extend_from_slice(data);
                Ok(())
            }
            (_, WriteMode::Create | WriteMode::Replace | WriteMode::Append) => {
                host.files.insert(key, data.to_vec());
                Ok(())
            }
        },
        Place::Disk(full) => {
            let mut how = fs::OpenOptions::new();
            match mode {
                WriteMode::Create => how.write(true).create_new(true),
                WriteMode::Replace => how.write(true).create(true).truncate(true),
                WriteMode::Append => how.append(true).create(true),
            };
            how.open(full)
                .and_then(|mut file| file.write_all(data))
                .map_err(|error| io(path, &error))
        }
    }
}

pub(super) fn make_directory(host: &Host, path: &str) -> Result<(), Error> {
    match place(host, path)? {
        Place::Memory(_) => Ok(()),
        Place::Disk(full) => fs::create_dir_all(full).map_err(|error| io(path, &error)),
    }
}

fn entry(name: String, about: &fs::Metadata) -> Entry {
    let kind = match about {
        about if about.is_file() => files::Kind::File,
        about if about.is_dir() => files::Kind::Directory,
        _ => files::Kind::Other,
    };
    Entry {
        name,
        kind,
        size: if about.is_file() { about.len() } else { 0 },
    }
}

fn missing(path: &str) -> Error {
    error(Kind::NotFound, "file.not_found", format!("`{}` does not exist", short(path)))
}

fn io(path: &str, cause: &std::io::Error) -> Error {
    match cause.kind() {
        ErrorKind::NotFound => missing(path),
        ErrorKind::AlreadyExists => error(Kind::InvalidInput, "file.exists", format!("`{}` exists", short(path))),
        _ => error(Kind::Other, "file.io", format!("`{}`: {cause}", short(path))),
    }
}

fn error(kind: Kind, code: &str, message: String) -> Error {
    Error::of(kind, code.to_owned(), message, None)
}

fn short(text: &str) -> String {
    text.chars().take(200).collect()
}
