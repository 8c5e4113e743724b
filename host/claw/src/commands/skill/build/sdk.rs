//! The SDK and `wit/` travel inside this program, so that a skill builds wherever it lies.
//! They are unpacked once, whole or not at all, and again where somebody changed them.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use claw_core::grants::hex;
use include_dir::{Dir, include_dir};
use sha2::{Digest as _, Sha256};

static SOURCES: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/../../sdk/rust/src");
static CONTRACT: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/../../wit");
const CARGO_TOML: &[u8] = include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../sdk/rust/Cargo.toml"));
const README: &[u8] = include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../sdk/rust/README.md"));

/// The crate's path below what is unpacked; it names `wit/` relative to itself.
const CRATE: &str = "sdk/rust";

/// Sixteen hex digits that change with any byte of the SDK.
pub(super) fn hash() -> String {
    let mut hasher = Sha256::new();
    for (path, bytes) in files() {
        hasher.update((path.len() as u64).to_le_bytes());
        hasher.update(path);
        hasher.update((bytes.len() as u64).to_le_bytes());
        hasher.update(bytes);
    }
    let mut digest = hex(&hasher.finalize());
    digest.truncate(16);
    digest
}

/// The folder of the SDK's crate below `parent`, unpacked if it is not there as it should be.
///
/// # Errors
/// It cannot be written.
pub(super) fn unpack(parent: &Path) -> Result<PathBuf> {
    let place = parent.join(format!("sdk-{}", hash()));
    if !is_intact(&place) {
        put(parent, &place).with_context(|| format!("cannot unpack the SDK to `{}`", place.display()))?;
    }
    Ok(place.join(CRATE))
}

fn files() -> BTreeMap<String, &'static [u8]> {
    let mut files = BTreeMap::new();
    add(&mut files, "wit", &CONTRACT);
    add(&mut files, "sdk/rust/src", &SOURCES);
    files.insert(format!("{CRATE}/Cargo.toml"), CARGO_TOML);
    files.insert(format!("{CRATE}/README.md"), README);
    files
}

fn add(files: &mut BTreeMap<String, &'static [u8]>, prefix: &str, directory: &Dir<'static>) {
    for file in directory.files() {
        files.insert(format!("{prefix}/{}", file.path().display()), file.contents());
    }
    for inner in directory.dirs() {
        add(files, prefix, inner);
    }
}

/// Everything is there, unchanged, and ours.
fn is_intact(place: &Path) -> bool {
    let owned =
        fs::symlink_metadata(place).is_ok_and(|facts| facts.is_dir() && facts.uid() == rustix::process::geteuid().as_raw());
    owned
        && files()
            .iter()
            .all(|(path, bytes)| fs::read(place.join(path)).is_ok_and(|found| found == *bytes))
}

fn put(parent: &Path, place: &Path) -> std::io::Result<()> {
    fs::create_dir_all(parent)?;
    let partial = tempfile::Builder::new().prefix(".sdk-").tempdir_in(parent)?;
    for (path, bytes) in files() {
        let path = partial.path().join(path);
        fs::create_dir_all(path.parent().unwrap_or(parent))?;
        fs::write(path, bytes)?;
    }
    if fs::rename(partial.path(), place).is_ok() {
        // It has a new name; there is nothing left to clean up under the old one.
        let _ = partial.keep();
        return Ok(());
    }
    if is_intact(place) {
        return Ok(());
    }
    fs::remove_dir_all(place)?;
    fs::rename(partial.path(), place)?;
    let _ = partial.keep();
    Ok(())
}

#[cfg(test)]
mod tests;
