//! Secrets that config files name, in one file that is encrypted whole with a key derived from
//! the home's. Refuses a file that anybody changed, and never shows a value by accident.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::error::StoreError;
use crate::key::{HomeKey, Sealer};
use crate::{private_file, time};

/// What the file begins with; the format follows, and the end of the line.
const MAGIC: &str = "claw-secrets ";
/// The format that this version writes.
const FORMAT: i64 = 1;
/// The most bytes of the file.
const MAX_FILE: u64 = 32 << 20;
/// The most bytes of a value.
const MAX_VALUE: usize = 16 << 10;
/// The most bytes of a name.
const MAX_NAME: usize = 64;
/// The most secrets.
const MOST_SECRETS: usize = 1_000;

/// Why a secret cannot be kept or found.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// Config files could not name it.
    #[error("a secret's name is 1 to {MAX_NAME} of A-Z, a-z, 0-9, `-`, `_` and `.`")]
    Name,
    /// There is nothing to keep.
    #[error("the value is empty")]
    Empty,
    /// It is longer than a key can be.
    #[error("the value has more than {MAX_VALUE} bytes")]
    TooLong,
    /// It could not be sent in a header.
    #[error("the value holds a line break or another control character")]
    Control,
    /// There is no such secret.
    #[error("there is no secret `{name}`")]
    Unknown {
        /// What was asked for.
        name: String,
    },
    /// There are too many.
    #[error("there are {MOST_SECRETS} secrets already")]
    Full,
    /// The file cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The file. Any number of processes may change it, one at a time; each change is on the disk
/// before it is answered.
pub struct SecretStore {
    path: PathBuf,
    sealer: Sealer,
}

/// The secrets as they were when the file was read.
#[derive(Clone, Default)]
pub struct Secrets(Arc<BTreeMap<String, Kept>>);

#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    value: String,
    set_at_us: i64,
}

impl SecretStore {
    /// The store in this file, whether it is there yet or not.
    pub fn new(path: &Path, key: &HomeKey) -> Self {
        SecretStore {
            path: path.to_owned(),
            sealer: Sealer::new(key, "config secrets v1"),
        }
    }

    /// All secrets; none where there is no file.
    ///
    /// # Errors
    /// [`StoreError::Foreign`], [`StoreError::NewerFormat`], [`StoreError::Sealed`], or a file
    /// that cannot be read.
    pub fn load(&self) -> Result<Secrets, StoreError> {
        let file = match std::fs::File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Secrets::default()),
            Err(error) => return Err(StoreError::io(&self.path)(error)),
        };
        let mut bytes = Vec::new();
        file.take(MAX_FILE + 1)
            .read_to_end(&mut bytes)
            .map_err(StoreError::io(&self.path))?;
        self.open(&bytes).map(|kept| Secrets(Arc::new(kept)))
    }

    /// Keeps a value under a name, and says since when there was another, if there was.
    ///
    /// # Errors
    /// What is wrong with the name or the value, or as [`SecretStore::load`].
    pub fn set(&self, name: &str, value: &str) -> Result<Option<i64>, SecretError> {
        check_name(name)?;
        check_value(value)?;
        self.change(|kept| {
            if !kept.contains_key(name) && kept.len() >= MOST_SECRETS {
                return Err(SecretError::Full);
            }
            Ok(put(kept, name, value))
        })
    }

    /// Keeps another value under a name that is there, and says since when there was the last.
    ///
    /// # Errors
    /// [`SecretError::Unknown`], or as [`SecretStore::set`].
    pub fn rotate(&self, name: &str, value: &str) -> Result<i64, SecretError> {
        check_value(value)?;
        self.change(|kept| put(kept, name, value).ok_or_else(|| unknown(name)))
    }

    /// Forgets a secret.
    ///
    /// # Errors
    /// [`SecretError::Unknown`], or as [`SecretStore::load`].
    pub fn remove(&self, name: &str) -> Result<(), SecretError> {
        self.change(|kept| kept.remove(name).map(drop).ok_or_else(|| unknown(name)))
    }

    fn change<T>(&self, change: impl FnOnce(&mut BTreeMap<String, Kept>) -> Result<T, SecretError>) -> Result<T, SecretError> {
        let _lock = private_file::wait_for_lock(&self.path)?;
        let mut kept = (*self.load()?.0).clone();
        let changed = change(&mut kept)?;
        let io = StoreError::io(&self.path);
        private_file::replace(&self.path, &self.seal(&kept)?).map_err(&io)?;
        private_file::sync_directory(&self.path).map_err(&io)?;
        Ok(changed)
    }

    fn seal(&self, kept: &BTreeMap<String, Kept>) -> Result<Vec<u8>, StoreError> {
        let head = format!("{MAGIC}{FORMAT}\n");
        // Text and numbers can always be written; the bound on their size is far below the cipher's.
        let plain = serde_json::to_vec(kept).unwrap_or_default();
        let sealed = self
            .sealer
            .seal(head.as_bytes(), &plain)
            .ok_or_else(|| self.foreign("it would be too large"))?;
        Ok([head.as_bytes(), &sealed].concat())
    }

    fn open(&self, bytes: &[u8]) -> Result<BTreeMap<String, Kept>, StoreError> {
        if bytes.len() as u64 > MAX_FILE {
            return Err(self.foreign("it is too large"));
        }
        let end = bytes.iter().take(MAGIC.len() + 20).position(|byte| *byte == b'\n');
        let (head, sealed) = bytes.split_at(end.map_or(0, |end| end + 1));
        let format = std::str::from_utf8(head)
            .ok()
            .and_then(|head| head.trim_end().strip_prefix(MAGIC));
        match format.and_then(|format| format.parse::<i64>().ok()) {
            Some(FORMAT) => {}
            Some(found) if found > FORMAT => {
                let path = self.path.clone();
                return Err(StoreError::NewerFormat {
                    path,
                    found,
                    known: FORMAT,
                });
            }
            Some(_) | None => return Err(self.foreign("it does not begin as one")),
        }
        let opened = self.sealer.open(head, sealed);
        opened
            .and_then(|plain| serde_json::from_slice(&plain).ok())
            .ok_or_else(|| StoreError::Sealed { path: self.path.clone() })
    }

    fn foreign(&self, why: &str) -> StoreError {
        StoreError::Foreign {
            path: self.path.clone(),
            why: why.to_owned(),
        }
    }
}

impl Secrets {
    /// The value of one, for whoever sends it.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|kept| kept.value.as_str())
    }

    /// The names, each with when its value was set, in microseconds since 1970.
    pub fn names(&self) -> impl Iterator<Item = (&str, i64)> {
        self.0.iter().map(|(name, kept)| (name.as_str(), kept.set_at_us))
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

fn put(kept: &mut BTreeMap<String, Kept>, name: &str, value: &str) -> Option<i64> {
    let new = Kept {
        value: value.to_owned(),
        set_at_us: time::now_us(),
    };
    match kept.get_mut(name) {
        Some(there) => Some(std::mem::replace(there, new).set_at_us),
        None => {
            kept.insert(name.to_owned(), new);
            None
        }
    }
}

fn check_name(name: &str) -> Result<(), SecretError> {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if (1..=MAX_NAME).contains(&name.len()) && name.bytes().all(good) {
        Ok(())
    } else {
        Err(SecretError::Name)
    }
}

fn check_value(value: &str) -> Result<(), SecretError> {
    match value {
        "" => Err(SecretError::Empty),
        value if value.len() > MAX_VALUE => Err(SecretError::TooLong),
        value if value.chars().any(char::is_control) => Err(SecretError::Control),
        _ => Ok(()),
    }
}

fn unknown(name: &str) -> SecretError {
    SecretError::Unknown {
        name: name.chars().filter(|c| !c.is_control()).take(MAX_NAME).collect(),
    }
}

#[cfg(test)]
mod tests;
