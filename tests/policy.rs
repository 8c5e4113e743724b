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

#[test]
fn policies_are_tested_and_explained_without_a_gateway() {
    let home = tempfile::tempdir().unwrap();
    let claw = |arguments: &[&str]| crate::support::claw_on(home.path(), arguments);
    assert_eq!(claw(&["onboard", "--yes"]).code, 0);
    assert_eq!(claw(&["policy", "test"]).code, 4);
    let checked = claw(&["policy", "check"]);
    assert!(
        checked.code == 0 && checked.out.contains("sensitive_data_local"),
        "{checked:?}"
    );

    let rules = home.path().join("policies.yaml");
    let text = std::fs::read_to_string(&rules).unwrap();
    let own = "  - {name: dear, match: {cost_over: 1usd}, then: deny, message: ask first, enforce: true}
  - {name: nights, match: {use: general, time: {hours: '22:00-06:00'}}, then: local_only, enforce: true}
  - {name: masks, match: {data: email}, then: {mask: [email]}, enforce: false}
";
    std::fs::write(
        &rules,
        text.replace("\n  # Rules of your own", &format!("\n{own}  # Rules of your own")),
    )
    .unwrap();
    let models = "models:
  cloud: {provider: openai, model: gpt, use_for: [general], api_key: '${NOT_SET}', price: {input_usd_per_mtok: 1, output_usd_per_mtok: 1}}
  here: {provider: ollama, model: llama, use_for: [general, sensitive]}
";
    std::fs::write(home.path().join("models.yaml"), models).unwrap();
    let cases = home.path().join("policy-tests.yaml");
    let good = format!(
        "cases:
  - name: by day the cloud serves first
    call: {{use: cloud, text: hello, at: '2026-01-01T12:00:00Z', max_tokens: 10}}
    expect: {{outcome: allow, entries: [cloud], draft: true, policies: [audit_everything, no_autonomous_actions]}}
  - name: at night it does not
    call: {{use: general, text: hello, at: '2026-01-01T23:00:00Z', max_tokens: 10}}
    expect: {{outcome: allow, entries: [here], local_only: true}}
  - name: personal data stays here
    call: {{use: cloud, text: '{MAIL}', at: '2026-01-01T12:00:00Z'}}
    expect: {{outcome: allow, entries: [here], found: [email], reported: [masks]}}
  - name: what is dear is refused
    call: {{use: cloud, text: hello, max_tokens: 2000000}}
    expect: {{outcome: deny}}
  - name: what acts waits
    call: {{capability: exec.gh, act: true}}
    expect: {{outcome: hold}}
"
    );
    std::fs::write(&cases, &good).unwrap();
    let ran = claw(&["policy", "test"]);
    assert_eq!((ran.code, ran.out.contains("5 passed, 0 failed")), (0, true), "{ran:?}");

    let bad = "cases:
  - {name: nothing, call: {use: general}, expect: {}}
  - {name: both, call: {use: general, capability: exec.gh}, expect: {outcome: allow}}
  - {name: wrong, call: {use: cloud, text: hello}, expect: {outcome: deny, entries: [here]}}
  - {name: late, call: {use: cloud, at: tomorrow}, expect: {outcome: allow}}
";
    std::fs::write(&cases, bad).unwrap();
    let ran = claw(&["policy", "test", "--json"]);
    let results: Value = serde_json::from_str(&ran.out).unwrap_or_else(|_| panic!("{ran:?}"));
    assert_eq!((ran.code, &results["ok"]), (100, &json!(false)));
    assert!(
        results["cases"].as_array().unwrap().iter().all(|case| case["ok"] == false),
        "{results}"
    );
    assert_eq!(results["cases"][2]["wrong"][1], "`entries` is [\"cloud\"], not [\"here\"]");
    for broken in [
        "cases: 3",
        "case: []",
        "cases: [{name: a, call: {colour: red}, expect: {}}]",
        "- ",
    ] {
        std::fs::write(&cases, broken).unwrap();
        let ran = claw(&["policy", "test"]);
        assert!(ran.code == 64 && ran.err.contains("policy-tests.yaml"), "{broken}: {ran:?}");
    }

    let why = claw(&["policy", "explain", "--use", "cloud", "--text", MAIL]);
    assert_eq!(why.code, 0, "{why:?}");
    for wanted in ["counts", "masks", "would count", "found in the text: email"] {
        assert!(why.out.contains(wanted), "{wanted}: {}", why.out);
    }
    assert!(!why.out.contains(MAIL), "{}", why.out);
    let held = claw(&["policy", "explain", "--capability", "exec.gh", "--act"]);
    assert!(held.code == 77 && held.out.contains("held until"), "{held:?}");
    assert_eq!(claw(&["policy", "explain"]).code, 2);
    assert_eq!(claw(&["policy", "explain", "--use", "cloud", "--act"]).code, 2);

    // The second rule is about whoever the first one's route leads to.
    let routed = "policies:
  - {name: away, match: {use: cloud}, then: {route: sensitive}, enforce: true}
  - {name: marked, match: {provider: ollama}, then: draft, enforce: true}
";
    std::fs::write(&rules, routed).unwrap();
    let why = claw(&["policy", "explain", "--use", "cloud", "--text", "hello", "--json"]);
    let why: Value = serde_json::from_str(&why.out).unwrap_or_else(|_| panic!("{why:?}"));
    assert_eq!((&why["entries"], &why["draft"]), (&json!(["here"]), &json!(true)), "{why}");
    assert_eq!(why["rules"][1]["counts"], "yes", "{why}");
}
