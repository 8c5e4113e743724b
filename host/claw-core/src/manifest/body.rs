//! The markdown below the front matter: headings, links, the first paragraph. It is never rendered.

use pulldown_cmark::{Event, Parser, Tag, TagEnd};
use serde::Serialize;

/// More than these are not kept.
const MOST_HEADINGS: usize = 1_000;
const MOST_LINKS: usize = 1_000;
/// What is kept of a heading or of the first paragraph.
const EXCERPT_CHARS: usize = 1_024;

/// One heading of a body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Heading {
    /// 1 to 6.
    pub level: u8,
    /// Its text without markup.
    pub text: String,
    /// The line of the file, from 1.
    pub line: usize,
}

/// One link or image.
pub(super) struct Link {
    pub(super) target: String,
    pub(super) line: usize,
}

/// What was found in a body.
#[derive(Default)]
pub(super) struct Body {
    pub(super) headings: Vec<Heading>,
    pub(super) links: Vec<Link>,
    pub(super) first_paragraph: Option<String>,
}

/// Reads a body whose first line is line `first_line` of the file.
pub(super) fn read(text: &str, first_line: usize) -> Body {
    let mut body = Body::default();
    let mut lines = Lines {
        text,
        at: 0,
        line: first_line,
    };
    let mut heading: Option<Heading> = None;
    let mut heading_text = Excerpt::default();
    let mut paragraph: Option<Excerpt> = None;
    for (event, range) in Parser::new(text).into_offset_iter() {
        match event {
            Event::Start(Tag::Heading { level, .. }) => {
                heading = Some(Heading {
                    level: level as u8,
                    text: String::new(),
                    line: lines.at(range.start),
                });
                heading_text = Excerpt::default();
            }
            Event::End(TagEnd::Heading(_)) => {
                let room = body.headings.len() < MOST_HEADINGS;
                let text = std::mem::take(&mut heading_text).text;
                body.headings
                    .extend(heading.take().filter(|_| room).map(|heading| Heading { text, ..heading }));
            }
            Event::Start(Tag::Paragraph) if body.first_paragraph.is_none() => paragraph = Some(Excerpt::default()),
            Event::End(TagEnd::Paragraph) => {
                if let Some(paragraph) = paragraph.take() {
                    body.first_paragraph.get_or_insert(paragraph.text);
                }
            }
            Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) if body.links.len() < MOST_LINKS => {
                body.links.push(Link {
                    target: dest_url.into_string(),
                    line: lines.at(range.start),
                });
            }
            Event::Text(text) | Event::Code(text) => {
                heading
                    .as_ref()
                    .map(|_| &mut heading_text)
                    .into_iter()
                    .chain(&mut paragraph)
                    .for_each(|open| open.push(&text));
            }
            Event::SoftBreak | Event::HardBreak => {
                heading
                    .as_ref()
                    .map(|_| &mut heading_text)
                    .into_iter()
                    .chain(&mut paragraph)
                    .for_each(|open| open.push(" "));
            }
            _ => {}
        }
    }
    body
}

/// The beginning of a text.
#[derive(Default)]
struct Excerpt {
    text: String,
    chars: usize,
}

impl Excerpt {
    fn push(&mut self, text: &str) {
        for c in text.chars().take(EXCERPT_CHARS.saturating_sub(self.chars)) {
            self.text.push(c);
            self.chars += 1;
        }
    }
}

/// Byte offsets to lines. Events come nearly in order, so it counts from where it was.
struct Lines<'a> {
    text: &'a str,
    at: usize,
    line: usize,
}

impl Lines<'_> {
    fn at(&mut self, offset: usize) -> usize {
        if offset < self.at {
            let back = self.text.get(offset..self.at).map_or(0, |text| text.matches('\n').count());
            return self.line - back;
        }
        self.line += self.text.get(self.at..offset).map_or(0, |text| text.matches('\n').count());
        self.at = offset;
        self.line
    }
}

#[cfg(test)]
mod tests;
