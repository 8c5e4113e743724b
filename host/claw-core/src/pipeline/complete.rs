//! The door of every model call: decided, paid for, then asked upstream while its intent is
//! being recorded; no byte of an answer leaves before it is. Never names a provider itself.

mod asked;
mod held;
mod wire;

use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use futures::StreamExt as _;

use crate::audit::{Body, Intent, Level, OpenEntry, Outcome, Status};
use crate::budget::Ceiling;
use crate::context::ContextUse;
use crate::errors::{Code, Fault};
use crate::ids::{InvocationId, TraceParent};
use crate::keys::KeyScope;
use crate::meter::Meter;
use crate::model::{Completion, CompletionRequest, Embeddings, ModelEvent, ModelRoute, ModelStream};
use crate::pii::restored;
use crate::policy::{Changed, Decision, ModelQuestion, Permit, Policy, Question, now_s};
use crate::ports::{AuditLog, Budgets, Effects, EmbedCall, ModelCall, Models, Spender};
use crate::routing::{Kind, ModelListing, Plan, Wanted};

use asked::{Asked, Texted};
use held::Held;

pub use wire::{Answered, AnsweredBody, ByteStream, Said};

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
    /// The key that the caller presented.
    pub key: Option<Arc<KeyScope>>,
    /// The skill whose sandbox makes it.
    pub skill: Option<String>,
    /// How many calls lie above it.
    pub depth: u8,
    /// A use, an alias, an entry of `models.yaml`, or a model.
    pub use_name: String,
    /// [`Completer::admit`] has let it in.
    pub admitted: bool,
    /// What it was given beside its own words.
    pub context: Vec<ContextUse>,
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
    /// It is a draft.
    pub draft: bool,
}

/// The collaborators of the door.
pub struct Completer {
    /// Where entries go.
    pub audit: Arc<dyn AuditLog>,
    /// What decides.
    pub policy: Arc<ArcSwap<Policy>>,
    /// Who answers.
    pub models: Arc<dyn Models>,
    /// Who may still spend.
    pub budgets: Arc<dyn Budgets>,
    /// How durable an intent is before its answer leaves.
    pub level: Level,
}

/// A call that was decided about and whose intent is on its way to the journal.
struct Begun {
    entry: OpenEntry,
    granted: Granted,
    meter: Arc<Meter>,
    keep: bool,
}

/// A call that may be made: by whom, on whom, and with whose money.
struct Granted {
    permit: Permit,
    plan: Plan,
    held: Held,
}

/// What policy would say about a call, and who would serve it.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Explained {
    /// Who would be tried, in order, and who would not.
    pub plan: Plan,
    /// What policy decides.
    pub policy: Decision,
    /// The answer would be a draft.
    pub draft: bool,
    /// Where something is taken out of the call, the words of its messages as they would be sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sent: Option<Vec<String>>,
}

impl Completer {
    /// Everything that a caller can name.
    pub fn list(&self) -> Vec<ModelListing> {
        self.models.list()
    }

    /// The offline provider would answer this use now.
    pub fn is_offline(&self, use_name: &str) -> bool {
        let wanted = Wanted {
            name: use_name,
            kind: Kind::Completion,
            input_tokens: 0,
            output_tokens: None,
            answers: 1,
            fits_schema: false,
        };
        let plan = self.models.plan(&wanted);
        plan.is_ok_and(|plan| plan.candidates.first().is_some_and(|first| first.route.offline))
    }

    /// What would become of a call, without making it. It is not recorded, and nothing is
    /// reserved for it.
    ///
    /// # Errors
    /// What the call would fail with before it is sent.
    pub fn explain(&self, call: &Complete, request: &CompletionRequest) -> Result<Explained, Fault> {
        explain(&self.policy.load(), &*self.models, call, request, now_s())
    }

    /// One completion, whole.
    ///
    /// # Errors
    /// A `model.*`, `policy.*`, `key.*` or `budget.*` code, or [`Code::AuditUnavailable`].
    pub async fn complete(&self, call: &Complete, request: CompletionRequest) -> Result<Completed, Fault> {
        let Begun {
            mut entry,
            granted,
            meter,
            keep,
        } = self.begin(call, &request).await?;
        let Changed { request, vault } = match changed(&granted.permit, request) {
            Ok(changed) => changed,
            Err(fault) => return refuse_open(entry, granted, fault).await,
        };
        let upstream = self.models.complete(
            &granted.permit,
            &granted.plan,
            ModelCall {
                request,
                deadline: call.deadline,
                meter,
            },
        );
        let (recorded, result) = tokio::join!(entry.recorded(), until(call.deadline, upstream));
        let mut result = recorded.and(result);
        if let (Ok(completion), Some(vault)) = (&mut result, vault) {
            vault.restore_completion(completion);
        }
        let draft = granted.permit.draft();
        granted.held.settle();
        entry.close(outcome(&result, keep, draft)).await?;
        Ok(Completed {
            id: call.id,
            completion: result?,
            draft,
        })
    }

    /// One completion, event by event. The stream owns the permit, the reservation and the
    /// audit entry.
    ///
    /// # Errors
    /// As [`Completer::complete`]; later ones are the stream's last item.
    pub async fn stream(&self, call: &Complete, request: CompletionRequest) -> Result<ModelStream, Fault> {
        let Begun {
            mut entry,
            granted,
            meter,
            keep,
        } = self.begin(call, &request).await?;
        let Changed { request, vault } = match changed(&granted.permit, request) {
            Ok(changed) => changed,
            Err(fault) => return refuse_open(entry, granted, fault).await,
        };
        let upstream = self.models.stream(
            &granted.permit,
            &granted.plan,
            ModelCall {
                request,
                deadline: call.deadline,
                meter,
            },
        );
        let (recorded, result) = tokio::join!(entry.recorded(), until(call.deadline, upstream));
        match recorded.and(result) {
            Ok(inner) => {
                let inner = match vault {
                    Some(vault) => restored(inner, vault),
                    None => inner,
                };
                Ok(audited(inner, entry, granted, call.deadline, keep))
            }
            Err(fault) => {
                granted.held.settle();
                entry.close(Outcome::failed(&fault)).await?;
                Err(fault)
            }
        }
    }

    /// Texts to vectors.
    ///
    /// # Errors
    /// As [`Completer::complete`].
    pub async fn embed(&self, call: &Complete, mut texts: Vec<String>) -> Result<Embeddings, Fault> {
        let Begun {
            mut entry,
            granted,
            meter,
            keep,
        } = self.begin(call, &Texted(&texts)).await?;
        let redacted = granted
            .permit
            .redaction()
            .map_or(Ok(()), |redaction| redaction.texts(&mut texts));
        if let Err(fault) = redacted {
            return refuse_open(entry, granted, fault).await;
        }
        let upstream = self.models.embed(
            &granted.permit,
            &granted.plan,
            EmbedCall {
                texts,
                deadline: call.deadline,
                meter,
            },
        );
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
        granted.held.settle();
        entry.close(outcome).await?;
        result
    }

    /// Lets a call in whose key may make it, and has not made too many. Whoever does work for a
    /// call before it comes to the door asks first, and marks the call as admitted.
    ///
    /// # Errors
    /// A `key.*` code.
    pub fn admit(&self, call: &Complete) -> Result<(), Fault> {
        let Some(key) = &call.key else { return Ok(()) };
        // What a skill asks of models is its own grants' matter.
        if call.skill.is_none() {
            key.check_use(&call.use_name)?;
        }
        if call.depth == 0 {
            self.budgets.admit(key)?;
        }
        Ok(())
    }

    async fn begin(&self, call: &Complete, asked: &dyn Asked) -> Result<Begun, Fault> {
        let policy = self.policy.load();
        let keep = policy.keep_bodies();
        let meter = Arc::new(Meter::of(call.trace));
        let decided = self.grant(&policy, call, asked, &meter);
        let known = decided.as_ref().ok().and_then(|granted| granted.plan.candidates.first());
        let decision = match &decided {
            Ok(granted) => granted.held.noted(granted.permit.decision()),
            Err(fault) => refused(policy.decision(), fault),
        };
        let mut intent = self.intent(call, asked, keep, decision, known.map(|candidate| &candidate.route));
        intent.reserved_nanousd = decided.as_ref().ok().and_then(|granted| granted.plan.ceiling_nanousd());
        let mut entry = OpenEntry::open(&*self.audit, intent)?;
        match decided {
            Ok(granted) => {
                entry.attach_meter(meter.clone());
                Ok(Begun {
                    entry,
                    granted,
                    meter,
                    keep,
                })
            }
            Err(fault) => {
                entry.close(Outcome::failed(&fault)).await?;
                Err(fault)
            }
        }
    }

    fn intent(&self, call: &Complete, asked: &dyn Asked, keep: bool, policy: Decision, route: Option<&ModelRoute>) -> Intent {
        Intent {
            id: call.id,
            parent: call.parent,
            trace_id: call.trace.trace_id(),
            span: Some(call.trace),
            caller: call.caller.clone(),
            key: call.key.as_ref().map(|key| key.id.clone()),
            skill: call.skill.clone(),
            api: asked.api(),
            capability: asked.capability().to_owned(),
            version: None,
            component_sha256: None,
            model_use: Some(call.use_name.chars().take(128).collect()),
            model: route.map(|route| route.model.clone()),
            provider: route.map(|route| route.provider.clone()),
            context: call.context.clone(),
            reserved_nanousd: None,
            policy,
            level: self.level,
            request: Body {
                bytes: asked.body(),
                keep,
            },
        }
    }

    fn grant(&self, policy: &Policy, call: &Complete, asked: &dyn Asked, meter: &Arc<Meter>) -> Result<Granted, Fault> {
        if !call.admitted {
            self.admit(call)?;
        }
        let (permit, plan) = decide(policy, &*self.models, call, asked, now_s())?;
        let spender = Spender {
            id: call.id,
            caller: &call.caller,
            key: call.key.as_deref(),
            skill: call.skill.as_deref(),
            use_name: &call.use_name,
        };
        let reserved = self.budgets.reserve(&spender, Ceiling::of(&plan))?;
        Ok(Granted {
            permit,
            plan,
            held: Held::new(reserved, meter.clone()),
        })
    }
}

/// What would become of a call at a time, in seconds since 1970, without making it.
///
/// # Errors
/// What the call would fail with before it is sent.
pub fn explain(
    policy: &Policy,
    models: &dyn Models,
    call: &Complete,
    request: &CompletionRequest,
    at_s: i64,
) -> Result<Explained, Fault> {
    let (permit, plan) = decide(policy, models, call, request, at_s)?;
    let sent = match permit.redaction() {
        None => None,
        Some(redaction) => {
            let sent = redaction.request(request.clone())?.request;
            Some(sent.messages.iter().map(crate::model::Message::joined_text).collect())
        }
    };
    Ok(Explained {
        plan,
        draft: permit.draft(),
        policy: permit.decision().clone(),
        sent,
    })
}

/// What policy decides about a call, and who serves it then.
fn decide(policy: &Policy, models: &dyn Models, call: &Complete, asked: &dyn Asked, at_s: i64) -> Result<(Permit, Plan), Fault> {
    let wanted = |name| Wanted {
        name,
        kind: asked.kind(),
        input_tokens: asked.input_tokens(),
        output_tokens: asked.output_tokens(),
        answers: asked.answers(),
        fits_schema: asked.fits_schema(),
    };
    let mut plan = models.plan(&wanted(&call.use_name))?;
    let question = Question {
        caller: &call.caller,
        capability: asked.capability(),
        effects: Effects::None,
        depth: call.depth,
        skill: call.skill.as_deref(),
        key: call.key.as_ref().map(|key| key.id.as_str()),
        at_s,
        approval: None,
    };
    let model = ModelQuestion {
        use_name: &call.use_name,
        plan: &plan,
        texts: asked,
    };
    let mut permit = policy.permit_model(&question, &model)?;
    if let Some(name) = permit.served_by().map(str::to_owned) {
        plan = models.plan(&wanted(&name)).map_err(|fault| nobody(&name, &fault))?;
        let model = ModelQuestion {
            use_name: &call.use_name,
            plan: &plan,
            texts: asked,
        };
        permit = policy.permit_rerouted(&question, &model, permit)?;
    }
    plan.hold_to(|route| permit.check(route).map_err(|refused| refused.message));
    if plan.candidates.is_empty() {
        let mut why = plan.passed_over.iter().map(|passed| passed.why.as_str());
        let message = why.next().unwrap_or("nobody may serve the call").to_owned();
        return Err(Fault::new(Code::PolicyDenied, message)
            .hint("`claw models explain` says who would serve a call, and why others would not"));
    }
    Ok((permit, plan))
}

/// A request without what policy takes out of it.
fn changed(permit: &Permit, request: CompletionRequest) -> Result<Changed<CompletionRequest>, Fault> {
    match permit.redaction() {
        Some(redaction) => redaction.request(request),
        None => Ok(Changed::not_at_all(request)),
    }
}

/// Ends a call that was begun and must not be sent.
async fn refuse_open<T>(entry: OpenEntry, granted: Granted, fault: Fault) -> Result<T, Fault> {
    granted.held.settle();
    entry.close(Outcome::failed(&fault)).await?;
    Err(fault)
}

/// Policy sends a call to somebody who cannot serve it. It goes to nobody else.
fn nobody(name: &str, fault: &Fault) -> Fault {
    Fault::new(
        Code::PolicyDenied,
        format!("policy has `{name}` serve this call, and it cannot: {}", fault.message),
    )
    .hint(format!(
        "let an entry of models.yaml serve `{name}`; for personal data, a local one"
    ))
}

/// The decision as it is written down: with the policy that refused, if one did.
pub(super) fn refused(live: &Decision, fault: &Fault) -> Decision {
    let mut decision = live.clone();
    if matches!(fault.code, Code::PolicyDenied | Code::PolicyUnavailable | Code::LimitDepth) {
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

fn outcome(result: &Result<Completion, Fault>, keep: bool, draft: bool) -> Outcome {
    match result {
        Ok(done) => Outcome {
            model: Some(done.model.clone()),
            provider: Some(done.provider.clone()),
            usage: Some(done.usage),
            attempts: Some(done.attempts),
            offline: done.offline,
            draft,
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
    open: Option<(OpenEntry, Granted)>,
    deadline: Instant,
    keep: bool,
}

/// The stream, with its entry closed before the last event leaves; dropped before that, the
/// entry is `abandoned`, what was used so far is charged, and the call upstream is cancelled.
fn audited(inner: ModelStream, entry: OpenEntry, granted: Granted, deadline: Instant, keep: bool) -> ModelStream {
    let state = Audited {
        inner,
        open: Some((entry, granted)),
        deadline,
        keep,
    };
    Box::pin(futures::stream::unfold(state, |mut state| async move {
        let (entry, granted) = state.open.take()?;
        let next = tokio::time::timeout_at(state.deadline.into(), state.inner.next()).await;
        let item = match next {
            Ok(Some(Ok(ModelEvent::Done(done)))) => Ok(done),
            Ok(Some(Ok(event))) => {
                state.open = Some((entry, granted));
                return Some((Ok(event), state));
            }
            Ok(Some(Err(fault))) => Err(fault),
            Ok(None) => Err(ended_early()),
            Err(_) => Err(took_too_long()),
        };
        let result = item.map(|done| *done);
        let draft = granted.permit.draft();
        granted.held.settle();
        let closed = entry.close(outcome(&result, state.keep, draft)).await;
        Some((closed.and(result).map(|done| ModelEvent::Done(Box::new(done))), state))
    }))
}

fn ended_early() -> Fault {
    Fault::new(Code::ModelBadAnswer, "the provider's stream ended before its answer did")
}

fn took_too_long() -> Fault {
    Fault::new(Code::DeadlineExceeded, "the answer took longer than the call had")
}

/// How long a model call may take where nobody says.
pub(super) const DEFAULT_TIMEOUT: Duration = Duration::from_secs(120);
