//! JSON and JSON5 in a string, as `metadata` often comes: to the same tree, with lines where
//! the text has them.

use serde_json::Value;

use super::node::{Entry, Kind, Node, Scalar};
use super::yaml;

const MOST_BYTES: usize = 128 << 10;
const MOST_DEPTH: usize = 64;

/// The tree of a JSON or JSON5 text whose first line is line `line` of the file.
pub(super) fn parse(text: &str, line: usize) -> Option<Node> {
    let trimmed = text.trim_start();
    if !trimmed.starts_with(['{', '[', '/']) || text.len() > MOST_BYTES || depth(text) > MOST_DEPTH {
        return None;
    }
    let strict = serde_json::from_str::<Value>(text).ok();
    let value = strict.or_else(|| json5::from_str(text).ok());
    // JSON is almost always YAML too, and read as YAML it keeps its lines. JSON5 may be YAML
    // with another meaning (`{a:1}` is one key there), so the two have to agree.
    let tree = yaml::parse(text, line).ok().map(|parsed| parsed.root);
    let tree = tree.filter(|root| !matches!(root.kind, Kind::Scalar(_)));
    match (value, tree) {
        (Some(value), Some(tree)) if same(&tree, &value) => Some(tree),
        (Some(value), _) if value.is_object() || value.is_array() => Some(node(value, line)),
        (_, tree) => tree,
    }
}

/// Numbers apart, whose text YAML keeps and JSON may not.
fn same(tree: &Node, value: &Value) -> bool {
    match (&tree.kind, value) {
        (Kind::List(items), Value::Array(values)) => {
            items.len() == values.len() && items.iter().zip(values).all(|(item, value)| same(item, value))
        }
        (Kind::Map(entries), Value::Object(values)) => {
            entries.len() == values.len()
                && entries
                    .iter()
                    .all(|entry| values.get(&entry.key).is_some_and(|value| same(&entry.node, value)))
        }
        (Kind::Scalar(scalar), Value::String(text)) => scalar.text == *text,
        (Kind::Scalar(scalar), Value::Number(_)) => scalar.plain,
        (Kind::Scalar(_), Value::Null) => tree.is_null(),
        (Kind::Scalar(scalar), Value::Bool(value)) => scalar.plain && scalar.text == value.to_string(),
        _ => false,
    }
}

/// How deep brackets nest outside strings and comments: the JSON5 reader recurses without a bound.
fn depth(text: &str) -> usize {
    let mut open = 0usize;
    let mut most = 0;
    let mut bytes = text.bytes().peekable();
    while let Some(byte) = bytes.next() {
        match byte {
            quote @ (b'"' | b'\'') => {
                while let Some(inner) = bytes.next() {
                    match inner {
                        b'\\' => drop(bytes.next()),
                        end if end == quote => break,
                        _ => {}
                    }
                }
            }
            b'/' if bytes.peek() == Some(&b'/') => while bytes.next_if(|&byte| byte != b'\n').is_some() {},
            b'/' if bytes.peek() == Some(&b'*') => {
                let mut star = false;
                bytes.next();
                for inner in bytes.by_ref() {
                    if star && inner == b'/' {
                        break;
                    }
                    star = inner == b'*';
                }
            }
            b'{' | b'[' => open += 1,
            b'}' | b']' => open = open.saturating_sub(1),
            _ => {}
        }
        most = most.max(open);
    }
    most
}

fn node(value: Value, line: usize) -> Node {
    let scalar = |text: String, plain| Kind::Scalar(Scalar { text, plain });
    let kind = match value {
        Value::Null => scalar("null".to_owned(), true),
        Value::Bool(value) => scalar(value.to_string(), true),
        Value::Number(value) => scalar(value.to_string(), true),
        Value::String(value) => scalar(value, false),
        Value::Array(items) => Kind::List(items.into_iter().map(|item| node(item, line)).collect()),
        Value::Object(entries) => {
            let entries = entries.into_iter().map(|(key, value)| Entry {
                key,
                line,
                node: node(value, line),
            });
            Kind::Map(entries.collect())
        }
    };
    Node { line, kind }
}

#[cfg(test)]
mod tests;
