//! What one model call has tried and used so far, shared between whoever speaks to providers
//! and whoever has to write it down, also when the caller hangs up in the middle.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use crate::errors::Code;
use crate::ids::TraceParent;
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
    /// Its span in the call's trace, where the call has one.
    #[serde(skip)]
    pub span: Option<TraceParent>,
    /// When it began.
    #[serde(skip)]
    pub began: Option<SystemTime>,
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
    /// What was used beside the answer that counts: by attempts that lost or failed, estimated,
    /// and by answers that did not do.
    pub beside: Option<Usage>,
    /// The time that was spent waiting for providers. What is left of the whole is our own.
    pub upstream: Duration,
}

impl Metered {
    /// All that is to be paid for so far.
    pub fn charged(&self) -> Option<Usage> {
        together(self.usage, self.beside)
    }

    /// The attempt that runs has lost to another, after this long: it is not waited for, and
    /// what it may have used is paid for.
    fn lose(&mut self, took: Duration) {
        if let Some(last) = self.attempts.last_mut().filter(|last| last.code.is_none()) {
            last.code = Some(Code::Cancelled);
            last.latency_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        }
        self.leave();
    }

    /// The attempt that ran has failed. What its provider had taken on may be on its bill; what
    /// it refused, or what never reached it, is not.
    pub fn failed(&mut self, taken_on: bool) {
        if taken_on {
            self.leave();
        } else {
            self.usage = None;
        }
    }

    /// The answer that came does not do; it is paid for beside the one that will.
    pub fn set_aside(&mut self) {
        self.beside = together(self.beside, self.usage.take());
    }

    /// What the attempt may have used is paid for beside what another will use.
    fn leave(&mut self) {
        self.usage = self.usage.map(|used| Usage { estimated: true, ..used });
        self.set_aside();
    }
}

fn together(one: Option<Usage>, other: Option<Usage>) -> Option<Usage> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.plus(other)),
        (one, other) => one.or(other),
    }
}

/// The shared record.
#[derive(Debug, Default)]
pub struct Meter {
    known: Mutex<Metered>,
    /// The span of the call.
    trace: Option<TraceParent>,
    /// Where everything is written down as well, once this one's attempt has won.
    above: OnceLock<Above>,
}

/// The record of the whole call, and what stood in it when another attempt won.
#[derive(Debug)]
struct Above {
    meter: Arc<Meter>,
    before: Metered,
}

impl Meter {
    /// Nothing was tried yet.
    pub fn new() -> Self {
        Meter::default()
    }

    /// The same, for a call of this span.
    pub fn of(trace: TraceParent) -> Self {
        Meter {
            trace: Some(trace),
            ..Meter::default()
        }
    }

    /// A meter for an attempt beside this one, of the same call.
    #[must_use]
    pub fn beside(&self) -> Self {
        Meter {
            trace: self.trace,
            ..Meter::default()
        }
    }

    /// The span of the attempt that runs.
    pub fn span(&self) -> Option<TraceParent> {
        self.note(|known| known.attempts.last().and_then(|last| last.span))
    }

    /// Writes something down.
    pub fn note<T>(&self, change: impl FnOnce(&mut Metered) -> T) -> T {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let told = change(&mut known);
        if let Some(Above { meter, before }) = self.above.get() {
            let mut whole = known.clone();
            whole.attempts.splice(0..0, before.attempts.iter().cloned());
            whole.upstream += before.upstream;
            whole.beside = together(before.beside, whole.beside);
            meter.put(whole);
        }
        told
    }

    fn put(&self, whole: Metered) {
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = whole;
    }

    /// An attempt that ran beside, on a meter of its own, has lost after this long.
    pub fn lost(&self, beside: &Meter, took: Duration) {
        let mut other = beside.read();
        other.lose(took);
        self.note(|known| {
            // The one that runs here stays the last.
            let runs = known.attempts.last().is_some_and(|last| last.code.is_none());
            let place = known.attempts.len() - usize::from(runs);
            known.attempts.splice(place..place, other.attempts);
            known.beside = together(known.beside, other.beside);
        });
    }

    /// An attempt that ran beside has won after this long: what runs here has lost, where it
    /// still ran, and from now on `beside` says what is known of the whole call.
    pub fn won_by(self: &Arc<Self>, beside: &Meter, took: Duration) {
        let before = self.note(|known| {
            known.lose(took);
            known.clone()
        });
        let above = Above {
            meter: self.clone(),
            before,
        };
        if beside.above.set(above).is_ok() {
            beside.note(|_| {});
        }
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
                span: self.trace.map(TraceParent::child),
                began: Some(SystemTime::now()),
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

#[cfg(test)]
mod tests {
    use super::*;

    fn route(entry: &str) -> ModelRoute {
        ModelRoute {
            entry: entry.to_owned(),
            provider: String::new(),
            model: String::new(),
            local: false,
            offline: false,
        }
    }

    fn used(cost: u64) -> Usage {
        Usage {
            cost_nanousd: Some(cost),
            ..Usage::default()
        }
    }

    fn tried(meter: &Meter) -> Vec<(String, Option<Code>)> {
        let attempts = meter.read().attempts.into_iter();
        attempts.map(|attempt| (attempt.entry, attempt.code)).collect()
    }

    #[test]
    fn who_loses_beside_is_paid_for() {
        let (own, beside) = (Arc::new(Meter::new()), Arc::new(Meter::new()));
        own.begin(&route("a"));
        beside.begin(&route("b"));
        beside.used(used(3));
        own.used(used(10));
        own.lost(&beside, Duration::from_millis(5));
        own.used(used(20));
        own.end(None, Duration::from_millis(9));
        let expected = [("b".to_owned(), Some(Code::Cancelled)), ("a".to_owned(), None)];
        assert_eq!(tried(&own), expected);
        let charged = own.read().charged();
        assert_eq!(
            charged.map(|usage| (usage.cost_nanousd, usage.estimated)),
            Some((Some(23), true))
        );
    }

    #[test]
    fn who_wins_beside_is_written_down_for_the_whole_call_from_then_on() {
        let (own, beside) = (Arc::new(Meter::new()), Arc::new(Meter::new()));
        own.begin(&route("a"));
        own.used(used(3));
        beside.begin(&route("b"));
        own.won_by(&beside, Duration::from_millis(5));
        beside.used(used(10));
        beside.waited(Duration::from_millis(7));
        let expected = [("a".to_owned(), Some(Code::Cancelled)), ("b".to_owned(), None)];
        assert_eq!(tried(&own), expected);
        let known = own.read();
        assert_eq!(known.charged().and_then(|usage| usage.cost_nanousd), Some(13));
        assert_eq!(known.route.map(|route| route.entry), Some("b".to_owned()));
        assert_eq!(known.upstream, Duration::from_millis(7));
    }

    #[test]
    fn what_the_winner_had_set_aside_is_paid_for_too() {
        let (own, beside) = (Arc::new(Meter::new()), Arc::new(Meter::new()));
        own.begin(&route("a"));
        own.used(used(3));
        beside.begin(&route("b"));
        beside.used(used(10));
        beside.note(Metered::set_aside);
        own.won_by(&beside, Duration::ZERO);
        beside.used(used(12));
        assert_eq!(own.read().charged().and_then(|usage| usage.cost_nanousd), Some(25));
        beside.note(|known| known.failed(true));
        assert_eq!(own.read().charged().and_then(|usage| usage.cost_nanousd), Some(25));
    }

    #[test]
    fn who_had_failed_already_is_not_paid_for_twice() {
        let (own, beside) = (Arc::new(Meter::new()), Arc::new(Meter::new()));
        own.begin(&route("a"));
        own.end(Some(Code::ModelUnavailable), Duration::ZERO);
        beside.begin(&route("b"));
        beside.used(used(10));
        own.won_by(&beside, Duration::ZERO);
        assert_eq!(tried(&own).first().map(|(_, code)| *code), Some(Some(Code::ModelUnavailable)));
        assert_eq!(own.read().charged().and_then(|usage| usage.cost_nanousd), Some(10));
    }
}
