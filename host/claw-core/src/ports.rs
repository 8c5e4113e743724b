//! Whoever does I/O, by role. Object-safe, so that `compose` in the binary is the only
//! place that knows concrete types, and tests use [`crate::fakes`].

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use crate::audit::{Intent, Outcome};
use crate::budget::{Ceiling, Note};
use crate::capability::{Payload, SkillRef};
use crate::draft::{Draft, DraftId, DraftState};
use crate::errors::Fault;
use crate::grants::{Grants, Limits};
use crate::ids::{InvocationId, TraceParent};
use crate::journal::Recorder;
use crate::keys::KeyScope;
use crate::manifest::Manifest;
use crate::meter::Meter;
use crate::model::{Completion, CompletionRequest, Embeddings, ModelStream};
use crate::policy::Permit;
use crate::routing::{ModelListing, Plan, Wanted};
use crate::wire::{WireAnswer, WireCall};

/// Resolves once a row is recorded at its level.
pub type Recorded = BoxFuture<'static, Result<(), Fault>>;

/// An intent that is queued.
pub struct Begun {
    /// Resolves once the intent is recorded at its level.
    pub recorded: Recorded,
    /// The reserved place of its outcome.
    pub slot: Box<dyn OutcomeSlot>,
}

/// The audit journal.
pub trait AuditLog: Send + Sync {
    /// Queues an intent and reserves the place of its outcome. Does not wait.
    ///
    /// # Errors
    /// [`crate::errors::Code::AuditUnavailable`] where the journal has stopped or its queue is full.
    fn begin(&self, intent: Intent) -> Result<Begun, Fault>;
}

/// A reserved place in the journal's queue.
pub trait OutcomeSlot: Send {
    /// Queues the outcome at level `process`. Does not wait and cannot fail to be queued; what
    /// it returns fails where the journal cannot be written.
    fn finish(self: Box<Self>, outcome: Outcome) -> Recorded;
}

/// Who stands behind a credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The name that audit entries hold. Never a credential.
    pub subject: String,
    /// May stop and reload the gateway, and see paths of its machine.
    pub operator: bool,
    /// The key it presented, where that is a service's.
    pub key: Option<Arc<KeyScope>>,
}

/// Who may call. Credentials that it knows must be beyond guessing (128 random bits or
/// more): doors slow failures down, and never lock a valid caller out because of them.
pub trait Identity: Send + Sync {
    /// The caller whose credential this is. Takes the same time whether or not it is nearly right.
    fn authenticate(&self, presented: &str) -> Option<Caller>;
}

/// What an idempotency key is kept under.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct IdempotencyKey {
    /// Who calls.
    pub caller: String,
    /// What is called, with its version.
    pub target: String,
    /// The caller's key.
    pub key: String,
}

/// An answer as it is kept for later calls with the same key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Kept {
    /// The answer.
    pub payload: Payload,
    /// Some of it was made by the offline provider.
    pub offline: bool,
}

/// What is known of a key.
pub enum Claim {
    /// Nothing: the call is ours to make. Dropping the slot without storing forgets the
    /// key only where the call certainly had no effects (`release`).
    Fresh(Box<dyn ClaimedKey>),
    /// The same request was answered before.
    Stored(Result<Kept, Fault>),
    /// [`crate::errors::Code::IdempotencyMismatch`], `IdempotencyInFlight` or
    /// `IdempotencyMayHaveExecuted`.
    Refused(Fault),
}

/// A key that this call holds.
#[async_trait]
pub trait ClaimedKey: Send {
    /// Keeps the answer for later calls with the same key.
    ///
    /// # Errors
    /// The store cannot be written.
    async fn store(self: Box<Self>, answer: &Result<Kept, Fault>) -> Result<(), Fault>;
    /// Forgets the key: the call was refused before it did anything.
    async fn release(self: Box<Self>);
}

/// Answers that are kept by key: 24 hours, capped, durable.
#[async_trait]
pub trait Idempotency: Send + Sync {
    /// Claims a key for a request with this keyed hash. Waits while another call holds it,
    /// at most until `deadline`.
    ///
    /// # Errors
    /// The store cannot be read.
    async fn claim(&self, key: IdempotencyKey, request: &[u8], deadline: Instant) -> Result<Claim, Fault>;
}

/// What the caller of an invocation sees before its result.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum OutputEvent {
    /// How far it is.
    Progress {
        /// The words.
        message: String,
        /// 0 to 100.
        #[serde(skip_serializing_if = "Option::is_none")]
        percent: Option<u8>,
    },
    /// A piece of the result.
    Chunk {
        /// The text.
        text: String,
    },
}

/// Where randomness and time of an invocation come from.
#[derive(Clone, Debug, Default)]
pub enum World {
    /// From this machine, and journaled.
    #[default]
    Live,
    /// From a case: the same at every run.
    Fixed {
        /// The seed of all randomness.
        seed: [u8; 32],
        /// What the wall clock says at the start; each read is one microsecond later.
        wall_nanos: u64,
    },
}

/// Everything one run of a component needs.
pub struct Run {
    /// The invocation.
    pub id: InvocationId,
    /// Who called.
    pub caller: String,
    /// Its trace.
    pub trace: TraceParent,
    /// What goes in; it fits the declared inputs.
    pub input: Payload,
    /// The caller's idempotency key.
    pub idempotency_key: Option<String>,
    /// When it is stopped, wherever it is.
    pub deadline: Instant,
    /// All that exists for it.
    pub grants: Arc<Grants>,
    /// What it may use.
    pub limits: Limits,
    /// Values of the configuration keys that it declares.
    pub config: Arc<BTreeMap<String, String>>,
    /// Where its model and capability calls go.
    pub host: Arc<dyn HostCalls>,
    /// Where its effects are written down.
    pub journal: Arc<Recorder>,
    /// Where its caller listens, if it does. Closed: the caller has gone.
    pub events: Option<mpsc::Sender<OutputEvent>>,
    /// Where randomness and time come from.
    pub world: World,
}

/// The calls that leave a sandbox. In the gateway they go through the doors again; in a
/// test they are answered from a cassette.
#[async_trait]
pub trait HostCalls: Send + Sync {
    /// One completion, whole. The id is that of its audit entry.
    ///
    /// # Errors
    /// As the completer's.
    async fn complete(&self, use_name: &str, request: CompletionRequest) -> Result<(Completion, InvocationId), Fault>;
    /// One completion, event by event.
    ///
    /// # Errors
    /// As the completer's.
    async fn complete_stream(&self, use_name: &str, request: CompletionRequest) -> Result<(ModelStream, InvocationId), Fault>;
    /// Texts to vectors.
    ///
    /// # Errors
    /// As the completer's.
    async fn embed(&self, use_name: &str, texts: Vec<String>) -> Result<Vec<Vec<f32>>, Fault>;
    /// A capability.
    ///
    /// # Errors
    /// As the invoker's.
    async fn invoke(&self, capability: &str, input: Payload) -> Result<Reply, Fault>;
}

/// What a capability answered.
#[derive(Clone, Debug, PartialEq)]
pub struct Reply {
    /// The answer.
    pub output: Payload,
    /// The machine that did it; `local` is this one.
    pub node: String,
    /// How long it took.
    pub duration: Duration,
}

/// What is known of a live skill without running it.
#[derive(Clone, Debug)]
pub struct SkillFacts {
    /// Its SKILL.md.
    pub manifest: Arc<Manifest>,
    /// Its version, as text.
    pub version: String,
    /// SHA-256 of the component, hex.
    pub sha256: String,
    /// Size of the component in bytes.
    pub size: u64,
    /// The interfaces that it imports.
    pub imports: Vec<String>,
}

/// One version of a skill, ready to run. Whoever holds it finishes on it, whatever is
/// deployed meanwhile.
#[async_trait]
pub trait Component: Send + Sync {
    /// What is known of it.
    fn facts(&self) -> &SkillFacts;
    /// Runs it once, in a new instance.
    ///
    /// # Errors
    /// A code of the sandbox (`skill.*`, `limit.*`, `deadline_exceeded`) or the skill's own.
    async fn run(&self, permit: &Permit, run: Run) -> Result<Payload, Fault>;
}

/// A live skill and what the operator allows it.
#[derive(Clone)]
pub struct LiveSkill {
    /// The skill.
    pub component: Arc<dyn Component>,
    /// Declared ∩ allowed.
    pub grants: Arc<Grants>,
    /// Values of the configuration keys that it declares.
    pub config: Arc<BTreeMap<String, String>>,
}

/// How a dropped component stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SkillState {
    /// It can be invoked and has all that it asks for.
    Live,
    /// It can be invoked, and calls beyond what is allowed are denied.
    NeedsGrant,
    /// It was refused; `reason` says why.
    Refused,
}

/// A row of `claw skill list`.
#[derive(Clone, Debug, Serialize)]
pub struct SkillStatus {
    /// The skill's name, or the file's where it could not be read.
    pub name: String,
    /// Its version.
    pub version: Option<String>,
    /// How it stands.
    pub state: SkillState,
    /// Why it was refused, or what is missing.
    pub reason: Option<String>,
    /// A bare name means this version.
    pub default: bool,
    /// What it does.
    pub description: String,
    /// SHA-256 of the component, hex.
    pub sha256: Option<String>,
    /// The file it came from.
    pub file: Option<String>,
}

/// The skills that are live, by name and version.
pub trait Skills: Send + Sync {
    /// The skill that a reference means now.
    ///
    /// # Errors
    /// [`crate::errors::Code::NotFound`], naming what is live instead.
    fn resolve(&self, skill: &SkillRef) -> Result<LiveSkill, Fault>;
    /// All of them, refused ones included, sorted by name and version.
    fn list(&self) -> Vec<SkillStatus>;
}

/// Whether a call changes something outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Effects {
    /// It only looks.
    None,
    /// It acts.
    Act,
}

/// One call of a capability of this host.
pub struct CapabilityCall {
    /// What goes in.
    pub input: Payload,
    /// When it is stopped.
    pub deadline: Instant,
}

/// A named thing this host can do itself: `exec.gh`.
#[async_trait]
pub trait Capability: Send + Sync {
    /// Its name.
    fn name(&self) -> &str;
    /// What it does, in a line.
    fn description(&self) -> &str;
    /// Whether this input would act, or why no rule allows it.
    ///
    /// # Errors
    /// [`crate::errors::Code::ExecDenied`] or `InvalidInput`.
    fn classify(&self, input: &Payload) -> Result<Effects, Fault>;
    /// Does it.
    ///
    /// # Errors
    /// Those of `classify`, and its own.
    async fn invoke(&self, permit: &Permit, call: CapabilityCall) -> Result<Payload, Fault>;
    /// What an input comes to on this host now, for those who approve it: the program, its
    /// arguments, the directory. Holds no secret.
    ///
    /// # Errors
    /// Those of `classify`.
    fn act(&self, input: &Payload) -> Result<serde_json::Value, Fault> {
        Ok(input.to_json())
    }
}

/// The capabilities of this host.
pub trait Capabilities: Send + Sync {
    /// The one of this name.
    fn find(&self, name: &str) -> Option<Arc<dyn Capability>>;
    /// All names and descriptions.
    fn list(&self) -> Vec<(String, String)>;
}

/// One model call in our own words.
pub struct ModelCall {
    /// What is asked.
    pub request: CompletionRequest,
    /// When it is given up.
    pub deadline: Instant,
    /// Where attempts, and what was used so far, are written down.
    pub meter: Arc<Meter>,
}

/// Texts that are to become vectors.
pub struct EmbedCall {
    /// The texts.
    pub texts: Vec<String>,
    /// When it is given up.
    pub deadline: Instant,
    /// As of a [`ModelCall`].
    pub meter: Arc<Meter>,
}

/// Model providers, by the uses of `models.yaml`. Every call is tried on the candidates of its
/// plan in their order; none is sent anything that the permit does not allow it
/// ([`Permit::check`], asked again before each attempt).
#[async_trait]
pub trait Models: Send + Sync {
    /// Who would serve a call now, in order, and who would not, and why.
    ///
    /// # Errors
    /// [`crate::errors::Code::ModelNotConfigured`], naming the uses that there are.
    fn plan(&self, wanted: &Wanted<'_>) -> Result<Plan, Fault>;
    /// Everything that a caller can name.
    fn list(&self) -> Vec<ModelListing>;
    /// One completion; retries and failover included.
    ///
    /// # Errors
    /// A `model.*` code, or `policy.denied`.
    async fn complete(&self, permit: &Permit, plan: &Plan, call: ModelCall) -> Result<Completion, Fault>;
    /// One completion, event by event; retries and failover end with the first piece.
    ///
    /// # Errors
    /// As [`Models::complete`].
    async fn stream(&self, permit: &Permit, plan: &Plan, call: ModelCall) -> Result<ModelStream, Fault>;
    /// Texts to vectors.
    ///
    /// # Errors
    /// As [`Models::complete`].
    async fn embed(&self, permit: &Permit, plan: &Plan, call: EmbedCall) -> Result<Embeddings, Fault>;
    /// One call in the caller's own dialect, answered in it; retries and failover end with the
    /// first byte.
    ///
    /// # Errors
    /// As [`Models::complete`].
    async fn forward(&self, permit: &Permit, plan: &Plan, call: WireCall) -> Result<WireAnswer, Fault>;
}

/// Who pays for a call.
#[derive(Clone, Copy, Debug)]
pub struct Spender<'a> {
    /// The id of the call.
    pub id: InvocationId,
    /// The caller's name.
    pub caller: &'a str,
    /// Its key, where it has one.
    pub key: Option<&'a KeyScope>,
    /// The skill whose sandbox makes the call.
    pub skill: Option<&'a str>,
    /// The model use.
    pub use_name: &'a str,
}

/// Budgets and rates of services, skills and uses.
pub trait Budgets: Send + Sync {
    /// Counts one request of a service against its key's rate.
    ///
    /// # Errors
    /// [`crate::errors::Code::KeyRateLimited`], with the time after which to come back.
    fn admit(&self, key: &KeyScope) -> Result<(), Fault>;
    /// Sets aside what a call can cost at most, as far as that is known, before it is sent.
    ///
    /// # Errors
    /// [`crate::errors::Code::BudgetExceeded`], naming the budget and when it begins anew.
    fn reserve(&self, spender: &Spender<'_>, ceiling: Ceiling) -> Result<Box<dyn Reservation>, Fault>;
}

/// Money that was set aside for one call.
pub trait Reservation: Send + Sync {
    /// What there is to say about the budgets that the call counts for.
    fn notes(&self) -> &[Note] {
        &[]
    }
    /// The call is over and cost this much; what is left of the reservation is free again.
    /// Dropping a reservation without this keeps all of it spent.
    fn settle(self: Box<Self>, cost_nanousd: Option<u64>);
}

/// Nobody has a budget or a rate.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unlimited;

impl Budgets for Unlimited {
    fn admit(&self, _key: &KeyScope) -> Result<(), Fault> {
        Ok(())
    }

    fn reserve(&self, _spender: &Spender<'_>, _ceiling: Ceiling) -> Result<Box<dyn Reservation>, Fault> {
        Ok(Box::new(Unlimited))
    }
}

impl Reservation for Unlimited {
    fn settle(self: Box<Self>, _cost_nanousd: Option<u64>) {}
}

/// Which drafts are wanted.
#[derive(Clone, Debug, Default)]
pub struct DraftsWanted {
    /// Of this caller.
    pub caller: Option<String>,
    /// That stand so.
    pub state: Option<DraftState>,
    /// The newest, no more than so many.
    pub most: usize,
}

/// What somebody says about a draft.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// Who.
    pub by: String,
    /// When, in microseconds since 1970.
    pub at_us: i64,
    /// It may run; else it is rejected.
    pub approve: bool,
    /// Why not.
    pub because: Option<String>,
}

/// What waits for approval. Durable and sealed; what is over is kept for a while.
#[async_trait]
pub trait Drafts: Send + Sync {
    /// Keeps a draft. It is on the disk before this returns.
    ///
    /// # Errors
    /// [`crate::errors::Code::Overloaded`] where too many wait, or the store cannot be written.
    async fn hold(&self, draft: Draft) -> Result<(), Fault>;
    /// The draft of this id.
    ///
    /// # Errors
    /// [`crate::errors::Code::NotFound`], or the store cannot be read.
    async fn get(&self, id: DraftId) -> Result<Draft, Fault>;
    /// Drafts, newest first.
    ///
    /// # Errors
    /// The store cannot be read.
    async fn list(&self, wanted: DraftsWanted) -> Result<Vec<Draft>, Fault>;
    /// Decides about a draft that still waits, once: of several at the same time, one counts.
    ///
    /// # Errors
    /// [`crate::errors::Code::DraftClosed`], or as [`Drafts::get`].
    async fn decide(&self, id: DraftId, verdict: Verdict) -> Result<Draft, Fault>;
    /// What became of a draft that ran.
    ///
    /// # Errors
    /// The store cannot be written.
    async fn finish(&self, id: DraftId, ran: InvocationId, result: &Result<Payload, Fault>) -> Result<Draft, Fault>;
}
