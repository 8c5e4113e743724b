//! Ollama's own API: what is asked and what is answered. Refuses a stream whose last line
//! does not say `done`.

use claw_core::errors::Fault;
use claw_core::model::{CompletionRequest, Finish, Message, Part, Role, ToolChoice};
use serde_json::{Map, Value, json};

use super::Vectors;
use super::fold::{Broken, Fold, Folding, new_call_id};
use super::openai::tools;
use super::parts::{check_messages, fraction, name_of, no_blob, no_word, object, role_name, texts};
use crate::answer::{Answer, Counts};
use crate::config::Entry;
use crate::schema::Shape;

/// Knobs that stand beside `options`; all others are options of the model.
const TOP_LEVEL: &[&str] = &["think", "keep_alive", "logprobs", "top_logprobs", "truncate", "shift"];

pub(super) fn body(entry: &Entry, request: &CompletionRequest, shape: Option<&Shape>) -> Result<Map<String, Value>, Fault> {
    check_messages(request)?;
    let mut body = Map::new();
    body.insert("model".to_owned(), json!(entry.model));
    body.insert("messages".to_owned(), Value::Array(messages(&request.messages)?));
    if !request.tools.is_empty() {
        body.insert("tools".to_owned(), tools(request));
    }
    if let Some(shape) = shape {
        body.insert("format".to_owned(), shape.sent.clone());
    }
    match &request.tool_choice {
        None | Some(ToolChoice::Auto) => {}
        Some(ToolChoice::None) => drop(body.remove("tools")),
        Some(ToolChoice::Required | ToolChoice::Named(_)) => return Err(no_word("ollama", "tool_choice")),
    }
    if request.parallel_tool_calls == Some(false) && !request.tools.is_empty() {
        return Err(no_word("ollama", "parallel_tool_calls"));
    }
    if request.json_object && shape.is_none() {
        body.insert("format".to_owned(), json!("json"));
    }
    if let Some(effort) = &request.reasoning_effort {
        body.insert("think".to_owned(), json!(effort));
    }
    let mut options = Map::new();
    if let Some(top_p) = request.top_p {
        options.insert("top_p".to_owned(), fraction("top_p", top_p)?);
    }
    if let Some(max_tokens) = request.max_tokens.or(entry.max_tokens) {
        options.insert("num_predict".to_owned(), json!(max_tokens));
    }
    if let Some(temperature) = request.temperature {
        options.insert("temperature".to_owned(), fraction("temperature", temperature)?);
    }
    if !request.stop.is_empty() {
        options.insert("stop".to_owned(), json!(request.stop));
    }
    if !options.is_empty() {
        body.insert("options".to_owned(), Value::Object(options));
    }
    Ok(body)
}

/// Puts the knobs that are options of the model under `options`, and returns the others.
pub(super) fn take_options(body: &mut Map<String, Value>, extra: &Map<String, Value>) -> Result<Map<String, Value>, Fault> {
    let mut others = Map::new();
    let mut options = Map::new();
    for (key, value) in extra {
        match value {
            Value::Object(inner) if key == "options" => options.extend(inner.clone()),
            value if TOP_LEVEL.contains(&key.as_str()) || super::OURS.contains(&key.as_str()) => {
                others.insert(key.clone(), value.clone());
            }
            value => {
                options.insert(key.clone(), value.clone());
            }
        }
    }
    if !options.is_empty() {
        let slot = body.entry("options").or_insert_with(|| Value::Object(Map::new()));
        for (key, value) in options {
            let slot = slot.as_object_mut().ok_or_else(Fault::internal)?;
            if slot.contains_key(&key) {
                return Err(super::not_free(&key));
            }
            slot.insert(key, value);
        }
    }
    Ok(others)
}

fn messages(messages: &[Message]) -> Result<Vec<Value>, Fault> {
    let mut said = Vec::with_capacity(messages.len());
    for (place, message) in messages.iter().enumerate() {
        let before = messages.get(..place).unwrap_or_default();
        for part in &message.parts {
            if let Part::ToolResult { id, content, is_error } = part {
                let content = if *is_error {
                    format!("error: {content}")
                } else {
                    content.clone()
                };
                let name = name_of(before, id);
                said.push(json!({ "role": "tool", "tool_name": name, "tool_call_id": id, "content": content }));
            }
        }
        if message.role != Role::Tool
            && let Some(spoken) = spoken(message)?
        {
            said.push(spoken);
        }
    }
    Ok(said)
}

fn spoken(message: &Message) -> Result<Option<Value>, Fault> {
    let text: String = texts(message).collect();
    let (mut images, mut calls) = (Vec::new(), Vec::new());
    for part in &message.parts {
        match part {
            Part::Blob { mime, data } if mime.starts_with("image/") => images.push(json!(data)),
            Part::Blob { mime, .. } => return Err(no_blob("ollama", mime)),
            Part::Link { .. } => return Err(no_word("ollama", "image_url.url")),
            Part::ToolCall(call) => {
                let function = json!({ "name": call.name, "arguments": object(&call.arguments)? });
                calls.push(json!({ "id": call.id, "function": function }));
            }
            Part::Text { .. } | Part::ToolResult { .. } => {}
        }
    }
    if text.is_empty() && images.is_empty() && calls.is_empty() {
        return Ok(None);
    }
    let mut said = Map::new();
    said.insert("role".to_owned(), json!(role_name(message.role)));
    said.insert("content".to_owned(), json!(text));
    for (key, list) in [("images", images), ("tool_calls", calls)] {
        if !list.is_empty() {
            said.insert(key.to_owned(), Value::Array(list));
        }
    }
    Ok(Some(Value::Object(said)))
}

/// A whole answer: one line that says `done`.
pub(super) fn answer(body: &Value) -> Result<Answer, Broken> {
    let mut folding = Folding::default();
    if body.get("message").is_none() {
        return Err(Broken::Bad("holds no message".to_owned()));
    }
    match Stream.event(body, &mut folding)? {
        true => Ok(folding.answer),
        false => Err(Broken::Bad("does not say that it is done".to_owned())),
    }
}

/// Vectors, in the order of their texts.
pub(super) fn vectors(body: &Value) -> Option<Vectors> {
    let vectors = serde_json::from_value(body.get("embeddings")?.clone()).ok()?;
    let input = body.get("prompt_eval_count").and_then(Value::as_u64);
    let counts = Counts {
        input,
        output: Some(0),
        ..Counts::default()
    };
    Some(Vectors {
        vectors,
        counts,
        model: body.get("model").and_then(Value::as_str).map(str::to_owned),
    })
}

/// A stream.
#[derive(Debug)]
pub(super) struct Stream;

impl Fold for Stream {
    fn event(&mut self, line: &Value, into: &mut Folding) -> Result<bool, Broken> {
        if line.get("error").is_some_and(|error| !error.is_null()) {
            return Err(Broken::Said(line.clone()));
        }
        let text = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
        if into.answer.model.is_none() {
            into.answer.model = text(line, "model");
        }
        let message = line.get("message").unwrap_or(&Value::Null);
        into.started |= text(message, "thinking").is_some_and(|thinking| !thinking.is_empty());
        into.text(&text(message, "content").unwrap_or_default())?;
        for call in message
            .get("tool_calls")
            .and_then(Value::as_array)
            .map(Vec::as_slice)
            .unwrap_or_default()
        {
            let function = call.get("function").unwrap_or(&Value::Null);
            let id = text(call, "id").filter(|id| !id.is_empty()).unwrap_or_else(new_call_id);
            let arguments = function.get("arguments").map(Value::to_string).unwrap_or_default();
            into.call(id, text(function, "name").unwrap_or_default(), &arguments)?;
        }
        if line.get("done").and_then(Value::as_bool) != Some(true) {
            return Ok(false);
        }
        let number = |key: &str| line.get(key).and_then(Value::as_u64);
        into.answer.counts = Counts {
            input: number("prompt_eval_count"),
            output: number("eval_count"),
            ..Counts::default()
        };
        into.answer.finish = Some(match line.get("done_reason").and_then(Value::as_str) {
            // Old versions gave no reason.
            Some("stop") | None => Finish::Stop,
            Some("length") => Finish::Length,
            Some(_) => Finish::Other,
        });
        Ok(true)
    }
}
