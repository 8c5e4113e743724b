//! The endpoints of the official SDKs: what passes through, what refusals look like, and what
//! is recorded.

use claw_core::audit::Status;
use reqwest::Method;
use serde_json::{Value, json};

use super::support::{Answer, Door, HASTY, SERVICE, eventually};

async fn post(door: &Door, path: &str, body: &Value) -> Answer {
    door.send(door.request(Method::POST, path).json(body)).await
}

#[tokio::test]
async fn a_whole_answer_passes_byte_by_byte_and_its_headers_tell_about_it() {
    let door = Door::open().await;
    // A number and a key order that a detour over a parser would change.
    let body = "{\"z\": 1.0e3,  \"model\":\"general\", \"a\":\"\\u00e9\"}";
    let request = door.request(Method::POST, "/v1/chat/completions");
    let answer = door.send(request.header("content-type", "application/json").body(body)).await;
    assert_eq!((answer.status, answer.text.as_str()), (200, body));
    for (name, value) in [
        ("claw-provider", "offline"),
        ("claw-model", "offline"),
        ("claw-entry", "general"),
        ("claw-attempts", "1"),
        ("claw-cost-nanousd", "42"),
        ("claw-draft", "false"),
        ("x-ratelimit-remaining-requests", "9"),
    ] {
        assert_eq!(answer.header(name), value, "{name}");
    }
    assert_eq!(answer.header("x-request-id"), answer.header("claw-invocation-id"));
    assert!(answer.header("claw-overhead-us").parse::<u64>().is_ok());
    let (intent, outcome) = door.audit.entries().remove(0);
    let outcome = outcome.unwrap();
    assert_eq!(
        (intent.caller.as_str(), intent.capability.as_str()),
        ("service", "llm.inference")
    );
    assert_eq!(intent.api.map(claw_core::wire::Api::as_str), Some("chat_completions"));
    assert_eq!(outcome.usage.and_then(|usage| usage.cost_nanousd), Some(42));
    assert_eq!(outcome.response.bytes, body.as_bytes());
    door.close().await;
}

#[tokio::test]
async fn a_stream_passes_and_is_on_record_before_its_end() {
    let door = Door::open().await;
    let answer = post(&door, "/v1/messages", &json!({ "model": "general", "stream": true })).await;
    assert_eq!(answer.text, "data: {\"a\": 1}\n\ndata: [DONE]\n\n");
    assert!(answer.header("content-type").starts_with("text/event-stream"));
    assert_eq!(answer.header("request-id"), answer.header("claw-invocation-id"));
    let (_, outcome) = door.audit.entries().remove(0);
    let outcome = outcome.unwrap();
    assert_eq!((outcome.status, outcome.model.as_deref()), (Status::Ok, Some("fake-1")));
    assert_eq!(outcome.response.bytes, answer.text.as_bytes());
    door.close().await;
}

#[tokio::test]
async fn a_stream_that_breaks_off_ends_with_the_dialects_own_event() {
    let door = Door::open().await;
    for (path, start) in [
        ("/v1/chat/completions", "data: {\"error\":{\"message\":\"broke off\""),
        ("/v1/responses", "event: error\ndata: {\"type\":\"error\""),
        ("/v1/messages", "event: error\ndata: {\"type\":\"error\""),
    ] {
        let answer = post(&door, path, &json!({ "model": "general", "stream": true, "mode": "breaks" })).await;
        let last = answer.text.split_inclusive("\n\n").last().unwrap();
        assert!(last.starts_with(start), "{path}: {last}");
        assert_eq!(door.status_of(&answer), Some(Status::Error));
    }
    door.close().await;
}

#[tokio::test]
async fn a_caller_that_hangs_up_is_recorded_as_such() {
    let door = Door::open().await;
    let request = door.request(Method::POST, "/v1/chat/completions");
    let body = json!({ "model": "general", "stream": true, "mode": "hangs" });
    let mut answer = request.json(&body).send().await.unwrap();
    assert!(answer.chunk().await.unwrap().is_some());
    drop(answer);
    eventually(|| door.audit.entries().iter().all(|(_, outcome)| outcome.is_some())).await;
    let (_, outcome) = door.audit.entries().remove(0);
    assert_eq!(outcome.map(|outcome| outcome.status), Some(Status::Abandoned));
    door.close().await;
}

#[tokio::test]
async fn refusals_are_those_of_the_dialect() {
    let door = Door::open().await;
    let check = async |path: &str, body: Value, status: u16, kind: &str, code: &str| {
        let answer = post(&door, path, &body).await;
        assert_eq!(answer.status, status, "{answer:?}");
        let error = &answer.json()["error"];
        assert_eq!(
            (&error["type"], &error["claw_code"]),
            (&json!(kind), &json!(code)),
            "{answer:?}"
        );
        answer
    };
    let openai = "/v1/chat/completions";
    let refused = check(
        openai,
        json!({ "model": "general", "mode": "refused" }),
        422,
        "invalid_request_error",
        "model.invalid_request",
    )
    .await;
    assert_eq!(refused.json()["error"]["param"], "tools");
    let limited = check(
        "/v1/messages",
        json!({ "model": "general", "mode": "limited" }),
        429,
        "rate_limit_error",
        "model.rate_limited",
    )
    .await;
    assert_eq!(limited.header("retry-after"), "7");
    let unknown = check(
        openai,
        json!({ "model": "nobody" }),
        404,
        "invalid_request_error",
        "model.not_configured",
    )
    .await;
    assert_eq!(unknown.json()["error"]["code"], "model_not_found");
    for model in [json!(null), json!(3), json!(""), json!("a\u{0}b"), json!("x".repeat(300))] {
        check(
            "/v1/messages",
            json!({ "model": model }),
            400,
            "invalid_request_error",
            "invalid_input",
        )
        .await;
    }
    for (path, body) in [(openai, json!([])), ("/v1/embeddings", json!("text"))] {
        check(path, body, 400, "invalid_request_error", "invalid_input").await;
    }
    let garbage = door
        .request(Method::POST, "/v1/messages")
        .header("content-type", "application/json");
    let answer = door.send(garbage.body("{\"model\": ")).await;
    assert_eq!(
        (answer.status, answer.json()["type"].as_str()),
        (400, Some("error")),
        "{answer:?}"
    );
    door.close().await;
}

#[tokio::test]
async fn the_list_is_in_the_shape_of_who_asks() {
    let door = Door::open().await;
    let openai = door.get("/v1/models").await.json();
    assert_eq!(
        (&openai["object"], &openai["data"][0]["id"]),
        (&json!("list"), &json!("general"))
    );
    let request = |path: &str| {
        let request = door.anonymous(Method::GET, path).header("x-api-key", SERVICE);
        door.send(request.header("anthropic-version", "2023-06-01"))
    };
    let anthropic = request("/v1/models").await.json();
    assert_eq!(
        (&anthropic["has_more"], &anthropic["data"][0]["type"]),
        (&json!(false), &json!("model"))
    );
    assert_eq!(request("/v1/models/general").await.json()["id"], "general");
    let unknown = request("/v1/models/no/such").await;
    assert_eq!(
        (unknown.status, &unknown.json()["error"]["type"]),
        (404, &json!("not_found_error"))
    );
    door.close().await;
}

#[tokio::test]
async fn a_call_is_explained_without_being_made() {
    let door = Door::open().await;
    let answer = post(&door, "/v1/explain", &json!({ "use": "general", "text": "hi" })).await;
    assert_eq!(answer.json()["plan"]["candidates"][0]["entry"], "general", "{answer:?}");
    assert!(door.audit.entries().is_empty());
    post(&door, "/v1/explain", &json!({ "usee": "general" }))
        .await
        .is_problem(422, "invalid_input");
    post(&door, "/v1/explain", &json!({ "use": "nobody" }))
        .await
        .is_problem(501, "model.not_configured");
    door.close().await;
}

#[tokio::test]
async fn context_is_gathered_put_in_and_recorded() {
    let door = Door::open().await;
    let asked = json!({ "role": "user", "content": "hi" });
    let body = json!({
        "model": "general", "messages": [asked],
        "claw": { "context": ["handbook", "optional"], "vars": { "id": 7 } },
    });
    let request = door
        .request(Method::POST, "/v1/chat/completions")
        .header("claw-context", "echoed");
    let answer = door.send(request.json(&body)).await;
    let sent = answer.json();
    assert!(sent.get("claw").is_none(), "{sent}");
    let told = sent["messages"][0]["content"].as_str().unwrap();
    assert!(told.contains("Be kind.") && told.contains("\"id\": 7"), "{told}");
    assert_eq!(sent["messages"][1], asked);
    let entries = door.audit.entries();
    let (intent, _) = entries.iter().find(|(intent, _)| intent.api.is_some()).unwrap();
    let rows: Vec<_> = intent
        .context
        .iter()
        .map(|row| (row.name.as_str(), row.tokens > 0, row.failed))
        .collect();
    let failed = Some(claw_core::errors::Code::ContextUnavailable);
    assert_eq!(
        rows,
        [("optional", false, failed), ("handbook", true, None), ("echoed", true, None)]
    );
    let (child, _) = entries.iter().find(|(intent, _)| intent.capability == "skill:echo").unwrap();
    assert_eq!(child.parent, Some(intent.id));
    door.close().await;
}

#[tokio::test]
async fn nothing_is_gathered_for_who_may_not_make_the_call() {
    let door = Door::open().await;
    for (model, status, code) in [("general", 429, "key.rate_limited"), ("other", 403, "key.scope")] {
        let request = door
            .anonymous(Method::POST, "/v1/chat/completions")
            .bearer_auth(HASTY)
            .header("claw-context", "echoed,handbook");
        let answer = door.send(request.json(&json!({ "model": model, "messages": [] }))).await;
        assert_eq!((answer.status, answer.code().as_deref()), (status, Some(code)));
    }
    let entries = door.audit.entries();
    assert_eq!(entries.len(), 2, "each call has its row, and the skill was not asked");
    assert!(
        entries
            .iter()
            .all(|(intent, _)| intent.context.is_empty() && intent.api.is_some())
    );
    door.close().await;
}

#[tokio::test]
async fn a_context_that_must_be_there_fails_the_call_on_record() {
    let door = Door::open().await;
    for (names, status, code) in [
        ("away", 503, "context.unavailable"),
        ("nobody", 503, "context.unavailable"),
        ("../etc", 400, "invalid_input"),
        ("echoed", 400, "invalid_input"),
    ] {
        let request = door.request(Method::POST, "/v1/messages").header("claw-context", names);
        let answer = door.send(request.json(&json!({ "model": "general", "messages": [] }))).await;
        let expected = if names == "echoed" {
            (503, "context.unavailable")
        } else {
            (status, code)
        };
        assert_eq!(
            (answer.status, answer.code().as_deref()),
            (expected.0, Some(expected.1)),
            "{names}"
        );
    }
    door.close().await;
}

#[tokio::test]
async fn a_session_is_kept_and_goes_before_the_next_question() {
    let door = Door::open().await;
    let ask = async |stream: bool, mode: &str, question: &str| {
        let body = json!({
            "model": "general", "stream": stream, "mode": mode,
            "messages": [{ "role": "user", "content": question }],
        });
        let request = door
            .request(Method::POST, "/v1/chat/completions")
            .header("claw-session", "s1");
        door.send(request.json(&body)).await
    };
    ask(false, "talks", "first").await;
    ask(true, "talks", "second").await;
    // What broke off is no turn.
    ask(true, "breaks", "third").await;
    let sent = ask(false, "", "fourth").await.json();
    let contents: Vec<&str> = sent["messages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|m| m["content"].as_str().unwrap())
        .collect();
    assert_eq!(contents, ["first", "an answer", "second", "an answer", "fourth"]);
    door.close().await;
}
