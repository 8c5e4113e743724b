//! Anthropic's API.

use serde_json::{Value, json};

use super::Answer;

fn blocks(body: &Value, asked: &str) -> (Vec<Value>, &'static str) {
    let tools: Vec<&str> = body["tools"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|tool| tool["name"].as_str())
        .collect();
    if tools.contains(&"answer_in_json") {
        let input = json!({ "name": "Ann", "age": 7 });
        return (
            vec![json!({ "type": "tool_use", "id": "toolu_j", "name": "answer_in_json", "input": input })],
            "tool_use",
        );
    }
    if asked.contains("tools") && !tools.is_empty() {
        let call = |id: &str, city: &str| json!({ "type": "tool_use", "id": id, "name": "weather", "input": { "city": city } });
        let text = json!({ "type": "text", "text": "I look." });
        return (vec![text, call("toolu_a", "Paris"), call("toolu_b", "Rome")], "tool_use");
    }
    let stop = if asked.contains("long") { "max_tokens" } else { "end_turn" };
    (vec![json!({ "type": "text", "text": format!("you said: {asked}") })], stop)
}

pub(super) fn messages(body: &Value, asked: &str) -> Answer {
    let (blocks, stop) = blocks(body, asked);
    let usage = json!({ "input_tokens": 8, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 12, "output_tokens": 8 });
    let message = |content: Value, stop: Value| {
        json!({
            "id": "msg_up", "type": "message", "role": "assistant", "model": body["model"], "content": content, "stop_reason": stop,
            "stop_sequence": null, "usage": usage, "echo": body["odd"],
        })
    };
    if body["stream"] != true {
        return message(json!(blocks), json!(stop)).to_string().into();
    }
    let mut events = vec![json!({ "type": "message_start", "message": message(json!([]), Value::Null) })];
    for (index, block) in blocks.iter().enumerate() {
        let (open, deltas) = match block["text"].as_str() {
            Some(text) => {
                let deltas = text
                    .split_inclusive(' ')
                    .map(|word| json!({ "type": "text_delta", "text": word }));
                (json!({ "type": "text", "text": "" }), deltas.collect::<Vec<_>>())
            }
            None => {
                let mut open = block.clone();
                open["input"] = json!({});
                let input = block["input"].to_string();
                let (first, second) = input.split_at(4);
                let delta = |text: &str| json!({ "type": "input_json_delta", "partial_json": text });
                (open, vec![delta(first), delta(second)])
            }
        };
        events.push(json!({ "type": "content_block_start", "index": index, "content_block": open }));
        events.push(json!({ "type": "ping" }));
        events.extend(
            deltas
                .into_iter()
                .map(|delta| json!({ "type": "content_block_delta", "index": index, "delta": delta })),
        );
        events.push(json!({ "type": "content_block_stop", "index": index }));
    }
    let delta = json!({ "stop_reason": stop, "stop_sequence": null });
    events.push(json!({ "type": "message_delta", "delta": delta, "usage": { "output_tokens": 8 } }));
    events.push(json!({ "type": "message_stop" }));
    let pieces = events
        .iter()
        .map(|event| format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap()));
    Answer::Stream {
        kind: "text/event-stream; charset=utf-8",
        pieces: pieces.collect(),
    }
}
