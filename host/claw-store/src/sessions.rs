//! The turns of conversations that the gateway keeps for its callers, sealed with the home's
//! key. Bounded in turns, bytes and time; what is older is forgotten.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use claw_core::context::Turn;
use claw_core::errors::{Code, Fault};
use rusqlite::{Connection, OpenFlags, params};

use crate::error::StoreError;
use crate::journal::schema::check_format;
use crate::key::{Hasher, HomeKey, Sealer};
use crate::private_file;

/// `clsn`, as SQLite's application id.
const APPLICATION: i64 = 0x636c_736e;
const FORMAT: i64 = 1;
const TABLES: &str = "
CREATE TABLE turns(
  id INTEGER PRIMARY KEY,
  session BLOB NOT NULL,
  at_s INTEGER NOT NULL,
  sealed BLOB NOT NULL
) STRICT;
CREATE INDEX turns_session ON turns(session, id);
CREATE INDEX turns_at ON turns(at_s);
";

/// How much is kept of each session, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionLimits {
    /// The last turns.
    pub max_turns: u32,
    /// A longer turn is kept without its end, in bytes.
    pub max_turn_bytes: usize,
    /// A turn is forgotten after this time.
    pub keep: Duration,
}

impl Default for SessionLimits {
    fn default() -> Self {
        SessionLimits {
            max_turns: 200,
            max_turn_bytes: 256 << 10,
            keep: Duration::from_secs(30 * 24 * 60 * 60),
        }
    }
}

/// The store. Clones share it. Its methods wait for the disk on a thread for that.
#[derive(Clone)]
pub struct Sessions {
    inner: Arc<Inner>,
}

struct Inner {
    path: PathBuf,
    connection: Mutex<Connection>,
    names: Hasher,
    sealer: Sealer,
}

impl Sessions {
    /// Opens or makes the store.
    ///
    /// # Errors
    /// Whatever makes the file unusable.
    pub fn open(path: &Path, key: &HomeKey) -> Result<Self, StoreError> {
        let sqlite = StoreError::sqlite(path);
        private_file::ensure(path).map_err(StoreError::io(path))?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags).map_err(&sqlite)?;
        connection.busy_timeout(Duration::from_secs(5)).map_err(&sqlite)?;
        let fresh = check_format(&connection, path, APPLICATION, FORMAT)?;
        connection
            .execute_batch("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA secure_delete=ON;")
            .map_err(&sqlite)?;
        if fresh {
            let make =
                format!("BEGIN IMMEDIATE; {TABLES} PRAGMA application_id={APPLICATION}; PRAGMA user_version={FORMAT}; COMMIT;");
            connection.execute_batch(&make).map_err(&sqlite)?;
        }
        Ok(Sessions {
            inner: Arc::new(Inner {
                path: path.to_owned(),
                connection: Mutex::new(connection),
                names: Hasher::new(key, "session name v1"),
                sealer: Sealer::new(key, "session turn v1"),
            }),
        })
    }

    /// What a caller's session holds, oldest first; nothing where there is none.
    ///
    /// # Errors
    /// [`Code::ContextUnavailable`].
    pub async fn turns(&self, caller: &str, session: &str, limits: SessionLimits) -> Result<Vec<Turn>, Fault> {
        let id = self.inner.id(caller, session);
        self.work(move |inner| inner.read(&id, limits, now_s())).await
    }

    /// Adds to a caller's session, and forgets what is beyond the limits.
    ///
    /// # Errors
    /// [`Code::ContextUnavailable`].
    pub async fn remember(&self, caller: &str, session: &str, turns: Vec<Turn>, limits: SessionLimits) -> Result<(), Fault> {
        let id = self.inner.id(caller, session);
        self.work(move |inner| inner.add(&id, turns, limits, now_s())).await
    }

    async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Inner) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, Fault> {
        let inner = self.inner.clone();
        let done = tokio::task::spawn_blocking(move || work(&inner)).await;
        match done {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => {
                tracing::error!(%error, "sessions cannot be read or kept");
                Err(unavailable())
            }
            Err(_) => Err(unavailable()),
        }
    }
}

impl Inner {
    fn id(&self, caller: &str, session: &str) -> [u8; 32] {
        self.names.hash_all(&[caller.as_bytes(), session.as_bytes()])
    }

    fn read(&self, id: &[u8; 32], limits: SessionLimits, now_s: i64) -> Result<Vec<Turn>, StoreError> {
        let sqlite = StoreError::sqlite(&self.path);
        let connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        let sql = "SELECT sealed FROM turns WHERE session = ?1 AND at_s > ?2 ORDER BY id DESC LIMIT ?3";
        let mut statement = connection.prepare_cached(sql).map_err(&sqlite)?;
        let rows = statement.query_map(params![id, oldest(limits, now_s), limits.max_turns], |row| {
            row.get::<_, Vec<u8>>(0)
        });
        let mut turns = Vec::new();
        for sealed in rows.map_err(&sqlite)? {
            let opened = self.sealer.open(id, &sealed.map_err(&sqlite)?);
            // Sealed under a key that is no more: as if it had been forgotten.
            turns.extend(opened.and_then(|bytes| serde_json::from_slice::<Turn>(&bytes).ok()));
        }
        turns.reverse();
        Ok(turns)
    }

    fn add(&self, id: &[u8; 32], turns: Vec<Turn>, limits: SessionLimits, now_s: i64) -> Result<(), StoreError> {
        let sqlite = StoreError::sqlite(&self.path);
        let mut connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        let transaction = connection.transaction().map_err(&sqlite)?;
        for mut turn in turns {
            shorten(&mut turn.text, limits.max_turn_bytes);
            let bytes = serde_json::to_vec(&turn).unwrap_or_default();
            let Some(sealed) = self.sealer.seal(id, &bytes) else {
                continue;
            };
            transaction
                .prepare_cached("INSERT INTO turns(session, at_s, sealed) VALUES (?1, ?2, ?3)")
                .and_then(|mut insert| insert.execute(params![id, now_s, sealed]))
                .map_err(&sqlite)?;
        }
        let beyond = "DELETE FROM turns WHERE session = ?1 AND id NOT IN
                      (SELECT id FROM turns WHERE session = ?1 ORDER BY id DESC LIMIT ?2)";
        transaction.execute(beyond, params![id, limits.max_turns]).map_err(&sqlite)?;
        transaction
            .execute("DELETE FROM turns WHERE at_s <= ?1", params![oldest(limits, now_s)])
            .map_err(&sqlite)?;
        transaction.commit().map_err(&sqlite)
    }
}

fn oldest(limits: SessionLimits, now_s: i64) -> i64 {
    now_s.saturating_sub(i64::try_from(limits.keep.as_secs()).unwrap_or(i64::MAX))
}

fn now_s() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    i64::try_from(since).unwrap_or(i64::MAX)
}

fn shorten(text: &mut String, longest: usize) {
    if text.len() > longest {
        let mut end = longest;
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
    }
}

fn unavailable() -> Fault {
    Fault::new(Code::ContextUnavailable, "sessions cannot be read or kept now").hint("the gateway's log says why")
}

#[cfg(test)]
mod tests;
