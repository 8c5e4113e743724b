//! A change, from whichever command it was read.

use std::collections::BTreeMap;

/// What happened to a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Status {
    /// It is new.
    Added,
    /// It is gone.
    Deleted,
    /// It has another name, and perhaps other content.
    Renamed,
    /// It is new, and began as another.
    Copied,
    /// Its content or its mode is another.
    #[default]
    Modified,
}

/// One added line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// In the new file, from 1.
    pub number: u64,
    /// Without its line end.
    pub text: String,
}

/// One file of a change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct File {
    /// Its path, the old one where it is gone. Bytes that are no UTF-8 stand as `\xNN`.
    pub path: String,
    /// Its path before, where that was another.
    pub old_path: Option<String>,
    /// What happened to it.
    pub status: Status,
    /// Its mode before, such as `0o100644`; 0 where unknown or absent.
    pub old_mode: u32,
    /// Its mode after.
    pub new_mode: u32,
    /// How many lines were added.
    pub added: u64,
    /// How many lines were removed.
    pub deleted: u64,
    /// It is no text.
    pub binary: bool,
    /// The added lines, as far as they could be read.
    pub lines: Vec<Line>,
    /// The removed lines, as far as they could be read.
    pub removed: Vec<String>,
}

/// The mode of a link.
pub const SYMLINK: u32 = 0o120_000;
/// The mode of a submodule.
pub const SUBMODULE: u32 = 0o160_000;

/// A change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// Its files, sorted by path.
    pub files: Vec<File>,
    /// Some of it could not be read.
    pub truncated: bool,
}

impl Change {
    /// A change from the list of its files, which is whole even where the difference is
    /// not, and from its difference. Where both know a number, the list is right.
    pub fn new(listed: Vec<File>, differing: Vec<File>, truncated: bool) -> Self {
        let mut files: BTreeMap<String, File> = BTreeMap::new();
        for file in differing {
            match files.get_mut(&file.path) {
                // A file that became a link comes as two: one gone, one new.
                Some(known) => known.join(file),
                None => {
                    files.insert(file.path.clone(), file);
                }
            }
        }
        for file in listed {
            let known = files.entry(file.path.clone()).or_insert_with(|| File {
                status: file.status,
                ..File::default()
            });
            known.path = file.path;
            known.old_path = known.old_path.take().or(file.old_path);
            known.binary |= file.binary;
            (known.added, known.deleted) = (file.added, file.deleted);
            if file.old_mode != 0 || file.new_mode != 0 {
                (known.status, known.old_mode, known.new_mode) = (file.status, file.old_mode, file.new_mode);
            }
        }
        Change {
            files: files.into_values().collect(),
            truncated,
        }
    }

    /// How many lines were added and removed.
    pub fn lines(&self) -> (u64, u64) {
        self.files
            .iter()
            .fold((0, 0), |(added, deleted), file| (added + file.added, deleted + file.deleted))
    }
}

impl File {
    fn join(&mut self, other: File) {
        self.status = Status::Modified;
        self.old_mode = self.old_mode.max(other.old_mode);
        self.new_mode = self.new_mode.max(other.new_mode);
        self.added += other.added;
        self.deleted += other.deleted;
        self.binary |= other.binary;
        self.lines.extend(other.lines);
        self.removed.extend(other.removed);
    }
}
