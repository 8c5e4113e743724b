//! Ollama's own API.

use serde_json::{Value, json};

use super::Answer;

pub(super) fn chat(body: &Value, asked: &str) -> Answer {
    let call = |city: &str| json!({ "function": { "name": "weather", "arguments": { "city": city } } });
    let (text, calls) = if body["format"].is_object() || asked.contains("json") {
        ("{\"name\":\"Ann\",\"age\":7}".to_owned(), json!([]))
    } else if asked.contains("tools") && body["tools"].is_array() {
        (String::new(), json!([call("Paris"), call("Rome")]))
    } else {
        (format!("you said: {asked}"), json!([]))
    };
    let line = |message: Value| json!({ "model": body["model"], "created_at": "2026-01-01T00:00:00Z", "message": message, "done": false });
    let reason = if asked.contains("long") { "length" } else { "stop" };
    let end = |message: Value| {
        let mut end = line(message);
        end["done"] = json!(true);
        end["done_reason"] = json!(reason);
        end["prompt_eval_count"] = json!(20);
        end["eval_count"] = json!(8);
        end
    };
    let mut message = json!({ "role": "assistant", "content": text });
    if calls.as_array().is_some_and(|calls| !calls.is_empty()) {
        message["tool_calls"] = calls;
    }
    if body["stream"] == false {
        return end(message).to_string().into();
    }
    let words = text
        .split_inclusive(' ')
        .map(|word| line(json!({ "role": "assistant", "content": word })));
    let mut lines: Vec<Value> = words.collect();
    if message["tool_calls"].is_array() {
        lines.push(line(message));
    }
    lines.push(end(json!({ "role": "assistant", "content": "" })));
    Answer::Stream {
        kind: "application/x-ndjson",
        pieces: lines.iter().map(|line| format!("{line}\n")).collect(),
    }
}

pub(super) fn embed(body: &Value) -> Answer {
    let texts = body["input"].as_array().map_or(1, Vec::len);
    let vectors: Vec<Value> = (0..texts).map(|_| json!([1.0, -0.5])).collect();
    json!({ "model": body["model"], "embeddings": vectors, "prompt_eval_count": 6 })
        .to_string()
        .into()
}
