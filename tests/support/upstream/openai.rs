//! OpenAI's APIs.

use serde_json::{Value, json};

use super::Answer;

const USAGE: fn() -> Value = || {
    json!({
        "prompt_tokens": 20, "completion_tokens": 8, "total_tokens": 28,
        "prompt_tokens_details": { "cached_tokens": 12, "audio_tokens": 0 },
        "completion_tokens_details": { "reasoning_tokens": 3 },
    })
};

fn calls() -> Value {
    let call = |id: &str, city: &str| json!({ "id": id, "type": "function", "function": { "name": "weather", "arguments": format!("{{\"city\":\"{city}\"}}") } });
    json!([call("call_a", "Paris"), call("call_b", "Rome")])
}

/// Text, tools or JSON, as the words ask.
fn said(body: &Value, asked: &str) -> (Value, Value, &'static str) {
    if !body["response_format"]["json_schema"].is_null() || asked.contains("json") {
        return (json!("{\"name\":\"Ann\",\"age\":7}"), Value::Null, "stop");
    }
    if asked.contains("tools") && body["tools"].is_array() {
        return (Value::Null, calls(), "tool_calls");
    }
    let finish = if asked.contains("long") { "length" } else { "stop" };
    (json!(format!("you said: {asked}")), Value::Null, finish)
}

pub(super) fn chat(body: &Value, asked: &str) -> Answer {
    let (content, tool_calls, finish) = said(body, asked);
    if body["stream"] != true {
        let mut message = json!({ "role": "assistant", "content": content, "refusal": null });
        if !tool_calls.is_null() {
            message["tool_calls"] = tool_calls;
        }
        let choice = json!({ "index": 0, "message": message, "logprobs": null, "finish_reason": finish });
        let whole = json!({
            "id": "chatcmpl-up", "object": "chat.completion", "created": 1, "model": body["model"], "choices": [choice],
            "usage": USAGE(), "echo": body["odd"],
        });
        return whole.to_string().into();
    }
    let wants_usage = body["stream_options"]["include_usage"] == true;
    let chunk = |choices: Value, usage: Value| {
        let mut chunk = json!({ "id": "chatcmpl-up", "object": "chat.completion.chunk", "created": 1, "model": body["model"], "choices": choices });
        if wants_usage {
            chunk["usage"] = usage;
        }
        format!("data: {chunk}\n\n")
    };
    let delta =
        |delta: Value, finish: Value| chunk(json!([{ "index": 0, "delta": delta, "finish_reason": finish }]), Value::Null);
    let mut pieces = vec![delta(json!({ "role": "assistant", "content": "" }), Value::Null)];
    if let Some(text) = content.as_str() {
        pieces.extend(
            text.split_inclusive(' ')
                .map(|word| delta(json!({ "content": word }), Value::Null)),
        );
    }
    for (index, call) in tool_calls.as_array().into_iter().flatten().enumerate() {
        let arguments = call["function"]["arguments"].as_str().unwrap();
        let (first, second) = arguments.split_at(4);
        let mut start = call.clone();
        start["index"] = json!(index);
        start["function"]["arguments"] = json!(first);
        pieces.push(delta(json!({ "tool_calls": [start] }), Value::Null));
        pieces.push(delta(
            json!({ "tool_calls": [{ "index": index, "function": { "arguments": second } }] }),
            Value::Null,
        ));
    }
    pieces.push(delta(json!({}), json!(finish)));
    if wants_usage {
        pieces.push(chunk(json!([]), USAGE()));
    }
    pieces.push("data: [DONE]\n\n".to_owned());
    Answer::Stream {
        kind: "text/event-stream; charset=utf-8",
        pieces,
    }
}

pub(super) fn responses(body: &Value, asked: &str) -> Answer {
    let text = format!("you said: {asked}");
    let part = json!({ "type": "output_text", "text": text, "annotations": [] });
    let item = json!({ "id": "msg_up", "type": "message", "role": "assistant", "status": "completed", "content": [part] });
    let usage = json!({
        "input_tokens": 20, "output_tokens": 8, "total_tokens": 28,
        "input_tokens_details": { "cached_tokens": 12 }, "output_tokens_details": { "reasoning_tokens": 3 },
    });
    let response = |status: &str, output: Value, usage: Value| {
        json!({
            "id": "resp_up", "object": "response", "created_at": 1, "status": status, "model": body["model"], "output": output,
            "error": null, "incomplete_details": null, "instructions": null, "metadata": {}, "parallel_tool_calls": true,
            "temperature": 1.0, "tool_choice": "auto", "tools": [], "top_p": 1.0, "usage": usage,
        })
    };
    let done = response("completed", json!([item]), usage);
    if body["stream"] != true {
        return done.to_string().into();
    }
    let begun = response("in_progress", json!([]), Value::Null);
    let mut open = item.clone();
    open["content"] = json!([]);
    let place = |mut event: Value| {
        event["output_index"] = json!(0);
        event["content_index"] = json!(0);
        event["item_id"] = json!("msg_up");
        event
    };
    let mut events = vec![
        json!({ "type": "response.created", "response": begun }),
        json!({ "type": "response.output_item.added", "output_index": 0, "item": open }),
        place(json!({ "type": "response.content_part.added", "part": { "type": "output_text", "text": "", "annotations": [] } })),
    ];
    events.extend(
        text.split_inclusive(' ')
            .map(|word| place(json!({ "type": "response.output_text.delta", "delta": word, "logprobs": [] }))),
    );
    events.push(place(
        json!({ "type": "response.output_text.done", "text": text, "logprobs": [] }),
    ));
    events.push(json!({ "type": "response.output_item.done", "output_index": 0, "item": item }));
    events.push(json!({ "type": "response.completed", "response": done }));
    let pieces = events.into_iter().enumerate().map(|(number, mut event)| {
        event["sequence_number"] = json!(number);
        format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap())
    });
    Answer::Stream {
        kind: "text/event-stream",
        pieces: pieces.collect(),
    }
}

pub(super) fn embeddings(body: &Value) -> Answer {
    use base64::Engine as _;
    let texts = body["input"].as_array().map_or(1, Vec::len);
    let vector = [1.0_f32, -0.5];
    let bytes: Vec<u8> = vector.iter().flat_map(|number| number.to_le_bytes()).collect();
    let shown = if body["encoding_format"] == "base64" {
        json!(base64::engine::general_purpose::STANDARD.encode(bytes))
    } else {
        json!(vector)
    };
    let data: Vec<Value> = (0..texts)
        .map(|index| json!({ "object": "embedding", "index": index, "embedding": shown }))
        .collect();
    json!({ "object": "list", "data": data, "model": body["model"], "usage": { "prompt_tokens": 6, "total_tokens": 6 } })
        .to_string()
        .into()
}
