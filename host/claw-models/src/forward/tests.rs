#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may stop at the first surprise"
)]

use std::sync::Arc;

use bytes::Bytes;
use claw_core::errors::{Code, Fault};
use claw_core::meter::Meter;
use claw_core::model::{Finish, Usage};
use claw_core::ports::Models as _;
use claw_core::wire::{WireBody, WireDone, WirePiece, WireRequest};
use futures::StreamExt as _;
use serde_json::{Value, json};

use super::*;
use crate::ProviderModels;
use crate::testing::{CANARY, Reply, Upstream, models, permit, soon};

/// An answer of Chat Completions with odd spacing, numbers and fields that nobody here knows.
const CHAT: &str = "{ \"id\":\"x\",\"object\":\"chat.completion\", \"model\":\"served-1\",\"odd\":1.0e3,\n \"choices\":[{\"index\":0,\
                    \"message\":{\"role\":\"assistant\",\"content\":\"h\\u0069\"},\"finish_reason\":\"stop\"}],\
                    \"usage\":{\"prompt_tokens\":9,\"completion_tokens\":2,\"prompt_tokens_details\":{\"cached_tokens\":4}}}";

fn request(api: Api, body: &str) -> WireRequest {
    let value: Value = serde_json::from_str(body).unwrap();
    WireRequest {
        api,
        masked: None,
        stream: value["stream"] == true,
        body: Bytes::from(body.to_owned()),
        value: Arc::new(value),
        headers: vec![("anthropic-beta".to_owned(), "b1".to_owned())],
    }
}

async fn forward(models: &ProviderModels, api: Api, body: &str, meter: &Arc<Meter>) -> Result<WireAnswer, Fault> {
    let plan = models.planned("summarization")?;
    let call = WireCall {
        request: request(api, body),
        deadline: soon(),
        meter: meter.clone(),
    };
    let result = models.forward(&permit(), &plan, call).await;
    if let Err(fault) = &result {
        assert!(!format!("{fault:?}").contains(CANARY));
    }
    result
}

async fn ask(provider: &str, reply: Reply, api: Api, body: &str) -> (Upstream, Result<WireAnswer, Fault>, Arc<Meter>) {
    let upstream = Upstream::start([reply]).await;
    let meter = Arc::new(Meter::new());
    let models = models(
        provider,
        &upstream.url,
        "max_attempts: 1\nprice: {input_usd_per_mtok: 1, output_usd_per_mtok: 2}",
    );
    let result = forward(&models, api, body, &meter).await;
    (upstream, result, meter)
}

fn whole(answer: WireAnswer) -> (Bytes, WireDone) {
    match answer.body {
        WireBody::Whole(bytes, done) => (bytes, *done),
        WireBody::Stream(_) => panic!("a stream"),
    }
}

/// All bytes of a stream, and what it said at its end.
async fn drain(answer: WireAnswer) -> (String, Result<WireDone, Fault>) {
    let WireBody::Stream(mut stream) = answer.body else {
        panic!("no stream");
    };
    let mut all = Vec::new();
    while let Some(piece) = stream.next().await {
        match piece {
            Ok(WirePiece::Bytes(bytes)) => all.extend_from_slice(&bytes),
            Ok(WirePiece::Done(done)) => {
                all.extend_from_slice(&done.last);
                return (String::from_utf8(all).unwrap(), Ok(*done));
            }
            Err(fault) => return (String::from_utf8(all).unwrap(), Err(fault)),
        }
    }
    panic!("it ended without an end");
}

fn chat_stream(events: &[Value]) -> String {
    let lines: String = events.iter().map(|event| format!("data: {event}\n\n")).collect();
    format!("{lines}data: [DONE]\n\n")
}

fn delta(delta: Value, finish: Value) -> Value {
    json!({ "id": "c", "model": "served-1", "choices": [{ "index": 0, "delta": delta, "finish_reason": finish }] })
}

#[tokio::test]
async fn bytes_pass_both_ways_but_for_the_models_name() {
    let body = "{ \"odd\": 1.0e3,\"model\" : \"summarization\" ,\"messages\":[{\"role\":\"user\",\"content\":\"\\u0048i\"}]}";
    let (upstream, result, meter) = ask(
        "openai",
        Reply::new(200, CHAT)
            .header("content-type", "application/json; charset=utf-8")
            .header("x-request-id", "req_1")
            .header("x-ratelimit-remaining-tokens", "7")
            .header("set-cookie", "a=b"),
        Api::ChatCompletions,
        body,
    )
    .await;
    let answer = result.unwrap();
    let mut headers = answer.headers.clone();
    headers.sort();
    let expected = [("x-ratelimit-remaining-tokens", "7"), ("x-request-id", "req_1")];
    assert_eq!(headers, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    let (bytes, done) = whole(answer);
    assert_eq!(bytes, CHAT);
    let usage = Usage {
        input_tokens: 9,
        output_tokens: 2,
        cached_tokens: 4,
        cost_nanousd: Some(13_000),
        ..Usage::default()
    };
    assert_eq!(
        (done.usage, done.finish, done.model.as_str()),
        (usage, Some(Finish::Stop), "served-1")
    );
    assert_eq!(meter.read().usage, Some(usage));
    let seen = upstream.only();
    assert_eq!(seen.raw, body.replace("\"summarization\"", "\"test-model\""));
    assert_eq!(seen.headers["authorization"], format!("Bearer {CANARY}"));
    assert_eq!(seen.headers["anthropic-beta"], "b1");
}

#[tokio::test]
async fn a_stream_passes_and_the_usage_that_only_we_asked_for_is_taken_out() {
    let usage = json!({ "id": "c", "choices": [], "usage": { "prompt_tokens": 5, "completion_tokens": 3 } });
    let events = [
        delta(json!({ "role": "assistant", "content": "" }), Value::Null),
        delta(json!({ "content": "say \"usage\" and \"finish_reason\":\"x\"" }), Value::Null),
        delta(json!({ "content": " more" }), Value::Null),
        delta(json!({}), json!("length")),
        usage.clone(),
    ];
    let text = chat_stream(&events);
    let bare = "{\"model\":\"summarization\",\"stream\":true}";
    let (upstream, result, meter) = ask("openai", Reply::sse(text.clone()).bytewise(), Api::ChatCompletions, bare).await;
    let (said, done) = drain(result.unwrap()).await;
    assert_eq!(said, text.replace(&format!("data: {usage}\n\n"), ""));
    let done = done.unwrap();
    assert_eq!(
        (done.usage.input_tokens, done.usage.output_tokens, done.usage.estimated),
        (5, 3, false)
    );
    assert_eq!(
        (done.finish, done.last.as_ref()),
        (Some(Finish::Length), b"data: [DONE]\n\n".as_slice())
    );
    assert_eq!(meter.read().usage, Some(done.usage));
    let sent = "{\"stream_options\":{\"include_usage\":true},\"model\":\"test-model\",\"stream\":true}";
    assert_eq!(upstream.only().raw, sent);

    let asked = "{\"model\":\"test-model\",\"stream\":true,\"stream_options\":{\"include_usage\":true}}";
    let (upstream, result, _) = ask("openai", Reply::sse(text.clone()), Api::ChatCompletions, asked).await;
    assert_eq!(drain(result.unwrap()).await.0, text);
    assert_eq!(upstream.only().raw, asked);
    let refused = "{\"model\":\"test-model\",\"stream\":true,\"stream_options\":{\"x\":1,\"include_usage\":false}}";
    let (upstream, result, _) = ask("openai", Reply::sse(text), Api::ChatCompletions, refused).await;
    assert!(!drain(result.unwrap()).await.0.contains("prompt_tokens"));
    assert_eq!(upstream.only().raw, refused.replace("false", "true"));
}

#[tokio::test]
async fn anthropic_streams_and_responses_pass_with_their_usage() {
    let text = include_str!("../../testdata/anthropic-tools.sse");
    let body = "{\"model\":\"summarization\",\"max_tokens\":5,\"stream\":true}";
    let (upstream, result, _) = ask("anthropic", Reply::sse(text), Api::Messages, body).await;
    let (said, done) = drain(result.unwrap()).await;
    assert_eq!(said, text);
    let done = done.unwrap();
    assert!(
        done.usage.input_tokens > 0 && !done.usage.estimated && done.finish == Some(Finish::ToolCalls),
        "{done:?}"
    );
    let seen = upstream.only();
    assert_eq!(
        (seen.path.as_str(), &seen.headers["x-api-key"]),
        ("/v1/messages", &CANARY.parse().unwrap())
    );

    let usage = json!({ "input_tokens": 7, "output_tokens": 2, "output_tokens_details": { "reasoning_tokens": 1 } });
    let response = json!({ "id": "r", "status": "completed", "model": "served-1", "output": [], "usage": usage });
    let events = [
        json!({ "type": "response.created", "response": { "model": "served-1" } }),
        json!({ "type": "response.output_text.delta", "delta": "hi" }),
        json!({ "type": "response.completed", "response": response }),
    ];
    let text: String = events
        .iter()
        .map(|event| format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap()))
        .collect();
    let body = "{\"model\":\"summarization\",\"stream\":true,\"input\":\"x\"}";
    let (upstream, result, _) = ask("openai", Reply::sse(text.clone()), Api::Responses, body).await;
    let (said, done) = drain(result.unwrap()).await;
    assert_eq!((said, upstream.only().path.as_str()), (text, "/responses"));
    assert_eq!(done.unwrap().usage.reasoning_tokens, 1);
}

#[tokio::test]
async fn what_fails_before_an_answer_begins_is_a_failure_and_after_it_the_last_item() {
    let begun = delta(json!({ "content": "hi" }), Value::Null);
    let role = delta(json!({ "role": "assistant" }), Value::Null);
    let error = json!({ "error": { "message": "overloaded", "type": "server_error" } });
    let body = "{\"model\":\"summarization\",\"stream\":true}";
    let line = |event: &Value| format!("data: {event}\n\n");
    for (text, code) in [
        (line(&error), Code::ModelUnavailable),
        (line(&role) + &line(&error), Code::ModelUnavailable),
        (line(&role), Code::ModelUnavailable),
        (String::new(), Code::ModelUnavailable),
        ("data: {nonsense\n\n".to_owned(), Code::ModelBadAnswer),
        ("data: \u{fffd}".to_owned(), Code::ModelBadAnswer),
    ] {
        let (_upstream, result, _) = ask("openai", Reply::sse(text.clone()), Api::ChatCompletions, body).await;
        assert_eq!(result.err().map(|fault| fault.code), Some(code), "{text}");
    }
    for (text, code) in [
        (line(&begun) + &line(&error), Code::ModelUnavailable),
        (line(&begun), Code::ModelBadAnswer),
        (line(&begun) + "data: nonsense\n\n", Code::ModelBadAnswer),
    ] {
        let (_upstream, result, meter) = ask("openai", Reply::sse(text.clone()), Api::ChatCompletions, body).await;
        let (said, ended) = drain(result.unwrap()).await;
        assert_eq!((said, ended.map_err(|fault| fault.code)), (line(&begun), Err(code)));
        assert!(
            meter.read().usage.is_some_and(|usage| usage.estimated),
            "what was said is on the meter"
        );
    }
    let (_upstream, result, _) = ask("openai", Reply::sse(line(&begun)).then_break(), Api::ChatCompletions, body).await;
    assert_eq!(
        drain(result.unwrap()).await.1.map_err(|fault| fault.code),
        Err(Code::ModelBadAnswer)
    );
}

#[tokio::test]
async fn answers_that_are_none_are_refused() {
    let body = "{\"model\":\"summarization\"}";
    let json = |text: &str| Reply::new(200, text.to_owned()).header("content-type", "application/json");
    for reply in [
        Reply::new(200, "<html>").header("content-type", "text/html"),
        json(""),
        json("{\"choices\":["),
        json("{}"),
        json("[]"),
        json(CHAT).header("content-encoding", "gzip"),
        Reply::new(302, "").header("location", "http://169.254.169.254/"),
    ] {
        let (upstream, result, _) = ask("openai", reply.clone(), Api::ChatCompletions, body).await;
        assert_eq!(result.err().map(|fault| fault.code), Some(Code::ModelBadAnswer), "{reply:?}");
        assert_eq!(upstream.seen().len(), 1);
    }
    let stream = "{\"model\":\"summarization\",\"stream\":true}";
    let (_upstream, result, _) = ask("openai", json(CHAT), Api::ChatCompletions, stream).await;
    assert_eq!(result.err().map(|fault| fault.code), Some(Code::ModelBadAnswer));
}

#[tokio::test]
async fn a_refused_request_keeps_the_words_of_its_provider() {
    let error =
        json!({ "error": { "message": "no such tool", "type": "invalid_request_error", "param": "tools[0]", "code": "bad" } });
    let body = "{\"model\":\"summarization\"}";
    let (_upstream, result, _) = ask("openai", Reply::json(400, &error), Api::ChatCompletions, body).await;
    let fault = result.err().unwrap();
    assert_eq!(fault.code, Code::ModelInvalidRequest);
    let details = json!({ "upstream_status": 400, "type": "invalid_request_error", "code": "bad", "param": "tools[0]" });
    assert_eq!(fault.details.as_deref(), Some(&details));
    assert!(fault.message.contains("no such tool"));
}

#[tokio::test]
async fn dropping_a_stream_hangs_up_and_leaves_what_was_used_on_the_meter() {
    let begun = chat_stream(&[delta(json!({ "content": "12345678" }), Value::Null)]).replace("data: [DONE]\n\n", "");
    let body = "{\"model\":\"summarization\",\"stream\":true}";
    let (upstream, result, meter) = ask("openai", Reply::sse(begun).then_hang(), Api::ChatCompletions, body).await;
    let WireBody::Stream(mut stream) = result.unwrap().body else {
        panic!("no stream");
    };
    assert!(matches!(stream.next().await, Some(Ok(WirePiece::Bytes(_)))));
    drop(stream);
    upstream.hung_up().await;
    let used = meter.read().usage.unwrap();
    assert!(
        used.estimated && used.output_tokens >= 2 && used.cost_nanousd > Some(0),
        "{used:?}"
    );
}

#[tokio::test]
async fn an_openai_client_is_served_by_anthropic_and_back() {
    let body = json!({
        "model": "summarization", "messages": [{ "role": "system", "content": "s" }, { "role": "user", "content": "q" }],
        "tools": [{ "type": "function", "function": { "name": "f", "parameters": { "type": "object" } } }],
    });
    let text = include_str!("../../testdata/anthropic-tools.sse");
    let mut streamed = body.clone();
    streamed["stream"] = json!(true);
    let (upstream, result, _) = ask("anthropic", Reply::sse(text), Api::ChatCompletions, &streamed.to_string()).await;
    let (said, done) = drain(result.unwrap()).await;
    assert!(
        said.contains("\"tool_calls\":[{\"index\":0,") && said.ends_with("data: [DONE]\n\n"),
        "{said}"
    );
    assert_eq!(done.unwrap().finish, Some(Finish::ToolCalls));
    assert_eq!(upstream.only().body["system"], "s");

    let body = json!({
        "model": "summarization", "max_tokens": 9, "system": "s", "stream": true,
        "messages": [{ "role": "user", "content": [{ "type": "text", "text": "q" }] }],
    });
    let text = include_str!("../../testdata/openai-tools.sse");
    let (upstream, result, _) = ask("openai", Reply::sse(text), Api::Messages, &body.to_string()).await;
    let (said, _) = drain(result.unwrap()).await;
    assert!(
        said.starts_with("event: message_start\n") && said.contains("\"type\":\"tool_use\""),
        "{said}"
    );
    assert!(said.contains("\"stop_reason\":\"tool_use\"") && said.trim_end().ends_with("{\"type\":\"message_stop\"}"));
    assert_eq!(
        upstream.only().body["messages"][0],
        json!({ "role": "system", "content": "s" })
    );

    let text = include_str!("../../testdata/ollama-text.ndjson");
    let body = json!({ "model": "summarization", "input": "q", "stream": true });
    let (_upstream, result, _) = ask("ollama", Reply::lines(text), Api::Responses, &body.to_string()).await;
    let (said, _) = drain(result.unwrap()).await;
    assert!(
        said.contains("event: response.output_text.delta") && said.contains("event: response.completed"),
        "{said}"
    );
}

#[tokio::test]
async fn embeddings_are_made_by_ollama_in_openais_words() {
    let reply = json!({ "model": "m", "embeddings": [[1.0, -2.5], [0.0, 3.0]], "prompt_eval_count": 4 });
    let body = "{\"model\":\"summarization\",\"input\":[\"a\",\"b\"],\"encoding_format\":\"base64\"}";
    let (_upstream, result, _) = ask("ollama", Reply::json(200, &reply), Api::Embeddings, body).await;
    let (bytes, done) = whole(result.unwrap());
    let answer: Value = serde_json::from_slice(&bytes).unwrap();
    assert_eq!(answer["data"][0]["embedding"], "AACAPwAAIMA=");
    assert_eq!(
        (answer["usage"]["prompt_tokens"].as_u64(), done.usage.input_tokens),
        (Some(4), 4)
    );
    let body = "{\"model\":\"summarization\",\"input\":[1,2]}";
    let (_upstream, result, _) = ask("ollama", Reply::json(200, &reply), Api::Embeddings, body).await;
    assert_eq!(result.err().map(|fault| fault.code), Some(Code::ModelUntranslatable));
}

#[tokio::test]
async fn tokens_are_counted_by_anthropic_and_estimated_elsewhere() {
    let body = "{\"model\":\"summarization\",\"messages\":[{\"role\":\"user\",\"content\":\"12345678\"}]}";
    let (upstream, result, _) = ask(
        "anthropic",
        Reply::json(200, &json!({ "input_tokens": 11 })),
        Api::CountTokens,
        body,
    )
    .await;
    assert_eq!(whole(result.unwrap()).0, "{\"input_tokens\":11}");
    assert_eq!(upstream.only().path, "/v1/messages/count_tokens");
    let (upstream, result, _) = ask("openai", Reply::silent(), Api::CountTokens, body).await;
    let answer: Value = serde_json::from_slice(&whole(result.unwrap()).0).unwrap();
    assert_eq!(answer, json!({ "input_tokens": 2, "claw_estimated": true }));
    assert!(upstream.seen().is_empty());
}

#[tokio::test]
async fn the_offline_provider_answers_at_every_door() {
    let models = ProviderModels::new(
        &crate::ModelsFile::from_yaml("models: {a: {provider: offline, use_for: [summarization]}}").unwrap(),
        &|_| None,
    )
    .unwrap();
    let messages = json!([{ "role": "user", "content": "- one\n- two" }]);
    for (api, body) in [
        (Api::ChatCompletions, json!({ "model": "x", "messages": messages })),
        (Api::Messages, json!({ "model": "x", "max_tokens": 99, "messages": messages })),
        (Api::Responses, json!({ "model": "x", "input": "- one\n- two" })),
        (Api::Embeddings, json!({ "model": "x", "input": "a" })),
    ] {
        let answer = forward(&models, api, &body.to_string(), &Arc::default()).await.unwrap();
        assert!(answer.route.offline);
        assert!(whole(answer).0.len() > 20);
        if api != Api::Embeddings {
            let mut body = body;
            body["stream"] = json!(true);
            let answer = forward(&models, api, &body.to_string(), &Arc::default()).await.unwrap();
            assert!(drain(answer).await.1.is_ok());
        }
    }
}

#[tokio::test]
async fn what_a_provider_says_before_it_says_anything_does_not_count_as_its_answer() {
    let start = json!({ "type": "message_start", "message": { "id": "m", "model": "served-1", "role": "assistant", "content": [],
        "usage": { "input_tokens": 7, "output_tokens": 1 } } });
    let words = "twelve words ".repeat(40);
    let delta = json!({ "type": "content_block_delta", "index": 0, "delta": { "type": "text_delta", "text": words } });
    let begun = format!("event: message_start\ndata: {start}\n\nevent: content_block_delta\ndata: {delta}\n\n");
    let body = "{\"model\":\"summarization\",\"max_tokens\":999,\"stream\":true}";
    let (upstream, result, meter) = ask("anthropic", Reply::sse(begun).then_hang(), Api::Messages, body).await;
    let WireBody::Stream(mut stream) = result.unwrap().body else {
        panic!("no stream");
    };
    let mut heard = 0;
    while heard < words.len() {
        let Some(Ok(WirePiece::Bytes(bytes))) = stream.next().await else {
            panic!("it ended after {heard} bytes");
        };
        heard += bytes.len();
    }
    drop(stream);
    upstream.hung_up().await;
    let used = meter.read().usage.unwrap();
    assert!(
        used.estimated && used.input_tokens == 7 && used.output_tokens >= 100,
        "{used:?}"
    );
}

#[tokio::test]
async fn an_answer_that_does_not_begin_is_not_kept_without_end() {
    let endless = ": wait\n\n".repeat(300_000);
    let body = "{\"model\":\"summarization\",\"stream\":true}";
    let (_, result, _) = ask("openai", Reply::sse(endless).then_hang(), Api::ChatCompletions, body).await;
    let fault = result.err().unwrap();
    assert_eq!(fault.code, Code::ModelBadAnswer, "{fault}");
}

#[tokio::test]
async fn what_is_to_go_on_after_the_call_is_refused() {
    let body = "{\"model\":\"summarization\",\"input\":\"hi\",\"background\":true}";
    let (upstream, result, _) = ask("openai", Reply::silent(), Api::Responses, body).await;
    let fault = result.err().unwrap();
    assert_eq!(fault.code, Code::ModelInvalidRequest);
    assert_eq!(fault.details.unwrap()["param"], "background");
    assert!(upstream.seen().is_empty());
}
