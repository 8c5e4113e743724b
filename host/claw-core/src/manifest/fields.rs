//! Single fields: text, flag, list of texts. A field of another form is reported and left out.

use super::Code;
use super::node::{Entry, Kind, Node};
use super::report::Report;

/// The fields of the Agent Skills specification.
pub(super) const SPEC_FIELDS: &[&str] = &["name", "description", "license", "compatibility", "allowed-tools", "metadata"];

/// Fields that hosts read although the specification does not have them.
pub(super) const HOST_FIELDS: &[&str] = &[
    "version",
    "homepage",
    "emoji",
    "os",
    "inputs",
    "outputs",
    "argument-hint",
    "user-invocable",
    "disable-model-invocation",
    "command-dispatch",
    "command-tool",
    "command-arg-mode",
    "model",
    "author",
    "tags",
    "when_to_use",
    "context",
    "agent",
    "hooks",
    "effort",
    "paths",
    "shell",
];

/// Fields that are recognised without a blank after their colon.
pub(super) const KNOWN_FIELDS: &[&str] = &[
    "name",
    "description",
    "license",
    "compatibility",
    "allowed-tools",
    "metadata",
    "version",
    "homepage",
];

/// The text of a field; nothing written is no text.
pub(super) fn text(entry: &Entry, path: &str, report: &mut Report) -> Option<String> {
    if entry.node.is_null() {
        return None;
    }
    match entry.node.as_text() {
        Some(text) => Some(text.trim().to_owned()).filter(|text| !text.is_empty()),
        None => {
            let hint = format!("write `{}: \"…\"` on one line", entry.key);
            wrong(entry, path, "text", &hint, report);
            None
        }
    }
}

/// A flag; YAML 1.1's `yes` and `on` count as well.
pub(super) fn flag(node: &Node) -> Option<bool> {
    match node.as_text()?.to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" => Some(true),
        "false" | "no" | "off" => Some(false),
        _ => None,
    }
}

/// An optional flag of another host.
pub(super) fn optional_flag(entry: &Entry, path: &str, report: &mut Report) -> bool {
    if entry.node.is_null() {
        return false;
    }
    flag(&entry.node).unwrap_or_else(|| {
        wrong(
            entry,
            path,
            "`true` or `false`",
            &format!("write `{}: true`", entry.key),
            report,
        );
        false
    })
}

/// A list of texts; one text counts as a list separated by commas, and is reported.
pub(super) fn texts(entry: &Entry, path: &str, report: &mut Report) -> Vec<String> {
    match &entry.node.kind {
        Kind::Scalar(_) if entry.node.is_null() => Vec::new(),
        Kind::Scalar(scalar) => {
            let items: Vec<String> = scalar.text.split(',').map(|item| item.trim().to_owned()).collect();
            let items: Vec<String> = items.into_iter().filter(|item| !item.is_empty()).collect();
            let hint = format!("write `{}: [{}]`", entry.key, items.join(", "));
            wrong(entry, path, "a list", &hint, report);
            items
        }
        Kind::List(items) => items.iter().filter_map(|item| item_text(entry, item, path, report)).collect(),
        Kind::Map(_) => {
            wrong(entry, path, "a list", &format!("write `{}: [one, two]`", entry.key), report);
            Vec::new()
        }
    }
}

fn item_text(entry: &Entry, item: &Node, path: &str, report: &mut Report) -> Option<String> {
    if let Some(text) = item.as_text()
        && !item.is_null()
    {
        return Some(text.trim().to_owned()).filter(|text| !text.is_empty());
    }
    let message = format!("holds {} where text belongs", item.kind_name());
    report.add(
        Code::WrongType,
        item.line,
        path,
        message,
        &format!("write `{}: [one, two]`", entry.key),
    );
    None
}

/// Reports that a field is not what belongs there.
pub(super) fn wrong(entry: &Entry, path: &str, wanted: &str, hint: &str, report: &mut Report) {
    let message = format!("is {} where {wanted} belongs", entry.node.kind_name());
    report.add(Code::WrongType, entry.line, path, message, hint);
}
