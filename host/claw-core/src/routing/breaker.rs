//! A circuit breaker: whoever fails again and again is left alone for a while, then tried by one
//! call at a time. A state machine without a clock; refuses nothing by itself.

use std::time::{Duration, Instant};

/// When a breaker opens, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BreakerSettings {
    /// So many failures in a row open it.
    pub failures: u32,
    /// How long it stays open at first; doubled at every failed probe.
    pub open_for: Duration,
    /// The longest that it stays open.
    pub open_at_most: Duration,
}

impl Default for BreakerSettings {
    fn default() -> Self {
        BreakerSettings {
            failures: 5,
            open_for: Duration::from_secs(5),
            open_at_most: Duration::from_secs(60),
        }
    }
}

/// One provider's model.
#[derive(Clone, Debug)]
pub struct Breaker {
    settings: BreakerSettings,
    state: State,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    Closed { failed: u32 },
    Open { until: Instant, round: u32 },
    HalfOpen { round: u32, probing: bool },
}

/// Whether a call may go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pass {
    /// As ever.
    Free,
    /// As the one probe; how it ends decides.
    Probe,
    /// Not now.
    Blocked {
        /// How long it stays so, at least.
        wait: Duration,
    },
}

impl Breaker {
    /// Closed.
    pub fn new(settings: BreakerSettings) -> Self {
        Breaker {
            settings,
            state: State::Closed { failed: 0 },
        }
    }

    /// What a call that came now would be told. Changes nothing.
    pub fn look(&self, now: Instant) -> Pass {
        match self.state {
            State::Closed { .. } => Pass::Free,
            State::Open { until, .. } if now < until => Pass::Blocked { wait: until - now },
            State::Open { .. } | State::HalfOpen { probing: false, .. } => Pass::Probe,
            State::HalfOpen { probing: true, .. } => Pass::Blocked {
                wait: Duration::from_secs(1),
            },
        }
    }

    /// A call begins, if it may.
    pub fn enter(&mut self, now: Instant) -> Pass {
        let pass = self.look(now);
        if pass == Pass::Probe {
            let round = match self.state {
                State::Open { round, .. } | State::HalfOpen { round, .. } => round,
                State::Closed { .. } => 0,
            };
            self.state = State::HalfOpen { round, probing: true };
        }
        pass
    }

    /// A call ended well.
    pub fn succeeded(&mut self) {
        self.state = State::Closed { failed: 0 };
    }

    /// A call failed in a way that speaks of its provider's health.
    pub fn failed(&mut self, now: Instant) {
        self.state = match self.state {
            State::Closed { failed } if failed + 1 < self.settings.failures => State::Closed { failed: failed + 1 },
            State::Closed { .. } => self.open(now, 0),
            State::HalfOpen { round, .. } => self.open(now, round.saturating_add(1)),
            // One that began before it opened.
            State::Open { .. } => return,
        };
    }

    /// A call ended in a way that says nothing; a probe may be made anew.
    pub fn unknown(&mut self) {
        if let State::HalfOpen { probing, .. } = &mut self.state {
            *probing = false;
        }
    }

    fn open(&self, now: Instant, round: u32) -> State {
        let wait = self.settings.open_for.saturating_mul(1 << round.min(16));
        State::Open {
            until: now + wait.min(self.settings.open_at_most),
            round,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Duration = Duration::from_secs(1);

    fn breaker() -> (Breaker, Instant) {
        let settings = BreakerSettings {
            failures: 3,
            open_for: 2 * S,
            open_at_most: 6 * S,
        };
        (Breaker::new(settings), Instant::now())
    }

    #[test]
    fn only_failures_in_a_row_open_it() {
        let (mut breaker, now) = breaker();
        for _ in 0..2 {
            breaker.failed(now);
        }
        breaker.succeeded();
        breaker.failed(now);
        breaker.failed(now);
        assert_eq!(breaker.enter(now), Pass::Free);
        breaker.failed(now);
        assert_eq!(breaker.enter(now), Pass::Blocked { wait: 2 * S });
        assert_eq!(breaker.enter(now + S), Pass::Blocked { wait: S });
    }

    #[test]
    fn one_probe_at_a_time_decides() {
        let (mut breaker, now) = breaker();
        (0..3).for_each(|_| breaker.failed(now));
        let later = now + 2 * S;
        assert_eq!(
            (breaker.enter(later), breaker.enter(later)),
            (Pass::Probe, Pass::Blocked { wait: S })
        );
        breaker.failed(later);
        assert_eq!(breaker.look(later), Pass::Blocked { wait: 4 * S });
        assert_eq!(breaker.enter(later + 4 * S), Pass::Probe);
        breaker.unknown();
        assert_eq!(breaker.enter(later + 4 * S), Pass::Probe);
        breaker.failed(later + 4 * S);
        assert_eq!(
            breaker.look(later + 4 * S),
            Pass::Blocked { wait: 6 * S },
            "never longer than that"
        );
        assert_eq!(breaker.enter(later + 10 * S), Pass::Probe);
        breaker.succeeded();
        assert_eq!((breaker.enter(later), breaker.enter(later)), (Pass::Free, Pass::Free));
    }

    #[test]
    fn late_failures_do_not_keep_it_open() {
        let (mut breaker, now) = breaker();
        (0..3).for_each(|_| breaker.failed(now));
        breaker.failed(now + S);
        assert_eq!(breaker.look(now + 2 * S), Pass::Probe);
    }
}
