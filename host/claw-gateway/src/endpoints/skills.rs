//! What is live, and what one skill takes, gives and asks for. Shows paths of the machine
//! to operators only.

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Extension, Path, State};
use claw_core::capability::{NotAName, SkillRef};
use claw_core::errors::{Code, Fault};
use claw_core::grants::{Limits, Requests};
use claw_core::ports::{Caller, LiveSkill, SkillState, SkillStatus};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::app::Shared;
use crate::problem::Refusal;

/// The skills of this gateway.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SkillList {
    /// Refused ones included, sorted by name and version.
    #[schema(value_type = Vec<SkillRow>)]
    skills: Vec<SkillStatus>,
}

/// One version of a skill in the list.
#[expect(dead_code, reason = "it describes `SkillStatus`, which is what is sent")]
#[derive(ToSchema)]
pub(crate) struct SkillRow {
    /// The skill's name, or the file's where it could not be read.
    name: String,
    /// Its version.
    version: Option<String>,
    /// `live`, `needs_grant` or `refused`.
    state: String,
    /// Why it was refused, or what is missing.
    reason: Option<String>,
    /// A bare name means this version.
    default: bool,
    /// What it does.
    description: String,
    /// SHA-256 of the component, hex.
    sha256: Option<String>,
    /// The file it came from; operators only.
    file: Option<String>,
}

/// One skill, as a caller needs to know it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SkillDetail {
    /// Its name.
    name: String,
    /// The version that the reference means now.
    version: String,
    /// What it does and when to use it.
    description: String,
    /// `live`, or `needs_grant` where calls beyond what is allowed are denied.
    #[schema(value_type = String)]
    state: SkillState,
    /// Every version of it that is here.
    #[schema(value_type = Vec<SkillRow>)]
    versions: Vec<SkillStatus>,
    /// A JSON Schema of what it takes.
    #[schema(value_type = Object)]
    inputs: Value,
    /// A JSON Schema of what it gives.
    #[schema(value_type = Object)]
    outputs: Value,
    /// What it asks for.
    #[schema(value_type = Object)]
    requests: Requests,
    /// Of that, what the operator has not allowed.
    #[schema(value_type = Object)]
    missing: Requests,
    /// What one invocation may use.
    #[schema(value_type = Object)]
    limits: Limits,
    /// Running it twice with one input does what running it once does.
    idempotent: bool,
    /// SHA-256 of the component, hex.
    sha256: String,
    /// Its size in bytes.
    size_bytes: u64,
}

/// The skills of this gateway.
#[utoipa::path(
    get,
    path = "/v1/skills",
    operation_id = "skills",
    tag = "skills",
    responses((status = 200, description = "Every skill and version", body = SkillList))
)]
pub(crate) async fn list(State(app): State<Shared>, Extension(caller): Extension<Caller>) -> Json<SkillList> {
    Json(SkillList {
        skills: rows(&app, &caller, |_| true),
    })
}

/// One skill: what it takes, gives and asks for.
#[utoipa::path(
    get,
    path = "/v1/skills/{name}",
    operation_id = "describe_skill",
    tag = "skills",
    params(("name" = String, Path, description = "`name` or `name@version`")),
    responses((status = 200, description = "The skill", body = SkillDetail))
)]
pub(crate) async fn one(
    State(app): State<Shared>,
    Extension(caller): Extension<Caller>,
    name: Result<Path<String>, PathRejection>,
) -> Result<Json<SkillDetail>, Refusal> {
    let asked = reference(name)?;
    let versions = rows(&app, &caller, |row| row.name == asked.name);
    match app.gateway.skills.resolve(&asked) {
        Ok(live) => Ok(Json(detail(&live, versions))),
        Err(fault) => Err(Refusal::fault(why_not(fault, &asked, &versions))),
    }
}

/// The part of the path as `name` or `name@version`.
pub(super) fn reference(part: Result<Path<String>, PathRejection>) -> Result<SkillRef, Refusal> {
    let bad = |message: String| Refusal::fault(Fault::new(Code::InvalidInput, message));
    let Ok(Path(text)) = part else {
        return Err(bad("the skill's name in the path is not UTF-8".to_owned()));
    };
    text.parse().map_err(|error: NotAName| bad(error.to_string()))
}

fn rows(app: &Shared, caller: &Caller, wanted: impl Fn(&SkillStatus) -> bool) -> Vec<SkillStatus> {
    let mut rows = app.gateway.skills.list();
    rows.retain(wanted);
    if !caller.operator {
        rows.iter_mut().for_each(|row| row.file = None);
    }
    rows
}

fn detail(live: &LiveSkill, versions: Vec<SkillStatus>) -> SkillDetail {
    let facts = live.component.facts();
    let manifest = &facts.manifest;
    SkillDetail {
        name: manifest.name.clone(),
        version: facts.version.clone(),
        description: manifest.description.clone(),
        state: if live.grants.is_complete() {
            SkillState::Live
        } else {
            SkillState::NeedsGrant
        },
        versions,
        inputs: manifest.contract.inputs.json().clone(),
        outputs: manifest.contract.outputs.json().clone(),
        requests: manifest.requests.clone(),
        missing: live.grants.missing.clone(),
        limits: manifest.limits.clone(),
        idempotent: manifest.idempotent,
        sha256: facts.sha256.clone(),
        size_bytes: facts.size,
    }
}

/// A skill that lies there and was refused says why.
fn why_not(fault: Fault, asked: &SkillRef, versions: &[SkillStatus]) -> Fault {
    let fits = |row: &&SkillStatus| asked.version.is_none() || asked.version == row.version;
    let refused = versions.iter().filter(fits).find(|row| row.state == SkillState::Refused);
    match refused.and_then(|row| row.reason.as_deref()) {
        Some(reason) => Fault {
            hint: Some(format!("it is there and was refused: {reason}")),
            ..fault
        },
        None => fault,
    }
}
