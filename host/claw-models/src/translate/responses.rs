//! OpenAI's Responses, read. What a server would have to remember is refused: nothing of a
//! call is kept at another provider.

use claw_core::errors::Fault;
use claw_core::model::{CompletionRequest, Message, Part, Role, ToolCall, ToolChoice};
use serde_json::{Value, json};

use super::chat::{link_or_blob, read_function};
use super::fields::{Fields, malformed, untranslatable};

pub(super) fn read(body: &Value) -> Result<CompletionRequest, Fault> {
    let mut fields = Fields::of(body, "")?;
    fields.ignore(&["model", "stream", "stream_options", "prompt_cache_key", "safety_identifier"]);
    fields.harmless(&[
        ("store", json!(false)),
        ("metadata", json!({})),
        ("include", json!([])),
        ("truncation", json!("disabled")),
        ("service_tier", json!("auto")),
        ("service_tier", json!("default")),
        ("background", json!(false)),
        ("top_logprobs", json!(0)),
    ]);
    let mut request = CompletionRequest {
        max_tokens: fields.tokens("max_output_tokens")?,
        temperature: fields.fraction("temperature")?,
        top_p: fields.fraction("top_p")?,
        parallel_tool_calls: fields.flag("parallel_tool_calls")?,
        user: fields.text("user")?,
        ..CompletionRequest::default()
    };
    if let Some(reasoning) = fields.take("reasoning") {
        let mut reasoning = Fields::of(&reasoning, "reasoning")?;
        request.reasoning_effort = reasoning.text("effort")?;
        reasoning.end()?;
    }
    if let Some(text) = fields.take("text") {
        read_text(&text, &mut request)?;
    }
    for (place, tool) in fields.list("tools")?.iter().enumerate() {
        let path = format!("tools[{place}]");
        let mut tool = tool.clone();
        let kind = tool.as_object_mut().and_then(|tool| tool.shift_remove("type"));
        if kind != Some(json!("function")) {
            return Err(untranslatable(&format!("{path}.type")));
        }
        request.tools.push(read_function(&tool, &path)?);
    }
    request.tool_choice = fields.take("tool_choice").map(|choice| tool_choice(&choice)).transpose()?;
    if let Some(instructions) = fields.text("instructions")? {
        request.messages.push(Message::text(Role::System, instructions));
    }
    match fields.take("input") {
        Some(Value::String(text)) => request.messages.push(Message::text(Role::User, text)),
        Some(Value::Array(items)) => {
            for (place, item) in items.iter().enumerate() {
                let read = item_of(item, &format!("input[{place}]"))?;
                push(&mut request.messages, read);
            }
        }
        _ => return Err(malformed("input", "must be a text or a list of items")),
    }
    fields.end()?;
    Ok(request)
}

/// Calls of one turn stand beside each other; here they are one message.
fn push(messages: &mut Vec<Message>, message: Message) {
    match messages.last_mut() {
        Some(last) if last.role == message.role && message.role == Role::Assistant => last.parts.extend(message.parts),
        _ => messages.push(message),
    }
}

fn read_text(text: &Value, request: &mut CompletionRequest) -> Result<(), Fault> {
    let mut fields = Fields::of(text, "text")?;
    fields.harmless(&[("verbosity", json!("medium"))]);
    if let Some(format) = fields.take("format") {
        match format.get("type").and_then(Value::as_str) {
            Some("text") => {}
            Some("json_object") => request.json_object = true,
            Some("json_schema") => {
                let schema = format
                    .get("schema")
                    .ok_or_else(|| malformed("text.format.schema", "is missing"))?;
                request.response_schema = Some(schema.clone());
            }
            _ => return Err(untranslatable("text.format.type")),
        }
    }
    fields.end()
}

fn tool_choice(choice: &Value) -> Result<ToolChoice, Fault> {
    match (
        choice.as_str(),
        choice.get("type").and_then(Value::as_str),
        choice.get("name").and_then(Value::as_str),
    ) {
        (Some("auto"), ..) => Ok(ToolChoice::Auto),
        (Some("none"), ..) => Ok(ToolChoice::None),
        (Some("required"), ..) => Ok(ToolChoice::Required),
        (None, Some("function"), Some(name)) => Ok(ToolChoice::Named(name.to_owned())),
        _ => Err(untranslatable("tool_choice")),
    }
}

fn item_of(item: &Value, path: &str) -> Result<Message, Fault> {
    let mut fields = Fields::of(item, path)?;
    fields.ignore(&["status"]);
    let kind = fields.text("type")?.unwrap_or_else(|| "message".to_owned());
    if kind != "message" && kind != "reasoning" {
        fields.ignore(&["id"]);
    }
    let message = match kind.as_str() {
        "message" => {
            fields.ignore(&["id"]);
            let role = match fields.required("role")?.as_str() {
                "system" | "developer" => Role::System,
                "user" => Role::User,
                "assistant" => Role::Assistant,
                _ => return Err(untranslatable(&fields.at("role"))),
            };
            let at = fields.at("content");
            let parts = match fields.take("content") {
                Some(Value::String(text)) => vec![Part::Text { text }],
                Some(Value::Array(items)) => {
                    let each = items.iter().enumerate();
                    each.map(|(place, item)| part(item, &format!("{at}[{place}]")))
                        .collect::<Result<_, _>>()?
                }
                _ => return Err(malformed(&at, "must be a text or a list of parts")),
            };
            Message { role, parts }
        }
        "function_call" => Message {
            role: Role::Assistant,
            parts: vec![Part::ToolCall(ToolCall {
                id: fields.required("call_id")?,
                name: fields.required("name")?,
                arguments: fields.text("arguments")?.unwrap_or_default(),
            })],
        },
        "function_call_output" => Message {
            role: Role::Tool,
            parts: vec![Part::ToolResult {
                id: fields.required("call_id")?,
                content: fields.required("output")?,
                is_error: false,
            }],
        },
        _ => return Err(untranslatable(&format!("{path}.type"))),
    };
    fields.end()?;
    Ok(message)
}

fn part(item: &Value, path: &str) -> Result<Part, Fault> {
    let mut fields = Fields::of(item, path)?;
    let part = match fields.required("type")?.as_str() {
        "input_text" | "output_text" | "text" => {
            fields.ignore(&["annotations", "logprobs"]);
            Part::Text {
                text: fields.required("text")?,
            }
        }
        "refusal" => Part::Text {
            text: fields.required("refusal")?,
        },
        "input_image" => {
            fields.harmless(&[("detail", json!("auto"))]);
            let url = fields.required("image_url")?;
            link_or_blob(url, &fields.at("image_url"))?
        }
        "input_file" => {
            fields.ignore(&["filename"]);
            let data = fields.required("file_data")?;
            link_or_blob(data, &fields.at("file_data"))?
        }
        _ => return Err(untranslatable(&fields.at("type"))),
    };
    fields.end()?;
    Ok(part)
}
