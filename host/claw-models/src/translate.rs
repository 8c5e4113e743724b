//! Calls of one dialect served by a provider of another: the request read into our own words,
//! and the answer written in the caller's. Refuses, by its name, every field that has no
//! counterpart; nothing is dropped in silence.

mod chat;
mod embeddings;
mod fields;
mod messages;
mod responses;
mod writer;

use claw_core::errors::Fault;
use claw_core::model::CompletionRequest;
use claw_core::wire::Api;
use serde_json::Value;

pub(crate) use embeddings::{embedding_answer, embedding_request};
pub(crate) use writer::{Asked, Writer};

/// A request in our own words.
///
/// # Errors
/// [`claw_core::errors::Code::InvalidInput`] for what is malformed,
/// [`claw_core::errors::Code::ModelUntranslatable`] for what has no counterpart; both name the
/// field in `details.param`.
pub(crate) fn request(api: Api, body: &Value) -> Result<CompletionRequest, Fault> {
    match api {
        Api::ChatCompletions => chat::read(body),
        Api::Responses => responses::read(body),
        Api::Messages | Api::CountTokens => messages::read(body),
        Api::Embeddings => Err(Fault::internal()),
    }
}

#[cfg(test)]
mod tests;
