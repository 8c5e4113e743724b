//! One call over the network: sent, repeated where that helps, checked, and put together.
//! Refuses to repeat a stream whose first piece was handed on.

mod http;
mod stream;

use std::sync::Arc;
use std::time::Instant;

use claw_core::errors::Fault;
use claw_core::model::{
    Completion, CompletionRequest, Embeddings, Finish, Message, ModelEvent, ModelStream, Part, Role, ToolCall,
};
use reqwest::Client;
use serde_json::Value;

use crate::answer::{add_usage, estimate, estimate_request, model_name};
use crate::config::Entry;
use crate::dialect::{self, Broken};
use crate::fault::{Failure, bad_answer, from_event};
use crate::retry::{Attempts, Random};
use crate::schema::{Shape, correction, mismatch};

use http::Ready;

/// The longest body of an answer that is not a stream, in bytes.
const MAX_BODY: usize = 32 * 1024 * 1024;

/// An entry with the client that reaches it.
#[derive(Debug)]
pub(crate) struct Live {
    pub(crate) entry: Entry,
    pub(crate) client: Client,
}

/// How one call is bounded.
#[derive(Clone)]
pub(crate) struct Bounds {
    pub(crate) deadline: Instant,
    pub(crate) random: Random,
}

impl Bounds {
    /// The deadline of the call, or the entry's own total if that ends earlier.
    fn within(&self, entry: &Entry) -> Instant {
        entry
            .timeouts
            .total
            .map_or(self.deadline, |total| self.deadline.min(Instant::now() + total))
    }
}

/// One completion, whole.
///
/// # Errors
/// A `model.*` code.
pub(crate) async fn complete(live: &Live, mut request: CompletionRequest, bounds: &Bounds) -> Result<Completion, Fault> {
    let deadline = bounds.within(&live.entry);
    let Some(schema) = request.response_schema.take() else {
        return ask(live, &request, None, deadline, &bounds.random).await;
    };
    let shape = Shape::try_new(&schema, dialect::takes_objects_only(live.entry.provider))?;
    let first = ask(live, &request, Some(&shape), deadline, &bounds.random).await?;
    let (first, violations) = match fit(first, &shape)? {
        Fitting::Fits(done) => return Ok(done),
        Fitting::Not(first, violations) => (first, violations),
    };
    // One repair: the model sees its answer and what is wrong with it.
    request.messages.push(Message {
        role: Role::Assistant,
        parts: texts_of(&first),
    });
    request.messages.push(Message::text(Role::User, correction(&violations)));
    let mut second = ask(live, &request, Some(&shape), deadline, &bounds.random).await?;
    second.usage = add_usage(first.usage, second.usage);
    second.attempts = second.attempts.saturating_add(first.attempts);
    match fit(second, &shape)? {
        Fitting::Fits(done) => Ok(done),
        Fitting::Not(_, violations) => Err(mismatch("the model's answer does not fit the schema, twice", &violations)),
    }
}

/// One completion, event by event. With a response schema the answer is checked before
/// any of it is handed on, and then comes in one piece.
///
/// # Errors
/// A `model.*` code; later ones are the stream's last item.
pub(crate) async fn stream(live: Arc<Live>, request: CompletionRequest, bounds: &Bounds) -> Result<ModelStream, Fault> {
    if request.response_schema.is_some() {
        return complete(&live, request, bounds).await.map(replay);
    }
    let deadline = bounds.within(&live.entry);
    let ready = Ready::new(dialect::completion(&live.entry, &request, None, true)?);
    let estimated_input = estimate_request(&request);
    drop(request);
    let entry = &live.entry;
    let mut attempts = Attempts::new(entry, deadline, &bounds.random);
    loop {
        match Box::pin(stream::begin(&live, &ready, deadline)).await {
            Ok(begun) => return Ok(begun.hand_on(estimated_input, attempts.made())),
            Err(failure) => attempts.pause(failure).await?,
        }
    }
}

/// Texts to vectors.
///
/// # Errors
/// A `model.*` code.
pub(crate) async fn embed(live: &Live, texts: &[String], bounds: &Bounds) -> Result<Embeddings, Fault> {
    let deadline = bounds.within(&live.entry);
    let entry = &live.entry;
    let ready = Ready::new(dialect::embedding(entry, texts)?);
    let mut attempts = Attempts::new(entry, deadline, &bounds.random);
    let found = loop {
        let once = async {
            let body = http::whole(live, &ready, deadline).await?;
            dialect::vectors(entry.provider, &body, texts.len()).map_err(|broken| failure(entry, broken))
        };
        match Box::pin(once).await {
            Ok(found) => break found,
            Err(failure) => attempts.pause(failure).await?,
        }
    };
    let estimated = texts.iter().map(|text| estimate(text)).sum();
    Ok(Embeddings {
        vectors: found.vectors,
        usage: found.counts.usage(entry, estimated, || 0),
        model: model_name(found.model.as_deref(), entry),
        provider: entry.provider.as_str().to_owned(),
        offline: false,
    })
}

async fn ask(
    live: &Live,
    request: &CompletionRequest,
    shape: Option<&Shape>,
    deadline: Instant,
    random: &Random,
) -> Result<Completion, Fault> {
    let entry = &live.entry;
    let ready = Ready::new(dialect::completion(entry, request, shape, false)?);
    let mut attempts = Attempts::new(entry, deadline, random);
    loop {
        let once = async {
            let body = http::whole(live, &ready, deadline).await?;
            dialect::answer(entry.provider, &body).map_err(|broken| failure(entry, broken))
        };
        match Box::pin(once).await {
            Ok(answer) => return Ok(answer.completion(entry, estimate_request(request), attempts.made())),
            Err(failure) => attempts.pause(failure).await?,
        }
    }
}

/// What a broken answer means.
fn failure(entry: &Entry, broken: Broken) -> Failure {
    match broken {
        Broken::Said(error) => from_event(entry, &error),
        Broken::Bad(why) => bad_answer(entry, &why),
    }
}

enum Fitting {
    Fits(Completion),
    Not(Completion, Vec<String>),
}

/// Whether an answer fits. What another try cannot mend is an error at once; an answer
/// that wants tools called is not the final one.
fn fit(mut done: Completion, shape: &Shape) -> Result<Fitting, Fault> {
    if done.finish == Finish::ToolCalls {
        return Ok(Fitting::Fits(done));
    }
    match shape.check(&done.message.joined_text()) {
        Ok(value) => {
            done.message.parts = vec![Part::Text { text: value }];
            Ok(Fitting::Fits(done))
        }
        Err(violations) => match done.finish {
            Finish::Length => Err(mismatch("the model's answer was cut off by the token limit", &violations)
                .hint("raise `max_tokens` of the call or of the entry in models.yaml")),
            Finish::Filtered => Err(mismatch("the model refused to answer", &violations)),
            Finish::Stop | Finish::ToolCalls | Finish::Other => Ok(Fitting::Not(done, violations)),
        },
    }
}

/// The text of an answer as it goes back to the model, which takes no empty one.
fn texts_of(done: &Completion) -> Vec<Part> {
    let text = done.message.joined_text();
    vec![Part::Text {
        text: if text.trim().is_empty() {
            "(no answer)".to_owned()
        } else {
            text
        },
    }]
}

/// A whole answer as a stream.
pub(crate) fn replay(done: Completion) -> ModelStream {
    let parts = done.message.parts.clone().into_iter().filter_map(|part| match part {
        Part::Text { text } => Some(ModelEvent::TextDelta(text)),
        Part::ToolCall(ToolCall { id, name, arguments }) => Some(ModelEvent::ToolCall(ToolCall { id, name, arguments })),
        Part::Blob { .. } | Part::ToolResult { .. } => None,
    });
    let events: Vec<_> = parts.chain([ModelEvent::Done(Box::new(done))]).map(Ok).collect();
    Box::pin(futures::stream::iter(events))
}

fn parse(entry: &Entry, bytes: &[u8]) -> Result<Value, Failure> {
    serde_json::from_slice(bytes).map_err(|_| bad_answer(entry, "is not JSON"))
}

#[cfg(test)]
mod tests;
