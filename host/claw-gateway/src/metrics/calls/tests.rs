use std::time::SystemTime;

use claw_core::audit::{Body, Intent, Level, Outcome};
use claw_core::errors::{Code, Fault};
use claw_core::ids::InvocationId;
use claw_core::meter::Attempt;
use claw_core::policy::Decision;
use prometheus_client::encoding::text;

use super::*;

fn intent(model_use: Option<&str>) -> Intent {
    Intent {
        id: InvocationId::generate(),
        parent: None,
        trace_id: "0".repeat(32),
        span: None,
        caller: "billing".into(),
        key: None,
        skill: None,
        api: Some(Api::ChatCompletions),
        capability: "llm.inference".into(),
        version: None,
        component_sha256: None,
        model_use: model_use.map(str::to_owned),
        model: Some("claude-x".into()),
        provider: Some("anthropic".into()),
        context: Vec::new(),
        reserved_nanousd: None,
        policy: Decision {
            applied: vec!["audit_everything".into()],
            ..Decision::default()
        },
        level: Level::Process,
        request: Body::default(),
    }
}

fn encoded(seen: &[(Intent, Outcome)]) -> String {
    let metrics = CallMetrics::new();
    for (intent, outcome) in seen {
        metrics.ended(Observation {
            intent,
            began: SystemTime::now(),
            outcome,
        });
    }
    let mut registry = Registry::with_prefix("claw");
    metrics.register(&mut registry);
    let mut text = String::new();
    assert!(text::encode(&mut text, &registry).is_ok());
    text
}

#[track_caller]
fn has(text: &str, line: &str) {
    assert!(text.lines().any(|found| found == line), "no `{line}` in\n{text}");
}

#[test]
fn a_call_counts_its_tokens_cost_and_own_time() {
    let usage = Usage {
        input_tokens: 10,
        output_tokens: 3,
        cost_nanousd: Some(1_234),
        ..Usage::default()
    };
    let outcome = Outcome {
        latency_us: 700,
        upstream_us: Some(600),
        first_us: Some(500),
        attempts: Some(1),
        usage: Some(usage),
        ..Outcome::of(Status::Ok)
    };
    let text = encoded(&[(intent(Some("drafting")), outcome)]);
    let who = "caller=\"billing\",gen_ai_provider_name=\"anthropic\",gen_ai_request_model=\"claude-x\"";
    has(&text, &format!("claw_model_cost_nanousd_total{{{who}}} 1234"));
    has(
        &text,
        "claw_model_call_overhead_seconds_sum{gen_ai_operation_name=\"chat\"} 0.0001",
    );
    has(
        &text,
        "claw_policy_decisions_total{policy=\"audit_everything\",effect=\"applied\"} 1",
    );
    assert!(text.contains("gen_ai_token_type=\"input\"} 10.0"), "{text}");
    assert!(!text.contains("cost_unknown_calls_total{"), "{text}");
}

#[test]
fn failures_and_unknown_prices_are_told_apart() {
    let mut failed = Outcome::failed(&Fault::new(Code::ModelRateLimited, "x"));
    failed.attempts = Some(2);
    failed.tried = ["a", "b"]
        .map(|entry| Attempt {
            entry: entry.into(),
            provider: "openai".into(),
            model: "m".into(),
            code: Some(Code::ModelRateLimited),
            latency_us: 5,
            span: None,
            began: None,
        })
        .to_vec();
    let unpriced = Outcome {
        usage: Some(Usage::default()),
        ..Outcome::of(Status::Ok)
    };
    let text = encoded(&[(intent(Some("drafting")), failed), (intent(Some("drafting")), unpriced)]);
    has(
        &text,
        "claw_model_attempts_total{entry=\"a\",gen_ai_provider_name=\"openai\",code=\"model.rate_limited\"} 1",
    );
    assert!(text.contains("error_type=\"model.rate_limited\"} 1"), "{text}");
    let who = "caller=\"billing\",gen_ai_provider_name=\"anthropic\",gen_ai_request_model=\"claude-x\"";
    has(&text, &format!("claw_model_cost_unknown_calls_total{{{who}}} 1"));
}

#[test]
fn what_is_no_model_call_counts_only_its_policies() {
    let text = encoded(&[(intent(None), Outcome::of(Status::Ok))]);
    has(
        &text,
        "claw_policy_decisions_total{policy=\"audit_everything\",effect=\"applied\"} 1",
    );
    assert!(!text.contains("duration_seconds_count{"), "{text}");
}
