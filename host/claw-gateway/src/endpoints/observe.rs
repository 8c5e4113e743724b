//! What the door tells about itself: counters, and its own description.

use axum::extract::State;
use axum::http::HeaderValue;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};

use crate::app::Shared;
use crate::metrics::OPEN_METRICS;

/// Counters, as OpenMetrics text for Prometheus.
#[utoipa::path(
    get,
    path = "/metrics",
    tag = "observe",
    responses((status = 200, description = "OpenMetrics text", body = String, content_type = "application/openmetrics-text"))
)]
pub(crate) async fn metrics(State(app): State<Shared>) -> Response {
    typed(app.metrics.encode(), OPEN_METRICS)
}

/// This description.
#[utoipa::path(
    get,
    path = "/openapi.json",
    tag = "observe",
    responses((status = 200, description = "An OpenAPI 3.1 document", body = Object))
)]
pub(crate) async fn openapi(State(app): State<Shared>) -> Response {
    typed(crate::openapi::document(&app.gateway.settings.version), "application/json")
}

fn typed(text: String, kind: &'static str) -> Response {
    ([(CONTENT_TYPE, HeaderValue::from_static(kind))], text).into_response()
}
