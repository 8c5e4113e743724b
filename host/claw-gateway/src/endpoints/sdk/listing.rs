//! What a caller can name as `model`, in the shape of whichever SDK asks.

use axum::extract::rejection::PathRejection;
use axum::extract::{Extension, Path, State};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use claw_core::errors::{Code, Fault};
use claw_core::ports::Caller;
use claw_core::routing::{ModelListing, NameKind};
use serde_json::{Value, json};

use super::{Family, family, names};
use crate::app::Shared;
use crate::problem::Refusal;

/// 2026-01-01: names of a configuration have no day of their own, and the SDKs want one.
const CREATED: u64 = 1_767_225_600;
const CREATED_AT: &str = "2026-01-01T00:00:00Z";

/// Everything that the caller can name as `model`. Anthropic's shape where the header
/// `anthropic-version` is sent, else OpenAI's.
#[utoipa::path(
    get,
    path = "/v1/models",
    operation_id = "list_models",
    tag = "models",
    responses((status = 200, description = "The names", body = Object))
)]
pub(crate) async fn list(State(app): State<Shared>, Extension(caller): Extension<Caller>, headers: HeaderMap) -> Response {
    let names = names(&app, &caller);
    let family = family("/v1/models", &headers).unwrap_or(Family::OpenAi);
    let rows: Vec<Value> = names.iter().map(|listing| row(family, listing)).collect();
    let page = match family {
        Family::OpenAi => json!({ "object": "list", "data": rows }),
        Family::Anthropic => json!({
            "data": rows,
            "has_more": false,
            "first_id": names.first().map(|first| &first.name),
            "last_id": names.last().map(|last| &last.name),
        }),
    };
    answer(&page)
}

/// One of them.
#[utoipa::path(
    get,
    path = "/v1/models/{id}",
    operation_id = "get_model",
    tag = "models",
    params(("id" = String, Path, description = "A name of the list; it may hold slashes")),
    responses((status = 200, description = "What the name is", body = Object))
)]
pub(crate) async fn one(
    State(app): State<Shared>,
    Extension(caller): Extension<Caller>,
    id: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let id = id.map(|Path(id)| id).unwrap_or_default();
    let found = names(&app, &caller).into_iter().find(|listing| listing.name == id);
    let listing = found.ok_or_else(|| {
        let shown: String = id.chars().filter(|c| !c.is_control()).take(128).collect();
        Refusal::fault(
            Fault::new(Code::NotFound, format!("no use, alias, entry or model is called `{shown}`"))
                .hint("`GET /v1/models` lists what there is"),
        )
    })?;
    let family = family("/v1/models", &headers).unwrap_or(Family::OpenAi);
    Ok(answer(&row(family, &listing)))
}

fn row(family: Family, listing: &ModelListing) -> Value {
    let kind = match listing.kind {
        NameKind::Entry => "entry",
        NameKind::Use => "use",
        NameKind::Alias => "alias",
        NameKind::Model => "model",
    };
    let claw = json!({ "kind": kind, "leads_to": listing.route, "context_tokens": listing.context_tokens });
    match family {
        Family::OpenAi => json!({
            "id": listing.name, "object": "model", "created": CREATED, "owned_by": listing.route.provider, "claw": claw,
        }),
        Family::Anthropic => json!({
            "type": "model", "id": listing.name, "display_name": listing.name, "created_at": CREATED_AT, "claw": claw,
        }),
    }
}

fn answer(value: &Value) -> Response {
    ([(CONTENT_TYPE, "application/json")], value.to_string()).into_response()
}
