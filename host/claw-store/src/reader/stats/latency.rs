//! How long calls take, in percentiles that are right to a thousandth, in bounded memory.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;
use serde::Serialize;

use super::super::entry::{Entry, EntryStatus};

/// Digits of a figure that are kept.
const DIGITS: u8 = 3;

/// How long calls took, in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Latency {
    /// How many.
    pub calls: u64,
    /// Half of them took no longer.
    pub p50_us: u64,
    /// 95 of a hundred took no longer.
    pub p95_us: u64,
    /// 99 of a hundred took no longer.
    pub p99_us: u64,
    /// None took longer.
    pub max_us: u64,
}

/// The latencies of models.
#[derive(Default)]
pub(super) struct Latencies(BTreeMap<String, Histogram<u64>>);

impl Latencies {
    /// Counts a model call that was answered.
    pub(super) fn add(&mut self, entry: &Entry) {
        let (Some(model), Some(millis), true) = (&entry.model, entry.latency_ms, entry.outcome == EntryStatus::Ok) else {
            return;
        };
        if entry.model_use.is_none() {
            return;
        }
        if !self.0.contains_key(model)
            && let Ok(empty) = Histogram::new(DIGITS)
        {
            self.0.insert(model.clone(), empty);
        }
        if let Some(histogram) = self.0.get_mut(model) {
            // It grows with its figures; one beyond all bounds is left out.
            let _ = histogram.record((millis * 1_000.0).round() as u64);
        }
    }

    pub(super) fn percentiles(&self) -> BTreeMap<String, Latency> {
        let of = |histogram: &Histogram<u64>| Latency {
            calls: histogram.len(),
            p50_us: histogram.value_at_quantile(0.50),
            p95_us: histogram.value_at_quantile(0.95),
            p99_us: histogram.value_at_quantile(0.99),
            max_us: histogram.max(),
        };
        self.0
            .iter()
            .map(|(model, histogram)| (model.clone(), of(histogram)))
            .collect()
    }
}
