#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use std::collections::BTreeSet;

use serde_json::json;

use super::*;

fn as_json(refusal: &Refusal) -> String {
    serde_json::to_string_pretty(refusal.problem()).unwrap()
}

#[test]
fn a_problem_has_this_shape() {
    let fault = Fault::new(
        Code::InvalidInput,
        "the input does not fit `x`: `/n`: wants an integer, got a string",
    )
    .hint("`claw skill inspect x` shows its inputs")
    .details(json!({"violations": [{"pointer": "/n", "message": "wants an integer, got a string"}]}));
    let id = "inv_01jd0000000000000000000000".parse().unwrap();
    insta::assert_snapshot!(as_json(&Refusal::fault(fault).invocation(id)), @r#"
    {
      "type": "urn:claw:error:invalid_input",
      "title": "The input does not fit the declared inputs, or is not what the endpoint takes.",
      "status": 422,
      "detail": "the input does not fit `x`: `/n`: wants an integer, got a string",
      "code": "invalid_input",
      "hint": "`claw skill inspect x` shows its inputs",
      "invocation_id": "inv_01jd0000000000000000000000",
      "errors": [
        {
          "pointer": "/n",
          "message": "wants an integer, got a string"
        }
      ]
    }
    "#);
    let own = Refusal::new(HttpCode::TooManyFailures, "too many wrong tokens came from this address")
        .retry_after(Duration::from_millis(1_200));
    insta::assert_snapshot!(as_json(&own), @r#"
    {
      "type": "urn:claw:error:http.too_many_failures",
      "title": "Too many wrong credentials came from this address.",
      "status": 429,
      "detail": "too many wrong tokens came from this address",
      "code": "http.too_many_failures",
      "retry_after_ms": 1200
    }
    "#);
    let skills =
        Fault::new(Code::SkillError, "no such pull request").details(json!({"kind": "not_found", "code": "skill.no_pr"}));
    insta::assert_snapshot!(as_json(&Refusal::fault(skills)), @r#"
    {
      "type": "urn:claw:error:skill.error",
      "title": "The skill itself answered with an error of its own.",
      "status": 502,
      "detail": "no such pull request",
      "code": "skill.error",
      "details": {
        "kind": "not_found",
        "code": "skill.no_pr"
      }
    }
    "#);
}

#[test]
fn every_code_has_one_status() {
    let lines = Code::ALL
        .iter()
        .map(|code| format!("{} {}", status_of(&Fault::new(*code, "x")).as_u16(), code));
    let own = HttpCode::ALL
        .iter()
        .map(|code| format!("{} {}", code.facts().1.as_u16(), code.facts().0));
    let mut lines: Vec<String> = lines.chain(own).collect();
    lines.sort();
    insta::assert_snapshot!(lines.join("\n"), @r"
    400 http.bad_header
    400 http.bad_request
    400 http.duplicate_header
    400 http.malformed_json
    400 http.token_in_url
    400 model.untranslatable
    401 http.unauthorized
    403 exec.denied
    403 file.path
    403 grant.missing
    403 grant.undeclared
    403 http.bad_origin
    403 http.forbidden
    403 key.scope
    403 policy.denied
    404 http.not_found
    404 not_found
    405 http.method_not_allowed
    408 http.request_timeout
    409 draft.closed
    409 draft.held
    409 file.exists
    409 idempotency.in_flight
    409 idempotency.may_have_executed
    413 http.body_too_large
    415 http.unsupported_media_type
    421 http.bad_host
    422 file.not_found
    422 file.too_large
    422 idempotency.mismatch
    422 invalid_input
    422 model.context_exceeded
    422 model.invalid_request
    429 budget.exceeded
    429 http.too_many_failures
    429 key.rate_limited
    429 model.rate_limited
    431 http.headers_too_large
    499 cancelled
    500 file.io
    500 internal
    501 exec.not_installed
    501 model.not_configured
    502 limit.depth
    502 limit.handles
    502 limit.host_calls
    502 limit.host_data
    502 limit.memory
    502 limit.output
    502 limit.stack
    502 limit.table
    502 model.auth
    502 model.bad_answer
    502 model.schema_mismatch
    502 skill.error
    502 skill.invalid_output
    502 skill.trap
    503 audit.unavailable
    503 context.unavailable
    503 http.not_ready
    503 http.too_many_connections
    503 model.unavailable
    503 overloaded
    503 policy.unavailable
    504 deadline_exceeded
    504 exec.timeout
    504 model.timeout
    ");
}

#[test]
fn own_codes_are_unique_and_apart_from_those_of_calls() {
    let mut seen: BTreeSet<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
    for code in HttpCode::ALL {
        let (text, status, title) = code.facts();
        assert!(text.starts_with("http.") && seen.insert(text), "{text}");
        assert!(status.is_client_error() || status.is_server_error(), "{text}");
        assert!(title.ends_with('.') && !title.is_empty(), "{text}");
    }
}

#[test]
fn a_skill_that_blames_the_input_blames_the_caller() {
    let check = |kind: &str, status: u16| {
        let fault = Fault::new(Code::SkillError, "x").details(json!({"kind": kind, "code": "skill.x"}));
        assert_eq!(status_of(&fault).as_u16(), status, "{kind}");
    };
    check("invalid_input", 422);
    for other in ["denied", "not_found", "unavailable", "timeout", "limit_exceeded", "other"] {
        check(other, 502);
    }
}

#[test]
fn the_cause_of_an_internal_fault_does_not_leave() {
    let fault = Fault::new(Code::Internal, "sqlite: /home/me is full")
        .hint("secret")
        .details(json!({"secret": 1}));
    let text = as_json(&Refusal::fault(fault));
    assert!(!text.contains("sqlite") && !text.contains("secret"), "{text}");
}

#[test]
fn the_raw_form_is_a_whole_response() {
    let raw = String::from_utf8(
        Refusal::new(HttpCode::RequestTimeout, "too late")
            .retry_after(Duration::ZERO)
            .raw(),
    )
    .unwrap();
    let (head, body) = raw.split_once("\r\n\r\n").unwrap();
    assert!(
        head.starts_with("HTTP/1.1 408 Request Timeout\r\nretry-after: 1\r\n"),
        "{raw}"
    );
    assert!(
        head.contains(&format!("content-length: {}", body.len())) && head.contains("connection: close"),
        "{raw}"
    );
}
