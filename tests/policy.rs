//! What policies promise, seen from the provider's side: what it was sent, and what it was not.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::TestGateway;
use crate::support::upstream::{KEY, Upstream};

const MAIL: &str = "anna.muster@example.com";

/// `cloud` is far away, `sensitive` is here.
async fn house(cloud: &Upstream, here: &Upstream, policies: &str) -> TestGateway {
    let models = format!(
        "models:
  cloud: {{provider: openai, model: far, base_url: '{}/v1', api_key: {KEY}, local: false}}
  sensitive: {{provider: openai, model: near, base_url: '{}/v1', api_key: {KEY}, local: true}}
",
        cloud.url, here.url
    );
    TestGateway::prepared(&[], |home| {
        std::fs::write(home.join("models.yaml"), models).unwrap();
        std::fs::write(home.join("policies.yaml"), policies).unwrap();
    })
    .await
}

/// A call through each door, with these words in it.
fn calls(words: &str) -> Vec<(&'static str, Value)> {
    let chat = json!([{ "role": "user", "content": words }]);
    vec![
        ("/v1/chat/completions", json!({ "model": "cloud", "messages": chat })),
        (
            "/v1/chat/completions",
            json!({ "model": "cloud", "stream": true, "messages": chat }),
        ),
        ("/v1/responses", json!({ "model": "cloud", "input": words })),
        (
            "/v1/messages",
            json!({ "model": "cloud", "max_tokens": 50, "messages": chat }),
        ),
        (
            "/v1/chat/completions",
            json!({ "model": "cloud", "messages": [{ "role": "user", "content": "hi" }], "tools": [{ "type": "function", "function":
                { "name": "f", "description": words, "parameters": { "type": "object" } } }] }),
        ),
        ("/v1/embeddings", json!({ "model": "cloud", "input": [words] })),
    ]
}

async fn send(gateway: &TestGateway, calls: &[(&str, Value)]) -> Vec<crate::support::gateway::Answer> {
    let mut answers = Vec::new();
    for (path, body) in calls {
        answers.push(gateway.send(gateway.request(Method::POST, path).json(body)).await);
    }
    answers
}

#[tokio::test]
async fn personal_data_never_leaves_for_the_cloud() {
    let (cloud, here) = (Upstream::start().await, Upstream::start().await);
    let rule = "policies: [{name: stays, rule: if_context_contains_pii_use_sensitive_model, enforce: true}]";
    let gateway = house(&cloud, &here, rule).await;
    let private = calls(&format!("write to {MAIL}"));
    for answer in send(&gateway, &private).await {
        assert_eq!(
            (answer.status, &answer.headers["claw-entry"]),
            (200, &"sensitive".parse().unwrap()),
            "{answer:?}"
        );
    }
    assert_eq!((cloud.seen().len(), here.seen().len()), (0, private.len()));
    for answer in send(&gateway, &calls("write to nobody")).await {
        assert_eq!(answer.headers["claw-entry"], "cloud", "{answer:?}");
    }
    let rows = gateway.claw(&["audit", "query", "--json"]);
    let decided = rows.out.lines().filter(|line| line.contains("stays"));
    assert_eq!(decided.count(), private.len(), "{}", rows.out);
}

#[tokio::test]
async fn what_is_here_may_be_gone_and_the_cloud_is_still_not_asked() {
    let (cloud, here) = (Upstream::start().await, Upstream::start().await);
    let rule = "policies: [{name: stays, rule: if_context_contains_pii_use_sensitive_model, use: cloud, enforce: true}]";
    let gateway = house(&cloud, &here, rule).await;
    for answer in send(&gateway, &calls(&format!("write to {MAIL}"))).await {
        assert_eq!(answer.status, 403, "{answer:?}");
        assert!(answer.body["error"].to_string().contains("not local"), "{answer:?}");
    }
    assert_eq!((cloud.seen().len(), here.seen().len()), (0, 0));
}

#[tokio::test]
async fn what_is_redacted_is_not_sent() {
    let (cloud, here) = (Upstream::start().await, Upstream::start().await);
    let rule = "policies: [{name: masks, match: {data: email}, then: {redact: [email]}, enforce: true}]";
    let gateway = house(&cloud, &here, rule).await;
    let private = calls(&format!("write to {MAIL}"));
    for answer in send(&gateway, &private).await {
        assert_eq!(
            (answer.status, &answer.headers["claw-entry"]),
            (200, &"cloud".parse().unwrap())
        );
    }
    let seen = cloud.seen();
    assert_eq!(seen.len(), private.len());
    for seen in seen {
        let body = seen.body.to_string();
        assert!(body.contains("[EMAIL]") && !body.contains(MAIL), "{}: {body}", seen.path);
        assert!(!String::from_utf8_lossy(&seen.raw).contains(MAIL));
    }
}

#[tokio::test]
async fn what_is_masked_is_not_sent_and_comes_back() {
    let (cloud, here) = (Upstream::start().await, Upstream::start().await);
    let rule = "policies: [{name: masks, match: {data: email}, then: {mask: [email]}, enforce: true}]";
    let gateway = house(&cloud, &here, rule).await;
    let mut private = calls(&format!("write to {MAIL} now"));
    let mut streamed = private[3].1.clone();
    streamed["stream"] = json!(true);
    private.push(("/v1/messages", streamed));
    private.push((
        "/v1/responses",
        json!({ "model": "cloud", "stream": true, "input": format!("write to {MAIL} now") }),
    ));
    let answers = send(&gateway, &private).await;
    for (answer, (path, body)) in answers.iter().zip(&private) {
        assert_eq!(answer.status, 200, "{answer:?}");
        let text = answer.body.to_string();
        assert!(!text.contains("EMAIL_1"), "{path}: {text}");
        // The pieces of a stream tear the words.
        let repeats = body["messages"][0]["content"] != json!("hi") && *path != "/v1/embeddings";
        assert!(!repeats || text.contains(MAIL), "{path}: {text}");
    }
    let seen = cloud.seen();
    assert_eq!(seen.len(), private.len());
    for seen in seen {
        assert!(seen.body.to_string().contains("[EMAIL_1]"), "{}: {}", seen.path, seen.body);
        assert!(!String::from_utf8_lossy(&seen.raw).contains(MAIL));
    }
}
