//! OpenAI's Chat Completions, read.

use claw_core::errors::Fault;
use claw_core::model::{CompletionRequest, Message, Part, Role, ToolCall, ToolChoice, ToolDef};
use serde_json::{Value, json};

use super::fields::{Fields, malformed, untranslatable};

pub(super) fn read(body: &Value) -> Result<CompletionRequest, Fault> {
    let mut fields = Fields::of(body, "")?;
    // What names, streams and caches; none of it changes an answer.
    fields.ignore(&["model", "stream", "stream_options", "prompt_cache_key", "safety_identifier"]);
    fields.harmless(&[
        ("store", json!(false)),
        ("metadata", json!({})),
        ("n", json!(1)),
        ("logprobs", json!(false)),
        ("presence_penalty", json!(0)),
        ("presence_penalty", json!(0.0)),
        ("frequency_penalty", json!(0)),
        ("frequency_penalty", json!(0.0)),
        ("service_tier", json!("auto")),
        ("service_tier", json!("default")),
        ("modalities", json!(["text"])),
        ("logit_bias", json!({})),
    ]);
    let mut request = CompletionRequest {
        temperature: fields.fraction("temperature")?,
        top_p: fields.fraction("top_p")?,
        stop: fields.texts("stop")?,
        parallel_tool_calls: fields.flag("parallel_tool_calls")?,
        reasoning_effort: fields.text("reasoning_effort")?,
        user: fields.text("user")?,
        ..CompletionRequest::default()
    };
    let old = fields.tokens("max_tokens")?;
    request.max_tokens = fields.tokens("max_completion_tokens")?.or(old);
    for (place, tool) in fields.list("tools")?.iter().enumerate() {
        request.tools.push(read_tool(tool, &format!("tools[{place}]"))?);
    }
    request.tool_choice = fields.take("tool_choice").map(|choice| tool_choice(&choice)).transpose()?;
    if let Some(format) = fields.take("response_format") {
        read_format(&format, &mut request)?;
    }
    let messages = fields.list("messages")?;
    if messages.is_empty() {
        return Err(malformed("messages", "must hold at least one message"));
    }
    for (place, message) in messages.iter().enumerate() {
        request.messages.push(read_message(message, &format!("messages[{place}]"))?);
    }
    fields.end()?;
    Ok(request)
}

fn read_tool(tool: &Value, path: &str) -> Result<ToolDef, Fault> {
    let mut fields = Fields::of(tool, path)?;
    if fields.required("type")? != "function" {
        return Err(untranslatable(&fields.at("type")));
    }
    let function = fields.take("function").unwrap_or_default();
    fields.end()?;
    read_function(&function, &format!("{path}.function"))
}

/// `{name, description, parameters, strict}`, which Responses has too.
pub(super) fn read_function(function: &Value, path: &str) -> Result<ToolDef, Fault> {
    let mut fields = Fields::of(function, path)?;
    // Strictness is how the provider makes arguments fit, not what they are.
    fields.ignore(&["strict"]);
    let def = ToolDef {
        name: fields.required("name")?,
        description: fields.text("description")?.unwrap_or_default(),
        schema: fields
            .take("parameters")
            .unwrap_or_else(|| json!({ "type": "object", "properties": {} })),
    };
    fields.end()?;
    Ok(def)
}

fn tool_choice(choice: &Value) -> Result<ToolChoice, Fault> {
    let named = || choice.get("function")?.get("name")?.as_str();
    match (choice.as_str(), named()) {
        (Some("auto"), _) => Ok(ToolChoice::Auto),
        (Some("none"), _) => Ok(ToolChoice::None),
        (Some("required"), _) => Ok(ToolChoice::Required),
        (None, Some(name)) => Ok(ToolChoice::Named(name.to_owned())),
        _ => Err(untranslatable("tool_choice")),
    }
}

fn read_format(format: &Value, request: &mut CompletionRequest) -> Result<(), Fault> {
    match format.get("type").and_then(Value::as_str) {
        Some("text") => {}
        Some("json_object") => request.json_object = true,
        Some("json_schema") => {
            let schema = format.get("json_schema").and_then(|outer| outer.get("schema"));
            let schema = schema.ok_or_else(|| malformed("response_format.json_schema.schema", "is missing"))?;
            request.response_schema = Some(schema.clone());
        }
        _ => return Err(untranslatable("response_format.type")),
    }
    Ok(())
}

fn read_message(message: &Value, path: &str) -> Result<Message, Fault> {
    let mut fields = Fields::of(message, path)?;
    // They belong to answers that are handed back as they came.
    fields.ignore(&["annotations", "reasoning_content", "reasoning"]);
    fields.harmless(&[("tool_calls", json!([]))]);
    let content = fields.take("content");
    let role = fields.required("role")?;
    let at = fields.at("content");
    let message = match role.as_str() {
        "system" | "developer" => Message {
            role: Role::System,
            parts: parts(content, &at)?,
        },
        "user" => Message {
            role: Role::User,
            parts: parts(content, &at)?,
        },
        "assistant" => {
            let mut said = parts(content, &at)?;
            if let Some(refusal) = fields.text("refusal")? {
                said.push(Part::Text { text: refusal });
            }
            for (place, call) in fields.list("tool_calls")?.iter().enumerate() {
                said.push(read_call(call, &format!("{path}.tool_calls[{place}]"))?);
            }
            Message {
                role: Role::Assistant,
                parts: said,
            }
        }
        "tool" => {
            let id = fields.required("tool_call_id")?;
            let told = parts(content, &at)?;
            let content = texts(&told, &at)?;
            Message {
                role: Role::Tool,
                parts: vec![Part::ToolResult {
                    id,
                    content,
                    is_error: false,
                }],
            }
        }
        _ => return Err(untranslatable(&fields.at("role"))),
    };
    fields.end()?;
    Ok(message)
}

fn read_call(call: &Value, path: &str) -> Result<Part, Fault> {
    let mut fields = Fields::of(call, path)?;
    fields.ignore(&["index"]);
    let id = fields.required("id")?;
    if fields.text("type")?.is_some_and(|kind| kind != "function") {
        return Err(untranslatable(&fields.at("type")));
    }
    let mut function = Fields::of(&fields.take("function").unwrap_or_default(), &fields.at("function"))?;
    let call = ToolCall {
        id,
        name: function.required("name")?,
        arguments: function.text("arguments")?.unwrap_or_default(),
    };
    function.end()?;
    fields.end()?;
    Ok(Part::ToolCall(call))
}

fn parts(content: Option<Value>, path: &str) -> Result<Vec<Part>, Fault> {
    match content {
        None => Ok(Vec::new()),
        Some(Value::String(text)) => Ok(vec![Part::Text { text }]),
        Some(Value::Array(items)) => {
            let each = items.iter().enumerate();
            each.map(|(place, item)| part(item, &format!("{path}[{place}]"))).collect()
        }
        Some(_) => Err(malformed(path, "must be a text or a list of parts")),
    }
}

fn part(item: &Value, path: &str) -> Result<Part, Fault> {
    let mut fields = Fields::of(item, path)?;
    let part = match fields.required("type")?.as_str() {
        "text" => Part::Text {
            text: fields.required("text")?,
        },
        "refusal" => Part::Text {
            text: fields.required("refusal")?,
        },
        "image_url" => {
            let mut image = Fields::of(&fields.take("image_url").unwrap_or_default(), &fields.at("image_url"))?;
            image.harmless(&[("detail", json!("auto"))]);
            let url = image.required("url")?;
            image.end()?;
            link_or_blob(url, &format!("{path}.image_url.url"))?
        }
        "file" => {
            let mut file = Fields::of(&fields.take("file").unwrap_or_default(), &fields.at("file"))?;
            file.ignore(&["filename"]);
            let data = file.required("file_data")?;
            file.end()?;
            link_or_blob(data, &format!("{path}.file.file_data"))?
        }
        _ => return Err(untranslatable(&fields.at("type"))),
    };
    fields.end()?;
    Ok(part)
}

/// A `data:` address is the thing itself.
pub(super) fn link_or_blob(url: String, path: &str) -> Result<Part, Fault> {
    let Some(rest) = url.strip_prefix("data:") else {
        return Ok(Part::Link { url });
    };
    match rest.split_once(";base64,") {
        Some((mime, data)) if !mime.is_empty() => Ok(Part::Blob {
            mime: mime.to_owned(),
            data: data.to_owned(),
        }),
        _ => Err(malformed(path, "must be `data:<media type>;base64,<data>` or an address")),
    }
}

/// The texts of parts that can hold nothing else.
fn texts(parts: &[Part], path: &str) -> Result<String, Fault> {
    parts
        .iter()
        .map(|part| match part {
            Part::Text { text } => Ok(text.as_str()),
            _ => Err(untranslatable(path)),
        })
        .collect()
}
