//! Files that only their owner may read. Refuses to widen what is there.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::error::StoreError;

/// Options whose new files have mode 0600.
pub(crate) fn options() -> OpenOptions {
    #[cfg_attr(not(unix), expect(unused_mut, reason = "modes are a thing of Unix"))]
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Makes the file where it is not there, so that whoever opens it next finds mode 0600.
pub(crate) fn ensure(path: &Path) -> io::Result<()> {
    options().create(true).append(true).open(path).map(drop)
}

/// Replaces the file whole: readers see the old bytes or the new ones, also after a power cut.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let new = with_suffix(path, ".new");
    let mut file = options().create(true).write(true).truncate(true).open(&new)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&new, path)
}

/// Locks `<path>.lock` for as long as the answer lives; the kernel lets go when a process dies.
pub(crate) fn lock(path: &Path) -> Result<File, StoreError> {
    let lock = with_suffix(path, ".lock");
    let file = options()
        .create(true)
        .append(true)
        .open(&lock)
        .map_err(StoreError::io(&lock))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::InUse { path: path.to_owned() }),
        Err(TryLockError::Error(error)) => Err(StoreError::io(&lock)(error)),
    }
}

/// As [`lock`], once whoever holds it has let go. For what is held for a moment.
pub(crate) fn wait_for_lock(path: &Path) -> Result<File, StoreError> {
    let lock = with_suffix(path, ".lock");
    let file = options().create(true).append(true).open(&lock);
    file.and_then(|file| file.lock().map(|()| file))
        .map_err(StoreError::io(&lock))
}

/// The path with something appended to its last name.
pub(crate) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Makes the entries of the directory that holds `path` durable.
pub(crate) fn sync_directory(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => File::open(parent)?.sync_all(),
        Some(_) | None => File::open(".")?.sync_all(),
    }
}
