//! Whether the process lives and whether it serves. Open to everybody, so it says no more
//! than that.

use axum::extract::State;
use axum::http::StatusCode;

use crate::app::Shared;
use crate::problem::{HttpCode, Refusal};

/// The process answers.
#[utoipa::path(get, path = "/healthz", tag = "health", responses((status = 204, description = "The process answers")))]
pub(crate) async fn alive() -> StatusCode {
    StatusCode::NO_CONTENT
}

/// Calls are served now.
#[utoipa::path(get, path = "/readyz", tag = "health", responses((status = 204, description = "Calls are served now")))]
pub(crate) async fn ready(State(app): State<Shared>) -> Result<StatusCode, Refusal> {
    if app.ready() {
        return Ok(StatusCode::NO_CONTENT);
    }
    Err(Refusal::new(HttpCode::NotReady, "the gateway is not ready"))
}
