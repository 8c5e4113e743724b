//! What an operator asks of the process: to stop, or to read its configuration again.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use claw_core::errors::{Code, Fault};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::app::Shared;
use crate::body::optional_json;
use crate::problem::Refusal;

/// The shutdown has begun.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Stopping {
    /// Always `true`.
    stopping: bool,
    /// Calls that still run then are dropped, in milliseconds from now.
    drain_timeout_ms: u64,
}

/// Stops the gateway: nothing new is accepted, and what runs may finish within a bound.
#[utoipa::path(
    post,
    path = "/v1/admin/shutdown",
    tag = "admin",
    responses((status = 202, description = "The shutdown has begun", body = Stopping))
)]
pub(crate) async fn shutdown(
    State(app): State<Shared>,
    headers: HeaderMap,
    body: Body,
) -> Result<(StatusCode, Json<Stopping>), Refusal> {
    optional_json(&app.gateway.settings, &headers, body).await?;
    tracing::info!("an operator asked the gateway to stop");
    app.stopping.cancel();
    let drain_timeout_ms = u64::try_from(app.gateway.settings.drain_timeout.as_millis()).unwrap_or(u64::MAX);
    Ok((
        StatusCode::ACCEPTED,
        Json(Stopping {
            stopping: true,
            drain_timeout_ms,
        }),
    ))
}

/// Reads the configuration again. What is not valid keeps the old one live.
#[utoipa::path(
    post,
    path = "/v1/admin/reload",
    tag = "admin",
    responses((status = 200, description = "What was read and what changed", body = Object))
)]
pub(crate) async fn reload(State(app): State<Shared>, headers: HeaderMap, body: Body) -> Result<Json<Value>, Refusal> {
    optional_json(&app.gateway.settings, &headers, body).await?;
    let bound = app.gateway.settings.max_timeout;
    let reloaded = tokio::time::timeout(bound, app.gateway.operations.reload()).await;
    let late = |_| Err(Fault::new(Code::DeadlineExceeded, "the configuration was not read in time"));
    reloaded.unwrap_or_else(late).map(Json).map_err(Refusal::fault)
}
