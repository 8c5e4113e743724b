//! The endpoints that the official SDKs of OpenAI and Anthropic call, as those expect them:
//! their bodies, streams, errors and headers. Knows no provider; every call goes through the
//! completer's door.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use axum::extract::{Extension, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::Response;
use claw_core::errors::{Code, Fault};
use claw_core::ids::{InvocationId, TraceParent};
use claw_core::pipeline::{Answered, AnsweredBody, ByteStream, Complete, Said};
use claw_core::ports::Caller;
use claw_core::wire::{Api, Family, WireRequest, errors};
use futures::StreamExt as _;

use super::invoke::{Asked, marks};
use crate::app::{App, Shared};
use crate::body::{self, Room};
use crate::problem::Refusal;
use context::Session;

mod context;
mod explain;
mod listing;

pub(crate) use explain::{__path_explain, Explain, explain};
pub(crate) use listing::{__path_list, __path_one, list, one};

/// How long a call may take where its caller does not say: as long as the SDKs wait.
const PATIENCE: Duration = Duration::from_secs(600);

/// Headers that mean something to the provider of the caller's dialect.
const HANDED_ON: [&str; 3] = ["anthropic-beta", "anthropic-version", "openai-beta"];

/// OpenAI's Chat Completions: the request and the answer of its API, streaming included.
/// `model` is a use, an alias, an entry of `models.yaml`, or a provider's model.
#[utoipa::path(
    post,
    path = "/v1/chat/completions",
    operation_id = "chat_completions",
    tag = "models",
    request_body(content = Object, description = "As OpenAI's API takes it"),
    responses((status = 200, description = "As OpenAI's API answers", content((Object = "application/json"), (String = "text/event-stream"))))
)]
pub(crate) async fn chat_completions(
    state: State<Shared>,
    caller: Extension<Caller>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    call(Api::ChatCompletions, state, caller, headers, body).await
}

/// OpenAI's Responses.
#[utoipa::path(
    post,
    path = "/v1/responses",
    operation_id = "responses",
    tag = "models",
    request_body(content = Object, description = "As OpenAI's API takes it"),
    responses((status = 200, description = "As OpenAI's API answers", content((Object = "application/json"), (String = "text/event-stream"))))
)]
pub(crate) async fn responses(
    state: State<Shared>,
    caller: Extension<Caller>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    call(Api::Responses, state, caller, headers, body).await
}

/// OpenAI's Embeddings.
#[utoipa::path(
    post,
    path = "/v1/embeddings",
    operation_id = "embeddings",
    tag = "models",
    request_body(content = Object, description = "As OpenAI's API takes it"),
    responses((status = 200, description = "As OpenAI's API answers", body = Object))
)]
pub(crate) async fn embeddings(
    state: State<Shared>,
    caller: Extension<Caller>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    call(Api::Embeddings, state, caller, headers, body).await
}

/// Anthropic's Messages.
#[utoipa::path(
    post,
    path = "/v1/messages",
    operation_id = "messages",
    tag = "models",
    request_body(content = Object, description = "As Anthropic's API takes it"),
    responses((status = 200, description = "As Anthropic's API answers", content((Object = "application/json"), (String = "text/event-stream"))))
)]
pub(crate) async fn messages(
    state: State<Shared>,
    caller: Extension<Caller>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    call(Api::Messages, state, caller, headers, body).await
}

/// How many tokens a message would be. An estimate where the provider cannot count.
#[utoipa::path(
    post,
    path = "/v1/messages/count_tokens",
    operation_id = "count_tokens",
    tag = "models",
    request_body(content = Object, description = "As Anthropic's API takes it"),
    responses((status = 200, description = "As Anthropic's API answers", body = Object))
)]
pub(crate) async fn count_tokens(
    state: State<Shared>,
    caller: Extension<Caller>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    call(Api::CountTokens, state, caller, headers, body).await
}

async fn call(
    api: Api,
    State(app): State<Shared>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let asked = Asked::from_headers(&app.gateway.settings, &headers)?;
    let (bytes, value, room) = body::object(&app, &headers, body).await?;
    let mut complete = Complete {
        admitted: false,
        id: InvocationId::generate(),
        parent: None,
        trace: asked.trace,
        caller: caller.subject,
        key: caller.key,
        skill: None,
        depth: 0,
        use_name: named(&value).map_err(Refusal::fault)?,
        context: Vec::new(),
        deadline: asked.deadline.unwrap_or_else(|| Instant::now() + PATIENCE),
    };
    let mut request = WireRequest {
        api,
        masked: None,
        stream: value.get("stream").and_then(serde_json::Value::as_bool).unwrap_or(false),
        headers: handed_on(&headers),
        body: bytes,
        value: Arc::new(value),
    };
    let measured = app.metrics.running();
    let (id, trace) = (complete.id, complete.trace);
    let wanted = context::wanted(&headers, &mut request).map_err(Refusal::fault)?;
    let session = Session::of(&app, &complete, &wanted, &request);
    let completer = &app.gateway.doors.completer;
    if !wanted.is_empty() {
        // Nothing is gathered for who may not make the call.
        let put_in = match completer.admit(&complete) {
            Ok(()) => context::put_in(&app, &complete, &wanted, &mut request).await,
            Err(fault) => Err(fault),
        };
        match put_in {
            Ok(used) => (complete.admitted, complete.context) = (true, used),
            Err(fault) => return Err(refused(completer.refuse(&complete, &request, fault).await, id, trace)),
        }
    }
    let answered = completer.wire(&complete, request).await;
    let answered = answered.map_err(|fault| refused(fault, id, trace))?;
    Ok(answer(api, answered, &complete, session, (room, measured)).await)
}

/// The name that has to serve the call.
fn named(value: &serde_json::Value) -> Result<String, Fault> {
    let model = value.get("model").and_then(serde_json::Value::as_str);
    let model = model.filter(|name| (1..=256).contains(&name.len()) && !name.chars().any(char::is_control));
    model.map(str::to_owned).ok_or_else(|| {
        Fault::new(
            Code::InvalidInput,
            "`model` must name a use, an alias, an entry of models.yaml, or a model",
        )
        .hint("`GET /v1/models` lists what there is")
        .details(serde_json::json!({ "param": "model" }))
    })
}

fn handed_on(headers: &HeaderMap) -> Vec<(String, String)> {
    let given = HANDED_ON.iter().filter_map(|name| {
        let value = headers.get(*name)?.to_str().ok()?;
        Some(((*name).to_owned(), value.to_owned()))
    });
    given.collect()
}

/// The refusal of a call that has an id.
fn refused(fault: Fault, id: InvocationId, trace: TraceParent) -> Refusal {
    let stays = !errors::may_retry(&fault);
    let refusal = super::invoke::refused(fault, id, trace);
    match stays {
        // The SDKs would send it again by themselves.
        true => refusal.header(HeaderName::from_static("x-should-retry"), HeaderValue::from_static("false")),
        false => refusal,
    }
}

async fn answer(
    api: Api,
    answered: Answered,
    call: &Complete,
    session: Option<Session>,
    held: (Room, crate::metrics::Held),
) -> Response {
    let facts = facts(api, &answered, call);
    let (kind, body) = match answered.body {
        AnsweredBody::Whole(bytes, _) => {
            if let Some(mut session) = session {
                session.hear(&bytes);
                session.end().await;
            }
            ("application/json", Body::from(bytes))
        }
        AnsweredBody::Stream(stream) => (
            "text/event-stream; charset=utf-8",
            Body::from_stream(events(api, stream, session, held)),
        ),
    };
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.reserve(facts.len() + 16);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    for (name, value) in facts {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            headers.insert(name, value);
        }
    }
    for (name, value) in marks(call.id, call.trace) {
        headers.insert(name, value);
    }
    response
}

/// What the headers of an answer say about it.
fn facts(api: Api, answered: &Answered, call: &Complete) -> Vec<(String, String)> {
    let request_id = match api.family() {
        Family::OpenAi => "x-request-id",
        Family::Anthropic => "request-id",
    };
    // The provider's own id comes later, and takes its place.
    let mut facts = vec![(request_id.to_owned(), call.id.to_string())];
    facts.extend(answered.headers.iter().cloned());
    let mut say = |name: &str, value: String| facts.push((name.to_owned(), value));
    let route = &answered.route;
    say("claw-provider", route.provider.clone());
    say("claw-model", route.model.clone());
    say("claw-entry", route.entry.clone());
    say("claw-attempts", answered.attempts.to_string());
    say("claw-offline", route.offline.to_string());
    say("claw-draft", answered.draft.to_string());
    say("claw-overhead-us", answered.overhead.as_micros().to_string());
    if !answered.policy.applied.is_empty() {
        say("claw-policy", answered.policy.applied.join(","));
    }
    if !answered.budgets.is_empty() {
        let notes = answered.budgets.iter().map(|note| format!("{}: {}", note.budget, note.text));
        say("claw-budget", notes.collect::<Vec<_>>().join("; "));
    }
    if let AnsweredBody::Whole(_, done) = &answered.body {
        let cost = done
            .usage
            .cost_nanousd
            .map_or_else(|| "unknown".to_owned(), |cost| cost.to_string());
        say("claw-cost-nanousd", cost);
    } else {
        facts.push(("x-accel-buffering".to_owned(), "no".to_owned()));
    }
    facts
}

/// The stream; a failure in it becomes the dialect's own event, and ends it. A session is kept
/// before the last events leave, so that the next call finds it.
fn events(
    api: Api,
    stream: ByteStream,
    session: Option<Session>,
    held: (Room, crate::metrics::Held),
) -> impl futures::Stream<Item = Result<Bytes, std::convert::Infallible>> + Send {
    futures::stream::unfold((stream, session, held), move |(mut stream, mut session, held)| async move {
        let bytes = match stream.next().await? {
            Ok(Said::More(bytes)) => {
                if let Some(session) = &mut session {
                    session.hear(&bytes);
                }
                bytes
            }
            Ok(Said::Last(bytes)) => {
                if let Some(mut session) = session.take() {
                    session.hear(&bytes);
                    session.end().await;
                }
                bytes
            }
            Err(fault) => errors::event(api, &fault),
        };
        Some((Ok(bytes), (stream, session, held)))
    })
}

/// The refusals of these endpoints are the dialect's.
pub(crate) fn family(path: &str, headers: &HeaderMap) -> Option<Family> {
    let anthropic = headers.contains_key("anthropic-version");
    match path {
        "/v1/chat/completions" | "/v1/responses" | "/v1/embeddings" => Some(Family::OpenAi),
        "/v1/messages" | "/v1/messages/count_tokens" => Some(Family::Anthropic),
        "/v1/models" | "/v1/models/{*id}" => Some(if anthropic { Family::Anthropic } else { Family::OpenAi }),
        _ => None,
    }
}

/// Whether a caller may know of a name.
fn may_name(caller: &Caller, name: &str) -> bool {
    caller.key.as_ref().is_none_or(|key| key.check_use(name).is_ok())
}

/// What a caller can name, as far as it may know of it.
fn names(app: &App, caller: &Caller) -> Vec<claw_core::routing::ModelListing> {
    let mut all = app.gateway.doors.completer.list();
    all.retain(|listing| may_name(caller, &listing.name));
    all
}
