//! What waits for approval, sealed with the home's key and on the disk before its caller hears
//! of it. Of two decisions about one draft the first counts; what is over is kept for a while.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use claw_core::capability::Payload;
use claw_core::draft::{Draft, DraftId, DraftState};
use claw_core::errors::{Code, Fault};
use claw_core::ids::InvocationId;
use claw_core::ports::{Drafts, DraftsWanted, Verdict};
use rusqlite::{Connection, OpenFlags, OptionalExtension as _, params};

use crate::error::StoreError;
use crate::journal::schema::check_format;
use crate::key::{Hasher, HomeKey, Sealer};
use crate::private_file;
use crate::time;

/// `cldr`, as SQLite's application id.
const APPLICATION: i64 = 0x636c_6472;
const FORMAT: i64 = 1;
const TABLES: &str = "
CREATE TABLE drafts(
  id BLOB PRIMARY KEY,
  caller BLOB NOT NULL,
  state TEXT NOT NULL,
  expires_us INTEGER NOT NULL,
  sealed BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX drafts_state ON drafts(state, expires_us);
CREATE INDEX drafts_caller ON drafts(caller, id);
";

/// How much is kept, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DraftLimits {
    /// The most drafts that wait at once. Beyond it new ones are refused with `overloaded`.
    pub max_pending: u32,
    /// Of one caller, so that none uses up the room of all.
    pub max_pending_per_caller: u32,
    /// What is over is forgotten this long after it would have expired.
    pub keep: Duration,
}

impl Default for DraftLimits {
    fn default() -> Self {
        DraftLimits {
            max_pending: 10_000,
            max_pending_per_caller: 1_000,
            keep: Duration::from_secs(90 * 86_400),
        }
    }
}

/// The store. Clones share it. Its methods wait for the disk on a thread for that.
#[derive(Clone)]
pub struct DraftStore {
    inner: Arc<Inner>,
}

struct Inner {
    path: PathBuf,
    connection: Mutex<Connection>,
    callers: Hasher,
    sealer: Sealer,
    limits: DraftLimits,
}

/// Why something cannot be done with a draft.
enum Refused {
    Fault(Fault),
    Store(StoreError),
}

impl From<Fault> for Refused {
    fn from(fault: Fault) -> Self {
        Refused::Fault(fault)
    }
}

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Self {
        Refused::Store(error)
    }
}

impl DraftStore {
    /// Opens or makes the store. What was running when the last process ended may have had its
    /// effects, and is said to be interrupted.
    ///
    /// # Errors
    /// Whatever makes the file unusable.
    pub fn open(path: &Path, key: &HomeKey) -> Result<Self, StoreError> {
        Self::open_with(path, key, DraftLimits::default())
    }

    /// As [`DraftStore::open`], with other limits.
    ///
    /// # Errors
    /// As [`DraftStore::open`].
    pub fn open_with(path: &Path, key: &HomeKey, limits: DraftLimits) -> Result<Self, StoreError> {
        let sqlite = StoreError::sqlite(path);
        private_file::ensure(path).map_err(StoreError::io(path))?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags).map_err(&sqlite)?;
        connection.busy_timeout(Duration::from_secs(5)).map_err(&sqlite)?;
        let fresh = check_format(&connection, path, APPLICATION, FORMAT)?;
        connection
            .execute_batch("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA secure_delete=ON;")
            .map_err(&sqlite)?;
        if fresh {
            let make =
                format!("BEGIN IMMEDIATE; {TABLES} PRAGMA application_id={APPLICATION}; PRAGMA user_version={FORMAT}; COMMIT;");
            connection.execute_batch(&make).map_err(&sqlite)?;
        }
        let inner = Inner {
            path: path.to_owned(),
            connection: Mutex::new(connection),
            callers: Hasher::new(key, "draft caller v1"),
            sealer: Sealer::new(key, "draft v1"),
            limits,
        };
        inner.interrupt()?;
        Ok(DraftStore { inner: Arc::new(inner) })
    }

    async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Inner, &Connection) -> Result<T, Refused> + Send + 'static,
    ) -> Result<T, Fault> {
        let inner = self.inner.clone();
        let done = tokio::task::spawn_blocking(move || {
            let connection = inner.connection.lock().unwrap_or_else(PoisonError::into_inner);
            work(&inner, &connection)
        });
        match done.await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(Refused::Fault(fault))) => Err(fault),
            Ok(Err(Refused::Store(error))) => {
                tracing::error!(%error, "drafts cannot be read or kept");
                Err(unavailable())
            }
            Err(_) => Err(unavailable()),
        }
    }
}

impl Inner {
    fn sqlite(&self) -> impl Fn(rusqlite::Error) -> StoreError {
        StoreError::sqlite(&self.path)
    }

    fn interrupt(&self) -> Result<(), StoreError> {
        let connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        for mut draft in self.read(&connection, "WHERE state = 'running'", params![])? {
            draft.state = DraftState::Interrupted;
            self.write(&connection, &draft)?;
        }
        Ok(())
    }

    /// What can be read. Sealed under a key that is no more: as if it had been forgotten.
    fn read(&self, connection: &Connection, which: &str, with: &[&dyn rusqlite::ToSql]) -> Result<Vec<Draft>, StoreError> {
        let sqlite = self.sqlite();
        let sql = format!("SELECT id, sealed FROM drafts {which}");
        let mut statement = connection.prepare_cached(&sql).map_err(&sqlite)?;
        let rows = statement.query_map(with, |row| Ok((row.get::<_, [u8; 16]>(0)?, row.get::<_, Vec<u8>>(1)?)));
        let mut drafts = Vec::new();
        for row in rows.map_err(&sqlite)? {
            let (id, sealed) = row.map_err(&sqlite)?;
            let opened = self.sealer.open(&id, &sealed);
            drafts.extend(opened.and_then(|bytes| serde_json::from_slice::<Draft>(&bytes).ok()));
        }
        Ok(drafts)
    }

    fn one(&self, connection: &Connection, id: DraftId) -> Result<Draft, Refused> {
        let key = id.invocation().to_bytes();
        let found = self.read(connection, "WHERE id = ?1", params![key])?.pop();
        found.ok_or_else(|| Refused::Fault(no_such(id)))
    }

    fn write(&self, connection: &Connection, draft: &Draft) -> Result<(), StoreError> {
        let id = draft.id.invocation().to_bytes();
        let bytes = serde_json::to_vec(draft).unwrap_or_default();
        let sealed = self.sealer.seal(&id, &bytes).unwrap_or_default();
        let caller = self.callers.hash_all(&[draft.caller.as_bytes()]);
        let sql = "INSERT INTO drafts(id, caller, state, expires_us, sealed) VALUES (?1, ?2, ?3, ?4, ?5)
                   ON CONFLICT(id) DO UPDATE SET state = excluded.state, sealed = excluded.sealed";
        connection
            .prepare_cached(sql)
            .and_then(|mut insert| insert.execute(params![id, caller, draft.state.as_str(), draft.expires_us, sealed]))
            .map(drop)
            .map_err(self.sqlite())
    }

    fn count(&self, connection: &Connection, caller: Option<[u8; 32]>) -> Result<u32, StoreError> {
        let sql = "SELECT count(*) FROM drafts WHERE state = 'pending' AND expires_us > ?1 AND (?2 IS NULL OR caller = ?2)";
        let with = params![time::now_us(), caller];
        let counted = connection.query_row(sql, with, |row| row.get(0)).optional();
        Ok(counted.map_err(self.sqlite())?.unwrap_or_default())
    }

    fn hold(&self, connection: &Connection, draft: &Draft) -> Result<(), Refused> {
        let keep_us = i64::try_from(self.limits.keep.as_micros()).unwrap_or(i64::MAX);
        let oldest = time::now_us().saturating_sub(keep_us);
        connection
            .execute("DELETE FROM drafts WHERE expires_us < ?1", params![oldest])
            .map_err(self.sqlite())?;
        let caller = self.callers.hash_all(&[draft.caller.as_bytes()]);
        if self.count(connection, None)? >= self.limits.max_pending {
            return Err(full("too many drafts wait already").into());
        }
        if self.count(connection, Some(caller))? >= self.limits.max_pending_per_caller {
            return Err(full("too many drafts of this caller wait already").into());
        }
        Ok(self.write(connection, draft)?)
    }

    fn list(&self, connection: &Connection, wanted: &DraftsWanted) -> Result<Vec<Draft>, StoreError> {
        let caller = wanted
            .caller
            .as_ref()
            .map(|caller| self.callers.hash_all(&[caller.as_bytes()]));
        // Nothing is written when a draft expires.
        let (state, expired) = match wanted.state {
            Some(DraftState::Expired) => (Some(DraftState::Pending.as_str()), Some(true)),
            Some(DraftState::Pending) => (Some(DraftState::Pending.as_str()), Some(false)),
            Some(state) => (Some(state.as_str()), None),
            None => (None, None),
        };
        let which = "WHERE (?1 IS NULL OR caller = ?1) AND (?2 IS NULL OR state = ?2)
                     AND (?3 IS NULL OR (expires_us <= ?4) = ?3) ORDER BY id DESC LIMIT ?5";
        let most = i64::try_from(wanted.most).unwrap_or(i64::MAX);
        self.read(connection, which, params![caller, state, expired, time::now_us(), most])
    }
}

/// As it stands now.
fn seen(mut draft: Draft) -> Draft {
    draft.state = draft.state_at(time::now_us());
    draft
}

#[async_trait]
impl Drafts for DraftStore {
    async fn hold(&self, draft: Draft) -> Result<(), Fault> {
        self.work(move |inner, connection| inner.hold(connection, &draft)).await
    }

    async fn get(&self, id: DraftId) -> Result<Draft, Fault> {
        self.work(move |inner, connection| inner.one(connection, id).map(seen)).await
    }

    async fn list(&self, wanted: DraftsWanted) -> Result<Vec<Draft>, Fault> {
        let drafts = self
            .work(move |inner, connection| Ok(inner.list(connection, &wanted)?))
            .await?;
        Ok(drafts.into_iter().map(seen).collect())
    }

    async fn decide(&self, id: DraftId, verdict: Verdict) -> Result<Draft, Fault> {
        // One connection behind one lock: nobody decides between the look and the word.
        self.work(move |inner, connection| {
            let mut draft = inner.one(connection, id)?;
            draft.check_open(None, verdict.at_us)?;
            draft.decided(&verdict);
            inner.write(connection, &draft)?;
            Ok(draft)
        })
        .await
    }

    async fn finish(&self, id: DraftId, ran: InvocationId, result: &Result<Payload, Fault>) -> Result<Draft, Fault> {
        let result = result.clone();
        self.work(move |inner, connection| {
            let mut draft = inner.one(connection, id)?;
            draft.finished(ran, &result);
            inner.write(connection, &draft)?;
            Ok(draft)
        })
        .await
    }
}

fn no_such(id: DraftId) -> Fault {
    Fault::new(Code::NotFound, format!("no draft `{id}`")).hint("`claw draft list --all` shows those that there are")
}

fn full(message: &str) -> Fault {
    Fault::new(Code::Overloaded, message)
        .hint("approve or reject some: `claw draft list`")
        .retry_after_ms(60_000)
}

fn unavailable() -> Fault {
    Fault::new(
        Code::PolicyUnavailable,
        "drafts cannot be read or kept now, so nothing that acts is done",
    )
    .hint("the gateway's log says why")
}

#[cfg(test)]
mod tests;
