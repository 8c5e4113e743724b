//! Anthropic's Messages API: what is asked. Refuses instructions in mid-conversation, which
//! it has no place for.

mod answer;

use claw_core::errors::Fault;
use claw_core::model::{CompletionRequest, Message, Part, Role, ToolChoice};
use serde_json::{Map, Value, json};

use super::invalid;
use super::parts::{check_messages, fraction, no_blob, no_word, object, texts};
use crate::config::Entry;
use crate::schema::Shape;

pub(super) use answer::{Stream, answer};
pub(crate) use answer::{finish, read_usage};

/// The API wants a bound. This one every model of theirs takes.
const DEFAULT_MAX_TOKENS: u32 = 4096;

/// The tool whose arguments are the answer, where it must fit a schema. All models know
/// tools, only newer ones know output formats.
const ANSWER_TOOL: &str = "answer_in_json";

pub(super) fn body(entry: &Entry, request: &CompletionRequest, shape: Option<&Shape>) -> Result<Map<String, Value>, Fault> {
    check_messages(request)?;
    let (system, messages) = messages(&request.messages)?;
    let mut body = Map::new();
    body.insert("model".to_owned(), json!(entry.model));
    body.insert(
        "max_tokens".to_owned(),
        json!(request.max_tokens.or(entry.max_tokens).unwrap_or(DEFAULT_MAX_TOKENS)),
    );
    if !system.is_empty() {
        body.insert("system".to_owned(), json!(system));
    }
    body.insert("messages".to_owned(), Value::Array(messages));
    if let Some(temperature) = request.temperature {
        body.insert("temperature".to_owned(), fraction("temperature", temperature)?);
    }
    if !request.stop.is_empty() {
        body.insert("stop_sequences".to_owned(), json!(request.stop));
    }
    if let Some(top_p) = request.top_p {
        body.insert("top_p".to_owned(), fraction("top_p", top_p)?);
    }
    if let Some(user) = &request.user {
        body.insert("metadata".to_owned(), json!({ "user_id": user }));
    }
    if request.json_object && shape.is_none() {
        return Err(no_word("anthropic", "response_format"));
    }
    if let Some(effort) = &request.reasoning_effort {
        body.insert("output_config".to_owned(), json!({ "effort": effort_word(effort)? }));
    }
    let tool = |name: &str, description: &str, schema: &Value| json!({ "name": name, "description": description, "input_schema": schema });
    let mut tools: Vec<Value> = request
        .tools
        .iter()
        .map(|def| tool(&def.name, &def.description, &def.schema))
        .collect();
    if let Some(shape) = shape {
        if request.tools.iter().any(|def| def.name == ANSWER_TOOL) {
            return Err(invalid(format!(
                "a tool cannot be called `{ANSWER_TOOL}` beside a response schema"
            )));
        }
        let mut choice = match &request.tool_choice {
            None | Some(ToolChoice::Auto) if !tools.is_empty() => json!({ "type": "any" }),
            None | Some(ToolChoice::Auto | ToolChoice::None) => json!({ "type": "tool", "name": ANSWER_TOOL }),
            Some(ToolChoice::Named(name)) => json!({ "type": "tool", "name": name }),
            // The answer is a tool too, and would count as one.
            Some(ToolChoice::Required) => return Err(no_word("anthropic", "tool_choice")),
        };
        if let (Some(false), Some(choice)) = (request.parallel_tool_calls, choice.as_object_mut()) {
            choice.insert("disable_parallel_tool_use".to_owned(), json!(true));
        }
        tools.push(tool(
            ANSWER_TOOL,
            "Gives the final answer. Its arguments are the answer.",
            &shape.sent,
        ));
        body.insert("tool_choice".to_owned(), choice);
    }
    if !tools.is_empty() {
        body.insert("tools".to_owned(), Value::Array(tools));
    }
    if shape.is_none() {
        choose(request, &mut body);
    }
    Ok(body)
}

/// Anthropic's own words for how hard to think.
fn effort_word(effort: &str) -> Result<&'static str, Fault> {
    match effort {
        "minimal" | "low" => Ok("low"),
        "medium" => Ok("medium"),
        "high" => Ok("high"),
        _ => Err(no_word("anthropic", "reasoning_effort")),
    }
}

fn choose(request: &CompletionRequest, body: &mut Map<String, Value>) {
    let mut choice = match &request.tool_choice {
        Some(ToolChoice::Auto) => json!({ "type": "auto" }),
        Some(ToolChoice::None) => json!({ "type": "none" }),
        Some(ToolChoice::Required) => json!({ "type": "any" }),
        Some(ToolChoice::Named(name)) => json!({ "type": "tool", "name": name }),
        None if request.parallel_tool_calls == Some(false) && !request.tools.is_empty() => json!({ "type": "auto" }),
        None => return,
    };
    if let (Some(false), Some(choice)) = (request.parallel_tool_calls, choice.as_object_mut()) {
        choice.insert("disable_parallel_tool_use".to_owned(), json!(true));
    }
    body.insert("tool_choice".to_owned(), choice);
}

/// Instructions, and the turns. What one speaker says in a row is one turn; results of
/// tools are the user's and come first in it.
fn messages(messages: &[Message]) -> Result<(String, Vec<Value>), Fault> {
    let mut system: Vec<&str> = Vec::new();
    let mut turns: Vec<(&'static str, Vec<Value>)> = Vec::new();
    for message in messages {
        let speaker = match message.role {
            Role::System if turns.is_empty() => {
                system.extend(texts(message));
                continue;
            }
            Role::System => {
                return Err(invalid(
                    "the provider `anthropic` takes messages of the role `system` only before all others",
                ));
            }
            Role::User | Role::Tool => "user",
            Role::Assistant => "assistant",
        };
        let blocks = message
            .parts
            .iter()
            .filter_map(|part| block(part).transpose())
            .collect::<Result<Vec<_>, _>>()?;
        match turns.last_mut() {
            Some((last, turn)) if *last == speaker => turn.extend(blocks),
            _ => turns.push((speaker, blocks)),
        }
    }
    let turns = turns
        .into_iter()
        .filter(|(_, blocks)| !blocks.is_empty())
        .map(|(role, mut blocks)| {
            blocks.sort_by_key(|block| block.get("type").and_then(Value::as_str) != Some("tool_result"));
            json!({ "role": role, "content": blocks })
        });
    Ok((system.join("\n\n"), turns.collect()))
}

/// A part as a content block; an empty text is none.
fn block(part: &Part) -> Result<Option<Value>, Fault> {
    Ok(Some(match part {
        Part::Text { text } if text.is_empty() => return Ok(None),
        Part::Text { text } => json!({ "type": "text", "text": text }),
        Part::Blob { mime, data } => {
            let kind = match mime.as_str() {
                "application/pdf" => "document",
                mime if mime.starts_with("image/") => "image",
                mime => return Err(no_blob("anthropic", mime)),
            };
            json!({ "type": kind, "source": { "type": "base64", "media_type": mime, "data": data } })
        }
        Part::Link { url } => json!({ "type": "image", "source": { "type": "url", "url": url } }),
        Part::ToolCall(call) => {
            json!({ "type": "tool_use", "id": call.id, "name": call.name, "input": object(&call.arguments)? })
        }
        Part::ToolResult { id, content, is_error } => {
            let mut result = json!({ "type": "tool_result", "tool_use_id": id, "content": content });
            if let (true, Some(result)) = (is_error, result.as_object_mut()) {
                result.insert("is_error".to_owned(), json!(true));
            }
            result
        }
    }))
}
