//! Skills, a model and a process that do what a test wants, without any wasm.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use claw_core::capability::Target;
use claw_core::capability::{Payload, SkillRef};
use claw_core::context::Turn;
use claw_core::draft::{Draft, DraftId, DraftState};
use claw_core::errors::{Code, Fault};
use claw_core::grants::GrantBook;
use claw_core::ids::InvocationId;
use claw_core::manifest::{Origin, load};
use claw_core::model::{Completion, Embeddings, Finish, Message, ModelRoute, ModelStream, Role, Usage};
use claw_core::pipeline::{ContextFrom, ContextSource, Contexts, NoContexts};
use claw_core::policy::Permit;
use claw_core::ports::{
    Component, EmbedCall, LiveSkill, ModelCall, Models, OutputEvent, Run, SkillFacts, SkillState, SkillStatus, Skills,
};
use claw_core::routing::{Candidate, ModelListing, NameKind, Plan, Wanted};
use claw_core::wire::{WireAnswer, WireBody, WireCall, WireDone, WirePiece};
use futures::StreamExt as _;
use serde_json::{Value, json};
use tokio::sync::Notify;

use super::support::CANARY;
use crate::gateway::{Keys, NewKey, Operations};

/// What the fakes tell a test while they run.
#[derive(Default)]
pub(super) struct Signals {
    /// A skill that was told to wait is waiting.
    pub(super) waiting: Notify,
    /// A skill that was told to wait may go on.
    pub(super) go_on: Notify,
    /// How many events `flood` got rid of so far.
    pub(super) flooded: AtomicU64,
    /// `flood` met a full channel.
    pub(super) full: Notify,
    /// How many calls were run at all.
    pub(super) runs: AtomicU64,
}

/// How many events `flood` makes, and how large each is.
pub(super) const FLOOD: u64 = 400;
pub(super) const FLOOD_BYTES: usize = 64 << 10;

/// A skill that does what its name says.
struct Fake {
    facts: SkillFacts,
    signals: Arc<Signals>,
}

#[async_trait]
impl Component for Fake {
    fn facts(&self) -> &SkillFacts {
        &self.facts
    }

    async fn run(&self, _permit: &Permit, run: Run) -> Result<Payload, Fault> {
        self.signals.runs.fetch_add(1, Ordering::SeqCst);
        match self.facts.manifest.name.as_str() {
            "echo" | "strict" => Ok(run.input),
            "text" => Ok(Payload::Text("plain".to_owned())),
            "context" => Ok(Payload::Json(json!({
                "trace": run.trace.to_string(),
                "caller": run.caller,
                "key": run.idempotency_key,
                "has_ms_left": run.deadline.saturating_duration_since(Instant::now()).as_millis() as u64,
            }))),
            "wait" => {
                self.wait(&run).await?;
                Ok(Payload::Json(json!({"waited": true})))
            }
            "fail" => Err(serde_json::from_value(input(&run)).unwrap()),
            "panic" => panic!("{CANARY} is what the panic says"),
            "talk" => self.talk(run).await,
            "talk-and-fail" => {
                emit(&run, chunk("half")).await;
                Err(Fault::new(Code::SkillTrap, "the skill panicked"))
            }
            "talk-and-wait" => {
                emit(&run, chunk("begun")).await;
                self.wait(&run).await?;
                Ok(Payload::Json(json!({})))
            }
            "talk-and-panic" => {
                emit(&run, chunk("half")).await;
                panic!("{CANARY} is what the panic says")
            }
            "flood" => self.flood(run).await,
            "summarize" => {
                let request = serde_json::from_value(json!({"messages": []})).unwrap();
                let (done, _) = run.host.complete("general", request).await?;
                Ok(Payload::Json(json!({"text": done.message.joined_text()})))
            }
            other => panic!("no such fake: {other}"),
        }
    }
}

impl Fake {
    async fn talk(&self, run: Run) -> Result<Payload, Fault> {
        emit(
            &run,
            OutputEvent::Progress {
                message: "reading".to_owned(),
                percent: Some(10),
            },
        )
        .await;
        for number in 0..40 {
            emit(&run, chunk(&number.to_string())).await;
        }
        emit(
            &run,
            OutputEvent::Progress {
                message: "line one\nline two".to_owned(),
                percent: None,
            },
        )
        .await;
        Ok(Payload::Json(json!({"done": true})))
    }

    async fn wait(&self, run: &Run) -> Result<(), Fault> {
        self.signals.waiting.notify_one();
        timely(run, self.signals.go_on.notified()).await
    }

    async fn flood(&self, run: Run) -> Result<Payload, Fault> {
        let Some(events) = &run.events else {
            return Ok(Payload::Json(json!({})));
        };
        let text = "x".repeat(FLOOD_BYTES);
        for _ in 0..FLOOD {
            if events.capacity() == 0 {
                self.signals.full.notify_one();
            }
            let sent = timely(&run, events.send(chunk(&text))).await?;
            sent.map_err(|_| Fault::new(Code::Cancelled, "the caller has gone"))?;
            self.signals.flooded.fetch_add(1, Ordering::SeqCst);
        }
        Ok(Payload::Json(json!({"chunks": FLOOD})))
    }
}

/// As the engine does it: the deadline ends a run wherever it is.
async fn timely<T>(run: &Run, waited: impl Future<Output = T>) -> Result<T, Fault> {
    let late = |_| Fault::new(Code::DeadlineExceeded, "the skill took longer than the call had");
    tokio::time::timeout_at(run.deadline.into(), waited).await.map_err(late)
}

fn input(run: &Run) -> serde_json::Value {
    match &run.input {
        Payload::Json(value) => value.clone(),
        Payload::Text(_) | Payload::Bytes { .. } => serde_json::Value::Null,
    }
}

fn chunk(text: &str) -> OutputEvent {
    OutputEvent::Chunk { text: text.to_owned() }
}

async fn emit(run: &Run, event: OutputEvent) {
    if let Some(events) = &run.events {
        let _ = events.send(event).await;
    }
}

/// The skills above, and one that was refused.
pub(super) struct FakeSkills {
    live: Vec<LiveSkill>,
}

impl FakeSkills {
    pub(super) fn new(signals: &Arc<Signals>) -> Self {
        let plain = [
            "text",
            "context",
            "wait",
            "fail",
            "panic",
            "talk",
            "talk-and-fail",
            "talk-and-wait",
            "talk-and-panic",
            "flood",
        ];
        let mut skills = vec![
            ("echo", "1.0.0", ""),
            ("echo", "1.1.0", ""),
            ("strict", "2.0.0", "inputs:\n  - name: string\n  - count: integer?\n"),
            ("summarize", "1.0.0", "metadata:\n  claw:\n    model: [general]\n"),
        ];
        skills.extend(plain.map(|name| (name, "1.0.0", "metadata:\n  claw: {}\n")));
        let live = skills
            .into_iter()
            .map(|(name, version, more)| live(name, version, more, signals))
            .collect();
        FakeSkills { live }
    }
}

fn live(name: &str, version: &str, more: &str, signals: &Arc<Signals>) -> LiveSkill {
    let text = format!("---\nname: {name}\ndescription: Does what `{name}` does.\nversion: {version}\n{more}---\n# {name}\n");
    let loaded = load(text.as_bytes(), &Origin::new("SKILL.md", Some(name)));
    let (manifest, _) = loaded.into_result().unwrap();
    let grants = match name {
        "summarize" => serde_json::from_value::<GrantBook>(json!({"grants": {"summarize": {"model": ["general"]}}})).unwrap(),
        _ => GrantBook::default(),
    };
    let grants = grants.intersect(name, &manifest.requests);
    let facts = SkillFacts {
        manifest: Arc::new(manifest),
        version: version.to_owned(),
        sha256: "ab".repeat(32),
        size: 51_200,
        imports: vec!["claw:skill/context@0.1.0".to_owned()],
    };
    let component = Arc::new(Fake {
        facts,
        signals: signals.clone(),
    });
    LiveSkill {
        component,
        grants: Arc::new(grants),
        config: Arc::new(BTreeMap::new()),
    }
}

impl Skills for FakeSkills {
    fn resolve(&self, skill: &SkillRef) -> Result<LiveSkill, Fault> {
        let fits = |live: &&LiveSkill| {
            let facts = live.component.facts();
            facts.manifest.name == skill.name && skill.version.as_ref().is_none_or(|version| *version == facts.version)
        };
        let found = self.live.iter().rev().find(fits).cloned();
        found.ok_or_else(|| Fault::new(Code::NotFound, format!("no skill `{}` is live", skill.name)))
    }

    fn list(&self) -> Vec<SkillStatus> {
        let refused = SkillStatus {
            name: "broken".to_owned(),
            version: None,
            state: SkillState::Refused,
            reason: Some("it is no component".to_owned()),
            default: false,
            description: String::new(),
            sha256: None,
            file: Some("/home/me/.claw/skills/broken.wasm".to_owned()),
        };
        let mut rows = vec![refused];
        rows.extend(self.live.iter().map(|live| {
            let facts = live.component.facts();
            SkillStatus {
                name: facts.manifest.name.clone(),
                version: Some(facts.version.clone()),
                state: if live.grants.is_complete() {
                    SkillState::Live
                } else {
                    SkillState::NeedsGrant
                },
                reason: None,
                default: facts.version != "1.0.0" || facts.manifest.name != "echo",
                description: facts.manifest.description.clone(),
                sha256: Some(facts.sha256.clone()),
                file: Some(format!("/home/me/.claw/skills/{}.wasm", facts.manifest.name)),
            }
        }));
        rows
    }
}

/// A model that is none.
pub(super) struct FakeModels;

#[async_trait]
impl Models for FakeModels {
    fn plan(&self, wanted: &Wanted<'_>) -> Result<Plan, Fault> {
        if wanted.name != "general" {
            return Err(Fault::new(
                Code::ModelNotConfigured,
                format!("no model serves `{}`", wanted.name),
            ));
        }
        Ok(Plan {
            input_tokens: 0,
            name: wanted.name.to_owned(),
            candidates: vec![Candidate {
                route: nowhere(),
                why: "the only one".to_owned(),
                ceiling_nanousd: Some(0),
                hedged: false,
            }],
            passed_over: Vec::new(),
        })
    }

    fn list(&self) -> Vec<ModelListing> {
        vec![ModelListing {
            name: "general".to_owned(),
            kind: NameKind::Entry,
            route: nowhere(),
            context_tokens: Some(8_192),
        }]
    }

    async fn complete(&self, _permit: &Permit, plan: &Plan, _call: ModelCall) -> Result<Completion, Fault> {
        let route = plan
            .candidates
            .first()
            .map(|first| first.route.clone())
            .ok_or_else(Fault::internal)?;
        Ok(Completion {
            message: Message::text(Role::Assistant, "an offline answer"),
            finish: Finish::Stop,
            usage: Usage::default(),
            model: route.model,
            provider: route.provider,
            offline: true,
            attempts: 1,
        })
    }

    async fn stream(&self, _permit: &Permit, _plan: &Plan, _call: ModelCall) -> Result<ModelStream, Fault> {
        Err(Fault::internal())
    }

    async fn embed(&self, _permit: &Permit, _plan: &Plan, _call: EmbedCall) -> Result<Embeddings, Fault> {
        Err(Fault::internal())
    }

    async fn forward(&self, _permit: &Permit, _plan: &Plan, call: WireCall) -> Result<WireAnswer, Fault> {
        call.meter.begin(&nowhere());
        let mode = call.request.value["mode"].as_str().unwrap_or_default().to_owned();
        let said = json!({ "choices": [{ "message": { "content": "an answer" }, "delta": { "content": "an answer" } }] });
        if mode == "refused" {
            let details = json!({ "upstream_status": 422, "type": "invalid_request_error", "code": "bad", "param": "tools" });
            return Err(Fault::new(Code::ModelInvalidRequest, "the words of the provider").details(details));
        }
        if mode == "limited" {
            return Err(Fault::new(Code::ModelRateLimited, "slow down").retry_after_ms(7_000));
        }
        let done = Box::new(WireDone {
            usage: Usage {
                input_tokens: 3,
                output_tokens: 5,
                cost_nanousd: Some(42),
                ..Usage::default()
            },
            finish: Some(Finish::Stop),
            model: "fake-1".to_owned(),
            last: Bytes::from_static(b"data: [DONE]\n\n"),
        });
        let body = if mode == "talks" && call.request.stream {
            let piece = Bytes::from(format!("data: {said}\n\n"));
            let pieces = [Ok(WirePiece::Bytes(piece)), Ok(WirePiece::Done(done))];
            WireBody::Stream(Box::pin(futures::stream::iter(pieces)))
        } else if mode == "talks" {
            WireBody::Whole(Bytes::from(said.to_string()), done)
        } else if call.request.stream {
            let pieces = futures::stream::iter([Ok(WirePiece::Bytes(Bytes::from_static(b"data: {\"a\": 1}\n\n")))]);
            WireBody::Stream(match mode.as_str() {
                "breaks" => Box::pin(pieces.chain(futures::stream::iter([Err(Fault::new(Code::ModelBadAnswer, "broke off"))]))),
                "hangs" => Box::pin(pieces.chain(futures::stream::pending())),
                _ => Box::pin(pieces.chain(futures::stream::iter([Ok(WirePiece::Done(done))]))),
            })
        } else {
            WireBody::Whole(call.request.body.clone(), done)
        };
        Ok(WireAnswer {
            route: nowhere(),
            headers: vec![("x-ratelimit-remaining-requests".to_owned(), "9".to_owned())],
            body,
        })
    }
}

fn nowhere() -> ModelRoute {
    let text = |text: &str| text.to_owned();
    ModelRoute {
        entry: text("general"),
        provider: text("offline"),
        model: text("offline"),
        local: true,
        offline: true,
    }
}

/// A handbook, a skill, a page that is always away, and sessions in memory.
#[derive(Default)]
pub(super) struct FakeContexts {
    sessions: std::sync::Mutex<HashMap<(String, String), Vec<Turn>>>,
}

#[async_trait]
impl Contexts for FakeContexts {
    fn find(&self, name: &str) -> Result<ContextSource, Fault> {
        let from = match name {
            "handbook" | "away" | "optional" => ContextFrom::Fetched,
            "echoed" => ContextFrom::Invoked("skill:echo".parse::<Target>().unwrap(), json!({ "id": "{id}" })),
            _ => return Err(Fault::new(Code::ContextUnavailable, format!("there is no context `{name}`"))),
        };
        Ok(ContextSource {
            from,
            required: name != "optional",
            ..self.session()
        })
    }

    async fn fetch(&self, name: &str, _vars: &BTreeMap<String, Value>) -> Result<String, Fault> {
        match name {
            "handbook" => Ok("Be kind.".to_owned()),
            _ => Err(Fault::new(Code::ContextUnavailable, "nobody answers")),
        }
    }

    fn session(&self) -> ContextSource {
        NoContexts.session()
    }

    async fn turns(&self, caller: &str, session: &str) -> Result<Vec<Turn>, Fault> {
        let sessions = self.sessions.lock().unwrap();
        Ok(sessions
            .get(&(caller.to_owned(), session.to_owned()))
            .cloned()
            .unwrap_or_default())
    }

    async fn remember(&self, caller: &str, session: &str, turns: Vec<Turn>) -> Result<(), Fault> {
        let key = (caller.to_owned(), session.to_owned());
        self.sessions.lock().unwrap().entry(key).or_default().extend(turns);
        Ok(())
    }
}

/// A process that is ready until a test says otherwise.
pub(super) struct FakeProcess {
    pub(super) ready: AtomicBool,
    pub(super) reload_fails: AtomicBool,
}

#[async_trait]
impl Operations for FakeProcess {
    fn ready(&self) -> bool {
        self.ready.load(Ordering::SeqCst)
    }

    async fn reload(&self) -> Result<serde_json::Value, Fault> {
        if self.reload_fails.load(Ordering::SeqCst) {
            return Err(Fault::new(Code::InvalidInput, "`policies.yaml`: line 3: not a list").hint("the old one stays live"));
        }
        Ok(json!({"reloaded": ["policies.yaml"]}))
    }
}

/// One key, `key_known`, whose secret is what it is asked for.
pub(super) struct FakeKeys;

fn no_key(id: &str) -> Fault {
    Fault::new(Code::NotFound, format!("there is no key `{id}`"))
}

#[async_trait]
impl Keys for FakeKeys {
    async fn list(&self) -> Result<Value, Fault> {
        Ok(json!({ "keys": [{ "id": "key_known" }] }))
    }

    async fn create(&self, wanted: NewKey) -> Result<Value, Fault> {
        Ok(json!({ "id": "key_known", "service": wanted.service, "rpm": wanted.rpm, "key": "claw_sk_made" }))
    }

    async fn rotate(&self, id: String, overlap: Duration) -> Result<Value, Fault> {
        match id.as_str() {
            "key_known" => Ok(json!({ "id": id, "overlap_s": overlap.as_secs(), "key": "claw_sk_anew" })),
            _ => Err(no_key(&id)),
        }
    }

    async fn revoke(&self, id: String) -> Result<Value, Fault> {
        match id.as_str() {
            "key_known" => Ok(json!({ "id": id, "state": "revoked" })),
            _ => Err(no_key(&id)),
        }
    }
}

/// The draft that every door knows.
pub(super) fn known_draft() -> Draft {
    let id = DraftId::of(InvocationId::from_bytes([1; 16]));
    let input = Payload::Json(json!({"args": ["push"]}));
    Draft {
        id,
        state: DraftState::Pending,
        caller: "billing".to_owned(),
        key: None,
        skill: Some("poster".to_owned()),
        depth: 1,
        trace: String::new(),
        capability: "exec.git".to_owned(),
        hash: Draft::hash_of(id, "exec.git", &input, &json!(1)),
        input,
        act: json!(1),
        policies: Vec::new(),
        created_us: 0,
        expires_us: i64::MAX,
        decided_by: None,
        decided_us: None,
        because: None,
        ran: None,
        output: None,
        fault: None,
    }
}
