//! Recomputes the chain over every row, and holds its end against the anchor. Names the first
//! row that is not as it was written.

use std::collections::HashSet;

use claw_core::grants::hex;
use rusqlite::{Row, params};
use serde::Serialize;

use super::{PIECE, Reader};
use crate::error::StoreError;
use crate::journal::Truncated;
use crate::journal::anchor::Found;
use crate::journal::row::{Hash, Head as Place, Kind, Link, NoteBody, chain};

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Verified {
    /// Every row is as it was written, and none is missing, as far as chain and anchor tell.
    pub ok: bool,
    /// How many calls there are.
    pub entries: u64,
    /// Of these, not ended.
    pub open: u64,
    /// How many rows there are.
    pub rows: u64,
    /// The first row that is not as it was written.
    pub first_bad: Option<Bad>,
    /// The last rows, or the proof of them, were taken away at some time.
    pub truncated: Option<Truncated>,
    /// How the anchor stands to the journal.
    pub anchor: AnchorState,
    /// The last row.
    pub head: Head,
}

/// A row that is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Bad {
    /// The row.
    pub seq: u64,
    /// What is wrong, in words.
    pub why: String,
}

/// The end of the chain: what an operator may write down elsewhere, to compare later.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Head {
    /// The last row.
    pub seq: u64,
    /// Its hash, hex.
    pub hash: String,
}

/// How the anchor stands to the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AnchorState {
    /// The row that it names is there, as it was.
    Matches,
    /// It names a row past the end of the journal.
    Ahead,
    /// The row that it names is another one.
    Differs,
    /// There is none.
    Missing,
    /// It was not written by this home.
    Forged,
}

impl Reader {
    /// Reads the whole journal: about a second for a million rows.
    ///
    /// # Errors
    /// The files cannot be read at all. What is wrong with rows is part of the answer.
    pub fn verify(&self) -> Result<Verified, StoreError> {
        // The anchor first: meanwhile the journal may only grow past it.
        let anchor = self.anchor.read()?;
        let mut walk = Walk::new(anchor);
        loop {
            let before = walk.rows;
            match self.walk_piece(&mut walk) {
                Ok(()) if walk.rows == before => break,
                Ok(()) => {}
                Err(rusqlite::Error::SqliteFailure(error, _)) if error.code == rusqlite::ErrorCode::DatabaseCorrupt => {
                    walk.bad(walk.last.seq + 1, "the database is damaged here".to_owned());
                    break;
                }
                Err(error) => return Err(StoreError::sqlite(&self.path)(error)),
            }
        }
        Ok(walk.end())
    }

    fn walk_piece(&self, walk: &mut Walk) -> rusqlite::Result<()> {
        let sql = "SELECT seq, at_us, kind, intent, call, parent, body, hash FROM journal WHERE seq > ?1 ORDER BY seq LIMIT ?2";
        let mut rows = self.connection.prepare_cached(sql)?;
        let mut rows = rows.query(params![walk.last.seq.cast_signed(), PIECE.cast_signed()])?;
        while let Some(row) = rows.next()? {
            walk.see(row)?;
        }
        Ok(())
    }
}

struct Walk {
    anchor: Found,
    anchored: Option<Hash>,
    last: Place,
    rows: u64,
    entries: u64,
    open: HashSet<u64>,
    first_bad: Option<Bad>,
    truncated: Option<Truncated>,
}

impl Walk {
    fn new(anchor: Found) -> Self {
        let anchored = matches!(anchor, Found::At(head) if head.seq == 0).then_some([0; 32]);
        Walk {
            anchor,
            anchored,
            last: Place::default(),
            rows: 0,
            entries: 0,
            open: HashSet::new(),
            first_bad: None,
            truncated: None,
        }
    }

    fn bad(&mut self, seq: u64, why: String) {
        self.first_bad.get_or_insert(Bad { seq, why });
    }

    fn see(&mut self, row: &Row<'_>) -> rusqlite::Result<()> {
        let seq = row.get::<_, i64>(0)?.cast_unsigned();
        let kind: u8 = row.get(2)?;
        let intent = row.get::<_, Option<i64>>(3)?.map_or(0, i64::cast_unsigned);
        let body = row.get_ref(6)?.as_bytes()?;
        let link = Link {
            seq,
            at_us: row.get(1)?,
            kind,
            intent,
            call: row.get::<_, Option<[u8; 16]>>(4)?.unwrap_or_default(),
            parent: row.get::<_, Option<[u8; 16]>>(5)?.unwrap_or_default(),
            body,
        };
        if seq != self.last.seq + 1 {
            self.bad(self.last.seq + 1, "it is missing".to_owned());
        }
        let stored = row.get_ref(7)?.as_blob()?;
        let hash = chain(&self.last.hash, &link);
        if hash != stored {
            self.bad(seq, "it, or the row before it, is not the one that was written".to_owned());
        }
        self.count(seq, kind, intent, body);
        if matches!(self.anchor, Found::At(head) if head.seq == seq) {
            self.anchored = stored.try_into().ok();
        }
        // Go on from what is there, so that one bad row does not hide the counts.
        self.last = Place {
            seq,
            hash: stored.try_into().unwrap_or(hash),
        };
        self.rows += 1;
        Ok(())
    }

    fn count(&mut self, seq: u64, kind: u8, intent: u64, body: &[u8]) {
        if kind == Kind::Intent.number() {
            self.entries += 1;
            self.open.insert(seq);
        } else if kind == Kind::Outcome.number() {
            if !self.open.remove(&intent) {
                self.bad(seq, format!("it ends call {intent}, which is not open"));
            }
        } else if let Ok(note) = serde_json::from_slice::<NoteBody>(body) {
            let why = format!("noted in row {seq}: {}", note.why);
            self.truncated.get_or_insert(Truncated {
                why,
                anchored_seq: note.anchored_seq,
                found_seq: note.found_seq,
            });
        }
    }

    fn end(mut self) -> Verified {
        let found_seq = self.last.seq;
        let anchor = match (self.anchor, self.anchored) {
            (Found::Missing, _) => AnchorState::Missing,
            (Found::Forged, _) => AnchorState::Forged,
            (Found::At(head), Some(hash)) if hash == head.hash => AnchorState::Matches,
            (Found::At(head), None) if head.seq > found_seq => {
                let why = format!("rows {} to {} are gone", found_seq + 1, head.seq);
                self.truncated.get_or_insert(Truncated {
                    why,
                    anchored_seq: Some(head.seq),
                    found_seq,
                });
                AnchorState::Ahead
            }
            (Found::At(head), _) => {
                self.bad(head.seq, "it is not the row that was anchored".to_owned());
                AnchorState::Differs
            }
        };
        Verified {
            ok: self.first_bad.is_none() && self.truncated.is_none() && anchor == AnchorState::Matches,
            entries: self.entries,
            open: self.open.len() as u64,
            rows: self.rows,
            first_bad: self.first_bad,
            truncated: self.truncated,
            anchor,
            head: Head {
                seq: self.last.seq,
                hash: hex(&self.last.hash),
            },
        }
    }
}
