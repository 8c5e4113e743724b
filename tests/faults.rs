//! Everything that can go wrong at a provider, for each kind of provider, streaming and not:
//! the call goes to the next candidate where that is right, ends with a clear error where it is
//! not, and is on record exactly once.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::TestGateway;
use crate::support::gateway::Answer;
use crate::support::upstream::{KEY, Upstream};

/// What a fault leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Led {
    /// The next candidate answers.
    Over,
    /// The caller is told; nobody else is asked.
    Told(u16),
    /// It is no fault: the answer is whole.
    Answered,
    /// The stream has begun, and ends with the dialect's own error.
    Ends,
}

use Led::{Answered, Ends, Over, Told};

/// Each fault, what it leads to without a stream, and with one.
const FAULTS: &[(&str, Led, Led)] = &[
    ("400", Told(400), Told(400)),
    ("401", Over, Over),
    ("403", Over, Over),
    ("404", Told(404), Told(404)),
    ("408", Over, Over),
    ("409", Over, Over),
    ("422", Told(422), Told(422)),
    ("429", Over, Over),
    ("429-after", Over, Over),
    ("500", Over, Over),
    ("503", Over, Over),
    ("529", Over, Over),
    ("html", Over, Over),
    ("empty", Over, Over),
    ("truncated", Over, Over),
    ("gzip", Over, Over),
    ("redirect", Over, Over),
    ("malformed", Over, Over),
    ("cut", Over, Over),
    ("giant", Over, Over),
    ("stall", Over, Over),
    ("mid-reset", Over, Ends),
    ("mid-end", Over, Ends),
    ("mid-stall", Over, Ends),
    ("mid-error", Over, Ends),
    ("dribble", Answered, Answered),
    ("trickle", Over, Over),
];

async fn ask(gateway: &TestGateway, model: &str, words: &str, stream: bool) -> Answer {
    let body =
        json!({ "model": model, "stream": stream, "messages": [{ "role": "user", "content": format!("say this {words}") }] });
    gateway
        .send(gateway.request(Method::POST, "/v1/chat/completions").json(&body))
        .await
}

/// The fault is at `provider`; behind it stands an offline entry.
async fn matrix(provider: &str, path: &str) {
    let upstream = Upstream::start().await;
    let url = format!("{}{path}", upstream.url);
    // Every entry by its own name, so that no breaker of one fault is in the way of the next.
    let mut models = "models:\n  safe: {provider: offline}\n".to_owned();
    for (fault, ..) in FAULTS {
        models.push_str(&format!(
            "  e-{fault}: {{provider: {provider}, model: up, base_url: '{url}', api_key: {KEY}, max_attempts: 1, fallbacks: [safe], \
             timeouts: {{first_token_ms: 400, idle_ms: 400, total_ms: 2500}}}}\n"
        ));
    }
    let gateway = TestGateway::prepared(&[], |home| std::fs::write(home.join("models.yaml"), models).unwrap()).await;
    let mut calls = 0;
    for (fault, whole, streamed) in FAULTS {
        for (stream, led) in [(false, *whole), (true, *streamed)] {
            let answer = ask(&gateway, &format!("e-{fault}"), &format!("fault:{fault}"), stream).await;
            calls += 1;
            let told = format!("{provider} {fault} stream={stream}: {answer:?}");
            let text = answer.body.as_str().map_or_else(|| answer.body.to_string(), str::to_owned);
            match led {
                Over => {
                    assert_eq!(answer.status, 200, "{told}");
                    assert_eq!(answer.headers["claw-entry"], "safe", "{told}");
                    assert_eq!(answer.headers["claw-attempts"], "2", "{told}");
                }
                Told(status) => {
                    assert_eq!(answer.status, status, "{told}");
                    assert!(answer.body["error"]["message"].is_string(), "{told}");
                }
                Answered => assert!(answer.status == 200 && text.contains("said"), "{told}"),
                Ends => {
                    assert_eq!(
                        (answer.status, &answer.headers["claw-attempts"]),
                        (200, &"1".parse().unwrap()),
                        "{told}"
                    );
                    let last = text.trim_end().rsplit("\n\n").next().unwrap();
                    assert!(last.contains("\"error\":{") && !text.contains("[DONE]"), "{told}");
                }
            }
        }
    }
    let verified = gateway.verified();
    assert_eq!((&verified["entries"], &verified["open"]), (&json!(calls), &json!(0)));
    let rows = gateway.claw(&["audit", "query", "--limit", "1000", "--json"]);
    let failed = rows.out.lines().filter(|line| {
        let row: Value = serde_json::from_str(line).unwrap();
        row["outcome"] == "error"
    });
    let expected = FAULTS.iter().flat_map(|(_, whole, streamed)| [*whole, *streamed]);
    assert_eq!(failed.count(), expected.filter(|led| matches!(led, Told(_) | Ends)).count());
}

#[tokio::test]
async fn an_openai_provider_can_fail_in_every_way() {
    matrix("openai", "/v1").await;
}

#[tokio::test]
async fn an_anthropic_provider_can_fail_in_every_way() {
    matrix("anthropic", "").await;
}

#[tokio::test]
async fn an_ollama_can_fail_in_every_way() {
    matrix("ollama", "").await;
}

#[tokio::test]
async fn a_gemini_provider_can_fail_in_every_way() {
    matrix("gemini", "").await;
}

#[tokio::test]
async fn who_cannot_be_reached_is_passed_over() {
    let closed = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap()
    };
    let models = format!(
        "models:\n  safe: {{provider: offline}}\n  refused: {{provider: openai, model: m, base_url: 'http://{closed}/v1', max_attempts: 2, \
         fallbacks: [safe]}}\n  nowhere: {{provider: openai, model: m, base_url: 'http://no-such-host.invalid/v1', max_attempts: 1, \
         fallbacks: [safe]}}\n  tls: {{provider: openai, model: m, base_url: 'https://{closed}/v1', max_attempts: 1, fallbacks: [safe]}}\n"
    );
    let gateway = TestGateway::prepared(&[], |home| std::fs::write(home.join("models.yaml"), models).unwrap()).await;
    for (model, attempts) in [("refused", "3"), ("nowhere", "2"), ("tls", "2")] {
        for stream in [false, true] {
            let answer = ask(&gateway, model, "x", stream).await;
            assert_eq!(
                (answer.status, &answer.headers["claw-attempts"]),
                (200, &attempts.parse().unwrap()),
                "{model}: {answer:?}"
            );
        }
    }
}

#[tokio::test]
async fn a_killed_client_is_charged_for_what_it_used_and_no_more() {
    let upstream = Upstream::start().await;
    let models = upstream.models();
    let gateway = TestGateway::prepared(&[], |home| std::fs::write(home.join("models.yaml"), models).unwrap()).await;
    let body = json!({ "model": "gpt-test", "stream": true, "messages": [{ "role": "user", "content": "endless" }] });
    let mut answer = gateway
        .request(Method::POST, "/v1/chat/completions")
        .json(&body)
        .send()
        .await
        .unwrap();
    assert!(answer.chunk().await.unwrap().is_some());
    drop(answer);
    let until = std::time::Instant::now() + crate::support::gateway::PATIENCE;
    let row = loop {
        let listed = gateway.claw(&["audit", "query", "--status", "abandoned", "--json"]);
        if let Some(line) = listed.out.lines().next() {
            break serde_json::from_str::<Value>(line).unwrap();
        }
        assert!(std::time::Instant::now() < until, "{listed:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert!(row["output_tokens"].as_u64().is_some_and(|tokens| tokens > 0), "{row}");
    assert!(row["cost_nanousd"].as_u64().is_some_and(|cost| cost > 0), "{row}");
    while upstream.hung_up() == 0 {
        assert!(std::time::Instant::now() < until, "the stream upstream runs on");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
