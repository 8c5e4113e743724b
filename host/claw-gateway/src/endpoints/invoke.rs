//! A call of a skill or a capability by a caller: read, sent through the door, answered.
//! Whatever becomes of it, its id and its trace are in the answer's headers.

use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Extension, Path, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::Response;
use claw_core::capability::{Payload, SkillRef, Target};
use claw_core::errors::{Code, Fault};
use claw_core::ids::{InvocationId, TraceParent};
use claw_core::pipeline::{Invocation, Output};
use claw_core::ports::Caller;
use serde::Serialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use super::skills::reference;
use super::stream;
use crate::app::{App, Shared};
use crate::body::{self, Room};
use crate::metrics::Held;
use crate::problem::Refusal;

mod asked;

pub(super) use asked::Asked;

/// The answer of an invocation.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Envelope {
    /// The invocation, as it stands in the audit journal.
    id: String,
    /// What ran, with its version: `pr-review-prep@1.2.0`, or a capability's name.
    skill: String,
    /// The answer: JSON as it is, text as a string, other bytes as `{"bytes": {mime, data}}`.
    #[schema(value_type = Object)]
    output: Value,
    /// It is a draft, and nothing was done outside.
    draft: bool,
    /// Some of it was made by the offline provider, and is not a language model's answer.
    offline: bool,
    /// It is the stored answer of an earlier call with the same idempotency key.
    replayed: bool,
}

/// A call that names its target in the body.
#[expect(dead_code, reason = "it describes the body, which is read field by field for clear errors")]
#[derive(ToSchema)]
pub(crate) struct NamedCall {
    /// A skill, `skill:name`, or a capability such as `llm.inference`.
    skill: String,
    /// What goes in; `{}` where it is absent.
    payload: Option<Value>,
    /// Exactly this version of the skill.
    version: Option<String>,
}

/// Invokes a skill with the body as its input. With `accept: text/event-stream` the answer
/// is a stream: `progress` and `chunk` events, then `result` (the envelope) or `error` (the
/// problem). A call that fails before its first event is answered with the problem's status.
#[utoipa::path(
    post,
    path = "/v1/skills/{name}/invoke",
    operation_id = "invoke_skill",
    tag = "invoke",
    params(
        ("name" = String, Path, description = "`name` or `name@version`"),
        ("idempotency-key" = Option<String>, Header, description = "1 to 255 visible ASCII characters; calls with the same key count as one"),
        ("claw-timeout-ms" = Option<u64>, Header, minimum = 1, description = "How long the call may take, in milliseconds"),
        ("traceparent" = Option<String>, Header, description = "The W3C trace that the call continues"),
    ),
    request_body(content = Object, description = "The skill's input"),
    responses((status = 200, description = "The answer", content(
        (Envelope = "application/json"),
        (String = "text/event-stream"),
    )))
)]
pub(crate) async fn skill(
    State(app): State<Shared>,
    Extension(caller): Extension<Caller>,
    name: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let skill = reference(name)?;
    let asked = Asked::from_headers(&app.gateway.settings, &headers)?;
    let (input, room) = body::json(&app, &headers, body).await?;
    call(app, caller, Target::Skill(skill), Payload::Json(input), asked, room).await
}

/// Invokes a skill or a capability that the body names. Streams like the other one.
#[utoipa::path(
    post,
    path = "/v1/invoke",
    operation_id = "invoke",
    tag = "invoke",
    params(
        ("idempotency-key" = Option<String>, Header, description = "1 to 255 visible ASCII characters; calls with the same key count as one"),
        ("claw-timeout-ms" = Option<u64>, Header, minimum = 1, description = "How long the call may take, in milliseconds"),
        ("traceparent" = Option<String>, Header, description = "The W3C trace that the call continues"),
    ),
    request_body = NamedCall,
    responses((status = 200, description = "The answer", content(
        (Envelope = "application/json"),
        (String = "text/event-stream"),
    )))
)]
pub(crate) async fn named(
    State(app): State<Shared>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let asked = Asked::from_headers(&app.gateway.settings, &headers)?;
    let (body, room) = body::json(&app, &headers, body).await?;
    let (target, payload) = named_call(&app, body).map_err(Refusal::fault)?;
    call(app, caller, target, payload, asked, room).await
}

async fn call(
    app: Shared,
    caller: Caller,
    target: Target,
    input: Payload,
    asked: Asked,
    room: Room,
) -> Result<Response, Refusal> {
    let invocation = Invocation {
        id: InvocationId::generate(),
        parent: None,
        trace: asked.trace,
        caller: caller.subject,
        key: caller.key,
        skill: None,
        depth: 0,
        target,
        input,
        deadline: asked.deadline,
        idempotency_key: asked.idempotency_key,
        events: None,
        approval: None,
    };
    if asked.stream {
        return stream::answer(app, invocation, room).await;
    }
    let (id, trace) = (invocation.id, invocation.trace);
    let (result, took) = run(app, invocation).await;
    drop(room);
    let output = result.map_err(|fault| refused(fault, id, trace))?;
    let ran = HeaderValue::from_str(&output.ran);
    let offline = HeaderValue::from_static(if output.offline { "true" } else { "false" });
    let body = serde_json::to_vec(&envelope(output)).unwrap_or_default();
    let mut response = Response::new(Body::from(body));
    let headers = response.headers_mut();
    headers.reserve(16);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    for (name, value) in marks(id, trace) {
        headers.insert(name, value);
    }
    if let Ok(ran) = ran {
        headers.insert(HeaderName::from_static("claw-skill"), ran);
    }
    headers.insert(HeaderName::from_static("claw-offline"), offline);
    let millis = took.as_secs_f64() * 1_000.0;
    if let Ok(timing) = HeaderValue::from_str(&format!("claw;dur={millis:.3}")) {
        headers.insert(HeaderName::from_static("server-timing"), timing);
    }
    Ok(response)
}

/// Sends a call through the door, and counts it.
pub(super) async fn run(app: Shared, invocation: Invocation) -> (Result<Output, Fault>, Duration) {
    let measured = Measured::begin(&app, invocation.target.clone());
    let result = app.gateway.doors.invoker().invoke(invocation).await;
    let took = measured.end(&result);
    (result, took)
}

/// The envelope of an answer.
pub(super) fn envelope(output: Output) -> Envelope {
    Envelope {
        id: output.id.to_string(),
        skill: output.ran,
        output: match output.payload {
            Payload::Json(value) => value,
            other @ (Payload::Text(_) | Payload::Bytes { .. }) => other.to_json(),
        },
        draft: output.draft,
        offline: output.offline,
        replayed: output.replayed,
    }
}

/// The refusal of a call that has an id.
pub(super) fn refused(fault: Fault, id: InvocationId, trace: TraceParent) -> Refusal {
    let refusal = Refusal::fault(fault).invocation(id);
    marks(id, trace)
        .into_iter()
        .fold(refusal, |refusal, (name, value)| refusal.header(name, value))
}

/// The headers by which a call is found again.
pub(super) fn marks(id: InvocationId, trace: TraceParent) -> [(HeaderName, HeaderValue); 2] {
    let value = |text: String| HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static(""));
    [
        (HeaderName::from_static("claw-invocation-id"), value(id.to_string())),
        (HeaderName::from_static("traceparent"), value(trace.to_string())),
    ]
}

/// A running call, for the counters. Dropped before its end, it counts as abandoned.
struct Measured<'a> {
    app: &'a App,
    target: Target,
    started: Instant,
    open: bool,
    _running: Held,
}

impl<'a> Measured<'a> {
    fn begin(app: &'a App, target: Target) -> Self {
        Measured {
            app,
            target,
            started: Instant::now(),
            open: true,
            _running: app.metrics.running(),
        }
    }

    fn end(mut self, result: &Result<Output, Fault>) -> Duration {
        self.open = false;
        let took = self.started.elapsed();
        match result {
            // What ran is live, and the answer says its name.
            Ok(output) => {
                let name = output.ran.split('@').next().unwrap_or_default();
                self.app.metrics.invocation(name, "ok", took);
            }
            Err(fault) => self.app.metrics.invocation(self.label(), fault.code.as_str(), took),
        }
        took
    }

    /// The target's name, if something of that name is live: a caller can make any other up.
    fn label(&self) -> &str {
        let gateway = &self.app.gateway;
        match &self.target {
            Target::Skill(skill) if gateway.skills.resolve(skill).is_ok() => &skill.name,
            Target::Capability(name) if name == "llm.inference" || gateway.capabilities.find(name).is_some() => name,
            Target::Skill(_) | Target::Capability(_) => "other",
        }
    }
}

impl Drop for Measured<'_> {
    fn drop(&mut self) {
        if self.open {
            let code = if std::thread::panicking() {
                Code::Internal.as_str()
            } else {
                "abandoned"
            };
            self.app.metrics.invocation(self.label(), code, self.started.elapsed());
        }
    }
}

fn named_call(app: &App, body: Value) -> Result<(Target, Payload), Fault> {
    let bad = |pointer: &str, message: String| {
        Fault::new(Code::InvalidInput, format!("the body does not fit: {message}"))
            .hint("send {\"skill\": \"…\", \"payload\": {…}, \"version\"?: \"…\"}")
            .details(json!({ "violations": [{ "pointer": pointer, "message": message }] }))
    };
    let Value::Object(mut body) = body else {
        return Err(bad("", "wants an object".to_owned()));
    };
    let text = |body: &mut Map<String, Value>, name: &str| match body.remove(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(bad(&format!("/{name}"), format!("`{name}` wants a string"))),
    };
    let skill = text(&mut body, "skill")?.ok_or_else(|| bad("", "`skill` is missing".to_owned()))?;
    let version = text(&mut body, "version")?;
    let payload = body.remove("payload").unwrap_or_else(|| Value::Object(Map::new()));
    if let Some(unknown) = body.keys().next() {
        let shown: String = unknown.chars().take(64).collect();
        return Err(bad("", format!("does not know `{shown}`")));
    }
    let target = app.gateway.doors.invoker().target(&skill)?;
    let target = match (target, version) {
        (target, None) => target,
        (Target::Skill(SkillRef { name, version: None }), Some(version)) => {
            let named: SkillRef = format!("{name}@{version}").parse().map_err(|_| {
                bad(
                    "/version",
                    "`version` wants letters, digits, `-`, `+` and `.`, at most 128".to_owned(),
                )
            })?;
            Target::Skill(named)
        }
        (Target::Skill(_), Some(_)) => return Err(bad("/version", "the version is there twice".to_owned())),
        (Target::Capability(_), Some(_)) => return Err(bad("/version", "a capability has no version".to_owned())),
    };
    Ok((target, Payload::Json(payload)))
}
