//! The words of this crate as they stand in a cassette, and back.

use serde_json::{Map, Value, json};

use super::base64;
use crate::error::Error;
use crate::model::{Completion, Finish, Message, Options, Part, Role, ToolCall, Usage};
use crate::nodes::Payload;

/// A request, with what is absent or empty left out.
pub(super) fn request(messages: &[Message], options: &Options) -> Value {
    let mut request = Map::new();
    request.insert("messages".to_owned(), messages.iter().map(message_out).collect());
    if let Some(tokens) = options.max_tokens {
        request.insert("max_tokens".to_owned(), json!(tokens));
    }
    if let Some(temperature) = options.temperature {
        request.insert("temperature".to_owned(), json!(temperature));
    }
    if !options.stop.is_empty() {
        request.insert("stop".to_owned(), json!(options.stop));
    }
    if let Some(schema) = &options.response_schema {
        request.insert("response_schema".to_owned(), schema.clone());
    }
    if !options.tools.is_empty() {
        let tools = options.tools.iter();
        let tools = tools.map(|tool| json!({"name": tool.name, "description": tool.description, "schema": tool.schema}));
        request.insert("tools".to_owned(), tools.collect());
    }
    if !options.extra.is_empty() {
        request.insert("extra".to_owned(), Value::Object(options.extra.iter().cloned().collect()));
    }
    Value::Object(request)
}

/// Whether two bodies are the same, numbers compared as 32-bit floats where one is a
/// fraction: that is how wide a temperature is.
pub(super) fn same(held: &Value, asked: &Value) -> bool {
    match (held, asked) {
        (Value::Number(held), Value::Number(asked)) if held.is_f64() || asked.is_f64() => {
            held.as_f64().map(|value| value as f32) == asked.as_f64().map(|value| value as f32)
        }
        (Value::Array(held), Value::Array(asked)) => {
            held.len() == asked.len() && held.iter().zip(asked).all(|(held, asked)| same(held, asked))
        }
        (Value::Object(held), Value::Object(asked)) => {
            held.len() == asked.len()
                && held
                    .iter()
                    .all(|(key, value)| asked.get(key).is_some_and(|other| same(value, other)))
        }
        _ => held == asked,
    }
}

fn message_out(message: &Message) -> Value {
    let role = match message.role {
        Role::System => "system",
        Role::User => "user",
        Role::Assistant => "assistant",
        Role::Tool => "tool",
    };
    let parts = message.parts.iter().map(|part| match part {
        Part::Text(text) => json!({"type": "text", "text": text}),
        Part::Blob { mime, data } => json!({"type": "blob", "mime": mime, "data": base64::encode(data)}),
        Part::ToolCall(call) => {
            json!({"type": "tool_call", "id": call.id, "name": call.name, "arguments": call.arguments_json})
        }
        Part::ToolResult { id, content, is_error } => {
            json!({"type": "tool_result", "id": id, "content": content, "is_error": is_error})
        }
    });
    json!({"role": role, "parts": parts.collect::<Vec<_>>()})
}

/// The answer of a model that says `text`.
pub(super) fn answered(text: &str) -> Value {
    json!({"ok": {
        "message": {"role": "assistant", "parts": [{"type": "text", "text": text}]},
        "finish": "stop",
        "usage": {"input_tokens": 0, "output_tokens": 0, "cached_tokens": 0, "reasoning_tokens": 0, "cost_nanousd": 0, "estimated": true},
        "model": "offline",
        "provider": "offline",
        "offline": true,
        "attempts": 1
    }})
}

pub(super) fn completion(json: &Value) -> Result<Completion, Error> {
    let bad = |what: &str| Error::new("cassette", format!("a recorded completion has no {what}"));
    let text = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let parts = json
        .pointer("/message/parts")
        .and_then(Value::as_array)
        .ok_or_else(|| bad("`message.parts`"))?;
    let parts = parts.iter().map(|part| match text(part, "type").as_str() {
        "text" => Ok(Part::Text(text(part, "text"))),
        "tool_call" => Ok(Part::ToolCall(ToolCall {
            id: text(part, "id"),
            name: text(part, "name"),
            arguments_json: text(part, "arguments"),
        })),
        other => Err(bad(&format!("part of the type `{other}`"))),
    });
    let finish = match json.get("finish").and_then(Value::as_str).ok_or_else(|| bad("`finish`"))? {
        "stop" => Finish::Stop,
        "length" => Finish::Length,
        "tool_calls" => Finish::ToolCalls,
        "filtered" => Finish::Filtered,
        _ => Finish::Other,
    };
    let usage = json.get("usage").ok_or_else(|| bad("`usage`"))?;
    let count = |key: &str| usage.get(key).and_then(Value::as_u64);
    Ok(Completion {
        message: Message {
            role: Role::Assistant,
            parts: parts.collect::<Result<_, Error>>()?,
        },
        finish,
        usage: Usage {
            input_tokens: count("input_tokens").unwrap_or_default(),
            output_tokens: count("output_tokens").unwrap_or_default(),
            cached_tokens: count("cached_tokens").unwrap_or_default(),
            reasoning_tokens: count("reasoning_tokens").unwrap_or_default(),
            cost_nanousd: count("cost_nanousd"),
        },
        model: text(json, "model"),
        offline: json.get("offline").and_then(Value::as_bool).unwrap_or_default(),
        audit_id: "00000000-0000-7000-8000-000000000001".to_owned(),
    })
}

pub(super) fn payload_out(payload: &Payload) -> Value {
    match payload {
        Payload::Json(value) => json!({"json": value}),
        Payload::Text(text) => json!({"text": text}),
        Payload::Bytes { mime, data } => json!({"bytes": {"mime": mime, "data": base64::encode(data)}}),
    }
}

pub(super) fn payload_in(json: &Value) -> Result<Payload, Error> {
    if let Some(value) = json.get("json") {
        return Ok(Payload::Json(value.clone()));
    }
    if let Some(text) = json.get("text").and_then(Value::as_str) {
        return Ok(Payload::Text(text.to_owned()));
    }
    let text = |key: &str| json.pointer(key).and_then(Value::as_str);
    match (text("/bytes/mime"), text("/bytes/data").and_then(base64::decode)) {
        (Some(mime), Some(data)) => Ok(Payload::Bytes {
            mime: mime.to_owned(),
            data,
        }),
        _ => Err(Error::new(
            "cassette",
            "a recorded payload is none of `json`, `text` and `bytes`",
        )),
    }
}
