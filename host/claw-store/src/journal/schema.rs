//! The tables of the journal and the ways to open them. Refuses files of something else and
//! of later formats.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use crate::error::StoreError;
use crate::private_file;

/// `claw`, as SQLite's application id.
const APPLICATION: i64 = 0x636c_6177;
/// The format that this version writes.
const FORMAT: i64 = 1;
/// How long another connection's lock is waited for.
const BUSY: Duration = Duration::from_secs(5);

/// Ids sort by time and intents close soon after they begin, so all three indexes grow at
/// their right edge: they cost little where an index on random ids would halve the rate.
const TABLES: &str = "
CREATE TABLE journal(
  seq INTEGER PRIMARY KEY,
  at_us INTEGER NOT NULL,
  kind INTEGER NOT NULL,
  intent INTEGER,
  call BLOB,
  parent BLOB,
  body TEXT NOT NULL,
  hash BLOB NOT NULL
) STRICT;
CREATE INDEX journal_intent ON journal(intent) WHERE intent IS NOT NULL;
CREATE INDEX journal_call ON journal(call) WHERE call IS NOT NULL;
CREATE INDEX journal_parent ON journal(parent) WHERE parent IS NOT NULL;
CREATE TABLE bodies(hash BLOB NOT NULL UNIQUE, at_us INTEGER NOT NULL, sealed BLOB NOT NULL) STRICT;
CREATE TABLE meta(name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT;
";

/// The log that SQLite keeps beside the database.
pub(crate) fn wal_path(path: &Path) -> PathBuf {
    private_file::with_suffix(path, "-wal")
}

/// Opens the journal to write, and makes it where there is none.
pub(crate) fn open_writer(path: &Path) -> Result<Connection, StoreError> {
    let sqlite = StoreError::sqlite(path);
    private_file::ensure(path).map_err(StoreError::io(path))?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(&sqlite)?;
    connection.busy_timeout(BUSY).map_err(&sqlite)?;
    let fresh = check_format(&connection, path, APPLICATION, FORMAT)?;
    let mode: String = connection
        .query_row("PRAGMA journal_mode=WAL", [], |row| row.get(0))
        .map_err(&sqlite)?;
    if mode != "wal" {
        return Err(StoreError::Foreign {
            path: path.to_owned(),
            why: format!("it cannot be switched to WAL mode, it stays `{mode}`"),
        });
    }
    connection
        .execute_batch(
            "PRAGMA synchronous=NORMAL; PRAGMA wal_autocheckpoint=0; PRAGMA journal_size_limit=67108864; PRAGMA secure_delete=ON;",
        )
        .map_err(&sqlite)?;
    if fresh {
        let make =
            format!("BEGIN IMMEDIATE; {TABLES} PRAGMA application_id={APPLICATION}; PRAGMA user_version={FORMAT}; COMMIT;");
        connection.execute_batch(&make).map_err(&sqlite)?;
    }
    Ok(connection)
}

/// Opens the journal to read. Nothing in the database changes, whoever has it open.
pub(crate) fn open_reader(path: &Path) -> Result<Connection, StoreError> {
    if !path.is_file() {
        return Err(StoreError::Missing { path: path.to_owned() });
    }
    let sqlite = StoreError::sqlite(path);
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(&sqlite)?;
    connection.busy_timeout(BUSY).map_err(&sqlite)?;
    match check_format(&connection, path, APPLICATION, FORMAT)? {
        false => Ok(connection),
        true => Err(StoreError::Missing { path: path.to_owned() }),
    }
}

/// Whether the database is empty; an error where it is something else's.
pub(crate) fn check_format(connection: &Connection, path: &Path, application: i64, known: i64) -> Result<bool, StoreError> {
    let number = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, i64>(0));
    let foreign = |why: String| StoreError::Foreign {
        path: path.to_owned(),
        why,
    };
    let tables = match number("SELECT count(*) FROM sqlite_schema") {
        Ok(tables) => tables,
        Err(rusqlite::Error::SqliteFailure(error, _)) if error.code == rusqlite::ErrorCode::NotADatabase => {
            return Err(foreign("it is not a database".to_owned()));
        }
        Err(error) => return Err(StoreError::sqlite(path)(error)),
    };
    if tables == 0 {
        return Ok(true);
    }
    let found_application = number("PRAGMA application_id").map_err(StoreError::sqlite(path))?;
    let found = number("PRAGMA user_version").map_err(StoreError::sqlite(path))?;
    match (found_application == application, found) {
        (false, _) => Err(foreign(format!(
            "it is a database of another program (application id {found_application})"
        ))),
        (true, found) if found > known => Err(StoreError::NewerFormat {
            path: path.to_owned(),
            found,
            known,
        }),
        (true, found) if found < 1 => Err(foreign(format!("its format is {found}"))),
        (true, _) => Ok(false),
    }
}
