//! The tables of keys and the way to open them. Refuses files of something else and of later
//! formats.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use crate::error::StoreError;
use crate::journal::schema;
use crate::private_file;

/// `clsk`, as SQLite's application id.
const APPLICATION: i64 = 0x636c_736b;
/// The format that this version writes. A scope that says more than before needs the next one:
/// a version that does not know a limit must not read past it.
const FORMAT: i64 = 1;
/// How long another process's change is waited for.
const BUSY: Duration = Duration::from_secs(5);

/// Two processes may make them at the same moment.
const TABLES: &str = "
CREATE TABLE IF NOT EXISTS service_keys(
  id TEXT PRIMARY KEY,
  scope TEXT NOT NULL,
  created_at_us INTEGER NOT NULL,
  revoked_at_us INTEGER,
  last_used_at_us INTEGER
) STRICT;
CREATE TABLE IF NOT EXISTS key_secrets(
  hash BLOB PRIMARY KEY,
  key TEXT NOT NULL REFERENCES service_keys(id),
  created_at_us INTEGER NOT NULL,
  until_us INTEGER
) STRICT;
CREATE INDEX IF NOT EXISTS key_secrets_key ON key_secrets(key);
";

/// Opens the database, and makes it where there is none. What is committed is on the disk: a
/// revoked key stays revoked after a power cut.
pub(super) fn open(path: &Path) -> Result<Connection, StoreError> {
    let sqlite = StoreError::sqlite(path);
    private_file::ensure(path).map_err(StoreError::io(path))?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(&sqlite)?;
    connection.busy_timeout(BUSY).map_err(&sqlite)?;
    let fresh = schema::check_format(&connection, path, APPLICATION, FORMAT)?;
    let pragmas = "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA secure_delete=ON; PRAGMA foreign_keys=ON;";
    connection.execute_batch(pragmas).map_err(&sqlite)?;
    if fresh {
        let make =
            format!("BEGIN IMMEDIATE; {TABLES} PRAGMA application_id={APPLICATION}; PRAGMA user_version={FORMAT}; COMMIT;");
        connection.execute_batch(&make).map_err(&sqlite)?;
    }
    Ok(connection)
}
