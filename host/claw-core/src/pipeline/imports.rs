//! What a running skill may call: its grants, checked here, and then the doors again. The
//! effects go into its journal.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use futures::StreamExt as _;
use serde_json::json;

use super::complete::CAPABILITY as INFERENCE;
use super::invoke::inference_request;
use super::{Complete, Doors, Invocation};
use crate::capability::{Payload, Target};
use crate::errors::{Code, Fault};
use crate::grants::Grants;
use crate::ids::{InvocationId, TraceParent};
use crate::journal::{Answer, Effect, Recorder};
use crate::keys::KeyScope;
use crate::model::{Completion, CompletionRequest, ModelEvent, ModelStream, request_bytes};
use crate::ports::{HostCalls, Reply};

/// The imports of one running skill.
pub struct Imports {
    /// Where calls go.
    pub doors: Arc<Doors>,
    /// The invocation that makes them.
    pub parent: InvocationId,
    /// Its trace.
    pub trace: TraceParent,
    /// Who called it.
    pub caller: String,
    /// The key that its caller presented, which pays.
    pub key: Option<Arc<KeyScope>>,
    /// How many calls lie above those made here.
    pub depth: u8,
    /// The skill.
    pub skill: String,
    /// What it may call.
    pub grants: Arc<Grants>,
    /// Where the effects go.
    pub journal: Arc<Recorder>,
    /// When it all ends.
    pub deadline: Instant,
}

/// The two kinds of grant that name a call.
#[derive(Clone, Copy)]
enum Kind {
    Model,
    Capability,
}

impl Imports {
    fn check(&self, kind: Kind, name: &str) -> Result<(), Fault> {
        let (granted, missing, word, flag, key) = match kind {
            Kind::Model => (
                &self.grants.model,
                &self.grants.missing.model,
                "model use",
                "--model",
                "model",
            ),
            Kind::Capability => (
                &self.grants.capabilities,
                &self.grants.missing.capabilities,
                "capability",
                "--capability",
                "capabilities",
            ),
        };
        check(&self.skill, (granted, missing), name, (word, flag, key))
    }

    /// The same; a refusal is put on record as the call that it was.
    async fn checked(&self, kind: Kind, name: &str, id: InvocationId) -> Result<(), Fault> {
        let Err(fault) = self.check(kind, name) else { return Ok(()) };
        let shown = || name.chars().take(128).collect();
        let (target, input) = match kind {
            Kind::Model => (INFERENCE.to_owned(), json!({ "use": shown() as String })),
            Kind::Capability => (shown(), json!({})),
        };
        let call = self.child(id, Target::Capability(target), Payload::Json(input));
        Err(self.doors.invoker().refuse(call, fault).await)
    }

    fn child(&self, id: InvocationId, target: Target, input: Payload) -> Invocation {
        Invocation {
            id,
            parent: Some(self.parent),
            trace: self.trace.child(),
            caller: self.caller.clone(),
            key: self.key.clone(),
            skill: Some(self.skill.clone()),
            depth: self.depth,
            target,
            input,
            deadline: Some(self.deadline),
            idempotency_key: None,
            events: None,
            approval: None,
        }
    }

    fn call(&self, use_name: &str) -> Complete {
        Complete {
            admitted: false,
            id: InvocationId::generate(),
            parent: Some(self.parent),
            trace: self.trace.child(),
            caller: self.caller.clone(),
            key: self.key.clone(),
            skill: Some(self.skill.clone()),
            depth: self.depth,
            use_name: use_name.to_owned(),
            context: Vec::new(),
            deadline: self.deadline,
        }
    }
}

fn check(
    skill: &str,
    (granted, missing): (&BTreeSet<String>, &BTreeSet<String>),
    name: &str,
    (word, flag, key): (&str, &str, &str),
) -> Result<(), Fault> {
    if granted.contains(name) {
        return Ok(());
    }
    if missing.contains(name) {
        let message = format!("`{skill}` is not allowed the {word} `{name}`");
        return Err(Fault::new(Code::GrantMissing, message).hint(format!("claw skill allow {skill} {flag} {name}")));
    }
    let shown: String = name.chars().take(128).collect();
    let message = format!("`{skill}` does not declare the {word} `{shown}`");
    let hint = format!("add it to `metadata.claw.{key}` in its SKILL.md and build it again");
    Err(Fault::new(Code::GrantUndeclared, message).hint(hint))
}

#[async_trait]
impl HostCalls for Imports {
    async fn complete(&self, use_name: &str, request: CompletionRequest) -> Result<(Completion, InvocationId), Fault> {
        let call = self.call(use_name);
        let size = request_bytes(&request).len();
        let result = match self.checked(Kind::Model, use_name, call.id).await {
            Ok(()) => self
                .doors
                .completer
                .complete(&call, request.clone())
                .await
                .map(|done| done.completion),
            Err(fault) => Err(fault),
        };
        let size = size + result.as_ref().map_or(0, |done| done.message.joined_text().len());
        let answer = Answer::of(&result);
        let entry = Some(call.id);
        self.journal.push(
            Effect::Model {
                use_name: use_name.to_owned(),
                request,
                stream: false,
                answer,
                entry,
            },
            size,
        );
        result.map(|done| (done, call.id))
    }

    async fn complete_stream(&self, use_name: &str, request: CompletionRequest) -> Result<(ModelStream, InvocationId), Fault> {
        let call = self.call(use_name);
        let size = request_bytes(&request).len();
        let begun = match self.checked(Kind::Model, use_name, call.id).await {
            Ok(()) => self.doors.completer.stream(&call, request.clone()).await,
            Err(fault) => Err(fault),
        };
        let mut seen = Seen {
            journal: self.journal.clone(),
            pending: Some((use_name.to_owned(), request)),
            id: call.id,
            size,
        };
        match begun {
            Ok(inner) => {
                if self.doors.completer.is_offline(use_name) {
                    // Also where the skill does not read to the end.
                    self.journal.mark_offline();
                }
                let stream = inner.inspect(move |item| match item {
                    Ok(ModelEvent::Done(done)) => {
                        let more = done.message.joined_text().len();
                        seen.record(Answer::Ok((**done).clone()), more);
                    }
                    Err(fault) => seen.record(Answer::Err(fault.clone()), 0),
                    Ok(ModelEvent::TextDelta(_) | ModelEvent::ToolCall(_)) => {}
                });
                Ok((Box::pin(stream), call.id))
            }
            Err(fault) => {
                seen.record(Answer::Err(fault.clone()), 0);
                Err(fault)
            }
        }
    }

    async fn embed(&self, use_name: &str, texts: Vec<String>) -> Result<Vec<Vec<f32>>, Fault> {
        let call = self.call(use_name);
        let size = texts.iter().map(String::len).sum::<usize>();
        let result = match self.checked(Kind::Model, use_name, call.id).await {
            Ok(()) => self.doors.completer.embed(&call, texts.clone()).await.map(|done| {
                if done.offline {
                    self.journal.mark_offline();
                }
                done.vectors
            }),
            Err(fault) => Err(fault),
        };
        let size = size + result.as_ref().map_or(0, |vectors| vectors.iter().map(|v| v.len() * 4).sum());
        let (answer, entry) = (Answer::of(&result), Some(call.id));
        self.journal.push(
            Effect::Embed {
                use_name: use_name.to_owned(),
                texts,
                answer,
                entry,
            },
            size,
        );
        result
    }

    async fn invoke(&self, capability: &str, input: Payload) -> Result<Reply, Fault> {
        let started = Instant::now();
        let id = InvocationId::generate();
        let size = input.to_bytes().len();
        let result = match self.checked(Kind::Capability, capability, id).await {
            Ok(()) => self.pass_on(id, capability, input.clone()).await,
            Err(fault) => Err(fault),
        };
        let size = size + result.as_ref().map_or(0, |output| output.to_bytes().len());
        let answer = Answer::of(&result);
        let entry = Some(id);
        self.journal.push(
            Effect::Invoke {
                capability: capability.to_owned(),
                input,
                answer,
                entry,
            },
            size,
        );
        result.map(|output| Reply {
            output,
            node: "local".to_owned(),
            duration: started.elapsed(),
        })
    }
}

impl Imports {
    async fn pass_on(&self, id: InvocationId, capability: &str, input: Payload) -> Result<Payload, Fault> {
        if capability == INFERENCE {
            // By this way too a skill names no model but through its uses.
            let (use_name, _) = inference_request(&input)?;
            self.checked(Kind::Model, &use_name, id).await?;
        }
        let target: Target = capability
            .parse()
            .map_err(|error| Fault::new(Code::InvalidInput, format!("{error}")))?;
        if self.doors.invoker().may_act(&target, &input) {
            self.journal.mark_acted();
        }
        // A skill that invokes a skill would make a future that holds itself: boxed here.
        let output = Box::pin(self.doors.invoker().invoke(self.child(id, target, input))).await?;
        if output.offline {
            self.journal.mark_offline();
        }
        Ok(output.payload)
    }
}

/// A streamed call on its way into the journal: recorded at its first end, and if the skill
/// drops it before that, as cancelled.
struct Seen {
    journal: Arc<Recorder>,
    pending: Option<(String, CompletionRequest)>,
    id: InvocationId,
    size: usize,
}

impl Seen {
    fn record(&mut self, answer: Answer<Completion>, more: usize) {
        if let Some((use_name, request)) = self.pending.take() {
            let effect = Effect::Model {
                use_name,
                request,
                stream: true,
                answer,
                entry: Some(self.id),
            };
            self.journal.push(effect, self.size + more);
        }
    }
}

impl Drop for Seen {
    fn drop(&mut self) {
        self.record(
            Answer::Err(Fault::new(Code::Cancelled, "the skill did not read the answer to its end")),
            0,
        );
    }
}
