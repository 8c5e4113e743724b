//! What a prompt holds, in extracts: first sentences, headings, counts. Refuses to
//! rephrase.

use super::outline::{Prompt, Section};
use crate::text::clip;

const MAX_SENTENCES: usize = 3;
const MAX_HEADINGS: usize = 12;
const MAX_ITEMS: usize = 8;
const MAX_CHARS: usize = 400;

/// The summary.
pub(super) fn write(prompt: &Prompt) -> String {
    let outline = &prompt.outline;
    let mut blocks = Vec::new();
    let first: Vec<String> = outline
        .sentences()
        .filter(|text| !is_instruction(text))
        .take(MAX_SENTENCES)
        .map(|text| clip(text, MAX_CHARS))
        .collect();
    blocks.push(first.join(" "));
    let headed = outline
        .sections
        .iter()
        .filter(|section| !section.heading.is_empty())
        .take(MAX_HEADINGS)
        .map(headline);
    blocks.push(headed.collect::<Vec<_>>().join("\n"));
    if outline.headings().next().is_none() {
        let items = outline.items().filter(|text| !is_instruction(text)).take(MAX_ITEMS);
        blocks.push(
            items
                .map(|text| format!("- {}", clip(text, MAX_CHARS)))
                .collect::<Vec<_>>()
                .join("\n"),
        );
    }
    blocks.push(keys(prompt));
    blocks.push(counts(prompt));
    blocks.retain(|block| !block.is_empty());
    blocks.join("\n\n")
}

/// The first sentence of a prompt that is not an instruction to its reader.
pub(super) fn first_sentence(prompt: &Prompt) -> Option<String> {
    let sentences = prompt.outline.sentences().chain(prompt.outline.items());
    sentences
        .into_iter()
        .find(|text| !is_instruction(text))
        .map(|text| clip(text, MAX_CHARS))
}

fn headline(section: &Section) -> String {
    match section.sentences.iter().find(|text| !is_instruction(text)) {
        Some(sentence) => format!("- **{}**: {}", section.heading, clip(sentence, MAX_CHARS)),
        None => format!("- **{}**", section.heading),
    }
}

/// A sentence that tells a model what to do.
fn is_instruction(text: &str) -> bool {
    let lower = text.to_lowercase();
    let verb = [
        "summar", "write", "answer", "return", "respond", "reply", "use ", "do not", "give", "list", "draft", "please", "you are",
    ];
    verb.iter().any(|verb| lower.starts_with(verb)) || lower.contains("summar") && lower.ends_with(':')
}

fn keys(prompt: &Prompt) -> String {
    let names: Vec<&str> = prompt
        .values
        .iter()
        .filter_map(|value| value.as_object())
        .flat_map(|map| map.keys())
        .map(String::as_str)
        .take(24)
        .collect();
    if names.is_empty() {
        String::new()
    } else {
        format!("JSON with the keys `{}`.", names.join("`, `"))
    }
}

fn counts(prompt: &Prompt) -> String {
    let outline = &prompt.outline;
    let lines: usize = outline.code.iter().map(|(_, lines)| lines).sum();
    let counted = [
        (prompt.text.split_whitespace().count(), "word", "words"),
        (outline.headings().count(), "heading", "headings"),
        (outline.items().count(), "list item", "list items"),
        (outline.code.len(), "code block", "code blocks"),
        (lines, "line of code", "lines of code"),
        (prompt.values.len(), "JSON value", "JSON values"),
        (
            prompt.blobs,
            "attachment that was not looked at",
            "attachments that were not looked at",
        ),
    ];
    let said = counted.into_iter().filter(|(count, ..)| *count > 0);
    let said: Vec<String> = said
        .map(|(count, one, many)| format!("{count} {}", if count == 1 { one } else { many }))
        .collect();
    if said.is_empty() {
        String::new()
    } else {
        format!("Counted: {}.", said.join(", "))
    }
}
