use super::*;
use crate::testing::{complete, nobody, permit, soon};
use claw_core::ports::EmbedCall;
use std::sync::Arc;

#[tokio::test]
async fn a_whole_answer_is_priced_and_counted() {
    let answer = json!({ "model": "claude-sonnet-4-20250514", "content": [{ "type": "text", "text": "Hi" }], "stop_reason": "end_turn",
        "usage": { "input_tokens": 20, "cache_read_input_tokens": 100, "cache_creation_input_tokens": 8, "output_tokens": 12 } });
    let upstream = Upstream::start([Reply::json(200, &answer)]).await;
    let price =
        "price: {input_usd_per_mtok: 3, output_usd_per_mtok: 15, cached_input_usd_per_mtok: 0.3, cache_write_usd_per_mtok: 3.75}";
    let done = complete(&models("anthropic", &upstream.url, price), ask("hi")).await.unwrap();
    let cost = 20 * 3_000 + 100 * 300 + 8 * 3_750 + 12 * 15_000;
    let expected = Usage {
        input_tokens: 128,
        output_tokens: 12,
        cached_tokens: 100,
        cost_nanousd: Some(cost),
        ..Usage::default()
    };
    assert_eq!(done.usage, expected);
    assert_eq!(
        (done.model.as_str(), done.provider.as_str(), done.attempts),
        ("claude-sonnet-4-20250514", "anthropic", 1)
    );
    assert!(!done.offline);
    let seen = upstream.only();
    assert_eq!(seen.path, "/v1/messages");
    assert_eq!(seen.headers.get("x-api-key").unwrap(), CANARY);
    assert_eq!(seen.headers.get("anthropic-version").unwrap(), "2023-06-01");
    assert!(seen.headers.get("user-agent").unwrap().to_str().unwrap().starts_with("claw/"));
    assert_eq!(seen.body["messages"][0]["content"][0]["text"], "hi");
}

#[tokio::test]
async fn what_was_not_counted_is_estimated_and_what_has_no_price_costs_unknown() {
    let mut answer = openai_answer("eight by");
    answer.as_object_mut().unwrap().remove("usage");
    let upstream = Upstream::start([Reply::json(200, &answer)]).await;
    let done = complete(&models("openai", &upstream.url, ""), ask("twelve bytes"))
        .await
        .unwrap();
    assert_eq!(
        done.usage,
        Usage {
            input_tokens: 3,
            output_tokens: 2,
            estimated: true,
            ..Usage::default()
        }
    );
}

#[tokio::test]
async fn a_models_name_is_made_fit_for_the_journal() {
    let named = |name: &str| {
        let mut answer = openai_answer("hi");
        answer["model"] = json!(name);
        Reply::json(200, &answer)
    };
    let table = [("", "test-model"), ("a\u{1b}[2Jb", "a[2Jb"), (CANARY, "[key]")];
    for (name, expected) in table {
        let upstream = Upstream::start([named(name)]).await;
        assert_eq!(
            complete(&models("openai", &upstream.url, ""), ask("hi")).await.unwrap().model,
            expected
        );
    }
    let upstream = Upstream::start([named(&"x".repeat(100_000))]).await;
    let done = complete(&models("openai", &upstream.url, ""), ask("hi")).await.unwrap();
    assert_eq!(done.model.chars().count(), 129);
}

#[tokio::test]
async fn refusals_are_told_once_and_not_repeated() {
    let table = [
        (400, Code::ModelInvalidRequest),
        (401, Code::ModelAuth),
        (403, Code::ModelAuth),
        (404, Code::ModelInvalidRequest),
        (422, Code::ModelInvalidRequest),
    ];
    for (status, code) in table {
        let body = error(&format!("no, {CANARY} is wrong"), "some_error");
        let upstream = Upstream::start([Reply::json(status, &body)]).await;
        let fault = complete(&models("anthropic", &upstream.url, ""), ask("hi"))
            .await
            .unwrap_err();
        assert_eq!(fault.code, code, "{status}");
        assert!(fault.message.contains("no, [key] is wrong"), "{}", fault.message);
        upstream.only();
    }
}

#[tokio::test]
async fn what_may_pass_is_tried_again() {
    for status in [408, 409, 429, 500, 502, 503, 529] {
        let upstream = Upstream::start([
            Reply::json(status, &error("later", "x")),
            Reply::new(status, "<html>also later</html>"),
            Reply::json(200, &openai_answer("now")),
        ])
        .await;
        let done = complete(&models("openai", &upstream.url, ""), ask("hi")).await.unwrap();
        assert_eq!((done.message.joined_text().as_str(), done.attempts), ("now", 3), "{status}");
    }
}

#[tokio::test]
async fn attempts_are_counted_and_end() {
    let busy = || Reply::json(503, &error("busy", "x"));
    let upstream = Upstream::start(std::iter::repeat_with(busy).take(9)).await;
    let fault = complete(&models("openai", &upstream.url, ""), ask("hi")).await.unwrap_err();
    assert_eq!(
        (fault.code, upstream.seen().len()),
        (Code::ModelUnavailable, 3),
        "three where nothing is said"
    );
    let upstream = Upstream::start(std::iter::repeat_with(busy).take(9)).await;
    complete(&models("openai", &upstream.url, "max_attempts: 1"), ask("hi"))
        .await
        .unwrap_err();
    assert_eq!(upstream.seen().len(), 1);
}

#[tokio::test]
async fn a_provider_may_forbid_another_try() {
    let upstream = Upstream::start([Reply::json(503, &error("busy", "x")).header("x-should-retry", "false")]).await;
    complete(&models("openai", &upstream.url, ""), ask("hi")).await.unwrap_err();
    upstream.only();
}

#[tokio::test]
async fn a_provider_that_is_not_there_is_told() {
    let fault = complete(&models("ollama", &nobody().await, ""), ask("hi")).await.unwrap_err();
    assert_eq!(fault.code, Code::ModelUnavailable);
    assert!(
        fault.message.starts_with("the provider `ollama` cannot be reached: "),
        "{}",
        fault.message
    );
    assert!(
        !fault.message.contains("127.0.0.1"),
        "an address is for the log: {}",
        fault.message
    );
    assert!(fault.hint.unwrap().contains("models.general.base_url"));
}

#[tokio::test]
async fn what_speaks_no_tls_is_not_reached_by_https() {
    let upstream = Upstream::start([]).await;
    let url = upstream.url.replace("http://", "https://");
    let fault = complete(&models("openai", &url, "max_attempts: 1"), ask("hi"))
        .await
        .unwrap_err();
    assert_eq!(fault.code, Code::ModelUnavailable);
    assert!(upstream.seen().is_empty(), "the key must not travel in the clear");
}

#[tokio::test]
async fn a_missing_key_stops_the_call_before_the_network() {
    let upstream = Upstream::start([]).await;
    let yaml = format!(
        "models: {{summarization: {{provider: anthropic, model: m, base_url: '{}'}}}}",
        upstream.url
    );
    let file = crate::ModelsFile::from_yaml(&yaml).unwrap();
    let models = crate::ProviderModels::new(&file, &|_| None).unwrap();
    let fault = complete(&models, ask("hi")).await.unwrap_err();
    assert_eq!(fault.code, Code::ModelAuth);
    assert!(fault.hint.unwrap().contains("`ANTHROPIC_API_KEY`"));
    assert!(upstream.seen().is_empty());
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let elsewhere = Upstream::start([Reply::json(200, &openai_answer("caught"))]).await;
    for status in [301, 302, 307, 308] {
        let upstream = Upstream::start([Reply::new(status, "").header("location", &elsewhere.url)]).await;
        let fault = complete(&models("openai", &upstream.url, ""), ask("hi")).await.unwrap_err();
        assert_eq!(fault.code, Code::ModelBadAnswer, "{status}");
        assert!(fault.message.contains("redirect"), "{}", fault.message);
    }
    assert!(elsewhere.seen().is_empty(), "the key must not travel");
}

#[tokio::test]
async fn garbage_is_no_answer() {
    let bodies: [Vec<u8>; 6] = [
        b"".to_vec(),
        b"<html>hello</html>".to_vec(),
        b"{\"choices\": [".to_vec(),
        b"{\"choices\": \"\xff\xfe\"}".to_vec(),
        b"[]".to_vec(),
        [b"[".repeat(100_000), b"]".repeat(100_000)].concat(),
    ];
    for body in bodies {
        let upstream = Upstream::start([Reply::new(200, body.clone())]).await;
        let fault = complete(&models("openai", &upstream.url, ""), ask("hi")).await.unwrap_err();
        assert_eq!(fault.code, Code::ModelBadAnswer, "{:?}", body.first_chunk::<16>());
        upstream.only();
    }
}

#[tokio::test]
async fn a_body_without_end_is_cut() {
    let huge = vec![b' '; MAX_BODY + 1];
    let upstream = Upstream::start([Reply::new(200, huge)]).await;
    let fault = complete(&models("openai", &upstream.url, ""), ask("hi")).await.unwrap_err();
    assert_eq!(fault.code, Code::ModelBadAnswer);
    assert!(fault.message.contains("longer than 33554432 bytes"), "{}", fault.message);
    let huge_error = vec![b'x'; 4 * 1024 * 1024];
    let upstream = Upstream::start([Reply::new(400, huge_error)]).await;
    let fault = complete(&models("openai", &upstream.url, ""), ask("hi")).await.unwrap_err();
    assert!(fault.message.len() < 500);
}

#[tokio::test]
async fn a_connection_that_breaks_in_mid_answer_is_tried_again() {
    let upstream = Upstream::start([
        Reply::new(200, "{\"model\":").then_break(),
        Reply::json(200, &openai_answer("whole")),
    ])
    .await;
    let done = complete(&models("openai", &upstream.url, ""), ask("hi")).await.unwrap();
    assert_eq!((done.message.joined_text().as_str(), done.attempts), ("whole", 2));
}

#[tokio::test]
async fn what_broke_off_may_be_on_the_bill_and_what_was_refused_is_not() {
    for (first, estimated) in [
        (Reply::new(200, "{\"model\":").then_break(), true),
        (Reply::new(503, "{}"), false),
    ] {
        let upstream = Upstream::start([first, Reply::json(200, &openai_answer("whole"))]).await;
        let price = "price: {input_usd_per_mtok: 1, output_usd_per_mtok: 1}";
        let models = models("openai", &upstream.url, price);
        let meter = Arc::new(Meter::new());
        let call = claw_core::ports::ModelCall {
            request: ask("a question of some words"),
            deadline: soon(),
            meter: meter.clone(),
        };
        let done = models
            .complete(&permit(), &models.planned("general").unwrap(), call)
            .await
            .unwrap();
        let charged = meter.read().charged().unwrap();
        assert_eq!(charged.estimated, estimated);
        assert_eq!(charged.cost_nanousd > done.usage.cost_nanousd, estimated, "{charged:?}");
    }
}

#[tokio::test]
async fn an_error_under_200_is_an_error() {
    let upstream = Upstream::start([
        Reply::json(200, &json!({ "error": { "message": "overloaded", "code": 503 } })),
        Reply::json(200, &openai_answer("now")),
    ])
    .await;
    let done = complete(&models("openai", &upstream.url, ""), ask("hi")).await.unwrap();
    assert_eq!(done.attempts, 2);
}

#[tokio::test]
async fn vectors_come_through_the_port() {
    let body = json!({ "model": "e", "data": [{ "index": 0, "embedding": [0.5, 0.5] }], "usage": { "prompt_tokens": 1000 } });
    let upstream = Upstream::start([Reply::json(503, &error("busy", "x")), Reply::json(200, &body)]).await;
    let models = models(
        "openai",
        &upstream.url,
        "price: {input_usd_per_mtok: 0.02, output_usd_per_mtok: 0}",
    );
    let route = models.planned("summarization").unwrap();
    let found = models
        .embed(
            &permit(),
            &route,
            EmbedCall {
                texts: vec!["a".to_owned()],
                deadline: soon(),
                meter: Arc::default(),
            },
        )
        .await
        .unwrap();
    assert_eq!(
        (found.vectors, found.usage.cost_nanousd),
        (vec![vec![0.5, 0.5]], Some(20_000))
    );
    assert!(!found.offline);
}
