//! What is done before the first row: the lock, the end of the chain, and the calls that
//! were open when the last writer ended.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::Path;

use claw_core::audit::{Outcome, Status};
use claw_core::grants::hex;
use claw_core::ids::InvocationId;
use claw_core::model::Usage;
use rusqlite::{Connection, OptionalExtension as _, params};
use serde::Deserialize;

use super::anchor::{Anchor, Found};
use super::row::{Hash, Head, Kind, Link, NoteBody, OutcomeBody, chain};
use super::schema;
use super::{Recovered, Truncated};
use crate::error::StoreError;
use crate::key::HomeKey;
use crate::{private_file, time};

/// A journal that is ready to be written.
pub(super) struct Opened {
    pub(super) connection: Connection,
    pub(super) lock: File,
    pub(super) head: Head,
    /// The time of the last row: time never runs backwards in a journal.
    pub(super) at_us: i64,
    pub(super) recovered: Recovered,
}

pub(super) fn open(path: &Path, key: &HomeKey) -> Result<Opened, StoreError> {
    let lock = private_file::lock(path)?;
    let mut connection = schema::open_writer(path)?;
    let sqlite = StoreError::sqlite(path);
    let anchor = Anchor::of(path, key);
    let (head, at_us) = head(&connection, path)?;
    let truncated = compare(anchor.read()?, head, &connection).map_err(&sqlite)?;
    let open = open_intents(&connection, head.seq).map_err(&sqlite)?;

    let mut end = End {
        head,
        at_us: at_us.max(time::now_us()),
    };
    let mut interrupted = Vec::with_capacity(open.len());
    let write = connection
        .transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)
        .map_err(&sqlite)?;
    if let Some((truncated, anchored)) = &truncated {
        let note = NoteBody {
            note: "truncated".to_owned(),
            why: truncated.why.clone(),
            anchored_seq: truncated.anchored_seq,
            anchored_hash: anchored.map(|head| hex(&head.hash)),
            found_seq: truncated.found_seq,
        };
        end.append(&write, Kind::Note, 0, &serde_json::to_string(&note).unwrap_or_default())
            .map_err(&sqlite)?;
    }
    for intent in open {
        let body = interrupted_body(reserved(&write, intent).map_err(&sqlite)?);
        interrupted.extend(call(&write, intent).map_err(&sqlite)?);
        end.append(&write, Kind::Outcome, intent, &body).map_err(&sqlite)?;
    }
    // Also where nothing was open: the first write of a connection makes the -wal and syncs it.
    save_open(&write, end.head.seq, &BTreeSet::new()).map_err(&sqlite)?;
    write.commit().map_err(&sqlite)?;
    let wal = schema::wal_path(path);
    File::open(&wal)
        .and_then(|file| file.sync_all())
        .map_err(StoreError::io(&wal))?;
    anchor.write(end.head)?;
    let recovered = Recovered {
        rows: head.seq,
        interrupted,
        truncated: truncated.map(|(truncated, _)| truncated),
    };
    Ok(Opened {
        connection,
        lock,
        head: end.head,
        at_us: end.at_us,
        recovered,
    })
}

/// The outcome of a call that was cut off. What it cost nobody knows any more: all that was set
/// aside for it is taken for spent.
fn interrupted_body(reserved_nanousd: Option<u64>) -> String {
    let outcome = Outcome {
        usage: reserved_nanousd.map(|reserved| Usage {
            cost_nanousd: Some(reserved),
            estimated: true,
            ..Usage::default()
        }),
        ..Outcome::of(Status::Interrupted)
    };
    let body = OutcomeBody {
        outcome: &outcome,
        response: None,
        journal: None,
    };
    serde_json::to_string(&body).unwrap_or_default()
}

/// What was set aside for a call, by its intent.
fn reserved(connection: &Connection, intent: u64) -> rusqlite::Result<Option<u64>> {
    #[derive(Deserialize)]
    struct Reserved {
        reserved_nanousd: Option<u64>,
    }
    let body: Option<String> = connection
        .query_row("SELECT body FROM journal WHERE seq = ?1", [intent.cast_signed()], |row| {
            row.get(0)
        })
        .optional()?;
    let read = body.and_then(|body| serde_json::from_str::<Reserved>(&body).ok());
    Ok(read.and_then(|read| read.reserved_nanousd))
}

struct End {
    head: Head,
    at_us: i64,
}

impl End {
    fn append(&mut self, write: &Connection, kind: Kind, intent: u64, body: &str) -> rusqlite::Result<()> {
        let seq = self.head.seq + 1;
        let kind = kind.number();
        let link = Link {
            seq,
            at_us: self.at_us,
            kind,
            intent,
            call: [0; 16],
            parent: [0; 16],
            body: body.as_bytes(),
        };
        let hash = chain(&self.head.hash, &link);
        let intent = (intent > 0).then_some(intent.cast_signed());
        write
            .prepare_cached("INSERT INTO journal(seq, at_us, kind, intent, body, hash) VALUES(?1, ?2, ?3, ?4, ?5, ?6)")?
            .execute(params![seq.cast_signed(), self.at_us, kind, intent, body, hash])?;
        self.head = Head { seq, hash };
        Ok(())
    }
}

/// The last row and its time.
fn head(connection: &Connection, path: &Path) -> Result<(Head, i64), StoreError> {
    let last = connection
        .query_row("SELECT seq, hash, at_us FROM journal ORDER BY seq DESC LIMIT 1", [], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, Vec<u8>>(1)?, row.get::<_, i64>(2)?))
        })
        .optional()
        .map_err(StoreError::sqlite(path))?;
    let Some((seq, hash, at_us)) = last else {
        return Ok((Head::default(), 0));
    };
    let seq = seq.cast_unsigned();
    let why = "its hash does not have 32 bytes".to_owned();
    let hash: Hash = hash.try_into().map_err(|_| StoreError::BadRow {
        path: path.to_owned(),
        seq,
        why,
    })?;
    Ok((Head { seq, hash }, at_us))
}

/// What is missing by the anchor, if anything is.
fn compare(found: Found, head: Head, connection: &Connection) -> rusqlite::Result<Option<(Truncated, Option<Head>)>> {
    let (why, anchored) = match found {
        Found::Missing if head.seq == 0 => return Ok(None),
        Found::Missing => ("the anchor file is gone".to_owned(), None),
        Found::Forged => ("the anchor file was not written by this home".to_owned(), None),
        Found::At(anchored) if anchored.seq > head.seq => {
            (format!("rows {} to {} are gone", head.seq + 1, anchored.seq), Some(anchored))
        }
        Found::At(anchored) if hash_at(connection, anchored.seq)?.is_some_and(|hash| hash != anchored.hash) => (
            format!("row {} is not the one that was anchored", anchored.seq),
            Some(anchored),
        ),
        Found::At(_) => return Ok(None),
    };
    let anchored_seq = anchored.map(|head| head.seq);
    Ok(Some((
        Truncated {
            why,
            anchored_seq,
            found_seq: head.seq,
        },
        anchored,
    )))
}

/// The stored hash of a row; `None` where there is no row 0.
pub(crate) fn hash_at(connection: &Connection, seq: u64) -> rusqlite::Result<Option<Vec<u8>>> {
    connection
        .query_row("SELECT hash FROM journal WHERE seq = ?1", [seq.cast_signed()], |row| {
            row.get(0)
        })
        .optional()
}

fn call(connection: &Connection, intent: u64) -> rusqlite::Result<Option<InvocationId>> {
    let bytes: Option<[u8; 16]> = connection
        .query_row("SELECT call FROM journal WHERE seq = ?1", [intent.cast_signed()], |row| {
            row.get(0)
        })
        .optional()?;
    Ok(bytes.map(InvocationId::from_bytes))
}

/// The intents without an outcome: those that were saved as open, and what happened since.
fn open_intents(connection: &Connection, last: u64) -> rusqlite::Result<BTreeSet<u64>> {
    let saved: Option<Vec<u8>> = connection
        .query_row("SELECT value FROM meta WHERE name = 'open'", [], |row| row.get(0))
        .optional()?;
    // Without a usable one all rows are read.
    let (since, mut open) = saved
        .and_then(|saved| read_open(&saved))
        .filter(|(since, _)| *since <= last)
        .unwrap_or_default();
    let mut rows = connection.prepare("SELECT seq, kind, intent FROM journal WHERE seq > ?1 ORDER BY seq")?;
    let mut rows = rows.query([since.cast_signed()])?;
    while let Some(row) = rows.next()? {
        let (seq, kind, intent): (i64, u8, Option<i64>) = (row.get(0)?, row.get(1)?, row.get(2)?);
        match intent {
            None if kind == Kind::Intent.number() => drop(open.insert(seq.cast_unsigned())),
            None => {}
            Some(intent) => drop(open.remove(&intent.cast_unsigned())),
        }
    }
    Ok(open)
}

/// Writes down which intents are open after this row, so that a start need not read them all.
pub(super) fn save_open(connection: &Connection, seq: u64, open: &BTreeSet<u64>) -> rusqlite::Result<()> {
    let numbers = std::iter::once(seq).chain(open.iter().copied());
    let value: Vec<u8> = numbers.flat_map(u64::to_le_bytes).collect();
    connection
        .prepare_cached("INSERT OR REPLACE INTO meta(name, value) VALUES('open', ?1)")?
        .execute([value])?;
    Ok(())
}

fn read_open(value: &[u8]) -> Option<(u64, BTreeSet<u64>)> {
    let (numbers, rest) = value.as_chunks::<8>();
    let mut numbers = numbers.iter().map(|bytes| u64::from_le_bytes(*bytes));
    let since = numbers.next()?;
    rest.is_empty().then(|| (since, numbers.collect()))
}
