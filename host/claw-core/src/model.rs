//! A model call in our own words, whichever dialect brought it or serves it.

use std::pin::Pin;

use bytes::Bytes;
use futures::Stream;
use serde::{Deserialize, Serialize};

use crate::errors::Fault;

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
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
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ToolCall {
    /// The model's id for it.
    pub id: String,
    /// The tool.
    pub name: String,
    /// One JSON object, as text.
    pub arguments: String,
}

/// A piece of a message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Part {
    /// Text.
    Text {
        /// The text.
        text: String,
    },
    /// An image or a document.
    Blob {
        /// A media type.
        mime: String,
        /// Base64.
        data: String,
    },
    /// An image or a document that the provider fetches itself.
    Link {
        /// Its address.
        url: String,
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
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// Who speaks.
    pub role: Role,
    /// What is said.
    pub parts: Vec<Part>,
}

impl Message {
    /// A message of one text.
    pub fn text(role: Role, text: impl Into<String>) -> Self {
        Message {
            role,
            parts: vec![Part::Text { text: text.into() }],
        }
    }

    /// All text parts, joined.
    pub fn joined_text(&self) -> String {
        let texts = self.parts.iter().filter_map(|part| match part {
            Part::Text { text } => Some(text.as_str()),
            Part::Blob { .. } | Part::Link { .. } | Part::ToolCall(_) | Part::ToolResult { .. } => None,
        });
        texts.collect()
    }
}

/// A tool that the model may ask for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ToolDef {
    /// Its name.
    pub name: String,
    /// What it does.
    pub description: String,
    /// A JSON Schema of its arguments.
    pub schema: serde_json::Value,
}

/// Which tools a model may ask for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToolChoice {
    /// As it sees fit.
    Auto,
    /// None of them.
    None,
    /// At least one.
    Required,
    /// This one.
    Named(String),
}

/// What is asked of a model. What is absent is left to the provider's entry.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CompletionRequest {
    /// The conversation so far.
    pub messages: Vec<Message>,
    /// The most tokens to make.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<u32>,
    /// 0.0 to 2.0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f32>,
    /// Texts that end the answer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stop: Vec<String>,
    /// The answer is one JSON value that fits this schema.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_schema: Option<serde_json::Value>,
    /// Tools that the model may ask for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tools: Vec<ToolDef>,
    /// Which tools the model may, must or must not ask for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_choice: Option<ToolChoice>,
    /// Whether it may ask for several tools at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parallel_tool_calls: Option<bool>,
    /// The answer is one JSON object, of whatever shape.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub json_object: bool,
    /// The share of likely tokens that is drawn from, 0.0 to 1.0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub top_p: Option<f32>,
    /// How hard to think: `minimal`, `low`, `medium` or `high`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning_effort: Option<String>,
    /// An opaque name of the person behind the call, for the provider's own checks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Knobs beyond these, by the provider's names.
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    pub extra: serde_json::Map<String, serde_json::Value>,
}

/// Tokens and what they cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Tokens read, cached ones included.
    pub input_tokens: u64,
    /// Tokens made, reasoning ones included.
    pub output_tokens: u64,
    /// Of the input, read from the provider's cache.
    #[serde(default)]
    pub cached_tokens: u64,
    /// Of the output, spent on reasoning.
    #[serde(default)]
    pub reasoning_tokens: u64,
    /// Billionths of a US dollar. `None`: no price is known, which is not zero.
    #[serde(default)]
    pub cost_nanousd: Option<u64>,
    /// The provider did not say; these are estimates.
    #[serde(default)]
    pub estimated: bool,
}

impl Usage {
    /// Both together: two answers to one question are paid together. Where one cost alone is
    /// known, the sum is at least that much, and an estimate.
    #[must_use]
    pub fn plus(self, other: Usage) -> Usage {
        Usage {
            input_tokens: self.input_tokens.saturating_add(other.input_tokens),
            output_tokens: self.output_tokens.saturating_add(other.output_tokens),
            cached_tokens: self.cached_tokens.saturating_add(other.cached_tokens),
            reasoning_tokens: self.reasoning_tokens.saturating_add(other.reasoning_tokens),
            cost_nanousd: match (self.cost_nanousd, other.cost_nanousd) {
                (Some(a), Some(b)) => Some(a.saturating_add(b)),
                (a, b) => a.or(b),
            },
            estimated: self.estimated || other.estimated || self.cost_nanousd.is_some() != other.cost_nanousd.is_some(),
        }
    }
}

/// Why the model stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
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

/// Which entry of `models.yaml` serves a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelRoute {
    /// The entry's name, such as `general`.
    pub entry: String,
    /// The provider's name, such as `anthropic`.
    pub provider: String,
    /// The model's name at the provider.
    pub model: String,
    /// The provider is marked local: what it is sent stays on machines of the operator.
    pub local: bool,
    /// It is the offline provider, no language model.
    pub offline: bool,
}

/// A model's answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Completion {
    /// Role `assistant`.
    pub message: Message,
    /// Why it stopped.
    pub finish: Finish,
    /// What it used.
    pub usage: Usage,
    /// The model that served it, as the provider named it.
    pub model: String,
    /// The provider's name.
    pub provider: String,
    /// Made without network or key by the offline provider: not a language model's answer.
    #[serde(default)]
    pub offline: bool,
    /// How many attempts it took, at least 1.
    pub attempts: u32,
}

/// A piece of an answer as it is made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ModelEvent {
    /// More text.
    TextDelta(String),
    /// A whole tool call.
    ToolCall(ToolCall),
    /// The last event: everything, put together.
    Done(Box<Completion>),
}

/// An answer as it is made. Dropping it cancels the call upstream. It ends after `Done`
/// or after the first error; an end without either is an error that the consumer raises.
pub type ModelStream = Pin<Box<dyn Stream<Item = Result<ModelEvent, Fault>> + Send>>;

/// Vectors for a batch of texts, in their order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Embeddings {
    /// One vector a text.
    pub vectors: Vec<Vec<f32>>,
    /// What it used.
    pub usage: Usage,
    /// The model that served it.
    pub model: String,
    /// The provider's name.
    pub provider: String,
    /// See [`Completion::offline`].
    #[serde(default)]
    pub offline: bool,
}

/// The request as the bytes that audit hashes and keeps.
pub fn request_bytes(request: &CompletionRequest) -> Bytes {
    Bytes::from(serde_json::to_vec(request).unwrap_or_default())
}
