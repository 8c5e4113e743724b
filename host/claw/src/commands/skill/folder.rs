//! The folder of a skill: found by name or path, its SKILL.md read and loaded. Refuses a
//! folder whose SKILL.md does not load, with everything that is wrong in it.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use claw_core::manifest::{self, Diagnostic, Manifest, Origin, Severity};

use crate::commands::Environment;
use crate::exit::{Exit, Failed};

/// More than any SKILL.md may have; the loader says so.
const MAX_READ: u64 = 4 << 20;

/// The folder of a skill.
#[derive(Debug)]
pub(super) struct Folder {
    /// Where it lies, links resolved.
    pub(super) path: PathBuf,
    /// The bytes of its SKILL.md.
    pub(super) skill_md: Vec<u8>,
    /// The name of that file, `skill.md` in some folders.
    pub(super) skill_md_name: String,
    /// What it says.
    pub(super) manifest: Manifest,
    /// What the loader overlooked.
    pub(super) warnings: Vec<Diagnostic>,
}

/// The folder that a name or a path means: `./NAME`, `./skills/NAME`, `<home>/skills/NAME`.
///
/// # Errors
/// None of them holds a SKILL.md.
pub(super) fn find(environment: &Environment, asked: Option<&str>) -> Result<PathBuf> {
    let Some(asked) = asked else { return Ok(PathBuf::from(".")) };
    let mut places = vec![PathBuf::from(asked)];
    if !asked.contains('/') {
        places.push(Path::new("skills").join(asked));
        places.push(environment.home.skills().join(asked));
    }
    if let Some(found) = places.iter().find(|place| skill_md(place).is_some()) {
        return Ok(found.clone());
    }
    let tried: Vec<String> = places.iter().map(|place| format!("`{}`", place.display())).collect();
    let message = format!("there is no skill `{asked}`: no SKILL.md in {}", tried.join(", "));
    Err(Failed::new(Exit::BadSkill, message)
        .hint("give the folder of a skill, or start one with `claw skill new NAME`")
        .into())
}

impl Folder {
    /// Reads the folder's SKILL.md; a path of the file itself means its folder.
    ///
    /// # Errors
    /// There is none, or it does not load.
    pub(super) fn open(place: &Path) -> Result<Folder> {
        let Some(file) = skill_md(place) else {
            let message = format!("there is no SKILL.md in `{}`", place.display());
            return Err(Failed::new(Exit::BadSkill, message)
                .hint("`claw skill new NAME` starts a skill")
                .into());
        };
        let shown = file.strip_prefix(".").unwrap_or(&file);
        let read = || -> std::io::Result<(PathBuf, Vec<u8>)> {
            let full = fs::canonicalize(&file)?;
            let mut bytes = Vec::new();
            fs::File::open(&full)?.take(MAX_READ).read_to_end(&mut bytes)?;
            Ok((full, bytes))
        };
        let (full, skill_md) = read().with_context(|| format!("cannot read `{}`", shown.display()))?;
        let path = full.parent().unwrap_or(Path::new("/")).to_owned();
        let folder = path.file_name().map(|name| name.to_string_lossy().into_owned());
        let loaded = manifest::load(&skill_md, &Origin::new(shown, folder.as_deref()));
        let (manifest, found) = loaded
            .into_result()
            .map_err(|error| Failed::new(Exit::BadSkill, format!("`{}` does not load\n{error}", shown.display())))?;
        let warnings = found.into_iter().filter(|one| one.severity != Severity::Note).collect();
        let skill_md_name = file
            .file_name()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default();
        Ok(Folder {
            path,
            skill_md,
            skill_md_name,
            manifest,
            warnings,
        })
    }

    /// Where its component is built to.
    pub(super) fn component(&self) -> PathBuf {
        self.path.join("target").join(format!("{}.wasm", self.manifest.name))
    }
}

/// The SKILL.md of a folder, whatever its case; the exact name comes first.
pub(super) fn skill_md(place: &Path) -> Option<PathBuf> {
    let is_named = |path: &Path| {
        path.file_name()
            .and_then(|name| name.to_str())
            .is_some_and(|name| name.eq_ignore_ascii_case("SKILL.md"))
    };
    if place.is_file() && is_named(place) {
        return Some(place.to_owned());
    }
    let exact = place.join("SKILL.md");
    if exact.is_file() {
        return Some(exact);
    }
    let entries = fs::read_dir(place).ok()?.filter_map(Result::ok).map(|entry| entry.path());
    entries.filter(|path| is_named(path) && path.is_file()).min()
}

#[cfg(test)]
mod tests;
