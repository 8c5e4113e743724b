//! The one thread that writes rows: it takes what is queued, up to 256 rows, chains it and
//! commits it as one transaction. It never waits for the disk but in a checkpoint.

use std::collections::BTreeSet;
use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::Duration;

use claw_core::audit::Level;
use claw_core::ids::InvocationId;
use rusqlite::{Connection, params};
use tokio::sync::oneshot;

use super::Shared;
use super::gate::{Place, Waiter};
use super::keeper::Keeper;
use super::recover::{Opened, save_open};
use super::row::{Hash, Head, Kind, Link, chain, id_bytes};
use super::syncer::Syncer;
use crate::error::StoreError;
use crate::time;

/// The most rows of one transaction.
const GROUP_ROWS: usize = 256;
/// A transaction takes no more rows once it has this many bytes.
const GROUP_BYTES: usize = 4 << 20;
/// No row for this long is a good moment for a checkpoint.
const QUIET: Duration = Duration::from_millis(20);
/// A checkpoint is due after this many pages when it is quiet, and after so many when not.
const QUIET_PAGES: usize = 1_000;
const MOST_PAGES: usize = 4_000;
const PAGE: usize = 4_096;
/// The open calls are written down every so many rows: a start reads no more than these.
const SAVE_OPEN_ROWS: u64 = 4_096;
/// How many bodies are erased in one transaction.
const ERASE_ROWS: u32 = 256;

/// What is queued.
pub(super) enum Message {
    Append(Append),
    Erase { before_us: i64, done: oneshot::Sender<u64> },
    Stop,
}

/// A row before it has its place in the chain.
pub(super) struct Append {
    pub(super) what: What,
    pub(super) level: Level,
    /// The seq of the call's intent: written with the intent, read with its outcome, both
    /// by the writer.
    pub(super) seq: Arc<AtomicU64>,
    pub(super) body: String,
    pub(super) kept: Vec<Kept>,
    pub(super) place: Place,
    pub(super) ack: oneshot::Sender<()>,
}

/// Which row it is.
pub(super) enum What {
    Intent {
        call: InvocationId,
        parent: Option<InvocationId>,
    },
    Outcome,
}

/// Encrypted bytes and the hash they are kept under.
pub(super) struct Kept {
    pub(super) hash: Hash,
    pub(super) sealed: Vec<u8>,
}

pub(super) struct Writer {
    shared: Arc<Shared>,
    connection: Connection,
    /// Held for as long as this writes.
    _lock: File,
    syncer: Syncer,
    keeper: Keeper,
    head: Head,
    at_us: i64,
    open: BTreeSet<u64>,
    saved_open_at: u64,
    /// Written to the log since the last checkpoint, roughly.
    pages: usize,
}

/// Why the loop goes round.
enum Next {
    Rows(Vec<Append>),
    Erase(i64, oneshot::Sender<u64>),
    Quiet,
    Stop,
}

impl Writer {
    pub(super) fn new(shared: Arc<Shared>, opened: Opened, syncer: Syncer, keeper: Keeper) -> Self {
        Writer {
            shared,
            connection: opened.connection,
            _lock: opened.lock,
            syncer,
            keeper,
            head: opened.head,
            at_us: opened.at_us,
            open: BTreeSet::new(),
            saved_open_at: opened.head.seq,
            pages: 0,
        }
    }

    pub(super) fn start(self, messages: Receiver<Message>) -> Result<JoinHandle<()>, StoreError> {
        let path = self.shared.path.clone();
        let thread = std::thread::Builder::new().name("audit-writer".to_owned());
        thread.spawn(move || self.run(messages)).map_err(StoreError::io(&path))
    }

    fn run(mut self, messages: Receiver<Message>) {
        let result = self.write_all(&messages);
        self.shared.gate.shut();
        if let Err(error) = &result {
            self.shared.gate.fail(error.to_string());
        }
        // Whoever waits for a row that is still queued hears of it now.
        drop(messages);
        // The syncer ends with a last sync, and only then may the log be emptied.
        self.syncer.stop(&self.shared);
        if self.shared.gate.failure().is_none()
            && let Err(error) = self.empty_log()
        {
            self.shared.gate.fail(error.to_string());
        }
        self.keeper.stop();
    }

    /// Until it is told to stop, or the first error.
    fn write_all(&mut self, messages: &Receiver<Message>) -> rusqlite::Result<()> {
        let mut waiters = Vec::with_capacity(GROUP_ROWS);
        let mut after = None;
        loop {
            match after.take().unwrap_or_else(|| self.next(messages, &mut after)) {
                Next::Rows(rows) => self.commit(rows, &mut waiters)?,
                Next::Erase(before_us, done) => {
                    // Whoever asked may have gone; the bodies have too.
                    let _ = done.send(self.erase(before_us)?);
                }
                Next::Quiet => self.checkpoint()?,
                Next::Stop => return Ok(()),
            }
            // A failed sync ends the journal on the other thread.
            if self.shared.gate.failure().is_some() {
                return Ok(());
            }
            if self.pages >= MOST_PAGES {
                self.checkpoint()?;
            }
        }
    }

    /// Waits for work. What was taken from the queue and is no row comes `after` the rows.
    fn next(&self, messages: &Receiver<Message>, after: &mut Option<Next>) -> Next {
        let first = if self.pages >= QUIET_PAGES {
            match messages.recv_timeout(QUIET) {
                Ok(message) => message,
                Err(RecvTimeoutError::Timeout) => return Next::Quiet,
                Err(RecvTimeoutError::Disconnected) => return Next::Stop,
            }
        } else {
            match messages.recv() {
                Ok(message) => message,
                Err(_) => return Next::Stop,
            }
        };
        let (mut rows, mut bytes) = (Vec::new(), 0);
        let mut message = Some(first);
        while let Some(taken) = message.take() {
            match taken {
                Message::Append(append) => {
                    bytes += append.body.len() + append.kept.iter().map(|kept| kept.sealed.len()).sum::<usize>();
                    rows.push(append);
                }
                Message::Erase { before_us, done } => *after = Some(Next::Erase(before_us, done)),
                Message::Stop => *after = Some(Next::Stop),
            }
            if after.is_none() && rows.len() < GROUP_ROWS && bytes < GROUP_BYTES {
                message = messages.try_recv().ok();
            }
        }
        match after.take() {
            Some(next) if rows.is_empty() => next,
            next => {
                *after = next;
                Next::Rows(rows)
            }
        }
    }

    fn commit(&mut self, rows: Vec<Append>, waiters: &mut Vec<Waiter>) -> rusqlite::Result<()> {
        let bytes = self.write(&rows).inspect_err(|error| {
            // Before those who wait for these rows are let go, so that they hear why.
            self.shared.gate.fail(error.to_string());
        })?;
        let mut power = Vec::new();
        for row in rows {
            let waiter = Waiter {
                ack: row.ack,
                _place: row.place,
            };
            match row.level {
                Level::Process => waiters.push(waiter),
                Level::Power => power.push(waiter),
            }
        }
        Shared::set(&self.shared.committed, self.head);
        self.shared.gate.acknowledge(waiters);
        self.syncer.committed(&self.shared, power);
        self.keeper.wake();
        self.pages += bytes / PAGE + 2;
        Ok(())
    }

    /// One transaction. What it leaves in `self` counts only where it succeeds, for the
    /// first error is the last thing that happens here.
    fn write(&mut self, rows: &[Append]) -> rusqlite::Result<usize> {
        self.at_us = self.at_us.max(time::now_us());
        let mut bytes = 0;
        self.connection.prepare_cached("BEGIN IMMEDIATE")?.raw_execute()?;
        for row in rows {
            bytes += self.insert(row)?;
        }
        if self.head.seq - self.saved_open_at >= SAVE_OPEN_ROWS {
            save_open(&self.connection, self.head.seq, &self.open)?;
            self.saved_open_at = self.head.seq;
        }
        self.connection.prepare_cached("COMMIT")?.raw_execute()?;
        Ok(bytes)
    }

    fn insert(&mut self, row: &Append) -> rusqlite::Result<usize> {
        let seq = self.head.seq + 1;
        let (kind, intent, call, parent) = match &row.what {
            What::Intent { call, parent } => {
                row.seq.store(seq, Ordering::Relaxed);
                self.open.insert(seq);
                (Kind::Intent, None, Some(*call), *parent)
            }
            What::Outcome => {
                // An intent is queued before its slot exists, so it has its seq by now.
                let intent = row.seq.load(Ordering::Relaxed);
                self.open.remove(&intent);
                (Kind::Outcome, Some(intent), None, None)
            }
        };
        let kind = kind.number();
        let link = Link {
            seq,
            at_us: self.at_us,
            kind,
            intent: intent.unwrap_or(0),
            call: id_bytes(call),
            parent: id_bytes(parent),
            body: row.body.as_bytes(),
        };
        let hash = chain(&self.head.hash, &link);
        let (call, parent) = (call.map(InvocationId::to_bytes), parent.map(InvocationId::to_bytes));
        self.connection
            .prepare_cached("INSERT INTO journal VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")?
            .execute(params![
                seq.cast_signed(),
                self.at_us,
                kind,
                intent.map(u64::cast_signed),
                call,
                parent,
                row.body,
                hash
            ])?;
        self.head = Head { seq, hash };
        let mut bytes = row.body.len() + 100;
        for kept in &row.kept {
            bytes += kept.sealed.len() + PAGE;
            let insert = "INSERT INTO bodies(hash, at_us, sealed) VALUES(?1, ?2, ?3)
                          ON CONFLICT(hash) DO UPDATE SET at_us = excluded.at_us, sealed = excluded.sealed";
            self.connection
                .prepare_cached(insert)?
                .execute(params![kept.hash, self.at_us, kept.sealed])?;
        }
        Ok(bytes)
    }

    /// In small transactions, but in one go: callers wait meanwhile, so it is for quiet hours.
    fn erase(&mut self, before_us: i64) -> rusqlite::Result<u64> {
        let mut erased = 0;
        loop {
            let sql = "DELETE FROM bodies WHERE rowid IN (SELECT rowid FROM bodies WHERE at_us < ?1 LIMIT ?2)";
            let some = self.connection.prepare_cached(sql)?.execute(params![before_us, ERASE_ROWS])?;
            erased += some as u64;
            if some < ERASE_ROWS as usize {
                break;
            }
            self.checkpoint()?;
        }
        self.checkpoint()?;
        Ok(erased)
    }

    /// Moves the log into the database as far as readers allow. SQLite syncs both itself.
    fn checkpoint(&mut self) -> rusqlite::Result<()> {
        self.connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))?;
        self.pages = 0;
        Ok(())
    }

    /// The end: everything in the database, and the log as short as readers allow.
    fn empty_log(&mut self) -> rusqlite::Result<()> {
        save_open(&self.connection, self.head.seq, &self.open)?;
        self.connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))
    }
}
