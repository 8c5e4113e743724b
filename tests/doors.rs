//! The gateway as a service sees it: the whole way from HTTP to a sandboxed answer and its
//! audit trail.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{TestGateway, claw_on};

#[tokio::test]
async fn an_answer_says_what_ran_and_where_it_is_audited() {
    let gateway = TestGateway::with(&["echo"]).await;
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let request = gateway
        .request(Method::POST, "/v1/skills/echo/invoke")
        .header("traceparent", trace)
        .json(&json!({ "grüße": "😀" }));
    let answer = gateway.send(request).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.body["output"], json!({ "grüße": "😀" }));
    assert_eq!(
        (&answer.body["skill"], &answer.body["draft"], &answer.body["offline"]),
        (&json!("echo@1.0.0"), &json!(true), &json!(false))
    );
    let id = answer.body["id"].as_str().unwrap();
    assert_eq!(answer.headers["claw-invocation-id"], id);

    let shown = gateway.claw(&["audit", "show", id, "--json"]);
    let shown: Value = serde_json::from_str(&shown.out).unwrap();
    assert_eq!(shown["trace_id"], json!("0af7651916cd43dd8448eb211c80319c"));
    assert_eq!(
        (&shown["caller"], &shown["capability"]),
        (&json!("operator"), &json!("skill:echo@1.0.0"))
    );
    assert_eq!(shown["request_hash"].as_str().map(str::len), Some(64));
}

#[tokio::test]
async fn the_one_call_form_takes_skills_and_capabilities() {
    let gateway = TestGateway::with(&["echo"]).await;
    let call = async |body: Value| gateway.send(gateway.request(Method::POST, "/v1/invoke").json(&body)).await;
    let answer = call(json!({ "skill": "echo", "payload": { "a": 1 } })).await;
    assert_eq!(answer.body["output"], json!({ "a": 1 }));
    let payload = json!({ "prompt": "Summarize this document", "model": "general" });
    let answer = call(json!({ "skill": "llm.inference", "payload": payload })).await;
    assert_eq!((answer.status, &answer.body["offline"]), (200, &json!(true)), "{answer:?}");
    assert!(answer.body["output"]["text"].as_str().is_some_and(|text| !text.is_empty()));
    let answer = call(json!({ "skill": "llm.inference", "payload": { "prompt": 3 } })).await;
    assert_eq!(answer.code(), "invalid_input");
    let answer = call(json!({ "skill": "vector.search", "payload": {} })).await;
    assert_eq!(answer.code(), "not_found");
    // The local model of a fresh home is not running here: said, and never answered offline instead.
    let answer = call(json!({ "skill": "llm.inference", "payload": { "prompt": "x", "use": "customer_data" } })).await;
    assert_eq!(answer.code(), "model.unavailable", "{answer:?}");
}

#[tokio::test]
async fn an_input_that_does_not_fit_is_refused_and_audited() {
    let gateway = TestGateway::with(&["hostile"]).await;
    for input in [json!({}), json!({ "mode": 3 }), json!({ "mode": "ok", "colour": "red" })] {
        let answer = gateway.invoke("hostile", input.clone()).await;
        assert_eq!(answer.code(), "invalid_input", "{input}: {answer:?}");
        assert!(answer.body["detail"].as_str().unwrap().contains("hostile"), "{answer:?}");
    }
    let listed = gateway.claw(&["audit", "query", "--code", "invalid_input", "--json"]);
    assert_eq!(listed.out.lines().count(), 3, "{}", listed.out);
}

#[tokio::test]
async fn a_stream_brings_progress_and_pieces_in_order_and_then_the_answer() {
    let gateway = TestGateway::with(&["hostile"]).await;
    let request = gateway
        .request(Method::POST, "/v1/skills/hostile/invoke")
        .header("accept", "text/event-stream")
        .json(&json!({ "mode": "stream", "text": "- one finding\n- another finding" }));
    let answer = request.send().await.unwrap();
    assert_eq!(answer.headers()["content-type"], "text/event-stream");
    let text = answer.text().await.unwrap();
    let events: Vec<(&str, Value)> = text
        .split("\n\n")
        .filter_map(|event| {
            let name = event.lines().find_map(|line| line.strip_prefix("event:"))?.trim();
            let data = event.lines().find_map(|line| line.strip_prefix("data:"))?;
            Some((name, serde_json::from_str(data).unwrap()))
        })
        .collect();
    let (last, pieces) = events.split_last().unwrap();
    assert_eq!(last.0, "result");
    assert!(pieces.len() > 1 && pieces.iter().all(|(name, _)| *name == "chunk"), "{text}");
    let joined: String = pieces.iter().map(|(_, data)| data["text"].as_str().unwrap()).collect();
    assert_eq!(json!(joined), last.1["output"]["result"]["answer"]);
}

#[tokio::test]
async fn a_caller_that_hangs_up_leaves_an_abandoned_entry() {
    let gateway = TestGateway::with(&["hostile"]).await;
    let request = gateway
        .request(Method::POST, "/v1/skills/hostile/invoke")
        .header("accept", "text/event-stream")
        .json(&json!({ "mode": "progress-loop" }));
    let mut answer = request.send().await.unwrap();
    let first = answer.chunk().await.unwrap().unwrap();
    assert!(String::from_utf8_lossy(&first).contains("looping"), "{first:?}");
    drop(answer);
    let until = std::time::Instant::now() + crate::support::gateway::PATIENCE;
    loop {
        let listed = gateway.claw(&["audit", "query", "--status", "abandoned", "--json"]);
        if listed.out.lines().count() == 1 {
            break;
        }
        assert!(std::time::Instant::now() < until, "{listed:?}");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn one_idempotency_key_counts_once_across_a_restart() {
    let mut gateway = TestGateway::with(&["hostile"]).await;
    let call = async |gateway: &TestGateway, text: &str| {
        let body = json!({ "mode": "random", "text": text });
        let request = gateway
            .request(Method::POST, "/v1/skills/hostile/invoke")
            .header("idempotency-key", "order-7")
            .json(&body);
        gateway.send(request).await
    };
    let first = call(&gateway, "a").await;
    let second = call(&gateway, "a").await;
    assert_eq!(
        (&first.body["replayed"], &second.body["replayed"]),
        (&json!(false), &json!(true))
    );
    assert_eq!(first.body["output"], second.body["output"]);
    let other = call(&gateway, "b").await;
    assert_eq!((other.status, other.code()), (422, "idempotency.mismatch"));
    gateway.kill();
    gateway.start().await;
    let third = call(&gateway, "a").await;
    assert_eq!(
        (&third.body["replayed"], &third.body["output"]),
        (&json!(true), &first.body["output"])
    );
}

#[tokio::test]
async fn what_was_made_offline_says_so_by_every_way() {
    let gateway = TestGateway::with(&["hostile"]).await;
    let marked = |answer: &crate::support::gateway::Answer| {
        assert_eq!((answer.status, &answer.body["offline"]), (200, &json!(true)), "{answer:?}");
        assert_eq!(answer.headers["claw-offline"], "true");
    };
    for _ in 0..2 {
        let body = json!({ "mode": "model", "text": "general" });
        let request = gateway
            .request(Method::POST, "/v1/skills/hostile/invoke")
            .header("idempotency-key", "once")
            .json(&body);
        marked(&gateway.send(request).await);
    }
    marked(&gateway.invoke("hostile", json!({ "mode": "stream", "text": "- x" })).await);
    let body = json!({ "skill": "llm.inference", "payload": { "prompt": "x" } });
    marked(&gateway.send(gateway.request(Method::POST, "/v1/invoke").json(&body)).await);
}

#[tokio::test]
async fn a_failure_that_may_pass_is_not_kept_under_its_key() {
    let gateway = TestGateway::prepared(&[], |home| {
        std::fs::copy(crate::support::guests::built("hostile"), home.join("skills/hostile.wasm")).unwrap();
    })
    .await;
    let ask = async |key: &str, mode: &str| {
        let body = json!({ "mode": mode, "text": "general" });
        let request = gateway
            .request(Method::POST, "/v1/skills/hostile/invoke")
            .header("idempotency-key", key);
        gateway.send(request.json(&body)).await
    };
    assert_eq!(ask("a", "model").await.code(), "grant.missing");
    // What the skill itself said is its answer, and stays it.
    assert_eq!(ask("b", "own-error").await.code(), "skill.error");
    assert_eq!(gateway.claw(&["skill", "allow", "hostile", "--model", "general"]).code, 0);
    // `allow` has had the gateway take it up by the time that it ends.
    assert_eq!(ask("a", "model").await.status, 200);
    assert_eq!(ask("b", "own-error").await.code(), "skill.error");
}

#[tokio::test]
async fn a_model_call_by_itself_streams_too() {
    let gateway = TestGateway::with(&[]).await;
    let body = json!({ "skill": "llm.inference", "payload": { "prompt": "- one\n- two" } });
    let request = gateway
        .request(Method::POST, "/v1/invoke")
        .header("accept", "text/event-stream")
        .json(&body);
    let text = request.send().await.unwrap().text().await.unwrap();
    assert!(
        text.matches("event: chunk").count() > 1 || text.matches("event:chunk").count() > 1,
        "{text}"
    );
    assert!(text.contains("result"), "{text}");
}

#[tokio::test]
async fn a_broken_config_file_keeps_the_last_good_one() {
    let gateway = TestGateway::with(&["hostile"]).await;
    let models = gateway.home().join("models.yaml");
    std::fs::write(&models, "models:\n  general: {provider: nobody, model: x}\n").unwrap();
    let until = std::time::Instant::now() + crate::support::gateway::PATIENCE;
    while !gateway.log().contains("the last good one stays in force") {
        assert!(std::time::Instant::now() < until, "{}", gateway.log());
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let answer = gateway.invoke("hostile", json!({ "mode": "model", "text": "general" })).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let checked = claw_on(gateway.home(), &["config", "check"]);
    assert_eq!(checked.code, 64, "{checked:?}");
    assert!(checked.out.contains("models.yaml:2"), "{}", checked.out);
    let status = gateway.claw(&["gateway", "status"]);
    assert!(
        status.out.contains("running at") && status.out.contains("models.yaml"),
        "{}",
        status.out
    );
}

#[tokio::test]
async fn what_the_gateway_says_of_itself() {
    let gateway = TestGateway::with(&["echo"]).await;
    for path in ["/healthz", "/readyz"] {
        assert!((200..300).contains(&gateway.get(path).await.status), "{path}");
    }
    let _ = gateway.invoke("echo", json!({})).await;
    let metrics = gateway.get("/metrics").await;
    assert!(metrics.body.as_str().is_some_and(|text| text.contains("echo")), "{metrics:?}");
    let description = gateway.get("/openapi.json").await;
    assert!(description.body["paths"]["/v1/invoke"]["post"].is_object(), "{description:?}");
    let skill = gateway.get("/v1/skills/echo").await;
    assert_eq!(skill.status, 200, "{skill:?}");
}

/// A provider that answers as it is asked to, and repeats the key that it was given.
async fn upstream() -> String {
    use axum::extract::Json;
    use axum::http::{HeaderMap, StatusCode};
    use axum::response::IntoResponse as _;
    let answer = async |headers: HeaderMap, Json(body): Json<Value>| {
        let key = headers["authorization"].to_str().unwrap_or_default().to_owned();
        let asked = body["messages"].to_string();
        let failure = |status: StatusCode, words: &str| {
            let body = json!({ "error": { "message": format!("{words}: {key}"), "type": "invalid_request_error" } });
            (status, [("retry-after", "0")], Json(body)).into_response()
        };
        if asked.contains("refuse") {
            return failure(StatusCode::UNAUTHORIZED, "incorrect API key");
        }
        if asked.contains("too many") {
            return failure(StatusCode::TOO_MANY_REQUESTS, "slow down");
        }
        if asked.contains("break") {
            return failure(StatusCode::INTERNAL_SERVER_ERROR, "broken");
        }
        Json(json!({
            "id": "x", "object": "chat.completion", "model": "served-model",
            "choices": [{ "index": 0, "message": { "role": "assistant", "content": "said upstream" }, "finish_reason": "stop" }],
            "usage": { "prompt_tokens": 7, "completion_tokens": 2, "total_tokens": 9 },
        }))
        .into_response()
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = axum::Router::new().route("/v1/chat/completions", axum::routing::post(answer));
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    format!("http://{address}/v1")
}

#[tokio::test]
async fn a_real_provider_answers_and_its_key_goes_nowhere_else() {
    let base_url = upstream().await;
    let gateway = TestGateway::prepared(&["hostile"], |home| {
        let models =
            format!("models:\n  general: {{provider: openai, base_url: \"{base_url}\", model: gpt, use_for: [drafting]}}\n");
        std::fs::write(home.join("models.yaml"), models).unwrap();
    })
    .await;
    let ask = async |prompt: &str| {
        let body = json!({ "skill": "llm.inference", "payload": { "prompt": prompt, "use": "drafting" } });
        gateway.send(gateway.request(Method::POST, "/v1/invoke").json(&body)).await
    };
    let answer = ask("hello").await;
    assert_eq!(
        (&answer.body["output"]["text"], &answer.body["offline"]),
        (&json!("said upstream"), &json!(false)),
        "{answer:?}"
    );
    let tail = gateway.claw(&["audit", "query", "--skill", "llm.inference", "--json"]);
    assert!(
        tail.out.contains("served-model") && tail.out.contains("\"input_tokens\":7"),
        "{}",
        tail.out
    );
    // An unknown price is unknown, never nothing.
    assert!(tail.out.contains("\"cost_nanousd\":null"), "{}", tail.out);
    for (prompt, code, status) in [
        ("refuse", "model.auth", 502),
        ("too many", "model.rate_limited", 429),
        ("break", "model.unavailable", 503),
    ] {
        let answer = ask(prompt).await;
        assert_eq!((answer.code(), answer.status), (code, status), "{answer:?}");
    }
    // The same through a sandbox: the guest, its journal and its caller see no key.
    let answer = gateway.invoke("hostile", json!({ "mode": "stream", "text": "refuse" })).await;
    assert_eq!(answer.code(), "model.auth", "{answer:?}");
    for id in tail
        .out
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["id"].clone())
    {
        let shown = gateway.claw(&["audit", "show", id.as_str().unwrap()]);
        assert!(!shown.out.contains(crate::support::gateway::CANARY), "{}", shown.out);
    }
}
