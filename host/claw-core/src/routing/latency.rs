//! How long somebody takes to begin an answer, by a moving average that forgets.

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
