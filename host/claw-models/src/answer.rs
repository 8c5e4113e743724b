//! A provider's whole answer in our own words, whichever dialect it came in, and its way
//! to a [`Completion`]. Refuses tool calls whose arguments are not one JSON object.

use claw_core::cost::Tokens;
use claw_core::model::{Completion, CompletionRequest, Finish, Message, Part, Role, ToolCall, Usage};
use serde_json::Value;

use crate::config::Entry;
use crate::text::{clean, clip};

/// The longest answer that is put together, in bytes of text and arguments.
pub(crate) const MAX_ANSWER: usize = 32 * 1024 * 1024;

/// A whole answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Answer {
    pub(crate) parts: Vec<Part>,
    pub(crate) finish: Option<Finish>,
    pub(crate) counts: Counts,
    /// The model as the provider named it.
    pub(crate) model: Option<String>,
    size: usize,
}

/// What a provider said that it counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Cached ones included.
    pub(crate) input: Option<u64>,
    /// Reasoning ones included.
    pub(crate) output: Option<u64>,
    pub(crate) cached: u64,
    pub(crate) cache_written: u64,
    /// Of those written, for an hour.
    pub(crate) cache_written_1h: u64,
    pub(crate) reasoning: u64,
}

/// The answer is longer than [`MAX_ANSWER`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooLong;

impl Answer {
    /// Nothing yet, from the model of this name.
    pub(crate) fn of(model: Option<String>) -> Self {
        Answer {
            model,
            ..Answer::default()
        }
    }

    /// More text, joined to the text before it.
    pub(crate) fn push_text(&mut self, more: &str) -> Result<(), TooLong> {
        self.grow(more.len())?;
        match self.parts.last_mut() {
            Some(Part::Text { text }) => text.push_str(more),
            _ if more.is_empty() => {}
            _ => self.parts.push(Part::Text { text: more.to_owned() }),
        }
        Ok(())
    }

    /// One more tool call.
    pub(crate) fn push_call(&mut self, call: ToolCall) -> Result<(), TooLong> {
        self.grow(call.arguments.len())?;
        self.parts.push(Part::ToolCall(call));
        Ok(())
    }

    /// Counts bytes that are kept elsewhere until they are whole.
    pub(crate) fn grow(&mut self, bytes: usize) -> Result<(), TooLong> {
        self.size = self.size.saturating_add(bytes);
        if self.size > MAX_ANSWER { Err(TooLong) } else { Ok(()) }
    }

    /// What was used so far, by what was said so far.
    pub(crate) fn so_far(&self, entry: &Entry, estimated_input: u64) -> Usage {
        self.counts.usage(entry, estimated_input, || (self.size as u64).div_ceil(4))
    }

    pub(crate) fn has_calls(&self) -> bool {
        self.parts.iter().any(|part| matches!(part, Part::ToolCall(_)))
    }

    /// The answer as the caller gets it; `estimated_input` counts where the provider does not.
    pub(crate) fn completion(self, entry: &Entry, estimated_input: u64, attempts: u32) -> Completion {
        let has_calls = self.has_calls();
        let message = Message {
            role: Role::Assistant,
            parts: self.parts,
        };
        let finish = match self.finish.unwrap_or(Finish::Other) {
            // Some compatible servers say `stop` although they want tools called.
            Finish::Stop if has_calls => Finish::ToolCalls,
            finish => finish,
        };
        let usage = self.counts.usage(entry, estimated_input, || estimate_message(&message));
        Completion {
            finish,
            usage,
            model: model_name(self.model.as_deref(), entry),
            provider: entry.provider.as_str().to_owned(),
            offline: false,
            attempts,
            message,
        }
    }
}

impl Counts {
    /// The usage and its cost; what the provider did not say is estimated, and marked.
    pub(crate) fn usage(&self, entry: &Entry, estimated_input: u64, output: impl FnOnce() -> u64) -> Usage {
        let input_tokens = self.input.unwrap_or(estimated_input);
        let output_tokens = self.output.unwrap_or_else(output);
        let cached_tokens = self.cached.min(input_tokens);
        let tokens = Tokens {
            input: input_tokens,
            cached: cached_tokens,
            cache_written: self.cache_written,
            cache_written_1h: self.cache_written_1h,
            output: output_tokens,
            reasoning: self.reasoning,
            images: 0,
        };
        Usage {
            input_tokens,
            output_tokens,
            cached_tokens,
            reasoning_tokens: self.reasoning.min(output_tokens),
            cost_nanousd: entry.price.map(|price| price.cost_nanousd(&tokens)),
            estimated: self.input.is_none() || self.output.is_none(),
        }
    }
}

/// The model as the provider named it, if that can stand in a row of the audit journal.
pub(crate) fn model_name(named: Option<&str>, entry: &Entry) -> String {
    let named = named.map(|named| clip(&clean(named, &entry.secrets), 128));
    named.filter(|named| !named.is_empty()).unwrap_or_else(|| entry.model.clone())
}

/// Tokens of a text by the rule of thumb of four bytes each, rounded up.
pub(crate) fn estimate(text: &str) -> u64 {
    (text.len() as u64).div_ceil(4)
}

pub(crate) fn estimate_request(request: &CompletionRequest) -> u64 {
    request.messages.iter().map(estimate_message).sum()
}

pub(crate) fn estimate_message(message: &Message) -> u64 {
    let part = |part: &Part| match part {
        Part::Text { text } => estimate(text),
        Part::ToolCall(call) => estimate(&call.name) + estimate(&call.arguments),
        Part::ToolResult { content, .. } => estimate(content),
        // An image's tokens do not follow from its bytes; this is what a small one costs.
        Part::Blob { .. } | Part::Link { .. } => 500,
    };
    message.parts.iter().map(part).sum()
}

/// A tool call's arguments as one JSON object, or `None` where they are none. No arguments
/// at all mean an empty object.
pub(crate) fn arguments(text: &str) -> Option<String> {
    if text.trim().is_empty() {
        return Some("{}".to_owned());
    }
    match serde_json::from_str::<Value>(text) {
        Ok(Value::Object(_)) => Some(text.to_owned()),
        Ok(_) | Err(_) => None,
    }
}
