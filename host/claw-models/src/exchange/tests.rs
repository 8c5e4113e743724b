#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may stop at the first surprise"
)]

use std::time::Duration;

use claw_core::errors::Code;
use claw_core::model::Usage;
use claw_core::ports::Models as _;
use serde_json::json;

use super::*;
use crate::testing::{CANARY, Reply, Upstream, ask, models};

mod failures;
mod schemas;
mod streams;
mod waits;

const ANTHROPIC_TEXT: &str = include_str!("../../testdata/anthropic-text.sse");
const OPENAI_TEXT: &str = include_str!("../../testdata/openai-text.sse");
const OLLAMA_TEXT: &str = include_str!("../../testdata/ollama-text.ndjson");

/// What providers say instead of an answer: message, type.
fn error(message: &str, kind: &str) -> Value {
    json!({ "type": "error", "error": { "type": kind, "message": message } })
}

fn openai_answer(text: &str) -> Value {
    json!({ "model": "m", "choices": [{ "message": { "role": "assistant", "content": text }, "finish_reason": "stop" }],
            "usage": { "prompt_tokens": 10, "completion_tokens": 2, "total_tokens": 12 } })
}

fn url_for(provider: &str, upstream: &Upstream) -> String {
    if provider == "openai" {
        format!("{}/v1", upstream.url)
    } else {
        upstream.url.clone()
    }
}
