//! A model call in the words of a caller's own SDK. Same dialect upstream: the bytes pass
//! through; another one: they are translated by whoever speaks to the provider. Says nothing
//! about HTTP beyond statuses and headers that both ends know.

pub mod errors;

use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use futures::Stream;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::errors::Fault;
use crate::meter::Meter;
use crate::model::{Finish, ModelRoute, Usage};
use crate::pii::Vault;

/// An endpoint that official SDKs call, which is also the dialect of its body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Api {
    /// OpenAI's `POST /v1/chat/completions`.
    ChatCompletions,
    /// OpenAI's `POST /v1/responses`.
    Responses,
    /// OpenAI's `POST /v1/embeddings`.
    Embeddings,
    /// Anthropic's `POST /v1/messages`.
    Messages,
    /// Anthropic's `POST /v1/messages/count_tokens`.
    CountTokens,
}

/// Whose SDK it is; errors and listings have one shape in each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Family {
    /// `openai`.
    OpenAi,
    /// `anthropic`.
    Anthropic,
}

impl Api {
    /// Whose it is.
    pub fn family(self) -> Family {
        match self {
            Api::ChatCompletions | Api::Responses | Api::Embeddings => Family::OpenAi,
            Api::Messages | Api::CountTokens => Family::Anthropic,
        }
    }

    /// The name in audit entries, metrics and listings.
    pub fn as_str(self) -> &'static str {
        match self {
            Api::ChatCompletions => "chat_completions",
            Api::Responses => "responses",
            Api::Embeddings => "embeddings",
            Api::Messages => "messages",
            Api::CountTokens => "count_tokens",
        }
    }
}

/// A request as its caller wrote it.
#[derive(Clone, Debug)]
pub struct WireRequest {
    /// Where it was sent.
    pub api: Api,
    /// The body as it came, byte by byte. Where policy masked something, what is to be sent.
    pub body: Bytes,
    /// The same, parsed: an object.
    pub value: Arc<Value>,
    /// The caller wants events as they are made.
    pub stream: bool,
    /// Headers of the dialect that mean something upstream: `anthropic-beta`,
    /// `anthropic-version`, `openai-beta`. Names in lower case, never a credential.
    pub headers: Vec<(String, String)>,
    /// What placeholders of the body stand for. Of a streamed answer, whoever makes it puts them
    /// back; of a whole one, whoever asked.
    pub masked: Option<Arc<Vault>>,
}

impl WireRequest {
    /// The model, alias or use that the caller named.
    pub fn model(&self) -> &str {
        self.value.get("model").and_then(Value::as_str).unwrap_or_default()
    }

    /// The most tokens that the caller wants made for an answer. Of several limits the largest:
    /// not every server knows each of them.
    pub fn max_output_tokens(&self) -> Option<u64> {
        let number = |key: &str| self.value.get(key).and_then(Value::as_u64);
        let limits = ["max_completion_tokens", "max_output_tokens", "max_tokens"].into_iter();
        limits.filter_map(number).max()
    }

    /// How many answers the caller wants to one request.
    pub fn answers(&self) -> u64 {
        self.value.get("n").and_then(Value::as_u64).unwrap_or(1).max(1)
    }
}

/// One call of a provider in a caller's own words.
pub struct WireCall {
    /// What is asked.
    pub request: WireRequest,
    /// When it is given up.
    pub deadline: Instant,
    /// Where attempts, and what was used so far, are written down.
    pub meter: Arc<Meter>,
}

/// The answer, in the caller's dialect.
pub struct WireAnswer {
    /// What served it.
    pub route: ModelRoute,
    /// Headers of the provider that the caller's SDK reads: its request id, its rate limits.
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// The rest.
    pub body: WireBody,
}

/// The body of an answer.
pub enum WireBody {
    /// All of it.
    Whole(Bytes, Box<WireDone>),
    /// As it is made.
    Stream(WireStream),
}

/// An answer as it is made. Dropping it cancels the call upstream. It ends after `Done` or
/// after the first error; an end without either is an error that the consumer raises.
pub type WireStream = Pin<Box<dyn Stream<Item = Result<WirePiece, Fault>> + Send>>;

/// A piece of a streamed answer.
#[derive(Clone, Debug, PartialEq)]
pub enum WirePiece {
    /// Whole server-sent events in the caller's dialect, terminator included.
    Bytes(Bytes),
    /// The answer is whole.
    Done(Box<WireDone>),
}

/// What is known when an answer is whole.
#[derive(Clone, Debug, PartialEq)]
pub struct WireDone {
    /// What it used.
    pub usage: Usage,
    /// Why the model stopped, where it says.
    pub finish: Option<Finish>,
    /// The model that served it, as the provider named it.
    pub model: String,
    /// Of a stream, the events with which it ends; they leave once the call is on record.
    pub last: Bytes,
}
