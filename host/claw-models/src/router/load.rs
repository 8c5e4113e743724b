//! What an entry bears: its breaker, its rates, its places, its keys and how fast it answers.
//! Outlives a reload of the configuration, for an entry that still means the same.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use claw_core::errors::{Code, Fault};
use claw_core::meter::Meter;
use claw_core::routing::{Breaker, BreakerSettings, HedgeBudget, KeyPool, Latency, Pass, PerMinute, Recent, RetryBudget};

use crate::config::{Entry, Hedge, Limits};

/// The load of one entry.
#[derive(Debug)]
pub(crate) struct Load {
    name: String,
    limits: Limits,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    breaker: Breaker,
    requests: Option<PerMinute>,
    tokens: Option<PerMinute>,
    running: u32,
    latency: Latency,
    recent: Recent,
    hedges: HedgeBudget,
    keys: KeyPool,
    retries: RetryBudget,
}

/// The loads of all entries there ever were, by what they mean.
#[derive(Debug, Default)]
pub(crate) struct Loads(Mutex<HashMap<String, Arc<Load>>>);

impl Loads {
    /// The load of an entry: the one that it had, if it means the same.
    pub(crate) fn of(&self, entry: &Entry, keys: usize) -> Arc<Load> {
        let url = entry.base_url.as_ref().map_or("", |url| url.as_str());
        let meaning = format!(
            "{}\n{}\n{url}\n{}\n{:?}\n{keys}",
            entry.name, entry.provider, entry.model, entry.limits
        );
        let mut loads = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        loads
            .entry(meaning)
            .or_insert_with(|| Arc::new(Load::new(&entry.name, entry.limits, keys)))
            .clone()
    }
}

impl Load {
    fn new(name: &str, limits: Limits, keys: usize) -> Self {
        Load {
            name: name.to_owned(),
            limits,
            state: Mutex::new(State {
                breaker: Breaker::new(BreakerSettings::default()),
                requests: limits.rpm.map(PerMinute::new),
                tokens: limits.tpm.map(PerMinute::new),
                running: 0,
                latency: Latency::default(),
                recent: Recent::default(),
                hedges: HedgeBudget::default(),
                keys: KeyPool::new(keys),
                retries: RetryBudget::default(),
            }),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Why it takes no call now, and for how long, as far as is known.
    pub(crate) fn full(&self, now: Instant, tokens: u64) -> Option<(String, Duration)> {
        full(&self.state(), &self.limits, now, tokens)
    }

    /// How long it takes to begin an answer, where that was seen.
    pub(crate) fn latency(&self) -> Option<Duration> {
        self.state().latency.mean()
    }

    /// After how long somebody else is asked as well, if at all; a call counts for the share
    /// that may be.
    pub(crate) fn hedge_after(&self, hedge: &Hedge) -> Option<Duration> {
        let mut state = self.state();
        state.hedges.called(hedge.max_percent);
        match (hedge.after_ms, hedge.after_percentile) {
            (Some(millis), _) => Some(Duration::from_millis(millis)),
            (None, Some(percent)) => state.recent.percentile(percent),
            (None, None) => None,
        }
    }

    /// Somebody else may be asked as well.
    pub(crate) fn may_hedge(&self) -> bool {
        self.state().hedges.take()
    }

    /// Somebody may, and there is nobody.
    pub(crate) fn no_hedge(&self) {
        self.state().hedges.give_back();
    }

    /// Calls that run.
    #[cfg(test)]
    pub(crate) fn running(&self) -> u32 {
        self.state().running
    }

    /// A call begins.
    ///
    /// # Errors
    /// [`Code::Overloaded`] where it may not.
    pub(crate) fn enter(self: &Arc<Self>, now: Instant, tokens: u64, meter: Arc<Meter>) -> Result<Guard, Fault> {
        let mut state = self.state();
        if let Some((why, wait)) = full(&state, &self.limits, now, tokens) {
            let millis = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX).max(1);
            return Err(Fault::new(Code::Overloaded, format!("`{}` takes no call now: {why}", self.name)).retry_after_ms(millis));
        }
        let probes = state.breaker.enter(now) == Pass::Probe;
        if let Some(requests) = &mut state.requests {
            requests.take(now, 1);
        }
        if let Some(bucket) = &mut state.tokens {
            bucket.take(now, tokens);
        }
        state.running += 1;
        state.retries.called();
        Ok(Guard {
            load: self.clone(),
            began: now,
            guessed: tokens,
            meter,
            told: std::sync::atomic::AtomicBool::new(false),
            probes,
        })
    }

    /// The place of the key to use.
    pub(crate) fn key(&self, now: Instant) -> Option<usize> {
        self.state().keys.choose(now)
    }

    /// A key was taken, or was not.
    pub(crate) fn key_told(&self, place: usize, now: Instant, cold: Option<Duration>) {
        let mut state = self.state();
        match cold {
            Some(wait) => state.keys.cool(place, now, wait),
            None => state.keys.warm(place),
        }
    }

    /// Some other key can be used now.
    pub(crate) fn has_other_key(&self, place: usize, now: Instant) -> bool {
        self.state().keys.has_other(place, now)
    }

    /// A retry may be made.
    pub(crate) fn may_retry(&self) -> bool {
        self.state().retries.take()
    }
}

/// Why a call may not begin, and for how long, as far as is known.
fn full(state: &State, limits: &Limits, now: Instant, tokens: u64) -> Option<(String, Duration)> {
    if let Pass::Blocked { wait } = state.breaker.look(now) {
        return Some((
            format!("it failed again and again, and is left alone for {}", shown(wait)),
            wait,
        ));
    }
    if let Some(limit) = limits.concurrency.filter(|limit| state.running >= *limit) {
        return Some((format!("all of its {limit} places are taken"), Duration::from_secs(1)));
    }
    let wait = |bucket: &Option<PerMinute>, wanted: u64, what: &str| {
        let bucket = bucket.as_ref()?;
        let wait = bucket.wait(now, wanted)?;
        Some((format!("its {} {what} a minute are used up", bucket.limit()), wait))
    };
    wait(&state.requests, 1, "requests").or_else(|| wait(&state.tokens, tokens.max(1), "tokens"))
}

fn shown(wait: Duration) -> String {
    format!("{} s", wait.as_secs_f64().ceil())
}

/// A call that runs; held until its answer has ended.
#[derive(Debug)]
pub(crate) struct Guard {
    load: Arc<Load>,
    began: Instant,
    guessed: u64,
    meter: Arc<Meter>,
    told: std::sync::atomic::AtomicBool,
    /// The breaker let it through to see whether the provider is well again.
    probes: bool,
}

impl Guard {
    /// It began to answer.
    pub(crate) fn answered(&self) {
        self.told.store(true, std::sync::atomic::Ordering::Relaxed);
        let mut state = self.load.state();
        state.breaker.succeeded();
        let took = self.began.elapsed();
        state.latency.saw(took);
        state.recent.saw(took);
    }

    /// Another one answered first, and this one is not waited for. It took at least this long.
    pub(crate) fn outrun(&self) {
        let took = self.began.elapsed();
        let mut state = self.load.state();
        state.latency.saw(took);
        state.recent.saw(took);
    }

    /// It did not.
    pub(crate) fn failed(&self, code: Code) {
        self.told.store(true, std::sync::atomic::Ordering::Relaxed);
        let mut state = self.load.state();
        match code {
            Code::ModelUnavailable | Code::ModelTimeout | Code::ModelBadAnswer => state.breaker.failed(Instant::now()),
            // Whoever refuses a request is well.
            Code::ModelInvalidRequest | Code::ModelContextExceeded | Code::ModelSchemaMismatch => state.breaker.succeeded(),
            _ if self.probes => state.breaker.unknown(),
            _ => {}
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let used = self
            .meter
            .note(|known| known.usage)
            .map(|usage| usage.input_tokens.saturating_add(usage.output_tokens));
        let mut state = self.load.state();
        state.running = state.running.saturating_sub(1);
        if self.probes && !*self.told.get_mut() {
            state.breaker.unknown();
        }
        if let Some(bucket) = &mut state.tokens {
            match used {
                Some(used) if used > self.guessed => bucket.take(Instant::now(), used - self.guessed),
                Some(used) => bucket.give_back(self.guessed - used),
                None => bucket.give_back(self.guessed),
            }
        }
    }
}
