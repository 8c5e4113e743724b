//! The keys of services: made, listed, rotated and revoked here, by the gateway or by a command
//! beside it. Keeps hashes only; a key is seen once, by whoever made it.

mod live;
mod record;
mod secret;
mod table;

use std::path::{Path, PathBuf};
use std::time::Duration;

use claw_core::errors::Fault;
use claw_core::keys::KeyScope;
use rusqlite::{Connection, Transaction, TransactionBehavior, params};

use crate::error::StoreError;
use crate::time;

pub use live::ServiceKeys;
pub use record::{KeyRecord, KeyState};
pub use secret::ServiceSecret;

/// The most keys that are not revoked.
const MOST_KEYS: i64 = 10_000;

/// Why a key cannot be made or changed.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// No key has this id.
    #[error("there is no key `{id}`")]
    Unknown {
        /// What was asked for.
        id: String,
    },
    /// It is over with the key.
    #[error("the key `{id}` {why}")]
    Ended {
        /// The key's public id.
        id: String,
        /// `was revoked`, `has expired`.
        why: &'static str,
    },
    /// What it is to allow cannot be meant.
    #[error("{}", .0.message)]
    Scope(Fault),
    /// It would end before it begins.
    #[error("the key would have expired already")]
    Past,
    /// There are too many keys.
    #[error("there are {MOST_KEYS} keys already")]
    Full,
    /// The database cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A key that was just made, or made anew.
#[derive(Debug)]
pub struct Made {
    /// What is kept of it.
    pub record: KeyRecord,
    /// The key itself. It can never be shown again.
    pub secret: ServiceSecret,
}

/// The keys of a home, for whoever manages them. Any number of processes may have it open; a
/// change is on the disk before it is answered, and a running gateway sees it at the next request.
pub struct KeyStore {
    path: PathBuf,
    connection: Connection,
}

impl KeyStore {
    /// Opens or makes the store.
    ///
    /// # Errors
    /// Whatever makes the file unusable.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        Ok(KeyStore {
            path: path.to_owned(),
            connection: table::open(path)?,
        })
    }

    /// Makes a key that allows this; the scope's own id is not looked at.
    ///
    /// # Errors
    /// [`KeyError::Scope`], [`KeyError::Past`], [`KeyError::Full`], or a failing disk.
    pub fn create(&mut self, scope: KeyScope) -> Result<Made, KeyError> {
        scope.validate().map_err(KeyError::Scope)?;
        let now_us = time::now_us();
        if scope.expires_at_us.is_some_and(|end| end <= now_us) {
            return Err(KeyError::Past);
        }
        let scope = KeyScope {
            id: secret::new_id(),
            ..scope
        };
        let id = scope.id.clone();
        let secret = ServiceSecret::generate();
        let hash = secret.hash();
        self.change(&id, |transaction| {
            let count = "SELECT count(*) FROM service_keys WHERE revoked_at_us IS NULL";
            if transaction.query_row(count, [], |row| row.get::<_, i64>(0))? >= MOST_KEYS {
                return Ok(Err(KeyError::Full));
            }
            // A scope is plain text and numbers: it can always be written.
            let body = serde_json::to_string(&scope).unwrap_or_default();
            transaction.execute(
                "INSERT INTO service_keys(id, scope, created_at_us) VALUES(?1, ?2, ?3)",
                params![scope.id, body, now_us],
            )?;
            add_secret(transaction, &scope.id, &hash, now_us)?;
            Ok(Ok(()))
        })
        .map(|record| Made { record, secret })
    }

    /// All keys, revoked ones included, oldest first.
    ///
    /// # Errors
    /// A row that cannot be understood, or a failing disk.
    pub fn list(&self) -> Result<Vec<KeyRecord>, StoreError> {
        record::all(&self.connection, &self.path)
    }

    /// One key.
    ///
    /// # Errors
    /// [`KeyError::Unknown`], or as [`KeyStore::list`].
    pub fn get(&self, id: &str) -> Result<KeyRecord, KeyError> {
        record::one(&self.connection, &self.path, id)?.ok_or_else(|| unknown(id))
    }

    /// Makes a new secret for a key. Those that it had go on working for the overlap.
    ///
    /// # Errors
    /// [`KeyError::Unknown`], [`KeyError::Ended`], or a failing disk.
    pub fn rotate(&mut self, id: &str, overlap: Duration) -> Result<Made, KeyError> {
        let secret = ServiceSecret::generate();
        let hash = secret.hash();
        let now_us = time::now_us();
        let record = self.get(id)?;
        let until_us = now_us.saturating_add(i64::try_from(overlap.as_micros()).unwrap_or(i64::MAX));
        self.change(id, |transaction| {
            // Asked again where nobody can change it meanwhile.
            let revoked: bool = transaction.query_row(
                "SELECT revoked_at_us IS NOT NULL FROM service_keys WHERE id = ?1",
                [id],
                |row| row.get(0),
            )?;
            if let Some(why) = ended(revoked, &record, now_us) {
                return Ok(Err(KeyError::Ended { id: id.to_owned(), why }));
            }
            transaction.execute(
                "UPDATE key_secrets SET until_us = min(coalesce(until_us, ?2), ?2) WHERE key = ?1",
                params![id, until_us],
            )?;
            transaction.execute("DELETE FROM key_secrets WHERE until_us <= ?1", [now_us])?;
            add_secret(transaction, id, &hash, now_us)?;
            Ok(Ok(()))
        })
        .map(|record| Made { record, secret })
    }

    /// Ends a key and all its secrets at once. One that was revoked stays as it is.
    ///
    /// # Errors
    /// [`KeyError::Unknown`], or a failing disk.
    pub fn revoke(&mut self, id: &str) -> Result<KeyRecord, KeyError> {
        let now_us = time::now_us();
        self.change(id, |transaction| {
            let sql = "UPDATE service_keys SET revoked_at_us = coalesce(revoked_at_us, ?2) WHERE id = ?1";
            if transaction.execute(sql, params![id, now_us])? == 0 {
                return Ok(Err(unknown(id)));
            }
            transaction.execute("DELETE FROM key_secrets WHERE key = ?1", [id])?;
            Ok(Ok(()))
        })
    }

    /// One transaction about one key, and what the key is after it.
    fn change(
        &mut self,
        id: &str,
        change: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<Result<(), KeyError>>,
    ) -> Result<KeyRecord, KeyError> {
        let sqlite = StoreError::sqlite(&self.path);
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(&sqlite)?;
        change(&transaction).map_err(&sqlite)??;
        let record = record::one(&transaction, &self.path, id)?.ok_or_else(|| unknown(id))?;
        transaction.commit().map_err(&sqlite)?;
        Ok(record)
    }
}

fn add_secret(connection: &Connection, key: &str, hash: &[u8; 32], now_us: i64) -> rusqlite::Result<()> {
    let sql = "INSERT INTO key_secrets(hash, key, created_at_us) VALUES(?1, ?2, ?3)";
    connection.execute(sql, params![hash, key, now_us]).map(drop)
}

fn ended(revoked: bool, record: &KeyRecord, now_us: i64) -> Option<&'static str> {
    match revoked {
        true => Some("was revoked"),
        false if record.has_expired(now_us) => Some("has expired"),
        false => None,
    }
}

fn unknown(id: &str) -> KeyError {
    KeyError::Unknown {
        id: id.chars().filter(|c| !c.is_control()).take(64).collect(),
    }
}

#[cfg(test)]
mod tests;
