#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use async_trait::async_trait;
use futures::StreamExt as _;
use serde_json::json;

use super::*;
use crate::audit::{Level, Status};
use crate::capability::{Payload, SkillRef, Target};
use crate::errors::{Code, Fault};
use crate::fakes::{MemoryAudit, MemoryDrafts, MemoryIdempotency, NoCapabilities};
use crate::grants::{GrantBook, Grants};
use crate::ids::{InvocationId, TraceParent};
use crate::manifest::{self, Origin};
use crate::model::{
    Completion, CompletionRequest, Embeddings, Finish, Message, ModelEvent, ModelRoute, ModelStream, Role, Usage,
};
use crate::policy::{Permit, PoliciesFile, Policy};
use crate::ports::{Component, EmbedCall, LiveSkill, ModelCall, Models, Run, SkillFacts, SkillStatus, Skills, Unlimited};
use crate::routing::{Candidate, ModelListing, Plan, Wanted};
use crate::wire::{WireAnswer, WireCall};

const SKILL_MD: &str = "---
name: counter
description: Counts its calls.
version: 1.0.0
metadata:
  claw:
    model: [general]
    capabilities: [\"skill:counter\", llm.inference]
    inputs: [{do: string}]
    outputs: [{result: string}]
---
";

/// A component in Rust: what it does is what its input says.
struct Counter {
    facts: SkillFacts,
    runs: Arc<AtomicUsize>,
}

#[async_trait]
impl Component for Counter {
    fn facts(&self) -> &SkillFacts {
        &self.facts
    }

    async fn run(&self, _permit: &Permit, run: Run) -> Result<Payload, Fault> {
        self.runs.fetch_add(1, Ordering::SeqCst);
        let Payload::Json(input) = &run.input else {
            return Err(Fault::internal());
        };
        let answer = |text: &str| Payload::Json(json!({ "result": text }));
        match input["do"].as_str().unwrap_or_default() {
            "answer" => Ok(answer("done")),
            "answer wrongly" => Ok(Payload::Json(json!({ "result": 3 }))),
            "fail" => Err(Fault::new(Code::SkillError, "it failed")),
            "wait" => std::future::pending().await,
            "ask" => {
                let (done, _) = run.host.complete("general", CompletionRequest::default()).await?;
                Ok(answer(&done.message.joined_text()))
            }
            "ask for more" => run
                .host
                .complete("secrets", CompletionRequest::default())
                .await
                .map(|_| answer("got it")),
            "infer by the side" => {
                let input = Payload::Json(json!({ "prompt": "x", "use": "secrets" }));
                run.host.invoke("llm.inference", input).await.map(|reply| reply.output)
            }
            "write and wait" => {
                run.journal.push(crate::journal::Effect::LogCap { dropped: 7 }, 8);
                std::future::pending().await
            }
            "circle" => run
                .host
                .invoke("skill:counter", run.input.clone())
                .await
                .map(|reply| reply.output),
            _ => Err(Fault::internal()),
        }
    }
}

struct One(LiveSkill);

impl Skills for One {
    fn resolve(&self, skill: &SkillRef) -> Result<LiveSkill, Fault> {
        if skill.name == "counter" {
            Ok(self.0.clone())
        } else {
            Err(Fault::new(Code::NotFound, "not live"))
        }
    }

    fn list(&self) -> Vec<SkillStatus> {
        Vec::new()
    }
}

/// Answers every model call, or never.
struct Parrot {
    hangs: bool,
}

fn completion() -> Completion {
    Completion {
        message: Message::text(Role::Assistant, "said"),
        finish: Finish::Stop,
        usage: Usage {
            input_tokens: 3,
            output_tokens: 1,
            ..Usage::default()
        },
        model: "parrot-1".into(),
        provider: "fake".into(),
        offline: false,
        attempts: 1,
    }
}

#[async_trait]
impl Models for Parrot {
    fn plan(&self, wanted: &Wanted<'_>) -> Result<Plan, Fault> {
        if wanted.name != "general" {
            return Err(Fault::new(Code::ModelNotConfigured, "no such use"));
        }
        let candidate = Candidate {
            route: ModelRoute {
                entry: "general".into(),
                provider: "fake".into(),
                model: "parrot".into(),
                local: true,
                offline: false,
            },
            why: String::new(),
            ceiling_nanousd: Some(0),
            hedged: false,
        };
        Ok(Plan {
            input_tokens: 0,
            name: wanted.name.into(),
            candidates: vec![candidate],
            passed_over: Vec::new(),
        })
    }

    fn list(&self) -> Vec<ModelListing> {
        Vec::new()
    }

    async fn complete(&self, _permit: &Permit, _plan: &Plan, _call: ModelCall) -> Result<Completion, Fault> {
        if self.hangs {
            std::future::pending().await
        } else {
            Ok(completion())
        }
    }

    async fn stream(&self, _permit: &Permit, _plan: &Plan, _call: ModelCall) -> Result<ModelStream, Fault> {
        let said = futures::stream::iter([Ok(ModelEvent::TextDelta("said".into()))]);
        if self.hangs {
            return Ok(Box::pin(said.chain(futures::stream::pending())));
        }
        Ok(Box::pin(said.chain(futures::stream::iter([Ok(ModelEvent::Done(Box::new(
            completion(),
        )))]))))
    }

    async fn embed(&self, _permit: &Permit, _plan: &Plan, _call: EmbedCall) -> Result<Embeddings, Fault> {
        Err(Fault::internal())
    }

    async fn forward(&self, _permit: &Permit, _plan: &Plan, _call: WireCall) -> Result<WireAnswer, Fault> {
        Err(Fault::internal())
    }
}

struct House {
    doors: Arc<Doors>,
    audit: MemoryAudit,
    runs: Arc<AtomicUsize>,
}

fn house(granted: bool, hangs: bool) -> House {
    let (manifest, _) = manifest::load(SKILL_MD.as_bytes(), &Origin::new("SKILL.md", None))
        .into_result()
        .unwrap();
    let mut book = GrantBook::default();
    if granted {
        let allowance = book.grants.entry("counter".into()).or_default();
        allowance.model.clone_from(&manifest.requests.model);
        allowance.capabilities.clone_from(&manifest.requests.capabilities);
    }
    let grants: Grants = book.intersect("counter", &manifest.requests);
    let runs = Arc::new(AtomicUsize::new(0));
    let facts = SkillFacts {
        version: manifest.version.to_string(),
        manifest: Arc::new(manifest),
        sha256: "00".into(),
        size: 1,
        imports: Vec::new(),
    };
    let component = Arc::new(Counter {
        facts,
        runs: runs.clone(),
    });
    let skills = Arc::new(One(LiveSkill {
        component,
        grants: Arc::new(grants),
        config: Arc::default(),
    }));
    let audit = MemoryAudit::default();
    let policy = Arc::new(ArcSwap::from_pointee(Policy::try_new(&PoliciesFile::default()).unwrap()));
    let log = Arc::new(audit.clone());
    let completer = Completer {
        audit: log.clone(),
        policy: policy.clone(),
        models: Arc::new(Parrot { hangs }),
        budgets: Arc::new(Unlimited),
        level: Level::Power,
    };
    let idempotency = Arc::new(MemoryIdempotency::default());
    let invoker = Invoker {
        audit: log,
        policy,
        skills,
        capabilities: Arc::new(NoCapabilities),
        idempotency,
        drafts: Arc::new(MemoryDrafts::default()),
        level: Level::Process,
    };
    House {
        doors: Doors::new(completer, invoker),
        audit,
        runs,
    }
}

fn call(target: &str, input: serde_json::Value) -> Invocation {
    Invocation {
        id: InvocationId::generate(),
        parent: None,
        trace: TraceParent::generate(),
        caller: "tester".into(),
        key: None,
        skill: None,
        depth: 0,
        target: target.parse::<Target>().unwrap(),
        input: Payload::Json(input),
        deadline: Some(Instant::now() + Duration::from_secs(30)),
        idempotency_key: None,
        events: None,
        approval: None,
    }
}

impl House {
    async fn invoke(&self, input: serde_json::Value) -> Result<Payload, Code> {
        let answer = self.doors.invoker().invoke(call("skill:counter", input)).await;
        answer.map(|output| output.payload).map_err(|fault| fault.code)
    }

    fn statuses(&self) -> Vec<(String, Option<Status>)> {
        let entries = self.audit.entries();
        entries
            .into_iter()
            .map(|(intent, outcome)| (intent.capability, outcome.map(|outcome| outcome.status)))
            .collect()
    }
}

#[tokio::test]
async fn every_end_of_a_call_is_in_the_journal_once() {
    let house = house(true, false);
    assert_eq!(
        house.invoke(json!({ "do": "answer" })).await,
        Ok(Payload::Json(json!({ "result": "done" })))
    );
    for (input, code) in [
        (json!({ "do": "fail" }), Code::SkillError),
        (json!({ "do": "answer wrongly" }), Code::SkillInvalidOutput),
        (json!({ "do": 3 }), Code::InvalidInput),
        (json!({}), Code::InvalidInput),
    ] {
        assert_eq!(house.invoke(input.clone()).await, Err(code), "{input}");
    }
    let unknown = house.doors.invoker().invoke(call("skill:nobody", json!({}))).await;
    assert_eq!(unknown.unwrap_err().code, Code::NotFound);
    let statuses: Vec<_> = house.statuses().into_iter().map(|(_, status)| status).collect();
    assert_eq!(statuses.len(), 6);
    assert_eq!(statuses.iter().filter(|status| **status == Some(Status::Ok)).count(), 1);
    assert_eq!(statuses.iter().filter(|status| **status == Some(Status::Error)).count(), 5);
}

#[tokio::test]
async fn a_caller_that_hangs_up_leaves_an_abandoned_entry() {
    let house = house(true, false);
    let mut waiting = Box::pin(house.invoke(json!({ "do": "write and wait" })));
    assert!(futures::poll!(&mut waiting).is_pending());
    assert_eq!(house.statuses().first().map(|(_, status)| *status), Some(None));
    drop(waiting);
    let entries = house.audit.entries();
    let journal = &entries.first().unwrap().1.as_ref().unwrap().journal.bytes;
    assert!(
        String::from_utf8_lossy(journal).contains("log_cap"),
        "what it did is not lost: {journal:?}"
    );
    assert_eq!(
        house.statuses().first().map(|(_, status)| *status),
        Some(Some(Status::Abandoned))
    );
}

#[tokio::test]
async fn nothing_is_answered_where_nothing_can_be_audited() {
    let house = house(true, false);
    house.audit.break_now();
    assert_eq!(house.invoke(json!({ "do": "answer" })).await, Err(Code::AuditUnavailable));
    let complete = Complete {
        admitted: false,
        id: InvocationId::generate(),
        parent: None,
        trace: TraceParent::generate(),
        caller: "tester".into(),
        key: None,
        skill: None,
        depth: 0,
        use_name: "general".into(),
        context: Vec::new(),
        deadline: Instant::now() + Duration::from_secs(30),
    };
    let answer = house.doors.completer.complete(&complete, CompletionRequest::default()).await;
    assert_eq!(answer.unwrap_err().code, Code::AuditUnavailable);
    let stream = house.doors.completer.stream(&complete, CompletionRequest::default()).await;
    assert_eq!(stream.err().map(|fault| fault.code), Some(Code::AuditUnavailable));
}

#[tokio::test]
async fn what_a_skill_calls_is_decided_and_recorded_again() {
    let house = house(true, false);
    assert_eq!(
        house.invoke(json!({ "do": "ask" })).await,
        Ok(Payload::Json(json!({ "result": "said" })))
    );
    let entries = house.audit.entries();
    let parent = entries
        .iter()
        .find(|(intent, _)| intent.capability == "skill:counter")
        .unwrap();
    let (child, outcome) = entries
        .iter()
        .find(|(intent, _)| intent.capability == "llm.inference")
        .unwrap();
    assert_eq!((child.parent, child.skill.as_deref()), (Some(parent.0.id), Some("counter")));
    assert_eq!(child.trace_id, parent.0.trace_id);
    assert_eq!((child.caller.as_str(), child.level), ("tester", Level::Power));
    assert_eq!(outcome.as_ref().unwrap().usage.unwrap().input_tokens, 3);
    let journal = String::from_utf8(parent.1.as_ref().unwrap().journal.bytes.to_vec()).unwrap();
    assert!(journal.contains(&child.id.to_string()), "{journal}");
}

#[tokio::test]
async fn grants_are_what_exists() {
    let allowed = house(true, false);
    assert_eq!(
        allowed.invoke(json!({ "do": "ask for more" })).await,
        Err(Code::GrantUndeclared)
    );
    let bare = house(false, false);
    assert_eq!(bare.invoke(json!({ "do": "ask" })).await, Err(Code::GrantMissing));
    let denied: Vec<_> = bare
        .audit
        .entries()
        .into_iter()
        .filter(|(intent, _)| intent.capability == "llm.inference")
        .collect();
    assert_eq!(denied.len(), 1, "a denied call is on record");
    assert!(
        denied
            .iter()
            .all(|(intent, outcome)| { intent.provider.is_none() && outcome.as_ref().unwrap().code == Some(Code::GrantMissing) })
    );
    let by_the_side = allowed.invoke(json!({ "do": "infer by the side" })).await;
    assert_eq!(by_the_side, Err(Code::GrantUndeclared));
}

#[tokio::test]
async fn a_circle_of_skills_ends() {
    let house = house(true, false);
    assert_eq!(house.invoke(json!({ "do": "circle" })).await, Err(Code::LimitDepth));
    assert!(house.statuses().iter().all(|(_, status)| *status == Some(Status::Error)));
}

#[tokio::test]
async fn a_deadline_ends_a_call_that_hangs() {
    let house = house(true, true);
    let mut hanging = call("skill:counter", json!({ "do": "ask" }));
    hanging.deadline = Some(Instant::now() + Duration::from_millis(20));
    let fault = house.doors.invoker().invoke(hanging).await.unwrap_err();
    assert_eq!(fault.code, Code::DeadlineExceeded);
    assert!(house.statuses().iter().all(|(_, status)| *status == Some(Status::Error)));
}

#[tokio::test]
async fn a_stream_owns_its_entry() {
    let asked = |house: &House| Complete {
        admitted: false,
        id: InvocationId::generate(),
        parent: None,
        trace: TraceParent::generate(),
        caller: "tester".into(),
        key: None,
        skill: None,
        depth: 0,
        use_name: "general".into(),
        context: Vec::new(),
        deadline: Instant::now() + Duration::from_secs(house.runs.load(Ordering::SeqCst) as u64 + 30),
    };
    let whole = house(true, false);
    let events: Vec<_> = whole
        .doors
        .completer
        .stream(&asked(&whole), CompletionRequest::default())
        .await
        .unwrap()
        .collect()
        .await;
    assert!(matches!(events.last(), Some(Ok(ModelEvent::Done(_)))));
    assert_eq!(whole.statuses().first().map(|(_, status)| *status), Some(Some(Status::Ok)));

    let torn = house(true, true);
    let mut stream = torn
        .doors
        .completer
        .stream(&asked(&torn), CompletionRequest::default())
        .await
        .unwrap();
    assert!(matches!(stream.next().await, Some(Ok(ModelEvent::TextDelta(_)))));
    drop(stream);
    assert_eq!(
        torn.statuses().first().map(|(_, status)| *status),
        Some(Some(Status::Abandoned))
    );
}

#[tokio::test]
async fn one_idempotency_key_runs_once() {
    let house = house(true, false);
    let first = keyed_call(&house, json!({ "do": "answer" })).await.unwrap();
    let second = keyed_call(&house, json!({ "do": "answer" })).await.unwrap();
    assert_eq!((first.replayed, second.replayed), (false, true));
    assert_eq!(first.payload, second.payload);
    assert_eq!(house.runs.load(Ordering::SeqCst), 1);
    let other = keyed_call(&house, json!({ "do": "fail" })).await;
    assert_eq!(other.unwrap_err().code, Code::IdempotencyMismatch);
}

async fn keyed_call(house: &House, input: serde_json::Value) -> Result<Output, Fault> {
    let mut call = call("skill:counter", input);
    call.idempotency_key = Some("k".into());
    house.doors.invoker().invoke(call).await
}

/// Two uses, each served by somebody else.
struct Two;

#[async_trait]
impl Models for Two {
    fn plan(&self, wanted: &Wanted<'_>) -> Result<Plan, Fault> {
        let provider = if wanted.name == "cheap" { "openai" } else { "anthropic" };
        let mut plan = Parrot { hangs: false }.plan(&Wanted {
            name: "general",
            ..*wanted
        })?;
        for candidate in &mut plan.candidates {
            candidate.route.provider = provider.into();
        }
        Ok(plan)
    }

    fn list(&self) -> Vec<ModelListing> {
        Vec::new()
    }

    async fn complete(&self, _permit: &Permit, _plan: &Plan, _call: ModelCall) -> Result<Completion, Fault> {
        Err(Fault::internal())
    }

    async fn stream(&self, _permit: &Permit, _plan: &Plan, _call: ModelCall) -> Result<ModelStream, Fault> {
        Err(Fault::internal())
    }

    async fn embed(&self, _permit: &Permit, _plan: &Plan, _call: EmbedCall) -> Result<Embeddings, Fault> {
        Err(Fault::internal())
    }

    async fn forward(&self, _permit: &Permit, _plan: &Plan, _call: WireCall) -> Result<WireAnswer, Fault> {
        Err(Fault::internal())
    }
}

#[test]
fn rules_about_a_provider_bind_whoever_a_route_leads_to() {
    let explained = |then: &str, text: &str| {
        let rules = format!(
            "policies:\n- {{name: move, match: {{use: chat}}, then: {{route: cheap}}, enforce: true}}\n- {{name: data, match: {{provider: \
             openai, data: '*'}}, then: {then}, enforce: true}}"
        );
        let policy = Policy::try_new(&serde_yaml::from_str(&rules).unwrap()).unwrap();
        let call = Complete {
            admitted: false,
            id: InvocationId::generate(),
            parent: None,
            trace: TraceParent::generate(),
            caller: "svc".into(),
            key: None,
            skill: None,
            depth: 0,
            use_name: "chat".into(),
            context: Vec::new(),
            deadline: Instant::now() + Duration::from_secs(5),
        };
        let request = CompletionRequest {
            messages: vec![Message::text(Role::User, text)],
            ..CompletionRequest::default()
        };
        explain(&policy, &Two, &call, &request, 0)
    };
    let clean = explained("deny", "hello").unwrap();
    assert_eq!(clean.plan.candidates.first().unwrap().route.provider, "openai");
    let private = "write to jane@example.com";
    assert_eq!(explained("deny", private).unwrap_err().code, Code::PolicyDenied);
    let sent = explained("{redact: [email]}", private).unwrap();
    assert_eq!(sent.sent.unwrap(), ["write to [EMAIL]"]);
    assert_eq!(*sent.policy.applied, ["move".into(), "data".into()]);
}
