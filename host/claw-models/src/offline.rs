//! Answers without a language model, a network or a key: put together from the prompt's own
//! structure, the same for the same prompt. Refuses to look like a model's answer: each
//! says what it is. Sampling knobs and tools mean nothing here.

mod checklist;
mod embed;
mod instance;
mod json;
mod outline;
mod summary;

use claw_core::errors::{Code, Fault};
use claw_core::model::{Completion, CompletionRequest, Embeddings, Finish, Message, ModelEvent, ModelStream, Part, Role, Usage};

use crate::answer::{estimate, estimate_request};
use crate::schema::{Shape, mismatch};

use outline::Prompt;

/// The name of the provider and of its model.
const NAME: &str = "offline";

/// The first line of every answer that is not JSON.
const NOTICE: &str = "> Made without a language model: the offline provider put this together from the prompt's own words.";

/// One completion.
///
/// # Errors
/// [`Code::ModelInvalidRequest`] without a message or with a schema that is none,
/// [`Code::ModelSchemaMismatch`] where no value for the schema can be made.
pub(crate) fn complete(request: &CompletionRequest) -> Result<Completion, Fault> {
    if !request
        .messages
        .iter()
        .any(|message| message.role != Role::System && !message.parts.is_empty())
    {
        return Err(Fault::new(Code::ModelInvalidRequest, "there is no message to answer"));
    }
    let prompt = Prompt::read(&request.messages);
    let (text, finish) = match &request.response_schema {
        Some(schema) => (fitting(schema, &prompt)?, Finish::Stop),
        None => cut(prose(&prompt), request.max_tokens),
    };
    let usage = Usage {
        input_tokens: estimate_request(request),
        output_tokens: estimate(&text),
        cost_nanousd: Some(0),
        estimated: true,
        ..Usage::default()
    };
    Ok(Completion {
        message: Message::text(Role::Assistant, text),
        finish,
        usage,
        model: NAME.to_owned(),
        provider: NAME.to_owned(),
        offline: true,
        attempts: 1,
    })
}

/// One completion, word by word.
///
/// # Errors
/// As [`complete`].
pub(crate) fn stream(request: &CompletionRequest) -> Result<ModelStream, Fault> {
    let done = complete(request)?;
    let text = done.message.joined_text();
    let words = text
        .split_inclusive([' ', '\n'])
        .map(|word| ModelEvent::TextDelta(word.to_owned()));
    let events: Vec<_> = words.chain([ModelEvent::Done(Box::new(done))]).map(Ok).collect();
    Ok(Box::pin(futures::stream::iter(events)))
}

/// Texts to vectors: hashed words, so that texts with the same words lie near each other.
pub(crate) fn embed(texts: &[String]) -> Embeddings {
    let usage = Usage {
        input_tokens: texts.iter().map(|text| estimate(text)).sum(),
        cost_nanousd: Some(0),
        estimated: true,
        ..Usage::default()
    };
    Embeddings {
        vectors: texts.iter().map(|text| embed::vector(text)).collect(),
        usage,
        model: NAME.to_owned(),
        provider: NAME.to_owned(),
        offline: true,
    }
}

fn prose(prompt: &Prompt) -> String {
    let body = if prompt.asks_for(&["checklist", "check list", "check-list", "to-do list", "todo list", "- [ ]"]) {
        checklist::write(prompt)
    } else if prompt.asks_for(&["summar", "tl;dr", "tldr", "in short", "key points", "digest"]) {
        summary::write(prompt)
    } else {
        format!(
            "It cannot write what was asked for. What the prompt holds:\n\n{}",
            summary::write(prompt)
        )
    };
    format!("{NOTICE}\n\n{}\n", body.trim_end())
}

/// A value that fits, with the prompt's words in it where that is possible.
fn fitting(schema: &serde_json::Value, prompt: &Prompt) -> Result<String, Fault> {
    let shape = Shape::try_new(schema, false)?;
    let told = instance::fill(schema, Some(prompt)).to_string();
    let bare = || instance::fill(schema, None).to_string();
    shape.check(&told).or_else(|_| shape.check(&bare())).map_err(|violations| {
        mismatch("the offline provider cannot make a value that fits the schema", &violations)
            .hint("let an entry with a language model serve this use in models.yaml")
    })
}

/// The text within the token limit, cut between words.
fn cut(text: String, max_tokens: Option<u32>) -> (String, Finish) {
    let Some(max_bytes) = max_tokens.map(|max| max as usize * 4).filter(|max| *max < text.len()) else {
        return (text, Finish::Stop);
    };
    let mut kept = String::new();
    for word in text.split_inclusive([' ', '\n']) {
        if kept.len() + word.len() > max_bytes {
            break;
        }
        kept.push_str(word);
    }
    (kept, Finish::Length)
}

/// All text of a message, results of tools included.
fn words_of(message: &Message) -> String {
    let texts: Vec<&str> = message
        .parts
        .iter()
        .filter_map(|part| match part {
            Part::Text { text } => Some(text.as_str()),
            Part::ToolResult { content, .. } => Some(content.as_str()),
            Part::Blob { .. } | Part::Link { .. } | Part::ToolCall(_) => None,
        })
        .collect();
    texts.join("\n\n")
}

#[cfg(test)]
mod tests;
