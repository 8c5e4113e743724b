//! How many requests a minute each key may make. Pure: it is told what time it is. Holds one
//! instant for a key, and forgets those that have been quiet for a minute.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::KeyScope;
use crate::errors::{Code, Fault};

/// What a rate is counted over.
const MINUTE: Duration = Duration::from_secs(60);
/// Above this many keys, the quiet ones are looked for and forgotten.
const TIDY_ABOVE: usize = 1_024;

/// The bucket of one key, as the time at which it will be full again (the generic cell rate
/// algorithm of ATM Forum TM 4.0, §4.4.3). A key that was quiet may make its whole minute's
/// requests at once, and after that one each time that a request's share of the minute has
/// passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bucket {
    full_at: Instant,
}

impl Bucket {
    /// A full one.
    pub fn full(now: Instant) -> Self {
        Bucket { full_at: now }
    }

    /// Takes one request out.
    ///
    /// # Errors
    /// It is empty; the time after which there is one more.
    pub fn take(&mut self, rpm: u32, now: Instant) -> Result<(), Duration> {
        let share = MINUTE / rpm.max(1);
        let depth = share * rpm.max(1).saturating_sub(1);
        let full_at = self.full_at.max(now);
        let wait = full_at.saturating_duration_since(now).saturating_sub(depth);
        if wait > Duration::ZERO {
            return Err(wait);
        }
        self.full_at = full_at + share;
        Ok(())
    }

    fn is_full(&self, now: Instant) -> bool {
        self.full_at <= now
    }
}

/// The buckets of all keys, by their ids.
#[derive(Debug, Default)]
pub struct RateTable(Mutex<HashMap<String, Bucket>>);

impl RateTable {
    /// Nobody has made a request yet.
    pub fn new() -> Self {
        RateTable::default()
    }

    /// Counts one request of a key. A key without a rate is not counted.
    ///
    /// # Errors
    /// [`Code::KeyRateLimited`], with the time after which to come back.
    pub fn admit(&self, key: &KeyScope, now: Instant) -> Result<(), Fault> {
        let Some(rpm) = key.rpm else { return Ok(()) };
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= TIDY_ABOVE && !buckets.contains_key(&key.id) {
            buckets.retain(|_, bucket| !bucket.is_full(now));
        }
        let taken = match buckets.get_mut(&key.id) {
            Some(bucket) => bucket.take(rpm, now),
            None => {
                let mut bucket = Bucket::full(now);
                let taken = bucket.take(rpm, now);
                buckets.insert(key.id.clone(), bucket);
                taken
            }
        };
        taken.map_err(|wait| limited(key, rpm, wait))
    }
}

fn limited(key: &KeyScope, rpm: u32, wait: Duration) -> Fault {
    let message = format!("the key `{}` may make {rpm} requests a minute, and has made them", key.id);
    // Rounded up: whoever comes back then finds a place.
    let millis = u64::try_from(wait.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX);
    Fault::new(Code::KeyRateLimited, message)
        .hint("send fewer, or make a key with a higher `--rpm`")
        .retry_after_ms(millis)
}

#[cfg(test)]
mod tests;
