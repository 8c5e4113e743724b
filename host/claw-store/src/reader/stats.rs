//! Sums over calls: how many, how they ended, how long they took, tokens and cost. An unknown
//! cost is counted as unknown, never as nothing.

mod latency;

use std::collections::BTreeMap;

use serde::Serialize;

use super::Reader;
use super::entry::{Entry, EntryStatus};
use super::query::Filter;
use crate::error::StoreError;
use latency::Latencies;

pub use latency::Latency;

/// Sums.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// How many entries. A direct `llm.inference` has two: its invocation and its model call.
    pub calls: u64,
    /// Of these, model calls, which alone have tokens and cost.
    pub model_calls: u64,
    /// Of all, ended with an answer.
    pub ok: u64,
    /// Ended with an error.
    pub error: u64,
    /// Nobody waited any more.
    pub abandoned: u64,
    /// The gateway died meanwhile.
    pub interrupted: u64,
    /// Not ended.
    pub open: u64,
    /// Tokens read, cached ones included.
    pub input_tokens: u64,
    /// Tokens made.
    pub output_tokens: u64,
    /// Of those read, from a provider's cache.
    pub cached_tokens: u64,
    /// Billionths of a US dollar, of the calls whose cost is known.
    pub cost_nanousd: u64,
    /// Calls that used tokens and whose cost is not known.
    pub cost_unknown_calls: u64,
}

impl Totals {
    fn add(&mut self, entry: &Entry) {
        self.calls += 1;
        self.model_calls += u64::from(entry.model_use.is_some());
        match entry.outcome {
            EntryStatus::Open => self.open += 1,
            EntryStatus::Ok => self.ok += 1,
            EntryStatus::Error => self.error += 1,
            EntryStatus::Abandoned => self.abandoned += 1,
            EntryStatus::Interrupted => self.interrupted += 1,
        }
        self.input_tokens = self.input_tokens.saturating_add(entry.input_tokens.unwrap_or(0));
        self.output_tokens = self.output_tokens.saturating_add(entry.output_tokens.unwrap_or(0));
        self.cached_tokens = self.cached_tokens.saturating_add(entry.cached_tokens.unwrap_or(0));
        match entry.cost_nanousd {
            Some(cost) => self.cost_nanousd = self.cost_nanousd.saturating_add(cost),
            None if entry.input_tokens.is_some() => self.cost_unknown_calls += 1,
            None => {}
        }
    }
}

/// Sums over the calls that fit a filter.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Stats {
    /// Over all of them.
    pub total: Totals,
    /// By who called.
    pub by_caller: BTreeMap<String, Totals>,
    /// By model; calls without one are left out.
    pub by_model: BTreeMap<String, Totals>,
    /// By who called, and model.
    pub by_caller_and_model: BTreeMap<String, BTreeMap<String, Totals>>,
    /// By what was called.
    pub by_capability: BTreeMap<String, Totals>,
    /// How many failed, by the error's code.
    pub errors: BTreeMap<String, u64>,
    /// How long model calls took that were answered, by model.
    pub latency: BTreeMap<String, Latency>,
}

impl Reader {
    /// Sums over the calls that fit; `limit` counts for nothing. Reads every row of the
    /// range: give it a `since_us` where the journal is long.
    ///
    /// # Errors
    /// [`StoreError::BadRow`] or [`StoreError::Sqlite`].
    pub fn stats(&self, filter: &Filter) -> Result<Stats, StoreError> {
        let mut stats = Stats::default();
        let mut latencies = Latencies::default();
        self.each_entry(filter, |entry| {
            stats.add(entry);
            latencies.add(entry);
        })?;
        stats.latency = latencies.percentiles();
        Ok(stats)
    }
}

impl Stats {
    fn add(&mut self, entry: &Entry) {
        self.total.add(entry);
        add_to(&mut self.by_caller, &entry.caller, entry);
        add_to(&mut self.by_capability, &entry.capability, entry);
        if let Some(model) = &entry.model {
            add_to(&mut self.by_model, model, entry);
            let of_caller = self.by_caller_and_model.entry(entry.caller.clone()).or_default();
            add_to(of_caller, model, entry);
        }
        if let Some(code) = &entry.code {
            *self.errors.entry(code.clone()).or_default() += 1;
        }
    }
}

fn add_to(totals: &mut BTreeMap<String, Totals>, name: &str, entry: &Entry) {
    match totals.get_mut(name) {
        Some(some) => some.add(entry),
        None => totals.entry(name.to_owned()).or_default().add(entry),
    }
}
