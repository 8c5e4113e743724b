//! Answers in our own words, written in a caller's dialect: whole, or as the events of a
//! stream. Gives what the official SDKs parse, and nothing that the model did not say.

mod chat;
mod messages;
mod responses;

use bytes::Bytes;
use claw_core::model::{Completion, ModelEvent};
use claw_core::wire::Api;
use serde_json::Value;

/// What a dialect writes.
trait Dialect: Send {
    /// The whole answer.
    fn whole(&self, done: &Completion) -> Value;
    /// The events before the first piece.
    fn begin(&mut self, out: &mut Out);
    /// One piece.
    fn piece(&mut self, event: &ModelEvent, out: &mut Out);
    /// The events after the last piece.
    fn end(&mut self, done: &Completion, out: &mut Out);
}

/// Facts of the request that an answer repeats or depends on.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// A random part for ids.
    pub(crate) id: String,
    /// The model that is said to answer, until one does.
    pub(crate) model: String,
    /// Unix seconds.
    pub(crate) created: u64,
    /// Tokens that go in, by estimate, until the provider says.
    pub(crate) input_tokens: u64,
    /// The caller wants the usage at the end of a stream of Chat Completions.
    pub(crate) include_usage: bool,
}

/// One answer that is being written.
pub(crate) struct Writer {
    dialect: Box<dyn Dialect>,
    begun: bool,
}

impl Writer {
    /// For one answer.
    pub(crate) fn new(api: Api, asked: Asked) -> Self {
        let dialect: Box<dyn Dialect> = match api {
            Api::Messages | Api::CountTokens => Box::new(messages::Messages::new(asked)),
            Api::Responses => Box::new(responses::Responses::new(asked)),
            Api::ChatCompletions | Api::Embeddings => Box::new(chat::Chat::new(asked)),
        };
        Writer { dialect, begun: false }
    }

    /// The whole answer.
    pub(crate) fn whole(&self, done: &Completion) -> Bytes {
        Bytes::from(self.dialect.whole(done).to_string())
    }

    /// One piece, as whole events.
    pub(crate) fn piece(&mut self, event: &ModelEvent) -> Bytes {
        let mut out = self.opened();
        self.dialect.piece(event, &mut out);
        out.into_bytes()
    }

    /// The end, as whole events.
    pub(crate) fn end(&mut self, done: &Completion) -> Bytes {
        let mut out = self.opened();
        self.dialect.end(done, &mut out);
        out.into_bytes()
    }

    fn opened(&mut self) -> Out {
        let mut out = Out::default();
        if !std::mem::replace(&mut self.begun, true) {
            self.dialect.begin(&mut out);
        }
        out
    }
}

/// Events that are being put together.
#[derive(Default)]
struct Out(Vec<u8>);

impl Out {
    /// One event without a name.
    fn data(&mut self, value: &Value) {
        self.0.extend_from_slice(format!("data: {value}\n\n").as_bytes());
    }

    /// One event whose name is its `type`.
    fn typed(&mut self, value: &Value) {
        let kind = value.get("type").and_then(Value::as_str).unwrap_or("message");
        self.0
            .extend_from_slice(format!("event: {kind}\ndata: {value}\n\n").as_bytes());
    }

    fn raw(&mut self, text: &str) {
        self.0.extend_from_slice(text.as_bytes());
    }

    fn into_bytes(self) -> Bytes {
        Bytes::from(self.0)
    }
}
