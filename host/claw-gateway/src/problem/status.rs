//! The HTTP status of every code, in one exhaustive match for each of the two lists, so
//! that a new code breaks the build where it must be thought about.

use axum::http::StatusCode;
use claw_core::errors::{Code, Fault};

/// The door's own refusals, made before any call begins. Texts are never renamed or reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HttpCode {
    /// `http.bad_request`
    BadRequest,
    /// `http.bad_header`
    BadHeader,
    /// `http.duplicate_header`
    DuplicateHeader,
    /// `http.token_in_url`
    TokenInUrl,
    /// `http.malformed_json`
    MalformedJson,
    /// `http.unauthorized`
    Unauthorized,
    /// `http.forbidden`
    Forbidden,
    /// `http.bad_origin`
    BadOrigin,
    /// `http.not_found`
    NotFound,
    /// `http.method_not_allowed`
    MethodNotAllowed,
    /// `http.request_timeout`
    RequestTimeout,
    /// `http.body_too_large`
    BodyTooLarge,
    /// `http.unsupported_media_type`
    UnsupportedMediaType,
    /// `http.bad_host`
    BadHost,
    /// `http.too_many_failures`
    TooManyFailures,
    /// `http.headers_too_large`
    HeadersTooLarge,
    /// `http.too_many_connections`
    TooManyConnections,
    /// `http.not_ready`
    NotReady,
}

impl HttpCode {
    /// All of them.
    pub const ALL: [HttpCode; 18] = [
        HttpCode::BadRequest,
        HttpCode::BadHeader,
        HttpCode::DuplicateHeader,
        HttpCode::TokenInUrl,
        HttpCode::MalformedJson,
        HttpCode::Unauthorized,
        HttpCode::Forbidden,
        HttpCode::BadOrigin,
        HttpCode::NotFound,
        HttpCode::MethodNotAllowed,
        HttpCode::RequestTimeout,
        HttpCode::BodyTooLarge,
        HttpCode::UnsupportedMediaType,
        HttpCode::BadHost,
        HttpCode::TooManyFailures,
        HttpCode::HeadersTooLarge,
        HttpCode::TooManyConnections,
        HttpCode::NotReady,
    ];

    /// The code's text, its status, and what it means.
    pub fn facts(self) -> (&'static str, StatusCode, &'static str) {
        use StatusCode as S;
        match self {
            HttpCode::BadRequest => (
                "http.bad_request",
                S::BAD_REQUEST,
                "The request is not one that this route takes.",
            ),
            HttpCode::BadHeader => ("http.bad_header", S::BAD_REQUEST, "A header's value cannot be used."),
            HttpCode::DuplicateHeader => (
                "http.duplicate_header",
                S::BAD_REQUEST,
                "A header is there twice, and two readers could differ.",
            ),
            HttpCode::TokenInUrl => (
                "http.token_in_url",
                S::BAD_REQUEST,
                "URLs end up in logs and histories, so no credential may be in one.",
            ),
            HttpCode::MalformedJson => ("http.malformed_json", S::BAD_REQUEST, "The body is not JSON."),
            HttpCode::Unauthorized => (
                "http.unauthorized",
                S::UNAUTHORIZED,
                "The request carries no credential that is known here.",
            ),
            HttpCode::Forbidden => ("http.forbidden", S::FORBIDDEN, "The caller may not use this route."),
            HttpCode::BadOrigin => (
                "http.bad_origin",
                S::FORBIDDEN,
                "The request comes from a web page that may not call.",
            ),
            HttpCode::NotFound => ("http.not_found", S::NOT_FOUND, "There is no such route."),
            HttpCode::MethodNotAllowed => (
                "http.method_not_allowed",
                S::METHOD_NOT_ALLOWED,
                "The route takes other methods.",
            ),
            HttpCode::RequestTimeout => (
                "http.request_timeout",
                S::REQUEST_TIMEOUT,
                "The request took too long to arrive.",
            ),
            HttpCode::BodyTooLarge => (
                "http.body_too_large",
                S::PAYLOAD_TOO_LARGE,
                "The body is larger than the gateway takes.",
            ),
            HttpCode::UnsupportedMediaType => (
                "http.unsupported_media_type",
                S::UNSUPPORTED_MEDIA_TYPE,
                "The route takes JSON, and is told so by the `content-type`.",
            ),
            HttpCode::BadHost => (
                "http.bad_host",
                S::MISDIRECTED_REQUEST,
                "The request was meant for another host.",
            ),
            HttpCode::TooManyFailures => (
                "http.too_many_failures",
                S::TOO_MANY_REQUESTS,
                "Too many wrong credentials came from this address.",
            ),
            HttpCode::HeadersTooLarge => (
                "http.headers_too_large",
                S::REQUEST_HEADER_FIELDS_TOO_LARGE,
                "The request's headers are too many or too large.",
            ),
            HttpCode::TooManyConnections => (
                "http.too_many_connections",
                S::SERVICE_UNAVAILABLE,
                "The gateway holds as many connections as it may.",
            ),
            HttpCode::NotReady => (
                "http.not_ready",
                S::SERVICE_UNAVAILABLE,
                "The gateway is stopping or not ready yet.",
            ),
        }
    }
}

/// The HTTP status of a failed call.
///
/// What the caller can mend is 4xx; what the skill or the provider behind the gateway did
/// wrong is 502, a skill's own limits included; what this machine lacks is 501; what may
/// work later is 503 or 504.
pub fn status_of(fault: &Fault) -> StatusCode {
    match fault.code {
        Code::InvalidInput
        | Code::IdempotencyMismatch
        | Code::ModelInvalidRequest
        | Code::ModelContextExceeded
        | Code::FileNotFound
        | Code::FileTooLarge => StatusCode::UNPROCESSABLE_ENTITY,
        Code::NotFound => StatusCode::NOT_FOUND,
        Code::ModelUntranslatable => StatusCode::BAD_REQUEST,
        Code::PolicyDenied | Code::KeyScope | Code::GrantMissing | Code::GrantUndeclared | Code::ExecDenied | Code::FilePath => {
            StatusCode::FORBIDDEN
        }
        Code::DraftHeld | Code::DraftClosed | Code::IdempotencyInFlight | Code::IdempotencyMayHaveExecuted | Code::FileExists => {
            StatusCode::CONFLICT
        }
        Code::SkillError if blames_the_input(fault) => StatusCode::UNPROCESSABLE_ENTITY,
        Code::SkillError
        | Code::SkillTrap
        | Code::SkillInvalidOutput
        | Code::LimitMemory
        | Code::LimitTable
        | Code::LimitStack
        | Code::LimitOutput
        | Code::LimitHandles
        | Code::LimitHostCalls
        | Code::LimitHostData
        | Code::LimitDepth
        | Code::ModelAuth
        | Code::ModelBadAnswer
        | Code::ModelSchemaMismatch => StatusCode::BAD_GATEWAY,
        Code::ModelNotConfigured | Code::ExecNotInstalled => StatusCode::NOT_IMPLEMENTED,
        Code::ModelRateLimited | Code::KeyRateLimited | Code::BudgetExceeded => StatusCode::TOO_MANY_REQUESTS,
        Code::Overloaded
        | Code::AuditUnavailable
        | Code::PolicyUnavailable
        | Code::ContextUnavailable
        | Code::ModelUnavailable => StatusCode::SERVICE_UNAVAILABLE,
        Code::DeadlineExceeded | Code::ModelTimeout | Code::ExecTimeout => StatusCode::GATEWAY_TIMEOUT,
        Code::Cancelled => StatusCode::from_u16(499).unwrap_or(StatusCode::BAD_REQUEST),
        Code::FileIo | Code::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// The skill answered with the case `invalid-input` of its contract.
fn blames_the_input(fault: &Fault) -> bool {
    let kind = fault.details.as_deref().and_then(|details| details.get("kind"));
    kind.and_then(serde_json::Value::as_str) == Some("invalid_input")
}
