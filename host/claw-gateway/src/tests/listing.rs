//! What the door tells about skills, capabilities and itself.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};

use super::support::{Door, OPERATOR};
use crate::{Access, ROUTES};

#[tokio::test]
async fn skills_are_listed_with_paths_for_operators_only() {
    let door = Door::open().await;
    let skills = door.get("/v1/skills").await.json();
    let rows = skills["skills"].as_array().unwrap();
    assert_eq!(rows[0]["state"], "refused");
    assert!(
        rows.iter()
            .any(|row| row["name"] == "text" && row["version"] == "1.0.0" && row["state"] == "live")
    );
    assert!(rows.iter().all(|row| row["file"].is_null()), "{skills}");
    let answer = door
        .send(door.anonymous(Method::GET, "/v1/skills").bearer_auth(OPERATOR))
        .await;
    assert_eq!(answer.json()["skills"][0]["file"], "/home/me/.claw/skills/broken.wasm");
    door.close().await;
}

#[tokio::test]
async fn one_skill_says_what_it_takes_and_lacks() {
    let door = Door::open().await;
    let strict = door.get("/v1/skills/strict").await.json();
    assert_eq!(
        (&strict["name"], &strict["version"], &strict["state"]),
        (&json!("strict"), &json!("2.0.0"), &json!("needs_grant"))
    );
    assert_eq!(strict["inputs"]["properties"]["name"]["type"], "string");
    assert_eq!(
        strict["missing"]["model"],
        json!(["general"]),
        "the default request, which nobody granted"
    );
    assert_eq!(strict["sha256"], "ab".repeat(32));
    let echo = door.get("/v1/skills/echo@1.0.0").await.json();
    assert_eq!(echo["version"], "1.0.0");
    let versions: Vec<&Value> = echo["versions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| &row["version"])
        .collect();
    assert_eq!(versions, ["1.0.0", "1.1.0"]);
    assert_eq!(door.get("/v1/skills/summarize").await.json()["state"], "live");
    let problem = door.get("/v1/skills/broken").await.is_problem(404, "not_found");
    assert!(problem["hint"].as_str().unwrap().contains("it is no component"), "{problem}");
    door.get("/v1/skills/none").await.is_problem(404, "not_found");
    door.get("/v1/skills/a@").await.is_problem(422, "invalid_input");
    door.get("/v1/skills/%ff").await.is_problem(422, "invalid_input");
    door.close().await;
}

#[tokio::test]
async fn capabilities_are_listed() {
    let door = Door::open().await;
    let listed = door.get("/v1/capabilities").await.json();
    assert_eq!(listed["capabilities"][0]["name"], "llm.inference");
    door.close().await;
}

#[tokio::test]
async fn counters_have_bounded_labels() {
    let door = Door::open().await;
    door.invoke("echo", &json!({})).await;
    door.invoke("strict", &json!({})).await;
    for number in 0..20 {
        door.invoke(&format!("made-up-{number}"), &json!({})).await;
        door.get(&format!("/made/up/{number}")).await;
    }
    door.send(door.request(Method::from_bytes(b"MADEUP").unwrap(), "/healthz"))
        .await;
    let answer = door.get("/metrics").await;
    assert_eq!(
        answer.header("content-type"),
        "application/openmetrics-text; version=1.0.0; charset=utf-8"
    );
    let text = answer.text;
    for line in [
        "claw_invocations_total{skill=\"echo\",code=\"ok\"} 1",
        "claw_invocations_total{skill=\"strict\",code=\"invalid_input\"} 1",
        "claw_invocations_total{skill=\"other\",code=\"not_found\"} 20",
        "claw_invocation_latency_seconds_count{skill=\"echo\"} 1",
        "claw_http_requests_total{route=\"/v1/skills/{name}/invoke\",method=\"POST\",status=\"404\"} 20",
        "claw_http_requests_total{route=\"none\",method=\"GET\",status=\"404\"} 20",
        "claw_http_requests_total{route=\"none\",method=\"other\",status=\"405\"} 1",
        "claw_invocations_in_flight 0",
        "# EOF",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
    assert!(text.contains("claw_build_info{version=\""), "{text}");
    assert!(
        !text.contains("made-up") && !text.contains("/made/up") && !text.contains("MADEUP"),
        "{text}"
    );
    door.close().await;
}

#[tokio::test]
async fn the_description_has_every_route_and_no_other() {
    let door = Door::open().await;
    let document = door.get("/openapi.json").await.json();
    assert_eq!(document["openapi"], "3.1.0");
    let mut described = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            described.insert((method.to_uppercase(), path.clone()));
            assert!(
                !operation["summary"].as_str().unwrap_or_default().is_empty(),
                "{method} {path}"
            );
            assert!(
                operation["responses"]["default"]["content"]["application/problem+json"].is_object(),
                "{method} {path}"
            );
        }
    }
    let listed = |route: &crate::Route| (route.method.to_string(), route.path.replace("{*", "{"));
    assert_eq!(described, ROUTES.iter().map(listed).collect());
    for route in &ROUTES {
        let security = &document["paths"][route.path.replace("{*", "{")][route.method.as_str().to_lowercase()]["security"];
        assert_eq!(
            security.as_array().unwrap().is_empty(),
            route.access == Access::Open,
            "{}: {security}",
            route.path
        );
    }
    let text = document.to_string();
    for reference in text.split("\"$ref\":\"#").skip(1) {
        let pointer = reference.split('"').next().unwrap();
        assert!(document.pointer(pointer).is_some(), "{pointer} leads nowhere");
    }
    door.close().await;
}

#[tokio::test]
async fn health_says_nothing_more() {
    use std::sync::atomic::Ordering;
    let door = Door::open().await;
    for path in ["/healthz", "/readyz"] {
        let answer = door.send(door.anonymous(Method::GET, path)).await;
        assert_eq!((answer.status, answer.text.as_str()), (204, ""));
        assert_eq!(door.send(door.anonymous(Method::HEAD, path)).await.status, 204);
    }
    door.process.ready.store(false, Ordering::SeqCst);
    door.send(door.anonymous(Method::GET, "/readyz"))
        .await
        .is_problem(503, "http.not_ready");
    assert_eq!(door.send(door.anonymous(Method::GET, "/healthz")).await.status, 204);
    door.close().await;
}

#[tokio::test]
async fn an_operator_reloads() {
    use std::sync::atomic::Ordering;
    let door = Door::open().await;
    let reload = || door.anonymous(Method::POST, "/v1/admin/reload").bearer_auth(OPERATOR);
    assert_eq!(
        door.send(reload()).await.json(),
        json!({"reloaded": ["policies.yaml"]}),
        "without a body"
    );
    door.process.reload_fails.store(true, Ordering::SeqCst);
    let problem = door.send(reload().json(&json!({}))).await.is_problem(422, "invalid_input");
    assert_eq!(problem["hint"], "the old one stays live");
    door.close().await;
}

#[tokio::test]
async fn an_operator_manages_keys() {
    let door = Door::open().await;
    let operator = |method: Method, path: &str| door.anonymous(method, path).bearer_auth(OPERATOR);
    let listed = door.send(operator(Method::GET, "/v1/admin/keys")).await;
    assert_eq!(listed.json(), json!({ "keys": [{ "id": "key_known" }] }));
    let create = |body: Value| door.send(operator(Method::POST, "/v1/admin/keys").json(&body));
    let made = create(json!({ "service": "billing", "rpm": 600, "uses": ["summ*"], "budget": "50usd/month" })).await;
    assert_eq!((made.status, &made.json()["rpm"]), (201, &json!(600)), "{made:?}");
    assert_eq!(made.header("cache-control"), "no-store");
    for wrong in [
        json!({}),
        json!([]),
        json!({ "service": 3 }),
        json!({ "service": "a", "rpm": -1 }),
        json!({ "service": "a", "rpm": 1e30 }),
        json!({ "service": "a", "operator": true }),
        json!({ "service": "a", "id": "key_mine" }),
    ] {
        create(wrong).await.is_problem(422, "invalid_input");
    }
    let act = |id: &str, what: &str| operator(Method::POST, &format!("/v1/admin/keys/{id}/{what}"));
    let rotated = |answer: super::support::Answer| answer.json()["overlap_s"].clone();
    assert_eq!(rotated(door.send(act("key_known", "rotate")).await), json!(86_400));
    let none = act("key_known", "rotate").json(&json!({ "overlap_s": 0 }));
    assert_eq!(rotated(door.send(none).await), json!(0));
    for wrong in [
        json!({ "overlap_s": -1 }),
        json!({ "overlap": 3 }),
        json!({ "overlap_s": 5e9 }),
    ] {
        let answer = door.send(act("key_known", "rotate").json(&wrong)).await;
        answer.is_problem(422, "invalid_input");
    }
    assert_eq!(door.send(act("key_known", "revoke")).await.json()["state"], "revoked");
    for what in ["rotate", "revoke"] {
        door.send(act("key_other", what)).await.is_problem(404, "not_found");
        door.send(act("%20%00", what)).await.is_problem(404, "not_found");
    }
    door.close().await;
}
