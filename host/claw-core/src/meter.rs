//! What one model call has tried and used so far, shared between whoever speaks to providers
//! and whoever has to write it down, also when the caller hangs up in the middle.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::errors::Code;
use crate::model::{ModelRoute, Usage};

/// One attempt of a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// The entry of `models.yaml`.
    pub entry: String,
    /// Its provider.
    pub provider: String,
    /// The model's name at the provider.
    pub model: String,
    /// How it failed; absent for the one that answered, or still runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<Code>,
    /// Until its answer began or its failure, in microseconds.
    pub latency_us: u64,
}

/// What is known of a call that is under way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metered {
    /// Every attempt, in order; the last one may still run.
    pub attempts: Vec<Attempt>,
    /// What served the call, once an answer began; before that, what is being tried.
    pub route: Option<ModelRoute>,
    /// What was used so far; estimated until the provider says.
    pub usage: Option<Usage>,
    /// The time that was spent waiting for providers. What is left of the whole is our own.
    pub upstream: Duration,
}

/// The shared record.
#[derive(Debug, Default)]
pub struct Meter(Mutex<Metered>);

impl Meter {
    /// Nothing was tried yet.
    pub fn new() -> Self {
        Meter::default()
    }

    /// Writes something down.
    pub fn note<T>(&self, change: impl FnOnce(&mut Metered) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// All that is known now.
    pub fn read(&self) -> Metered {
        self.note(|known| known.clone())
    }

    /// Begins an attempt.
    pub fn begin(&self, route: &ModelRoute) {
        self.note(|known| {
            known.attempts.push(Attempt {
                entry: route.entry.clone(),
                provider: route.provider.clone(),
                model: route.model.clone(),
                code: None,
                latency_us: 0,
            });
            known.route = Some(route.clone());
        });
    }

    /// Ends the last attempt that was begun: how, and after how long.
    pub fn end(&self, code: Option<Code>, took: Duration) {
        self.note(|known| {
            known.upstream += took;
            if let Some(last) = known.attempts.last_mut() {
                last.code = code;
                last.latency_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
            }
        });
    }

    /// Time spent waiting for a provider after an attempt's answer began.
    pub fn waited(&self, took: Duration) {
        self.note(|known| known.upstream += took);
    }

    /// What was used so far.
    pub fn used(&self, usage: Usage) {
        self.note(|known| known.usage = Some(usage));
    }
}
