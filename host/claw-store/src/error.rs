//! Why something on this machine's disk cannot be used. Every text names the file.

use std::path::{Path, PathBuf};

/// The store cannot be opened, read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The operating system refused or failed.
    #[error("`{}`: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What it said.
        source: std::io::Error,
    },
    /// SQLite refused or failed.
    #[error("`{}`: {source}", path.display())]
    Sqlite {
        /// The database.
        path: PathBuf,
        /// What it said.
        source: rusqlite::Error,
    },
    /// Another process writes this file.
    #[error("`{}` is being written by another process\nhint: stop the other gateway, or give this one its own home with `--home`", path.display())]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// There is no such journal yet.
    #[error("no journal at `{}`\nhint: the first start of the gateway makes it; `--home` names another home", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// The file is a database of something else.
    #[error("`{}` is not a file of this kind: {why}\nhint: move it away, and it is made anew", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What is in its place.
        why: String,
    },
    /// A later version of this program wrote the file.
    #[error("`{}` has format {found}, and this version reads format {known}\nhint: run the version that wrote it, or a later one", path.display())]
    NewerFormat {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: i64,
        /// The last one that is understood.
        known: i64,
    },
    /// A row cannot be understood.
    #[error("`{}`: row {seq} cannot be read: {why}\nhint: `claw audit verify` says where the chain breaks", path.display())]
    BadRow {
        /// The file.
        path: PathBuf,
        /// The row.
        seq: u64,
        /// What is wrong with it.
        why: String,
    },
    /// What a service's key allows cannot be understood.
    #[error("`{}`: the key `{id}` cannot be read: {why}\nhint: revoke it with `claw key revoke {id}`, and make another", path.display())]
    BadKey {
        /// The database.
        path: PathBuf,
        /// The key's public id.
        id: String,
        /// What is wrong with it.
        why: String,
    },
    /// Another file took the place of one that is in use.
    #[error("`{}` was replaced while it was in use\nhint: stop the gateway before you restore or remove it, then start it again", path.display())]
    Replaced {
        /// The file.
        path: PathBuf,
    },
    /// Others than its owner may read the key.
    #[error("`{}` can be read or written by others (mode {mode:04o})\nhint: run `chmod 600 {}`", path.display(), path.display())]
    KeyPermissions {
        /// The key file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The key file does not hold a key.
    #[error("`{}` holds {found} bytes, and a key has 32\nhint: restore it from a backup; a new key cannot open what the old one sealed", path.display())]
    KeyLength {
        /// The key file.
        path: PathBuf,
        /// How many bytes it holds.
        found: u64,
    },
    /// The path is a directory, a link or a device.
    #[error("`{}` is not a regular file\nhint: put the key itself there, or remove it and a new one is made", path.display())]
    KeyNotAFile {
        /// The path.
        path: PathBuf,
    },
    /// The journal has stopped; nothing more is recorded.
    #[error("the journal has stopped: {why}\nhint: look at the disk of `{}`, then start the gateway again", path.display())]
    Stopped {
        /// The journal.
        path: PathBuf,
        /// What stopped it.
        why: String,
    },
}

impl StoreError {
    /// For `map_err` on what the operating system answers about this path.
    pub(crate) fn io(path: &Path) -> impl Fn(std::io::Error) -> StoreError + use<'_> {
        move |source| StoreError::Io {
            path: path.to_owned(),
            source,
        }
    }

    /// For `map_err` on what SQLite answers about this database.
    pub(crate) fn sqlite(path: &Path) -> impl Fn(rusqlite::Error) -> StoreError + use<'_> {
        move |source| StoreError::Sqlite {
            path: path.to_owned(),
            source,
        }
    }
}
