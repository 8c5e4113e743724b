//! Calls that fit a filter, newest first, a page at a time. A page reads a bounded number of
//! rows, whatever the filter: it may hold fewer calls than asked for, and say where to go on.

use rusqlite::params;
use serde::Serialize;

use super::entry::{Entry, EntryStatus, Raw};
use super::{PIECE, Reader};
use crate::error::StoreError;

/// What is looked for. Absent fields fit everything.
#[derive(Clone, Debug)]
pub struct Filter {
    /// Who called.
    pub caller: Option<String>,
    /// What was called: `exec.git`, `skill:x`, `skill:x@1.2.0`, or a skill's bare name.
    pub capability: Option<String>,
    /// How it stands.
    pub outcome: Option<EntryStatus>,
    /// The error's code.
    pub code: Option<String>,
    /// The model that served it, or was to.
    pub model: Option<String>,
    /// Begun at this time (Unix microseconds) or later.
    pub since_us: Option<i64>,
    /// Begun before this time (Unix microseconds).
    pub until_us: Option<i64>,
    /// The most calls of a page.
    pub limit: usize,
    /// Begun before this row: the `next` of the page before.
    pub before_seq: Option<u64>,
}

impl Default for Filter {
    fn default() -> Self {
        Filter {
            caller: None,
            capability: None,
            outcome: None,
            code: None,
            model: None,
            since_us: None,
            until_us: None,
            limit: 100,
            before_seq: None,
        }
    }
}

/// Some calls, newest first.
#[derive(Clone, Debug, Serialize)]
pub struct Page {
    /// The calls. There may be none although there is a next page.
    pub entries: Vec<Entry>,
    /// The `before_seq` of the next page; `null` where there is none.
    pub next: Option<u64>,
}

impl Reader {
    /// One page.
    ///
    /// # Errors
    /// [`StoreError::BadRow`] or [`StoreError::Sqlite`].
    pub fn query(&self, filter: &Filter) -> Result<Page, StoreError> {
        let (first, end) = self.range(filter)?;
        let floor = first.max(end.saturating_sub(PIECE));
        let wanted = Wanted::of(filter);
        let mut entries = Vec::new();
        if filter.limit > 0 {
            let newest_first = true;
            self.each(&pairs(newest_first), params![floor.cast_signed(), end.cast_signed()], |raw| {
                if let Some(entry) = wanted.fit(raw)? {
                    entries.push(entry);
                }
                Ok(entries.len() < filter.limit)
            })?;
        }
        let reached = if entries.len() < filter.limit {
            floor
        } else {
            entries.last().map_or(end, |entry| entry.seq)
        };
        Ok(Page {
            entries,
            next: (reached > first).then_some(reached),
        })
    }

    /// The rows that can hold an intent that fits: from the first up to before the second.
    pub(super) fn range(&self, filter: &Filter) -> Result<(u64, u64), StoreError> {
        let first = filter.since_us.map_or(Ok(1), |since| self.first_at(since))?;
        let end = match (filter.before_seq, filter.until_us) {
            (Some(before), None) => before,
            (None, None) => u64::MAX,
            (before, Some(until)) => self.first_at(until)?.min(before.unwrap_or(u64::MAX)),
        };
        let end = end.min(self.last_seq()? + 1);
        Ok((first, end.max(first)))
    }
}

/// Intents of a range of rows with their outcomes.
pub(super) fn pairs(newest_first: bool) -> String {
    let order = if newest_first { "DESC" } else { "ASC" };
    format!(
        "SELECT i.seq, i.at_us, i.body, o.seq, o.body FROM journal i LEFT JOIN journal o ON o.intent = i.seq
         WHERE i.seq >= ?1 AND i.seq < ?2 AND i.kind = 0 ORDER BY i.seq {order}"
    )
}

/// A filter, with the pieces of JSON that a row which fits must hold: looking for those is
/// ten times faster than parsing it. Rows are written without blanks, so that they match.
pub(super) struct Wanted<'a> {
    filter: &'a Filter,
    of_intent: Vec<String>,
    of_outcome: Vec<String>,
}

impl<'a> Wanted<'a> {
    pub(super) fn of(filter: &'a Filter) -> Self {
        let piece = |name: &str, value: &str| format!("\"{name}\":{}", serde_json::Value::from(value));
        let caller = filter.caller.as_deref().map(|caller| piece("caller", caller));
        let code = filter.code.as_deref().map(|code| piece("code", code));
        let status = filter.outcome.filter(|outcome| *outcome != EntryStatus::Open);
        let status = status.map(|outcome| piece("status", outcome.as_str()));
        Wanted {
            filter,
            of_intent: caller.into_iter().collect(),
            of_outcome: code.into_iter().chain(status).collect(),
        }
    }

    pub(super) fn fit(&self, raw: &Raw<'_>) -> Result<Option<Entry>, super::entry::BadBody> {
        let outcome = raw.outcome.map_or("", |(_, body)| body);
        let may_fit = self.of_intent.iter().all(|piece| raw.intent.contains(piece))
            && self.of_outcome.iter().all(|piece| outcome.contains(piece));
        if !may_fit {
            return Ok(None);
        }
        let entry = raw.entry()?;
        Ok(self.fits(&entry).then_some(entry))
    }

    fn fits(&self, entry: &Entry) -> bool {
        let filter = self.filter;
        filter.caller.as_ref().is_none_or(|caller| *caller == entry.caller)
            && filter.capability.as_ref().is_none_or(|asked| is_of(asked, &entry.capability))
            && filter.outcome.is_none_or(|outcome| outcome == entry.outcome)
            && filter.code.as_ref().is_none_or(|code| Some(code) == entry.code.as_ref())
            && filter.model.as_ref().is_none_or(|model| Some(model) == entry.model.as_ref())
    }
}

/// `skill:x@1` is of `skill:x@1`, `skill:x`, `x@1` and `x`.
fn is_of(asked: &str, capability: &str) -> bool {
    let matches = |name: &str| name == asked || name.split_once('@').is_some_and(|(bare, _)| bare == asked);
    matches(capability) || capability.strip_prefix("skill:").is_some_and(matches)
}
