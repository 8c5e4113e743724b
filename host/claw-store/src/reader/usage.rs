//! What model calls used and cost, by whom or by what. Counts each call once, with its own
//! entry, which alone carries its usage: the invocation around it is not counted again.

use std::collections::BTreeMap;

use claw_core::calendar::date;
use rusqlite::params;
use serde::Serialize;

use super::entry::{Entry, EntryStatus};
use super::query::{Filter, Wanted, pairs};
use super::{PIECE, Reader};
use crate::error::StoreError;

/// What calls are counted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum UsageBy {
    /// Who called.
    Service,
    /// The model that served them.
    Model,
    /// The skill whose sandbox made them.
    Skill,
    /// The model use that was named.
    Use,
    /// The key that was presented.
    Key,
    /// The day on which they began, in UTC.
    Day,
    /// The provider that served them.
    Provider,
}

/// Sums over model calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct UsageTotals {
    /// How many.
    pub calls: u64,
    /// Of these, ended without an answer.
    pub failed: u64,
    /// Tokens read, cached ones included.
    pub input_tokens: u64,
    /// Tokens made, reasoning ones included.
    pub output_tokens: u64,
    /// Of those read, from a provider's cache.
    pub cached_tokens: u64,
    /// Of those made, spent on reasoning.
    pub reasoning_tokens: u64,
    /// Billionths of a US dollar, of the calls whose price is known.
    pub cost_nanousd: u64,
    /// Calls that used tokens and whose price is not known: their cost is in no sum.
    pub cost_unknown_calls: u64,
    /// Calls whose usage is an estimate of ours.
    pub estimated_calls: u64,
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct UsageRow {
    /// Whose or what; `null` for calls that have none.
    pub name: Option<String>,
    /// Their sums.
    #[serde(flatten)]
    pub totals: UsageTotals,
}

/// What model calls used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Usage {
    /// What the rows are.
    pub by: UsageBy,
    /// By name, or by day.
    pub rows: Vec<UsageRow>,
    /// All of them.
    pub total: UsageTotals,
}

impl UsageTotals {
    fn add(&mut self, entry: &Entry) {
        let mut plus = |sum: fn(&mut Self) -> &mut u64, more: u64| {
            let sum = sum(self);
            *sum = sum.saturating_add(more);
        };
        plus(|sums| &mut sums.calls, 1);
        let failed = !matches!(entry.outcome, EntryStatus::Ok | EntryStatus::Open);
        plus(|sums| &mut sums.failed, failed.into());
        plus(|sums| &mut sums.input_tokens, entry.input_tokens.unwrap_or(0));
        plus(|sums| &mut sums.output_tokens, entry.output_tokens.unwrap_or(0));
        plus(|sums| &mut sums.cached_tokens, entry.cached_tokens.unwrap_or(0));
        plus(|sums| &mut sums.reasoning_tokens, entry.reasoning_tokens.unwrap_or(0));
        plus(|sums| &mut sums.cost_nanousd, entry.cost_nanousd.unwrap_or(0));
        let unknown = entry.input_tokens.is_some() && entry.cost_nanousd.is_none();
        plus(|sums| &mut sums.cost_unknown_calls, unknown.into());
        plus(|sums| &mut sums.estimated_calls, entry.estimated.into());
    }
}

impl UsageBy {
    fn name(self, entry: &Entry) -> Option<String> {
        match self {
            UsageBy::Service => Some(entry.caller.clone()),
            UsageBy::Model => entry.model.clone(),
            UsageBy::Skill => entry.skill.clone(),
            UsageBy::Use => entry.model_use.clone(),
            UsageBy::Key => entry.key.clone(),
            UsageBy::Day => Some(date(entry.id.unix_us())),
            UsageBy::Provider => entry.provider.clone(),
        }
    }
}

impl Reader {
    /// What the model calls that fit used; `limit` counts for nothing. Reads every row of the
    /// range: give it a `since_us` where the journal is long.
    ///
    /// # Errors
    /// [`StoreError::BadRow`] or [`StoreError::Sqlite`].
    pub fn usage(&self, filter: &Filter, by: UsageBy) -> Result<Usage, StoreError> {
        let mut rows: BTreeMap<Option<String>, UsageTotals> = BTreeMap::new();
        let mut total = UsageTotals::default();
        self.each_entry(filter, |entry| {
            if entry.model_use.is_some() {
                total.add(entry);
                rows.entry(by.name(entry)).or_default().add(entry);
            }
        })?;
        let rows = rows.into_iter().map(|(name, totals)| UsageRow { name, totals }).collect();
        Ok(Usage { by, rows, total })
    }

    /// Shows every call that fits, oldest first; `limit` counts for nothing.
    pub(super) fn each_entry(&self, filter: &Filter, mut see: impl FnMut(&Entry)) -> Result<(), StoreError> {
        let (mut from, end) = self.range(filter)?;
        let wanted = Wanted::of(filter);
        while from < end {
            let to = end.min(from + PIECE);
            self.each(&pairs(false), params![from.cast_signed(), to.cast_signed()], |raw| {
                if let Some(entry) = wanted.fit(raw)? {
                    see(&entry);
                }
                Ok(true)
            })?;
            from = to;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
