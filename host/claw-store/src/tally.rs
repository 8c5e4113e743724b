//! What was spent up to a row of the journal, kept beside it, so that a start reads only the
//! rows after that one. The journal is the truth: a tally that does not fit it is thrown away.

use std::path::{Path, PathBuf};

use claw_core::budget::Spending;
use claw_core::grants::hex;
use serde::{Deserialize, Serialize};

use crate::error::StoreError;
use crate::private_file;
use crate::reader::Reader;

/// The form that this version writes.
const FORMAT: u64 = 1;

/// A tally larger than this is none of ours, in bytes.
const MAX_FILE: u64 = 256 << 20;

/// What was spent, up to a row.
#[derive(Debug)]
pub struct Tally {
    path: PathBuf,
    written: Written,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Written {
    format: u64,
    /// Rows up to this one are in it.
    seq: u64,
    /// The hash of that row, hex.
    hash: String,
    spending: Spending,
}

impl Tally {
    /// The tally of a journal up to its last row: what lies at `path`, if it fits, and the rows
    /// after it.
    ///
    /// # Errors
    /// [`StoreError::BadRow`] or [`StoreError::Sqlite`].
    pub fn read(path: &Path, reader: &Reader) -> Result<Self, StoreError> {
        let mut tally = Tally {
            path: path.to_owned(),
            written: kept(path),
        };
        if tally.written.seq > 0 && hash(reader, tally.written.seq)?.as_ref() != Some(&tally.written.hash) {
            tracing::warn!("what was spent is read from the whole journal: the tally beside it is of another one");
            tally.written = Written::default();
        }
        tally.advance(reader)?;
        Ok(tally)
    }

    /// Takes in the rows that were written since.
    ///
    /// # Errors
    /// As [`Tally::read`].
    pub fn advance(&mut self, reader: &Reader) -> Result<(), StoreError> {
        let spending = &mut self.written.spending;
        let seq = reader.charges(self.written.seq, |charge| spending.add(charge))?;
        if seq > self.written.seq {
            self.written.hash = hash(reader, seq)?.unwrap_or_default();
            self.written.seq = seq;
        }
        Ok(())
    }

    /// Writes it down.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub fn save(&mut self) -> Result<(), StoreError> {
        self.written.format = FORMAT;
        let text = serde_json::to_vec(&self.written).unwrap_or_default();
        private_file::replace(&self.path, &text).map_err(StoreError::io(&self.path))
    }

    /// What was spent.
    pub fn spending(&self) -> &Spending {
        &self.written.spending
    }

    /// The last row that is in it.
    pub fn seq(&self) -> u64 {
        self.written.seq
    }
}

/// What lies there, if it can be read; else nothing, and all rows are read.
fn kept(path: &Path) -> Written {
    let small = std::fs::metadata(path).is_ok_and(|file| file.len() <= MAX_FILE);
    let text = small.then(|| std::fs::read(path).ok()).flatten();
    let written = text.and_then(|text| serde_json::from_slice::<Written>(&text).ok());
    written.filter(|written| written.format == FORMAT).unwrap_or_default()
}

fn hash(reader: &Reader, seq: u64) -> Result<Option<String>, StoreError> {
    Ok(reader.row_hash(seq)?.map(|hash| hex(&hash)))
}

#[cfg(test)]
mod tests;
