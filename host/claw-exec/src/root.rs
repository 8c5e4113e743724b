//! A directory that the operator named, opened anew for every call and without following a
//! link: what was a directory when the file was loaded and is a link now is refused.

use std::fs::File;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::path::{Component, Path, PathBuf};

use rustix::fs::{Mode, OFlags, open, openat};

/// An open directory to start a process in.
pub(crate) struct WorkingDirectory {
    handle: File,
    path: PathBuf,
}

impl WorkingDirectory {
    /// Opens an absolute path without links in it, part by part.
    pub(crate) fn open(path: &Path) -> std::io::Result<Self> {
        let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC | search();
        let mut handle: OwnedFd = open("/", flags, Mode::empty())?;
        for part in path.components() {
            match part {
                Component::RootDir => {}
                Component::Normal(name) => handle = openat(&handle, name, flags, Mode::empty())?,
                Component::Prefix(_) | Component::CurDir | Component::ParentDir => {
                    return Err(std::io::ErrorKind::InvalidInput.into());
                }
            }
        }
        Ok(WorkingDirectory {
            handle: File::from(handle),
            path: path.to_owned(),
        })
    }

    /// A path that means this very directory to a process that is being started.
    pub(crate) fn path(&self) -> PathBuf {
        if cfg!(target_os = "linux") {
            // The child changes directory before its descriptors close.
            PathBuf::from(format!("/proc/self/fd/{}", self.handle.as_raw_fd()))
        } else {
            self.path.clone()
        }
    }
}

#[cfg(target_os = "linux")]
fn search() -> OFlags {
    OFlags::PATH
}

#[cfg(not(target_os = "linux"))]
fn search() -> OFlags {
    OFlags::RDONLY
}

/// The named directory as it is now, with its links resolved.
pub(crate) fn resolve(path: &Path) -> Result<PathBuf, String> {
    if !path.is_absolute() {
        return Err(format!("`{}` is not an absolute path", path.display()));
    }
    let real = path
        .canonicalize()
        .map_err(|error| format!("`{}` cannot be opened: {}", path.display(), reason(&error)))?;
    if !real.is_dir() {
        return Err(format!("`{}` is no directory", path.display()));
    }
    if real.parent().is_none() {
        return Err("`/` cannot be a root".to_owned());
    }
    Ok(real)
}

fn reason(error: &std::io::Error) -> &'static str {
    match error.kind() {
        std::io::ErrorKind::NotFound => "it does not exist",
        std::io::ErrorKind::PermissionDenied => "permission denied",
        _ => "the operating system refuses",
    }
}
