//! The thread behind the store: it alone has the database and knows which keys are held. It
//! takes what is queued, commits it as one transaction, and only then answers.

use std::collections::HashMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender};
use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags, OptionalExtension as _, params};
use tokio::sync::oneshot;

use super::IdempotencyLimits;
use crate::error::StoreError;
use crate::journal::schema;
use crate::{private_file, time};

const APPLICATION: i64 = 0x636c_6b79;
const FORMAT: i64 = 1;
const GROUP: usize = 64;
/// Forgetting reads every key, so it is not done for each claim of a full store.
const FORGET_EVERY: Duration = Duration::from_secs(60);

const TABLES: &str = "
CREATE TABLE keys(
  id BLOB PRIMARY KEY,
  caller BLOB NOT NULL,
  request BLOB NOT NULL,
  claimed_at_us INTEGER NOT NULL,
  answer_bytes INTEGER,
  answer BLOB
) STRICT;
";

pub(super) type Id = [u8; 32];

/// A claim, in keyed hashes.
#[derive(Clone, Copy)]
pub(super) struct Slip {
    pub(super) id: Id,
    pub(super) caller: Id,
    pub(super) request: Id,
}

/// What is known of a key.
pub(super) enum Known {
    /// Nothing; it is held now.
    Fresh(Held),
    /// An answer, encrypted.
    Answered(Vec<u8>),
    /// It was answered, at this length, which was too long to keep.
    TooLarge(u64),
    /// It was used with another request.
    OtherRequest,
    /// It was claimed, and nobody knows how that ended.
    Interrupted,
    /// It is held; this resolves when it is not any more.
    Running(oneshot::Receiver<()>),
    /// Nothing, and there is no room for it.
    NoRoom,
}

pub(super) enum Command {
    Claim {
        slip: Slip,
        reply: oneshot::Sender<Known>,
    },
    Store {
        id: Id,
        answer: Option<Vec<u8>>,
        bytes: u64,
        reply: oneshot::Sender<()>,
    },
    Release {
        id: Id,
        reply: Option<oneshot::Sender<()>>,
    },
    Abandon {
        id: Id,
    },
    Stop,
}

/// A key that is held. Before it is handed over nothing can have been done under it, so
/// dropping it frees the key; after that, dropping it leaves the key used.
pub(super) struct Held {
    id: Id,
    commands: Option<Sender<Command>>,
    handed_over: bool,
}

/// The desk is gone.
pub(super) struct Gone;

impl Held {
    pub(super) fn id(&self) -> Id {
        self.id
    }

    pub(super) fn handed_over(&mut self) {
        self.handed_over = true;
    }

    pub(super) fn store(mut self, answer: Option<Vec<u8>>, bytes: u64, reply: oneshot::Sender<()>) -> Result<(), Gone> {
        let commands = self.commands.take().ok_or(Gone)?;
        commands
            .send(Command::Store {
                id: self.id,
                answer,
                bytes,
                reply,
            })
            .map_err(|_| Gone)
    }

    pub(super) fn release(mut self, reply: oneshot::Sender<()>) -> Result<(), Gone> {
        let commands = self.commands.take().ok_or(Gone)?;
        commands
            .send(Command::Release {
                id: self.id,
                reply: Some(reply),
            })
            .map_err(|_| Gone)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(commands) = self.commands.take() {
            let id = self.id;
            let command = if self.handed_over {
                Command::Abandon { id }
            } else {
                Command::Release { id, reply: None }
            };
            // A desk that is gone leaves the key as it is on the disk: used.
            let _ = commands.send(command);
        }
    }
}

pub(super) struct Desk {
    path: PathBuf,
    connection: Connection,
    _lock: File,
    limits: IdempotencyLimits,
    commands: Sender<Command>,
    /// The keys that calls of this process hold, and who waits for their end.
    held: HashMap<Id, Vec<oneshot::Sender<()>>>,
    callers: HashMap<Id, usize>,
    keys: usize,
    forgot: Instant,
}

/// What is answered once the transaction is on the disk.
enum Due {
    Known(oneshot::Sender<Known>, Known),
    Done(oneshot::Sender<()>),
}

impl Desk {
    pub(super) fn open(path: &Path, limits: IdempotencyLimits, commands: Sender<Command>) -> Result<Self, StoreError> {
        let lock = private_file::lock(path)?;
        let sqlite = StoreError::sqlite(path);
        private_file::ensure(path).map_err(StoreError::io(path))?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags).map_err(&sqlite)?;
        let fresh = schema::check_format(&connection, path, APPLICATION, FORMAT)?;
        let pragmas =
            "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA secure_delete=ON; PRAGMA journal_size_limit=16777216;";
        connection.execute_batch(pragmas).map_err(&sqlite)?;
        if fresh {
            let make =
                format!("BEGIN IMMEDIATE; {TABLES} PRAGMA application_id={APPLICATION}; PRAGMA user_version={FORMAT}; COMMIT;");
            connection.execute_batch(&make).map_err(&sqlite)?;
        }
        let mut desk = Desk {
            path: path.to_owned(),
            connection,
            _lock: lock,
            limits,
            commands,
            held: HashMap::new(),
            callers: HashMap::new(),
            keys: 0,
            forgot: Instant::now(),
        };
        desk.forget().map_err(&sqlite)?;
        Ok(desk)
    }

    /// Until it is told to stop, or the first error: what a failed sync left on the disk is
    /// not known, so nothing is answered after one.
    pub(super) fn run(mut self, commands: &Receiver<Command>) {
        let mut running = true;
        while running {
            let Ok(first) = commands.recv() else { return };
            let group: Vec<Command> = std::iter::once(first).chain(commands.try_iter().take(GROUP)).collect();
            running = !group.iter().any(|command| matches!(command, Command::Stop));
            match self.handle(group) {
                Ok(due) => due.into_iter().for_each(Due::answer),
                Err(error) => {
                    let path = self.path.display();
                    tracing::error!(%error, %path, "the store of idempotency keys has stopped: calls with a key are refused");
                    return;
                }
            }
        }
    }

    fn handle(&mut self, group: Vec<Command>) -> rusqlite::Result<Vec<Due>> {
        let mut due = Vec::with_capacity(group.len());
        self.connection.prepare_cached("BEGIN IMMEDIATE")?.raw_execute()?;
        for command in group {
            match command {
                Command::Claim { slip, reply } => due.push(Due::Known(reply, self.claim(slip)?)),
                Command::Store {
                    id,
                    answer,
                    bytes,
                    reply,
                } => {
                    let sql = "UPDATE keys SET answer_bytes = ?2, answer = ?3 WHERE id = ?1";
                    self.connection
                        .prepare_cached(sql)?
                        .execute(params![id, bytes.cast_signed(), answer])?;
                    due.push(Due::Done(reply));
                    due.extend(self.let_go(&id));
                }
                Command::Release { id, reply } => {
                    self.delete(&id)?;
                    due.extend(reply.map(Due::Done));
                    due.extend(self.let_go(&id));
                }
                Command::Abandon { id } => due.extend(self.let_go(&id)),
                Command::Stop => {}
            }
        }
        self.connection.prepare_cached("COMMIT")?.raw_execute()?;
        Ok(due)
    }

    fn claim(&mut self, slip: Slip) -> rusqlite::Result<Known> {
        type Found = (Id, i64, Option<i64>, Option<Vec<u8>>);
        let sql = "SELECT request, claimed_at_us, answer_bytes, answer FROM keys WHERE id = ?1";
        let found: Option<Found> = self
            .connection
            .prepare_cached(sql)?
            .query_row([slip.id], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))
            .optional()?;
        let Some((request, claimed_at_us, bytes, answer)) = found else {
            return self.insert(slip);
        };
        let held = self.held.get_mut(&slip.id);
        if held.is_none() && claimed_at_us <= self.limits.oldest_us() {
            self.delete(&slip.id)?;
            return self.insert(slip);
        }
        Ok(match (request == slip.request, answer, bytes, held) {
            (false, ..) => Known::OtherRequest,
            (true, Some(answer), ..) => Known::Answered(answer),
            (true, None, Some(bytes), _) => Known::TooLarge(bytes.cast_unsigned()),
            (true, None, None, None) => Known::Interrupted,
            (true, None, None, Some(waiters)) => {
                let (ended, end) = oneshot::channel();
                waiters.retain(|waiter| !waiter.is_closed());
                waiters.push(ended);
                Known::Running(end)
            }
        })
    }

    fn insert(&mut self, slip: Slip) -> rusqlite::Result<Known> {
        if self.is_full(&slip.caller) && self.forgot.elapsed() >= FORGET_EVERY {
            self.forget()?;
        }
        if self.is_full(&slip.caller) {
            return Ok(Known::NoRoom);
        }
        let sql = "INSERT INTO keys(id, caller, request, claimed_at_us) VALUES(?1, ?2, ?3, ?4)";
        self.connection
            .prepare_cached(sql)?
            .execute(params![slip.id, slip.caller, slip.request, time::now_us()])?;
        self.keys += 1;
        *self.callers.entry(slip.caller).or_default() += 1;
        self.held.insert(slip.id, Vec::new());
        Ok(Known::Fresh(Held {
            id: slip.id,
            commands: Some(self.commands.clone()),
            handed_over: false,
        }))
    }

    fn is_full(&self, caller: &Id) -> bool {
        let of_caller = self.callers.get(caller).copied().unwrap_or(0);
        self.keys >= self.limits.max_keys || of_caller >= self.limits.max_keys_per_caller
    }

    fn delete(&mut self, id: &Id) -> rusqlite::Result<()> {
        let caller: Option<Id> = self
            .connection
            .prepare_cached("DELETE FROM keys WHERE id = ?1 RETURNING caller")?
            .query_row([id], |row| row.get(0))
            .optional()?;
        if let Some(caller) = caller {
            self.keys = self.keys.saturating_sub(1);
            if let Some(count) = self.callers.get_mut(&caller) {
                *count = count.saturating_sub(1);
            }
        }
        Ok(())
    }

    /// Forgets what is older than it is kept, but for keys that are held, and counts the rest.
    fn forget(&mut self) -> rusqlite::Result<()> {
        self.forgot = Instant::now();
        let old: Vec<Id> = {
            let mut old = self.connection.prepare("SELECT id FROM keys WHERE claimed_at_us <= ?1")?;
            old.query_map([self.limits.oldest_us()], |row| row.get(0))?
                .collect::<Result<_, _>>()?
        };
        for id in old.iter().filter(|id| !self.held.contains_key(*id)) {
            self.connection
                .prepare_cached("DELETE FROM keys WHERE id = ?1")?
                .execute([id])?;
        }
        let mut counts = self.connection.prepare("SELECT caller, count(*) FROM keys GROUP BY caller")?;
        let counts = counts.query_map([], |row| Ok((row.get::<_, Id>(0)?, row.get::<_, i64>(1)?)))?;
        self.callers.clear();
        self.keys = 0;
        for count in counts {
            let (caller, count) = count?;
            let count = usize::try_from(count).unwrap_or(usize::MAX);
            self.callers.insert(caller, count);
            self.keys = self.keys.saturating_add(count);
        }
        Ok(())
    }

    fn let_go(&mut self, id: &Id) -> impl Iterator<Item = Due> + use<> {
        self.held.remove(id).unwrap_or_default().into_iter().map(Due::Done)
    }
}

impl Due {
    /// Whoever asked may have gone; a key that was claimed for them frees itself.
    fn answer(self) {
        match self {
            Due::Known(reply, known) => drop(reply.send(known)),
            Due::Done(reply) => drop(reply.send(())),
        }
    }
}

impl IdempotencyLimits {
    fn oldest_us(&self) -> i64 {
        time::now_us().saturating_sub(i64::try_from(self.keep.as_micros()).unwrap_or(i64::MAX))
    }
}
