//! A failed call as the official SDKs expect it: a status, a body and, within a stream, an
//! event of the caller's own dialect. Shows the provider's own words where the request was at
//! fault, and never what an internal fault was about.

use bytes::Bytes;
use serde_json::{Value, json};

use super::{Api, Family};
use crate::errors::{Code, Fault};

/// The HTTP status of a failed call at the doors of SDKs. These branch on it alone, so a
/// request that the provider refused keeps the provider's own.
pub fn status(fault: &Fault) -> u16 {
    let said = detail(fault, "upstream_status").and_then(Value::as_u64);
    match fault.code {
        Code::ModelInvalidRequest | Code::ModelContextExceeded => match said {
            Some(status @ 400..=499) => u16::try_from(status).unwrap_or(400),
            Some(_) | None => 400,
        },
        Code::InvalidInput
        | Code::ModelUntranslatable
        | Code::IdempotencyMismatch
        | Code::FileNotFound
        | Code::FileTooLarge => 400,
        Code::NotFound | Code::ModelNotConfigured => 404,
        Code::PolicyDenied
        | Code::KeyScope
        | Code::GrantMissing
        | Code::GrantUndeclared
        | Code::ExecDenied
        | Code::FilePath => 403,
        Code::DraftHeld
        | Code::DraftClosed
        | Code::IdempotencyInFlight
        | Code::IdempotencyMayHaveExecuted
        | Code::FileExists => 409,
        Code::ModelRateLimited | Code::KeyRateLimited | Code::BudgetExceeded => 429,
        Code::Cancelled => 499,
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
        // The caller's own key is good: the provider's is not.
        | Code::ModelAuth
        | Code::ModelBadAnswer
        | Code::ModelSchemaMismatch => 502,
        Code::Overloaded
        | Code::AuditUnavailable
        | Code::PolicyUnavailable
        | Code::ContextUnavailable
        | Code::ModelUnavailable => 503,
        Code::DeadlineExceeded | Code::ModelTimeout | Code::ExecTimeout => 504,
        Code::ExecNotInstalled => 501,
        Code::FileIo | Code::Internal => 500,
    }
}

/// Whether a client that knows nothing else should send the same again.
pub fn may_retry(fault: &Fault) -> bool {
    !matches!(
        fault.code,
        Code::BudgetExceeded | Code::ModelAuth | Code::ModelBadAnswer | Code::LimitDepth
    )
}

/// The body of a failed call in a family's own shape. `message`, `code` and so on are those of
/// [`Fault`]; the stable code of this host stands beside the family's own as `claw_code`.
pub fn body(family: Family, status: u16, code: &str, message: &str, fault: Option<&Fault>, request_id: Option<&str>) -> Value {
    let said = |key: &str| {
        let fault = fault?;
        detail(fault, key).cloned()
    };
    let kind = said("type")
        .filter(|kind| kind.is_string())
        .unwrap_or_else(|| json!(kind(family, status)));
    match family {
        Family::OpenAi => {
            let own = said("code")
                .filter(Value::is_string)
                .unwrap_or_else(|| json!(openai_code(status, code)));
            json!({ "error": {
                "message": message,
                "type": kind,
                "param": said("param").unwrap_or(Value::Null),
                "code": own,
                "claw_code": code,
            } })
        }
        Family::Anthropic => json!({
            "type": "error",
            "error": { "type": kind, "message": message, "claw_code": code },
            "request_id": request_id,
        }),
    }
}

/// A failed call within a stream that has begun, as whole server-sent events.
pub fn event(api: Api, fault: &Fault) -> Bytes {
    let status = status(fault);
    let body = body(api.family(), status, fault.code.as_str(), &words(fault), Some(fault), None);
    match api {
        Api::Messages | Api::CountTokens => Bytes::from(format!("event: error\ndata: {body}\n\n")),
        Api::ChatCompletions | Api::Embeddings => Bytes::from(format!("data: {body}\n\n")),
        Api::Responses => {
            let error = body.get("error").cloned().unwrap_or_default();
            let field = |key: &str| error.get(key).cloned().unwrap_or_default();
            let event = json!({
                "type": "error",
                "code": field("code"),
                "message": field("message"),
                "param": field("param"),
                "sequence_number": 0,
            });
            Bytes::from(format!("event: error\ndata: {event}\n\n"))
        }
    }
}

/// What the caller is told: with the hint, since these shapes have no place for one.
pub fn words(fault: &Fault) -> String {
    let fault = match fault.code {
        Code::Internal => &Fault::internal(),
        _ => fault,
    };
    match &fault.hint {
        Some(hint) => format!("{} (hint: {hint})", fault.message),
        None => fault.message.clone(),
    }
}

fn detail<'a>(fault: &'a Fault, key: &str) -> Option<&'a Value> {
    fault.details.as_deref()?.get(key).filter(|value| !value.is_null())
}

/// The `type` of an error, by status, as the two APIs document theirs.
fn kind(family: Family, status: u16) -> &'static str {
    match (family, status) {
        (_, 401) => "authentication_error",
        (_, 403) => "permission_error",
        (Family::Anthropic, 404) => "not_found_error",
        (Family::Anthropic, 413) => "request_too_large",
        (_, 429) => "rate_limit_error",
        (_, 400..=499) => "invalid_request_error",
        (Family::Anthropic, 503 | 529) => "overloaded_error",
        (Family::Anthropic, 504) => "timeout_error",
        (Family::Anthropic, _) => "api_error",
        (Family::OpenAi, _) => "server_error",
    }
}

/// OpenAI's own `code`, where it has one for what happened; else ours.
fn openai_code(status: u16, code: &str) -> &str {
    match (status, code) {
        (401, _) => "invalid_api_key",
        (404, "model.not_configured") => "model_not_found",
        (429, "budget.exceeded") => "insufficient_quota",
        (429, _) => "rate_limit_exceeded",
        (_, "model.context_exceeded") => "context_length_exceeded",
        (_, code) => code,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_a_status_that_an_sdk_takes_for_an_error() {
        for code in Code::ALL {
            assert!((400..=599).contains(&status(&Fault::new(*code, "x"))), "{code}");
        }
    }

    #[test]
    fn a_refused_request_keeps_the_words_of_its_provider() {
        let details = json!({ "upstream_status": 422, "type": "invalid_request_error", "code": "bad_tool", "param": "tools[0]" });
        let fault = Fault::new(Code::ModelInvalidRequest, "no such tool").details(details);
        assert_eq!(status(&fault), 422);
        let openai = body(Family::OpenAi, 422, fault.code.as_str(), &words(&fault), Some(&fault), None);
        assert_eq!(
            openai,
            json!({ "error": {
                "message": "no such tool", "type": "invalid_request_error", "param": "tools[0]",
                "code": "bad_tool", "claw_code": "model.invalid_request",
            } })
        );
        // What only speaks of a redirect or of success is no status of an error.
        let odd = Fault::new(Code::ModelInvalidRequest, "x").details(json!({ "upstream_status": 200 }));
        assert_eq!(status(&odd), 400);
    }

    #[test]
    fn an_internal_fault_tells_nothing() {
        let fault = Fault::new(Code::Internal, "secret cause");
        for api in [Api::ChatCompletions, Api::Messages, Api::Responses] {
            let event = event(api, &fault);
            assert!(!String::from_utf8_lossy(&event).contains("secret"), "{event:?}");
            assert!(event.ends_with(b"\n\n"));
        }
    }

    #[test]
    fn anthropic_errors_name_their_type_and_request() {
        let check = |code: Code, kind: &str| {
            let fault = Fault::new(code, "x");
            let body = body(
                Family::Anthropic,
                status(&fault),
                code.as_str(),
                "x",
                Some(&fault),
                Some("inv_1"),
            );
            assert_eq!(
                body.get("error").and_then(|error| error.get("type")),
                Some(&json!(kind)),
                "{code}"
            );
            assert_eq!(body.get("request_id"), Some(&json!("inv_1")));
        };
        check(Code::ModelRateLimited, "rate_limit_error");
        check(Code::ModelUnavailable, "overloaded_error");
        check(Code::ModelTimeout, "timeout_error");
        check(Code::ModelNotConfigured, "not_found_error");
        check(Code::KeyScope, "permission_error");
        check(Code::ModelUntranslatable, "invalid_request_error");
        check(Code::Internal, "api_error");
    }
}
