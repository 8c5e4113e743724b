//! What the door wants to know of a request, in whichever words it came. Shows every text that
//! a model would read, and changes none.

use bytes::Bytes;

use super::CAPABILITY;
use crate::model::{CompletionRequest, Part};
use crate::pii::texts;
use crate::policy::Texts;
use crate::routing::Kind;
use crate::wire::{Api, WireRequest};

/// A request.
pub(super) trait Asked: Texts {
    /// What is called, in audit entries.
    fn capability(&self) -> &'static str;
    /// What kind of call it is.
    fn kind(&self) -> Kind;
    /// The endpoint it came by.
    fn api(&self) -> Option<Api>;
    /// The bytes that audit hashes and keeps.
    fn body(&self) -> Bytes;
    /// The most tokens that are to come out.
    fn output_tokens(&self) -> Option<u64>;

    /// How many answers are wanted.
    fn answers(&self) -> u64 {
        1
    }

    /// Whether an answer that does not fit a schema is asked for again.
    fn fits_schema(&self) -> bool {
        false
    }

    /// About how many tokens go in: four bytes each.
    fn input_tokens(&self) -> u64 {
        let mut bytes = 0;
        self.visit(&mut |text| bytes += text.len() as u64);
        bytes.div_ceil(4)
    }
}

impl Texts for CompletionRequest {
    fn visit(&self, see: &mut dyn FnMut(&str)) {
        for part in self.messages.iter().flat_map(|message| &message.parts) {
            match part {
                Part::Text { text } => see(text),
                Part::ToolCall(call) => {
                    see(&call.name);
                    see(&call.arguments);
                }
                Part::ToolResult { content, .. } => see(content),
                Part::Link { url } => see(url),
                Part::Blob { .. } => {}
            }
        }
        for tool in &self.tools {
            see(&tool.name);
            see(&tool.description);
            texts(&tool.schema, see);
        }
        self.stop.iter().chain(&self.user).for_each(|text| see(text));
        self.response_schema.iter().for_each(|schema| texts(schema, see));
        self.extra.values().for_each(|value| texts(value, see));
    }
}

impl Asked for CompletionRequest {
    fn capability(&self) -> &'static str {
        CAPABILITY
    }

    fn kind(&self) -> Kind {
        Kind::Completion
    }

    fn api(&self) -> Option<Api> {
        None
    }

    fn body(&self) -> Bytes {
        crate::model::request_bytes(self)
    }

    fn output_tokens(&self) -> Option<u64> {
        self.max_tokens.map(u64::from)
    }

    fn fits_schema(&self) -> bool {
        self.response_schema.is_some()
    }
}

/// A batch of texts.
pub(super) struct Texted<'a>(pub(super) &'a [String]);

impl Texts for Texted<'_> {
    fn visit(&self, see: &mut dyn FnMut(&str)) {
        self.0.iter().for_each(|text| see(text));
    }
}

impl Asked for Texted<'_> {
    fn capability(&self) -> &'static str {
        CAPABILITY
    }

    fn kind(&self) -> Kind {
        Kind::Embedding
    }

    fn api(&self) -> Option<Api> {
        None
    }

    fn body(&self) -> Bytes {
        serde_json::to_vec(self.0).unwrap_or_default().into()
    }

    fn output_tokens(&self) -> Option<u64> {
        Some(0)
    }
}

impl Texts for WireRequest {
    fn visit(&self, see: &mut dyn FnMut(&str)) {
        texts(&self.value, see);
    }

    fn unreadable(&self) -> Option<&'static str> {
        let input = self.value.get("input").filter(|_| self.api == Api::Embeddings)?.as_array()?;
        let is_token = |item: &serde_json::Value| {
            item.is_number()
                || item
                    .as_array()
                    .is_some_and(|items| items.iter().any(serde_json::Value::is_number))
        };
        input
            .iter()
            .any(is_token)
            .then_some("`input` holds token ids, which cannot be looked through; send texts")
    }
}

impl Asked for WireRequest {
    fn capability(&self) -> &'static str {
        match self.api {
            Api::CountTokens => "llm.count_tokens",
            Api::ChatCompletions | Api::Responses | Api::Embeddings | Api::Messages => CAPABILITY,
        }
    }

    fn kind(&self) -> Kind {
        Kind::Wire(self.api)
    }

    fn api(&self) -> Option<Api> {
        Some(self.api)
    }

    fn body(&self) -> Bytes {
        self.body.clone()
    }

    fn output_tokens(&self) -> Option<u64> {
        match self.api {
            Api::Embeddings | Api::CountTokens => Some(0),
            Api::ChatCompletions | Api::Responses | Api::Messages => self.max_output_tokens(),
        }
    }

    fn answers(&self) -> u64 {
        WireRequest::answers(self)
    }

    fn fits_schema(&self) -> bool {
        let places = [
            "/response_format/json_schema",
            "/text/format/schema",
            "/output_config/format",
            "/output_format",
        ];
        places.iter().any(|place| self.value.pointer(place).is_some())
    }
}
