//! The words of a model call, as `wit/model.wit` has them.

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::Error;

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Instructions.
    System,
    /// The person or program that asks.
    User,
    /// The model.
    Assistant,
    /// The result of a tool call.
    Tool,
}

/// A call that the model wants made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolCall {
    /// The model's id for it; the matching [`Part::ToolResult`] repeats it.
    pub id: String,
    /// The tool.
    pub name: String,
    /// One JSON object, as text.
    pub arguments_json: String,
}

impl ToolCall {
    /// The arguments, which must be of this shape.
    ///
    /// # Errors
    /// `skill.json` where they are not: they are a model's words.
    pub fn arguments<T: DeserializeOwned>(&self) -> Result<T, Error> {
        Ok(serde_json::from_str(&self.arguments_json)?)
    }
}

/// A piece of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// Text.
    Text(String),
    /// An image or a document, where the model takes one.
    Blob {
        /// A media type.
        mime: String,
        /// The bytes.
        data: Vec<u8>,
    },
    /// A call that the model wants made.
    ToolCall(ToolCall),
    /// The result of one.
    ToolResult {
        /// The id of the call.
        id: String,
        /// What it gave.
        content: String,
        /// It failed.
        is_error: bool,
    },
}

/// One message of a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Who speaks.
    pub role: Role,
    /// What is said.
    pub parts: Vec<Part>,
}

impl Message {
    /// Instructions, as one text.
    pub fn system(text: impl Into<String>) -> Self {
        Message {
            role: Role::System,
            parts: vec![Part::Text(text.into())],
        }
    }

    /// A question, as one text.
    pub fn user(text: impl Into<String>) -> Self {
        Message {
            role: Role::User,
            parts: vec![Part::Text(text.into())],
        }
    }

    /// An earlier answer, as one text.
    pub fn assistant(text: impl Into<String>) -> Self {
        Message {
            role: Role::Assistant,
            parts: vec![Part::Text(text.into())],
        }
    }

    /// The result of the tool call with this id.
    pub fn tool_result(id: impl Into<String>, content: impl Into<String>, is_error: bool) -> Self {
        let part = Part::ToolResult {
            id: id.into(),
            content: content.into(),
            is_error,
        };
        Message {
            role: Role::Tool,
            parts: vec![part],
        }
    }

    /// All text parts, joined.
    pub fn text(&self) -> String {
        let texts = self.parts.iter().filter_map(|part| match part {
            Part::Text(text) => Some(text.as_str()),
            Part::Blob { .. } | Part::ToolCall(_) | Part::ToolResult { .. } => None,
        });
        texts.collect()
    }
}

/// A tool that the model may ask for.
#[derive(Clone, Debug, PartialEq)]
pub struct ToolDef {
    /// Its name.
    pub name: String,
    /// What it does.
    pub description: String,
    /// A JSON Schema of its arguments.
    pub schema: Value,
}

/// What is asked for beyond an answer. What is absent or empty is left to the operator.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Options {
    /// The most tokens to make.
    pub max_tokens: Option<u32>,
    /// 0.0 to 2.0.
    pub temperature: Option<f32>,
    /// Texts that end the answer; at most four.
    pub stop: Vec<String>,
    /// The answer's text is then one JSON value that fits this JSON Schema.
    pub response_schema: Option<Value>,
    /// Tools that the model may ask for.
    pub tools: Vec<ToolDef>,
    /// Knobs that this version does not name.
    pub extra: Vec<(String, Value)>,
}

/// Tokens and what they cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Tokens read, cached ones included.
    pub input_tokens: u64,
    /// Tokens made, reasoning ones included.
    pub output_tokens: u64,
    /// Of the input, read from the provider's cache.
    pub cached_tokens: u64,
    /// Of the output, spent on reasoning.
    pub reasoning_tokens: u64,
    /// Billionths of a US dollar; `None` where no price is known, which is not zero.
    pub cost_nanousd: Option<u64>,
}

/// Why the model stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finish {
    /// It was done, or met a stop text.
    Stop,
    /// It met the token limit.
    Length,
    /// It wants tools called.
    ToolCalls,
    /// A filter stopped it.
    Filtered,
    /// Anything else.
    Other,
}

/// A model's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Completion {
    /// Role `assistant`: text and tool calls.
    pub message: Message,
    /// Why it stopped.
    pub finish: Finish,
    /// What it used.
    pub usage: Usage,
    /// The model that served it, for the skill's own words. Do not branch on it.
    pub model: String,
    /// Made without network or key by the offline provider: no language model's answer.
    pub offline: bool,
    /// The entry of this call in the audit journal.
    pub audit_id: String,
}

impl Completion {
    /// The answer's text.
    pub fn text(&self) -> String {
        self.message.text()
    }

    /// The answer's text, which must be JSON of this shape: ask for it with
    /// [`Options::response_schema`].
    ///
    /// # Errors
    /// `skill.json` where it is not.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Error> {
        serde_json::from_str(&self.text())
            .map_err(|error| Error::new("json", format!("the model's answer does not fit: {error}")))
    }

    /// The calls that the model wants made.
    pub fn tool_calls(&self) -> impl Iterator<Item = &ToolCall> {
        self.message.parts.iter().filter_map(|part| match part {
            Part::ToolCall(call) => Some(call),
            Part::Text(_) | Part::Blob { .. } | Part::ToolResult { .. } => None,
        })
    }
}

/// A piece of an answer as it is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// More text.
    TextDelta(String),
    /// A whole tool call.
    ToolCall(ToolCall),
    /// The last event: everything, put together.
    Done(Box<Completion>),
}
