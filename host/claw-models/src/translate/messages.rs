//! Anthropic's Messages, read.

use claw_core::errors::Fault;
use claw_core::model::{CompletionRequest, Message, Part, Role, ToolCall, ToolChoice, ToolDef};
use serde_json::{Value, json};

use super::fields::{Fields, malformed, untranslatable};

pub(super) fn read(body: &Value) -> Result<CompletionRequest, Fault> {
    let mut fields = Fields::of(body, "")?;
    fields.ignore(&["model", "stream", "cache_control"]);
    fields.harmless(&[
        ("service_tier", json!("auto")),
        ("thinking", json!({ "type": "disabled" })),
        ("mcp_servers", json!([])),
    ]);
    let mut request = CompletionRequest {
        max_tokens: fields.tokens("max_tokens")?,
        temperature: fields.fraction("temperature")?,
        top_p: fields.fraction("top_p")?,
        stop: fields.texts("stop_sequences")?,
        ..CompletionRequest::default()
    };
    if let Some(metadata) = fields.take("metadata") {
        let mut metadata = Fields::of(&metadata, "metadata")?;
        request.user = metadata.text("user_id")?;
        metadata.end()?;
    }
    if let Some(output) = fields.take("output_config") {
        let mut output = Fields::of(&output, "output_config")?;
        request.reasoning_effort = output.text("effort")?;
        if let Some(format) = output.take("format") {
            request.response_schema = Some(schema(&format, "output_config.format")?);
        }
        output.end()?;
    }
    if let Some(format) = fields.take("output_format") {
        request.response_schema = Some(schema(&format, "output_format")?);
    }
    for (place, tool) in fields.list("tools")?.iter().enumerate() {
        request.tools.push(read_tool(tool, &format!("tools[{place}]"))?);
    }
    if let Some(choice) = fields.take("tool_choice") {
        read_choice(&choice, &mut request)?;
    }
    if let Some(system) = fields.take("system") {
        let parts = parts(&system, "system")?;
        request.messages.push(Message {
            role: Role::System,
            parts,
        });
    }
    let messages = fields.list("messages")?;
    if messages.is_empty() {
        return Err(malformed("messages", "must hold at least one message"));
    }
    for (place, message) in messages.iter().enumerate() {
        let path = format!("messages[{place}]");
        let mut fields = Fields::of(message, &path)?;
        let role = match fields.required("role")?.as_str() {
            "user" => Role::User,
            "assistant" => Role::Assistant,
            "system" => Role::System,
            _ => return Err(untranslatable(&fields.at("role"))),
        };
        let content = fields.take("content").unwrap_or_default();
        fields.end()?;
        let parts = parts(&content, &format!("{path}.content"))?;
        request.messages.push(Message { role, parts });
    }
    fields.end()?;
    Ok(request)
}

fn schema(format: &Value, path: &str) -> Result<Value, Fault> {
    let mut fields = Fields::of(format, path)?;
    if fields.required("type")? != "json_schema" {
        return Err(untranslatable(&fields.at("type")));
    }
    let schema = fields.take("schema");
    fields.end()?;
    schema.ok_or_else(|| malformed(&format!("{path}.schema"), "is missing"))
}

fn read_tool(tool: &Value, path: &str) -> Result<ToolDef, Fault> {
    let mut fields = Fields::of(tool, path)?;
    fields.ignore(&["cache_control", "strict"]);
    // Anything else is a tool of the provider's own.
    if fields.text("type")?.is_some_and(|kind| kind != "custom") {
        return Err(untranslatable(&fields.at("type")));
    }
    let def = ToolDef {
        name: fields.required("name")?,
        description: fields.text("description")?.unwrap_or_default(),
        schema: fields
            .take("input_schema")
            .ok_or_else(|| malformed(&format!("{path}.input_schema"), "is missing"))?,
    };
    fields.end()?;
    Ok(def)
}

fn read_choice(choice: &Value, request: &mut CompletionRequest) -> Result<(), Fault> {
    let mut fields = Fields::of(choice, "tool_choice")?;
    request.tool_choice = Some(match fields.required("type")?.as_str() {
        "auto" => ToolChoice::Auto,
        "none" => ToolChoice::None,
        "any" => ToolChoice::Required,
        "tool" => ToolChoice::Named(fields.required("name")?),
        _ => return Err(untranslatable("tool_choice.type")),
    });
    request.parallel_tool_calls = fields.flag("disable_parallel_tool_use")?.map(|disabled| !disabled);
    fields.end()
}

fn parts(content: &Value, path: &str) -> Result<Vec<Part>, Fault> {
    match content {
        Value::String(text) => Ok(vec![Part::Text { text: text.clone() }]),
        Value::Array(blocks) => {
            let each = blocks.iter().enumerate();
            each.map(|(place, block)| part(block, &format!("{path}[{place}]"))).collect()
        }
        _ => Err(malformed(path, "must be a text or a list of blocks")),
    }
}

fn part(block: &Value, path: &str) -> Result<Part, Fault> {
    let mut fields = Fields::of(block, path)?;
    fields.ignore(&["cache_control"]);
    let part = match fields.required("type")?.as_str() {
        "text" => {
            fields.ignore(&["citations"]);
            Part::Text {
                text: fields.required("text")?,
            }
        }
        "image" => source(&fields.take("source").unwrap_or_default(), &fields.at("source"))?,
        "document" => {
            fields.ignore(&["title", "context"]);
            fields.harmless(&[("citations", json!({ "enabled": false }))]);
            let at = fields.at("source");
            match source(&fields.take("source").unwrap_or_default(), &at)? {
                Part::Link { .. } => return Err(untranslatable(&at)),
                part => part,
            }
        }
        "tool_use" => {
            fields.ignore(&["caller"]);
            Part::ToolCall(ToolCall {
                id: fields.required("id")?,
                name: fields.required("name")?,
                arguments: fields.take("input").unwrap_or_else(|| json!({})).to_string(),
            })
        }
        "tool_result" => Part::ToolResult {
            id: fields.required("tool_use_id")?,
            content: result(fields.take("content"), &fields.at("content"))?,
            is_error: fields.flag("is_error")?.unwrap_or(false),
        },
        _ => return Err(untranslatable(&fields.at("type"))),
    };
    fields.end()?;
    Ok(part)
}

fn source(source: &Value, path: &str) -> Result<Part, Fault> {
    let mut fields = Fields::of(source, path)?;
    let part = match fields.required("type")?.as_str() {
        "base64" => Part::Blob {
            mime: fields.required("media_type")?,
            data: fields.required("data")?,
        },
        "url" => Part::Link {
            url: fields.required("url")?,
        },
        "text" => {
            fields.ignore(&["media_type"]);
            Part::Text {
                text: fields.required("data")?,
            }
        }
        _ => return Err(untranslatable(&fields.at("type"))),
    };
    fields.end()?;
    Ok(part)
}

fn result(content: Option<Value>, path: &str) -> Result<String, Fault> {
    let Some(content) = content else { return Ok(String::new()) };
    parts(&content, path)?
        .into_iter()
        .map(|part| match part {
            Part::Text { text } => Ok(text),
            _ => Err(untranslatable(path)),
        })
        .collect()
}
