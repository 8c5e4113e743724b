//! Components as they lie in the home: read without following links, inspected, never run.

use std::fs;
use std::io::Read as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use claw_engine::package::MAX_COMPONENT_BYTES;
use claw_engine::{Inspected, inspect};

use crate::home::Home;

/// A component of the home, or why it is none.
pub(super) struct Dropped {
    /// The file's name in the skills directory.
    pub(super) file: String,
    /// The file.
    pub(super) path: PathBuf,
    /// What it is.
    pub(super) found: Result<Inspected, String>,
}

/// Every `.wasm` of the home, by name. A home without skills has none.
pub(super) fn dropped(home: &Home) -> Vec<Dropped> {
    let Ok(entries) = fs::read_dir(home.skills()) else {
        return Vec::new();
    };
    let mut paths: Vec<PathBuf> = entries.filter_map(Result::ok).map(|entry| entry.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|end| end == "wasm"));
    paths.sort();
    paths
        .into_iter()
        .map(|path| {
            let file = path
                .file_name()
                .map(|name| name.to_string_lossy().into_owned())
                .unwrap_or_default();
            let found = read(&path).map_err(|error| error.to_string());
            let found = found.and_then(|bytes| inspect(&bytes).map_err(|error| error.to_string()));
            Dropped { file, path, found }
        })
        .collect()
}

/// The bytes of a component: a regular file, no link, not too large.
///
/// # Errors
/// It is none of that, or cannot be read.
pub(super) fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    let file = fs::OpenOptions::new()
        .read(true)
        .custom_flags(i32::try_from(flags.bits()).unwrap_or_default())
        .open(path)?;
    let facts = file.metadata()?;
    if !facts.is_file() {
        return Err(std::io::Error::other("it is no regular file"));
    }
    let most = MAX_COMPONENT_BYTES as u64;
    if facts.len() > most {
        return Err(std::io::Error::other(format!(
            "it has {} bytes, more than {most}",
            facts.len()
        )));
    }
    let mut bytes = Vec::new();
    file.take(most + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}
