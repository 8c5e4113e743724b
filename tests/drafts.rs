//! What would act waits for somebody: held, shown, approved once and by another, made by the
//! host, and on record at every step.

use std::path::Path;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::gateway::{Answer, PATIENCE};
use crate::support::{TestGateway, claw_on};

/// A gateway whose `exec.mkdir` may make directories on a desk.
async fn house(desk: &Path, guests: &[&str]) -> TestGateway {
    let capabilities = format!(
        "commands:\n  mkdir: {{allow: [{{args: --version, effects: none}}, {{args: '*', effects: act}}], roots: {{desk: '{0}'}}}}\n",
        desk.display()
    );
    TestGateway::prepared(guests, |home| {
        std::fs::write(home.join("capabilities.yaml"), capabilities).unwrap()
    })
    .await
}

fn key(gateway: &TestGateway, arguments: &[&str]) -> String {
    let ran = gateway.claw(&[&["key", "create"], arguments, &["--json"]].concat());
    assert_eq!(ran.code, 0, "{ran:?}");
    let made: Value = serde_json::from_str(&ran.out).unwrap();
    made["key"].as_str().unwrap().to_owned()
}

async fn send(gateway: &TestGateway, method: Method, path: &str, token: &str, body: Option<Value>) -> Answer {
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let request = http.request(method, format!("{}{path}", gateway.url())).bearer_auth(token);
    let request = match body {
        Some(body) => request.json(&body),
        None => request,
    };
    gateway.send(request.timeout(PATIENCE)).await
}

fn mkdir(name: &str) -> Value {
    json!({ "skill": "exec.mkdir", "payload": { "args": [name], "cwd": "desk" } })
}

/// A held call: its draft's id and hash.
fn held(answer: &Answer) -> (String, String) {
    assert_eq!((answer.status, answer.code()), (409, "draft.held"), "{answer:?}");
    let text = |name: &str| {
        answer.body["details"][name]
            .as_str()
            .unwrap_or_else(|| panic!("{answer:?}"))
            .to_owned()
    };
    (text("draft"), text("hash"))
}

#[tokio::test]
async fn what_acts_waits_until_another_approves_exactly_what_was_shown() {
    let desk = tempfile::tempdir().unwrap();
    let gateway = house(desk.path(), &[]).await;
    let service = key(&gateway, &["--service", "billing", "--skills", "exec.*"]);
    let own = key(&gateway, &["--service", "billing", "--approves"]);
    let other = key(&gateway, &["--service", "reviewer", "--approves"]);

    // What only looks goes through, marked as a draft.
    let looks = json!({ "skill": "exec.mkdir", "payload": { "args": ["--version"], "cwd": "desk" } });
    let looks = send(&gateway, Method::POST, "/v1/invoke", &service, Some(looks)).await;
    assert_eq!((looks.status, &looks.body["draft"]), (200, &json!(true)), "{looks:?}");

    let answer = send(&gateway, Method::POST, "/v1/invoke", &service, Some(mkdir("made"))).await;
    let (id, hash) = held(&answer);
    assert!(!desk.path().join("made").exists());
    let path = format!("/v1/drafts/{id}");
    let shown = send(&gateway, Method::GET, &path, &service, None).await;
    assert_eq!(shown.body["state"], "pending", "{shown:?}");
    assert_eq!(shown.body["act"]["args"], json!(["made"]));
    assert_eq!(shown.body["act"]["directory"], json!(desk.path().canonicalize().unwrap()));
    assert_eq!(shown.body["policies"], json!(["no_autonomous_actions"]));

    let approve = format!("{path}/approve");
    for (token, hash, status, code) in [
        (&service, &hash, 403, "http.forbidden"),
        (&own, &hash, 403, "policy.denied"),
        (&other, &"0".repeat(64), 409, "draft.closed"),
        (&other, &String::new(), 409, "draft.closed"),
    ] {
        let answer = send(&gateway, Method::POST, &approve, token, Some(json!({ "hash": hash }))).await;
        assert_eq!((answer.status, answer.code()), (status, code), "{answer:?}");
    }
    assert!(!desk.path().join("made").exists());

    let done = send(&gateway, Method::POST, &approve, &other, Some(json!({ "hash": hash }))).await;
    assert_eq!((done.status, &done.body["state"]), (200, &json!("done")), "{done:?}");
    assert_eq!(done.body["decided_by"], "reviewer");
    assert_eq!(done.body["output"]["status"], 0);
    assert!(desk.path().join("made").is_dir());
    let again = send(&gateway, Method::POST, &approve, &other, Some(json!({ "hash": hash }))).await;
    assert_eq!((again.status, again.code()), (409, "draft.closed"));

    // The call that was made stands under the one that was held, in its caller's name.
    let ran: Value = serde_json::from_str(
        &gateway
            .claw(&["audit", "show", done.body["ran"].as_str().unwrap(), "--json"])
            .out,
    )
    .unwrap();
    assert_eq!(
        (&ran["caller"], &ran["parent"], &ran["outcome"]),
        (&json!("billing"), &done.body["invocation_id"], &json!("ok"))
    );
    assert_eq!(
        ran["policy"]["approved"],
        json!({ "draft": id, "by": "reviewer", "hash": hash }),
        "{ran}"
    );
    let waited: Value = serde_json::from_str(
        &gateway
            .claw(&["audit", "show", shown.body["invocation_id"].as_str().unwrap(), "--json"])
            .out,
    )
    .unwrap();
    assert_eq!(waited["policy"]["held_by"], json!(["no_autonomous_actions"]), "{waited}");
}

#[tokio::test]
async fn drafts_are_their_callers_own_and_a_rejected_one_is_over() {
    let desk = tempfile::tempdir().unwrap();
    let gateway = house(desk.path(), &[]).await;
    let (one, two) = (key(&gateway, &["--service", "one"]), key(&gateway, &["--service", "two"]));
    let (id, hash) = held(&send(&gateway, Method::POST, "/v1/invoke", &one, Some(mkdir("a"))).await);
    let path = format!("/v1/drafts/{id}");
    assert_eq!(send(&gateway, Method::GET, &path, &two, None).await.status, 404);
    assert_eq!(
        send(&gateway, Method::GET, "/v1/drafts", &two, None).await.body["drafts"],
        json!([])
    );
    let own = send(&gateway, Method::GET, "/v1/drafts?state=pending", &one, None).await;
    assert_eq!(own.body["drafts"][0]["id"], json!(id));
    for bad in [
        "/v1/drafts?state=odd",
        "/v1/drafts?limit=x",
        "/v1/drafts?colour=blue",
        "/v1/drafts/inv_1",
        "/v1/drafts/drf_%00",
    ] {
        let answer = send(&gateway, Method::GET, bad, &one, None).await;
        assert_eq!(answer.status, 400, "{bad}: {answer:?}");
    }

    let rejected = gateway.claw(&["draft", "reject", &id, "--because", "not today"]);
    assert_eq!(rejected.code, 0, "{rejected:?}");
    let closed = gateway.claw(&["draft", "approve", &id, "--hash", &hash]);
    assert_ne!(closed.code, 0);
    assert!(closed.err.contains("draft.closed"), "{closed:?}");
    let shown = send(&gateway, Method::GET, &path, &one, None).await;
    assert_eq!(
        (&shown.body["state"], &shown.body["because"]),
        (&json!("rejected"), &json!("not today"))
    );
    assert!(!desk.path().join("a").exists());
}

#[tokio::test]
async fn what_would_act_otherwise_now_is_not_what_was_approved() {
    let (desk, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut gateway = house(desk.path(), &[]).await;
    let service = key(&gateway, &["--service", "billing"]);
    let (id, hash) = held(&send(&gateway, Method::POST, "/v1/invoke", &service, Some(mkdir("made"))).await);
    let moved = std::fs::read_to_string(gateway.home().join("capabilities.yaml")).unwrap();
    let moved = moved.replace(desk.path().to_str().unwrap(), elsewhere.path().to_str().unwrap());
    std::fs::write(gateway.home().join("capabilities.yaml"), moved).unwrap();
    gateway.kill();
    gateway.start().await;
    let refused = gateway.claw(&["draft", "approve", &id, "--hash", &hash]);
    assert!(
        refused.err.contains("draft.closed") && refused.err.contains("not what was shown"),
        "{refused:?}"
    );
    assert!(!desk.path().join("made").exists() && !elsewhere.path().join("made").exists());
}

#[tokio::test]
async fn a_skill_proposes_and_its_operator_approves() {
    let desk = tempfile::tempdir().unwrap();
    let gateway = house(desk.path(), &["hostile"]).await;
    let answer = gateway.invoke("hostile", json!({ "mode": "mkdir", "text": "made" })).await;
    // The guest is told, and is not resumed.
    assert!(answer.body.to_string().contains("draft.held"), "{answer:?}");
    let listed: Value = serde_json::from_str(&gateway.claw(&["draft", "list", "--json"]).out).unwrap();
    let (id, skill) = (listed[0]["id"].as_str().unwrap(), &listed[0]["skill"]);
    assert_eq!(skill, "hostile", "{listed}");
    // Nobody is there to ask.
    assert_eq!(gateway.claw(&["draft", "approve", id]).code, 2);
    let shown = gateway.claw(&["draft", "show", id]);
    assert!(
        shown.out.contains("mkdir") && shown.out.contains("the skill hostile"),
        "{}",
        shown.out
    );
    let approved = gateway.claw(&["draft", "approve", id, "--yes", "--json"]);
    assert_eq!(approved.code, 0, "{approved:?}");
    assert!(desk.path().join("made").is_dir());
    let over = gateway.claw(&["draft", "list"]);
    assert!(over.out.is_empty() && over.err.contains("nothing waits"), "{over:?}");
    let usage = claw_on(gateway.home(), &["draft", "show", "../v1/admin/shutdown"]);
    assert_eq!(usage.code, 2, "{usage:?}");
}

#[tokio::test]
async fn a_rule_of_ones_own_holds_what_it_names_and_nothing_else() {
    let desk = tempfile::tempdir().unwrap();
    let gateway = house(desk.path(), &[]).await;
    let rules =
        "policies: [{name: careful, match: {capability: exec.mkdir, caller: 'b*'}, then: require_approval, enforce: true}]";
    std::fs::write(gateway.home().join("policies.yaml"), rules).unwrap();
    let reloaded = gateway.send(gateway.request(Method::POST, "/v1/admin/reload")).await;
    assert_eq!(reloaded.status, 200, "{reloaded:?}");
    let (held_one, free) = (key(&gateway, &["--service", "billing"]), key(&gateway, &["--service", "ops"]));
    held(&send(&gateway, Method::POST, "/v1/invoke", &held_one, Some(mkdir("a"))).await);
    let done = send(&gateway, Method::POST, "/v1/invoke", &free, Some(mkdir("b"))).await;
    assert_eq!((done.status, &done.body["draft"]), (200, &json!(false)), "{done:?}");
    assert!(!desk.path().join("a").exists() && desk.path().join("b").is_dir());
}
