//! Google's Generative Language API: what is asked. Refuses instructions in mid-conversation,
//! which it has no place for, and links, which it does not fetch.

mod answer;

use claw_core::errors::Fault;
use claw_core::model::{CompletionRequest, Message, Part, Role, ToolChoice};
use serde_json::{Map, Value, json};

use super::invalid;
use super::parts::{check_messages, fraction, name_of, no_blob, no_word, object, texts};
use crate::config::Entry;
use crate::schema::Shape;

pub(super) use answer::{Stream, answer, vectors};

/// Models of the third generation refuse a call of an earlier turn that does not carry the
/// signature of the thought behind it. Callers' dialects have no place for one; this is the
/// documented word for a call that was not made by the model itself
/// (<https://ai.google.dev/gemini-api/docs/thought-signatures>).
const NO_SIGNATURE: &str = "skip_thought_signature_validator";

/// Knobs that stand beside `generationConfig`; all others are in it.
const TOP_LEVEL: &[&str] = &["safetySettings", "cachedContent", "labels"];

/// Knobs as other dialects call them.
const OTHER_NAMES: &[(&str, &str)] = &[
    ("top_k", "topK"),
    ("top_p", "topP"),
    ("presence_penalty", "presencePenalty"),
    ("frequency_penalty", "frequencyPenalty"),
];

/// The path of a call of this model, which may be a tuned one: `tunedModels/…`.
pub(super) fn path(entry: &Entry, what: &str) -> String {
    format!("v1beta/{}:{what}", resource(entry))
}

fn resource(entry: &Entry) -> String {
    if entry.model.contains('/') {
        entry.model.clone()
    } else {
        format!("models/{}", entry.model)
    }
}

pub(super) fn body(entry: &Entry, request: &CompletionRequest, shape: Option<&Shape>) -> Result<Map<String, Value>, Fault> {
    check_messages(request)?;
    let (system, contents) = contents(entry, &request.messages)?;
    let mut body = Map::new();
    if !system.is_empty() {
        body.insert("systemInstruction".to_owned(), json!({ "parts": [{ "text": system }] }));
    }
    body.insert("contents".to_owned(), Value::Array(contents));
    if !request.tools.is_empty() {
        let declare = |def: &claw_core::model::ToolDef| json!({ "name": def.name, "description": def.description, "parametersJsonSchema": def.schema });
        let all: Vec<Value> = request.tools.iter().map(declare).collect();
        body.insert("tools".to_owned(), json!([{ "functionDeclarations": all }]));
    }
    if let Some(choice) = choice(request)? {
        body.insert("toolConfig".to_owned(), json!({ "functionCallingConfig": choice }));
    }
    let config = generation(entry, request, shape)?;
    if !config.is_empty() {
        body.insert("generationConfig".to_owned(), Value::Object(config));
    }
    Ok(body)
}

fn generation(entry: &Entry, request: &CompletionRequest, shape: Option<&Shape>) -> Result<Map<String, Value>, Fault> {
    let mut config = Map::new();
    if let Some(most) = request.max_tokens.or(entry.max_tokens) {
        config.insert("maxOutputTokens".to_owned(), json!(most));
    }
    for (key, name, value) in [
        ("temperature", "temperature", request.temperature),
        ("topP", "top_p", request.top_p),
    ] {
        if let Some(value) = value {
            config.insert(key.to_owned(), fraction(name, value)?);
        }
    }
    if !request.stop.is_empty() {
        config.insert("stopSequences".to_owned(), json!(request.stop));
    }
    if shape.is_some() || request.json_object {
        config.insert("responseMimeType".to_owned(), json!("application/json"));
    }
    if let Some(shape) = shape {
        config.insert("responseJsonSchema".to_owned(), shape.sent.clone());
    }
    if let Some(effort) = &request.reasoning_effort {
        config.insert("thinkingConfig".to_owned(), thinking(&entry.model, effort)?);
    }
    Ok(config)
}

/// How hard to think: a level since the third generation, a budget of tokens in 2.5 (the
/// figures are those of the provider's own OpenAI endpoint,
/// <https://ai.google.dev/gemini-api/docs/openai>).
fn thinking(model: &str, effort: &str) -> Result<Value, Fault> {
    let budget = match effort {
        "minimal" | "low" => 1_024,
        "medium" => 8_192,
        "high" => 24_576,
        _ => return Err(no_word("gemini", "reasoning_effort")),
    };
    let name = model.rsplit('/').next().unwrap_or(model);
    if name.starts_with("gemini-2.5") {
        Ok(json!({ "thinkingBudget": budget }))
    } else if name.starts_with("gemini-1") || name.starts_with("gemini-2.0") {
        Err(no_word("gemini", "reasoning_effort"))
    } else {
        Ok(json!({ "thinkingLevel": effort }))
    }
}

fn choice(request: &CompletionRequest) -> Result<Option<Value>, Fault> {
    if request.parallel_tool_calls == Some(false) && !request.tools.is_empty() {
        return Err(no_word("gemini", "parallel_tool_calls"));
    }
    Ok(request.tool_choice.as_ref().map(|choice| match choice {
        ToolChoice::Auto => json!({ "mode": "AUTO" }),
        ToolChoice::None => json!({ "mode": "NONE" }),
        ToolChoice::Required => json!({ "mode": "ANY" }),
        ToolChoice::Named(name) => json!({ "mode": "ANY", "allowedFunctionNames": [name] }),
    }))
}

/// Puts the knobs that belong there under `generationConfig`, and returns the others.
pub(super) fn take_options(body: &mut Map<String, Value>, extra: &Map<String, Value>) -> Result<Map<String, Value>, Fault> {
    let (mut others, mut options) = (Map::new(), Map::new());
    for (key, value) in extra {
        let known = OTHER_NAMES.iter().find(|(name, _)| name == key);
        match value {
            Value::Object(inner) if key == "generationConfig" => options.extend(inner.clone()),
            value if TOP_LEVEL.contains(&key.as_str()) || super::OURS.contains(&key.as_str()) => {
                others.insert(key.clone(), value.clone());
            }
            value => {
                let name = known.map_or(key.as_str(), |(_, name)| name);
                options.insert(name.to_owned(), value.clone());
            }
        }
    }
    if options.is_empty() {
        return Ok(others);
    }
    let slot = body.entry("generationConfig").or_insert_with(|| Value::Object(Map::new()));
    let slot = slot.as_object_mut().ok_or_else(Fault::internal)?;
    for (key, value) in options {
        if slot.contains_key(&key) {
            return Err(super::not_free(&key));
        }
        slot.insert(key, value);
    }
    Ok(others)
}

/// Instructions, and the turns. What one speaker says in a row is one turn.
fn contents(entry: &Entry, messages: &[Message]) -> Result<(String, Vec<Value>), Fault> {
    let mut system: Vec<&str> = Vec::new();
    let mut turns: Vec<(&'static str, Vec<Value>)> = Vec::new();
    for (place, message) in messages.iter().enumerate() {
        let before = messages.get(..place).unwrap_or_default();
        let speaker = match message.role {
            Role::System if turns.is_empty() => {
                system.extend(texts(message));
                continue;
            }
            Role::System => {
                return Err(invalid(
                    "the provider `gemini` takes messages of the role `system` only before all others",
                ));
            }
            Role::User | Role::Tool => "user",
            Role::Assistant => "model",
        };
        let parts = message
            .parts
            .iter()
            .filter_map(|each| part(entry, before, each).transpose())
            .collect::<Result<Vec<_>, _>>()?;
        match turns.last_mut() {
            Some((last, turn)) if *last == speaker => turn.extend(parts),
            _ => turns.push((speaker, parts)),
        }
    }
    let turns = turns.into_iter().filter(|(_, parts)| !parts.is_empty());
    let turns = turns.map(|(role, parts)| json!({ "role": role, "parts": parts }));
    Ok((system.join("\n\n"), turns.collect()))
}

/// A part; an empty text is none.
fn part(entry: &Entry, before: &[Message], part: &Part) -> Result<Option<Value>, Fault> {
    Ok(Some(match part {
        Part::Text { text } if text.is_empty() => return Ok(None),
        Part::Text { text } => json!({ "text": text }),
        Part::Blob { mime, data } => {
            let kind = mime.split('/').next().unwrap_or_default();
            if !matches!(kind, "image" | "audio" | "video") && mime != "application/pdf" {
                return Err(no_blob("gemini", mime));
            }
            json!({ "inlineData": { "mimeType": mime, "data": data } })
        }
        Part::Link { .. } => return Err(no_word("gemini", "image_url.url")),
        Part::ToolCall(call) => {
            let function = json!({ "name": call.name, "args": object(&call.arguments)? });
            match is_of_later_generation(&entry.model) {
                true => json!({ "functionCall": function, "thoughtSignature": NO_SIGNATURE }),
                false => json!({ "functionCall": function }),
            }
        }
        Part::ToolResult { id, content, is_error } => {
            let response = match (serde_json::from_str::<Value>(content), is_error) {
                (_, true) => json!({ "error": content }),
                (Ok(value @ Value::Object(_)), false) => value,
                (_, false) => json!({ "result": content }),
            };
            json!({ "functionResponse": { "name": name_of(before, id), "response": response } })
        }
    }))
}

fn is_of_later_generation(model: &str) -> bool {
    let name = model.rsplit('/').next().unwrap_or(model);
    !["gemini-1", "gemini-2"].iter().any(|old| name.starts_with(old))
}

/// Texts as one batch.
pub(super) fn embedding(entry: &Entry, texts: &[String]) -> Map<String, Value> {
    let model = resource(entry);
    let each = |text: &String| json!({ "model": model, "content": { "parts": [{ "text": text }] } });
    let mut body = Map::new();
    body.insert("requests".to_owned(), texts.iter().map(each).collect());
    body
}
