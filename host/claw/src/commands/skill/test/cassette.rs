//! The recorded calls of a case, and the host that answers from them. Each line answers one
//! call that asks for the same; nothing is ever made up.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use claw_core::capability::Payload;
use claw_core::errors::{Code, Fault};
use claw_core::grants::Grants;
use claw_core::ids::InvocationId;
use claw_core::journal::{Answer, Effect, Line};
use claw_core::model::{Completion, CompletionRequest, ModelEvent, ModelStream, Part};
use claw_core::ports::{HostCalls, Reply};
use serde_json::Value;

use super::diff::{Pair, likeness};
use super::report::Failure;
use super::same::{pretty, same};

/// The recorded calls of one case.
#[derive(Clone, Debug, Default)]
pub(in crate::commands::skill) struct Cassette {
    calls: Vec<Recorded>,
}

#[derive(Clone, Debug)]
struct Recorded {
    number: usize,
    asked: Asked,
    answer: Given,
    used: bool,
}

/// What a call asks for.
#[derive(Clone, Debug)]
struct Asked {
    kind: &'static str,
    name: String,
    body: Value,
}

#[derive(Clone, Debug)]
enum Given {
    Completion(Box<Answer<Completion>>),
    Vectors(Answer<Vec<Vec<f32>>>),
    Payload(Answer<Payload>),
}

impl Cassette {
    /// The calls of a journal; its other effects stay inside the sandbox and need no answer.
    ///
    /// # Errors
    /// The line that is none of a journal, and why.
    pub(in crate::commands::skill) fn parse(text: &str) -> Result<Self, String> {
        let mut calls = Vec::new();
        for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let number = index + 1;
            let line: Line = serde_json::from_str(line)
                .map_err(|error| format!("line {number} of the cassette is no line of a journal: {error}"))?;
            calls.extend(Recorded::of(number, line.effect));
        }
        Ok(Cassette { calls })
    }

    /// The calls among these lines.
    pub(in crate::commands::skill) fn of(lines: &[Line]) -> Self {
        let calls = lines
            .iter()
            .enumerate()
            .filter_map(|(index, line)| Recorded::of(index + 1, line.effect.clone()));
        Cassette { calls: calls.collect() }
    }
}

impl Recorded {
    fn of(number: usize, effect: Effect) -> Option<Self> {
        let (asked, answer) = match effect {
            Effect::Model {
                use_name,
                request,
                answer,
                ..
            } => (Asked::model(&use_name, &request), Given::Completion(Box::new(answer))),
            Effect::Embed {
                use_name, texts, answer, ..
            } => (Asked::embed(&use_name, &texts), Given::Vectors(answer)),
            Effect::Invoke {
                capability,
                input,
                answer,
                ..
            } => (Asked::invoke(&capability, &input), Given::Payload(answer)),
            Effect::Seed { .. }
            | Effect::Clock { .. }
            | Effect::ClockCap { .. }
            | Effect::File { .. }
            | Effect::Log { .. }
            | Effect::LogCap { .. }
            | Effect::Progress { .. }
            | Effect::Resources { .. }
            | Effect::Dropped { .. } => return None,
        };
        Some(Recorded {
            number,
            asked,
            answer,
            used: false,
        })
    }
}

impl Asked {
    fn model(use_name: &str, request: &CompletionRequest) -> Self {
        Asked {
            kind: "model",
            name: use_name.to_owned(),
            body: serde_json::to_value(request).unwrap_or_default(),
        }
    }

    fn embed(use_name: &str, texts: &[String]) -> Self {
        Asked {
            kind: "embed",
            name: use_name.to_owned(),
            body: texts.into(),
        }
    }

    fn invoke(capability: &str, input: &Payload) -> Self {
        Asked {
            kind: "invoke",
            name: capability.to_owned(),
            body: serde_json::to_value(input).unwrap_or_default(),
        }
    }

    fn is(&self, other: &Asked) -> bool {
        self.kind == other.kind && self.name == other.name && same(&self.body, &other.body)
    }

    fn title(&self) -> String {
        format!("{} `{}`", self.kind, self.name)
    }
}

/// The host of one run: answers from a cassette, and remembers what it could not answer.
pub(super) struct Player {
    skill: String,
    grants: Arc<Grants>,
    inner: Mutex<Inner>,
}

struct Inner {
    cassette: Cassette,
    missed: Vec<Asked>,
}

impl Player {
    /// Plays a cassette for a skill with these grants.
    pub(super) fn new(skill: &str, grants: Arc<Grants>, cassette: Cassette) -> Self {
        Player {
            skill: skill.to_owned(),
            grants,
            inner: Mutex::new(Inner {
                cassette,
                missed: Vec::new(),
            }),
        }
    }

    /// Calls that the cassette lacks, and recorded ones that were never made.
    pub(super) fn failures(&self) -> Vec<Failure> {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let missed = inner.missed.iter().map(|asked| missed(asked, &inner.cassette));
        let unused = inner.cassette.calls.iter().filter(|call| !call.used).map(|call| {
            let message = format!(
                "line {} of the cassette, {}, was never asked for",
                call.number,
                call.asked.title()
            );
            Failure::new("unused_call", message)
        });
        missed.chain(unused).collect()
    }

    fn answer(&self, asked: Asked) -> Result<Given, Fault> {
        let granted = match asked.kind {
            "invoke" => self.grants.capabilities.contains(&asked.name),
            _ => self.grants.model.contains(&asked.name),
        };
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let found = inner
            .cassette
            .calls
            .iter_mut()
            .find(|call| !call.used && call.asked.is(&asked));
        let answer = found.map(|call| {
            call.used = true;
            call.answer.clone()
        });
        if !granted {
            // As in the gateway, whatever was recorded before SKILL.md changed.
            return Err(undeclared(&self.skill, &asked));
        }
        if let Some(answer) = answer {
            return Ok(answer);
        }
        let message = format!("the cassette holds no answer to this call of {}", asked.title());
        if inner.missed.len() < 32 {
            inner.missed.push(asked);
        }
        Err(Fault::new(Code::NotFound, message))
    }

    fn completion(&self, use_name: &str, request: &CompletionRequest) -> Result<Completion, Fault> {
        match self.answer(Asked::model(use_name, request))? {
            Given::Completion(answer) => answer.into_result(),
            Given::Vectors(_) | Given::Payload(_) => Err(Fault::internal()),
        }
    }
}

fn undeclared(skill: &str, asked: &Asked) -> Fault {
    let (word, key) = if asked.kind == "invoke" {
        ("capability", "capabilities")
    } else {
        ("model use", "model")
    };
    Fault::new(
        Code::GrantUndeclared,
        format!("`{skill}` does not declare the {word} `{}`", asked.name),
    )
    .hint(format!("add it to `metadata.claw.{key}` in its SKILL.md and build it again"))
}

fn missed(asked: &Asked, cassette: &Cassette) -> Failure {
    let got = pretty(&asked.body);
    let alike = cassette
        .calls
        .iter()
        .filter(|call| call.asked.kind == asked.kind && call.asked.name == asked.name);
    let closest = alike.max_by(|one, other| {
        let rank = |call: &Recorded| (!call.used, likeness(&pretty(&call.asked.body), &got));
        let ((one_free, one_like), (other_free, other_like)) = (rank(one), rank(other));
        one_free.cmp(&other_free).then(one_like.total_cmp(&other_like))
    });
    let title = asked.title();
    match closest {
        Some(call) if call.asked.is(asked) => {
            let message = format!(
                "{title} was asked once more than recorded: line {} of the cassette answers one call",
                call.number
            );
            Failure::new("missing_call", message)
        }
        Some(call) => {
            let message = format!(
                "the cassette holds no answer to this call of {title}; line {} comes closest",
                call.number
            );
            let pair = Pair {
                left: "recorded",
                right: "asked",
                expected: pretty(&call.asked.body),
                got,
            };
            Failure::new("missing_call", message).diff(pair)
        }
        None => {
            let message = format!("the cassette holds no call of {title}; record it with `claw skill record`");
            let pair = Pair {
                left: "recorded",
                right: "asked",
                expected: String::new(),
                got,
            };
            Failure::new("missing_call", message).diff(pair)
        }
    }
}

#[async_trait]
impl HostCalls for Player {
    async fn complete(&self, use_name: &str, request: CompletionRequest) -> Result<(Completion, InvocationId), Fault> {
        self.completion(use_name, &request).map(|completion| (completion, fixed_id()))
    }

    async fn complete_stream(&self, use_name: &str, request: CompletionRequest) -> Result<(ModelStream, InvocationId), Fault> {
        let completion = self.completion(use_name, &request)?;
        let events = events(completion).into_iter().map(Ok);
        Ok((Box::pin(futures::stream::iter(events)), fixed_id()))
    }

    async fn embed(&self, use_name: &str, texts: Vec<String>) -> Result<Vec<Vec<f32>>, Fault> {
        match self.answer(Asked::embed(use_name, &texts))? {
            Given::Vectors(answer) => answer.into_result(),
            Given::Completion(_) | Given::Payload(_) => Err(Fault::internal()),
        }
    }

    async fn invoke(&self, capability: &str, input: Payload) -> Result<Reply, Fault> {
        match self.answer(Asked::invoke(capability, &input))? {
            Given::Payload(answer) => {
                let output = answer.into_result()?;
                Ok(Reply {
                    output,
                    node: "local".to_owned(),
                    duration: Duration::ZERO,
                })
            }
            Given::Completion(_) | Given::Vectors(_) => Err(Fault::internal()),
        }
    }
}

/// The same in every run, in case a skill shows it.
pub(in crate::commands::skill) fn fixed_id() -> InvocationId {
    InvocationId::from_bytes([0; 16])
}

/// A completion as it would have come: word by word, then its tool calls, then all of it.
fn events(completion: Completion) -> Vec<ModelEvent> {
    let mut events = Vec::new();
    for part in &completion.message.parts {
        match part {
            Part::Text { text } => events.extend(text.split_inclusive(' ').map(|word| ModelEvent::TextDelta(word.to_owned()))),
            Part::ToolCall(call) => events.push(ModelEvent::ToolCall(call.clone())),
            Part::Blob { .. } | Part::Link { .. } | Part::ToolResult { .. } => {}
        }
    }
    events.push(ModelEvent::Done(Box::new(completion)));
    events
}

#[cfg(test)]
mod tests;
