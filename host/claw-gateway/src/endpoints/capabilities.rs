//! What this host can do itself, for whoever may call it.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::Shared;

/// Every gateway has it, whatever its configuration names.
const INFERENCE: (&str, &str) = ("llm.inference", "One completion by the model that serves a use");

/// The capabilities of this host.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CapabilityList {
    /// Sorted by name.
    capabilities: Vec<CapabilityRow>,
}

/// One capability.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CapabilityRow {
    /// Its name, as `POST /v1/invoke` takes it.
    name: String,
    /// What it does.
    description: String,
}

/// The capabilities of this host.
#[utoipa::path(
    get,
    path = "/v1/capabilities",
    operation_id = "capabilities",
    tag = "capabilities",
    responses((status = 200, description = "What this host can do itself", body = CapabilityList))
)]
pub(crate) async fn list(State(app): State<Shared>) -> Json<CapabilityList> {
    let mut named = app.gateway.capabilities.list();
    if !named.iter().any(|(name, _)| name == INFERENCE.0) {
        named.push((INFERENCE.0.to_owned(), INFERENCE.1.to_owned()));
    }
    named.sort();
    let capabilities = named
        .into_iter()
        .map(|(name, description)| CapabilityRow { name, description })
        .collect();
    Json(CapabilityList { capabilities })
}
