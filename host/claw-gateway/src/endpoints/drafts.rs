//! What waits for approval: listed, shown, approved, rejected. A service sees its own; operators
//! and keys that approve see all. An approval names the hash of what was shown.

use axum::Json;
use axum::body::Body;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Extension, Path, Query, State};
use axum::http::HeaderMap;
use claw_core::calendar::rfc3339;
use claw_core::draft::{Draft, DraftId, DraftState};
use claw_core::errors::{Code, Fault};
use claw_core::ports::{Caller, DraftsWanted};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use crate::app::Shared;
use crate::body::optional_json;
use crate::problem::{HttpCode, Refusal};

/// As many are listed where nobody says.
const USUAL: usize = 100;
/// The most that are listed at once.
const MOST: usize = 1_000;

/// Which drafts are listed.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Wanted {
    /// `pending`, `running`, `done`, `failed`, `interrupted`, `rejected` or `expired`.
    state: Option<String>,
    /// The newest, no more than so many.
    #[param(minimum = 1, maximum = 1_000)]
    limit: Option<usize>,
}

/// What an approval is about.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Approving {
    /// The `hash` of the draft as it was shown.
    hash: String,
}

/// Why a draft is rejected.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rejecting {
    /// In words; its caller sees them.
    because: Option<String>,
}

/// Drafts.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DraftList {
    /// Newest first.
    drafts: Vec<DraftView>,
}

/// A call that would act, and how it stands.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DraftView {
    /// Its id.
    id: String,
    /// `pending`, `running`, `done`, `failed`, `interrupted`, `rejected` or `expired`.
    state: &'static str,
    /// Who called.
    caller: String,
    /// The skill whose sandbox proposed it, if one did.
    skill: Option<String>,
    /// What would be called.
    capability: String,
    /// With what.
    input: Value,
    /// What that comes to on this host.
    act: Value,
    /// SHA-256 of exactly this; an approval names it.
    hash: String,
    /// The policies that hold it.
    policies: Vec<String>,
    /// The invocation that was held.
    invocation_id: String,
    /// When it was proposed.
    created_at: String,
    /// When it ends undecided.
    expires_at: String,
    /// Who decided.
    decided_by: Option<String>,
    /// When.
    decided_at: Option<String>,
    /// Why it was rejected.
    because: Option<String>,
    /// The invocation that ran it.
    ran: Option<String>,
    /// What that answered.
    output: Option<Value>,
    /// What that failed with.
    #[schema(value_type = Option<Object>)]
    error: Option<Fault>,
}

impl From<Draft> for DraftView {
    fn from(draft: Draft) -> Self {
        DraftView {
            id: draft.id.to_string(),
            state: draft.state.as_str(),
            caller: draft.caller,
            skill: draft.skill,
            capability: draft.capability,
            input: draft.input.to_json(),
            act: draft.act,
            hash: draft.hash,
            policies: draft.policies.iter().map(ToString::to_string).collect(),
            invocation_id: draft.id.invocation().to_string(),
            created_at: rfc3339(draft.created_us),
            expires_at: rfc3339(draft.expires_us),
            decided_by: draft.decided_by,
            decided_at: draft.decided_us.map(rfc3339),
            because: draft.because,
            ran: draft.ran.map(|id| id.to_string()),
            output: draft.output.map(|output| output.to_json()),
            error: draft.fault,
        }
    }
}

/// The calls that wait for approval, and those that did.
#[utoipa::path(
    get,
    path = "/v1/drafts",
    operation_id = "list_drafts",
    tag = "drafts",
    params(Wanted),
    responses((status = 200, description = "The drafts that the caller may see", body = DraftList))
)]
pub(crate) async fn list(
    State(app): State<Shared>,
    Extension(caller): Extension<Caller>,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> Result<Json<DraftList>, Refusal> {
    let bad = |words: String| Refusal::new(HttpCode::BadRequest, words).hint("`?state=pending&limit=100`");
    let Query(wanted) = wanted.map_err(|error| bad(error.body_text()))?;
    let state: Option<DraftState> = wanted.state.map(|text| text.parse()).transpose().map_err(bad)?;
    let wanted = DraftsWanted {
        caller: (!approves(&caller)).then_some(caller.subject),
        state,
        most: wanted.limit.unwrap_or(USUAL).clamp(1, MOST),
    };
    let drafts = app.gateway.doors.invoker().list_drafts(wanted).await;
    let drafts = drafts.map_err(Refusal::fault)?.into_iter().map(DraftView::from).collect();
    Ok(Json(DraftList { drafts }))
}

/// One of them.
#[utoipa::path(
    get,
    path = "/v1/drafts/{id}",
    operation_id = "get_draft",
    tag = "drafts",
    params(("id" = String, Path, description = "Its id")),
    responses((status = 200, description = "The draft", body = DraftView))
)]
pub(crate) async fn one(
    State(app): State<Shared>,
    Extension(caller): Extension<Caller>,
    id: Result<Path<String>, PathRejection>,
) -> Result<Json<DraftView>, Refusal> {
    let id = named(id)?;
    let of = (!approves(&caller)).then_some(caller.subject.as_str());
    let draft = app.gateway.doors.invoker().draft(id, of).await;
    draft.map(DraftView::from).map(Json).map_err(Refusal::fault)
}

/// Approves a draft and makes its call. What became of it is in the answer.
#[utoipa::path(
    post,
    path = "/v1/drafts/{id}/approve",
    operation_id = "approve_draft",
    tag = "drafts",
    params(("id" = String, Path, description = "Its id")),
    request_body = Approving,
    responses((status = 200, description = "The draft, which ran", body = DraftView))
)]
pub(crate) async fn approve(
    State(app): State<Shared>,
    Extension(caller): Extension<Caller>,
    id: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<DraftView>, Refusal> {
    let (id, by) = (named(id)?, approver(&caller)?);
    let approving: Approving = read(&app, &headers, body, "{\"hash\": \"…\"}").await?;
    let doors = app.gateway.doors.clone();
    // An approver that hangs up has approved.
    let running = app
        .tasks
        .spawn(async move { doors.invoker().approve(id, &approving.hash, &by).await });
    let draft = running.await.unwrap_or_else(|_| Err(Fault::internal()));
    draft.map(DraftView::from).map(Json).map_err(Refusal::fault)
}

/// Rejects a draft.
#[utoipa::path(
    post,
    path = "/v1/drafts/{id}/reject",
    operation_id = "reject_draft",
    tag = "drafts",
    params(("id" = String, Path, description = "Its id")),
    request_body(content = Option<Rejecting>),
    responses((status = 200, description = "The draft", body = DraftView))
)]
pub(crate) async fn reject(
    State(app): State<Shared>,
    Extension(caller): Extension<Caller>,
    id: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<DraftView>, Refusal> {
    let (id, by) = (named(id)?, approver(&caller)?);
    let rejecting: Rejecting = read(&app, &headers, body, "{\"because\": \"…\"}").await?;
    let draft = app.gateway.doors.invoker().reject(id, &by, rejecting.because).await;
    draft.map(DraftView::from).map(Json).map_err(Refusal::fault)
}

fn approves(caller: &Caller) -> bool {
    caller.operator || caller.key.as_ref().is_some_and(|key| key.approves)
}

fn approver(caller: &Caller) -> Result<String, Refusal> {
    if approves(caller) {
        return Ok(caller.subject.clone());
    }
    Err(Refusal::new(HttpCode::Forbidden, "this caller does not decide about drafts")
        .hint("an operator does, and a key made with `claw key create --approves`"))
}

fn named(id: Result<Path<String>, PathRejection>) -> Result<DraftId, Refusal> {
    let Path(text) = id.map_err(|error| Refusal::new(HttpCode::BadRequest, error.body_text()))?;
    text.parse().map_err(|_| {
        Refusal::new(HttpCode::BadRequest, "not a draft's id").hint("it begins with `drf_`: `claw draft list` shows them")
    })
}

async fn read<T: serde::de::DeserializeOwned>(app: &Shared, headers: &HeaderMap, body: Body, form: &str) -> Result<T, Refusal> {
    let value = optional_json(&app.gateway.settings, headers, body).await?;
    let value = value.unwrap_or_else(|| Value::Object(serde_json::Map::new()));
    serde_json::from_value(value).map_err(|error| {
        let fault = Fault::new(Code::InvalidInput, format!("the body does not fit: {error}"));
        Refusal::fault(fault.hint(format!("send {form}")))
    })
}
