//! How long somebody takes to begin an answer, by a moving average that forgets.

use std::collections::VecDeque;
use std::time::Duration;

/// The weight of the newest value.
const ALPHA: f64 = 0.2;

/// A moving average of times.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Latency(Option<f64>);

impl Latency {
    /// One more value.
    pub fn saw(&mut self, took: Duration) {
        let took = took.as_secs_f64();
        self.0 = Some(self.0.map_or(took, |mean| mean + ALPHA * (took - mean)));
    }

    /// The average; nothing where nothing was seen.
    pub fn mean(&self) -> Option<Duration> {
        self.0.map(Duration::from_secs_f64)
    }
}

/// How many of the latest times are kept.
const KEPT: usize = 128;
/// Fewer say nothing about a percentile.
const FEWEST: usize = 20;

/// The latest times, for percentiles.
#[derive(Clone, Debug, Default)]
pub struct Recent(VecDeque<Duration>);

impl Recent {
    /// One more time.
    pub fn saw(&mut self, took: Duration) {
        if self.0.len() == KEPT {
            self.0.pop_front();
        }
        self.0.push_back(took);
    }

    /// The time within which so many per cent of them were, by the nearest rank; nothing where
    /// too few were seen.
    pub fn percentile(&self, percent: u64) -> Option<Duration> {
        if self.0.len() < FEWEST {
            return None;
        }
        let mut sorted: Vec<Duration> = self.0.iter().copied().collect();
        sorted.sort_unstable();
        let rank = (sorted.len() * usize::try_from(percent).ok()?).div_ceil(100);
        sorted.get(rank.saturating_sub(1)).copied()
    }
}

/// Hedges are paid for by calls: so many per cent of them, and a few at once.
#[derive(Clone, Copy, Debug, Default)]
pub struct HedgeBudget {
    hundredths: u64,
}

/// The most hedges that are saved up, in hundredths.
const MOST_HEDGES: u64 = 500;

impl HedgeBudget {
    /// A call is made, of which so many per cent may be hedged.
    pub fn called(&mut self, percent: u64) {
        self.hundredths = self.hundredths.saturating_add(percent).min(MOST_HEDGES);
    }

    /// Takes one hedge, if there is one.
    pub fn take(&mut self) -> bool {
        let left = self.hundredths.checked_sub(100);
        if let Some(left) = left {
            self.hundredths = left;
        }
        left.is_some()
    }

    /// A hedge that was taken is not made.
    pub fn give_back(&mut self) {
        self.hundredths = self.hundredths.saturating_add(100).min(MOST_HEDGES);
    }
}

/// Retries are paid for by calls: of so many calls one may be a retry, and a few more at once.
#[derive(Clone, Copy, Debug)]
pub struct RetryBudget {
    tokens: f64,
}

/// The most retries that are saved up.
const MOST: f64 = 20.0;
/// What one call adds: a retry for every five calls.
const PER_CALL: f64 = 0.2;

impl Default for RetryBudget {
    fn default() -> Self {
        RetryBudget { tokens: MOST }
    }
}

impl RetryBudget {
    /// A call is made.
    pub fn called(&mut self) {
        self.tokens = (self.tokens + PER_CALL).min(MOST);
    }

    /// Takes one retry, if there is one.
    pub fn take(&mut self) -> bool {
        let there = self.tokens >= 1.0;
        if there {
            self.tokens -= 1.0;
        }
        there
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_average_follows_what_it_sees() {
        let mut latency = Latency::default();
        assert_eq!(latency.mean(), None);
        latency.saw(Duration::from_secs(1));
        assert_eq!(latency.mean(), Some(Duration::from_secs(1)));
        (0..50).for_each(|_| latency.saw(Duration::from_secs(3)));
        assert!(latency.mean().is_some_and(|mean| (2.9..3.0).contains(&mean.as_secs_f64())));
    }

    #[test]
    fn a_percentile_is_of_the_latest_times() {
        let mut recent = Recent::default();
        (1..=19).for_each(|_| recent.saw(Duration::from_secs(9)));
        assert_eq!(recent.percentile(95), None);
        (1..=128).for_each(|millis| recent.saw(Duration::from_millis(millis)));
        for (percent, millis) in [(1, 2), (50, 64), (95, 122), (99, 127)] {
            assert_eq!(recent.percentile(percent), Some(Duration::from_millis(millis)), "{percent}");
        }
    }

    #[test]
    fn hedges_are_a_share_of_calls() {
        let mut budget = HedgeBudget::default();
        let hedged = |percent: u64, budget: &mut HedgeBudget| {
            let calls = (0..1_000).filter(|_| {
                budget.called(percent);
                budget.take()
            });
            calls.count()
        };
        assert_eq!(hedged(10, &mut budget), 100);
        assert_eq!(hedged(100, &mut budget), 1_000);
        assert!(!HedgeBudget::default().take());
    }

    #[test]
    fn retries_are_a_fifth_of_calls_in_the_long_run() {
        let mut budget = RetryBudget::default();
        let retried = (0..10_000)
            .filter(|_| {
                budget.called();
                budget.take()
            })
            .count();
        assert!((2_000..=2_025).contains(&retried), "{retried}");
    }
}
