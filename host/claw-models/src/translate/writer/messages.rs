//! Messages, written.

use claw_core::model::{Completion, Finish, ModelEvent, Part, Usage};
use serde_json::{Value, json};

use super::{Asked, Dialect, Out};

pub(super) struct Messages {
    asked: Asked,
    /// Blocks that were begun.
    blocks: usize,
    /// The last block is text, and open.
    in_text: bool,
}

impl Messages {
    pub(super) fn new(asked: Asked) -> Self {
        Messages {
            asked,
            blocks: 0,
            in_text: false,
        }
    }

    fn start(&mut self, block: Value, out: &mut Out) -> usize {
        let index = self.blocks;
        self.blocks += 1;
        out.typed(&json!({ "type": "content_block_start", "index": index, "content_block": block }));
        index
    }

    fn stop_text(&mut self, out: &mut Out) {
        if std::mem::take(&mut self.in_text) {
            let index = self.blocks.saturating_sub(1);
            out.typed(&json!({ "type": "content_block_stop", "index": index }));
        }
    }

    fn message(&self, content: Value, model: &str, stop: Option<&str>, usage: Value) -> Value {
        json!({
            "id": format!("msg_{}", self.asked.id),
            "type": "message",
            "role": "assistant",
            "model": model,
            "content": content,
            "stop_reason": stop,
            "stop_sequence": null,
            "usage": usage,
        })
    }
}

impl Dialect for Messages {
    fn whole(&self, done: &Completion) -> Value {
        let blocks = done.message.parts.iter().filter_map(|part| match part {
            Part::Text { text } if text.is_empty() => None,
            Part::Text { text } => Some(json!({ "type": "text", "text": text })),
            Part::ToolCall(call) => {
                let input: Value = serde_json::from_str(&call.arguments).unwrap_or_else(|_| json!({}));
                Some(json!({ "type": "tool_use", "id": call.id, "name": call.name, "input": input }))
            }
            Part::Blob { .. } | Part::Link { .. } | Part::ToolResult { .. } => None,
        });
        self.message(blocks.collect(), &done.model, Some(reason(done.finish)), usage(&done.usage))
    }

    fn begin(&mut self, out: &mut Out) {
        let known = Usage {
            input_tokens: self.asked.input_tokens,
            ..Usage::default()
        };
        let message = self.message(json!([]), &self.asked.model, None, usage(&known));
        out.typed(&json!({ "type": "message_start", "message": message }));
    }

    fn piece(&mut self, event: &ModelEvent, out: &mut Out) {
        match event {
            ModelEvent::TextDelta(text) => {
                if !self.in_text {
                    self.start(json!({ "type": "text", "text": "" }), out);
                    self.in_text = true;
                }
                let index = self.blocks.saturating_sub(1);
                let delta = json!({ "type": "text_delta", "text": text });
                out.typed(&json!({ "type": "content_block_delta", "index": index, "delta": delta }));
            }
            ModelEvent::ToolCall(call) => {
                self.stop_text(out);
                let block = json!({ "type": "tool_use", "id": call.id, "name": call.name, "input": {} });
                let index = self.start(block, out);
                let delta = json!({ "type": "input_json_delta", "partial_json": call.arguments });
                out.typed(&json!({ "type": "content_block_delta", "index": index, "delta": delta }));
                out.typed(&json!({ "type": "content_block_stop", "index": index }));
            }
            ModelEvent::Done(_) => {}
        }
    }

    fn end(&mut self, done: &Completion, out: &mut Out) {
        self.stop_text(out);
        let delta = json!({ "stop_reason": reason(done.finish), "stop_sequence": null });
        out.typed(&json!({ "type": "message_delta", "delta": delta, "usage": usage(&done.usage) }));
        out.typed(&json!({ "type": "message_stop" }));
    }
}

fn reason(finish: Finish) -> &'static str {
    match finish {
        Finish::Stop | Finish::Other => "end_turn",
        Finish::Length => "max_tokens",
        Finish::ToolCalls => "tool_use",
        Finish::Filtered => "refusal",
    }
}

/// `input_tokens` leave cached ones out; ours include them.
fn usage(usage: &Usage) -> Value {
    json!({
        "input_tokens": usage.input_tokens.saturating_sub(usage.cached_tokens),
        "output_tokens": usage.output_tokens,
        "cache_read_input_tokens": usage.cached_tokens,
        "cache_creation_input_tokens": 0,
    })
}
