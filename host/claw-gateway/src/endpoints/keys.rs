//! The keys of services, for operators: listed, made, rotated and revoked. A key is in the answer
//! that makes it and in no other.

use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use claw_core::errors::{Code, Fault};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use utoipa::ToSchema;

use crate::app::Shared;
use crate::body::optional_json;
use crate::gateway::NewKey;
use crate::problem::Refusal;

/// How long an old secret goes on working where nobody says.
const OVERLAP_SECONDS: u32 = 86_400;

/// How a key is rotated.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rotation {
    /// How long the old secret goes on working, in seconds; a day where nothing is said.
    #[serde(default = "day")]
    overlap_s: u32,
}

fn day() -> u32 {
    OVERLAP_SECONDS
}

/// All keys, revoked ones included. No secret is among them.
#[utoipa::path(
    get,
    path = "/v1/admin/keys",
    operation_id = "list_keys",
    tag = "admin",
    responses((status = 200, description = "The keys, oldest first", body = Object))
)]
pub(crate) async fn list(State(app): State<Shared>) -> Result<Json<Value>, Refusal> {
    answered(app.gateway.keys.list().await)
}

/// Makes a key. This answer is the only one that holds it.
#[utoipa::path(
    post,
    path = "/v1/admin/keys",
    operation_id = "create_key",
    tag = "admin",
    request_body = NewKey,
    responses((status = 201, description = "The key, and what is kept of it", body = Object))
)]
pub(crate) async fn create(
    State(app): State<Shared>,
    headers: HeaderMap,
    body: Body,
) -> Result<(StatusCode, Json<Value>), Refusal> {
    let wanted: NewKey = read(&app, &headers, body, "{\"service\": …}").await?;
    let made = answered(app.gateway.keys.create(wanted).await)?;
    Ok((StatusCode::CREATED, made))
}

/// Makes a new secret for a key. This answer is the only one that holds it.
#[utoipa::path(
    post,
    path = "/v1/admin/keys/{id}/rotate",
    operation_id = "rotate_key",
    tag = "admin",
    params(("id" = String, Path, description = "Its public id")),
    request_body(content = Option<Rotation>),
    responses((status = 200, description = "The new secret, and what is kept of the key", body = Object))
)]
pub(crate) async fn rotate(
    State(app): State<Shared>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Value>, Refusal> {
    let rotation: Rotation = read(&app, &headers, body, "{\"overlap_s\": 3600}").await?;
    let overlap = Duration::from_secs(rotation.overlap_s.into());
    answered(app.gateway.keys.rotate(id, overlap).await)
}

/// Ends a key at once.
#[utoipa::path(
    post,
    path = "/v1/admin/keys/{id}/revoke",
    operation_id = "revoke_key",
    tag = "admin",
    params(("id" = String, Path, description = "Its public id")),
    responses((status = 200, description = "What is kept of the key", body = Object))
)]
pub(crate) async fn revoke(
    State(app): State<Shared>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Value>, Refusal> {
    optional_json(&app.gateway.settings, &headers, body).await?;
    answered(app.gateway.keys.revoke(id).await)
}

fn answered(result: Result<Value, Fault>) -> Result<Json<Value>, Refusal> {
    result.map(Json).map_err(Refusal::fault)
}

/// The body; none counts as an empty object.
async fn read<T: DeserializeOwned>(app: &Shared, headers: &HeaderMap, body: Body, form: &str) -> Result<T, Refusal> {
    let value = optional_json(&app.gateway.settings, headers, body).await?;
    let value = value.unwrap_or_else(|| Value::Object(serde_json::Map::new()));
    serde_json::from_value(value).map_err(|error| {
        let fault = Fault::new(Code::InvalidInput, format!("the body does not fit: {error}"));
        Refusal::fault(fault.hint(format!("send {form}")))
    })
}
