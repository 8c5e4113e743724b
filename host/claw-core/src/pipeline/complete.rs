//! The door of every model call: decided, then asked upstream while its intent is being
//! recorded; no byte of an answer leaves before it is. Never names a provider itself.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use futures::StreamExt as _;

use crate::audit::{Body, Intent, Level, OpenEntry, Outcome, Status};
use crate::errors::{Code, Fault};
use crate::ids::{InvocationId, TraceParent};
use crate::model::{Completion, CompletionRequest, Embeddings, ModelEvent, ModelRoute, ModelStream, request_bytes};
use crate::policy::{Decision, Permit, Policy, Question};
use crate::ports::{AuditLog, Effects, ModelCall, Models};

/// What is called, in audit entries.
pub(super) const CAPABILITY: &str = "llm.inference";

/// One model call, as it comes to the door.
#[derive(Clone, Debug)]
pub struct Complete {
    /// Its id.
    pub id: InvocationId,
    /// The invocation that makes it.
    pub parent: Option<InvocationId>,
    /// Its trace.
    pub trace: TraceParent,
    /// Who calls.
    pub caller: String,
    /// The skill whose sandbox makes it.
    pub skill: Option<String>,
    /// How many calls lie above it.
    pub depth: u8,
    /// A use, an entry of `models.yaml`, or a model.
    pub use_name: String,
    /// When it is given up.
    pub deadline: Instant,
}

/// An answer, and where it stands in the journal.
#[derive(Clone, Debug)]
pub struct Completed {
    /// The id of its audit entry.
    pub id: InvocationId,
    /// The answer.
    pub completion: Completion,
}

/// The door.
pub struct Completer {
    audit: Arc<dyn AuditLog>,
    policy: Arc<ArcSwap<Policy>>,
    models: Arc<dyn Models>,
    level: Level,
}

/// A call that was decided about and whose intent is on its way to the journal.
struct Begun {
    entry: OpenEntry,
    permit: Permit,
    route: ModelRoute,
    keep: bool,
}

impl Completer {
    /// The door over these collaborators; `level` is how durable an intent is before its
    /// answer leaves.
    pub fn new(audit: Arc<dyn AuditLog>, policy: Arc<ArcSwap<Policy>>, models: Arc<dyn Models>, level: Level) -> Self {
        Completer {
            audit,
            policy,
            models,
            level,
        }
    }

    /// The offline provider would answer this use now.
    pub fn is_offline(&self, use_name: &str) -> bool {
        self.models.route(use_name).is_ok_and(|route| route.offline)
    }

    /// One completion, whole.
    ///
    /// # Errors
    /// A `model.*` or `policy.*` code, or [`Code::AuditUnavailable`].
    pub async fn complete(&self, call: &Complete, request: CompletionRequest) -> Result<Completed, Fault> {
        let body = request_bytes(&request);
        let Begun {
            mut entry,
            permit,
            route,
            keep,
        } = self.begin(call, body).await?;
        let upstream = self.models.complete(
            &permit,
            &route,
            ModelCall {
                request,
                deadline: call.deadline,
            },
        );
        let (recorded, result) = tokio::join!(entry.recorded(), until(call.deadline, upstream));
        let result = recorded.and(result);
        entry.close(outcome(&result, keep)).await?;
        Ok(Completed {
            id: call.id,
            completion: result?,
        })
    }

    /// One completion, event by event. The stream owns the permit and the audit entry.
    ///
    /// # Errors
    /// As [`Completer::complete`]; later ones are the stream's last item.
    pub async fn stream(&self, call: &Complete, request: CompletionRequest) -> Result<ModelStream, Fault> {
        let body = request_bytes(&request);
        let Begun {
            mut entry,
            permit,
            route,
            keep,
        } = self.begin(call, body).await?;
        let upstream = self.models.stream(
            &permit,
            &route,
            ModelCall {
                request,
                deadline: call.deadline,
            },
        );
        let (recorded, result) = tokio::join!(entry.recorded(), until(call.deadline, upstream));
        match recorded.and(result) {
            Ok(inner) => Ok(audited(inner, entry, permit, call.deadline, keep)),
            Err(fault) => {
                entry.close(Outcome::failed(&fault)).await?;
                Err(fault)
            }
        }
    }

    /// Texts to vectors.
    ///
    /// # Errors
    /// As [`Completer::complete`].
    pub async fn embed(&self, call: &Complete, texts: Vec<String>) -> Result<Embeddings, Fault> {
        let body = serde_json::to_vec(&texts).unwrap_or_default().into();
        let Begun {
            mut entry,
            permit,
            route,
            keep,
        } = self.begin(call, body).await?;
        let upstream = self.models.embed(&permit, &route, texts, call.deadline);
        let (recorded, result) = tokio::join!(entry.recorded(), until(call.deadline, upstream));
        let result = recorded.and(result);
        let mut outcome = match &result {
            Ok(done) => Outcome {
                model: Some(done.model.clone()),
                provider: Some(done.provider.clone()),
                usage: Some(done.usage),
                offline: done.offline,
                ..Outcome::of(Status::Ok)
            },
            Err(fault) => Outcome::failed(fault),
        };
        outcome.response = Body {
            bytes: embedded(&result),
            keep,
        };
        entry.close(outcome).await?;
        result
    }

    async fn begin(&self, call: &Complete, body: bytes::Bytes) -> Result<Begun, Fault> {
        let policy = self.policy.load();
        let keep = policy.keep_bodies();
        let route = self.models.route(&call.use_name);
        let question = Question {
            caller: &call.caller,
            capability: CAPABILITY,
            effects: Effects::None,
            depth: call.depth,
        };
        let decided = route.and_then(|route| Ok((policy.permit(&question)?, route)));
        let known = decided.as_ref().ok().map(|(_, route)| route);
        let intent = Intent {
            id: call.id,
            parent: call.parent,
            trace_id: call.trace.trace_id(),
            caller: call.caller.clone(),
            skill: call.skill.clone(),
            capability: CAPABILITY.to_owned(),
            version: None,
            component_sha256: None,
            model_use: Some(call.use_name.chars().take(128).collect()),
            model: known.map(|route| route.model.clone()),
            provider: known.map(|route| route.provider.clone()),
            policy: decision(policy.decision(), &decided),
            level: self.level,
            request: Body { bytes: body, keep },
        };
        let entry = OpenEntry::open(&*self.audit, intent)?;
        match decided {
            Ok((permit, route)) => Ok(Begun {
                entry,
                permit,
                route,
                keep,
            }),
            Err(fault) => {
                entry.close(Outcome::failed(&fault)).await?;
                Err(fault)
            }
        }
    }
}

/// The decision as it is written down: with the policy that refused, if one did.
pub(super) fn decision<T>(live: &Decision, decided: &Result<T, Fault>) -> Decision {
    let mut decision = live.clone();
    if let Err(fault) = decided
        && matches!(fault.code, Code::PolicyDenied | Code::LimitDepth)
    {
        decision.denied_by = Some(fault.message.clone());
    }
    decision
}

/// A call, given up at its deadline.
pub(super) async fn until<T>(deadline: Instant, call: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
    match tokio::time::timeout_at(deadline.into(), call).await {
        Ok(result) => result,
        Err(_) => Err(Fault::new(Code::DeadlineExceeded, "the call took longer than it had")),
    }
}

fn outcome(result: &Result<Completion, Fault>, keep: bool) -> Outcome {
    match result {
        Ok(done) => Outcome {
            model: Some(done.model.clone()),
            provider: Some(done.provider.clone()),
            usage: Some(done.usage),
            attempts: Some(done.attempts),
            offline: done.offline,
            response: Body {
                bytes: serde_json::to_vec(done).unwrap_or_default().into(),
                keep,
            },
            ..Outcome::of(Status::Ok)
        },
        Err(fault) => Outcome::failed(fault),
    }
}

fn embedded(result: &Result<Embeddings, Fault>) -> bytes::Bytes {
    let done = result.as_ref().ok();
    done.and_then(|done| serde_json::to_vec(done).ok()).unwrap_or_default().into()
}

struct Audited {
    inner: ModelStream,
    entry: Option<OpenEntry>,
    _permit: Permit,
    deadline: Instant,
    keep: bool,
}

/// The stream, with its entry closed before the last event leaves; dropped before that, the
/// entry is `abandoned` and the call upstream is cancelled.
fn audited(inner: ModelStream, entry: OpenEntry, permit: Permit, deadline: Instant, keep: bool) -> ModelStream {
    let state = Audited {
        inner,
        entry: Some(entry),
        _permit: permit,
        deadline,
        keep,
    };
    Box::pin(futures::stream::unfold(state, |mut state| async move {
        let entry = state.entry.take()?;
        let next = tokio::time::timeout_at(state.deadline.into(), state.inner.next()).await;
        let item = match next {
            Ok(Some(Ok(ModelEvent::Done(done)))) => Ok(done),
            Ok(Some(Ok(event))) => {
                state.entry = Some(entry);
                return Some((Ok(event), state));
            }
            Ok(Some(Err(fault))) => Err(fault),
            Ok(None) => Err(Fault::new(
                Code::ModelBadAnswer,
                "the provider's stream ended before its answer did",
            )),
            Err(_) => Err(Fault::new(Code::DeadlineExceeded, "the answer took longer than the call had")),
        };
        let result = item.map(|done| *done);
        let closed = entry.close(outcome(&result, state.keep)).await;
        Some((closed.and(result).map(|done| ModelEvent::Done(Box::new(done))), state))
    }))
}

/// How long a model call may take where nobody says.
pub(super) const DEFAULT_TIMEOUT: Duration = Duration::from_secs(120);
