//! One call over the network: sent, repeated where that helps, checked, and put together.
//! Refuses to repeat a stream whose first piece was handed on.

pub(crate) mod http;
mod stream;

use std::sync::Arc;
use std::time::{Duration, Instant};

use claw_core::errors::Fault;
use claw_core::meter::Meter;
use claw_core::model::{
    Completion, CompletionRequest, Embeddings, Finish, Message, ModelEvent, ModelStream, Part, Role, ToolCall,
};
use reqwest::Client;
use serde_json::Value;

use crate::answer::{Counts, estimate, estimate_request, model_name};
use crate::config::{Entry, Key};
use crate::dialect::{self, Broken};
use crate::fault::{Failure, bad_answer, from_event};
use crate::models::route;
use crate::retry::{Attempts, Random};
use crate::router::Load;
use crate::schema::{Shape, correction, mismatch};
use crate::secret::Secret;

use http::Ready;

/// The longest body of an answer that is not a stream, in bytes.
const MAX_BODY: usize = 32 * 1024 * 1024;

/// An entry with the client that reaches it.
#[derive(Debug)]
pub(crate) struct Live {
    pub(crate) entry: Entry,
    pub(crate) client: Client,
    pub(crate) load: Arc<Load>,
}

impl Live {
    /// The key to use now, and its place.
    pub(crate) fn key(&self) -> Option<(usize, &Secret)> {
        let Key::Set(keys) = &self.entry.key else { return None };
        let place = self.load.key(Instant::now())?;
        Some((place, keys.get(place)?))
    }
}

/// How one call is bounded.
#[derive(Clone)]
pub(crate) struct Bounds {
    pub(crate) deadline: Instant,
    pub(crate) random: Random,
    pub(crate) meter: Arc<Meter>,
    /// A `Retry-After` that is longer is not waited for.
    pub(crate) patience: Duration,
}

impl Bounds {
    /// Writes down that an attempt begins.
    pub(crate) fn begin(&self, live: &Live) {
        self.meter.begin(&route(live));
    }

    /// Writes down what the offline provider did, which takes no time.
    pub(crate) fn offline<T>(&self, live: &Live, made: Result<T, Fault>) -> Result<T, Fault> {
        self.begin(live);
        self.meter.end(made.as_ref().err().map(|fault| fault.code), Duration::ZERO);
        made
    }

    /// The same for an answer that is whole.
    pub(crate) fn offline_whole(&self, live: &Live, made: Result<Completion, Fault>) -> Result<Completion, Fault> {
        self.offline(live, made).inspect(|done| self.meter.used(done.usage))
    }

    /// The deadline of the call, or the entry's own total if that ends earlier.
    pub(crate) fn within(&self, entry: &Entry) -> Instant {
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
        return ask(live, &request, None, deadline, bounds).await;
    };
    let shape = Shape::try_new(&schema, dialect::takes_objects_only(live.entry.provider))?;
    let first = ask(live, &request, Some(&shape), deadline, bounds).await?;
    let (first, violations) = match fit_or_set_aside(first, &shape, bounds)? {
        Fitting::Fits(done) => return Ok(done),
        Fitting::Not(first, violations) => (first, violations),
    };
    // One repair: the model sees its answer and what is wrong with it.
    request.messages.push(Message {
        role: Role::Assistant,
        parts: texts_of(&first),
    });
    request.messages.push(Message::text(Role::User, correction(&violations)));
    let mut second = ask(live, &request, Some(&shape), deadline, bounds).await?;
    second.usage = first.usage.plus(second.usage);
    second.attempts = second.attempts.saturating_add(first.attempts);
    match fit_or_set_aside(second, &shape, bounds)? {
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
    let mut attempts = Attempts::new(&live, deadline, bounds);
    loop {
        let metered = Metered::begin(&live, bounds, estimated_input);
        match metered.end(Box::pin(stream::begin(&live, &ready, bounds.meter.span(), deadline)).await) {
            Ok(begun) => return Ok(begun.hand_on(estimated_input, attempts.made(), bounds.meter.clone())),
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
    let mut attempts = Attempts::new(live, deadline, bounds);
    let estimated = texts.iter().map(|text| estimate(text)).sum();
    let found = loop {
        let metered = Metered::begin(live, bounds, estimated);
        let once = async {
            let body = http::whole(live, &ready, bounds.meter.span(), deadline).await?;
            dialect::vectors(entry.provider, &body, texts.len()).map_err(|broken| failure(entry, broken))
        };
        match metered.end(Box::pin(once).await) {
            Ok(found) => break found,
            Err(failure) => attempts.pause(failure).await?,
        }
    };
    let usage = found.counts.usage(entry, estimated, || 0);
    bounds.meter.used(usage);
    Ok(Embeddings {
        vectors: found.vectors,
        usage,
        model: model_name(found.model.as_deref(), entry),
        provider: entry.provider.as_str().to_owned(),
        offline: false,
    })
}

/// One attempt on the meter: while it runs, what it would cost if its caller hung up now.
struct Metered<'a> {
    bounds: &'a Bounds,
    started: Instant,
}

impl<'a> Metered<'a> {
    fn begin(live: &Live, bounds: &'a Bounds, estimated_input: u64) -> Self {
        bounds.begin(live);
        bounds.meter.used(Counts::default().usage(&live.entry, estimated_input, || 0));
        Metered {
            bounds,
            started: Instant::now(),
        }
    }

    fn end<T>(self, result: Result<T, Failure>) -> Result<T, Failure> {
        let code = result.as_ref().err().map(|failure| failure.fault.code);
        self.bounds.meter.end(code, self.started.elapsed());
        if let Err(failure) = &result {
            self.bounds.meter.note(|known| known.failed(failure.taken_on));
        }
        result
    }
}

async fn ask(
    live: &Live,
    request: &CompletionRequest,
    shape: Option<&Shape>,
    deadline: Instant,
    bounds: &Bounds,
) -> Result<Completion, Fault> {
    let entry = &live.entry;
    let ready = Ready::new(dialect::completion(entry, request, shape, false)?);
    let mut attempts = Attempts::new(live, deadline, bounds);
    loop {
        let metered = Metered::begin(live, bounds, estimate_request(request));
        let once = async {
            let body = http::whole(live, &ready, bounds.meter.span(), deadline).await?;
            dialect::answer(entry.provider, &body).map_err(|broken| failure(entry, broken))
        };
        match metered.end(Box::pin(once).await) {
            Ok(answer) => {
                let done = answer.completion(entry, estimate_request(request), attempts.made());
                bounds.meter.used(done.usage);
                return Ok(done);
            }
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

/// Whether an answer fits; one that does not is paid for all the same.
fn fit_or_set_aside(done: Completion, shape: &Shape, bounds: &Bounds) -> Result<Fitting, Fault> {
    let fitting = fit(done, shape);
    if !matches!(fitting, Ok(Fitting::Fits(_))) {
        bounds.meter.note(claw_core::meter::Metered::set_aside);
    }
    fitting
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
        Part::Blob { .. } | Part::Link { .. } | Part::ToolResult { .. } => None,
    });
    let events: Vec<_> = parts.chain([ModelEvent::Done(Box::new(done))]).map(Ok).collect();
    Box::pin(futures::stream::iter(events))
}

fn parse(entry: &Entry, bytes: &[u8]) -> Result<Value, Failure> {
    serde_json::from_slice(bytes).map_err(|_| bad_answer(entry, "is not JSON"))
}

#[cfg(test)]
mod tests;
