//! What would become of a model call, without making it: who would serve it, who would not and
//! why, and what policy says.

use std::time::Instant;

use axum::Json;
use axum::body::Body;
use axum::extract::{Extension, State};
use axum::http::HeaderMap;
use claw_core::errors::{Code, Fault};
use claw_core::ids::{InvocationId, TraceParent};
use claw_core::model::{CompletionRequest, Message, Role};
use claw_core::pipeline::{Complete, Explained};
use claw_core::ports::Caller;
use serde::Deserialize;
use utoipa::ToSchema;

use super::PATIENCE;
use crate::app::Shared;
use crate::body;
use crate::problem::Refusal;

/// The call that is asked about.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Explain {
    /// A use, an alias, an entry of `models.yaml`, or a model.
    #[serde(rename = "use", alias = "model")]
    use_name: String,
    /// What would be asked; policy looks through it.
    #[serde(default)]
    text: String,
    /// The most tokens that are to come out.
    #[serde(default)]
    max_tokens: Option<u32>,
    /// As if this skill asked.
    #[serde(default)]
    skill: Option<String>,
}

/// Which candidates would be tried, in order, which would not, and why; and what policy
/// decides. Nothing is sent, recorded or reserved.
#[utoipa::path(
    post,
    path = "/v1/explain",
    operation_id = "explain",
    tag = "models",
    request_body = Explain,
    responses((status = 200, description = "The plan and the decision", body = Object))
)]
pub(crate) async fn explain(
    State(app): State<Shared>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Explained>, Refusal> {
    let (value, _room) = body::json(&app, &headers, body).await?;
    let asked: Explain = serde_json::from_value(value).map_err(|error| {
        let fault = Fault::new(Code::InvalidInput, format!("the body does not fit: {error}"));
        Refusal::fault(fault.hint("send {\"use\": …, \"text\": …}"))
    })?;
    let call = Complete {
        admitted: false,
        id: InvocationId::generate(),
        parent: None,
        trace: TraceParent::generate(),
        caller: caller.subject,
        key: caller.key,
        skill: asked.skill,
        depth: 0,
        use_name: asked.use_name,
        context: Vec::new(),
        deadline: Instant::now() + PATIENCE,
    };
    let request = CompletionRequest {
        messages: vec![Message::text(Role::User, asked.text)],
        max_tokens: asked.max_tokens,
        ..CompletionRequest::default()
    };
    let explained = app.gateway.doors.completer.explain(&call, &request);
    explained.map(Json).map_err(Refusal::fault)
}
