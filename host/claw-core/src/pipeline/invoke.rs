//! The door of every capability and every skill: entry opened, input checked, decided, run,
//! output checked, entry closed, and only then answered.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use futures::StreamExt as _;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::complete::{CAPABILITY as INFERENCE, DEFAULT_TIMEOUT, refused, until};
use super::contract::{check_input, check_output};
use super::{Complete, Completer, Imports};
use crate::audit::{Body, Intent, Level, OpenEntry, Outcome, Status};
use crate::capability::{Payload, SkillRef, Target};
use crate::draft::{Approval, Draft, not_as_shown};
use crate::errors::{Code, Fault};
use crate::grants::Access;
use crate::ids::{InvocationId, TraceParent};
use crate::journal::Recorder;
use crate::keys::KeyScope;
use crate::model::{CompletionRequest, Message, ModelEvent, Role};
use crate::policy::{Decided, Decision, Permit, Policy, Question, now_s};
use crate::ports::{
    AuditLog, Capabilities, Capability, CapabilityCall, Claim, Drafts, Effects, Idempotency, IdempotencyKey, Kept, LiveSkill,
    OutputEvent, Run, Skills, World,
};

/// One call of a capability by a caller.
pub struct Invocation {
    /// Its id.
    pub id: InvocationId,
    /// The invocation that makes it.
    pub parent: Option<InvocationId>,
    /// Its trace.
    pub trace: TraceParent,
    /// Who calls, as identified; never a credential.
    pub caller: String,
    /// The key that the caller presented, where that is a service's.
    pub key: Option<Arc<KeyScope>>,
    /// The skill whose sandbox makes it.
    pub skill: Option<String>,
    /// How many calls lie above it.
    pub depth: u8,
    /// What is called.
    pub target: Target,
    /// What goes in.
    pub input: Payload,
    /// When it is given up; absent, the target's own limit.
    pub deadline: Option<Instant>,
    /// Two calls with the same key count as one.
    pub idempotency_key: Option<String>,
    /// Where progress and partial results go.
    pub events: Option<mpsc::Sender<OutputEvent>>,
    /// Somebody approved it, where it was held.
    pub approval: Option<Approval>,
}

/// The answer of an invocation.
#[derive(Clone, Debug)]
pub struct Output {
    /// The invocation.
    pub id: InvocationId,
    /// What ran, with its version.
    pub ran: String,
    /// The answer.
    pub payload: Payload,
    /// Some of it was made by the offline provider.
    pub offline: bool,
    /// The stored answer of an earlier call with the same key.
    pub replayed: bool,
    /// It is a draft.
    pub draft: bool,
}

/// Both doors, for those who hold them.
pub struct Doors {
    /// The door of model calls.
    pub completer: Completer,
    invoker: Invoker,
}

impl Doors {
    /// Both doors.
    pub fn new(completer: Completer, invoker: Invoker) -> Arc<Self> {
        Arc::new(Doors { completer, invoker })
    }

    /// The door of capabilities and skills.
    pub fn invoker(self: &Arc<Self>) -> OpenDoor<'_> {
        OpenDoor {
            doors: self,
            invoker: &self.invoker,
        }
    }
}

/// The collaborators of [`OpenDoor::invoke`].
pub struct Invoker {
    /// Where entries go.
    pub audit: Arc<dyn AuditLog>,
    /// What decides.
    pub policy: Arc<ArcSwap<Policy>>,
    /// What is live.
    pub skills: Arc<dyn Skills>,
    /// What this host can do itself.
    pub capabilities: Arc<dyn Capabilities>,
    /// Answers kept by key.
    pub idempotency: Arc<dyn Idempotency>,
    /// What waits for approval.
    pub drafts: Arc<dyn Drafts>,
    /// How durable the intent of a skill is before its answer leaves. What it does outside is
    /// recorded by itself, at its own level.
    pub level: Level,
}

/// The invoker, with the doors that the sandboxes it starts go through.
#[derive(Clone, Copy)]
pub struct OpenDoor<'a> {
    doors: &'a Arc<Doors>,
    invoker: &'a Invoker,
}

/// What a target turned out to be.
enum Found {
    Skill(LiveSkill),
    Capability(Arc<dyn Capability>, Effects),
    Inference,
}

impl Found {
    fn effects(&self) -> Effects {
        match self {
            // What a skill or a model call does outside is asked about where it does it.
            Found::Skill(_) | Found::Inference => Effects::None,
            Found::Capability(_, effects) => *effects,
        }
    }
}

/// What was decided about a call of what was found.
struct Way {
    found: Found,
    go: Go,
}

/// Whether it is made.
enum Go {
    Now(Permit),
    /// It waits for approval, of what the value says.
    Later(Decision, Value),
}

impl Way {
    fn decision(&self) -> &Decision {
        match &self.go {
            Go::Now(permit) => permit.decision(),
            Go::Later(decision, _) => decision,
        }
    }

    fn draft(&self) -> bool {
        match &self.go {
            Go::Now(permit) => permit.draft(),
            Go::Later(..) => true,
        }
    }
}

/// What a call leaves for its entry and its answer.
struct Trail {
    /// Its effects. Empty until something of it was done.
    journal: Arc<Recorder>,
    /// It is a stored answer.
    replayed: bool,
}

impl OpenDoor<'_> {
    /// What a caller's text means: `skill:x`, a capability of this host, or a skill.
    ///
    /// # Errors
    /// [`Code::InvalidInput`] where it is no name.
    pub fn target(&self, text: &str) -> Result<Target, Fault> {
        let bad = |error: crate::capability::NotAName| Fault::new(Code::InvalidInput, error.to_string());
        if text.starts_with("skill:") || text == INFERENCE || self.invoker.capabilities.find(text).is_some() {
            return text.parse().map_err(bad);
        }
        text.parse::<SkillRef>().map(Target::Skill).map_err(bad)
    }

    pub(super) fn collaborators(&self) -> &Invoker {
        self.invoker
    }

    /// Whether a call may change something outside, as far as can be said before it is made.
    pub(super) fn may_act(&self, target: &Target, input: &Payload) -> bool {
        match target {
            Target::Skill(_) => true,
            Target::Capability(name) => match self.invoker.capabilities.find(name) {
                Some(capability) => capability.classify(input).is_ok_and(|effects| effects == Effects::Act),
                None => false,
            },
        }
    }

    /// Puts on record a call that was refused before it came to the door, and gives the refusal
    /// back.
    pub(super) async fn refuse(&self, call: Invocation, fault: Fault) -> Fault {
        let policy = self.invoker.policy.load_full();
        let decided = Err(fault.clone());
        let written = match OpenEntry::open(&*self.invoker.audit, intent(&call, &policy, &decided, self.invoker.level)) {
            Ok(entry) => entry.close(Outcome::failed(&fault)).await,
            Err(unavailable) => Err(unavailable),
        };
        written.err().unwrap_or(fault)
    }

    /// One invocation.
    ///
    /// # Errors
    /// Any [`Code`]. Every call that got as far as an id is in the audit journal, whatever
    /// became of it.
    pub async fn invoke(&self, call: Invocation) -> Result<Output, Fault> {
        let policy = self.invoker.policy.load_full();
        let decided = self.decide(&policy, &call);
        let mut entry = OpenEntry::open(&*self.invoker.audit, intent(&call, &policy, &decided, self.invoker.level))?;
        let mut trail = Trail {
            journal: Arc::new(Recorder::new()),
            replayed: false,
        };
        if matches!(&decided, Ok(way) if matches!(way.found, Found::Skill(_))) {
            entry.attach(trail.journal.clone(), policy.keep_bodies());
        }
        let result = match decided {
            Ok(way) => self.run(&call, &way, &mut entry, &mut trail).await,
            Err(fault) => Err(fault),
        };
        entry.close(outcome(&result, &trail, policy.keep_bodies())).await?;
        result
    }

    fn decide(&self, policy: &Policy, call: &Invocation) -> Result<Way, Fault> {
        if let Some(key) = call.key.as_deref().filter(|_| call.depth == 0) {
            key.check_target(&call.target)?;
            self.doors.completer.budgets.admit(key)?;
        }
        let found = self.find(call)?;
        let question = Question {
            caller: &call.caller,
            capability: &call.target.to_string(),
            effects: found.effects(),
            depth: call.depth,
            skill: call.skill.as_deref(),
            key: call.key.as_ref().map(|key| key.id.as_str()),
            at_s: now_s(),
            approval: call.approval.as_ref(),
        };
        if let (Some(approval), Found::Capability(capability, _)) = (&call.approval, &found) {
            let act = capability.act(&call.input)?;
            if Draft::hash_of(approval.draft, question.capability, &call.input, &act) != approval.hash {
                return Err(not_as_shown(approval.draft));
            }
        }
        let go = match (policy.decide(&question)?, &found) {
            (Decided::Allowed(permit), _) => Go::Now(permit),
            (Decided::Held(decision), Found::Capability(capability, _)) => Go::Later(decision, capability.act(&call.input)?),
            (Decided::Held(decision), Found::Skill(_) | Found::Inference) => Go::Later(decision, call.input.to_json()),
        };
        Ok(Way { found, go })
    }

    fn find(&self, call: &Invocation) -> Result<Found, Fault> {
        match &call.target {
            Target::Skill(skill) => self.invoker.skills.resolve(skill).map(Found::Skill),
            Target::Capability(name) if name == INFERENCE => Ok(Found::Inference),
            Target::Capability(name) => match self.invoker.capabilities.find(name) {
                Some(capability) => {
                    let effects = capability.classify(&call.input)?;
                    Ok(Found::Capability(capability, effects))
                }
                None => Err(Fault::new(Code::NotFound, format!("no capability `{name}` on this host"))
                    .hint("`claw config show capabilities` lists what there is; `capabilities.yaml` adds to it")),
            },
        }
    }

    async fn run(&self, call: &Invocation, way: &Way, entry: &mut OpenEntry, trail: &mut Trail) -> Result<Output, Fault> {
        let found = &way.found;
        let ran = ran(call, found);
        let deadline = deadline(call, found);
        let draft = way.draft();
        if let Found::Skill(skill) = found {
            check_input(&skill.component.facts().manifest, &call.input)?;
        }
        let answer = |kept: Kept, replayed: bool| Output {
            id: call.id,
            ran: ran.clone(),
            payload: kept.payload,
            offline: kept.offline,
            replayed,
            draft,
        };
        let Some(key) = &call.idempotency_key else {
            let kept = self.dispatch(call, way, deadline, entry, trail).await?;
            return Ok(answer(kept, false));
        };
        let key = IdempotencyKey {
            caller: call.caller.clone(),
            target: ran.clone(),
            key: key.clone(),
        };
        // A key is claimed only for a call that is on record.
        entry.recorded().await?;
        match self.invoker.idempotency.claim(key, &call.input.to_bytes(), deadline).await? {
            Claim::Fresh(claimed) => {
                let result = self.dispatch(call, way, deadline, entry, trail).await;
                match &result {
                    // What may be tried again, may be tried again with the same key.
                    Err(fault) if passes(fault.code) && is_safe_again(found, trail) => claimed.release().await,
                    Ok(_) | Err(_) => claimed.store(&result).await?,
                }
                result.map(|kept| answer(kept, false))
            }
            Claim::Stored(kept) => {
                trail.replayed = true;
                kept.map(|kept| answer(kept, true))
            }
            Claim::Refused(fault) => Err(fault),
        }
    }

    async fn dispatch(
        &self,
        call: &Invocation,
        way: &Way,
        deadline: Instant,
        entry: &mut OpenEntry,
        trail: &mut Trail,
    ) -> Result<Kept, Fault> {
        let permit = match &way.go {
            Go::Now(permit) => permit,
            Go::Later(decision, act) => {
                entry.recorded().await?;
                return Err(self.hold(call, decision, act).await);
            }
        };
        match &way.found {
            Found::Skill(skill) => {
                let writes = skill.grants.files.values().any(|files| files.access == Access::ReadWrite);
                if writes || call.events.is_some() {
                    // Its own hands reach the disk, or its words the caller, before its answer does.
                    entry.recorded().await?;
                }
                let payload = self.run_skill(call, permit, skill, deadline, &trail.journal).await?;
                let offline = trail.journal.offline();
                Ok(Kept { payload, offline })
            }
            Found::Capability(capability, _) => {
                // What acts outside is on the disk before it begins.
                entry.recorded().await?;
                let input = call.input.clone();
                let payload = until(deadline, capability.invoke(permit, CapabilityCall { input, deadline })).await?;
                Ok(Kept { payload, offline: false })
            }
            Found::Inference => self.infer(call, deadline).await,
        }
    }

    async fn run_skill(
        &self,
        call: &Invocation,
        permit: &Permit,
        skill: &LiveSkill,
        deadline: Instant,
        journal: &Arc<Recorder>,
    ) -> Result<Payload, Fault> {
        let facts = skill.component.facts();
        let imports = Imports {
            doors: self.doors.clone(),
            parent: call.id,
            trace: call.trace,
            caller: call.caller.clone(),
            key: call.key.clone(),
            depth: call.depth.saturating_add(1),
            skill: facts.manifest.name.clone(),
            grants: skill.grants.clone(),
            journal: journal.clone(),
            deadline,
        };
        let run = Run {
            id: call.id,
            caller: call.caller.clone(),
            trace: call.trace,
            input: call.input.clone(),
            idempotency_key: call.idempotency_key.clone(),
            deadline,
            grants: skill.grants.clone(),
            limits: facts.manifest.limits.clone(),
            config: skill.config.clone(),
            host: Arc::new(imports),
            journal: journal.clone(),
            events: call.events.clone(),
            world: World::Live,
        };
        let payload = skill.component.run(permit, run).await?;
        check_output(&facts.manifest, &payload)?;
        Ok(payload)
    }

    async fn infer(&self, call: &Invocation, deadline: Instant) -> Result<Kept, Fault> {
        let (use_name, request) = inference_request(&call.input)?;
        let complete = Complete {
            admitted: false,
            id: InvocationId::generate(),
            parent: Some(call.id),
            trace: call.trace.child(),
            caller: call.caller.clone(),
            key: call.key.clone(),
            skill: call.skill.clone(),
            depth: call.depth.saturating_add(1),
            use_name,
            context: Vec::new(),
            deadline,
        };
        let done = match &call.events {
            None => self.doors.completer.complete(&complete, request).await?.completion,
            Some(events) => {
                let mut stream = self.doors.completer.stream(&complete, request).await?;
                loop {
                    match stream.next().await {
                        Some(Ok(ModelEvent::TextDelta(text))) => {
                            // Nobody listens any more: the call is dropped with its caller.
                            let _ = events.send(OutputEvent::Chunk { text }).await;
                        }
                        Some(Ok(ModelEvent::ToolCall(_))) => {}
                        Some(Ok(ModelEvent::Done(done))) => break *done,
                        Some(Err(fault)) => return Err(fault),
                        None => return Err(Fault::internal()),
                    }
                }
            }
        };
        let payload = Payload::Json(json!({
            "text": done.message.joined_text(),
            "model": done.model,
            "provider": done.provider,
            "finish": done.finish,
            "usage": done.usage,
            "offline": done.offline,
        }));
        Ok(Kept {
            payload,
            offline: done.offline,
        })
    }
}

/// Whether a failure says nothing about the next attempt.
fn passes(code: Code) -> bool {
    matches!(
        code,
        Code::Overloaded
            | Code::AuditUnavailable
            | Code::DeadlineExceeded
            | Code::GrantMissing
            | Code::GrantUndeclared
            | Code::PolicyDenied
            | Code::PolicyUnavailable
            | Code::KeyScope
            | Code::KeyRateLimited
            | Code::BudgetExceeded
            | Code::ContextUnavailable
            | Code::ModelAuth
            | Code::ModelRateLimited
            | Code::ModelTimeout
            | Code::ModelUnavailable
    )
}

/// Nothing outside can have been changed by the attempt, or its skill says that changing it
/// twice changes it once.
fn is_safe_again(found: &Found, trail: &Trail) -> bool {
    match found {
        Found::Skill(skill) => skill.component.facts().manifest.idempotent || !trail.journal.has_acted(),
        Found::Capability(_, Effects::None) | Found::Inference => true,
        Found::Capability(_, Effects::Act) => false,
    }
}

fn outcome(result: &Result<Output, Fault>, trail: &Trail, keep: bool) -> Outcome {
    let mut outcome = match result {
        Ok(output) => Outcome {
            offline: output.offline,
            draft: output.draft,
            response: Body {
                bytes: output.payload.to_bytes(),
                keep,
            },
            ..Outcome::of(Status::Ok)
        },
        Err(fault) => Outcome::failed(fault),
    };
    outcome.replayed = trail.replayed;
    outcome
}

fn intent(call: &Invocation, policy: &Policy, decided: &Result<Way, Fault>, level: Level) -> Intent {
    let found = decided.as_ref().ok().map(|way| &way.found);
    let facts = found.and_then(|found| match found {
        Found::Skill(skill) => Some(skill.component.facts()),
        Found::Capability(..) | Found::Inference => None,
    });
    let level = match found {
        Some(Found::Capability(..)) => Level::Power,
        Some(Found::Skill(_) | Found::Inference) | None => level,
    };
    Intent {
        id: call.id,
        parent: call.parent,
        trace_id: call.trace.trace_id(),
        span: Some(call.trace),
        caller: call.caller.clone(),
        key: call.key.as_ref().map(|key| key.id.clone()),
        skill: call.skill.clone(),
        api: None,
        capability: match &call.target {
            Target::Skill(skill) => format!("skill:{}", skill.name),
            Target::Capability(name) => name.clone(),
        },
        version: facts.map(|facts| facts.version.clone()),
        component_sha256: facts.map(|facts| facts.sha256.clone()),
        model_use: None,
        model: None,
        provider: None,
        context: Vec::new(),
        reserved_nanousd: None,
        policy: match decided {
            Ok(way) => way.decision().clone(),
            Err(fault) => refused(policy.decision(), fault),
        },
        level,
        request: Body {
            bytes: call.input.to_bytes(),
            keep: policy.keep_bodies(),
        },
    }
}

fn ran(call: &Invocation, found: &Found) -> String {
    match found {
        Found::Skill(skill) => {
            let facts = skill.component.facts();
            format!("{}@{}", facts.manifest.name, facts.version)
        }
        Found::Capability(..) | Found::Inference => call.target.to_string(),
    }
}

fn deadline(call: &Invocation, found: &Found) -> Instant {
    let own = match found {
        Found::Skill(skill) => Duration::from_millis(skill.component.facts().manifest.limits.timeout_ms),
        Found::Capability(..) | Found::Inference => DEFAULT_TIMEOUT,
    };
    let own = Instant::now() + own;
    call.deadline.map_or(own, |asked| asked.min(own))
}

/// `{prompt | messages, use? | model?, system?, max_tokens?}` as a model call.
pub(super) fn inference_request(input: &Payload) -> Result<(String, CompletionRequest), Fault> {
    #[derive(serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inference {
        prompt: Option<String>,
        system: Option<String>,
        #[serde(default)]
        messages: Vec<Simple>,
        model: Option<String>,
        #[serde(rename = "use")]
        use_name: Option<String>,
        max_tokens: Option<u32>,
        temperature: Option<f32>,
    }
    #[derive(serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Simple {
        role: Role,
        content: String,
    }
    let bad = |message: String| {
        Fault::new(Code::InvalidInput, message).hint(
            "`llm.inference` takes {prompt | messages: [{role, content}], use? | model?, system?, max_tokens?, temperature?}",
        )
    };
    let Payload::Json(value) = input else {
        return Err(bad("`llm.inference` takes one JSON object".to_owned()));
    };
    let asked: Inference = serde_json::from_value(value.clone()).map_err(|error| bad(error.to_string()))?;
    let system = asked.system.map(|text| Message::text(Role::System, text));
    let prompt = asked.prompt.map(|text| Message::text(Role::User, text));
    let spoken = asked
        .messages
        .into_iter()
        .map(|message| Message::text(message.role, message.content));
    let messages: Vec<Message> = system.into_iter().chain(spoken).chain(prompt).collect();
    if messages.is_empty() {
        return Err(bad("give `prompt` or `messages`".to_owned()));
    }
    let request = CompletionRequest {
        messages,
        max_tokens: asked.max_tokens,
        temperature: asked.temperature,
        ..CompletionRequest::default()
    };
    Ok((
        asked.use_name.or(asked.model).unwrap_or_else(|| "general".to_owned()),
        request,
    ))
}
