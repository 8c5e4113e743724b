//! The list of a change's files: `git diff --raw --numstat`, and what `gh pr view` answers.

use serde::Deserialize;

use crate::change::{File, Status};
use crate::paths;

/// Reads `git diff --raw --numstat`: first a line for each file with its modes and status,
/// then, in the same order, one with its counts.
pub fn git(text: &str) -> Vec<File> {
    let mut files: Vec<File> = text.lines().filter_map(raw).collect();
    let mut counts = text.lines().filter_map(numstat);
    for file in &mut files {
        if let Some((added, deleted)) = counts.next() {
            file.binary = added.is_none();
            (file.added, file.deleted) = (added.unwrap_or_default(), deleted.unwrap_or_default());
        }
    }
    files
}

/// `:100644 100755 abc def R090\told\tnew`
fn raw(line: &str) -> Option<File> {
    let (about, names) = line.strip_prefix(':')?.split_once('\t')?;
    let mut words = about.split(' ');
    let mut mode = || u32::from_str_radix(words.next()?, 8).ok();
    let (old_mode, new_mode) = (mode()?, mode()?);
    let status = match words.nth(2)?.chars().next()? {
        'A' => Status::Added,
        'D' => Status::Deleted,
        'R' => Status::Renamed,
        'C' => Status::Copied,
        _ => Status::Modified,
    };
    let mut names = names.split('\t').map(paths::unquote);
    let first = names.next()?;
    let (path, old_path) = match names.next() {
        Some(second) => (second, Some(first)),
        None => (first, None),
    };
    Some(File {
        path,
        old_path,
        status,
        old_mode,
        new_mode,
        ..File::default()
    })
}

type Counts = (Option<u64>, Option<u64>);

/// `12\t3\tpath`, or `-\t-\tpath` for a binary file.
fn numstat(line: &str) -> Option<Counts> {
    let mut words = line.splitn(3, '\t');
    let mut count = || match words.next()? {
        "-" => Some(None),
        number => number.parse().ok().map(Some),
    };
    let counts = (count()?, count()?);
    words.next().map(|_| counts)
}

/// What `gh pr view --json additions,changedFiles,deletions,files` answers. GitHub lists at
/// most a hundred files there.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PullRequest {
    /// How many files there are.
    #[serde(default)]
    pub changed_files: usize,
    /// The first of them.
    #[serde(default)]
    pub files: Vec<Listed>,
}

/// One of them.
#[derive(Debug, Deserialize)]
pub struct Listed {
    path: String,
    #[serde(default)]
    additions: u64,
    #[serde(default)]
    deletions: u64,
}

impl PullRequest {
    /// Its files, as far as they are listed.
    pub fn into_files(self) -> Vec<File> {
        let file = |listed: Listed| File {
            path: listed
                .path
                .chars()
                .map(|c| if c.is_control() { '\u{fffd}' } else { c })
                .collect(),
            added: listed.additions,
            deleted: listed.deletions,
            ..File::default()
        };
        self.files.into_iter().map(file).collect()
    }
}

#[cfg(test)]
mod tests;
