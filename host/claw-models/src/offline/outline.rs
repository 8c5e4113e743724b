//! What a prompt consists of: headings, lists, sentences, code and JSON. Refuses nothing:
//! any text is Markdown.

use claw_core::model::{Message, Part, Role};
use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};
use serde_json::Value;

use super::{json, words_of};

/// Text beyond this is not looked at, in bytes.
const MAX_TEXT: usize = 2 * 1024 * 1024;

/// A prompt, taken apart.
#[derive(Debug, Default)]
pub(super) struct Prompt {
    /// All its words, in lower case, to look for what is asked.
    lower: String,
    /// What is to be worked on: all that is not an instruction of the system.
    pub(super) text: String,
    /// JSON values in it.
    pub(super) values: Vec<Value>,
    pub(super) outline: Outline,
    /// Images and documents, which nobody looked at.
    pub(super) blobs: usize,
}

/// The structure of a Markdown text.
#[derive(Debug, Default)]
pub(super) struct Outline {
    /// Each with the sentences right below it; the first has no heading.
    pub(super) sections: Vec<Section>,
    pub(super) lists: Vec<List>,
    /// Language and number of lines.
    pub(super) code: Vec<(String, usize)>,
}

#[derive(Debug, Default)]
pub(super) struct Section {
    pub(super) heading: String,
    pub(super) sentences: Vec<String>,
}

#[derive(Debug, Default)]
pub(super) struct List {
    /// The heading or the sentence before it.
    pub(super) lead: String,
    pub(super) items: Vec<String>,
}

impl Prompt {
    /// The prompt of these messages.
    pub(super) fn read(messages: &[Message]) -> Prompt {
        let said = |of: &dyn Fn(Role) -> bool| {
            let texts: Vec<String> = messages.iter().filter(|message| of(message.role)).map(words_of).collect();
            let mut text = texts.join("\n\n");
            text.truncate(text.floor_char_boundary(MAX_TEXT));
            text
        };
        let system = said(&|role| role == Role::System);
        let text = said(&|role| matches!(role, Role::User | Role::Tool));
        let blobs = messages
            .iter()
            .flat_map(|message| &message.parts)
            .filter(|part| matches!(part, Part::Blob { .. }))
            .count();
        let (plain, values) = json::split(&text);
        Prompt {
            lower: format!("{system}\n{text}").to_lowercase(),
            outline: Outline::read(&plain),
            text: plain,
            values,
            blobs,
        }
    }

    /// One of these words stands in it.
    pub(super) fn asks_for(&self, words: &[&str]) -> bool {
        words.iter().any(|word| self.lower.contains(word))
    }
}

impl Outline {
    fn read(text: &str) -> Outline {
        let mut reader = Reader {
            outline: Outline {
                sections: vec![Section::default()],
                ..Outline::default()
            },
            ..Reader::default()
        };
        for event in Parser::new_ext(text, Options::ENABLE_TASKLISTS | Options::ENABLE_TABLES) {
            reader.event(event);
        }
        reader.outline
    }

    /// All list items.
    pub(super) fn items(&self) -> impl Iterator<Item = &str> {
        self.lists.iter().flat_map(|list| &list.items).map(String::as_str)
    }

    /// All headings.
    pub(super) fn headings(&self) -> impl Iterator<Item = &str> {
        self.sections
            .iter()
            .map(|section| section.heading.as_str())
            .filter(|heading| !heading.is_empty())
    }

    /// All sentences outside lists.
    pub(super) fn sentences(&self) -> impl Iterator<Item = &str> {
        self.sections
            .iter()
            .flat_map(|section| &section.sentences)
            .map(String::as_str)
    }
}

#[derive(Default)]
struct Reader {
    outline: Outline,
    buffer: String,
    /// The last heading or sentence, for the list that may follow.
    lead: String,
    /// The lists that are open, by their place in the outline.
    lists: Vec<usize>,
    in_code: Option<(String, usize)>,
}

impl Reader {
    fn event(&mut self, event: Event<'_>) {
        match event {
            Event::Start(tag) => self.start(&tag),
            Event::End(tag) => self.end(tag),
            Event::Text(text) => match &mut self.in_code {
                Some((_, lines)) => *lines += text.lines().count(),
                None => self.buffer.push_str(&text),
            },
            Event::Code(code) => {
                self.buffer.push('`');
                self.buffer.push_str(&code);
                self.buffer.push('`');
            }
            Event::SoftBreak | Event::HardBreak => self.buffer.push(' '),
            Event::Html(text) | Event::InlineHtml(text) => self.buffer.push_str(&text),
            _ => {}
        }
    }

    fn start(&mut self, tag: &Tag<'_>) {
        match tag {
            Tag::List(_) => {
                self.item();
                // A list in a list goes on with it.
                let place = self.lists.last().copied().unwrap_or_else(|| {
                    self.outline.lists.push(List {
                        lead: std::mem::take(&mut self.lead),
                        items: Vec::new(),
                    });
                    self.outline.lists.len() - 1
                });
                self.lists.push(place);
            }
            Tag::CodeBlock(kind) => {
                let language = match kind {
                    CodeBlockKind::Fenced(language) => language.split_whitespace().next().unwrap_or_default().to_owned(),
                    CodeBlockKind::Indented => String::new(),
                };
                self.in_code = Some((language, 0));
            }
            Tag::Item | Tag::Heading { .. } => self.buffer.clear(),
            Tag::Paragraph if self.lists.is_empty() => self.buffer.clear(),
            _ => {}
        }
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Heading(_) => {
                let heading = self.taken();
                self.lead.clone_from(&heading);
                self.outline.sections.push(Section {
                    heading,
                    sentences: Vec::new(),
                });
            }
            TagEnd::Paragraph if self.lists.is_empty() => {
                let sentences = sentences(&self.taken());
                self.lead = sentences.last().cloned().unwrap_or_default();
                if let Some(section) = self.outline.sections.last_mut() {
                    section.sentences.extend(sentences);
                }
            }
            TagEnd::Paragraph => self.buffer.push(' '),
            TagEnd::Item => self.item(),
            TagEnd::List(_) => {
                self.lists.pop();
            }
            TagEnd::CodeBlock => {
                if let Some((language, lines)) = self.in_code.take().filter(|(_, lines)| *lines > 0) {
                    self.outline.code.push((language, lines));
                }
            }
            TagEnd::TableCell => self.buffer.push(' '),
            TagEnd::TableRow | TagEnd::TableHead => self.buffer.clear(),
            _ => {}
        }
    }

    /// What was gathered is an item of the innermost list.
    fn item(&mut self) {
        let text = self.taken();
        let list = self.lists.last().and_then(|place| self.outline.lists.get_mut(*place));
        if let Some(list) = list.filter(|_| !text.is_empty()) {
            list.items.push(text);
        }
    }

    fn taken(&mut self) -> String {
        one_line(&std::mem::take(&mut self.buffer))
    }
}

/// The text on one line.
pub(super) fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A text's sentences: up to a mark that a blank follows.
fn sentences(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest
            .char_indices()
            .find(|(at, c)| matches!(c, '.' | '!' | '?') && rest.get(at + 1..).is_some_and(|after| after.starts_with(' ')))
            .map_or(rest.len(), |(at, _)| at + 1);
        let (sentence, after) = rest.split_at(end);
        if !sentence.trim().is_empty() {
            found.push(sentence.trim().to_owned());
        }
        rest = after.trim_start();
    }
    found
}
