//! Callers whose last hour or day is far from their own history. Compares a caller with nobody
//! else, and only with windows in which it called at all: what sleeps at night is not unusual
//! in the morning.

use std::collections::BTreeMap;

use claw_core::cost::dollars;
use claw_core::usual::Usual;
use serde::Serialize;

use super::entry::{Entry, EntryStatus};
use super::{Filter, Reader};
use crate::error::StoreError;

const HOUR_US: i64 = 3_600_000_000;

/// A figure of a caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Figure {
    /// How often it called.
    Calls,
    /// What its calls cost, in billionths of a US dollar.
    SpendNanousd,
    /// How many of a thousand calls failed.
    FailedPerMille,
}

/// The span of a figure, ending now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Span {
    /// An hour, compared with those of a day before.
    Hour,
    /// A day, compared with those of two weeks before.
    Day,
}

/// Something unusual.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Unusual {
    /// Whose.
    pub caller: String,
    /// What.
    pub figure: Figure,
    /// Over which span.
    pub span: Span,
    /// How much it is.
    pub value: u64,
    /// How much is usual: the median.
    pub median: u64,
    /// The median absolute deviation from it.
    pub deviation: u64,
    /// Of how many windows.
    pub windows: usize,
    /// The same in words.
    pub text: String,
}

impl Span {
    fn length_us(self) -> i64 {
        match self {
            Span::Hour => HOUR_US,
            Span::Day => 24 * HOUR_US,
        }
    }

    /// How many windows before the last one are looked at.
    fn windows(self) -> usize {
        match self {
            Span::Hour => 24,
            Span::Day => 14,
        }
    }

    fn words(self) -> (&'static str, &'static str) {
        match self {
            Span::Hour => ("in the last hour", "24 h"),
            Span::Day => ("in the last 24 h", "14 days"),
        }
    }
}

/// What a caller did in one window.
#[derive(Clone, Copy, Debug, Default)]
struct Did {
    calls: u64,
    failed: u64,
    nanousd: u64,
}

/// Fewer calls than this have no rate of failure.
const LEAST_FOR_RATE: u64 = 10;

impl Did {
    fn figure(&self, figure: Figure) -> Option<u64> {
        match figure {
            Figure::Calls => Some(self.calls),
            Figure::SpendNanousd => Some(self.nanousd),
            Figure::FailedPerMille => (self.calls >= LEAST_FOR_RATE).then(|| self.failed * 1_000 / self.calls),
        }
    }
}

impl Figure {
    const ALL: [Figure; 3] = [Figure::Calls, Figure::SpendNanousd, Figure::FailedPerMille];

    /// Less than this is no deviation: two calls, half a cent, two in a hundred.
    fn least(self) -> u64 {
        match self {
            Figure::Calls => 2,
            Figure::SpendNanousd => 5_000_000,
            Figure::FailedPerMille => 20,
        }
    }

    fn words(self, value: u64) -> String {
        match self {
            Figure::Calls if value == 1 => "1 call".to_owned(),
            Figure::Calls => format!("{value} calls"),
            Figure::SpendNanousd => dollars(value),
            Figure::FailedPerMille => format!("{}.{}% failed", value / 10, value % 10),
        }
    }

    fn short(self, value: u64) -> String {
        match self {
            Figure::Calls => value.to_string(),
            Figure::SpendNanousd => dollars(value),
            Figure::FailedPerMille => format!("{}.{}%", value / 10, value % 10),
        }
    }
}

/// What each caller did, window by window, the last one first.
#[derive(Default)]
struct Seen(BTreeMap<String, BTreeMap<Span, Vec<Did>>>);

impl Seen {
    fn add(&mut self, entry: &Entry, now_us: i64) {
        let ago = now_us.saturating_sub(entry.id.unix_us()).max(0);
        for span in [Span::Hour, Span::Day] {
            let place = usize::try_from(ago / span.length_us()).unwrap_or(usize::MAX);
            if place > span.windows() {
                continue;
            }
            let spans = self.0.entry(entry.caller.clone()).or_default();
            let windows = spans.entry(span).or_insert_with(|| vec![Did::default(); span.windows() + 1]);
            let Some(did) = windows.get_mut(place) else { continue };
            did.nanousd = did.nanousd.saturating_add(entry.cost_nanousd.unwrap_or(0));
            // What a call made in turn is no call of its caller's.
            if entry.parent.is_none() {
                did.calls += 1;
                did.failed += u64::from(entry.outcome == EntryStatus::Error);
            }
        }
    }

    fn unusual(&self) -> Vec<Unusual> {
        let mut found = Vec::new();
        for (caller, spans) in &self.0 {
            for (span, windows) in spans {
                for figure in Figure::ALL {
                    found.extend(unusual(caller, *span, figure, windows));
                }
            }
        }
        found
    }
}

fn unusual(caller: &str, span: Span, figure: Figure, windows: &[Did]) -> Option<Unusual> {
    let (now, before) = windows.split_first()?;
    let awake = before.iter().filter(|did| did.calls > 0);
    let history: Vec<u64> = awake.filter_map(|did| did.figure(figure)).collect();
    let value = now.figure(figure)?;
    let usual = Usual::of(&history).filter(|usual| usual.is_far_above(value, figure.least()))?;
    let (when, history) = span.words();
    let text = format!(
        "{caller}: {} {when}, {} is usual (median of {history})",
        figure.words(value),
        figure.short(usual.median),
    );
    Some(Unusual {
        caller: caller.to_owned(),
        figure,
        span,
        value,
        median: usual.median,
        deviation: usual.deviation,
        windows: usual.windows,
        text,
    })
}

impl Reader {
    /// What is unusual about the callers of the last hour and day, by their names.
    ///
    /// # Errors
    /// [`StoreError::BadRow`] or [`StoreError::Sqlite`].
    pub fn unusual(&self, now_us: i64) -> Result<Vec<Unusual>, StoreError> {
        let back = Span::Day.length_us() * 15;
        let filter = Filter {
            since_us: Some(now_us.saturating_sub(back)),
            ..Filter::default()
        };
        let mut seen = Seen::default();
        self.each_entry(&filter, |entry| seen.add(entry, now_us))?;
        Ok(seen.unusual())
    }
}

#[cfg(test)]
mod tests;
