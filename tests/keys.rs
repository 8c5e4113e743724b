//! Keys of services and secrets of providers, from the command that makes them to the call that
//! they allow; and that neither is ever seen anywhere else.

use std::path::Path;
use std::time::Instant;

use serde_json::{Value, json};

use crate::support::gateway::{Answer, PATIENCE};
use crate::support::{TestGateway, claw_on, command, run};

mod secrets;

/// A key as `claw key create --json` gives it.
struct Key {
    id: String,
    text: String,
}

fn made(arguments: &[&str], home: &Path) -> Key {
    let ran = claw_on(home, &[&["key"], arguments, &["--json"]].concat());
    assert_eq!(ran.code, 0, "{ran:?}");
    let made: Value = serde_json::from_str(&ran.out).unwrap();
    let text = |name: &str| made[name].as_str().unwrap().to_owned();
    Key {
        id: text("id"),
        text: text("key"),
    }
}

/// A request of a service, as the SDKs of OpenAI send their key.
async fn call(gateway: &TestGateway, key: &str, path: &str, body: Value) -> Answer {
    let url = format!("{}{path}", gateway.url());
    let request = reqwest::Client::builder().no_proxy().build().unwrap().post(url);
    gateway.send(request.bearer_auth(key).json(&body).timeout(PATIENCE)).await
}

async fn ask(gateway: &TestGateway, key: &str, use_name: &str) -> Answer {
    let payload = json!({ "prompt": "Summarize this", "use": use_name });
    call(
        gateway,
        key,
        "/v1/invoke",
        json!({ "skill": "llm.inference", "payload": payload }),
    )
    .await
}

/// A route that answers every known caller and does nothing.
async fn knows(gateway: &TestGateway, key: &str) -> bool {
    let url = format!("{}/v1/skills", gateway.url());
    let request = reqwest::Client::builder().no_proxy().build().unwrap().get(url);
    let answer = gateway.send(request.header("x-api-key", key).timeout(PATIENCE)).await;
    match answer.status {
        200 => true,
        401 | 429 => false,
        _ => panic!("{answer:?}"),
    }
}

#[tokio::test]
async fn a_key_allows_what_it_names_and_is_seen_nowhere() {
    let mut narrow = None;
    let gateway = TestGateway::prepared(&["echo"], |home| {
        // With no gateway running.
        let arguments = ["create", "--service", "billing", "--uses", "summ*", "--skills", "pr-*,echo"];
        narrow = Some(made(&arguments, home));
    })
    .await;
    let narrow = narrow.unwrap();
    // With one running.
    let models_only = made(&["create", "--service", "reports", "--uses", "summarization"], gateway.home());
    let answer = ask(&gateway, &narrow.text, "summarization").await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let id = answer.body["id"].as_str().unwrap();
    let shown = gateway.claw(&["audit", "show", id, "--json"]);
    let shown: Value = serde_json::from_str(&shown.out).unwrap();
    assert_eq!(shown["caller"], json!("billing"), "{shown}");
    assert_eq!(
        call(&gateway, &narrow.text, "/v1/skills/echo/invoke", json!({})).await.status,
        200
    );
    assert_eq!(ask(&gateway, &models_only.text, "summarization").await.status, 200);

    let refused = [
        (ask(&gateway, &narrow.text, "drafting").await, "drafting"),
        (
            call(&gateway, &narrow.text, "/v1/skills/other/invoke", json!({})).await,
            "skill:other",
        ),
        (
            call(&gateway, &models_only.text, "/v1/skills/echo/invoke", json!({})).await,
            "skill:echo",
        ),
        (ask(&gateway, &models_only.text, "summarization2").await, "summarization2"),
    ];
    for (answer, named) in refused {
        assert_eq!((answer.status, answer.code()), (403, "key.scope"), "{answer:?}");
        assert!(answer.body["detail"].as_str().unwrap().contains(named), "{answer:?}");
    }
    // The doors of the SDKs hold it to the same, in their own shape.
    let chat = |model: &str| json!({ "model": model, "messages": [{ "role": "user", "content": "hello" }] });
    let allowed = call(&gateway, &narrow.text, "/v1/chat/completions", chat("summarization")).await;
    let refused = call(&gateway, &narrow.text, "/v1/chat/completions", chat("drafting")).await;
    assert_eq!((allowed.status, refused.status), (200, 403), "{allowed:?} {refused:?}");

    for path in ["/v1/admin/shutdown", "/v1/admin/reload"] {
        let answer = call(&gateway, &narrow.text, path, json!({})).await;
        assert_eq!((answer.status, answer.code()), (403, "http.forbidden"), "{path}");
    }
    let shown = gateway.claw(&["key", "list"]).out + &gateway.claw(&["key", "show", &narrow.id, "--json"]).out;
    assert!(shown.contains(&narrow.id) && shown.contains(&models_only.id), "{shown}");
    is_seen_nowhere(&gateway, &[&narrow.text, &models_only.text], &shown).await;
}

/// No secret is in a log, an audit entry, a metric, a list, a file of the home or a process.
async fn is_seen_nowhere(gateway: &TestGateway, secrets: &[&str], shown: &str) {
    let metrics = gateway.get("/metrics").await.body.to_string();
    let config = gateway.claw(&["config", "show", "--json"]).out;
    let audit = gateway.claw(&["audit", "query", "--json", "--limit", "1000"]).out;
    let shows: Vec<String> = audit
        .lines()
        .map(|line| {
            serde_json::from_str::<Value>(line).unwrap()["id"]
                .as_str()
                .unwrap()
                .to_owned()
        })
        .map(|id| gateway.claw(&["audit", "show", &id]).out)
        .collect();
    assert!(!shows.is_empty() && metrics.len() > 100 && config.len() > 100);
    let running: Value = serde_json::from_slice(&std::fs::read(gateway.home().join("gateway.json")).unwrap()).unwrap();
    let process = |file: &str| std::fs::read(format!("/proc/{}/{file}", running["pid"])).unwrap_or_default();
    let mut places = vec![
        ("metrics", metrics.into_bytes()),
        ("config", config.into_bytes()),
        ("audit", audit.into_bytes()),
        ("audit show", shows.concat().into_bytes()),
        ("log", gateway.log().into_bytes()),
        ("arguments", process("cmdline")),
        ("environment", process("environ")),
        ("list", shown.as_bytes().to_vec()),
    ];
    let mut folders = vec![gateway.home().to_owned()];
    while let Some(folder) = folders.pop() {
        for file in std::fs::read_dir(folder).unwrap().flatten() {
            if file.file_type().unwrap().is_dir() {
                folders.push(file.path());
            } else {
                places.push(("home", std::fs::read(file.path()).unwrap_or_default()));
            }
        }
    }
    for secret in secrets {
        for (place, bytes) in &places {
            let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!found, "a secret is in: {place}");
        }
    }
}

#[tokio::test]
async fn a_revoked_key_ends_at_once_and_a_rotated_one_after_its_overlap() {
    let gateway = TestGateway::with(&[]).await;
    let one = made(&["create", "--service", "one"], gateway.home());
    let two = made(&["create", "--service", "two"], gateway.home());
    assert!(knows(&gateway, &one.text).await && knows(&gateway, &two.text).await);
    let revoked = gateway.claw(&["key", "revoke", &one.id]);
    assert_eq!(revoked.code, 0, "{revoked:?}");
    assert!(!knows(&gateway, &one.text).await, "revoked");
    assert!(knows(&gateway, &two.text).await, "another's key");

    let new = made(&["rotate", &two.id, "--overlap", "1h"], gateway.home());
    assert_eq!(new.id, two.id);
    assert!(knows(&gateway, &two.text).await && knows(&gateway, &new.text).await, "both");
    let newest = made(&["rotate", &two.id, "--overlap", "0s"], gateway.home());
    for old in [&two, &new] {
        assert!(!knows(&gateway, &old.text).await, "no overlap");
    }
    assert!(knows(&gateway, &newest.text).await);
    let again = gateway.claw(&["key", "rotate", &one.id]);
    assert_eq!(again.code, 1, "{again:?}");
    assert!(again.err.contains("was revoked"), "{again:?}");
    let listed = gateway.claw(&["key", "list", "--json", "--all"]);
    let listed: Value = serde_json::from_str(&listed.out).unwrap();
    let states: Vec<&str> = listed["keys"]
        .as_array()
        .unwrap()
        .iter()
        .map(|key| key["state"].as_str().unwrap())
        .collect();
    assert_eq!(states, ["revoked", "active"], "{listed}");
}

#[tokio::test]
async fn a_key_ends_when_it_was_said_to_end() {
    let gateway = TestGateway::with(&[]).await;
    let dying = made(&["create", "--service", "dying", "--expires", "2s"], gateway.home());
    let old = made(&["create", "--service", "rotated"], gateway.home());
    let new = made(&["rotate", &old.id, "--overlap", "2s"], gateway.home());
    let until = Instant::now() + PATIENCE;
    while knows(&gateway, &dying.text).await || knows(&gateway, &old.text).await {
        assert!(Instant::now() < until, "they never end");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert!(knows(&gateway, &new.text).await);
    let shown = gateway.claw(&["key", "show", &dying.id]);
    assert!(shown.out.contains("expired"), "{shown:?}");
    let hidden = gateway.claw(&["key", "list"]);
    assert!(!hidden.out.contains(&dying.id) && hidden.out.contains(&old.id), "{hidden:?}");
}

#[tokio::test]
async fn a_key_beyond_its_rate_is_told_when_to_come_back() {
    let gateway = TestGateway::with(&[]).await;
    // One every twenty seconds, so that none comes back while this runs.
    let slow = made(&["create", "--service", "slow", "--rpm", "3"], gateway.home());
    let free = made(&["create", "--service", "free"], gateway.home());
    for _ in 0..3 {
        assert_eq!(ask(&gateway, &slow.text, "general").await.status, 200);
    }
    let answer = ask(&gateway, &slow.text, "general").await;
    assert_eq!((answer.status, answer.code()), (429, "key.rate_limited"), "{answer:?}");
    let wait: u64 = answer.headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=20).contains(&wait), "{wait}");
    assert_eq!(ask(&gateway, &free.text, "general").await.status, 200, "another's key");
    // A new secret is the same key.
    let rotated = made(&["rotate", &slow.id], gateway.home());
    assert_eq!(ask(&gateway, &rotated.text, "general").await.status, 429);
}

#[tokio::test]
async fn what_is_no_key_is_refused_and_locks_nobody_out() {
    let gateway = TestGateway::with(&[]).await;
    let key = made(&["create", "--service", "billing"], gateway.home());
    let cut = &key.text[..key.text.len() - 1];
    for wrong in [
        cut.to_owned(),
        format!("{}0", key.text),
        key.text.to_uppercase(),
        key.id.clone(),
        "claw_sk_".to_owned(),
        format!("claw_sk_{}", "0".repeat(64)),
        "x".repeat(8_000),
        "schlüssel".to_owned(),
    ] {
        for _ in 0..4 {
            assert!(!knows(&gateway, &wrong).await, "{wrong:.80}");
        }
    }
    assert!(knows(&gateway, &key.text).await, "a valid key always passes");
}

#[tokio::test]
async fn a_gateway_that_starts_again_knows_the_same_keys() {
    let mut gateway = TestGateway::with(&[]).await;
    let key = made(&["create", "--service", "billing"], gateway.home());
    let gone = made(&["create", "--service", "gone"], gateway.home());
    assert!(knows(&gateway, &key.text).await);
    gateway.kill();
    assert_eq!(claw_on(gateway.home(), &["key", "revoke", &gone.id]).code, 0);
    gateway.start().await;
    assert!(knows(&gateway, &key.text).await);
    assert!(!knows(&gateway, &gone.text).await);
}

#[test]
fn commands_about_keys_say_what_is_wrong() {
    let directory = tempfile::tempdir().unwrap();
    let home = directory.path().join("home");
    let check = |arguments: &[&str], code: i32, expected: &str| {
        let ran = claw_on(&home, &[&["key"], arguments].concat());
        assert_eq!(ran.code, code, "{arguments:?}: {ran:?}");
        assert!(ran.err.contains(expected), "{arguments:?}: {ran:?}");
    };
    check(&["list"], 64, "claw onboard --yes");
    assert_eq!(claw_on(&home, &["onboard", "--yes"]).code, 0);
    check(&["list"], 0, "claw key create --service NAME");
    let create = |more: &[&str], expected: &str| check(&[&["create", "--service", "a"], more].concat(), 2, expected);
    create(&["--budget", "NaNusd/month"], "12.50usd/month");
    create(&["--budget=-1usd/month"], "12.50usd/month");
    create(&["--budget", "18446744074usd/month"], "more than can be counted");
    create(&["--budget", "50usd"], "50usd/month");
    create(&["--rpm", "0"], "1 to 1000000 requests");
    create(&["--rpm=-3"], "--rpm");
    create(&["--expires", "2020-01-01"], "expired already");
    create(&["--expires", "soon"], "2027-01-31T08:00:00Z");
    create(&["--uses", ""], "--uses");
    check(&["create", "--service", "operator"], 2, "name the service otherwise");
    check(&["create", "--service", "Bill ing"], 2, "a service's name");
    check(&["create"], 2, "--service");
    check(&["rotate", "key_nobody"], 2, "claw key list --all");
    check(&["revoke", "key_nobody"], 2, "key_nobody");
    check(&["rotate", "key_nobody", "--overlap", "1"], 2, "24h");
    let elsewhere = run(command(&home).args(["key", "list", "--gateway", "https://claw.example"]));
    assert_eq!(elsewhere.code, 2, "{elsewhere:?}");
    assert!(elsewhere.err.contains("lie in its home"), "{elsewhere:?}");
    std::fs::write(home.join("state/keys.db"), "no database").unwrap();
    check(&["list"], 1, "keys.db");
}

#[tokio::test]
async fn an_operator_manages_keys_over_http_as_well() {
    let gateway = TestGateway::with(&[]).await;
    let post = async |path: &str, body: Value| gateway.send(gateway.request(reqwest::Method::POST, path).json(&body)).await;
    let wanted =
        json!({ "service": "billing", "uses": ["summ*"], "budget": "50usd/month", "expires_at": "2999-01-01T00:00:00Z" });
    let answer = post("/v1/admin/keys", wanted).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    let (id, text) = (answer.body["id"].as_str().unwrap(), answer.body["key"].as_str().unwrap());
    assert_eq!(answer.body["budget_nanousd"], json!(50_000_000_000_u64), "{answer:?}");
    assert_eq!(ask(&gateway, text, "summarization").await.status, 200);
    let rotated = post(&format!("/v1/admin/keys/{id}/rotate"), json!({ "overlap_s": 0 })).await;
    let anew = rotated.body["key"].as_str().unwrap();
    assert!(!knows(&gateway, text).await && knows(&gateway, anew).await);
    let listed = gateway.get("/v1/admin/keys").await.body.to_string();
    assert!(listed.contains(id) && !listed.contains("claw_sk_"), "{listed}");
    let revoked = post(&format!("/v1/admin/keys/{id}/revoke"), json!({})).await;
    assert_eq!(revoked.body["state"], json!("revoked"), "{revoked:?}");
    assert!(!knows(&gateway, anew).await);
    for (body, named) in [
        (json!({ "service": "a", "budget": "NaN" }), "budget"),
        (json!({ "service": "a", "expires_at": "soon" }), "expires_at"),
        (json!({ "service": "a", "expires_at": "2020-01-01" }), "expired"),
        (json!({ "service": "operator" }), "operator"),
        (json!({ "service": "a", "rpm": 0 }), "requests a minute"),
    ] {
        let answer = post("/v1/admin/keys", body).await;
        assert_eq!((answer.status, answer.code()), (422, "invalid_input"), "{answer:?}");
        assert!(answer.body["detail"].as_str().unwrap().contains(named), "{answer:?}");
    }
    let again = post(&format!("/v1/admin/keys/{id}/rotate"), json!({})).await;
    assert_eq!((again.status, again.code()), (422, "invalid_input"), "{again:?}");
    let nobody = post("/v1/admin/keys/key_nobody/revoke", json!({})).await;
    assert_eq!((nobody.status, nobody.code()), (404, "not_found"), "{nobody:?}");
}
