//! The audit journal: two rows a call, hash-chained, in one SQLite file with one writer.
//! Refuses to acknowledge what is not recorded at its level; the first failed write or sync
//! ends it, and from then on it records and acknowledges nothing.

pub(crate) mod anchor;
mod gate;
mod keeper;
mod mirror;
mod recover;
pub(crate) mod row;
pub(crate) mod schema;
mod syncer;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::JoinHandle;

use claw_core::audit::{Body, Intent, Level, Outcome, Status};
use claw_core::errors::{Code, Fault};
use claw_core::ids::InvocationId;
use claw_core::ports::{AuditLog, Begun, OutcomeSlot, Recorded};
use futures::FutureExt as _;
use serde::Serialize;
use tokio::sync::oneshot;

use crate::error::StoreError;
use crate::key::{Hasher, HomeKey, Sealer};
use gate::{Gate, Place, Room};
pub(crate) use recover::hash_at;
use row::{BodyNote, Head, IntentBody, OutcomeBody};
use syncer::SyncFile;
use writer::{Append, Kept, Message, What, Writer};

/// Larger bodies are hashed and not kept.
const MAX_KEPT_BYTES: usize = 16 << 20;

/// How a journal is run.
#[derive(Clone, Debug)]
pub struct JournalOptions {
    /// The most rows that may be queued or reserved at once; a call in progress holds two.
    pub capacity: usize,
    /// The most bytes that may be queued before new calls are refused.
    pub capacity_bytes: usize,
    /// Where to mirror finished calls as JSON lines: `<home>/audit.log`.
    pub mirror: Option<PathBuf>,
}

impl Default for JournalOptions {
    fn default() -> Self {
        JournalOptions {
            capacity: 65_536,
            capacity_bytes: 64 << 20,
            mirror: None,
        }
    }
}

/// What was found at the start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// Rows that were there.
    pub rows: u64,
    /// Calls that were open, and are now closed as `interrupted`.
    pub interrupted: Vec<InvocationId>,
    /// Rows that had been there are gone, or the proof of them is. The chain says so from now on.
    pub truncated: Option<Truncated>,
}

/// The end of the journal is not where its anchor says it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Truncated {
    /// What was found, in words.
    pub why: String,
    /// The last row that the anchor vouches for, where there is an anchor.
    pub anchored_seq: Option<u64>,
    /// The last row that is there.
    pub found_seq: u64,
}

/// The audit journal. Clones share it.
#[derive(Clone)]
pub struct Journal {
    running: Arc<Running>,
}

/// What the threads of a journal and its callers share.
pub(crate) struct Shared {
    path: PathBuf,
    gate: Gate,
    room: Arc<Room>,
    /// Something was committed that no sync has been asked for.
    dirty: AtomicBool,
    /// The last row that the kernel has.
    committed: Mutex<Head>,
    /// The last row that the disk has.
    synced: Mutex<Head>,
    syncs: AtomicU64,
}

impl Shared {
    fn committed(&self) -> Head {
        *self.committed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn synced(&self) -> Head {
        *self.synced.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(place: &Mutex<Head>, head: Head) {
        *place.lock().unwrap_or_else(PoisonError::into_inner) = head;
    }
}

struct Running {
    shared: Arc<Shared>,
    bodies: Bodies,
    queue: mpsc::Sender<Message>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

/// Makes notes of bodies: their keyed hash, and where asked their encrypted bytes.
#[derive(Clone)]
struct Bodies {
    hasher: Hasher,
    sealer: Sealer,
}

impl Bodies {
    fn note(&self, body: &Body, kept: &mut Vec<Kept>) -> BodyNote {
        let hash = self.hasher.hash(&body.bytes);
        let sealed = (body.keep && body.bytes.len() <= MAX_KEPT_BYTES)
            .then(|| self.sealer.seal(&hash, &body.bytes))
            .flatten();
        let note = BodyNote::new(&hash, body.bytes.len(), sealed.is_some());
        kept.extend(sealed.map(|sealed| Kept { hash, sealed }));
        note
    }

    fn note_if_any(&self, body: &Body, kept: &mut Vec<Kept>) -> Option<BodyNote> {
        (!body.bytes.is_empty()).then(|| self.note(body, kept))
    }
}

impl Journal {
    /// Opens or makes the journal, closes what was open, and starts writing.
    ///
    /// # Errors
    /// [`StoreError::InUse`] where another process writes it, and whatever makes the file unusable.
    pub fn open(path: &Path, key: &HomeKey) -> Result<(Self, Recovered), StoreError> {
        Self::open_with(path, key, JournalOptions::default())
    }

    /// As [`Journal::open`], run in another way.
    ///
    /// # Errors
    /// As [`Journal::open`].
    pub fn open_with(path: &Path, key: &HomeKey, options: JournalOptions) -> Result<(Self, Recovered), StoreError> {
        Self::open_on(path, key, options, |_, wal| wal)
    }

    /// As [`Journal::open_with`], with a say in the connection and in how the log reaches the disk.
    fn open_on(
        path: &Path,
        key: &HomeKey,
        options: JournalOptions,
        seam: impl FnOnce(&rusqlite::Connection, Box<dyn SyncFile>) -> Box<dyn SyncFile>,
    ) -> Result<(Self, Recovered), StoreError> {
        let mut opened = recover::open(path, key)?;
        let wal = std::fs::File::open(schema::wal_path(path)).map_err(StoreError::io(path))?;
        let wal = seam(&opened.connection, Box::new(wal));
        let shared = Arc::new(Shared {
            path: path.to_owned(),
            gate: Gate::default(),
            room: Arc::new(Room::new(options.capacity, options.capacity_bytes)),
            dirty: AtomicBool::new(false),
            committed: Mutex::new(opened.head),
            synced: Mutex::new(opened.head),
            syncs: AtomicU64::new(0),
        });
        let recovered = std::mem::take(&mut opened.recovered);
        let keeper = keeper::start(&shared, key, options.mirror)?;
        let syncer = syncer::start(&shared, wal)?;
        let (queue, messages) = mpsc::channel();
        let writer = Writer::new(shared.clone(), opened, syncer, keeper).start(messages)?;
        let bodies = Bodies {
            hasher: Hasher::new(key, row::BODY_HASH),
            sealer: Sealer::new(key, row::BODY_SEAL),
        };
        let running = Running {
            shared,
            bodies,
            queue,
            writer: Mutex::new(Some(writer)),
        };
        Ok((
            Journal {
                running: Arc::new(running),
            },
            recovered,
        ))
    }

    /// Writes and syncs what is queued, empties the log into the database and ends the
    /// threads. Calls that are still open stay open, and the next start closes them as
    /// `interrupted`. Waits for the disk: not for the thread of an event loop.
    ///
    /// # Errors
    /// [`StoreError::Stopped`] where the journal had failed before or fails now.
    pub fn close(self) -> Result<(), StoreError> {
        self.running.stop();
        match self.running.shared.gate.failure() {
            Some(why) => Err(StoreError::Stopped {
                path: self.running.shared.path.clone(),
                why,
            }),
            None => Ok(()),
        }
    }

    /// Why nothing can be recorded any more, if so.
    pub fn failure(&self) -> Option<String> {
        self.running.shared.gate.failure()
    }

    /// How many rows are recorded.
    pub fn rows(&self) -> u64 {
        self.running.shared.committed().seq
    }

    /// Erases bodies that were last written before this time (Unix microseconds), and says
    /// how many. The chain holds their hashes and stays whole.
    ///
    /// # Errors
    /// [`Code::AuditUnavailable`] where the journal has stopped.
    pub fn erase_bodies(&self, before_us: i64) -> impl Future<Output = Result<u64, Fault>> + Send + 'static {
        let shared = self.running.shared.clone();
        let (done, erased) = oneshot::channel();
        let sent = self.running.queue.send(Message::Erase { before_us, done });
        async move {
            match sent {
                Ok(()) => erased.await.map_err(|_| shared.gate.fault()),
                Err(_) => Err(shared.gate.fault()),
            }
        }
    }
}

impl Running {
    fn stop(&self) {
        // Where the writer has ended already, so has the wish to stop it.
        let _ = self.queue.send(Message::Stop);
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if writer.is_some_and(|writer| writer.join().is_err()) {
            self.shared.gate.fail("its writer panicked");
        }
    }

    fn send(&self, append: Append, recorded: oneshot::Receiver<()>) -> Recorded {
        let shared = self.shared.clone();
        // A queue that is gone drops the sender of `recorded`, which answers below.
        if self.queue.send(Message::Append(append)).is_err() && !self.shared.gate.is_shut() {
            self.shared.gate.fail("its writer has ended");
        }
        async move { recorded.await.map_err(|_| shared.gate.fault()) }.boxed()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop();
    }
}

impl AuditLog for Journal {
    fn begin(&self, intent: Intent) -> Result<Begun, Fault> {
        let running = &self.running;
        if running.shared.gate.is_shut() {
            return Err(running.shared.gate.fault());
        }
        let (mut place, mut reserved) = running.shared.room.take_two().ok_or_else(full)?;
        let mut kept = Vec::new();
        let request = running.bodies.note(&intent.request, &mut kept);
        let body = serde_json::to_string(&IntentBody {
            intent: &intent,
            request,
        })
        .map_err(|_| unwritable())?;
        let seq = Arc::new(AtomicU64::new(0));
        place.weigh(&body, &kept);
        reserved.weigh("", &[]);
        let (ack, recorded) = oneshot::channel();
        let what = What::Intent {
            call: intent.id,
            parent: intent.parent,
        };
        let append = Append {
            what,
            level: intent.level,
            seq: seq.clone(),
            body,
            kept,
            place,
            ack,
        };
        let recorded = running.send(append, recorded);
        let slot = Slot {
            running: running.clone(),
            seq,
            place: Some(reserved),
        };
        Ok(Begun {
            recorded,
            slot: Box::new(slot),
        })
    }
}

/// The reserved place of an outcome. Dropped, it records `abandoned`.
struct Slot {
    running: Arc<Running>,
    seq: Arc<AtomicU64>,
    place: Option<Place>,
}

impl Slot {
    fn append(&mut self, outcome: &Outcome) -> Option<Recorded> {
        let mut place = self.place.take()?;
        let mut kept = Vec::new();
        let bodies = &self.running.bodies;
        let response = bodies.note_if_any(&outcome.response, &mut kept);
        let journal = bodies.note_if_any(&outcome.journal, &mut kept);
        let body = serde_json::to_string(&OutcomeBody {
            outcome,
            response,
            journal,
        })
        .ok()?;
        place.weigh(&body, &kept);
        let (ack, recorded) = oneshot::channel();
        let append = Append {
            what: What::Outcome,
            level: Level::Process,
            seq: self.seq.clone(),
            body,
            kept,
            place,
            ack,
        };
        Some(self.running.send(append, recorded))
    }
}

impl OutcomeSlot for Slot {
    fn finish(mut self: Box<Self>, outcome: Outcome) -> Recorded {
        self.append(&outcome).unwrap_or_else(|| async { Err(unwritable()) }.boxed())
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        drop(self.append(&Outcome::of(Status::Abandoned)));
    }
}

fn full() -> Fault {
    Fault::new(Code::Overloaded, "the audit journal has no room for another call")
        .hint("too many calls are open at once, or the disk of the home is too slow for them")
        .retry_after_ms(100)
}

fn unwritable() -> Fault {
    Fault::new(Code::AuditUnavailable, "this call cannot be written as an audit row")
}

#[cfg(test)]
mod tests;
