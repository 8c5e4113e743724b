//! The last attempt: top-level `key: value` lines, each read on its own, so that one broken
//! value does not cost the others.

use std::collections::HashMap;

use super::node::{Entry, Kind, Node};
use super::yaml::{self, Finding};
use super::{Code, repair};

/// What could be saved; `None` if there is not one `key: value`.
pub(super) fn salvage(text: &str, first_line: usize) -> Option<(Node, Vec<Finding>)> {
    let mut entries: Vec<Entry> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut findings = Vec::new();
    for (at, chunk) in chunks(text) {
        let line = first_line + at;
        let Some(read) = read(&chunk, line, &mut findings) else {
            continue;
        };
        for entry in read {
            match places.get(&entry.key).and_then(|&at| entries.get_mut(at)) {
                Some(earlier) => {
                    let message = format!(
                        "is on line {} and again on line {}; the last one counts",
                        earlier.line, entry.line
                    );
                    let hint = format!("delete line {} or line {}", earlier.line, entry.line);
                    findings.push(Finding {
                        code: Code::DuplicateKey,
                        line: entry.line,
                        key: entry.key.clone(),
                        message,
                        hint,
                    });
                    *earlier = entry;
                }
                None => {
                    places.insert(entry.key.clone(), entries.len());
                    entries.push(entry);
                }
            }
        }
    }
    let first = entries.first()?.line;
    Some((
        Node {
            line: first,
            kind: Kind::Map(entries),
        },
        findings,
    ))
}

/// The lines from one top-level key to the next, each with the number of its first line.
fn chunks(text: &str) -> Vec<(usize, String)> {
    let base = text.lines().find(|line| key(line).is_some()).map_or(0, indent);
    let mut chunks: Vec<(usize, String)> = Vec::new();
    for (at, line) in text.lines().enumerate() {
        if indent(line) <= base && key(line).is_some() {
            chunks.push((at, line.get(indent(line)..).unwrap_or_default().to_owned()));
        } else if let Some((_, chunk)) = chunks.last_mut() {
            chunk.push('\n');
            chunk.push_str(line);
        }
    }
    chunks
}

fn read(chunk: &str, line: usize, findings: &mut Vec<Finding>) -> Option<Vec<Entry>> {
    if let Some((entries, notes)) = parsed(chunk, line) {
        findings.extend(notes);
        return Some(entries);
    }
    let (repaired, repairs) = repair::repair(chunk, line);
    if let Some((entries, notes)) = parsed(&repaired, line) {
        findings.extend(repairs);
        findings.extend(notes);
        return Some(entries);
    }
    let name = key(chunk)?;
    let value = chunk.split_once(':').map_or("", |(_, value)| value);
    let words: Vec<&str> = value.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let joined = words.join(" ");
    let text = joined
        .trim_start_matches(['|', '>', '-', '+', ' '])
        .trim_matches(['"', '\''])
        .trim();
    let message = "is not YAML; it is read as plain text".to_owned();
    let hint = format!("write `{name}: \"…\"`, or check the indentation below it");
    findings.push(Finding {
        code: Code::YamlSalvaged,
        line,
        key: name.clone(),
        message,
        hint,
    });
    Some(vec![Entry {
        key: name,
        line,
        node: Node::text(line, text, true),
    }])
}

fn parsed(chunk: &str, line: usize) -> Option<(Vec<Entry>, Vec<Finding>)> {
    let parsed = yaml::parse(chunk, line).ok()?;
    match parsed.root.kind {
        Kind::Map(entries) => Some((entries, parsed.notes)),
        Kind::Scalar(_) | Kind::List(_) => None,
    }
}

/// The key of a `key: value` line.
fn key(line: &str) -> Option<String> {
    let (key, value) = line.split_once(':')?;
    let key = key.trim().trim_matches(['"', '\'']);
    let named = key.chars().next().is_some_and(|c| c.is_alphabetic() || c == '_')
        && key.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.'));
    let web = value.starts_with("//");
    (named && !web).then(|| key.to_owned())
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start().len()
}
