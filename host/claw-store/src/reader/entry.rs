//! One call as it is shown: its intent and its outcome together. The same fields stand in
//! `audit.log`, in `--json` output and in answers, and are never renamed.

use std::fmt;

use claw_core::audit::{Level, Status};
use claw_core::draft::Approval;
use claw_core::ids::InvocationId;
use claw_core::model::Usage;
use rusqlite::types::ValueRef;
use serde::{Deserialize, Serialize};

use crate::journal::row::BodyNote;
use crate::time;

/// How a call stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EntryStatus {
    /// It has not ended.
    Open,
    /// It ended with an answer.
    Ok,
    /// It ended with an error.
    Error,
    /// Nobody waited for it any more.
    Abandoned,
    /// The gateway died meanwhile.
    Interrupted,
}

impl EntryStatus {
    /// All of them.
    pub const ALL: [EntryStatus; 5] = [
        EntryStatus::Open,
        EntryStatus::Ok,
        EntryStatus::Error,
        EntryStatus::Abandoned,
        EntryStatus::Interrupted,
    ];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            EntryStatus::Open => "open",
            EntryStatus::Ok => "ok",
            EntryStatus::Error => "error",
            EntryStatus::Abandoned => "abandoned",
            EntryStatus::Interrupted => "interrupted",
        }
    }
}

impl fmt::Display for EntryStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl From<Status> for EntryStatus {
    fn from(status: Status) -> Self {
        match status {
            Status::Ok => EntryStatus::Ok,
            Status::Error => EntryStatus::Error,
            Status::Abandoned => EntryStatus::Abandoned,
            Status::Interrupted => EntryStatus::Interrupted,
        }
    }
}

/// What policy decided.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyView {
    /// The first 16 hex digits of the SHA-256 of the policies that were live.
    pub config: String,
    /// The names of the policies that applied.
    #[serde(default)]
    pub applied: Vec<String>,
    /// The policy that refused the call, in words; `null` where it was allowed.
    #[serde(default)]
    pub denied_by: Option<String>,
    /// What would have done something, were it enforced, and budgets that are nearly used up;
    /// left out where there is none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reported: Vec<String>,
    /// The classes of personal data and secrets that were found; left out where there is none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub found: Vec<String>,
    /// Only local providers might see it; left out where that is not so.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub local_only: bool,
    /// The policies by which it waited for approval; left out where it did not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub held_by: Vec<String>,
    /// The draft that was approved, by whom, and its hash; left out where there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approved: Option<Approval>,
}

/// One attempt of a model call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TriedView {
    /// The entry of `models.yaml`.
    pub entry: String,
    /// Its provider.
    pub provider: String,
    /// The model's name at the provider.
    pub model: String,
    /// How it failed; `null` for the one that answered.
    #[serde(default)]
    pub code: Option<String>,
    /// Until its answer began or its failure, in microseconds.
    pub latency_us: u64,
}

/// One call. Unless they say otherwise, all fields are always there; `null` means unknown, absent or not yet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// The row in which it began.
    pub seq: u64,
    /// The row in which it ended.
    pub closed_seq: Option<u64>,
    /// Its id.
    pub id: InvocationId,
    /// The call that made it.
    pub parent: Option<InvocationId>,
    /// When it began: RFC 3339, UTC, milliseconds.
    pub time: String,
    /// The W3C trace id.
    pub trace_id: String,
    /// Who called.
    pub caller: String,
    /// The id of the key that it presented; left out where it presented none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The skill whose sandbox made the call.
    pub skill: Option<String>,
    /// The endpoint of an SDK that it came by; left out where it came by none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api: Option<String>,
    /// What was called: `skill:pr-review-prep@1.2.0`, `exec.git`, `llm.inference`.
    pub capability: String,
    /// SHA-256 of the component, hex.
    pub component_sha256: Option<String>,
    /// The model use that was named.
    pub model_use: Option<String>,
    /// The model that served it, or was to.
    pub model: Option<String>,
    /// Its provider.
    pub provider: Option<String>,
    /// The machine that did it; `null` is this one.
    pub node: Option<String>,
    /// How it stands.
    pub outcome: EntryStatus,
    /// The error's code.
    pub code: Option<String>,
    /// From begin to end, in milliseconds.
    pub latency_ms: Option<f64>,
    /// Of the latency, the time spent waiting for providers, in milliseconds; left out where
    /// nobody measured it, as the next ones are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upstream_ms: Option<f64>,
    /// Until a model's answer began, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_ms: Option<f64>,
    /// The attempts of a model call, where not the first one answered.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tried: Vec<TriedView>,
    /// What was set aside for a model call, in billionths of a US dollar.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reserved_nanousd: Option<u64>,
    /// How many attempts a model call took.
    pub attempts: Option<u32>,
    /// Tokens read, cached ones included.
    pub input_tokens: Option<u64>,
    /// Tokens made, reasoning ones included.
    pub output_tokens: Option<u64>,
    /// Of the input, read from the provider's cache.
    pub cached_tokens: Option<u64>,
    /// Of the output, spent on reasoning.
    pub reasoning_tokens: Option<u64>,
    /// Billionths of a US dollar; `null` is unknown, which is not zero.
    pub cost_nanousd: Option<u64>,
    /// The tokens are estimates of ours.
    pub estimated: bool,
    /// What policy decided.
    pub policy: PolicyView,
    /// The answer is a draft.
    pub draft: bool,
    /// Some of it was made by the offline provider.
    pub offline: bool,
    /// It is the stored answer of an earlier call with the same idempotency key.
    pub replayed: bool,
    /// How many effects its journal holds.
    pub effects: u64,
    /// How durable its first row was before it went on.
    pub level: Level,
    /// Keyed hash of the request, hex: equal requests have equal hashes in one home.
    pub request_hash: String,
    /// How long the request is.
    pub request_bytes: u64,
    /// Keyed hash of the answer, hex.
    pub response_hash: Option<String>,
    /// How long the answer is.
    pub response_bytes: Option<u64>,
    /// Keyed hash of the journal, hex.
    pub journal_hash: Option<String>,
    /// How long the journal is.
    pub journal_bytes: Option<u64>,
    /// Bodies were kept, encrypted; they may have been erased since.
    pub kept: bool,
}

/// The two rows of a call, as they lie in the database.
pub(super) struct Raw<'row> {
    pub(super) seq: u64,
    pub(super) at_us: i64,
    pub(super) intent: &'row str,
    pub(super) outcome: Option<(u64, &'row str)>,
}

/// The body of a row is not what this version or an earlier one wrote.
#[derive(Debug)]
pub(super) struct BadBody {
    pub(super) seq: u64,
    pub(super) why: String,
}

/// The body of an intent row, any format so far.
#[derive(Deserialize)]
pub(super) struct StoredIntent {
    id: InvocationId,
    parent: Option<InvocationId>,
    #[serde(default)]
    trace_id: String,
    caller: String,
    key: Option<String>,
    skill: Option<String>,
    api: Option<String>,
    reserved_nanousd: Option<u64>,
    capability: String,
    version: Option<String>,
    component_sha256: Option<String>,
    model_use: Option<String>,
    model: Option<String>,
    provider: Option<String>,
    #[serde(default)]
    policy: PolicyView,
    level: Level,
    pub(super) request: BodyNote,
}

/// The body of an outcome row, any format so far. The code is text, so that rows of later
/// versions, with codes of theirs, can be listed.
#[derive(Deserialize)]
pub(super) struct StoredOutcome {
    status: Status,
    code: Option<String>,
    latency_us: u64,
    model: Option<String>,
    provider: Option<String>,
    node: Option<String>,
    usage: Option<Usage>,
    attempts: Option<u32>,
    #[serde(default)]
    tried: Vec<TriedView>,
    first_us: Option<u64>,
    upstream_us: Option<u64>,
    #[serde(default)]
    draft: bool,
    #[serde(default)]
    offline: bool,
    #[serde(default)]
    replayed: bool,
    #[serde(default)]
    effects: u64,
    pub(super) response: Option<BodyNote>,
    pub(super) journal: Option<BodyNote>,
}

impl<'row> Raw<'row> {
    /// From the columns: seq, time and body of the intent, seq and body of the outcome.
    pub(super) fn of(row: &'row rusqlite::Row<'_>) -> rusqlite::Result<Self> {
        let outcome = match row.get_ref(3)? {
            ValueRef::Null => None,
            _ => Some((row.get::<_, i64>(3)?.cast_unsigned(), row.get_ref(4)?.as_str()?)),
        };
        Ok(Raw {
            seq: row.get::<_, i64>(0)?.cast_unsigned(),
            at_us: row.get(1)?,
            intent: row.get_ref(2)?.as_str()?,
            outcome,
        })
    }

    pub(super) fn stored_intent(&self) -> Result<StoredIntent, BadBody> {
        serde_json::from_str(self.intent).map_err(|error| BadBody {
            seq: self.seq,
            why: error.to_string(),
        })
    }

    pub(super) fn stored_outcome(&self) -> Result<Option<StoredOutcome>, BadBody> {
        let Some((seq, body)) = self.outcome else { return Ok(None) };
        serde_json::from_str(body).map(Some).map_err(|error| BadBody {
            seq,
            why: error.to_string(),
        })
    }

    pub(super) fn entry(&self) -> Result<Entry, BadBody> {
        Ok(merge(self, self.stored_intent()?, self.stored_outcome()?))
    }
}

pub(super) fn merge(raw: &Raw<'_>, intent: StoredIntent, outcome: Option<StoredOutcome>) -> Entry {
    let mut entry = Entry {
        seq: raw.seq,
        closed_seq: raw.outcome.map(|(seq, _)| seq),
        id: intent.id,
        parent: intent.parent,
        time: time::rfc3339(raw.at_us),
        trace_id: intent.trace_id,
        caller: intent.caller,
        key: intent.key,
        skill: intent.skill,
        api: intent.api,
        capability: match &intent.version {
            Some(version) => format!("{}@{version}", intent.capability),
            None => intent.capability,
        },
        component_sha256: intent.component_sha256,
        model_use: intent.model_use,
        model: intent.model,
        provider: intent.provider,
        node: None,
        outcome: EntryStatus::Open,
        code: None,
        latency_ms: None,
        upstream_ms: None,
        first_ms: None,
        tried: Vec::new(),
        reserved_nanousd: intent.reserved_nanousd,
        attempts: None,
        input_tokens: None,
        output_tokens: None,
        cached_tokens: None,
        reasoning_tokens: None,
        cost_nanousd: None,
        estimated: false,
        policy: intent.policy,
        draft: false,
        offline: false,
        replayed: false,
        effects: 0,
        level: intent.level,
        kept: intent.request.kept,
        request_hash: intent.request.hash,
        request_bytes: intent.request.bytes,
        response_hash: None,
        response_bytes: None,
        journal_hash: None,
        journal_bytes: None,
    };
    if let Some(outcome) = outcome {
        end(&mut entry, outcome);
    }
    entry
}

fn end(entry: &mut Entry, outcome: StoredOutcome) {
    entry.outcome = outcome.status.into();
    entry.code = outcome.code;
    // Nobody measured how long an interrupted call took.
    let measured = outcome.status != Status::Interrupted;
    let millis = |micros: u64| micros as f64 / 1_000.0;
    entry.latency_ms = measured.then_some(millis(outcome.latency_us));
    entry.upstream_ms = outcome.upstream_us.map(millis);
    entry.first_ms = outcome.first_us.map(millis);
    entry.tried = outcome.tried;
    entry.model = outcome.model.or(entry.model.take());
    entry.provider = outcome.provider.or(entry.provider.take());
    entry.node = outcome.node;
    entry.attempts = outcome.attempts;
    if let Some(usage) = outcome.usage {
        entry.input_tokens = Some(usage.input_tokens);
        entry.output_tokens = Some(usage.output_tokens);
        entry.cached_tokens = Some(usage.cached_tokens);
        entry.reasoning_tokens = Some(usage.reasoning_tokens);
        entry.cost_nanousd = usage.cost_nanousd;
        entry.estimated = usage.estimated;
    }
    entry.draft = outcome.draft;
    entry.offline = outcome.offline;
    entry.replayed = outcome.replayed;
    entry.effects = outcome.effects;
    entry.kept |= [&outcome.response, &outcome.journal]
        .into_iter()
        .flatten()
        .any(|note| note.kept);
    (entry.response_hash, entry.response_bytes) = outcome.response.map(|note| (note.hash, note.bytes)).unzip();
    (entry.journal_hash, entry.journal_bytes) = outcome.journal.map(|note| (note.hash, note.bytes)).unzip();
}
