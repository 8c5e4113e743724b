//! The anchor: how far the journal had come, kept beside it under a keyed MAC. The chain
//! alone cannot show that its last rows were cut off.

use std::path::{Path, PathBuf};

use claw_core::grants::hex;
use serde::{Deserialize, Serialize};

use super::row::{self, Head};
use crate::error::StoreError;
use crate::key::{Hasher, HomeKey};
use crate::private_file;

/// Reads and writes `<journal>.head`.
pub(crate) struct Anchor {
    path: PathBuf,
    hasher: Hasher,
}

/// What was found of an anchor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// The journal had come this far.
    At(Head),
    /// There is none.
    Missing,
    /// It was not written with this home's key, or is no anchor at all.
    Forged,
}

#[derive(Serialize, Deserialize)]
struct File {
    seq: u64,
    hash: String,
    mac: String,
}

impl Anchor {
    pub(crate) fn of(journal: &Path, key: &HomeKey) -> Self {
        Anchor {
            path: private_file::with_suffix(journal, ".head"),
            hasher: Hasher::new(key, row::ANCHOR),
        }
    }

    /// Replaces the anchor. Only for what the disk has: after a power cut it would point past the end.
    pub(crate) fn write(&self, head: Head) -> Result<(), StoreError> {
        let mac = hex(&self.hasher.hash(&signed(head)));
        let file = File {
            seq: head.seq,
            hash: hex(&head.hash),
            mac,
        };
        let mut text = serde_json::to_vec(&file).unwrap_or_default();
        text.push(b'\n');
        private_file::replace(&self.path, &text).map_err(StoreError::io(&self.path))
    }

    pub(crate) fn read(&self) -> Result<Found, StoreError> {
        let text = match std::fs::read(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Found::Missing),
            Err(error) => return Err(StoreError::io(&self.path)(error)),
        };
        Ok(self.check(&text).map_or(Found::Forged, Found::At))
    }

    fn check(&self, text: &[u8]) -> Option<Head> {
        let file: File = serde_json::from_slice(text).ok()?;
        let head = Head {
            seq: file.seq,
            hash: row::from_hex(&file.hash)?,
        };
        self.hasher.is(&signed(head), &row::from_hex(&file.mac)?).then_some(head)
    }
}

fn signed(head: Head) -> Vec<u8> {
    [head.seq.to_le_bytes().as_slice(), head.hash.as_slice()].concat()
}
