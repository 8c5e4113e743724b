//! Calls and their answers.

use std::sync::atomic::Ordering;

use claw_core::audit::Status;
use claw_core::errors::{Code, Fault};
use reqwest::Method;
use serde_json::{Value, json};

use super::support::{Door, SERVICE};
use crate::problem::status_of;

#[tokio::test]
async fn a_skill_answers_in_an_envelope() {
    let door = Door::open().await;
    let answer = door.invoke("echo", &json!({"hello": "world"})).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let id = answer.header("claw-invocation-id").to_owned();
    let expected = json!({
        "id": id, "skill": "echo@1.1.0", "output": {"hello": "world"}, "draft": false, "offline": false, "replayed": false,
    });
    assert_eq!(answer.json(), expected);
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.header("claw-skill"), "echo@1.1.0");
    assert_eq!(answer.header("claw-offline"), "false");
    assert!(answer.header("server-timing").starts_with("claw;dur="), "{answer:?}");
    assert_eq!(door.status_of(&answer), Some(Status::Ok));
    let (intent, _) = door.audit.entries().remove(0);
    assert_eq!(
        (intent.caller.as_str(), intent.capability.as_str()),
        ("service", "skill:echo")
    );
    door.close().await;
}

#[tokio::test]
async fn the_key_header_is_as_good_as_a_bearer() {
    let door = Door::open().await;
    let request = door
        .anonymous(Method::POST, "/v1/skills/echo/invoke")
        .header("x-api-key", SERVICE)
        .json(&json!({}));
    assert_eq!(door.send(request).await.status, 200);
    let request = door
        .anonymous(Method::GET, "/v1/skills")
        .header("authorization", format!("bearer {SERVICE}"));
    assert_eq!(door.send(request).await.status, 200, "the scheme's case is free");
    door.close().await;
}

#[tokio::test]
async fn a_version_can_be_named_in_the_path_and_in_the_body() {
    let door = Door::open().await;
    assert_eq!(door.invoke("echo@1.0.0", &json!({})).await.header("claw-skill"), "echo@1.0.0");
    assert_eq!(
        door.invoke("echo%401.0.0", &json!({})).await.header("claw-skill"),
        "echo@1.0.0"
    );
    door.invoke("echo@9.9.9", &json!({})).await.is_problem(404, "not_found");
    door.invoke("none", &json!({})).await.is_problem(404, "not_found");
    let named = async |body: Value| door.send(door.request(Method::POST, "/v1/invoke").json(&body)).await;
    for (skill, version, expected) in [
        ("echo", None, "echo@1.1.0"),
        ("skill:echo", Some("1.0.0"), "echo@1.0.0"),
        ("echo@1.0.0", None, "echo@1.0.0"),
    ] {
        let mut body = json!({"skill": skill, "payload": {"n": 1}});
        if let Some(version) = version {
            body["version"] = version.into();
        }
        let answer = named(body).await;
        assert_eq!((answer.status, answer.header("claw-skill")), (200, expected), "{answer:?}");
        assert_eq!(answer.json()["output"], json!({"n": 1}));
    }
    assert_eq!(
        named(json!({"skill": "echo"})).await.json()["output"],
        json!({}),
        "the payload may be absent"
    );
    door.close().await;
}

#[tokio::test]
async fn names_that_are_none_are_refused_before_any_call() {
    let door = Door::open().await;
    for name in [
        "echo@",
        "@1.0.0",
        "echo@1@2",
        "-x",
        "a%20b",
        "..%2F..%2Fetc",
        "a%00b",
        "echo@1%2F2",
        "%ff",
        &"a".repeat(129),
    ] {
        let problem = door.invoke(name, &json!({})).await.is_problem(422, "invalid_input");
        assert!(problem.get("invocation_id").is_none(), "{problem}");
    }
    assert!(door.audit.entries().is_empty());
    door.close().await;
}

#[tokio::test]
async fn a_body_that_names_its_target_is_held_to_its_shape() {
    let door = Door::open().await;
    for (body, says) in [
        (json!([]), "wants an object"),
        (json!({}), "`skill` is missing"),
        (json!({"skill": 7}), "`skill` wants a string"),
        (json!({"skill": "echo", "version": 1}), "`version` wants a string"),
        (json!({"skill": "echo", "version": "1/2"}), "`version` wants letters"),
        (
            json!({"skill": "echo@1.0.0", "version": "1.0.0"}),
            "the version is there twice",
        ),
        (
            json!({"skill": "llm.inference", "version": "1"}),
            "a capability has no version",
        ),
        (json!({"skill": "echo", "input": {}}), "does not know `input`"),
        (json!({"skill": "a/b"}), "is not a name"),
    ] {
        let answer = door.send(door.request(Method::POST, "/v1/invoke").json(&body)).await;
        let problem = answer.is_problem(422, "invalid_input");
        assert!(problem["detail"].as_str().unwrap().contains(says), "{says}: {problem}");
    }
    assert!(door.audit.entries().is_empty());
    door.close().await;
}

#[tokio::test]
async fn an_input_that_does_not_fit_says_where() {
    let door = Door::open().await;
    let answer = door.invoke("strict", &json!({"count": "three"})).await;
    let problem = answer.is_problem(422, "invalid_input");
    assert_eq!(problem["invocation_id"], answer.header("claw-invocation-id"));
    let errors: Vec<&str> = problem["errors"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|error| error["pointer"].as_str())
        .collect();
    assert!(errors.contains(&"/count") && errors.contains(&""), "{problem}");
    assert_eq!(door.status_of(&answer), Some(Status::Error), "it is an audited invocation");
    door.invoke("strict", &json!([1])).await.is_problem(422, "invalid_input");
    assert_eq!(door.signals.runs.load(Ordering::SeqCst), 0, "nothing ran");
    door.close().await;
}

#[tokio::test]
async fn what_the_offline_provider_made_says_so() {
    let door = Door::open().await;
    let answer = door.invoke("summarize", &json!({})).await;
    assert_eq!(answer.json()["offline"], true);
    assert_eq!(answer.header("claw-offline"), "true");
    let body = json!({"skill": "llm.inference", "payload": {"prompt": "hello"}});
    let answer = door.send(door.request(Method::POST, "/v1/invoke").json(&body)).await;
    let json = answer.json();
    assert_eq!(
        (json["skill"].as_str(), json["offline"].as_bool()),
        (Some("llm.inference"), Some(true))
    );
    assert_eq!(json["output"]["text"], "an offline answer");
    let body = json!({"skill": "llm.inference", "payload": {"prompt": "hello", "use": "vision"}});
    door.send(door.request(Method::POST, "/v1/invoke").json(&body))
        .await
        .is_problem(501, "model.not_configured");
    assert_eq!(door.invoke("text", &json!({})).await.json()["output"], "plain");
    door.close().await;
}

#[tokio::test]
async fn an_idempotency_key_makes_two_calls_one() {
    let door = Door::open().await;
    let call = async |key: &str, input: Value| {
        door.send(
            door.request(Method::POST, "/v1/skills/echo/invoke")
                .header("idempotency-key", key)
                .json(&input),
        )
        .await
    };
    let first = call("k1", json!({"n": 1})).await.json();
    let again = call("k1", json!({"n": 1})).await.json();
    assert_eq!((&first["replayed"], &again["replayed"]), (&json!(false), &json!(true)));
    assert_eq!(first["output"], again["output"]);
    assert_ne!(first["id"], again["id"], "each call has its own entry");
    assert_eq!(door.signals.runs.load(Ordering::SeqCst), 1);
    call("k1", json!({"n": 2})).await.is_problem(422, "idempotency.mismatch");
    assert_eq!(call("k2", json!({"n": 2})).await.json()["replayed"], false);
    call(&"k".repeat(256), json!({})).await.is_problem(400, "http.bad_header");
    call("a b", json!({})).await.is_problem(400, "http.bad_header");
    door.close().await;
}

#[tokio::test]
async fn a_call_in_flight_with_the_same_key_is_a_conflict_at_its_deadline() {
    let door = Door::open().await;
    let request = |timeout: &str| {
        let request = door
            .request(Method::POST, "/v1/skills/wait/invoke")
            .header("idempotency-key", "k");
        request.header("claw-timeout-ms", timeout).json(&json!({}))
    };
    let (first, ()) = tokio::join!(door.send(request("60000")), async {
        door.signals.waiting.notified().await;
        door.send(request("5")).await.is_problem(409, "idempotency.in_flight");
        door.signals.go_on.notify_one();
    });
    assert_eq!(first.status, 200);
    door.close().await;
}

#[tokio::test]
async fn a_trace_goes_through_and_comes_back() {
    let door = Door::open().await;
    let id = "0af7651916cd43dd8448eb211c80319c";
    let given = format!("00-{id}-b7ad6b7169203331-01");
    let request = door
        .request(Method::POST, "/v1/skills/context/invoke")
        .header("traceparent", &given)
        .json(&json!({}));
    let answer = door.send(request).await;
    let back = answer.header("traceparent");
    assert!(back.starts_with(&format!("00-{id}-")) && back != given, "{back}");
    assert_eq!(answer.json()["output"]["trace"], back);
    assert_eq!(door.audit.entries()[0].0.trace_id, id);
    let request = door
        .request(Method::POST, "/v1/skills/context/invoke")
        .header("traceparent", "nonsense")
        .json(&json!({}));
    assert_eq!(door.send(request).await.status, 200, "a broken one is replaced, not refused");
    door.close().await;
}

#[tokio::test]
async fn a_deadline_is_kept_and_capped() {
    let settings = crate::Settings {
        max_timeout: std::time::Duration::from_secs(5),
        ..crate::Settings::default()
    };
    let door = Door::with(settings).await;
    let with = |skill: &str, timeout: &str| {
        let request = door.request(Method::POST, &format!("/v1/skills/{skill}/invoke"));
        request.header("claw-timeout-ms", timeout).json(&json!({}))
    };
    let left = door.send(with("context", "999999999")).await.json()["output"]["has_ms_left"]
        .as_u64()
        .unwrap();
    assert!(left <= 5_000, "{left}");
    for wrong in ["0", "-5", "soon", "1.5", "99999999999999999999"] {
        door.send(with("echo", wrong)).await.is_problem(400, "http.bad_header");
    }
    let answer = door.send(with("wait", "20")).await;
    answer.is_problem(504, "deadline_exceeded");
    assert_eq!(door.status_of(&answer), Some(Status::Error));
    let body = json!({"skill": "llm.inference", "payload": {"prompt": "x"}});
    let request = door
        .request(Method::POST, "/v1/invoke")
        .header("grpc-timeout", "nonsense")
        .json(&body);
    assert_eq!(
        door.send(request).await.status,
        200,
        "other protocols' headers mean nothing here"
    );
    door.close().await;
}

#[tokio::test]
async fn every_code_leaves_as_a_problem_of_its_own() {
    let door = Door::open().await;
    for code in Code::ALL {
        let fault = Fault::new(*code, "what went wrong")
            .hint("what to change")
            .retry_after_ms(2_500);
        let answer = door.invoke("fail", &serde_json::to_value(&fault).unwrap()).await;
        let problem = answer.is_problem(status_of(&fault).as_u16(), code.as_str());
        assert_eq!(problem["invocation_id"], answer.header("claw-invocation-id"), "{code}");
        assert!(!answer.header("traceparent").is_empty());
        if *code == Code::Internal {
            assert_eq!(problem["detail"], "the gateway failed", "the cause does not leave");
            continue;
        }
        assert_eq!(
            (&problem["detail"], &problem["hint"]),
            (&json!("what went wrong"), &json!("what to change")),
            "{code}"
        );
        assert_eq!(problem["retry_after_ms"], 2_500);
        assert_eq!(answer.header("retry-after"), "3", "seconds, rounded up");
    }
    door.close().await;
}

#[tokio::test]
async fn a_panic_is_a_500_that_says_nothing() {
    let door = Door::open().await;
    let answer = door.invoke("panic", &json!({})).await;
    let problem = answer.is_problem(500, "internal");
    assert_eq!(problem["detail"], "the gateway failed");
    assert!(door.log().contains("a handler panicked"), "{}", door.log());
    assert_eq!(
        door.audit.entries()[0].1.as_ref().map(|outcome| outcome.status),
        Some(Status::Abandoned)
    );
    assert_eq!(door.invoke("echo", &json!({})).await.status, 200, "the door stands");
    door.close().await;
}

#[tokio::test]
async fn nothing_is_answered_that_the_journal_does_not_hold() {
    let door = Door::open().await;
    door.audit.break_now();
    let answer = door.invoke("echo", &json!({"secret": "output"})).await;
    answer.is_problem(503, "audit.unavailable");
    assert_eq!(answer.header("retry-after"), "1");
    assert!(!answer.text.contains("output"));
    door.close().await;
}

#[tokio::test]
async fn a_caller_that_hangs_up_ends_its_call() {
    use super::raw::{Raw, request};
    let door = Door::open().await;
    let auth = format!("authorization: Bearer {SERVICE}");
    let headers = [auth.as_str(), "content-type: application/json", "content-length: 2"];
    let mut raw = Raw::connect(&door).await;
    raw.write(request(&door, "POST /v1/skills/wait/invoke", &headers, "{}")).await;
    door.signals.waiting.notified().await;
    drop(raw);
    door.settled(1).await;
    assert_eq!(
        door.audit.entries()[0].1.as_ref().map(|outcome| outcome.status),
        Some(Status::Abandoned)
    );
    assert!(
        door.get("/metrics")
            .await
            .text
            .contains("claw_invocations_total{skill=\"wait\",code=\"abandoned\"} 1")
    );
    door.close().await;
}

#[tokio::test]
async fn many_callers_at_once_get_each_their_own() {
    let door = Door::open().await;
    let calls = (0..200).map(|number| {
        let door = &door;
        async move { (number, door.invoke("echo", &json!({"number": number})).await) }
    });
    for (number, answer) in futures::future::join_all(calls).await {
        assert_eq!(answer.json()["output"]["number"], number);
    }
    assert_eq!(door.audit.entries().len(), 200);
    door.close().await;
}
