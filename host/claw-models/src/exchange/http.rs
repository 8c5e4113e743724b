//! One request and its status. Refuses bodies beyond a bound, and to wait without one.

use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use claw_core::errors::{Code, Fault};
use claw_core::ids::TraceParent;
use http::{HeaderValue, header};
use reqwest::{Response, Url};
use serde_json::Value;
use tokio::time::timeout_at;

use super::{Live, MAX_BODY, parse};
use crate::dialect::Outgoing;
use crate::fault::{Failure, Retry, Said, bad_answer, broken, from_status, not_reached, too_slow};
use crate::retry::retry_after;
use crate::text::clean;

/// The most of an error's body that is read, in bytes, and for how long.
const MAX_ERROR_BODY: usize = 64 * 1024;
const ERROR_BODY_TIME: Duration = Duration::from_secs(5);

/// A request that can be sent more than once.
pub(crate) struct Ready {
    url: Url,
    headers: http::HeaderMap,
    body: Bytes,
}

impl Ready {
    pub(crate) fn new(outgoing: Outgoing) -> Self {
        let body = Bytes::from(outgoing.body.to_string());
        Ready::raw(outgoing.url, outgoing.headers, body)
    }

    /// With a body that is sent as it is.
    pub(crate) fn raw(url: Url, headers: http::HeaderMap, body: Bytes) -> Self {
        Ready { url, headers, body }
    }
}

/// Until when something is waited for, and the key of the timeout if it is not the call's
/// own deadline.
#[derive(Clone, Copy)]
pub(crate) struct Limit {
    pub(crate) at: Instant,
    pub(crate) waited: Duration,
    pub(crate) key: Option<&'static str>,
}

impl Limit {
    /// This timeout, counted from now, or the deadline if that is earlier.
    pub(crate) fn within(deadline: Instant, timeout: Duration, key: &'static str) -> Self {
        let at = Instant::now() + timeout;
        if at < deadline {
            Limit {
                at,
                waited: timeout,
                key: Some(key),
            }
        } else {
            Limit::of(deadline)
        }
    }

    /// The deadline of the call.
    pub(crate) fn of(deadline: Instant) -> Self {
        Limit {
            at: deadline,
            waited: Duration::ZERO,
            key: None,
        }
    }

    fn failure(&self, live: &Live) -> Failure {
        too_slow(&live.entry, self.waited, self.key)
    }
}

/// Sends it, and reads the whole answer as JSON.
pub(crate) async fn whole(live: &Live, ready: &Ready, span: Option<TraceParent>, deadline: Instant) -> Result<Value, Failure> {
    let response = send(live, ready, span, "application/json", Limit::of(deadline)).await?;
    let bytes = read_whole(live, response, deadline).await?;
    parse(&live.entry, &bytes)
}

/// Sends it, and waits for a status that means success.
pub(crate) async fn send(
    live: &Live,
    ready: &Ready,
    span: Option<TraceParent>,
    accept: &'static str,
    limit: Limit,
) -> Result<Response, Failure> {
    let key = live.key();
    let mut headers = ready.headers.clone();
    if let Some((_, secret)) = key {
        let (name, value) = crate::dialect::key_header(&live.entry, secret)?;
        headers.insert(name, value);
    }
    if let Some(value) = span.and_then(|span| HeaderValue::try_from(span.to_string()).ok()) {
        headers.insert("traceparent", value);
    }
    let request = live
        .client
        .post(ready.url.clone())
        .headers(headers)
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::ACCEPT, accept)
        .body(ready.body.clone());
    let response = match timeout_at(limit.at.into(), request.send()).await {
        Err(_) => return Err(limit.failure(live)),
        Ok(Err(error)) => return Err(not_reached(&live.entry, &words(live, &error))),
        Ok(Ok(response)) => response,
    };
    if response.status().is_success() {
        if let Some((place, _)) = key {
            live.load.key_told(place, Instant::now(), None);
        }
        return Ok(response);
    }
    let status = response.status().as_u16();
    let headers = response.headers();
    let after = retry_after(headers, SystemTime::now());
    let stays = headers.get("x-should-retry").is_some_and(|value| value == "false");
    let said = Said::read(&read_some(response, limit.at).await);
    let mut failure = from_status(&live.entry, status, &said, after);
    if stays {
        failure.retry = Retry::Never;
    }
    if let Some((place, _)) = key
        && let Some(cold) = cold(&failure.fault, after.or(said.after))
    {
        live.load.key_told(place, Instant::now(), Some(cold));
        if live.load.has_other_key(place, Instant::now()) {
            failure.retry = Retry::Now;
        }
    }
    Err(failure)
}

/// How long a key is left alone after this: one that is refused longer than one that is only
/// limited.
fn cold(fault: &Fault, asked: Option<Duration>) -> Option<Duration> {
    match fault.code {
        Code::ModelAuth => Some(Duration::from_secs(300)),
        Code::ModelRateLimited => Some(asked.unwrap_or(Duration::from_secs(10))),
        _ => None,
    }
}

/// The next piece of a body; `None` is its end.
pub(crate) async fn chunk(live: &Live, response: &mut Response, limit: Limit) -> Result<Option<Bytes>, Chunk> {
    match timeout_at(limit.at.into(), response.chunk()).await {
        Err(_) => Err(Chunk::Late(limit.failure(live))),
        Ok(Err(_)) => Err(Chunk::Broken),
        Ok(Ok(piece)) => Ok(piece),
    }
}

/// Why there is no next piece.
pub(crate) enum Chunk {
    Late(Failure),
    Broken,
}

/// A body that is one JSON value.
pub(crate) async fn read_whole(live: &Live, mut response: Response, deadline: Instant) -> Result<Vec<u8>, Failure> {
    let too_long = || bad_answer(&live.entry, &format!("is longer than {MAX_BODY} bytes"));
    if response.content_length().is_some_and(|length| length > MAX_BODY as u64) {
        return Err(too_long());
    }
    let mut body = Vec::new();
    loop {
        let limit = Limit::within(deadline, live.entry.timeouts.idle, "idle_ms");
        match chunk(live, &mut response, limit).await {
            Ok(None) => return Ok(body),
            Ok(Some(piece)) if body.len() + piece.len() > MAX_BODY => return Err(too_long()),
            Ok(Some(piece)) => body.extend_from_slice(&piece),
            Err(Chunk::Late(failure)) => return Err(failure),
            Err(Chunk::Broken) => return Err(broken(&live.entry, "the connection broke in the middle of its answer")),
        }
    }
}

/// The beginning of an error's body, as far as it comes.
async fn read_some(mut response: Response, limit: Instant) -> String {
    let limit = limit.min(Instant::now() + ERROR_BODY_TIME);
    let mut body = Vec::new();
    while body.len() < MAX_ERROR_BODY {
        match timeout_at(limit.into(), response.chunk()).await {
            Ok(Ok(Some(piece))) => body.extend_from_slice(&piece),
            Ok(Ok(None) | Err(_)) | Err(_) => break,
        }
    }
    body.truncate(MAX_ERROR_BODY);
    String::from_utf8_lossy(&body).into_owned()
}

/// The innermost cause: it says `connection refused`, and holds no address.
fn words(live: &Live, error: &reqwest::Error) -> String {
    if error.is_connect() && error.is_timeout() {
        return format!("no connection within {} ms", live.entry.timeouts.connect.as_millis());
    }
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    if std::ptr::addr_eq(cause, error) {
        "the request failed".to_owned()
    } else {
        clean(&cause.to_string(), &live.entry.secrets)
    }
}
