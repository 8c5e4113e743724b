//! What the dialects share about messages. Refuses parts in the mouth of a speaker who
//! cannot say them.

use claw_core::errors::{Code, Fault};
use claw_core::model::{CompletionRequest, Message, Part, Role};
use serde_json::{Number, Value};

use super::invalid;

/// Every message says only what its role can, and there is something to answer.
pub(super) fn check_messages(request: &CompletionRequest) -> Result<(), Fault> {
    for message in &request.messages {
        if let Some(part) = message.parts.iter().find(|part| !may_say(message.role, part)) {
            return Err(invalid(format!(
                "a message of the role `{}` cannot hold {}",
                role_name(message.role),
                part_name(part)
            )));
        }
    }
    if !request
        .messages
        .iter()
        .any(|message| message.role != Role::System && !message.parts.is_empty())
    {
        return Err(invalid("there is no message to answer"));
    }
    Ok(())
}

fn may_say(role: Role, part: &Part) -> bool {
    match part {
        Part::Text { .. } => role != Role::Tool,
        Part::Blob { .. } | Part::Link { .. } => role == Role::User,
        Part::ToolCall(_) => role == Role::Assistant,
        Part::ToolResult { .. } => matches!(role, Role::Tool | Role::User),
    }
}

pub(super) fn role_name(role: Role) -> &'static str {
    match role {
        Role::System => "system",
        Role::User => "user",
        Role::Assistant => "assistant",
        Role::Tool => "tool",
    }
}

fn part_name(part: &Part) -> &'static str {
    match part {
        Part::Text { .. } => "text",
        Part::Blob { .. } | Part::Link { .. } => "an image or a document",
        Part::ToolCall(_) => "a tool call",
        Part::ToolResult { .. } => "a tool's result",
    }
}

/// The refusal of a blob of a kind that this provider does not take.
pub(super) fn no_blob(provider: &str, mime: &str) -> Fault {
    let mime = crate::text::clean(&crate::text::clip(mime, 64), &[]);
    invalid(format!(
        "a blob of the type `{mime}` cannot be sent to the provider `{provider}`"
    ))
}

/// The refusal of what this provider has no word for; `param` is its name in our own.
pub(super) fn no_word(provider: &str, param: &str) -> Fault {
    Fault::new(
        Code::ModelUntranslatable,
        format!("the provider `{provider}` has no counterpart of `{param}`"),
    )
    .hint("leave it out, or let an entry of another provider serve this call")
    .details(serde_json::json!({ "param": param }))
}

/// A tool call's arguments, for dialects that want them as an object.
pub(super) fn object(arguments: &str) -> Result<Value, Fault> {
    let text = if arguments.trim().is_empty() { "{}" } else { arguments };
    match serde_json::from_str::<Value>(text) {
        Ok(value @ Value::Object(_)) => Ok(value),
        Ok(_) | Err(_) => Err(invalid("the arguments of a tool call are not a JSON object")),
    }
}

/// A fraction as people wrote it: `0.7`, not the `0.699999988…` nearest to it in 32 bits.
pub(super) fn fraction(key: &str, value: f32) -> Result<Value, Fault> {
    let exact = value.to_string().parse::<f64>().ok().and_then(Number::from_f64);
    exact
        .map(Value::Number)
        .ok_or_else(|| invalid(format!("`{key}` is not a number")))
}

/// The text parts of a message that are not empty.
pub(super) fn texts(message: &Message) -> impl Iterator<Item = &str> {
    message.parts.iter().filter_map(|part| match part {
        Part::Text { text } if !text.is_empty() => Some(text.as_str()),
        _ => None,
    })
}

/// The tool behind a call's id, for dialects that go by names: the latest call of this id in what
/// was said before its result, since servers without ids of their own use one again and again.
pub(super) fn name_of<'a>(before: &'a [Message], id: &str) -> &'a str {
    let parts = before.iter().rev().flat_map(|message| message.parts.iter().rev());
    let mut calls = parts.filter_map(|part| match part {
        Part::ToolCall(call) if call.id == id => Some(call.name.as_str()),
        _ => None,
    });
    calls.next().unwrap_or_default()
}
