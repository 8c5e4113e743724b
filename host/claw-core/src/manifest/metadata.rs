//! The blocks of `metadata`, wherever they are written as JSON in a string.

use super::node::{Entry, Kind, Node};
use super::report::Report;
use super::{Code, relaxed};

/// Names under which OpenClaw's block occurs, the present one first.
pub(super) const OPENCLAW_NAMES: &[&str] = &["openclaw", "clawdbot", "moltbot", "clawdis"];

/// The blocks that are there.
#[derive(Clone, Copy)]
pub(super) struct Blocks<'a> {
    pub(super) root: &'a Node,
    pub(super) metadata: Option<&'a Node>,
    /// The first of [`OPENCLAW_NAMES`] that is there.
    pub(super) openclaw: Option<&'a Entry>,
    pub(super) claw: Option<&'a Entry>,
}

/// Replaces JSON texts by what they say, in place.
pub(super) fn expand(root: &mut Node, report: &mut Report) {
    let Kind::Map(entries) = &mut root.kind else { return };
    for entry in entries.iter_mut() {
        match entry.key.as_str() {
            "inputs" | "outputs" => expand_entry(entry),
            "metadata" => {
                expand_entry(entry);
                if let Kind::Map(blocks) = &mut entry.node.kind {
                    blocks.iter_mut().filter(|block| is_block(&block.key)).for_each(expand_block);
                } else if !entry.node.is_null() {
                    unreadable(entry, report);
                }
            }
            _ => {}
        }
    }
}

/// The blocks of an expanded tree.
pub(super) fn blocks<'a>(root: &'a Node, report: &mut Report) -> Blocks<'a> {
    let metadata = root.get("metadata").map(|entry| &entry.node);
    let block = |name: &&str| metadata.and_then(|node| node.get(name)).filter(|entry| !entry.node.is_null());
    let claw = block(&"claw");
    if let Some(entry) = claw.filter(|entry| entry.node.entries().is_none()) {
        let message = format!("is {} where a map belongs", entry.node.kind_name());
        report.add(
            Code::ClawType,
            entry.line,
            "metadata.claw",
            message,
            "write `claw:` and its keys below it",
        );
    }
    let named = OPENCLAW_NAMES.iter().filter_map(block);
    let (maps, others): (Vec<_>, Vec<_>) = named.partition(|entry| entry.node.entries().is_some());
    for entry in others {
        let path = format!("metadata.{}", entry.key);
        let message = format!("is {} where a map belongs", entry.node.kind_name());
        report.add(
            Code::WrongType,
            entry.line,
            &path,
            message,
            "write the block as a map, or leave it out",
        );
    }
    let claw = claw.filter(|entry| entry.node.entries().is_some());
    Blocks {
        root,
        metadata,
        openclaw: maps.first().copied(),
        claw,
    }
}

fn is_block(key: &str) -> bool {
    key == "claw" || key == "inputs" || key == "outputs" || OPENCLAW_NAMES.contains(&key)
}

fn expand_block(block: &mut Entry) {
    expand_entry(block);
    if let Kind::Map(entries) = &mut block.node.kind {
        let contract = |entry: &&mut Entry| entry.key == "inputs" || entry.key == "outputs";
        entries.iter_mut().filter(contract).for_each(expand_entry);
    }
}

fn expand_entry(entry: &mut Entry) {
    if let Kind::Scalar(scalar) = &entry.node.kind
        && !entry.node.is_null()
        && let Some(node) = relaxed::parse(&scalar.text, entry.node.line)
    {
        entry.node = node;
    }
}

/// `word` on its own: `claw`, not `openclaw`.
fn mentions(text: &str, word: &str) -> bool {
    text.split(|c: char| !c.is_alphanumeric() && c != '_')
        .any(|part| part == word)
}

/// `metadata` that cannot be read is overlooked unless it may hold what callers rely on.
fn unreadable(entry: &Entry, report: &mut Report) {
    let text = entry.node.as_text().unwrap_or_default();
    let matters = ["claw", "inputs", "outputs"].iter().any(|word| mentions(text, word));
    let code = match (&entry.node.kind, matters) {
        (Kind::Scalar(_), true) => Code::ContractType,
        (Kind::Scalar(_), false) => Code::MetadataUnreadable,
        (Kind::List(_) | Kind::Map(_), _) => Code::WrongType,
    };
    let message = format!("is {} where a map belongs", entry.node.kind_name());
    report.add(
        code,
        entry.line,
        "metadata",
        message,
        "write `metadata:` and its keys below it, or one JSON object",
    );
}
