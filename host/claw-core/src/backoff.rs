//! Full-jitter waits between attempts. Refuses a range that is empty or backwards.

use std::time::Duration;

/// Waits of a uniformly random length between zero and a bound that doubles with every
/// attempt, up to a cap. That spreads callers which failed together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FullJitter {
    base: Duration,
    cap: Duration,
}

/// The range of waits is empty or backwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadRange {
    /// Without a base every wait is zero, and the retries are a storm.
    #[error("the base of a backoff is zero")]
    ZeroBase,
    /// The longest wait is shorter than the first one.
    #[error("the cap of a backoff ({cap_ms} ms) is below its base ({base_ms} ms)")]
    CapBelowBase {
        /// The base, in milliseconds.
        base_ms: u128,
        /// The cap, in milliseconds.
        cap_ms: u128,
    },
}

impl FullJitter {
    /// Waits of at most `base` after the first attempt, and never more than `cap`.
    ///
    /// # Errors
    /// See [`BadRange`].
    pub fn try_new(base: Duration, cap: Duration) -> Result<Self, BadRange> {
        if base.is_zero() {
            return Err(BadRange::ZeroBase);
        }
        if cap < base {
            return Err(BadRange::CapBelowBase {
                base_ms: base.as_millis(),
                cap_ms: cap.as_millis(),
            });
        }
        Ok(FullJitter { base, cap })
    }

    /// The longest wait after this many failed attempts (0 counts as 1).
    pub fn bound(&self, failed: u32) -> Duration {
        let doublings = failed.saturating_sub(1).min(31);
        self.base
            .checked_mul(1 << doublings)
            .map_or(self.cap, |bound| bound.min(self.cap))
    }

    /// The wait after this many failed attempts. `unit` is random, from 0 to 1; what lies
    /// outside is taken as the nearer end, and what is no number as 1.
    pub fn wait(&self, failed: u32, unit: f64) -> Duration {
        let unit = if unit.is_nan() { 1.0 } else { unit.clamp(0.0, 1.0) };
        self.bound(failed).mul_f64(unit)
    }
}

#[cfg(test)]
mod tests;
