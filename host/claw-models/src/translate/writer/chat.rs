//! Chat Completions, written.

use claw_core::model::{Completion, Finish, ModelEvent, Part, ToolCall, Usage};
use serde_json::{Map, Value, json};

use super::{Asked, Dialect, Out};

pub(super) struct Chat {
    asked: Asked,
    calls: usize,
}

impl Chat {
    pub(super) fn new(asked: Asked) -> Self {
        Chat { asked, calls: 0 }
    }

    fn chunk(&self, choices: Value, usage: Option<Value>) -> Value {
        let mut chunk = json!({
            "id": format!("chatcmpl-{}", self.asked.id),
            "object": "chat.completion.chunk",
            "created": self.asked.created,
            "model": self.asked.model,
            "choices": choices,
        });
        if let (true, Some(chunk)) = (self.asked.include_usage, chunk.as_object_mut()) {
            chunk.insert("usage".to_owned(), usage.unwrap_or(Value::Null));
        }
        chunk
    }

    fn delta(&self, delta: Value, finish: Option<&str>) -> Value {
        self.chunk(
            json!([{ "index": 0, "delta": delta, "logprobs": null, "finish_reason": finish }]),
            None,
        )
    }
}

impl Dialect for Chat {
    fn whole(&self, done: &Completion) -> Value {
        let text = done.message.joined_text();
        let calls: Vec<Value> = calls(done).map(call).collect();
        let mut message = Map::new();
        message.insert("role".to_owned(), json!("assistant"));
        message.insert("content".to_owned(), if text.is_empty() { Value::Null } else { json!(text) });
        message.insert("refusal".to_owned(), Value::Null);
        if !calls.is_empty() {
            message.insert("tool_calls".to_owned(), Value::Array(calls));
        }
        json!({
            "id": format!("chatcmpl-{}", self.asked.id),
            "object": "chat.completion",
            "created": self.asked.created,
            "model": done.model,
            "choices": [{ "index": 0, "message": message, "logprobs": null, "finish_reason": reason(done.finish) }],
            "usage": usage(&done.usage),
        })
    }

    fn begin(&mut self, out: &mut Out) {
        out.data(&self.delta(json!({ "role": "assistant", "content": "", "refusal": null }), None));
    }

    fn piece(&mut self, event: &ModelEvent, out: &mut Out) {
        match event {
            ModelEvent::TextDelta(text) => out.data(&self.delta(json!({ "content": text }), None)),
            ModelEvent::ToolCall(made) => {
                let index = self.calls;
                self.calls += 1;
                let head = json!({ "name": made.name, "arguments": "" });
                let start = json!([{ "index": index, "id": made.id, "type": "function", "function": head }]);
                out.data(&self.delta(json!({ "tool_calls": start }), None));
                let rest = json!([{ "index": index, "function": { "arguments": made.arguments } }]);
                out.data(&self.delta(json!({ "tool_calls": rest }), None));
            }
            ModelEvent::Done(_) => {}
        }
    }

    fn end(&mut self, done: &Completion, out: &mut Out) {
        out.data(&self.delta(json!({}), Some(reason(done.finish))));
        if self.asked.include_usage {
            out.data(&self.chunk(json!([]), Some(usage(&done.usage))));
        }
        out.raw("data: [DONE]\n\n");
    }
}

fn calls(done: &Completion) -> impl Iterator<Item = &ToolCall> {
    done.message.parts.iter().filter_map(|part| match part {
        Part::ToolCall(call) => Some(call),
        _ => None,
    })
}

fn call(call: &ToolCall) -> Value {
    json!({ "id": call.id, "type": "function", "function": { "name": call.name, "arguments": call.arguments } })
}

fn reason(finish: Finish) -> &'static str {
    match finish {
        Finish::Stop | Finish::Other => "stop",
        Finish::Length => "length",
        Finish::ToolCalls => "tool_calls",
        Finish::Filtered => "content_filter",
    }
}

/// `prompt_tokens` include cached ones, as ours do.
fn usage(usage: &Usage) -> Value {
    json!({
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.input_tokens.saturating_add(usage.output_tokens),
        "prompt_tokens_details": { "cached_tokens": usage.cached_tokens },
        "completion_tokens_details": { "reasoning_tokens": usage.reasoning_tokens },
    })
}
