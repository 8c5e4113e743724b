//! OpenAI's Chat Completions: what is answered, with the habits of compatible servers.
//! Refuses a stream without `[DONE]`, or an answer without a reason for its end.

use claw_core::model::Finish;
use serde_json::Value;

use crate::answer::{Answer, Counts};
use crate::dialect::Vectors;
use crate::dialect::fold::{Broken, Fold, Folding, new_call_id, tool_call};

/// A whole answer.
pub(in crate::dialect) fn answer(body: &Value) -> Result<Answer, Broken> {
    let choice = body
        .get("choices")
        .and_then(|choices| choices.get(0))
        .ok_or_else(|| Broken::Bad("holds no choice".to_owned()))?;
    let message = choice
        .get("message")
        .ok_or_else(|| Broken::Bad("holds no message".to_owned()))?;
    let mut answer = Answer::of(text_at(body, "model"));
    answer.finish = Some(finish(choice).ok_or_else(|| Broken::Bad("does not say why it ended".to_owned()))?);
    read_usage(&mut answer.counts, body);
    answer.push_text(&content(message.get("content")))?;
    if let Some(refusal) = text_at(message, "refusal").filter(|refusal| !refusal.is_empty()) {
        answer.push_text(&refusal)?;
        answer.finish = Some(Finish::Filtered);
    }
    let calls = message
        .get("tool_calls")
        .and_then(Value::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default();
    for call in calls {
        let mut open = Open::default();
        open.add(call);
        match open.close() {
            Ok(call) => answer.push_call(call)?,
            Err(_) if answer.finish == Some(Finish::Length) => {}
            Err(broken) => return Err(broken),
        }
    }
    Ok(answer)
}

/// Vectors, put into the order of their texts.
pub(in crate::dialect) fn vectors(body: &Value) -> Option<Vectors> {
    let mut data: Vec<(u64, Vec<f32>)> = Vec::new();
    for (place, item) in body.get("data")?.as_array()?.iter().enumerate() {
        let index = item.get("index").and_then(Value::as_u64).unwrap_or(place as u64);
        let vector = serde_json::from_value(item.get("embedding")?.clone()).ok()?;
        data.push((index, vector));
    }
    data.sort_by_key(|(index, _)| *index);
    let input = body
        .get("usage")
        .and_then(|usage| usage.get("prompt_tokens"))
        .and_then(Value::as_u64);
    let counts = Counts {
        input,
        output: Some(0),
        ..Counts::default()
    };
    Some(Vectors {
        vectors: data.into_iter().map(|(_, vector)| vector).collect(),
        counts,
        model: text_at(body, "model"),
    })
}

/// A stream.
#[derive(Debug, Default)]
pub(in crate::dialect) struct Stream {
    /// Calls by their `index`, in the order in which they began.
    calls: Vec<(u64, Open)>,
    refused: bool,
}

impl Fold for Stream {
    fn event(&mut self, event: &Value, into: &mut Folding) -> Result<bool, Broken> {
        if event.get("error").is_some_and(|error| !error.is_null()) {
            return Err(Broken::Said(event.clone()));
        }
        if into.answer.model.is_none() {
            into.answer.model = text_at(event, "model").filter(|model| !model.is_empty());
        }
        read_usage(&mut into.answer.counts, event);
        let choices = event
            .get("choices")
            .and_then(Value::as_array)
            .map(Vec::as_slice)
            .unwrap_or_default();
        for choice in choices
            .iter()
            .filter(|choice| choice.get("index").and_then(Value::as_u64).unwrap_or_default() == 0)
        {
            if let Some(delta) = choice.get("delta") {
                self.delta(delta, into)?;
            }
            if let Some(finish) = finish(choice) {
                into.answer.finish = Some(finish);
            }
        }
        Ok(false)
    }

    fn done_marker(&mut self, into: &mut Folding) -> Result<bool, Broken> {
        let mut finish = into
            .answer
            .finish
            .ok_or_else(|| Broken::Bad("does not say why it ended".to_owned()))?;
        for (_, open) in std::mem::take(&mut self.calls) {
            match open.close() {
                Ok(call) => into.call(call.id, call.name, &call.arguments)?,
                // The token limit can cut a call in two; half a call is none.
                Err(_) if finish == Finish::Length => {}
                Err(broken) => return Err(broken),
            }
        }
        if self.refused {
            finish = Finish::Filtered;
        }
        into.answer.finish = Some(finish);
        Ok(true)
    }
}

impl Stream {
    fn delta(&mut self, delta: &Value, into: &mut Folding) -> Result<(), Broken> {
        into.text(&content(delta.get("content")))?;
        if let Some(refusal) = text_at(delta, "refusal").filter(|refusal| !refusal.is_empty()) {
            self.refused = true;
            into.text(&refusal)?;
        }
        let thinks = ["reasoning_content", "reasoning"]
            .iter()
            .any(|key| delta.get(key).is_some_and(|value| !value.is_null()));
        into.started |= thinks;
        let calls = delta
            .get("tool_calls")
            .and_then(Value::as_array)
            .map(Vec::as_slice)
            .unwrap_or_default();
        for call in calls {
            into.started = true;
            let open = self.open(call);
            let more = open.add(call);
            into.answer.grow(more)?;
        }
        Ok(())
    }

    /// The call that a piece belongs to: by its index, but a new id under a known index is
    /// a new call, since some servers number all of them 0.
    fn open(&mut self, piece: &Value) -> &mut Open {
        let id = text_at(piece, "id").filter(|id| !id.is_empty());
        let index = piece.get("index").and_then(Value::as_u64);
        let found = self.calls.iter().rposition(|(known, open)| {
            let same_index = index.is_none_or(|index| index == *known);
            let same_id = id.as_ref().is_none_or(|id| open.id.is_empty() || open.id == *id);
            same_index && same_id
        });
        let place = found.unwrap_or_else(|| {
            self.calls.push((index.unwrap_or(self.calls.len() as u64), Open::default()));
            self.calls.len() - 1
        });
        #[expect(clippy::indexing_slicing, reason = "the place was found in it or pushed onto it just now")]
        &mut self.calls[place].1
    }
}

/// A tool call that is being written.
#[derive(Debug, Default)]
struct Open {
    id: String,
    name: String,
    arguments: String,
}

impl Open {
    /// One more piece; returns how many bytes of arguments it held.
    fn add(&mut self, piece: &Value) -> usize {
        if self.id.is_empty() {
            self.id = text_at(piece, "id").unwrap_or_default();
        }
        let function = piece.get("function").unwrap_or(&Value::Null);
        if self.name.is_empty() {
            self.name = text_at(function, "name").unwrap_or_default();
        }
        let more = match function.get("arguments") {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Object(object)) => Value::Object(object.clone()).to_string(),
            _ => String::new(),
        };
        self.arguments.push_str(&more);
        more.len()
    }

    fn close(self) -> Result<claw_core::model::ToolCall, Broken> {
        let id = if self.id.is_empty() { new_call_id() } else { self.id };
        tool_call(id, self.name, &self.arguments)
    }
}

/// Text, or the text pieces of a list of pieces.
fn content(value: Option<&Value>) -> String {
    match value {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(pieces)) => pieces
            .iter()
            .filter_map(|piece| piece.get("text").and_then(Value::as_str))
            .collect(),
        _ => String::new(),
    }
}

fn text_at(value: &Value, key: &str) -> Option<String> {
    value.get(key).and_then(Value::as_str).map(str::to_owned)
}

/// `prompt_tokens` include cached ones, as ours do. Reasoning is part of
/// `completion_tokens`, unless the total says that it was counted apart.
pub(crate) fn read_usage(counts: &mut Counts, body: &Value) {
    let usage = body.get("usage").filter(|usage| usage.is_object());
    let Some(usage) = usage.or_else(|| body.get("x_groq")?.get("usage").filter(|usage| usage.is_object())) else {
        return;
    };
    let number = |value: &Value, key: &str| value.get(key).and_then(Value::as_u64);
    let detail = |group: &str, key: &str| usage.get(group).and_then(|group| number(group, key));
    let (Some(input), Some(output)) = (number(usage, "prompt_tokens"), number(usage, "completion_tokens")) else {
        return;
    };
    let cached = detail("prompt_tokens_details", "cached_tokens").or_else(|| number(usage, "prompt_cache_hit_tokens"));
    let reasoning = detail("completion_tokens_details", "reasoning_tokens").unwrap_or_default();
    let total = number(usage, "total_tokens").unwrap_or_default();
    let apart = reasoning > 0 && total == input.saturating_add(output).saturating_add(reasoning);
    *counts = Counts {
        input: Some(input),
        output: Some(if apart { output.saturating_add(reasoning) } else { output }),
        cached: cached.unwrap_or_default(),
        // Hosts that sell it report it; OpenAI itself does not.
        cache_written: detail("prompt_tokens_details", "cache_write_tokens").unwrap_or_default(),
        cache_written_1h: 0,
        reasoning,
    };
}

/// Why it ended.
pub(crate) fn finish(choice: &Value) -> Option<Finish> {
    Some(match choice.get("finish_reason")?.as_str()? {
        "stop" => Finish::Stop,
        "length" => Finish::Length,
        "tool_calls" | "function_call" => Finish::ToolCalls,
        "content_filter" => Finish::Filtered,
        _ => Finish::Other,
    })
}
