//! Anthropic's Messages API: what is answered. Refuses a stream without `message_stop`, or
//! an answer without a reason for its end.

use std::collections::BTreeMap;

use claw_core::model::Finish;
use serde_json::Value;

use super::ANSWER_TOOL;
use crate::answer::{Answer, Counts};
use crate::dialect::fold::{Broken, Fold, Folding, tool_call};

/// A whole answer.
pub(in crate::dialect) fn answer(body: &Value) -> Result<Answer, Broken> {
    let blocks = body
        .get("content")
        .and_then(Value::as_array)
        .ok_or_else(|| Broken::Bad("holds no content".to_owned()))?;
    let mut answer = Answer::of(text_at(body, "model"));
    read_usage(&mut answer.counts, body.get("usage"));
    answer.finish = Some(finish(body.get("stop_reason")).ok_or_else(|| Broken::Bad("does not say why it ended".to_owned()))?);
    for block in blocks {
        match block.get("type").and_then(Value::as_str) {
            Some("text") => answer.push_text(block.get("text").and_then(Value::as_str).unwrap_or_default())?,
            Some("tool_use") => {
                let (id, name) = (
                    text_at(block, "id").unwrap_or_default(),
                    text_at(block, "name").unwrap_or_default(),
                );
                let input = block.get("input").map(Value::to_string).unwrap_or_default();
                if name == ANSWER_TOOL {
                    answer.push_text(&input)?;
                    answer.finish = Some(Finish::Stop);
                } else {
                    answer.push_call(tool_call(id, name, &input)?)?;
                }
            }
            // Thoughts, and what tools of the provider's own did.
            _ => {}
        }
    }
    Ok(answer)
}

/// A stream.
#[derive(Debug, Default)]
pub(in crate::dialect) struct Stream {
    open: BTreeMap<u64, Block>,
    /// What is wrong with a call that is no whole one. The token limit can cut one in two.
    torn: Option<String>,
}

#[derive(Debug)]
enum Block {
    Tool { id: String, name: String, json: String },
    Other,
}

impl Fold for Stream {
    fn event(&mut self, event: &Value, into: &mut Folding) -> Result<bool, Broken> {
        let index = event.get("index").and_then(Value::as_u64).unwrap_or_default();
        match event.get("type").and_then(Value::as_str) {
            Some("message_start") => {
                let message = event.get("message");
                // A second start: the provider began anew, and what is open never closes.
                self.open.clear();
                into.answer.model = message.and_then(|message| text_at(message, "model"));
                read_usage(&mut into.answer.counts, message.and_then(|message| message.get("usage")));
            }
            Some("content_block_start") => self.start(index, event.get("content_block").unwrap_or(&Value::Null), into)?,
            Some("content_block_delta") => self.delta(index, event.get("delta").unwrap_or(&Value::Null), into)?,
            Some("content_block_stop") => self.stop(index, into)?,
            Some("message_delta") => {
                read_usage(&mut into.answer.counts, event.get("usage"));
                if let Some(finish) = finish(event.get("delta").and_then(|delta| delta.get("stop_reason"))) {
                    into.answer.finish = Some(finish);
                }
            }
            Some("message_stop") => return self.end(into),
            Some("error") => return Err(Broken::Said(event.clone())),
            // `ping`, and what later versions add.
            _ => {}
        }
        Ok(false)
    }
}

impl Stream {
    fn start(&mut self, index: u64, block: &Value, into: &mut Folding) -> Result<(), Broken> {
        into.started = true;
        let opened = match block.get("type").and_then(Value::as_str) {
            Some("tool_use") => {
                let input = block
                    .get("input")
                    .filter(|input| input.as_object().is_some_and(|input| !input.is_empty()));
                Block::Tool {
                    id: text_at(block, "id").unwrap_or_default(),
                    name: text_at(block, "name").unwrap_or_default(),
                    json: input.map(Value::to_string).unwrap_or_default(),
                }
            }
            Some("text") => {
                into.text(block.get("text").and_then(Value::as_str).unwrap_or_default())?;
                Block::Other
            }
            _ => Block::Other,
        };
        self.open.insert(index, opened);
        Ok(())
    }

    fn delta(&mut self, index: u64, delta: &Value, into: &mut Folding) -> Result<(), Broken> {
        into.started = true;
        let text = |key: &str| delta.get(key).and_then(Value::as_str).unwrap_or_default();
        match (delta.get("type").and_then(Value::as_str), self.open.get_mut(&index)) {
            (Some("text_delta"), _) => into.text(text("text"))?,
            (Some("input_json_delta"), Some(Block::Tool { json, .. })) => {
                into.answer.grow(text("partial_json").len())?;
                json.push_str(text("partial_json"));
            }
            (Some("input_json_delta"), None) => return Err(Broken::Bad("goes on with a block that never began".to_owned())),
            // Thoughts, signatures, citations, arguments of the provider's own tools.
            _ => {}
        }
        Ok(())
    }

    fn stop(&mut self, index: u64, into: &mut Folding) -> Result<(), Broken> {
        match self.open.remove(&index) {
            Some(Block::Tool { id, name, json }) => match into.call(id, name, &json) {
                Err(Broken::Bad(why)) => self.torn = Some(why),
                result => result?,
            },
            Some(Block::Other) | None => {}
        }
        Ok(())
    }

    fn end(&mut self, into: &mut Folding) -> Result<bool, Broken> {
        let finish = into
            .answer
            .finish
            .ok_or_else(|| Broken::Bad("does not say why it ended".to_owned()))?;
        let open: Vec<u64> = self.open.keys().copied().collect();
        for index in open {
            self.stop(index, into)?;
        }
        match self.torn.take() {
            Some(why) if finish != Finish::Length => Err(Broken::Bad(why)),
            _ => Ok(true),
        }
    }
}

fn text_at(value: &Value, key: &str) -> Option<String> {
    value.get(key).and_then(Value::as_str).map(str::to_owned)
}

/// `input_tokens` leaves cached tokens out; ours includes them. Later reports replace
/// earlier ones, number by number.
pub(crate) fn read_usage(counts: &mut Counts, usage: Option<&Value>) {
    let Some(usage) = usage else { return };
    let number = |key: &str| usage.get(key).and_then(Value::as_u64);
    let before = counts
        .input
        .map(|input| input.saturating_sub(counts.cached).saturating_sub(counts.cache_written));
    counts.cached = number("cache_read_input_tokens").unwrap_or(counts.cached);
    counts.cache_written = number("cache_creation_input_tokens").unwrap_or(counts.cache_written);
    let for_an_hour = usage.pointer("/cache_creation/ephemeral_1h_input_tokens");
    counts.cache_written_1h = for_an_hour.and_then(Value::as_u64).unwrap_or(counts.cache_written_1h);
    let plain = number("input_tokens").or(before);
    counts.input = plain.map(|plain| plain.saturating_add(counts.cached).saturating_add(counts.cache_written));
    counts.output = number("output_tokens").or(counts.output);
}

/// Why it ended.
pub(crate) fn finish(reason: Option<&Value>) -> Option<Finish> {
    Some(match reason?.as_str()? {
        "end_turn" | "stop_sequence" => Finish::Stop,
        "max_tokens" | "model_context_window_exceeded" => Finish::Length,
        "tool_use" => Finish::ToolCalls,
        "refusal" => Finish::Filtered,
        _ => Finish::Other,
    })
}
