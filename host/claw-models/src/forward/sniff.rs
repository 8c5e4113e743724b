//! What a passing answer says about itself: usage, the end, errors, and whether the model has
//! begun to answer. Changes nothing, and understands no more than that.

use claw_core::model::Finish;
use claw_core::wire::Api;
use serde_json::Value;

use super::split::Event;
use crate::answer::Counts;
use crate::dialect;

/// What is known of an answer so far.
#[derive(Debug, Default)]
pub(super) struct Sniffed {
    pub(super) counts: Counts,
    pub(super) model: Option<String>,
    pub(super) finish: Option<Finish>,
    /// Bytes of what was said, about.
    pub(super) said: u64,
    /// The model has begun to answer.
    pub(super) begun: bool,
}

/// What one event means for the stream.
#[derive(Debug, PartialEq)]
pub(super) enum Meaning {
    /// It goes on.
    More,
    /// It is the usage that only we asked for.
    OurUsage,
    /// It is the last one.
    End,
    /// The provider reports an error.
    Error(Value),
    /// It is not JSON.
    Garbage,
}

impl Sniffed {
    /// Looks at one event of a stream.
    pub(super) fn event(&mut self, api: Api, event: &Event) -> Meaning {
        let data = event.data.trim();
        if data.is_empty() {
            return Meaning::More;
        }
        if data == "[DONE]" {
            return Meaning::End;
        }
        // Most events of a stream that runs hold nothing but more of the answer.
        if self.begun && !event.is_error && api == Api::ChatCompletions && is_plain(data) {
            self.said += data.len().saturating_sub(ENVELOPE) as u64;
            return Meaning::More;
        }
        let Ok(value) = serde_json::from_str::<Value>(data) else {
            return Meaning::Garbage;
        };
        if event.is_error || value.get("error").is_some_and(|error| !error.is_null()) {
            return Meaning::Error(value);
        }
        match api {
            Api::ChatCompletions | Api::Embeddings => self.chat(&value),
            Api::Messages | Api::CountTokens => self.messages(&value, data),
            Api::Responses => self.responses(&value),
        }
    }

    fn chat(&mut self, value: &Value) -> Meaning {
        self.named(value);
        dialect::openai_usage(&mut self.counts, value);
        let choices = value
            .get("choices")
            .and_then(Value::as_array)
            .map(Vec::as_slice)
            .unwrap_or_default();
        for choice in choices {
            if let Some(Value::Object(delta)) = choice.get("delta") {
                let says = |(key, value): (&String, &Value)| key != "role" && !is_nothing(value);
                self.begun |= delta.iter().any(says);
                self.said += delta.values().map(length).sum::<u64>();
            }
            if let Some(finish) = dialect::openai_finish(choice) {
                self.finish = Some(finish);
                self.begun = true;
            }
        }
        if choices.is_empty() && value.get("usage").is_some_and(Value::is_object) {
            return Meaning::OurUsage;
        }
        Meaning::More
    }

    fn messages(&mut self, value: &Value, data: &str) -> Meaning {
        match value.get("type").and_then(Value::as_str) {
            Some("message_start") => {
                let message = value.get("message").unwrap_or(&Value::Null);
                self.named(message);
                dialect::anthropic_usage(&mut self.counts, message.get("usage"));
                // What was made so far is said here; how much it is in the end, at the end.
                self.counts.output = None;
            }
            Some("content_block_start") => self.begun = true,
            Some("content_block_delta") => {
                self.begun = true;
                self.said += data.len().saturating_sub(ENVELOPE) as u64;
            }
            Some("message_delta") => {
                self.begun = true;
                dialect::anthropic_usage(&mut self.counts, value.get("usage"));
                let reason = value.pointer("/delta/stop_reason");
                self.finish = dialect::anthropic_finish(reason).or(self.finish);
            }
            Some("message_stop") => return Meaning::End,
            _ => {}
        }
        Meaning::More
    }

    fn responses(&mut self, value: &Value) -> Meaning {
        let kind = value.get("type").and_then(Value::as_str).unwrap_or_default();
        let response = value.get("response").unwrap_or(&Value::Null);
        match kind {
            "response.created" | "response.in_progress" | "response.queued" => {
                self.named(response);
                Meaning::More
            }
            "response.completed" | "response.incomplete" => {
                self.response(response);
                self.begun = true;
                Meaning::End
            }
            "response.failed" => {
                self.response(response);
                Meaning::Error(response.clone())
            }
            "error" => Meaning::Error(value.clone()),
            _ => {
                self.begun = true;
                self.said += value.get("delta").map_or(0, length);
                Meaning::More
            }
        }
    }

    /// Looks at a whole answer.
    ///
    /// # Errors
    /// Words that complete "the answer of the provider …".
    pub(super) fn whole(&mut self, api: Api, value: &Value) -> Result<(), &'static str> {
        self.named(value);
        match api {
            Api::ChatCompletions => {
                let choice = value.pointer("/choices/0").ok_or("holds no choice")?;
                dialect::openai_usage(&mut self.counts, value);
                self.finish = dialect::openai_finish(choice);
                self.said = choice.get("message").map_or(0, length);
            }
            Api::Embeddings => {
                value.get("data").filter(|data| data.is_array()).ok_or("holds no vectors")?;
                self.counts.input = value.pointer("/usage/prompt_tokens").and_then(Value::as_u64);
                self.counts.output = Some(0);
            }
            Api::Messages => {
                let content = value.get("content").filter(|content| content.is_array());
                self.said = length(content.ok_or("holds no content")?);
                dialect::anthropic_usage(&mut self.counts, value.get("usage"));
                self.finish = dialect::anthropic_finish(value.get("stop_reason"));
            }
            Api::CountTokens => {
                value
                    .get("input_tokens")
                    .filter(|count| count.is_u64())
                    .ok_or("holds no count")?;
                (self.counts.input, self.counts.output) = (Some(0), Some(0));
            }
            Api::Responses => {
                value
                    .get("output")
                    .filter(|output| output.is_array())
                    .ok_or("holds no output")?;
                self.response(value);
            }
        }
        Ok(())
    }

    fn response(&mut self, response: &Value) {
        self.named(response);
        let number = |pointer: &str| response.pointer(pointer).and_then(Value::as_u64);
        if let Some(input) = number("/usage/input_tokens") {
            self.counts = Counts {
                input: Some(input),
                output: number("/usage/output_tokens"),
                cached: number("/usage/input_tokens_details/cached_tokens").unwrap_or_default(),
                cache_written: number("/usage/input_tokens_details/cache_write_tokens").unwrap_or_default(),
                cache_written_1h: 0,
                reasoning: number("/usage/output_tokens_details/reasoning_tokens").unwrap_or_default(),
            };
        }
        let why = response.pointer("/incomplete_details/reason").and_then(Value::as_str);
        self.finish = Some(match (response.get("status").and_then(Value::as_str), why) {
            (Some("completed"), _) => Finish::Stop,
            (_, Some("max_output_tokens")) => Finish::Length,
            (_, Some("content_filter")) => Finish::Filtered,
            _ => Finish::Other,
        });
        self.said = self.said.max(response.get("output").map_or(0, length));
    }

    fn named(&mut self, value: &Value) {
        if self.model.is_none() {
            self.model = value
                .get("model")
                .and_then(Value::as_str)
                .filter(|name| !name.is_empty())
                .map(str::to_owned);
        }
    }
}

/// What stands around a few words in an event, in bytes, about.
const ENVELOPE: usize = 160;

/// A chunk that only carries on: it names no usage but null, no end, and no error. A text that
/// holds these words is looked at properly.
fn is_plain(data: &str) -> bool {
    let quiet = |key: &str| match data.find(key) {
        None => true,
        Some(at) => data
            .get(at + key.len()..)
            .is_some_and(|rest| rest.trim_start_matches([':', ' ']).starts_with("null")),
    };
    quiet("\"usage\"")
        && quiet("\"finish_reason\"")
        && !data.contains("\"error\"")
        && data.starts_with('{')
        && data.ends_with('}')
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

/// The bytes of all texts of a value.
fn length(value: &Value) -> u64 {
    let mut open = vec![value];
    let mut bytes = 0;
    while let Some(value) = open.pop() {
        match value {
            Value::String(text) => bytes += text.len() as u64,
            Value::Array(items) => open.extend(items),
            Value::Object(fields) => open.extend(fields.values()),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
    bytes
}
