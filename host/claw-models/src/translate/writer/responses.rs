//! Responses, written.

use claw_core::model::{Completion, Finish, ModelEvent, Part, ToolCall, Usage};
use serde_json::{Value, json};

use super::{Asked, Dialect, Out};

pub(super) struct Responses {
    asked: Asked,
    events: u64,
    /// Items that are whole.
    items: Vec<Value>,
    /// The text of the message item that is open.
    text: Option<String>,
}

impl Responses {
    pub(super) fn new(asked: Asked) -> Self {
        Responses {
            asked,
            events: 0,
            items: Vec::new(),
            text: None,
        }
    }

    fn send(&mut self, kind: &str, mut event: Value, out: &mut Out) {
        if let Some(fields) = event.as_object_mut() {
            fields.insert("type".to_owned(), json!(kind));
            fields.insert("sequence_number".to_owned(), json!(self.events));
        }
        self.events += 1;
        out.typed(&event);
    }

    fn response(&self, status: &str, items: &[Value], model: &str, done: Option<&Completion>) -> Value {
        let why = match done.map(|done| done.finish) {
            Some(Finish::Length) => json!({ "reason": "max_output_tokens" }),
            Some(Finish::Filtered) => json!({ "reason": "content_filter" }),
            _ => Value::Null,
        };
        json!({
            "id": format!("resp_{}", self.asked.id),
            "object": "response",
            "created_at": self.asked.created,
            "status": status,
            "error": null,
            "incomplete_details": why,
            "instructions": null,
            "metadata": {},
            "model": model,
            "output": items,
            "parallel_tool_calls": true,
            "temperature": null,
            "tool_choice": "auto",
            "tools": [],
            "top_p": null,
            "usage": done.map(|done| usage(&done.usage)),
        })
    }

    fn id(&self, prefix: &str, place: usize) -> String {
        format!("{prefix}_{}{place}", self.asked.id)
    }

    fn message(&self, place: usize, text: &str, status: &str) -> Value {
        let part = json!({ "type": "output_text", "text": text, "annotations": [], "logprobs": [] });
        json!({ "id": self.id("msg", place), "type": "message", "role": "assistant", "status": status, "content": [part] })
    }

    fn call(&self, place: usize, call: &ToolCall, arguments: &str, status: &str) -> Value {
        json!({
            "id": self.id("fc", place), "type": "function_call", "call_id": call.id, "name": call.name,
            "arguments": arguments, "status": status,
        })
    }

    fn open_text(&mut self, out: &mut Out) {
        if self.text.is_some() {
            return;
        }
        self.text = Some(String::new());
        let place = self.items.len();
        let id = self.id("msg", place);
        let item = json!({ "id": id, "type": "message", "role": "assistant", "status": "in_progress", "content": [] });
        self.send(
            "response.output_item.added",
            json!({ "output_index": place, "item": item }),
            out,
        );
        let part = json!({ "type": "output_text", "text": "", "annotations": [], "logprobs": [] });
        let event = json!({ "item_id": id, "output_index": place, "content_index": 0, "part": part });
        self.send("response.content_part.added", event, out);
    }

    fn close_text(&mut self, out: &mut Out) {
        let Some(text) = self.text.take() else { return };
        let place = self.items.len();
        let id = self.id("msg", place);
        let event = json!({ "item_id": id, "output_index": place, "content_index": 0, "text": text, "logprobs": [] });
        self.send("response.output_text.done", event, out);
        let part = json!({ "type": "output_text", "text": text, "annotations": [], "logprobs": [] });
        let event = json!({ "item_id": id, "output_index": place, "content_index": 0, "part": part });
        self.send("response.content_part.done", event, out);
        let item = self.message(place, &text, "completed");
        self.send(
            "response.output_item.done",
            json!({ "output_index": place, "item": item }),
            out,
        );
        self.items.push(item);
    }
}

impl Dialect for Responses {
    fn whole(&self, done: &Completion) -> Value {
        let text = done.message.joined_text();
        let mut items = Vec::new();
        if !text.is_empty() {
            items.push(self.message(0, &text, "completed"));
        }
        for part in &done.message.parts {
            if let Part::ToolCall(call) = part {
                items.push(self.call(items.len(), call, &call.arguments, "completed"));
            }
        }
        self.response(status(done.finish), &items, &done.model, Some(done))
    }

    fn begin(&mut self, out: &mut Out) {
        let response = self.response("in_progress", &[], &self.asked.model, None);
        self.send("response.created", json!({ "response": response }), out);
        self.send("response.in_progress", json!({ "response": response }), out);
    }

    fn piece(&mut self, event: &ModelEvent, out: &mut Out) {
        match event {
            ModelEvent::TextDelta(delta) => {
                self.open_text(out);
                let place = self.items.len();
                let event = json!({
                    "item_id": self.id("msg", place), "output_index": place, "content_index": 0, "delta": delta, "logprobs": [],
                });
                self.send("response.output_text.delta", event, out);
                if let Some(text) = &mut self.text {
                    text.push_str(delta);
                }
            }
            ModelEvent::ToolCall(call) => {
                self.close_text(out);
                let place = self.items.len();
                let id = self.id("fc", place);
                let item = self.call(place, call, "", "in_progress");
                self.send(
                    "response.output_item.added",
                    json!({ "output_index": place, "item": item }),
                    out,
                );
                let event = json!({ "item_id": id, "output_index": place, "delta": call.arguments });
                self.send("response.function_call_arguments.delta", event, out);
                let event = json!({ "item_id": id, "output_index": place, "name": call.name, "arguments": call.arguments });
                self.send("response.function_call_arguments.done", event, out);
                let item = self.call(place, call, &call.arguments, "completed");
                self.send(
                    "response.output_item.done",
                    json!({ "output_index": place, "item": item }),
                    out,
                );
                self.items.push(item);
            }
            ModelEvent::Done(_) => {}
        }
    }

    fn end(&mut self, done: &Completion, out: &mut Out) {
        self.close_text(out);
        let status = status(done.finish);
        let response = self.response(status, &self.items, &done.model, Some(done));
        self.send(&format!("response.{status}"), json!({ "response": response }), out);
    }
}

fn status(finish: Finish) -> &'static str {
    match finish {
        Finish::Length | Finish::Filtered => "incomplete",
        Finish::Stop | Finish::ToolCalls | Finish::Other => "completed",
    }
}

fn usage(usage: &Usage) -> Value {
    json!({
        "input_tokens": usage.input_tokens,
        "input_tokens_details": { "cached_tokens": usage.cached_tokens },
        "output_tokens": usage.output_tokens,
        "output_tokens_details": { "reasoning_tokens": usage.reasoning_tokens },
        "total_tokens": usage.input_tokens.saturating_add(usage.output_tokens),
    })
}
