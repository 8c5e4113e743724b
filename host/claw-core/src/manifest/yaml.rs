//! YAML events to a tree of ours: bounded in nodes, depth and aliases, duplicates and merge
//! keys resolved, every scalar as it was written.

use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle, Span, StrInput, Tag};

use super::Code;
use super::node::{Kind, Node, Scalar};

mod frame;

use frame::Frame;

const MOST_NODES: usize = 20_000;
const MOST_DEPTH: usize = 64;
/// What anchors may hold and aliases may add, together.
const MOST_ALIASED_NODES: usize = 4_000;
const MOST_ALIASED_BYTES: usize = 256 << 10;

/// A tree, and what was noticed on the way.
pub(super) struct Parsed {
    pub(super) root: Node,
    pub(super) notes: Vec<Finding>,
    pub(super) style: Style,
}

/// The first lines with forms that strict readers refuse.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Style {
    pub(super) flow: Option<usize>,
    pub(super) anchor_or_tag: Option<usize>,
    pub(super) uneven: Option<usize>,
}

/// Something to report, should this tree be the one that is used.
#[derive(Debug)]
pub(super) struct Finding {
    pub(super) code: Code,
    pub(super) line: usize,
    pub(super) key: String,
    pub(super) message: String,
    pub(super) hint: String,
}

/// Why there is no tree.
#[derive(Debug)]
pub(super) enum Failure {
    /// Not YAML; a repair may help.
    Syntax { line: usize, message: String },
    /// YAML that goes beyond a bound; nothing helps.
    Bound { code: Code, line: usize, message: String },
}

/// Parses `text`, whose first line is line `first_line` of the file.
pub(super) fn parse(text: &str, first_line: usize) -> Result<Parsed, Failure> {
    let mut builder = Builder::new(first_line);
    let mut parser = Parser::new_from_str(text);
    let mut events = 0;
    while let Some(next) = parser.next_event() {
        events += 1;
        let (event, span) = match next {
            Ok(event) => event,
            Err(error) => return Err(builder.syntax(error.marker().line(), error.info())),
        };
        if events > MOST_NODES * 4 {
            return Err(builder.bound(Code::TooManyNodes, &span));
        }
        if builder.take(event, span)? {
            break;
        }
    }
    let more = more_follows(&mut parser).map(|line| line + builder.offset);
    Ok(builder.finish(more))
}

/// The line on which another document begins; whether it is YAML is of no interest.
fn more_follows(parser: &mut Parser<'_, StrInput<'_>>) -> Option<usize> {
    match parser.next_event()? {
        Ok((Event::StreamEnd, _)) => None,
        Ok((_, span)) => Some(span.start.line()),
        Err(error) => Some(error.marker().line()),
    }
}

struct Builder {
    /// What to add to a line of the parser.
    offset: usize,
    stack: Vec<Frame>,
    root: Option<Node>,
    anchors: HashMap<usize, Node>,
    nodes: usize,
    aliased_nodes: usize,
    aliased_bytes: usize,
    notes: Vec<Finding>,
    style: Style,
}

impl Builder {
    fn new(first_line: usize) -> Builder {
        Builder {
            offset: first_line.saturating_sub(1),
            stack: Vec::new(),
            root: None,
            anchors: HashMap::new(),
            nodes: 0,
            aliased_nodes: 0,
            aliased_bytes: 0,
            notes: Vec::new(),
            style: Style::default(),
        }
    }

    fn syntax(&self, line: usize, info: &str) -> Failure {
        Failure::Syntax {
            line: line + self.offset,
            message: info.to_owned(),
        }
    }

    fn bound(&self, code: Code, span: &Span) -> Failure {
        let message = match code {
            Code::TooDeep => format!("lists and maps nest deeper than {MOST_DEPTH}"),
            Code::TooManyNodes => format!("the front matter holds more than {MOST_NODES} values"),
            _ => "aliases expand too far".to_owned(),
        };
        Failure::Bound {
            code,
            line: span.start.line() + self.offset,
            message,
        }
    }

    /// Takes one event; `true` at the end of the first document.
    fn take(&mut self, event: Event<'_>, span: Span) -> Result<bool, Failure> {
        let line = span.start.line() + self.offset;
        match event {
            Event::Nothing | Event::StreamStart | Event::DocumentStart(_) => {}
            Event::StreamEnd | Event::DocumentEnd => return Ok(true),
            Event::Alias(id) => {
                self.note_style(line, id, None);
                let node = self.expand(id, &span)?;
                self.place(node)?;
            }
            Event::Scalar(text, style, anchor, tag) => {
                self.note_style(line, anchor, tag.as_deref());
                let tagged_text = tag.is_some_and(|tag| tag.is_yaml_core_schema() && tag.suffix == "str");
                let plain = style == ScalarStyle::Plain && !tagged_text;
                let scalar = Scalar {
                    text: text.into_owned(),
                    plain,
                };
                self.count(&span)?;
                self.finished(
                    Node {
                        line,
                        kind: Kind::Scalar(scalar),
                    },
                    anchor,
                    &span,
                )?;
            }
            Event::SequenceStart(anchor, tag) => {
                self.open(Frame::list(line, anchor), tag.as_deref(), &span)?;
            }
            Event::MappingStart(anchor, tag) => {
                self.open(Frame::map(line, span.start.col(), anchor), tag.as_deref(), &span)?;
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let Some(frame) = self.stack.pop() else {
                    return Err(self.syntax(span.start.line(), "an end without a beginning"));
                };
                let anchor = frame.anchor;
                let node = frame.close();
                self.finished(node, anchor, &span)?;
            }
        }
        Ok(false)
    }

    fn open(&mut self, frame: Frame, tag: Option<&Tag>, span: &Span) -> Result<(), Failure> {
        self.note_style(frame.line, frame.anchor, tag);
        self.count(span)?;
        // A flow collection begins with its bracket; a block one has no characters of its own.
        if !span.is_empty() {
            self.style.flow.get_or_insert(frame.line);
        } else if let Some(column) = frame.column
            && let Some(parent) = self.stack.last_mut()
            && parent.is_uneven(column)
        {
            self.style.uneven.get_or_insert(frame.line);
        }
        if self.stack.len() >= MOST_DEPTH {
            return Err(self.bound(Code::TooDeep, span));
        }
        self.stack.push(frame);
        Ok(())
    }

    fn note_style(&mut self, line: usize, anchor: usize, tag: Option<&Tag>) {
        if anchor > 0 || tag.is_some() {
            self.style.anchor_or_tag.get_or_insert(line);
        }
    }

    fn count(&mut self, span: &Span) -> Result<(), Failure> {
        self.nodes += 1;
        if self.nodes > MOST_NODES {
            Err(self.bound(Code::TooManyNodes, span))
        } else {
            Ok(())
        }
    }

    /// A node is whole: remember it if it is anchored, and put it where it belongs.
    fn finished(&mut self, node: Node, anchor: usize, span: &Span) -> Result<(), Failure> {
        if anchor > 0 {
            self.spend(&node, span)?;
            self.anchors.insert(anchor, node.clone());
        }
        self.place(node)
    }

    fn expand(&mut self, id: usize, span: &Span) -> Result<Node, Failure> {
        // An alias inside its own anchor has no tree to stand for.
        let Some(node) = self.anchors.get(&id).cloned() else {
            return Err(self.syntax(span.start.line(), "an alias to itself"));
        };
        self.spend(&node, span)?;
        if self.stack.len() + node.depth() > MOST_DEPTH {
            return Err(self.bound(Code::TooDeep, span));
        }
        Ok(node)
    }

    fn spend(&mut self, node: &Node, span: &Span) -> Result<(), Failure> {
        let (nodes, bytes) = node.weight();
        self.aliased_nodes += nodes;
        self.aliased_bytes += bytes;
        if self.aliased_nodes > MOST_ALIASED_NODES || self.aliased_bytes > MOST_ALIASED_BYTES {
            return Err(self.bound(Code::TooManyAliases, span));
        }
        Ok(())
    }

    fn place(&mut self, node: Node) -> Result<(), Failure> {
        let path = self.path();
        match self.stack.last_mut() {
            Some(frame) if frame.wants_key() && is_foreign_comment(&node) => {
                let message = "a `//` comment, which YAML takes for a key".to_owned();
                return Err(Failure::Syntax {
                    line: node.line,
                    message,
                });
            }
            Some(frame) => frame.put(node, &path, &mut self.notes),
            None => self.root = Some(node),
        }
        Ok(())
    }

    /// The keys that lead to the innermost open collection.
    fn path(&self) -> String {
        let keys: Vec<&str> = self.stack.iter().filter_map(Frame::pending_key).collect();
        keys.join(".")
    }

    fn finish(mut self, more: Option<usize>) -> Parsed {
        let root = self.root.unwrap_or_else(|| Node::text(self.offset + 1, "", true));
        if let Some(line) = more {
            self.notes.push(Finding {
                code: Code::MoreThanOneDocument,
                line,
                key: String::new(),
                message: "the front matter holds more than one YAML document; the first counts".to_owned(),
                hint: "delete the line `...` and what follows it".to_owned(),
            });
        }
        Parsed {
            root,
            notes: self.notes,
            style: self.style,
        }
    }
}

/// JSON5 in a YAML map: `// why` and the next key would become one long key.
fn is_foreign_comment(node: &Node) -> bool {
    match &node.kind {
        Kind::Scalar(scalar) => scalar.plain && (scalar.text.starts_with("//") || scalar.text.starts_with("/*")),
        Kind::List(_) | Kind::Map(_) => false,
    }
}

#[cfg(test)]
mod tests;
