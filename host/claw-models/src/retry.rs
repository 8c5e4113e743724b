//! When an attempt is repeated, and after how long. Refuses to wait past the deadline of
//! the call, or longer than the router's patience because a provider says so.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use claw_core::backoff::FullJitter;
use claw_core::errors::Fault;
use http::HeaderMap;

use crate::exchange::{Bounds, Live};
use crate::fault::{Failure, Retry};

/// As the official clients of both providers: half a second, doubled up to eight.
const BASE: Duration = Duration::from_millis(500);
const CAP: Duration = Duration::from_secs(8);

/// The most keys of one entry that one call tries.
const MAX_KEYS: u32 = 16;

/// Random numbers from 0 to 1.
pub(crate) type Random = Arc<dyn Fn() -> f64 + Send + Sync>;

/// The attempts of one call.
pub(crate) struct Attempts<'a> {
    live: &'a Live,
    deadline: Instant,
    bounds: &'a Bounds,
    made: u32,
}

impl<'a> Attempts<'a> {
    /// Attempts that end at this deadline.
    pub(crate) fn new(live: &'a Live, deadline: Instant, bounds: &'a Bounds) -> Self {
        Attempts {
            live,
            deadline,
            bounds,
            made: 1,
        }
    }

    /// How many were made, the running one included.
    pub(crate) fn made(&self) -> u32 {
        self.made
    }

    /// Waits until the next attempt may begin.
    ///
    /// # Errors
    /// The failure itself, where there is to be no other attempt.
    pub(crate) async fn pause(&mut self, failure: Failure) -> Result<(), Fault> {
        let wait = match failure.retry {
            Retry::Never => None,
            Retry::Now => (self.made < MAX_KEYS).then_some(Duration::ZERO),
            Retry::After(asked) => self.wait(asked),
        };
        let Some(wait) = wait else {
            return Err(failure.fault);
        };
        tracing::warn!(
            entry = %self.live.entry.name,
            code = %failure.fault.code,
            attempt = self.made,
            wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX),
            "a model call is tried again"
        );
        tokio::time::sleep(wait).await;
        self.made += 1;
        Ok(())
    }

    fn wait(&self, asked: Option<Duration>) -> Option<Duration> {
        let too_long = asked.is_some_and(|asked| asked > self.bounds.patience);
        if self.made >= self.live.entry.max_attempts || too_long {
            return None;
        }
        let jitter = FullJitter::try_new(BASE, CAP).ok()?;
        let unit = (self.bounds.random)();
        // What the provider asks for is the least; the jitter on top spreads those who
        // were told the same.
        let wait = match asked {
            Some(asked) => asked + jitter.wait(1, unit),
            None => jitter.wait(self.made, unit),
        };
        let in_time = Instant::now() + wait < self.deadline;
        (in_time && self.live.load.may_retry()).then_some(wait)
    }
}

/// How long the provider asks to be left alone: `retry-after-ms`, or `Retry-After` in
/// seconds or as a date. What cannot be read, or lies in the past, asks for nothing.
pub(crate) fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let number = |text: &str, unit: f64| {
        let value = text.parse::<f64>().ok().filter(|value| value.is_finite() && *value > 0.0)?;
        Duration::try_from_secs_f64(value * unit).ok()
    };
    if let Some(wait) = text("retry-after-ms").and_then(|text| number(text, 0.001)) {
        return Some(wait);
    }
    let text = text("retry-after")?;
    number(text, 1.0).or_else(|| {
        httpdate::parse_http_date(text)
            .ok()?
            .duration_since(now)
            .ok()
            .filter(|wait| !wait.is_zero())
    })
}

#[cfg(test)]
mod tests;
