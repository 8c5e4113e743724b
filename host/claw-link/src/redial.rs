//! When a node dials again: after a random part of a time that doubles, so that a thousand of
//! them do not come back at once.

use std::time::Duration;

use claw_core::backoff::FullJitter;

/// A link that has lasted so long was a good one, and its loss begins the count anew.
const GOOD: Duration = Duration::from_secs(10);

/// Full jitter, and what the gateway asks for.
#[derive(Clone, Debug)]
pub struct Redial {
    waits: FullJitter,
    failed: u32,
}

impl Redial {
    /// Nothing has failed yet. Half a second to half a minute is usual.
    pub fn new(waits: FullJitter) -> Self {
        Redial { waits, failed: 0 }
    }

    /// A link has ended, or could not be made (`lasted` is then nothing): how long to wait before
    /// the next. `random` is evenly drawn from 0 to 1. What the gateway asks for is waited at
    /// least, within the longest wait.
    pub fn after(&mut self, lasted: Duration, random: f64, asked: Option<Duration>) -> Duration {
        if lasted >= GOOD {
            self.failed = 0;
        }
        self.failed = self.failed.saturating_add(1);
        let wait = self.waits.wait(self.failed, random);
        // Who is told when to come back comes back scattered as well.
        let longest = self.waits.bound(u32::MAX);
        asked.map_or(wait, |asked| asked.min(longest) + wait)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

    use super::*;

    const FIRST: Duration = Duration::from_millis(500);
    const LONGEST: Duration = Duration::from_secs(30);

    fn redial() -> Redial {
        Redial::new(FullJitter::try_new(FIRST, LONGEST).unwrap())
    }

    #[test]
    fn waits_double_up_to_a_bound_and_begin_anew_after_a_good_link() {
        let mut redial = redial();
        let waits: Vec<_> = (0..10).map(|_| redial.after(Duration::ZERO, 1.0, None).as_millis()).collect();
        assert_eq!(
            waits,
            [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000, 30_000]
        );
        assert_eq!(redial.after(Duration::from_secs(9), 1.0, None), LONGEST, "it came and went");
        assert_eq!(redial.after(GOOD, 0.5, None), FIRST / 2);
    }

    #[test]
    fn what_the_gateway_asks_for_is_kept_within_a_bound() {
        let asked = |millis| redial().after(Duration::ZERO, 0.5, Some(Duration::from_millis(millis)));
        assert_eq!(asked(2_000), Duration::from_millis(2_250));
        assert_eq!(asked(u64::MAX), LONGEST + FIRST / 2);
        assert_eq!(redial().after(Duration::ZERO, f64::NAN, None), FIRST);
    }
}
