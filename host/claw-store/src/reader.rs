//! Reads the journal, whether or not a gateway writes it meanwhile. Changes nothing, and
//! holds no snapshot for long, so that the writer's log stays short. All of it waits for the
//! disk: not for the thread of an event loop.

mod charges;
mod entry;
mod query;
mod show;
mod stats;
mod unusual;
mod usage;
mod verify;

use std::path::{Path, PathBuf};

use claw_core::ids::InvocationId;
use rusqlite::{Connection, OptionalExtension as _, params};

pub use entry::{Entry, EntryStatus, PolicyView, TriedView};
pub use query::{Filter, Page};
pub use show::{BodyView, Content, Tree};
pub use stats::{Latency, Stats, Totals};
pub use unusual::{Figure, Span, Unusual};
pub use usage::{Usage, UsageBy, UsageRow, UsageTotals};
pub use verify::{AnchorState, Bad, Head, Verified};

use crate::error::StoreError;
use crate::journal::anchor::Anchor;
use crate::journal::{row, schema};
use crate::key::{HomeKey, Sealer};
use entry::Raw;

/// Rows are read in pieces of so many, each in a snapshot of its own.
const PIECE: u64 = 50_000;

/// A view of the journal.
pub struct Reader {
    path: PathBuf,
    connection: Connection,
    anchor: Anchor,
    sealer: Sealer,
}

/// Calls that were finished since a place, in the order in which they ended.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Followed {
    /// The calls.
    pub entries: Vec<Entry>,
    /// The place to go on from.
    pub seq: u64,
}

impl Reader {
    /// Opens the journal to read.
    ///
    /// # Errors
    /// [`StoreError::Missing`] where there is none yet, and whatever makes the file unusable.
    pub fn open(path: &Path, key: &HomeKey) -> Result<Self, StoreError> {
        let connection = schema::open_reader(path)?;
        let sealer = Sealer::new(key, row::BODY_SEAL);
        Ok(Reader {
            path: path.to_owned(),
            connection,
            anchor: Anchor::of(path, key),
            sealer,
        })
    }

    /// The last row there is; 0 for none. `since` goes on from there.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn last_seq(&self) -> Result<u64, StoreError> {
        let last = "SELECT coalesce(max(seq), 0) FROM journal";
        self.connection
            .prepare_cached(last)
            .and_then(|mut last| last.query_row([], seq))
            .map_err(StoreError::sqlite(&self.path))
    }

    /// The calls that were begun last, open ones included, oldest first.
    ///
    /// # Errors
    /// [`StoreError::BadRow`] or [`StoreError::Sqlite`].
    pub fn tail(&self, count: usize) -> Result<Vec<Entry>, StoreError> {
        let mut entries: Vec<Entry> = Vec::new();
        let mut filter = Filter {
            limit: count,
            ..Filter::default()
        };
        loop {
            let page = self.query(&filter)?;
            entries.extend(page.entries);
            filter.limit = count.saturating_sub(entries.len());
            filter.before_seq = page.next;
            if filter.limit == 0 || page.next.is_none() {
                entries.reverse();
                return Ok(entries);
            }
        }
    }

    /// At most `limit` calls that ended after this row. To follow, ask again from the `seq`
    /// that is answered.
    ///
    /// # Errors
    /// [`StoreError::BadRow`] or [`StoreError::Sqlite`].
    pub fn since(&self, after: u64, limit: usize) -> Result<Followed, StoreError> {
        let sql = "SELECT i.seq, i.at_us, i.body, o.seq, o.body FROM journal o CROSS JOIN journal i ON i.seq = o.intent
                   WHERE o.seq > ?1 AND o.kind = 1 ORDER BY o.seq LIMIT ?2";
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut entries = Vec::new();
        self.each(sql, params![after.cast_signed(), limit], |raw| {
            entries.push(raw.entry()?);
            Ok(true)
        })?;
        let seq = entries.last().and_then(|entry| entry.closed_seq).unwrap_or(after);
        Ok(Followed { entries, seq })
    }

    /// The hash of a row, if it is there.
    pub(crate) fn row_hash(&self, seq: u64) -> Result<Option<Vec<u8>>, StoreError> {
        crate::journal::hash_at(&self.connection, seq).map_err(StoreError::sqlite(&self.path))
    }

    /// Whether this row is the outcome of that call.
    pub(crate) fn closes(&self, outcome: u64, call: InvocationId) -> bool {
        let sql = "SELECT i.call FROM journal o JOIN journal i ON i.seq = o.intent WHERE o.seq = ?1";
        let found = self
            .connection
            .query_row(sql, [outcome.cast_signed()], |row| row.get::<_, [u8; 16]>(0))
            .optional();
        found.is_ok_and(|found| found == Some(call.to_bytes()))
    }

    /// Runs a query whose columns are those of [`Raw`], until `see` has had enough.
    fn each(
        &self,
        sql: &str,
        params: impl rusqlite::Params,
        mut see: impl FnMut(&Raw<'_>) -> Result<bool, entry::BadBody>,
    ) -> Result<(), StoreError> {
        let sqlite = StoreError::sqlite(&self.path);
        let mut statement = self.connection.prepare_cached(sql).map_err(&sqlite)?;
        let mut rows = statement.query(params).map_err(&sqlite)?;
        while let Some(row) = rows.next().map_err(&sqlite)? {
            let raw = Raw::of(row).map_err(&sqlite)?;
            let more = see(&raw).map_err(|bad| StoreError::BadRow {
                path: self.path.clone(),
                seq: bad.seq,
                why: bad.why,
            })?;
            if !more {
                break;
            }
        }
        Ok(())
    }

    /// The first row at or after this time; one past the last where there is none. Time never
    /// runs backwards in a journal.
    fn first_at(&self, at_us: i64) -> Result<u64, StoreError> {
        let sqlite = StoreError::sqlite(&self.path);
        let mut time = self
            .connection
            .prepare_cached("SELECT at_us FROM journal WHERE seq = ?1")
            .map_err(&sqlite)?;
        let (mut low, mut high) = (1, self.last_seq()? + 1);
        while low < high {
            let middle = low + (high - low) / 2;
            let at: Option<i64> = time
                .query_row([middle.cast_signed()], |row| row.get(0))
                .optional()
                .map_err(&sqlite)?;
            if at.is_some_and(|at| at < at_us) {
                low = middle + 1
            } else {
                high = middle
            }
        }
        Ok(low)
    }
}

fn seq(row: &rusqlite::Row<'_>) -> rusqlite::Result<u64> {
    row.get::<_, i64>(0).map(i64::cast_unsigned)
}

#[cfg(test)]
mod tests;
