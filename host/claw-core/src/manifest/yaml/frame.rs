//! One open list or map while events arrive.

use std::collections::HashMap;

use super::super::Code;
use super::super::node::{Entry, Kind, Node};
use super::Finding;

pub(super) struct Frame {
    pub(super) line: usize,
    /// Where a map begins; `None` for lists.
    pub(super) column: Option<usize>,
    pub(super) anchor: usize,
    content: Content,
    /// The column of the first block map below this map.
    child_column: Option<usize>,
}

enum Content {
    List(Vec<Node>),
    Map {
        entries: Vec<Entry>,
        places: HashMap<String, usize>,
        pending: Pending,
        merged: Vec<Node>,
    },
}

enum Pending {
    /// The next node is a key.
    Key,
    /// The next node is this key's value.
    Value(String, usize),
    /// The next node is the value of `<<`.
    Merge(usize),
    /// The next node is the value of a key that was left out.
    Nothing,
}

impl Frame {
    pub(super) fn list(line: usize, anchor: usize) -> Frame {
        Frame {
            line,
            column: None,
            anchor,
            content: Content::List(Vec::new()),
            child_column: None,
        }
    }

    pub(super) fn map(line: usize, column: usize, anchor: usize) -> Frame {
        let content = Content::Map {
            entries: Vec::new(),
            places: HashMap::new(),
            pending: Pending::Key,
            merged: Vec::new(),
        };
        Frame {
            line,
            column: Some(column),
            anchor,
            content,
            child_column: None,
        }
    }

    /// The key whose value is being read.
    pub(super) fn pending_key(&self) -> Option<&str> {
        match &self.content {
            Content::Map {
                pending: Pending::Value(key, _),
                ..
            } => Some(key),
            Content::Map { .. } | Content::List(_) => None,
        }
    }

    /// The next node is the key of a map.
    pub(super) fn wants_key(&self) -> bool {
        matches!(
            &self.content,
            Content::Map {
                pending: Pending::Key,
                ..
            }
        )
    }

    /// `true` if a map at `column` below this map stands elsewhere than its siblings.
    pub(super) fn is_uneven(&mut self, column: usize) -> bool {
        if self.column.is_none() {
            return false;
        }
        *self.child_column.get_or_insert(column) != column
    }

    /// Takes the next node: an item, a key or a value.
    pub(super) fn put(&mut self, node: Node, path: &str, notes: &mut Vec<Finding>) {
        let (entries, places, pending, merged) = match &mut self.content {
            Content::List(items) => return items.push(node),
            Content::Map {
                entries,
                places,
                pending,
                merged,
            } => (entries, places, pending, merged),
        };
        match std::mem::replace(pending, Pending::Key) {
            Pending::Key => *pending = key(node, path, notes),
            Pending::Nothing => {}
            Pending::Merge(line) => match &node.kind {
                Kind::Map(_) => merged.push(node),
                Kind::List(items) if items.iter().all(|item| item.entries().is_some()) => {
                    merged.extend(items.iter().cloned());
                }
                Kind::Scalar(_) | Kind::List(_) => entries.push(Entry {
                    key: "<<".to_owned(),
                    line,
                    node,
                }),
            },
            Pending::Value(key, line) => match places.get(&key).and_then(|&at| entries.get_mut(at)) {
                Some(earlier) => {
                    let message = format!("is on line {} and again on line {line}; the last one counts", earlier.line);
                    let key_path = join(path_without(path, &key), &key);
                    let hint = format!("delete line {} or line {line}", earlier.line);
                    notes.push(Finding {
                        code: Code::DuplicateKey,
                        line,
                        key: key_path,
                        message,
                        hint,
                    });
                    *earlier = Entry { key, line, node };
                }
                None => {
                    places.insert(key.clone(), entries.len());
                    entries.push(Entry { key, line, node });
                }
            },
        }
    }

    /// The finished node. Merged keys come last and give way to the map's own.
    pub(super) fn close(self) -> Node {
        let kind = match self.content {
            Content::List(items) => Kind::List(items),
            Content::Map {
                mut entries,
                mut places,
                merged,
                ..
            } => {
                let inherited = merged.into_iter().filter_map(|node| match node.kind {
                    Kind::Map(entries) => Some(entries),
                    Kind::Scalar(_) | Kind::List(_) => None,
                });
                for entry in inherited.flatten() {
                    if !places.contains_key(&entry.key) {
                        places.insert(entry.key.clone(), entries.len());
                        entries.push(entry);
                    }
                }
                Kind::Map(entries)
            }
        };
        Node { line: self.line, kind }
    }
}

fn key(node: Node, path: &str, notes: &mut Vec<Finding>) -> Pending {
    let line = node.line;
    match node.kind {
        Kind::Scalar(scalar) if scalar.plain && scalar.text == "<<" => Pending::Merge(line),
        Kind::Scalar(scalar) if !(scalar.plain && scalar.text.is_empty()) => Pending::Value(scalar.text, line),
        Kind::Scalar(_) | Kind::List(_) | Kind::Map(_) => {
            let message = "a key is not text; it is left out".to_owned();
            let hint = "write `key: value`".to_owned();
            notes.push(Finding {
                code: Code::KeyNotText,
                line,
                key: path.to_owned(),
                message,
                hint,
            });
            Pending::Nothing
        }
    }
}

/// `path` ends with the pending key itself while its value is being put.
fn path_without<'a>(path: &'a str, key: &str) -> &'a str {
    path.strip_suffix(key)
        .map_or(path, |rest| rest.strip_suffix('.').unwrap_or(rest))
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() {
        key.to_owned()
    } else {
        format!("{path}.{key}")
    }
}
