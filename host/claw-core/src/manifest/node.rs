//! The front matter as a small tree that remembers lines and keeps scalars as they were written.

use serde_json::{Map, Number, Value};

/// A value of the front matter and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Node {
    /// The line of the file, from 1.
    pub(super) line: usize,
    pub(super) kind: Kind,
}

#[derive(Clone, Debug)]
pub(super) enum Kind {
    Scalar(Scalar),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// Text as written: `1.0` stays `1.0`, `yes` stays `yes`.
#[derive(Clone, Debug)]
pub(super) struct Scalar {
    pub(super) text: String,
    /// Neither quoted nor a block nor tagged `!!str`, so that YAML may see a number in it.
    pub(super) plain: bool,
}

/// How a plain scalar becomes a JSON number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Numbers {
    /// Only where JSON would write the same text: `1.10` stays text.
    Exact,
    /// Wherever it is a number at all: in a schema `1.10` is a bound.
    Any,
}

#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) line: usize,
    pub(super) node: Node,
}

impl Node {
    pub(super) fn text(line: usize, text: impl Into<String>, plain: bool) -> Node {
        Node {
            line,
            kind: Kind::Scalar(Scalar {
                text: text.into(),
                plain,
            }),
        }
    }

    pub(super) fn get(&self, key: &str) -> Option<&Entry> {
        self.entries()?.iter().find(|entry| entry.key == key)
    }

    pub(super) fn entries(&self) -> Option<&[Entry]> {
        match &self.kind {
            Kind::Map(entries) => Some(entries),
            Kind::Scalar(_) | Kind::List(_) => None,
        }
    }

    pub(super) fn as_text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Scalar(scalar) => Some(&scalar.text),
            Kind::List(_) | Kind::Map(_) => None,
        }
    }

    /// Nothing was written, or one of YAML's words for nothing.
    pub(super) fn is_null(&self) -> bool {
        match &self.kind {
            Kind::Scalar(scalar) => scalar.plain && matches!(scalar.text.as_str(), "" | "~" | "null" | "Null" | "NULL"),
            Kind::List(_) | Kind::Map(_) => false,
        }
    }

    /// What it is, for messages.
    pub(super) fn kind_name(&self) -> &'static str {
        match &self.kind {
            Kind::Scalar(_) if self.is_null() => "nothing",
            Kind::Scalar(scalar) if scalar.plain && any_number(&scalar.text).is_some() => "a number",
            Kind::Scalar(_) => "text",
            Kind::List(_) => "a list",
            Kind::Map(_) => "a map",
        }
    }

    /// How many values it holds, itself included, and the bytes of their text.
    pub(super) fn weight(&self) -> (usize, usize) {
        let add = |(nodes, bytes), (more_nodes, more_bytes)| (nodes + more_nodes, bytes + more_bytes);
        match &self.kind {
            Kind::Scalar(scalar) => (1, scalar.text.len()),
            Kind::List(items) => items.iter().map(Node::weight).fold((1, 0), add),
            Kind::Map(entries) => entries
                .iter()
                .map(|entry| add(entry.node.weight(), (0, entry.key.len())))
                .fold((1, 0), add),
        }
    }

    /// How many lists and maps stand inside each other.
    pub(super) fn depth(&self) -> usize {
        match &self.kind {
            Kind::Scalar(_) => 0,
            Kind::List(items) => 1 + items.iter().map(Node::depth).max().unwrap_or(0),
            Kind::Map(entries) => 1 + entries.iter().map(|entry| entry.node.depth()).max().unwrap_or(0),
        }
    }

    /// As JSON. A plain scalar becomes a number as `numbers` says.
    pub(super) fn to_json(&self, numbers: Numbers) -> Value {
        match &self.kind {
            Kind::Scalar(_) if self.is_null() => Value::Null,
            Kind::Scalar(scalar) if scalar.plain => match scalar.text.as_str() {
                "true" | "True" | "TRUE" => Value::Bool(true),
                "false" | "False" | "FALSE" => Value::Bool(false),
                text => {
                    let number = match numbers {
                        Numbers::Exact => exact_number(text),
                        Numbers::Any => exact_number(text).or_else(|| any_number(text)),
                    };
                    number.map_or_else(|| Value::String(text.to_owned()), Value::Number)
                }
            },
            Kind::Scalar(scalar) => Value::String(scalar.text.clone()),
            Kind::List(items) => Value::Array(items.iter().map(|item| item.to_json(numbers)).collect()),
            Kind::Map(entries) => {
                let entries = entries.iter().map(|entry| (entry.key.clone(), entry.node.to_json(numbers)));
                Value::Object(entries.collect::<Map<_, _>>())
            }
        }
    }
}

/// A number whose text is exactly what JSON would write for it.
fn exact_number(text: &str) -> Option<Number> {
    let first = text.bytes().next()?;
    if !(first.is_ascii_digit() || first == b'-') || text.len() > 32 {
        return None;
    }
    let number: Number = serde_json::from_str(text).ok()?;
    (number.to_string() == text).then_some(number)
}

fn any_number(text: &str) -> Option<Number> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if !digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') || text.len() > 32 {
        return None;
    }
    Number::from_f64(text.parse().ok()?)
}
