//! OpenAI's Embeddings, read and written. Refuses tokens instead of texts: they are numbers of
//! one model's own.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use claw_core::errors::Fault;
use claw_core::model::Embeddings;
use serde_json::{Value, json};

use super::fields::{Fields, malformed, untranslatable};

/// What is asked.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct EmbeddingRequest {
    pub(crate) texts: Vec<String>,
    /// The vectors are wanted as base64 of little-endian 32-bit floats.
    pub(crate) base64: bool,
}

/// The request in our own words.
///
/// # Errors
/// As [`super::request`].
pub(crate) fn embedding_request(body: &Value) -> Result<EmbeddingRequest, Fault> {
    let mut fields = Fields::of(body, "")?;
    fields.ignore(&["model", "user"]);
    let base64 = match fields.text("encoding_format")?.as_deref() {
        None | Some("float") => false,
        Some("base64") => true,
        Some(_) => return Err(malformed("encoding_format", "must be `float` or `base64`")),
    };
    let texts = match fields.take("input") {
        Some(Value::String(text)) => vec![text],
        Some(Value::Array(items)) if !items.is_empty() => items
            .into_iter()
            .map(|item| match item {
                Value::String(text) => Ok(text),
                Value::Number(_) | Value::Array(_) => Err(untranslatable("input")),
                _ => Err(malformed("input", "must hold texts")),
            })
            .collect::<Result<_, _>>()?,
        _ => return Err(malformed("input", "must be a text or a list of texts")),
    };
    fields.end()?;
    Ok(EmbeddingRequest { texts, base64 })
}

/// The answer in OpenAI's words.
pub(crate) fn embedding_answer(done: &Embeddings, base64: bool) -> Bytes {
    let vector = |vector: &Vec<f32>| {
        if base64 {
            let bytes: Vec<u8> = vector.iter().flat_map(|number| number.to_le_bytes()).collect();
            json!(STANDARD.encode(bytes))
        } else {
            json!(vector)
        }
    };
    let each = done.vectors.iter().enumerate();
    let data: Vec<Value> = each
        .map(|(index, numbers)| json!({ "object": "embedding", "index": index, "embedding": vector(numbers) }))
        .collect();
    let tokens = done.usage.input_tokens;
    let body = json!({
        "object": "list",
        "data": data,
        "model": done.model,
        "usage": { "prompt_tokens": tokens, "total_tokens": tokens },
    });
    Bytes::from(body.to_string())
}
