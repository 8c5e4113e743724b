//! Google's Generative Language API: what is answered. Refuses a stream that ends without a
//! reason, and keeps thoughts to itself.

use claw_core::model::Finish;
use serde_json::Value;

use crate::answer::{Answer, Counts};
use crate::dialect::Vectors;
use crate::dialect::fold::{Broken, Fold, Folding, new_call_id};

/// A whole answer: one chunk that says why it ended.
pub(in crate::dialect) fn answer(body: &Value) -> Result<Answer, Broken> {
    let mut folding = Folding::default();
    if body.get("candidates").is_none() && body.get("promptFeedback").is_none() {
        return Err(Broken::Bad("holds no candidates".to_owned()));
    }
    match Stream.event(body, &mut folding)? {
        true => Ok(folding.answer),
        false => Err(Broken::Bad("does not say why it ended".to_owned())),
    }
}

/// Vectors, in the order of their texts. The provider does not count their tokens.
pub(in crate::dialect) fn vectors(body: &Value) -> Option<Vectors> {
    let each = body.get("embeddings")?.as_array()?.iter();
    let vectors: Option<Vec<Vec<f32>>> = each
        .map(|embedding| serde_json::from_value(embedding.get("values")?.clone()).ok())
        .collect();
    Some(Vectors {
        vectors: vectors?,
        counts: Counts {
            output: Some(0),
            ..Counts::default()
        },
        model: None,
    })
}

/// A stream.
#[derive(Debug, Default)]
pub(in crate::dialect) struct Stream;

impl Fold for Stream {
    fn event(&mut self, chunk: &Value, into: &mut Folding) -> Result<bool, Broken> {
        if chunk.get("error").is_some_and(|error| !error.is_null()) {
            return Err(Broken::Said(chunk.clone()));
        }
        if let Some(model) = text(chunk, "modelVersion") {
            into.answer.model = Some(model.to_owned());
        }
        count(&mut into.answer.counts, chunk.get("usageMetadata"));
        if let Some(candidate) = chunk.pointer("/candidates/0") {
            let parts = candidate.pointer("/content/parts").and_then(Value::as_array);
            for part in parts.into_iter().flatten() {
                self.part(part, into)?;
            }
            if let Some(reason) = text(candidate, "finishReason") {
                if reason == "MALFORMED_FUNCTION_CALL" {
                    return Err(Broken::Bad("calls a tool in a way that cannot be understood".to_owned()));
                }
                into.answer.finish = Some(finish(reason));
                return Ok(true);
            }
        }
        // The question itself was refused: there is no candidate.
        if chunk.pointer("/promptFeedback/blockReason").is_some() {
            into.started = true;
            into.answer.finish = Some(Finish::Filtered);
            return Ok(true);
        }
        Ok(false)
    }
}

impl Stream {
    fn part(&mut self, part: &Value, into: &mut Folding) -> Result<(), Broken> {
        if part.get("thought").and_then(Value::as_bool) == Some(true) {
            into.started = true;
            return Ok(());
        }
        if let Some(call) = part.get("functionCall") {
            if call.get("willContinue").is_some() || call.get("partialArgs").is_some() {
                return Err(Broken::Bad(
                    "streams the arguments of a tool, which was not asked for".to_owned(),
                ));
            }
            // Calls have names only, mostly; ids tell the calls of a whole conversation apart.
            let own = text(call, "id").filter(|id| !id.is_empty()).map(str::to_owned);
            let id = own.unwrap_or_else(new_call_id);
            let arguments = call.get("args").map(Value::to_string).unwrap_or_default();
            let name = text(call, "name").unwrap_or_default().to_owned();
            return into.call(id, name, &arguments);
        }
        into.text(text(part, "text").unwrap_or_default())
    }
}

fn text<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    value.get(key).and_then(Value::as_str)
}

/// `candidatesTokenCount` leaves thoughts out; ours includes them. Later reports replace
/// earlier ones.
fn count(counts: &mut Counts, usage: Option<&Value>) {
    let Some(usage) = usage else { return };
    let number = |key: &str| usage.get(key).and_then(Value::as_u64);
    if let Some(prompt) = number("promptTokenCount") {
        counts.input = Some(prompt.saturating_add(number("toolUsePromptTokenCount").unwrap_or(0)));
    }
    counts.cached = number("cachedContentTokenCount").unwrap_or(counts.cached);
    counts.reasoning = number("thoughtsTokenCount").unwrap_or(counts.reasoning);
    if let Some(said) = number("candidatesTokenCount").or(number("thoughtsTokenCount").map(|_| 0)) {
        counts.output = Some(said.saturating_add(counts.reasoning));
    }
}

fn finish(reason: &str) -> Finish {
    match reason {
        "STOP" => Finish::Stop,
        "MAX_TOKENS" => Finish::Length,
        "SAFETY" | "RECITATION" | "BLOCKLIST" | "PROHIBITED_CONTENT" | "SPII" | "IMAGE_SAFETY" | "LANGUAGE" => Finish::Filtered,
        _ => Finish::Other,
    }
}
