//! What is written down about a call, and the guard that closes every entry exactly once,
//! also when the caller hangs up. Refuses to be forgotten: dropping an open entry records
//! `abandoned`.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::context::ContextUse;
use crate::errors::{Code, Fault};
use crate::ids::{InvocationId, TraceParent};
use crate::journal::{Recorder, to_jsonl};
use crate::meter::{Attempt, Meter};
use crate::model::Usage;
use crate::policy::Decision;
use crate::ports::{AuditLog, OutcomeSlot, Recorded};
use crate::wire::Api;

/// When a row counts as recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// The kernel has it: it survives the death of this process, and a power cut after 50 ms.
    Process,
    /// The disk has it: it survives a power cut.
    Power,
}

/// A request or an answer, to be hashed, and kept where policy says so.
#[derive(Clone, Debug, Default)]
pub struct Body {
    /// The bytes.
    pub bytes: Bytes,
    /// Keep them, encrypted, beside their hash.
    pub keep: bool,
}

/// What is known when a call begins.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Intent {
    /// The id of the call.
    pub id: InvocationId,
    /// The call that made this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<InvocationId>,
    /// The W3C trace id, 32 hex digits.
    pub trace_id: String,
    /// Its span in that trace. Not in the row.
    #[serde(skip)]
    pub span: Option<TraceParent>,
    /// Who calls.
    pub caller: String,
    /// The id of the key that it presented, where that is a service's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The skill whose sandbox made the call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skill: Option<String>,
    /// The endpoint of an SDK that it came by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api: Option<Api>,
    /// What is called: `skill:pr-review-prep`, `exec.git`, `llm.inference`.
    pub capability: String,
    /// The skill's version, where it is a skill that exists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// SHA-256 of the component, hex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub component_sha256: Option<String>,
    /// The model use that was named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_use: Option<String>,
    /// The model that is to serve it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Its provider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// What a model call was given beside its own words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub context: Vec<ContextUse>,
    /// The most that a model call can cost, which was set aside for it, in billionths of a US
    /// dollar; absent where no price is known, and of what is no model call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reserved_nanousd: Option<u64>,
    /// What policy decided, and which configuration was live.
    pub policy: Decision,
    /// How durable the row is before the call goes on.
    pub level: Level,
    /// The request. The row holds its keyed hash.
    #[serde(skip)]
    pub request: Body,
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// With an answer.
    Ok,
    /// With an error.
    Error,
    /// Nobody waited for it any more.
    Abandoned,
    /// The gateway died; written at its next start.
    Interrupted,
}

/// What is known when a call ends.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Outcome {
    /// How it ended.
    pub status: Status,
    /// The error's code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<Code>,
    /// From begin to end, in microseconds.
    pub latency_us: u64,
    /// The model that served it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Its provider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// The machine that did it; absent for this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// Tokens and cost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    /// How many attempts a model call took.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempts: Option<u32>,
    /// The attempts, where not the first one answered.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tried: Vec<Attempt>,
    /// Until a model's answer began, in microseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_us: Option<u64>,
    /// Of the latency, the time that a model call spent waiting for providers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upstream_us: Option<u64>,
    /// All attempts, also where the first one answered. Not in the row.
    #[serde(skip)]
    pub attempted: Vec<Attempt>,
    /// The answer is a draft.
    #[serde(default)]
    pub draft: bool,
    /// Some of it was made by the offline provider.
    #[serde(default)]
    pub offline: bool,
    /// The stored answer of an earlier call with the same idempotency key.
    #[serde(default)]
    pub replayed: bool,
    /// How many effects the journal holds.
    #[serde(default)]
    pub effects: u64,
    /// The answer. The row holds its keyed hash.
    #[serde(skip)]
    pub response: Body,
    /// The journal as JSON lines. The row holds its keyed hash.
    #[serde(skip)]
    pub journal: Body,
}

impl Outcome {
    /// An outcome with nothing but its status.
    pub fn of(status: Status) -> Self {
        Outcome {
            status,
            code: None,
            latency_us: 0,
            model: None,
            provider: None,
            node: None,
            usage: None,
            attempts: None,
            tried: Vec::new(),
            first_us: None,
            upstream_us: None,
            attempted: Vec::new(),
            draft: false,
            offline: false,
            replayed: false,
            effects: 0,
            response: Body::default(),
            journal: Body::default(),
        }
    }

    /// The outcome of a call that failed so.
    pub fn failed(fault: &Fault) -> Self {
        Outcome {
            code: Some(fault.code),
            ..Outcome::of(Status::Error)
        }
    }
}

/// An entry that has been begun and must be closed. Its place for the outcome is reserved
/// already, so that closing, also by `Drop`, cannot fail to be queued.
#[must_use = "an open entry that is dropped is recorded as abandoned"]
pub struct OpenEntry {
    started: Instant,
    recorded: Option<Recorded>,
    slot: Option<Box<dyn OutcomeSlot>>,
    journal: Option<(Arc<Recorder>, bool)>,
    meter: Option<Arc<Meter>>,
}

impl OpenEntry {
    /// Queues the intent.
    ///
    /// # Errors
    /// [`Code::AuditUnavailable`], and then nothing may be done.
    pub fn open(audit: &dyn AuditLog, intent: Intent) -> Result<Self, Fault> {
        let begun = audit.begin(intent)?;
        Ok(OpenEntry {
            started: Instant::now(),
            recorded: Some(begun.recorded),
            slot: Some(begun.slot),
            journal: None,
            meter: None,
        })
    }

    /// Waits until the intent is recorded at its level. At once, if it was waited for before.
    ///
    /// # Errors
    /// [`Code::AuditUnavailable`], and then no byte of an answer may leave.
    pub async fn recorded(&mut self) -> Result<(), Fault> {
        match &mut self.recorded {
            Some(recorded) => {
                let result = recorded.await;
                self.recorded = None;
                result
            }
            None => Ok(()),
        }
    }

    /// Has the effects that `journal` collects written with the outcome, however the call
    /// ends; `keep` says whether they themselves, or only their hash.
    pub fn attach(&mut self, journal: Arc<Recorder>, keep: bool) {
        self.journal = Some((journal, keep));
    }

    /// Has what a model call tried and used written with the outcome, however the call ends.
    pub fn attach_meter(&mut self, meter: Arc<Meter>) {
        self.meter = Some(meter);
    }

    fn read_meter(&mut self, outcome: &mut Outcome) {
        let Some(meter) = self.meter.take() else { return };
        let known = meter.read();
        outcome.usage = known.charged().or(outcome.usage);
        let tried = u32::try_from(known.attempts.len()).unwrap_or(u32::MAX);
        if let Some(route) = known.route {
            outcome.model.get_or_insert(route.model);
            outcome.provider.get_or_insert(route.provider);
            outcome.offline |= route.offline;
        }
        outcome.attempts = outcome.attempts.or((tried > 0).then_some(tried));
        let answered = known.attempts.iter().rev().find(|attempt| attempt.code.is_none());
        outcome.first_us = answered.map(|last| last.latency_us);
        outcome.upstream_us = Some(u64::try_from(known.upstream.as_micros()).unwrap_or(u64::MAX));
        if known.attempts.iter().any(|attempt| attempt.code.is_some()) {
            outcome.tried.clone_from(&known.attempts);
        }
        outcome.attempted = known.attempts;
    }

    fn take_journal(&mut self, outcome: &mut Outcome) {
        let Some((journal, keep)) = self.journal.take() else { return };
        outcome.offline |= journal.offline();
        let lines = journal.take();
        outcome.effects = lines.len() as u64;
        outcome.journal = Body {
            bytes: to_jsonl(&lines).into(),
            keep,
        };
    }

    /// Time since the entry was opened.
    pub fn elapsed_us(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    /// Writes the outcome and waits until it and the intent are recorded.
    ///
    /// # Errors
    /// [`Code::AuditUnavailable`], and then no byte of the answer may leave.
    pub async fn close(mut self, mut outcome: Outcome) -> Result<(), Fault> {
        outcome.latency_us = self.elapsed_us();
        self.take_journal(&mut outcome);
        self.read_meter(&mut outcome);
        let written = self.slot.take().map(|slot| slot.finish(outcome));
        self.recorded().await?;
        match written {
            Some(written) => written.await,
            None => Ok(()),
        }
    }
}

impl Drop for OpenEntry {
    fn drop(&mut self) {
        if let Some(slot) = self.slot.take() {
            let mut outcome = Outcome::of(Status::Abandoned);
            outcome.latency_us = self.elapsed_us();
            self.take_journal(&mut outcome);
            self.read_meter(&mut outcome);
            drop(slot.finish(outcome));
        }
    }
}
