//! The walk over folders of skills, for `claw skill check`: it finds every SKILL.md below some
//! paths, loads and lints each, and takes the time. It follows no link to a folder.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use serde::Serialize;

use super::read::FILE_BYTES;
use super::report::Report;
use super::{Code, Diagnostic, Loaded, Origin, Severity};

const MOST_DEPTH: usize = 12;
const MOST_FOLDERS: usize = 50_000;

/// One SKILL.md and what there is to say about it.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// The path of the file.
    pub path: PathBuf,
    /// The name under which it loads; empty if it does not.
    pub name: String,
    /// It loads.
    pub loads: bool,
    /// How many warnings the loader has.
    pub warnings: usize,
    /// Everything that the lint says.
    pub lint: Vec<Diagnostic>,
    /// How long the loader took, in microseconds.
    pub micros: u64,
}

impl Row {
    /// It loads, and the lint has no error.
    pub fn passes(&self) -> bool {
        self.loads && self.lint.iter().all(|found| found.severity != Severity::Error)
    }
}

/// Checks every skill below `paths`, each a SKILL.md, a folder of a skill, or a folder of many,
/// in the order of their paths. A path that holds none has a row that says so.
pub fn check_paths(paths: &[PathBuf]) -> Vec<Row> {
    let mut rows = Vec::new();
    for path in paths {
        let files = find(path);
        if files.is_empty() {
            rows.push(unreadable(path, "no SKILL.md is there"));
        }
        rows.extend(files.iter().map(|file| check_file(file)));
    }
    rows
}

/// Loads and lints one file.
pub fn check_file(file: &Path) -> Row {
    let bytes = match read(file) {
        Ok(bytes) => bytes,
        Err(reason) => return unreadable(file, &reason),
    };
    // `skill/SKILL.md` and `./SKILL.md` lie in folders whose names only the full path has.
    let folder = fs::canonicalize(file).ok().and_then(|full| Origin::of(full).folder);
    let origin = Origin {
        path: file.to_owned(),
        folder,
    };
    let start = Instant::now();
    let Loaded { manifest, diagnostics } = super::load(&bytes, &origin);
    let micros = u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX);
    let base = file.parent().unwrap_or(Path::new(""));
    let exists = |relative: &str| base.join(relative).exists();
    let warnings = diagnostics.iter().filter(|found| found.severity == Severity::Warning).count();
    Row {
        path: file.to_owned(),
        loads: manifest.is_some(),
        name: manifest.map(|manifest| manifest.name).unwrap_or_default(),
        warnings,
        lint: super::lint(&bytes, &origin, Some(&exists)),
        micros,
    }
}

/// Every SKILL.md at or below `path`, sorted.
pub fn find(path: &Path) -> Vec<PathBuf> {
    if path.is_file() {
        return vec![path.to_owned()];
    }
    let mut found = Vec::new();
    let mut open = vec![(path.to_owned(), 0)];
    let mut folders = 0;
    while let Some((folder, depth)) = open.pop() {
        folders += 1;
        if folders > MOST_FOLDERS {
            break;
        }
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        let mut skill: Option<PathBuf> = None;
        for entry in entries.flatten() {
            let name = entry.file_name();
            // The kind of the entry itself: a link to a folder is not a folder here.
            let Ok(kind) = entry.file_type() else { continue };
            if kind.is_dir() {
                if depth < MOST_DEPTH && !is_skipped(&name) {
                    open.push((entry.path(), depth + 1));
                }
            } else if is_skill_file(&name) && (skill.is_none() || name == "SKILL.md") {
                skill = Some(entry.path());
            }
        }
        found.extend(skill);
    }
    found.sort();
    found
}

fn is_skill_file(name: &OsStr) -> bool {
    name.to_str().is_some_and(|name| name.eq_ignore_ascii_case("skill.md"))
}

/// Folders in which no skill of one's own lies.
fn is_skipped(name: &OsStr) -> bool {
    matches!(name.to_str(), Some(".git" | "node_modules" | "target"))
}

fn read(file: &Path) -> Result<Vec<u8>, String> {
    use std::io::Read as _;
    let metadata = fs::metadata(file).map_err(|error| error.to_string())?;
    if !metadata.is_file() {
        return Err("it is not a regular file".to_owned());
    }
    let file = fs::File::open(file).map_err(|error| error.to_string())?;
    let mut bytes = Vec::new();
    // One byte more than is allowed is enough to know.
    let most = u64::try_from(FILE_BYTES).unwrap_or(u64::MAX).saturating_add(1);
    file.take(most).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    Ok(bytes)
}

fn unreadable(path: &Path, reason: &str) -> Row {
    let mut report = Report::new(&Origin::of(path));
    report.add(
        Code::FileUnreadable,
        1,
        "",
        format!("cannot be read: {reason}"),
        "give a SKILL.md, or a folder with one",
    );
    let lint = report.into_diagnostics(Code::on_lint);
    Row {
        path: path.to_owned(),
        name: String::new(),
        loads: false,
        warnings: 0,
        lint,
        micros: 0,
    }
}

#[cfg(test)]
mod tests;
