//! Which files go into a component: everything in the folder but sources, tests, build
//! outputs and hidden files. Refuses what would be too much, before reading it.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::path::Path;

use anyhow::{Context as _, Result};
use claw_engine::package::{MAX_PACKAGED_BYTES, MAX_PACKAGED_FILES, SKILL_MD};

use crate::commands::skill::folder::Folder;
use crate::exit::{Exit, Failed};

const MAX_DEPTH: usize = 16;
/// Left out at the top of the folder.
const TOP: [&str; 10] = [
    "src",
    "test",
    "tests",
    "target",
    "node_modules",
    "Cargo.toml",
    "Cargo.lock",
    "build.rs",
    "rust-toolchain.toml",
    "rust-toolchain",
];
/// Folders that are left out wherever they are.
const FOLDERS: [&str; 2] = ["target", "node_modules"];

/// The files of a package.
#[derive(Debug, Default)]
pub(super) struct Packed {
    /// Path with `/` → bytes.
    pub(super) files: BTreeMap<String, Vec<u8>>,
    /// Links and what is no regular file.
    pub(super) skipped: Vec<String>,
    bytes: usize,
}

/// Reads the files that belong into the package of a folder.
///
/// # Errors
/// There are too many, they are too large, or one cannot be read or named.
pub(super) fn collect(folder: &Folder) -> Result<Packed> {
    let mut packed = Packed::default();
    packed.add(SKILL_MD.to_owned(), folder.skill_md.clone())?;
    packed.walk(&folder.path, "", &folder.skill_md_name, 0)?;
    Ok(packed)
}

/// A file or folder of this name is not packaged.
pub(super) fn is_left_out(name: &str, is_top: bool, is_folder: bool) -> bool {
    name.starts_with('.')
        || (is_top && TOP.contains(&name))
        || (is_folder && FOLDERS.contains(&name))
        || (!is_folder
            && Path::new(name)
                .extension()
                .is_some_and(|end| end.eq_ignore_ascii_case("wasm")))
}

impl Packed {
    fn walk(&mut self, directory: &Path, prefix: &str, manifest: &str, depth: usize) -> Result<()> {
        if depth > MAX_DEPTH {
            return Err(refused(format!("`{prefix}` lies more than {MAX_DEPTH} folders deep")));
        }
        let entries = fs::read_dir(directory).with_context(|| format!("cannot list `{}`", directory.display()))?;
        let mut entries = entries.collect::<std::io::Result<Vec<_>>>()?;
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let kind = entry.file_type()?;
            let Ok(name) = entry.file_name().into_string() else {
                return Err(refused(format!("`{}` has a name that is not UTF-8", entry.path().display())));
            };
            if is_left_out(&name, prefix.is_empty(), kind.is_dir()) || (prefix.is_empty() && name == manifest) {
                continue;
            }
            let path = if prefix.is_empty() { name } else { format!("{prefix}/{name}") };
            if kind.is_dir() {
                self.walk(&entry.path(), &path, manifest, depth + 1)?;
            } else if kind.is_file() {
                let bytes = read(&entry.path(), MAX_PACKAGED_BYTES.saturating_sub(self.bytes))?;
                self.add(path, bytes)?;
            } else {
                self.skipped.push(path);
            }
        }
        Ok(())
    }

    fn add(&mut self, path: String, bytes: Vec<u8>) -> Result<()> {
        self.bytes = self.bytes.saturating_add(bytes.len());
        if self.bytes > MAX_PACKAGED_BYTES || self.files.len() >= MAX_PACKAGED_FILES {
            let message = format!(
                "`{path}` is one too many: at most {MAX_PACKAGED_FILES} files and {} MiB are packaged",
                MAX_PACKAGED_BYTES >> 20
            );
            return Err(refused(message));
        }
        self.files.insert(path, bytes);
        Ok(())
    }
}

/// One byte more than there is room for is enough to know.
fn read(path: &Path, room: usize) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let file = fs::File::open(path).with_context(|| format!("cannot read `{}`", path.display()))?;
    file.take(room as u64 + 1)
        .read_to_end(&mut bytes)
        .with_context(|| format!("cannot read `{}`", path.display()))?;
    Ok(bytes)
}

fn refused(message: String) -> anyhow::Error {
    let hint = "move it out of the skill's folder, or below `src/` or `test/`, which are not packaged";
    Failed::new(Exit::BuildFailed, message).hint(hint).into()
}

#[cfg(test)]
mod tests;
