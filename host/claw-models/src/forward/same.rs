//! The provider speaks the caller's dialect: its bytes go on as they come. What is changed on
//! the way there is the model's name and, in a stream of Chat Completions whose caller did not
//! ask for it, `include_usage`; the chunk that this adds is taken out again.

use std::sync::Arc;
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use claw_core::errors::Fault;
use claw_core::meter::Meter;
use claw_core::wire::{Api, WireBody, WireDone, WirePiece, WireRequest, WireStream};
use http::{HeaderMap, HeaderName, HeaderValue, header};
use reqwest::Response;
use serde_json::{Value, json};

use super::sniff::{Meaning, Sniffed};
use super::splice::{fields, replaced};
use super::split::{BadEvent, Splitter};
use crate::answer::model_name;
use crate::dialect;
use crate::exchange::http::{Chunk, Limit, Ready, chunk, read_whole, send};
use crate::exchange::{Bounds, Live};
use crate::fault::{Failure, bad_answer, broken, from_event};
use crate::retry::Attempts;

type Headers = Vec<(String, String)>;

/// One call, with the attempts that the entry is given.
pub(super) async fn call(
    live: &Arc<Live>,
    request: &WireRequest,
    input_tokens: u64,
    bounds: &Bounds,
) -> Result<(Headers, WireBody), Fault> {
    let entry = &live.entry;
    let deadline = bounds.within(entry);
    let sent = Sent::of(live, request, input_tokens)?;
    let mut attempts = Attempts::new(live, deadline, bounds);
    loop {
        bounds.begin(live);
        let started = Instant::now();
        let result = if request.stream {
            Box::pin(begin(live, request, &sent, deadline, bounds)).await
        } else {
            Box::pin(whole(live, request, &sent, deadline, bounds)).await
        };
        let code = result.as_ref().err().map(|failure| failure.fault.code);
        bounds.meter.end(code, started.elapsed());
        match result {
            Ok(answer) => return Ok(answer),
            Err(failure) => {
                bounds.meter.note(|known| known.failed(failure.taken_on));
                attempts.pause(failure).await?;
            }
        }
    }
}

/// A request as it is sent.
struct Sent {
    ready: Ready,
    /// The usage of the stream was asked for by us.
    our_usage: bool,
    /// About how many tokens go in.
    input_tokens: u64,
}

impl Sent {
    fn of(live: &Live, request: &WireRequest, input_tokens: u64) -> Result<Self, Fault> {
        let (path, mut edits) = (path(request.api), Vec::new());
        let found = fields(&request.body);
        let model = json!(live.entry.model).to_string();
        for field in found.iter().filter(|field| field.name == "model") {
            if request.body.get(field.value.clone()) != Some(model.as_bytes()) {
                edits.push((field.value.clone(), model.clone()));
            }
        }
        let mut our_usage = false;
        if request.api == Api::ChatCompletions && request.stream && !asks_for_usage(&request.value) {
            our_usage = true;
            match found.iter().rev().find(|field| field.name == "stream_options") {
                Some(field) => {
                    let mut options = request.value.get("stream_options").cloned().unwrap_or_default();
                    match options.as_object_mut() {
                        Some(options) => drop(options.insert("include_usage".to_owned(), json!(true))),
                        None => options = json!({ "include_usage": true }),
                    }
                    edits.push((field.value.clone(), options.to_string()));
                }
                None => {
                    let place = request
                        .body
                        .iter()
                        .position(|byte| *byte == b'{')
                        .map_or(0, |brace| brace + 1);
                    edits.push((place..place, "\"stream_options\":{\"include_usage\":true},".to_owned()));
                }
            }
        }
        edits.sort_by_key(|(range, _)| range.start);
        let body = replaced(&request.body, &edits);
        let outgoing = dialect::raw(&live.entry, path)?;
        let headers = with_callers(outgoing.headers, &request.headers);
        Ok(Sent {
            ready: Ready::raw(outgoing.url, headers, body),
            our_usage,
            input_tokens,
        })
    }
}

/// What may come before an answer begins, in bytes; it is kept until then.
const MOST_BEFORE: usize = 1 << 20;

fn path(api: Api) -> &'static str {
    match api {
        Api::ChatCompletions => "chat/completions",
        Api::Responses => "responses",
        Api::Embeddings => "embeddings",
        Api::Messages => "v1/messages",
        Api::CountTokens => "v1/messages/count_tokens",
    }
}

fn asks_for_usage(value: &Value) -> bool {
    value.pointer("/stream_options/include_usage") == Some(&Value::Bool(true))
}

/// The entry's headers, and those of the caller that mean something upstream; where both set
/// one, the caller's counts, since its body was written for it.
fn with_callers(mut headers: HeaderMap, callers: &[(String, String)]) -> HeaderMap {
    for (name, value) in callers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name.as_str()), HeaderValue::from_str(value)) {
            headers.insert(name, value);
        }
    }
    headers
}

/// Headers of an answer that SDKs read, or that tell what happened.
fn handed_back(response: &Response) -> Headers {
    const NAMES: &[&str] = &[
        "x-request-id",
        "request-id",
        "openai-processing-ms",
        "openai-version",
        "openai-model",
    ];
    const PREFIXES: &[&str] = &["x-ratelimit-", "anthropic-ratelimit-", "anthropic-organization-id"];
    let wanted = |name: &str| NAMES.contains(&name) || PREFIXES.iter().any(|prefix| name.starts_with(prefix));
    let headers = response.headers().iter().filter(|(name, _)| wanted(name.as_str()));
    headers
        .filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned())))
        .collect()
}

fn is_kind(response: &Response, wanted: &str) -> bool {
    let kind = response
        .headers()
        .get(header::CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok());
    kind.is_some_and(|kind| kind.trim_start().to_ascii_lowercase().starts_with(wanted))
}

fn is_packed(response: &Response) -> bool {
    let coding = response.headers().get(header::CONTENT_ENCODING);
    coding.is_some_and(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity"))
}

async fn whole(
    live: &Arc<Live>,
    request: &WireRequest,
    sent: &Sent,
    deadline: Instant,
    bounds: &Bounds,
) -> Result<(Headers, WireBody), Failure> {
    let entry = &live.entry;
    let mut sniffed = Sniffed::default();
    bounds.meter.used(sniffed.counts.usage(entry, sent.input_tokens, || 0));
    let response = send(
        live,
        &sent.ready,
        bounds.meter.span(),
        "application/json",
        Limit::of(deadline),
    )
    .await?;
    if is_packed(&response) {
        return Err(bad_answer(entry, "is compressed, which was not asked for"));
    }
    if !is_kind(&response, "application/json") {
        return Err(bad_answer(entry, "is not JSON"));
    }
    let headers = handed_back(&response);
    let bytes = Bytes::from(read_whole(live, response, deadline).await?);
    let value: Value = serde_json::from_slice(&bytes).map_err(|_| bad_answer(entry, "is not JSON"))?;
    if value.get("error").is_some_and(|error| !error.is_null()) {
        return Err(from_event(entry, &value));
    }
    sniffed.whole(request.api, &value).map_err(|why| bad_answer(entry, why))?;
    let done = done(live, &sniffed, sent.input_tokens, Bytes::new());
    bounds.meter.used(done.usage);
    Ok((headers, WireBody::Whole(bytes, Box::new(done))))
}

fn done(live: &Live, sniffed: &Sniffed, input_tokens: u64, last: Bytes) -> WireDone {
    let entry = &live.entry;
    WireDone {
        usage: sniffed.counts.usage(entry, input_tokens, || sniffed.said.div_ceil(4)),
        finish: sniffed.finish,
        model: model_name(sniffed.model.as_deref(), entry),
        last,
    }
}

/// A stream while it is read. It owns its connection: dropping it closes it.
struct Reading {
    live: Arc<Live>,
    api: Api,
    response: Response,
    splitter: Splitter,
    sniffed: Sniffed,
    our_usage: bool,
    input_tokens: u64,
    deadline: Instant,
    first_sign: Limit,
    meter: Arc<Meter>,
    ended: bool,
}

/// What comes next of a stream.
enum Next {
    Event(Bytes),
    End(Bytes),
}

/// Sends the request and reads up to the first piece of the answer. Errors until then may be
/// repeated, also those that come as an event under HTTP 200.
async fn begin(
    live: &Arc<Live>,
    request: &WireRequest,
    sent: &Sent,
    deadline: Instant,
    bounds: &Bounds,
) -> Result<(Headers, WireBody), Failure> {
    let entry = &live.entry;
    let first_sign = Limit::within(deadline, entry.timeouts.first_token, "first_token_ms");
    let sniffed = Sniffed::default();
    bounds.meter.used(sniffed.counts.usage(entry, sent.input_tokens, || 0));
    let response = send(live, &sent.ready, bounds.meter.span(), "text/event-stream", first_sign).await?;
    if is_packed(&response) {
        return Err(bad_answer(entry, "is compressed, which was not asked for"));
    }
    let headers = handed_back(&response);
    if is_kind(&response, "application/json") {
        return Err(error_or_whole(live, response, deadline).await);
    }
    if !is_kind(&response, "text/event-stream") {
        return Err(bad_answer(entry, "is no stream of events"));
    }
    let mut reading = Reading {
        live: live.clone(),
        api: request.api,
        response,
        splitter: Splitter::default(),
        sniffed,
        our_usage: sent.our_usage,
        input_tokens: sent.input_tokens,
        deadline,
        first_sign,
        meter: bounds.meter.clone(),
        ended: false,
    };
    let mut first = BytesMut::new();
    while !reading.sniffed.begun {
        match reading.next().await? {
            Next::Event(bytes) if first.len() + bytes.len() > MOST_BEFORE => {
                return Err(bad_answer(entry, "does not begin for too many events"));
            }
            Next::Event(bytes) => first.extend_from_slice(&bytes),
            // An answer that says nothing is one all the same.
            Next::End(last) => {
                first.extend_from_slice(&last);
                let done = reading.done(first.freeze());
                let pieces = futures::stream::iter([Ok(WirePiece::Done(Box::new(done)))]);
                return Ok((headers, WireBody::Stream(Box::pin(pieces))));
            }
        }
    }
    Ok((headers, WireBody::Stream(reading.hand_on(first.freeze()))))
}

/// The provider answers JSON where a stream was asked for: an error, or what we cannot use.
async fn error_or_whole(live: &Live, response: Response, deadline: Instant) -> Failure {
    let entry = &live.entry;
    match read_whole(live, response, deadline).await {
        Err(failure) => failure,
        Ok(bytes) => match serde_json::from_slice::<Value>(&bytes) {
            Ok(value) if value.get("error").is_some_and(|error| !error.is_null()) => from_event(entry, &value),
            _ => bad_answer(entry, "is no stream of events"),
        },
    }
}

impl Reading {
    fn hand_on(self, first: Bytes) -> WireStream {
        let state = Some((Box::new(self), Some(first)));
        Box::pin(futures::stream::unfold(state, |state| async move {
            let (mut reading, first) = state?;
            if let Some(first) = first {
                return Some((Ok(WirePiece::Bytes(first)), Some((reading, None))));
            }
            let started = Instant::now();
            let next = reading.next().await;
            reading.meter.waited(started.elapsed());
            Some(match next {
                Ok(Next::Event(bytes)) => (Ok(WirePiece::Bytes(bytes)), Some((reading, None))),
                Ok(Next::End(last)) => {
                    let done = reading.done(last);
                    (Ok(WirePiece::Done(Box::new(done))), None)
                }
                Err(failure) => (Err(failure.fault), None),
            })
        }))
    }

    fn done(&self, last: Bytes) -> WireDone {
        let done = done(&self.live, &self.sniffed, self.input_tokens, last);
        self.meter.used(done.usage);
        done
    }

    /// The next event that is for the caller.
    async fn next(&mut self) -> Result<Next, Failure> {
        loop {
            let event = match self.splitter.next_event().map_err(|bad| self.bad(bad))? {
                Some(event) => event,
                None if self.ended => match self.splitter.rest().map_err(|bad| self.bad(bad))? {
                    Some(event) => event,
                    None => return Err(self.torn()),
                },
                None => {
                    self.read_on().await?;
                    continue;
                }
            };
            match self.sniffed.event(self.api, &event) {
                Meaning::OurUsage if self.our_usage => continue,
                Meaning::More | Meaning::OurUsage => {}
                Meaning::End => return Ok(Next::End(event.raw)),
                Meaning::Error(error) => return Err(from_event(&self.live.entry, &error)),
                Meaning::Garbage => return Err(bad_answer(&self.live.entry, "holds an event that is not JSON")),
            }
            let usage = self
                .sniffed
                .counts
                .usage(&self.live.entry, self.input_tokens, || self.sniffed.said.div_ceil(4));
            self.meter.used(usage);
            return Ok(Next::Event(event.raw));
        }
    }

    async fn read_on(&mut self) -> Result<(), Failure> {
        let limit = if self.sniffed.begun {
            Limit::within(self.deadline, self.live.entry.timeouts.idle, "idle_ms")
        } else {
            self.first_sign
        };
        match chunk(&self.live, &mut self.response, limit).await {
            Ok(Some(piece)) => self.splitter.push(&piece),
            Ok(None) => self.ended = true,
            Err(Chunk::Late(failure)) => return Err(failure),
            Err(Chunk::Broken) if self.sniffed.begun => {
                return Err(bad_answer(&self.live.entry, "broke off before it was whole"));
            }
            Err(Chunk::Broken) => return Err(broken(&self.live.entry, "the connection broke before an answer came")),
        }
        Ok(())
    }

    /// The end of the connection is not the end of an answer.
    fn torn(&self) -> Failure {
        if self.sniffed.begun {
            bad_answer(&self.live.entry, "ended before it was whole")
        } else {
            broken(&self.live.entry, "the connection ended before an answer came")
        }
    }

    fn bad(&self, bad: BadEvent) -> Failure {
        bad_answer(&self.live.entry, bad.words())
    }
}
