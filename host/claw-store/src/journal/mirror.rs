//! `audit.log`: one JSON line a finished call, for `tail -f` and log shippers. It is read
//! back from the journal, so it can fall behind, be rotated or be deleted, and no call
//! notices.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::time::Instant;

use serde::Deserialize;

use crate::error::StoreError;
use crate::key::HomeKey;
use crate::private_file;
use crate::reader::Reader;

/// How many calls are read at once.
const BATCH: usize = 512;
/// The last line of the log is looked for in its last bytes, so many.
const TAIL: u64 = 64 << 10;

pub(super) struct Mirror {
    log: PathBuf,
    /// Where the place is written down: `<journal>.mirror`.
    note: PathBuf,
    reader: Reader,
    file: Option<File>,
    /// The last outcome row that is in the log.
    place: u64,
    saved: u64,
    failing: bool,
}

/// What a line tells about its own place.
#[derive(Deserialize)]
struct Placed {
    id: claw_core::ids::InvocationId,
    closed_seq: u64,
}

impl Mirror {
    pub(super) fn open(journal: &Path, log: PathBuf, key: &HomeKey) -> Result<Self, StoreError> {
        let reader = Reader::open(journal, key)?;
        let note = private_file::with_suffix(journal, ".mirror");
        let last = reader.last_seq()?;
        let noted = std::fs::read_to_string(&note)
            .ok()
            .and_then(|text| text.trim().parse::<u64>().ok());
        let noted = noted.filter(|place| *place <= last).unwrap_or(0);
        let logged = last_line(&log).and_then(|line| serde_json::from_slice::<Placed>(&line).ok());
        // A line of another journal says nothing about this one.
        let logged = logged
            .filter(|line| reader.closes(line.closed_seq, line.id))
            .map_or(0, |line| line.closed_seq);
        Ok(Mirror {
            log,
            note,
            reader,
            file: None,
            place: noted.max(logged),
            saved: noted,
            failing: false,
        })
    }

    /// The last outcome row that is in the log, or a later row with no outcome between.
    pub(super) fn place(&self) -> u64 {
        self.place
    }

    /// Appends what was finished up to this row; stops early at `until`.
    pub(super) fn catch_up(&mut self, seq: u64, until: Option<Instant>) {
        while self.place < seq && until.is_none_or(|until| Instant::now() < until) {
            match self.append_some(seq) {
                Ok(()) => self.failing = false,
                Err(error) => {
                    if !self.failing {
                        tracing::warn!(%error, "`audit.log` cannot be written; the journal itself is not affected");
                    }
                    self.failing = true;
                    self.file = None;
                    return;
                }
            }
        }
    }

    /// Writes the place down, so that a rotated log does not make the next start begin again.
    pub(super) fn save_place(&mut self) {
        if self.place != self.saved && private_file::replace(&self.note, format!("{}\n", self.place).as_bytes()).is_ok() {
            self.saved = self.place;
        }
    }

    fn append_some(&mut self, seq: u64) -> Result<(), StoreError> {
        let followed = self.reader.since(self.place, BATCH)?;
        let mut text = Vec::with_capacity(followed.entries.len() * 512);
        for entry in &followed.entries {
            if serde_json::to_writer(&mut text, entry).is_ok() {
                text.push(b'\n');
            }
        }
        if !text.is_empty() {
            let io = StoreError::io(&self.log);
            let file = match self.file.take() {
                Some(file) if is_still(&file, &self.log) => self.file.insert(file),
                Some(_) | None => self.file.insert(open_log(&self.log).map_err(&io)?),
            };
            append_whole(file, &text).map_err(&io)?;
        }
        // With fewer than a batch there is no other outcome up to here.
        let read_all = followed.entries.len() < BATCH;
        self.place = if read_all { followed.seq.max(seq) } else { followed.seq };
        Ok(())
    }
}

/// All of it or nothing: half a line would be no JSON.
fn append_whole(file: &mut File, text: &[u8]) -> io::Result<()> {
    let before = file.metadata()?.len();
    file.write_all(text).inspect_err(|_| drop(file.set_len(before)))
}

/// Opens the log to append, cutting off a line that a crash left half written.
fn open_log(log: &Path) -> io::Result<File> {
    let mut file = private_file::options().create(true).append(true).read(true).open(log)?;
    let (start, tail) = tail(&mut file)?;
    match tail.iter().rposition(|byte| *byte == b'\n') {
        Some(newline) => file.set_len(start + newline as u64 + 1)?,
        None if start == 0 => file.set_len(0)?,
        // Longer than any line of ours: somebody else's text. Leave it, and end its line.
        None => file.write_all(b"\n")?,
    }
    Ok(file)
}

fn last_line(log: &Path) -> Option<Vec<u8>> {
    let (_, tail) = tail(&mut File::open(log).ok()?).ok()?;
    let mut lines = tail.split(|byte| *byte == b'\n').rev();
    // What comes after the last newline is half a line, or nothing.
    lines.next()?;
    lines.next().map(<[u8]>::to_vec)
}

fn tail(file: &mut File) -> io::Result<(u64, Vec<u8>)> {
    let start = file.metadata()?.len().saturating_sub(TAIL);
    file.seek(SeekFrom::Start(start))?;
    let mut bytes = Vec::new();
    file.take(TAIL).read_to_end(&mut bytes)?;
    Ok((start, bytes))
}

/// Whether the path still names this file, and not one that came after a rotation.
#[cfg(unix)]
fn is_still(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    match (file.metadata(), std::fs::metadata(path)) {
        (Ok(ours), Ok(theirs)) => (ours.dev(), ours.ino()) == (theirs.dev(), theirs.ino()),
        _ => false,
    }
}

#[cfg(not(unix))]
fn is_still(_file: &File, path: &Path) -> bool {
    path.exists()
}
