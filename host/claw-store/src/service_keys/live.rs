//! The keys as a running gateway knows them: looked up in memory, and read again when another
//! process changed them. Refuses every service's key while they cannot be read.

mod uses;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use claw_core::ports::{Caller, Identity};
use rusqlite::Connection;
use subtle::ConstantTimeEq as _;

use super::{record, secret, table};
use crate::error::StoreError;
use crate::time;
use uses::{FLUSH_EVERY, Flusher};

/// Between two looks whether anything changed, at most one of which is made for a request.
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// A look is made for a request, which does not wait long for another process.
const BUSY: Duration = Duration::from_millis(200);

/// Who stands behind a service's key. A key that is on the disk works at the next request; one
/// that was ended there works no more at the latest 10 ms after it.
pub struct ServiceKeys {
    shared: Arc<ArcSwap<Snapshot>>,
    desk: Mutex<Desk>,
    started: Instant,
    /// When the last look began, in microseconds after `started`, and one more.
    looked_us: AtomicU64,
    _flusher: Flusher,
}

/// The secrets that work, unless their time is over.
#[derive(Default)]
struct Snapshot {
    /// By the first half of their hashes: whoever presents a guess cannot choose it.
    secrets: HashMap<u128, Known>,
    /// When each key was used since that was last written down; nought: not at all.
    uses: HashMap<String, Arc<AtomicI64>>,
}

struct Known {
    hash: [u8; 32],
    until_us: i64,
    caller: Caller,
    used_at_us: Arc<AtomicI64>,
}

/// Where the keys are read.
struct Desk {
    path: PathBuf,
    connection: Connection,
    file: Option<(u64, u64)>,
    /// SQLite's count of other connections' commits, at the last reading; absent after a failure.
    version: Option<i64>,
}

impl ServiceKeys {
    /// Opens or makes the store, and reads it.
    ///
    /// # Errors
    /// Whatever makes the file unusable.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        Self::open_with(path, FLUSH_EVERY)
    }

    fn open_with(path: &Path, flush_every: Duration) -> Result<Self, StoreError> {
        let mut desk = Desk {
            path: path.to_owned(),
            connection: table::open(path)?,
            file: file_of(path),
            version: None,
        };
        desk.connection.busy_timeout(BUSY).map_err(StoreError::sqlite(path))?;
        let version = desk.changes()?;
        let snapshot = desk.read(&HashMap::new())?;
        desk.version = Some(version);
        let shared = Arc::new(ArcSwap::from_pointee(snapshot));
        let flusher = Flusher::start(path, shared.clone(), flush_every)?;
        Ok(ServiceKeys {
            shared,
            desk: Mutex::new(desk),
            started: Instant::now(),
            looked_us: AtomicU64::new(0),
            _flusher: flusher,
        })
    }

    /// Reads the keys again where another process changed them. One thread looks now and then;
    /// the others go on with what is known.
    fn look(&self) {
        let looked_us = self.looked_us.load(Ordering::Acquire);
        if looked_us != 0 && self.now_us().saturating_sub(looked_us) < LOOK_EVERY.as_micros() as u64 {
            return;
        }
        match self.desk.try_lock() {
            Ok(desk) => self.look_at(desk),
            Err(TryLockError::Poisoned(desk)) => self.look_at(desk.into_inner()),
            Err(TryLockError::WouldBlock) => {}
        }
    }

    /// The same at once, after whoever looks: what is not known may be new.
    fn look_now(&self) {
        self.look_at(self.desk.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn now_us(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    fn look_at(&self, mut desk: MutexGuard<'_, Desk>) {
        let now_us = self.now_us();
        let before = desk.version;
        match desk.changed(&self.shared.load().uses) {
            Ok(None) => {}
            Ok(Some(snapshot)) => {
                if before.is_none() {
                    tracing::info!(path = %desk.path.display(), "the keys of services can be read again");
                }
                self.shared.store(Arc::new(snapshot));
            }
            Err(error) => {
                if before.is_some() {
                    tracing::error!(%error, "the keys of services cannot be read, and are all refused until they can");
                }
                desk.version = None;
                let uses = self.shared.load().uses.clone();
                let secrets = HashMap::new();
                self.shared.store(Arc::new(Snapshot { secrets, uses }));
            }
        }
        self.looked_us.store(now_us.max(1), Ordering::Release);
    }
}

impl Identity for ServiceKeys {
    fn authenticate(&self, presented: &str) -> Option<Caller> {
        self.authenticate_at(presented, time::now_us())
    }
}

impl ServiceKeys {
    fn authenticate_at(&self, presented: &str, now_us: i64) -> Option<Caller> {
        let hash = secret::hash_of(presented)?;
        self.look();
        self.find(&hash, now_us).or_else(|| {
            self.look_now();
            self.find(&hash, now_us)
        })
    }

    fn find(&self, hash: &[u8; 32], now_us: i64) -> Option<Caller> {
        let snapshot = self.shared.load();
        let known = snapshot.secrets.get(&half(hash))?;
        if !bool::from(known.hash.ct_eq(hash)) {
            return None;
        }
        if known.until_us <= now_us {
            return None;
        }
        known.used_at_us.store(now_us, Ordering::Relaxed);
        Some(known.caller.clone())
    }
}

impl Desk {
    /// What is there now, if it is not what was read before.
    fn changed(&mut self, uses: &HashMap<String, Arc<AtomicI64>>) -> Result<Option<Snapshot>, StoreError> {
        // SQLite would mix the log of one file with another: such a file is not read.
        if file_of(&self.path) != self.file {
            return Err(StoreError::Replaced { path: self.path.clone() });
        }
        let version = self.changes()?;
        if self.version == Some(version) {
            return Ok(None);
        }
        let snapshot = self.read(uses)?;
        self.version = Some(version);
        Ok(Some(snapshot))
    }

    fn changes(&self) -> Result<i64, StoreError> {
        self.connection
            .prepare_cached("PRAGMA data_version")
            .and_then(|mut pragma| pragma.query_row([], |row| row.get(0)))
            .map_err(StoreError::sqlite(&self.path))
    }

    fn read(&self, uses: &HashMap<String, Arc<AtomicI64>>) -> Result<Snapshot, StoreError> {
        type Found = (String, String, [u8; 32], Option<i64>);
        let sql = "SELECT k.id, k.scope, s.hash, s.until_us FROM service_keys k JOIN key_secrets s ON s.key = k.id
                   WHERE k.revoked_at_us IS NULL";
        let sqlite = StoreError::sqlite(&self.path);
        let mut select = self.connection.prepare_cached(sql).map_err(&sqlite)?;
        let rows = select
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))
            .map_err(&sqlite)?;
        let mut snapshot = Snapshot::default();
        for row in rows {
            let (id, scope, hash, until_us): Found = row.map_err(&sqlite)?;
            let scope = match record::scope(&id, &scope) {
                Ok(scope) => scope,
                Err(why) => {
                    tracing::error!(key = %id, why, "the row of a key cannot be understood, and the key is refused");
                    continue;
                }
            };
            let ends = [until_us, scope.expires_at_us].into_iter().flatten().min();
            let used_at_us = snapshot
                .uses
                .entry(id.clone())
                .or_insert_with(|| uses.get(&id).cloned().unwrap_or_default());
            let known = Known {
                hash,
                until_us: ends.unwrap_or(i64::MAX),
                used_at_us: used_at_us.clone(),
                caller: Caller {
                    subject: scope.service.clone(),
                    operator: false,
                    key: Some(Arc::new(scope)),
                },
            };
            snapshot.secrets.insert(half(&hash), known);
        }
        // The last use of a key that was revoked meanwhile is still to be written down.
        let left = uses.iter().filter(|(_, used)| used.load(Ordering::Relaxed) != 0);
        for (id, used) in left {
            snapshot.uses.entry(id.clone()).or_insert_with(|| used.clone());
        }
        Ok(snapshot)
    }
}

fn half(hash: &[u8; 32]) -> u128 {
    hash.iter().take(16).fold(0, |value, byte| (value << 8) | u128::from(*byte))
}

/// What tells one file from another that took its name.
#[cfg(unix)]
fn file_of(path: &Path) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata(path).ok().map(|facts| (facts.dev(), facts.ino()))
}

#[cfg(not(unix))]
fn file_of(path: &Path) -> Option<(u64, u64)> {
    std::fs::metadata(path).ok().map(|_| (0, 0))
}

#[cfg(test)]
mod tests;
