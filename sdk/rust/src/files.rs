//! Files below granted names. A path is `<name>/<rest>`: which directory a name stands for
//! is the operator's decision. `skill/…` are the files packaged with the skill, read-only.

use crate::{Error, host};

pub use crate::line::{Line, Lines};

/// What a directory holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A file.
    File,
    /// A directory.
    Directory,
    /// A link, a socket, a device. It cannot be read.
    Other,
}

/// A file or a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The last part of its path.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// In bytes; 0 for what is no file.
    pub size: u64,
}

/// What writing does to a file that exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteMode {
    /// Fails with `file.exists`.
    Create,
    /// Replaces it whole, at once.
    Replace,
    /// Adds at its end.
    Append,
}

/// What a path names.
///
/// # Errors
/// A `file.*` or `grant.*` code; so with every function here.
pub fn stat(path: &str) -> Result<Entry, Error> {
    host::stat(path)
}

/// A whole file, of a few MiB at most: use [`read_chunks`] or [`read_lines`] for larger ones.
///
/// # Errors
/// See [`stat`]; `limit.*` where it is too large for one call.
pub fn read(path: &str) -> Result<Vec<u8>, Error> {
    host::read(path)
}

/// A whole file that must be UTF-8.
///
/// # Errors
/// See [`read`]; `skill.utf8` where it is not.
pub fn read_to_string(path: &str) -> Result<String, Error> {
    String::from_utf8(read(path)?).map_err(|error| Error::from(error).context(format!("`{path}`")))
}

/// At most `length` bytes from `offset`; none mean the end of the file.
///
/// # Errors
/// See [`stat`].
pub fn read_range(path: &str, offset: u64, length: u32) -> Result<Vec<u8>, Error> {
    host::read_range(path, offset, length)
}

/// A file of any size, in pieces of 1 MiB.
pub fn read_chunks(path: &str) -> Chunks {
    Chunks {
        path: path.to_owned(),
        offset: 0,
        size: 1 << 20,
        over: false,
    }
}

/// A file of any size, line by line.
pub fn read_lines(path: &str) -> Lines {
    Lines::new(read_chunks(path))
}

/// What lies in a directory, sorted by name.
///
/// # Errors
/// See [`stat`].
pub fn list(path: &str) -> Result<Vec<Entry>, Error> {
    host::list(path)
}

/// Writes a file.
///
/// # Errors
/// See [`stat`]; `file.exists` with [`WriteMode::Create`].
pub fn write(path: &str, data: impl AsRef<[u8]>, mode: WriteMode) -> Result<(), Error> {
    host::write(path, data.as_ref(), mode)
}

/// Makes a directory and those above it.
///
/// # Errors
/// See [`stat`].
pub fn make_directory(path: &str) -> Result<(), Error> {
    host::make_directory(path)
}

/// Pieces of a file, in order. Ends at the end of the file or after the first error.
pub struct Chunks {
    path: String,
    offset: u64,
    size: u32,
    over: bool,
}

impl Chunks {
    /// Pieces of this many bytes, at least 1.
    #[must_use]
    pub fn size(mut self, bytes: u32) -> Self {
        self.size = bytes.max(1);
        self
    }

    /// Begins this many bytes into the file.
    #[must_use]
    pub fn from(mut self, offset: u64) -> Self {
        self.offset = offset;
        self
    }
}

impl Iterator for Chunks {
    type Item = Result<Vec<u8>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.over {
            return None;
        }
        let piece = host::read_range(&self.path, self.offset, self.size);
        match &piece {
            Ok(bytes) => {
                self.offset += bytes.len() as u64;
                self.over = bytes.is_empty();
            }
            Err(_) => self.over = true,
        }
        if matches!(&piece, Ok(bytes) if bytes.is_empty()) {
            None
        } else {
            Some(piece)
        }
    }
}
