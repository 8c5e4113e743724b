#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may stop at the first surprise"
)]

use claw_core::errors::Code;
use claw_core::model::{Completion, Finish, Message, ModelEvent, Part, Role, ToolCall, ToolChoice, Usage};
use serde_json::json;

use super::*;

fn refused(api: Api, body: Value) -> (Code, String) {
    let fault = request(api, &body).unwrap_err();
    let param = fault
        .details
        .as_deref()
        .and_then(|details| details["param"].as_str())
        .unwrap_or("-")
        .to_owned();
    (fault.code, param)
}

fn conversation() -> Vec<Message> {
    let call = |id: &str, name: &str| {
        Part::ToolCall(ToolCall {
            id: id.into(),
            name: name.into(),
            arguments: "{\"a\":1}".into(),
        })
    };
    let result = |id: &str| Part::ToolResult {
        id: id.into(),
        content: "done".into(),
        is_error: false,
    };
    vec![
        Message::text(Role::System, "be brief"),
        Message {
            role: Role::User,
            parts: vec![
                Part::Text { text: "look".into() },
                Part::Blob {
                    mime: "image/png".into(),
                    data: "aGk=".into(),
                },
                Part::Link {
                    url: "https://example.com/a.png".into(),
                },
            ],
        },
        Message {
            role: Role::Assistant,
            parts: vec![Part::Text { text: "calling".into() }, call("c1", "f"), call("c2", "g")],
        },
        Message {
            role: Role::Tool,
            parts: vec![result("c1")],
        },
        Message {
            role: Role::Tool,
            parts: vec![result("c2")],
        },
    ]
}

#[test]
fn a_conversation_reads_alike_in_every_dialect() {
    let image = "data:image/png;base64,aGk=";
    let function = json!({ "name": "f", "description": "d", "parameters": { "type": "object" }, "strict": true });
    let chat = json!({
        "model": "m", "max_completion_tokens": 9, "temperature": 0.5, "stop": "END", "tool_choice": "required",
        "tools": [{ "type": "function", "function": function }],
        "messages": [
            { "role": "developer", "content": "be brief" },
            { "role": "user", "content": [
                { "type": "text", "text": "look" },
                { "type": "image_url", "image_url": { "url": image, "detail": "auto" } },
                { "type": "image_url", "image_url": { "url": "https://example.com/a.png" } },
            ] },
            { "role": "assistant", "content": "calling", "tool_calls": [
                { "id": "c1", "type": "function", "function": { "name": "f", "arguments": "{\"a\":1}" } },
                { "id": "c2", "type": "function", "function": { "name": "g", "arguments": "{\"a\":1}" } },
            ] },
            { "role": "tool", "tool_call_id": "c1", "content": "done" },
            { "role": "tool", "tool_call_id": "c2", "content": [{ "type": "text", "text": "done" }] },
        ],
    });
    let responses = json!({
        "model": "m", "max_output_tokens": 9, "temperature": 0.5, "tool_choice": "required", "instructions": "be brief",
        "tools": [{ "type": "function", "name": "f", "description": "d", "parameters": { "type": "object" } }],
        "input": [
            { "role": "user", "content": [
                { "type": "input_text", "text": "look" },
                { "type": "input_image", "image_url": image },
                { "type": "input_image", "image_url": "https://example.com/a.png" },
            ] },
            { "type": "message", "role": "assistant", "id": "x", "content": [{ "type": "output_text", "text": "calling", "annotations": [] }] },
            { "type": "function_call", "call_id": "c1", "name": "f", "arguments": "{\"a\":1}" },
            { "type": "function_call", "call_id": "c2", "name": "g", "arguments": "{\"a\":1}" },
            { "type": "function_call_output", "call_id": "c1", "output": "done" },
            { "type": "function_call_output", "call_id": "c2", "output": "done" },
        ],
    });
    let messages = json!({
        "model": "m", "max_tokens": 9, "temperature": 0.5, "stop_sequences": ["END"], "tool_choice": { "type": "any" },
        "tools": [{ "name": "f", "description": "d", "input_schema": { "type": "object" } }],
        "system": [{ "type": "text", "text": "be brief", "cache_control": { "type": "ephemeral" } }],
        "messages": [
            { "role": "user", "content": [
                { "type": "text", "text": "look" },
                { "type": "image", "source": { "type": "base64", "media_type": "image/png", "data": "aGk=" } },
                { "type": "image", "source": { "type": "url", "url": "https://example.com/a.png" } },
            ] },
            { "role": "assistant", "content": [
                { "type": "text", "text": "calling" },
                { "type": "tool_use", "id": "c1", "name": "f", "input": { "a": 1 } },
                { "type": "tool_use", "id": "c2", "name": "g", "input": { "a": 1 } },
            ] },
            { "role": "user", "content": [
                { "type": "tool_result", "tool_use_id": "c1", "content": "done" },
                { "type": "tool_result", "tool_use_id": "c2", "content": [{ "type": "text", "text": "done" }] },
            ] },
        ],
    });
    for (api, body) in [
        (Api::ChatCompletions, chat),
        (Api::Responses, responses),
        (Api::Messages, messages),
    ] {
        let read = request(api, &body).unwrap();
        let (mut expected, found) = (conversation(), read.messages);
        if api == Api::Messages {
            // Anthropic's results are the user's, and one turn.
            let results: Vec<Part> = expected.drain(3..).flat_map(|message| message.parts).collect();
            expected.push(Message {
                role: Role::User,
                parts: results,
            });
        }
        assert_eq!(found.len(), expected.len(), "{api:?}");
        assert_eq!(found, expected, "{api:?}");
        assert_eq!(
            (read.max_tokens, read.temperature, read.tool_choice),
            (Some(9), Some(0.5), Some(ToolChoice::Required))
        );
        assert_eq!((read.tools.len(), read.tools[0].name.as_str()), (1, "f"));
    }
}

#[test]
fn what_has_no_counterpart_is_named() {
    let user = json!([{ "role": "user", "content": "x" }]);
    let check = |api: Api, key: &str, value: Value, param: &str| {
        let mut body = match api {
            Api::Responses => json!({ "model": "m", "input": "x" }),
            _ => json!({ "model": "m", "messages": user }),
        };
        body[key] = value;
        assert_eq!(
            refused(api, body.clone()),
            (Code::ModelUntranslatable, param.to_owned()),
            "{body}"
        );
    };
    let chat = Api::ChatCompletions;
    check(chat, "n", json!(2), "n");
    check(chat, "logprobs", json!(true), "logprobs");
    check(chat, "logit_bias", json!({ "1": 2 }), "logit_bias");
    check(chat, "seed", json!(1), "seed");
    check(chat, "store", json!(true), "store");
    check(chat, "modalities", json!(["audio"]), "modalities");
    check(chat, "presence_penalty", json!(0.5), "presence_penalty");
    check(chat, "service_tier", json!("flex"), "service_tier");
    check(chat, "made_up", json!(1), "made_up");
    check(chat, "tools", json!([{ "type": "custom", "custom": {} }]), "tools[0].type");
    check(
        chat,
        "messages",
        json!([{ "role": "user", "content": [{ "type": "input_audio" }] }]),
        "messages[0].content[0].type",
    );
    check(
        chat,
        "messages",
        json!([{ "role": "user", "name": "ann", "content": "x" }]),
        "messages[0].name",
    );
    check(Api::Responses, "previous_response_id", json!("r"), "previous_response_id");
    check(Api::Responses, "tools", json!([{ "type": "web_search" }]), "tools[0].type");
    check(Api::Responses, "background", json!(true), "background");
    check(Api::Responses, "reasoning", json!({ "summary": "auto" }), "reasoning.summary");
    check(
        Api::Messages,
        "thinking",
        json!({ "type": "enabled", "budget_tokens": 1024 }),
        "thinking",
    );
    check(Api::Messages, "top_k", json!(3), "top_k");
    check(Api::Messages, "container", json!("c"), "container");
    check(
        Api::Messages,
        "tools",
        json!([{ "type": "web_search_20250305", "name": "web_search" }]),
        "tools[0].type",
    );
    let block = json!([{ "role": "assistant", "content": [{ "type": "thinking", "thinking": "t", "signature": "s" }] }]);
    check(Api::Messages, "messages", block, "messages[0].content[0].type");
}

#[test]
fn what_says_nothing_is_understood() {
    let body = json!({
        "model": "m", "messages": [{ "role": "user", "content": "x" }], "n": 1, "logprobs": false, "store": false, "metadata": {},
        "presence_penalty": 0, "frequency_penalty": 0.0, "service_tier": "auto", "seed": null, "stream": true,
        "stream_options": { "include_usage": true }, "logit_bias": null, "prompt_cache_key": "k",
    });
    assert!(request(Api::ChatCompletions, &body).is_ok());
}

#[test]
fn malformed_and_hostile_bodies_are_named_and_never_panic() {
    for (body, param) in [
        (json!([]), ""),
        (json!({}), "messages"),
        (json!({ "messages": {} }), "messages"),
        (json!({ "messages": [3] }), "messages[0]"),
        (json!({ "messages": [{}] }), "messages[0].role"),
        (
            json!({ "messages": [{ "role": "user", "content": 3 }] }),
            "messages[0].content",
        ),
        (
            json!({ "messages": [{ "role": "user", "content": "x" }], "max_tokens": -1 }),
            "max_tokens",
        ),
        (
            json!({ "messages": [{ "role": "user", "content": "x" }], "temperature": "hot" }),
            "temperature",
        ),
    ] {
        assert_eq!(
            refused(Api::ChatCompletions, body.clone()),
            (Code::InvalidInput, param.to_owned()),
            "{body}"
        );
    }
    let mut deep = json!("x");
    for _ in 0..100 {
        deep = json!([{ "type": "text", "text": deep }]);
    }
    for api in [Api::ChatCompletions, Api::Responses, Api::Messages] {
        for value in [
            json!(null),
            json!(1),
            json!("x"),
            json!([[]]),
            json!({ "a": [] }),
            deep.clone(),
        ] {
            for key in [
                "messages",
                "input",
                "tools",
                "tool_choice",
                "system",
                "response_format",
                "text",
                "metadata",
                "stop",
            ] {
                let mut body = json!({ "model": "m", "messages": [{ "role": "user", "content": "x" }] });
                body[key] = value.clone();
                let _ = request(api, &body);
            }
        }
    }
    let long = "k".repeat(100_000);
    let fault = request(
        Api::ChatCompletions,
        &json!({ "messages": [{ "role": "user", "content": "x" }], long: 1 }),
    )
    .unwrap_err();
    assert!(fault.message.len() < 300);
}

fn completion(parts: Vec<Part>, finish: Finish) -> Completion {
    Completion {
        message: Message {
            role: Role::Assistant,
            parts,
        },
        finish,
        usage: Usage {
            input_tokens: 10,
            output_tokens: 4,
            cached_tokens: 6,
            reasoning_tokens: 1,
            ..Usage::default()
        },
        model: "served-1".into(),
        provider: "p".into(),
        offline: false,
        attempts: 1,
    }
}

fn writer(api: Api) -> Writer {
    Writer::new(
        api,
        Asked {
            id: "1".into(),
            model: "m".into(),
            created: 7,
            input_tokens: 3,
            include_usage: true,
        },
    )
}

fn said() -> Completion {
    let call = |id: &str| {
        Part::ToolCall(ToolCall {
            id: id.into(),
            name: "f".into(),
            arguments: "{\"a\":1}".into(),
        })
    };
    completion(
        vec![Part::Text { text: "hi".into() }, call("c1"), call("c2")],
        Finish::ToolCalls,
    )
}

#[test]
fn a_whole_answer_is_written_as_each_sdk_reads_it() {
    let whole = |api: Api| serde_json::from_slice::<Value>(&writer(api).whole(&said())).unwrap();
    let chat = whole(Api::ChatCompletions);
    assert_eq!(chat["choices"][0]["finish_reason"], "tool_calls");
    assert_eq!(chat["choices"][0]["message"]["tool_calls"][1]["id"], "c2");
    assert_eq!(
        (
            &chat["usage"]["prompt_tokens"],
            &chat["usage"]["prompt_tokens_details"]["cached_tokens"]
        ),
        (&json!(10), &json!(6))
    );
    let messages = whole(Api::Messages);
    assert_eq!(
        (&messages["stop_reason"], &messages["content"][2]["input"]),
        (&json!("tool_use"), &json!({ "a": 1 }))
    );
    assert_eq!(
        (
            &messages["usage"]["input_tokens"],
            &messages["usage"]["cache_read_input_tokens"]
        ),
        (&json!(4), &json!(6))
    );
    let responses = whole(Api::Responses);
    assert_eq!(
        (&responses["status"], &responses["output"][1]["call_id"]),
        (&json!("completed"), &json!("c1"))
    );
    let cut = completion(vec![Part::Text { text: "h".into() }], Finish::Length);
    let cut = |api: Api| serde_json::from_slice::<Value>(&writer(api).whole(&cut)).unwrap();
    assert_eq!(cut(Api::Messages)["stop_reason"], "max_tokens");
    assert_eq!(cut(Api::Responses)["incomplete_details"]["reason"], "max_output_tokens");
}

#[test]
fn a_stream_has_the_events_of_each_sdk_in_their_order() {
    let stream = |api: Api| {
        let (done, mut writer) = (said(), writer(api));
        let mut all = Vec::new();
        for part in done.message.parts.clone() {
            let event = match part {
                Part::Text { text } => ModelEvent::TextDelta(text),
                Part::ToolCall(call) => ModelEvent::ToolCall(call),
                _ => continue,
            };
            all.extend_from_slice(&writer.piece(&event));
        }
        all.extend_from_slice(&writer.end(&done));
        String::from_utf8(all).unwrap()
    };
    let data = |text: &str| -> Vec<Value> {
        let lines = text.lines().filter_map(|line| line.strip_prefix("data: "));
        lines.filter_map(|line| serde_json::from_str(line).ok()).collect()
    };
    let chat = stream(Api::ChatCompletions);
    assert!(chat.ends_with("data: [DONE]\n\n"));
    let chunks = data(&chat);
    let indexes: Vec<_> = chunks
        .iter()
        .filter_map(|chunk| chunk.pointer("/choices/0/delta/tool_calls/0/index")?.as_u64())
        .collect();
    assert_eq!(indexes, [0, 0, 1, 1]);
    assert_eq!(chunks.last().unwrap()["usage"]["total_tokens"], 14);
    let kinds = |text: &str| -> Vec<String> {
        data(text)
            .iter()
            .map(|event| event["type"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(
        kinds(&stream(Api::Messages)),
        [
            "message_start",
            "content_block_start",
            "content_block_delta",
            "content_block_stop",
            "content_block_start",
            "content_block_delta",
            "content_block_stop",
            "content_block_start",
            "content_block_delta",
            "content_block_stop",
            "message_delta",
            "message_stop",
        ]
    );
    let responses = stream(Api::Responses);
    let numbers: Vec<u64> = data(&responses)
        .iter()
        .map(|event| event["sequence_number"].as_u64().unwrap())
        .collect();
    assert_eq!(numbers, (0..numbers.len() as u64).collect::<Vec<_>>());
    let kinds = kinds(&responses);
    assert_eq!(
        (kinds[0].as_str(), kinds.last().unwrap().as_str()),
        ("response.created", "response.completed")
    );
    assert_eq!(
        kinds
            .iter()
            .filter(|kind| *kind == "response.function_call_arguments.done")
            .count(),
        2
    );
    assert_eq!(
        data(&responses).last().unwrap()["response"]["output"]
            .as_array()
            .map(Vec::len),
        Some(3)
    );
}
