//! OpenAI's Chat Completions, as OpenAI and all that is compatible with it take them: what
//! is asked.

mod answer;

use claw_core::errors::Fault;
use claw_core::model::{CompletionRequest, Message, Part, Role, ToolChoice};
use serde_json::{Map, Value, json};

use super::parts::{check_messages, fraction, no_blob, role_name, texts};
use crate::config::Entry;
use crate::schema::{Shape, is_strict};

pub(super) use answer::{Stream, answer, vectors};
pub(crate) use answer::{finish, read_usage};

pub(super) fn body(
    entry: &Entry,
    request: &CompletionRequest,
    shape: Option<&Shape>,
    stream: bool,
) -> Result<Map<String, Value>, Fault> {
    check_messages(request)?;
    let mut body = Map::new();
    body.insert("model".to_owned(), json!(entry.model));
    body.insert("messages".to_owned(), Value::Array(messages(&request.messages)?));
    if let Some(max_tokens) = request.max_tokens.or(entry.max_tokens) {
        // OpenAI's own newer models refuse the old name, most others know no other.
        let key = if entry.official {
            "max_completion_tokens"
        } else {
            "max_tokens"
        };
        body.insert(key.to_owned(), json!(max_tokens));
    }
    if let Some(temperature) = request.temperature {
        body.insert("temperature".to_owned(), fraction("temperature", temperature)?);
    }
    if !request.stop.is_empty() {
        body.insert("stop".to_owned(), json!(request.stop));
    }
    if let Some(top_p) = request.top_p {
        body.insert("top_p".to_owned(), fraction("top_p", top_p)?);
    }
    if !request.tools.is_empty() {
        body.insert("tools".to_owned(), tools(request));
    }
    if let Some(choice) = &request.tool_choice {
        let choice = match choice {
            ToolChoice::Auto => json!("auto"),
            ToolChoice::None => json!("none"),
            ToolChoice::Required => json!("required"),
            ToolChoice::Named(name) => json!({ "type": "function", "function": { "name": name } }),
        };
        body.insert("tool_choice".to_owned(), choice);
    }
    if let Some(parallel) = request.parallel_tool_calls {
        body.insert("parallel_tool_calls".to_owned(), json!(parallel));
    }
    for (key, text) in [("reasoning_effort", &request.reasoning_effort), ("user", &request.user)] {
        if let Some(text) = text {
            body.insert(key.to_owned(), json!(text));
        }
    }
    if request.json_object && shape.is_none() {
        body.insert("response_format".to_owned(), json!({ "type": "json_object" }));
    }
    if let Some(shape) = shape {
        // Strict mode refuses schemas with open objects; without it they are a wish, and
        // the answer is checked in either case.
        let schema = json!({ "name": "answer", "schema": shape.sent, "strict": is_strict(&shape.sent) });
        body.insert(
            "response_format".to_owned(),
            json!({ "type": "json_schema", "json_schema": schema }),
        );
    }
    if stream {
        body.insert("stream_options".to_owned(), json!({ "include_usage": true }));
    }
    Ok(body)
}

/// Tools as Chat Completions and Ollama take them.
pub(super) fn tools(request: &CompletionRequest) -> Value {
    let tool = |def: &claw_core::model::ToolDef| json!({ "type": "function", "function": { "name": def.name, "description": def.description, "parameters": def.schema } });
    request.tools.iter().map(tool).collect()
}

fn messages(messages: &[Message]) -> Result<Vec<Value>, Fault> {
    let mut said = Vec::with_capacity(messages.len());
    for message in messages {
        // A result of a tool is a message of its own, right after the call.
        said.extend(message.parts.iter().filter_map(result));
        match message.role {
            Role::Tool => {}
            Role::Assistant => said.extend(assistant(message)),
            Role::System | Role::User => said.extend(spoken(message)?),
        }
    }
    Ok(said)
}

fn result(part: &Part) -> Option<Value> {
    let Part::ToolResult { id, content, is_error } = part else {
        return None;
    };
    // The dialect has no field for failure; the words must say it.
    let content = if *is_error {
        format!("error: {content}")
    } else {
        content.clone()
    };
    Some(json!({ "role": "tool", "tool_call_id": id, "content": content }))
}

fn assistant(message: &Message) -> Option<Value> {
    let text: String = texts(message).collect();
    let calls: Vec<Value> = message
        .parts
        .iter()
        .filter_map(|part| match part {
            Part::ToolCall(call) => {
                let arguments = if call.arguments.trim().is_empty() {
                    "{}"
                } else {
                    &call.arguments
                };
                Some(json!({ "id": call.id, "type": "function", "function": { "name": call.name, "arguments": arguments } }))
            }
            _ => None,
        })
        .collect();
    let mut said = Map::new();
    said.insert("role".to_owned(), json!("assistant"));
    match (text.is_empty(), calls.is_empty()) {
        (true, true) => return None,
        (true, false) => said.insert("content".to_owned(), Value::Null),
        (false, _) => said.insert("content".to_owned(), json!(text)),
    };
    if !calls.is_empty() {
        said.insert("tool_calls".to_owned(), Value::Array(calls));
    }
    Some(Value::Object(said))
}

/// Text alone stays a string, which every server takes.
fn spoken(message: &Message) -> Result<Option<Value>, Fault> {
    let role = role_name(message.role);
    let has_blob = message
        .parts
        .iter()
        .any(|part| matches!(part, Part::Blob { .. } | Part::Link { .. }));
    if !has_blob {
        let text: String = texts(message).collect();
        return Ok((!text.is_empty()).then(|| json!({ "role": role, "content": text })));
    }
    let mut content = Vec::new();
    for part in &message.parts {
        match part {
            Part::Text { text } if text.is_empty() => {}
            Part::Text { text } => content.push(json!({ "type": "text", "text": text })),
            Part::Blob { mime, data } => content.push(blob(mime, data)?),
            Part::Link { url } => content.push(json!({ "type": "image_url", "image_url": { "url": url } })),
            Part::ToolCall(_) | Part::ToolResult { .. } => {}
        }
    }
    Ok(Some(json!({ "role": role, "content": content })))
}

fn blob(mime: &str, data: &str) -> Result<Value, Fault> {
    let url = format!("data:{mime};base64,{data}");
    match mime {
        "application/pdf" => Ok(json!({ "type": "file", "file": { "filename": "document.pdf", "file_data": url } })),
        mime if mime.starts_with("image/") => Ok(json!({ "type": "image_url", "image_url": { "url": url } })),
        mime => Err(no_blob("openai", mime)),
    }
}
