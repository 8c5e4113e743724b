//! The cases of a skill, as files: `fixtures/<case>.json` goes in, `fixtures/<case>/` holds
//! files for its grants, `fixtures/<case>.journal.jsonl` answers its calls, and
//! `expected/<case>.json` and `expected/<case>/` are what must come out.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::report::Failure;

const JOURNAL: &str = ".journal.jsonl";
/// The most bytes of one file of a case.
const MAX_FILE: u64 = 32 << 20;

/// One case.
#[derive(Clone, Debug)]
pub(in crate::commands::skill) struct Case {
    /// Its name.
    pub(in crate::commands::skill) name: String,
    test: PathBuf,
}

/// What lies in a `test` folder.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// By name.
    pub(super) cases: Vec<Case>,
    /// Files that belong to no case, in words.
    pub(super) orphans: Vec<String>,
}

/// The cases of a `test` folder; one that is not there has none.
///
/// # Errors
/// It cannot be listed.
pub(super) fn discover(test: &Path) -> Result<Found> {
    let fixtures = names(&test.join("fixtures"))?;
    let expected = names(&test.join("expected"))?;
    let is_case = |name: &str| name.strip_suffix(".json").map(str::to_owned);
    let cases: BTreeSet<String> = fixtures
        .iter()
        .filter(|(_, folder)| !folder)
        .filter_map(|(name, _)| is_case(name))
        .collect();
    let mut orphans = Vec::new();
    for (folder, entries) in [("fixtures", &fixtures), ("expected", &expected)] {
        for (name, is_folder) in entries {
            let journal = name.strip_suffix(JOURNAL).filter(|_| folder == "fixtures" && !is_folder);
            let case = if *is_folder {
                Some(name.clone())
            } else {
                journal.map(str::to_owned).or_else(|| is_case(name))
            };
            match case {
                Some(case) if cases.contains(&case) => {}
                Some(case) => orphans.push(format!(
                    "`test/{folder}/{name}` belongs to no case: there is no `test/fixtures/{case}.json`"
                )),
                None => orphans.push(format!("`test/{folder}/{name}` is no file of a case")),
            }
        }
    }
    let cases = cases
        .into_iter()
        .map(|name| Case {
            name,
            test: test.to_owned(),
        })
        .collect();
    Ok(Found { cases, orphans })
}

/// What lies in a folder, hidden files apart, sorted, and which of it are folders.
fn names(folder: &Path) -> Result<Vec<(String, bool)>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error).with_context(|| format!("cannot list `{}`", folder.display())),
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.with_context(|| format!("cannot list `{}`", folder.display()))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.starts_with('.') {
            names.push((name, entry.path().is_dir()));
        }
    }
    names.sort();
    Ok(names)
}

impl Case {
    /// The case of this name, whether or not it has files.
    pub(in crate::commands::skill) fn named(test: &Path, name: &str) -> Self {
        Case {
            name: name.to_owned(),
            test: test.to_owned(),
        }
    }

    fn fixture(&self, end: &str) -> PathBuf {
        self.test.join("fixtures").join(format!("{}{end}", self.name))
    }

    /// The file of its input.
    pub(in crate::commands::skill) fn input_path(&self) -> PathBuf {
        self.fixture(".json")
    }

    /// The folder of its files.
    pub(in crate::commands::skill) fn files_path(&self) -> PathBuf {
        self.fixture("")
    }

    /// The file of its cassette.
    pub(in crate::commands::skill) fn cassette_path(&self) -> PathBuf {
        self.fixture(JOURNAL)
    }

    /// The file of its expectation.
    pub(super) fn expected_path(&self) -> PathBuf {
        self.test.join("expected").join(format!("{}.json", self.name))
    }

    /// The folder of the files that it must have written.
    pub(super) fn expected_files_path(&self) -> PathBuf {
        self.test.join("expected").join(&self.name)
    }

    /// What goes in.
    ///
    /// # Errors
    /// It cannot be read or is no JSON.
    pub(in crate::commands::skill) fn input(&self) -> Result<Value, Failure> {
        let path = self.input_path();
        let failed = |error: String| Failure::new("fixture", format!("`{}` {error}", self.short(&path)));
        let bytes = read(&path).map_err(|error| failed(format!("cannot be read: {error}")))?;
        serde_json::from_slice(&bytes).map_err(|error| failed(format!("is no JSON: {error}")))
    }

    /// The text of its cassette, if it has one.
    ///
    /// # Errors
    /// It cannot be read or is no text.
    pub(super) fn cassette(&self) -> Result<Option<String>, Failure> {
        let path = self.cassette_path();
        let failed = |error: String| Failure::new("cassette", format!("`{}` {error}", self.short(&path)));
        match read(&path) {
            Ok(bytes) => String::from_utf8(bytes)
                .map(Some)
                .map_err(|_| failed("is not UTF-8".to_owned())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failed(format!("cannot be read: {error}"))),
        }
    }

    /// A file of the case as messages name it: `test/fixtures/…`.
    pub(in crate::commands::skill) fn short(&self, path: &Path) -> String {
        let below = path.strip_prefix(&self.test).unwrap_or(path);
        Path::new("test").join(below).display().to_string()
    }
}

/// A regular file, whole.
pub(super) fn read(path: &Path) -> io::Result<Vec<u8>> {
    let facts = fs::metadata(path)?;
    if !facts.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(MAX_FILE + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(io::Error::other(format!("it has more than {MAX_FILE} bytes")));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests;
