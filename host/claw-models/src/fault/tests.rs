#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use super::*;
use crate::ModelsFile;
use crate::config::resolve;

const KEY: &str = "sk-canary-0987654321";

fn entry(provider: &str) -> Entry {
    let yaml = format!("models: {{general: {{provider: {provider}, model: m, api_key: {KEY}}}}}");
    resolve(&ModelsFile::from_yaml(&yaml).unwrap(), &|_| None).unwrap().remove(0)
}

#[test]
fn every_status_has_one_meaning() {
    use Code::*;
    let table = [
        (301, "", ModelBadAnswer, false),
        (400, "messages: roles must alternate", ModelInvalidRequest, false),
        (
            400,
            "This model's maximum context length is 8192 tokens",
            ModelContextExceeded,
            false,
        ),
        (
            400,
            "prompt is too long: 210000 tokens > 200000 maximum",
            ModelContextExceeded,
            false,
        ),
        (401, "invalid x-api-key", ModelAuth, false),
        (402, "Insufficient Balance", ModelUnavailable, false),
        (403, "no access", ModelAuth, false),
        (404, "model: x", ModelInvalidRequest, false),
        (408, "", ModelTimeout, true),
        (409, "", ModelUnavailable, true),
        (413, "request too large", ModelInvalidRequest, false),
        (418, "", ModelInvalidRequest, false),
        (422, "unprocessable", ModelInvalidRequest, false),
        (429, "slow down", ModelRateLimited, true),
        (500, "", ModelUnavailable, true),
        (503, "", ModelUnavailable, true),
        (529, "Overloaded", ModelUnavailable, true),
        (599, "", ModelUnavailable, true),
    ];
    for (status, message, code, again) in table {
        let said = Said {
            message: message.to_owned(),
            fields: Vec::new(),
            kind: None,
            ..Said::default()
        };
        let failure = from_status(&entry("anthropic"), status, &said, None);
        assert_eq!(
            (failure.fault.code, failure.retry != Retry::Never),
            (code, again),
            "{status} {message}"
        );
        assert!(failure.fault.message.contains(message), "{}", failure.fault.message);
        assert!(failure.fault.message.contains("`anthropic`"), "{}", failure.fault.message);
    }
}

#[test]
fn an_event_means_what_its_status_would() {
    use Code::*;
    let table = [
        (
            r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#,
            ModelUnavailable,
            true,
        ),
        (
            r#"{"type":"error","error":{"type":"rate_limit_error","message":"slow"}}"#,
            ModelRateLimited,
            true,
        ),
        (
            r#"{"type":"error","error":{"type":"authentication_error","message":"no"}}"#,
            ModelAuth,
            false,
        ),
        (
            r#"{"type":"error","error":{"type":"invalid_request_error","message":"bad"}}"#,
            ModelInvalidRequest,
            false,
        ),
        (
            r#"{"error":{"message":"x","type":"invalid_request_error","code":"context_length_exceeded"}}"#,
            ModelContextExceeded,
            false,
        ),
        (
            r#"{"error":{"message":"x","type":"insufficient_quota","code":"insufficient_quota"}}"#,
            ModelRateLimited,
            false,
        ),
        (r#"{"error":{"message":"x","code":502}}"#, ModelUnavailable, true),
        (r#"{"error":{"message":"x","code":"429"}}"#, ModelRateLimited, true),
        (
            r#"{"error":{"message":"x","code":null,"type":"server_error"}}"#,
            ModelUnavailable,
            true,
        ),
        (r#"{"error":"llama runner process has terminated"}"#, ModelUnavailable, true),
        (r#"{"error":{}}"#, ModelUnavailable, true),
        (r#"{"message":"plain"}"#, ModelUnavailable, true),
        (r#""text""#, ModelUnavailable, true),
    ];
    for (event, code, again) in table {
        let failure = from_event(&entry("openai"), &serde_json::from_str(event).unwrap());
        assert_eq!((failure.fault.code, failure.retry != Retry::Never), (code, again), "{event}");
    }
}

#[test]
fn the_words_of_every_shape_are_found() {
    let table = [
        (r#"{"error":{"message":"a","type":"t"}}"#, "a", Some("t")),
        (r#"{"error":{"message":"a","type":"t","code":"c"}}"#, "a", Some("c")),
        (r#"{"error":"a"}"#, "a", None),
        (
            r#"{"object":"error","message":"a","type":"BadRequestError","code":400}"#,
            "a",
            Some("400"),
        ),
        (r#"{"detail":"Not Found"}"#, "Not Found", None),
        (
            r#"{"detail":[{"loc":["body"],"msg":"m"}]}"#,
            r#"[{"loc":["body"],"msg":"m"}]"#,
            None,
        ),
        ("<html>Bad Gateway</html>", "<html>Bad Gateway</html>", None),
        ("", "", None),
    ];
    for (body, message, kind) in table {
        let said = Said::read(body);
        assert_eq!((said.message.as_str(), said.kind.as_deref()), (message, kind), "{body}");
    }
}

#[test]
fn a_fault_repeats_neither_key_nor_much() {
    let said = Said {
        message: format!("key {KEY}\u{1b}[2J{}", "x".repeat(10_000)),
        fields: Vec::new(),
        kind: None,
        ..Said::default()
    };
    let fault = from_status(&entry("openai"), 401, &said, None).fault;
    assert!(!format!("{fault:?}{fault}").contains(KEY), "{fault}");
    assert!(
        fault.message.chars().count() < 400 && !fault.message.contains('\u{1b}'),
        "{}",
        fault.message
    );
    assert!(fault.hint.unwrap().contains("models.general.api_key"));
}

#[test]
fn retry_after_is_kept_for_the_caller() {
    let after = Some(Duration::from_millis(1500));
    let fault = |status| from_status(&entry("openai"), status, &Said::default(), after).fault;
    assert_eq!(fault(429).retry_after_ms, Some(1500));
    assert_eq!(fault(503).retry_after_ms, Some(1500));
    assert_eq!(fault(400).retry_after_ms, None);
    let quota = Said {
        message: String::new(),
        fields: Vec::new(),
        kind: Some("insufficient_quota".to_owned()),
        ..Said::default()
    };
    assert_eq!(
        from_status(&entry("openai"), 429, &quota, after).fault.retry_after_ms,
        Some(1500)
    );
}

#[test]
fn hints_say_what_to_do() {
    let hint = |provider: &str, status| from_status(&entry(provider), status, &Said::default(), None).fault.hint;
    assert_eq!(
        hint("ollama", 404).unwrap(),
        "run `ollama pull m`, or check `models.general.model` in models.yaml"
    );
    assert!(hint("openai", 404).unwrap().contains("models.general.model"));
    assert!(hint("openai", 307).unwrap().contains("models.general.base_url"));
    assert_eq!(hint("openai", 500), None);
}

#[test]
fn googles_errors_say_more_than_their_status() {
    let limited = r#"{"error":{"code":429,"message":"slow down","status":"RESOURCE_EXHAUSTED","details":[
        {"@type":"type.googleapis.com/google.rpc.QuotaFailure"},
        {"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"34.4s"}]}}"#;
    let failure = from_status(&entry("gemini"), 429, &Said::read(limited), None);
    assert_eq!(failure.retry, Retry::After(Some(Duration::from_millis(34_400))));
    assert_eq!(failure.fault.retry_after_ms, Some(34_400));
    let bad_key = r#"[{"error":{"code":400,"message":"API key not valid","status":"INVALID_ARGUMENT","details":[
        {"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"API_KEY_INVALID"}]}}]"#;
    let failure = from_status(&entry("gemini"), 400, &Said::read(bad_key), None);
    assert_eq!((failure.fault.code, failure.retry), (Code::ModelAuth, Retry::Never));
    for odd in ["-1s", "1e400s", "soon", "NaNs", ""] {
        let text = limited.replace("34.4s", odd);
        assert_eq!(Said::read(&text).after, None, "{odd}");
    }
    let long =
        r#"{"error":{"code":400,"message":"The input token count (5) exceeds the maximum number of tokens allowed (4)."}}"#;
    let failure = from_status(&entry("gemini"), 400, &Said::read(long), None);
    assert_eq!(failure.fault.code, Code::ModelContextExceeded);
}
