//! A bucket of tokens that fills evenly: so many a minute, and no more at once. A state machine
//! without a clock.

use std::time::{Duration, Instant};

/// One minute's worth of something.
#[derive(Clone, Debug)]
pub struct PerMinute {
    limit: u64,
    left: f64,
    at: Option<Instant>,
}

impl PerMinute {
    /// Full.
    pub fn new(limit: u64) -> Self {
        PerMinute {
            limit,
            left: limit as f64,
            at: None,
        }
    }

    /// How many there are a minute.
    pub fn limit(&self) -> u64 {
        self.limit
    }

    /// How long it takes until so many are there; nothing where they are. More than a whole
    /// minute's are there when the bucket is full.
    pub fn wait(&self, now: Instant, wanted: u64) -> Option<Duration> {
        let missing = (wanted.min(self.limit)) as f64 - self.filled(now);
        if missing <= 1e-6 {
            return None;
        }
        Some(Duration::from_secs_f64(
            (missing * 60.0 / (self.limit.max(1)) as f64).min(60.0),
        ))
    }

    /// Takes so many; the bucket can owe what was asked for beyond a whole minute's, or what
    /// turned out to be more than was guessed.
    pub fn take(&mut self, now: Instant, taken: u64) {
        self.left = self.filled(now) - taken as f64;
        self.at = Some(now);
    }

    /// Gives back what was guessed and not used.
    pub fn give_back(&mut self, unused: u64) {
        self.left = (self.left + unused as f64).min(self.limit as f64);
    }

    fn filled(&self, now: Instant) -> f64 {
        let since = self.at.map_or(Duration::ZERO, |at| now.saturating_duration_since(at));
        (self.left + since.as_secs_f64() * self.limit as f64 / 60.0).min(self.limit as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_has_so_many_and_no_more() {
        let now = Instant::now();
        let mut bucket = PerMinute::new(60);
        for _ in 0..60 {
            assert_eq!(bucket.wait(now, 1), None);
            bucket.take(now, 1);
        }
        assert_eq!(bucket.wait(now, 1), Some(Duration::from_secs(1)));
        assert_eq!(bucket.wait(now + Duration::from_secs(1), 1), None);
        assert_eq!(bucket.wait(now + Duration::from_secs(600), 60), None);
        bucket.give_back(10);
        assert_eq!(bucket.wait(now, 10), None);
    }

    #[test]
    fn what_is_more_than_a_minute_has_waits_for_a_full_bucket_and_owes_the_rest() {
        let now = Instant::now();
        let mut bucket = PerMinute::new(100);
        assert_eq!(bucket.wait(now, 1_000), None);
        bucket.take(now, 200);
        assert_eq!(bucket.wait(now, 1), Some(Duration::from_secs(60)));
        assert_eq!(bucket.wait(now + Duration::from_secs(61), 1), None);
    }

    #[test]
    fn over_any_minute_no_more_than_twice_the_limit_passes() {
        let start = Instant::now();
        let mut bucket = PerMinute::new(50);
        let mut passed = 0;
        for millis in (0..60_000).step_by(10) {
            let now = start + Duration::from_millis(millis);
            if bucket.wait(now, 1).is_none() {
                bucket.take(now, 1);
                passed += 1;
            }
        }
        assert!((99..=100).contains(&passed), "{passed}");
    }
}
