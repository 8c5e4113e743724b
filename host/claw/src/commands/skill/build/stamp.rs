//! Whether a component is what its sources would build to: a small file beside it names the
//! hash of the sources and of the component. Anything that cannot be compared is stale.

use std::fs;
use std::path::{Path, PathBuf};

use claw_core::grants::hex;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{pack, sdk};
use crate::commands::skill::folder::Folder;

const MAX_DEPTH: usize = 32;
/// Besides `src/` and what is packaged.
const OTHERS: [&str; 6] = [
    "Cargo.toml",
    "build.rs",
    "rust-toolchain.toml",
    "rust-toolchain",
    ".cargo/config.toml",
    ".cargo/config",
];

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Stamp {
    /// What went in.
    inputs: String,
    /// `Cargo.lock`, which a build may write itself.
    lock: String,
    /// What came out.
    component: String,
}

/// The component is there and was built from these very sources.
pub(super) fn is_fresh(folder: &Folder, component: &Path) -> bool {
    let read = || -> Option<bool> {
        let stamp: Stamp = serde_json::from_slice(&fs::read(beside(component)).ok()?).ok()?;
        let is_same = stamp.component == digest(&fs::read(component).ok()?)
            && stamp.inputs == inputs(folder)
            && stamp.lock == lock(&folder.path);
        Some(is_same && !reaches_out(&folder.path))
    };
    read().unwrap_or(false)
}

/// The hash of everything that goes into a build, but `Cargo.lock`.
pub(super) fn inputs(folder: &Folder) -> String {
    let mut hasher = Sha256::new();
    hasher.update(env!("CARGO_PKG_VERSION"));
    hasher.update(sdk::hash());
    hasher.update(&folder.skill_md);
    let mut add = |path: &Path| {
        let bytes = fs::read(path).unwrap_or_default();
        let name = path.strip_prefix(&folder.path).unwrap_or(path).to_string_lossy().into_owned();
        hasher.update((name.len() as u64).to_le_bytes());
        hasher.update(name);
        hasher.update((bytes.len() as u64).to_le_bytes());
        hasher.update(bytes);
    };
    for path in walk(&folder.path.join("src"), false) {
        add(&path);
    }
    for path in walk(&folder.path, true) {
        add(&path);
    }
    for name in OTHERS {
        let path = folder.path.join(name);
        if path.is_file() {
            add(&path);
        }
    }
    hex(&hasher.finalize())
}

/// Writes down what a component was built from. A stamp that cannot be written costs a build.
pub(super) fn write(component: &Path, inputs: &str, folder: &Path, sha256: &str) {
    let stamp = Stamp {
        inputs: inputs.to_owned(),
        lock: lock(folder),
        component: sha256.to_owned(),
    };
    if let Ok(json) = serde_json::to_vec_pretty(&stamp) {
        let _ = fs::write(beside(component), json);
    }
}

fn beside(component: &Path) -> PathBuf {
    component.with_extension("build.json")
}

fn lock(folder: &Path) -> String {
    digest(&fs::read(folder.join("Cargo.lock")).unwrap_or_default())
}

fn digest(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// Crates and files outside the folder are cargo's to compare.
fn reaches_out(folder: &Path) -> bool {
    let text = fs::read_to_string(folder.join("Cargo.toml")).unwrap_or_default();
    text.contains("..") || text.contains("path") || text.contains("workspace = true") || text.contains("workspace=true")
}

/// Every regular file below a folder, sorted; `packaged`: only what a package holds.
fn walk(top: &Path, packaged: bool) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut open = vec![(top.to_owned(), 0)];
    while let Some((directory, depth)) = open.pop() {
        let Ok(entries) = fs::read_dir(&directory) else { continue };
        for entry in entries.flatten() {
            let Ok(kind) = entry.file_type() else { continue };
            let name = entry.file_name();
            if packaged && pack::is_left_out(&name.to_string_lossy(), depth == 0, kind.is_dir()) {
                continue;
            }
            if kind.is_dir() && depth < MAX_DEPTH {
                open.push((entry.path(), depth + 1));
            } else if kind.is_file() || (!packaged && kind.is_symlink()) {
                files.push(entry.path());
            }
        }
    }
    files.sort();
    files
}

#[cfg(test)]
mod tests;
