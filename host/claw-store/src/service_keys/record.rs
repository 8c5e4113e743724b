//! What is kept of a key, as people may see it. Holds no hash.

use std::path::Path;

use claw_core::keys::KeyScope;
use rusqlite::{Connection, OptionalExtension as _, Row};

use crate::error::StoreError;

/// What is kept of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRecord {
    /// What it allows, with its public id.
    pub scope: KeyScope,
    /// When it was made, in microseconds since 1970, like all times here.
    pub created_at_us: i64,
    /// When it was revoked.
    pub revoked_at_us: Option<i64>,
    /// When it was last used; a running gateway writes this down within a minute.
    pub last_used_at_us: Option<i64>,
    /// When its newest secret was made.
    pub secret_made_at_us: Option<i64>,
    /// Until when the last of its older secrets works.
    pub overlap_until_us: Option<i64>,
}

/// How a key stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyState {
    /// It works.
    Active,
    /// It works, and so does an older secret of it.
    Rotating,
    /// Its time is over.
    Expired,
    /// It was revoked.
    Revoked,
}

impl KeyState {
    /// The word in lists.
    pub fn as_str(self) -> &'static str {
        match self {
            KeyState::Active => "active",
            KeyState::Rotating => "rotating",
            KeyState::Expired => "expired",
            KeyState::Revoked => "revoked",
        }
    }
}

impl KeyRecord {
    /// How it stands at this time.
    pub fn state(&self, now_us: i64) -> KeyState {
        match self.overlap_until_us {
            _ if self.revoked_at_us.is_some() => KeyState::Revoked,
            _ if self.has_expired(now_us) => KeyState::Expired,
            Some(until) if until > now_us => KeyState::Rotating,
            Some(_) | None => KeyState::Active,
        }
    }

    pub(super) fn has_expired(&self, now_us: i64) -> bool {
        self.scope.expires_at_us.is_some_and(|end| end <= now_us)
    }
}

const SELECT: &str = "
SELECT id, scope, created_at_us, revoked_at_us, last_used_at_us,
  (SELECT max(created_at_us) FROM key_secrets WHERE key = id),
  (SELECT max(until_us) FROM key_secrets WHERE key = id)
FROM service_keys";

/// All keys, oldest first.
pub(super) fn all(connection: &Connection, path: &Path) -> Result<Vec<KeyRecord>, StoreError> {
    let sqlite = StoreError::sqlite(path);
    let mut select = connection
        .prepare(&format!("{SELECT} ORDER BY created_at_us, id"))
        .map_err(&sqlite)?;
    let rows = select.query_map([], read).map_err(&sqlite)?;
    rows.map(|row| row.map_err(&sqlite)?.understood(path)).collect()
}

/// The key of this id.
pub(super) fn one(connection: &Connection, path: &Path, id: &str) -> Result<Option<KeyRecord>, StoreError> {
    let row = connection
        .query_row(&format!("{SELECT} WHERE id = ?1"), [id], read)
        .optional();
    row.map_err(StoreError::sqlite(path))?
        .map(|row| row.understood(path))
        .transpose()
}

/// What a key's row says it allows.
pub(super) fn scope(id: &str, text: &str) -> Result<KeyScope, String> {
    let scope: KeyScope = serde_json::from_str(text).map_err(|error| error.to_string())?;
    scope.validate().map_err(|fault| fault.message)?;
    if scope.id == id {
        Ok(scope)
    } else {
        Err("its scope is another key's".to_owned())
    }
}

struct Raw {
    id: String,
    scope: String,
    record: KeyRecord,
}

fn read(row: &Row<'_>) -> rusqlite::Result<Raw> {
    Ok(Raw {
        id: row.get(0)?,
        scope: row.get(1)?,
        record: KeyRecord {
            scope: KeyScope::default(),
            created_at_us: row.get(2)?,
            revoked_at_us: row.get(3)?,
            last_used_at_us: row.get(4)?,
            secret_made_at_us: row.get(5)?,
            overlap_until_us: row.get(6)?,
        },
    })
}

impl Raw {
    fn understood(self, path: &Path) -> Result<KeyRecord, StoreError> {
        match scope(&self.id, &self.scope) {
            Ok(scope) => Ok(KeyRecord { scope, ..self.record }),
            // What was revoked allows nothing, whatever its row says.
            Err(_) if self.record.revoked_at_us.is_some() => Ok(KeyRecord {
                scope: KeyScope {
                    id: self.id,
                    ..KeyScope::default()
                },
                ..self.record
            }),
            Err(why) => Err(StoreError::BadKey {
                path: path.to_owned(),
                id: self.id,
                why,
            }),
        }
    }
}
