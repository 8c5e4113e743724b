//! What the front matter says beyond what is read: kept, at its own place.

use serde_json::{Map, Value};

use super::metadata::OPENCLAW_NAMES;
use super::node::{Entry, Node, Numbers};

const TOP: &[&str] = &[
    "name",
    "description",
    "license",
    "compatibility",
    "version",
    "allowed-tools",
    "homepage",
    "inputs",
    "outputs",
];
const OPENCLAW: &[&str] = &[
    "requires",
    "os",
    "always",
    "primaryEnv",
    "install",
    "emoji",
    "homepage",
    "inputs",
    "outputs",
    "version",
];
const REQUIRES: &[&str] = &["bins", "anyBins", "env", "config"];
/// The keys of `metadata.claw`.
pub(super) const CLAW: &[&str] = &[
    "model",
    "files",
    "capabilities",
    "idempotent",
    "limits",
    "config",
    "exactly_one_of",
    "inputs",
    "outputs",
    "version",
];

/// Everything of `root` that no field of the manifest holds.
pub(super) fn of(root: &Node) -> Map<String, Value> {
    rest(root, &|entry| match entry.key.as_str() {
        "metadata" => nested(entry, &|entry| match entry.key.as_str() {
            "version" | "inputs" | "outputs" | "homepage" => None,
            "claw" => nested(entry, &|entry| keep_unless(CLAW, entry)),
            name if OPENCLAW_NAMES.contains(&name) => nested(entry, &|entry| match entry.key.as_str() {
                "requires" => nested(entry, &|entry| keep_unless(REQUIRES, entry)),
                _ => keep_unless(OPENCLAW, entry),
            }),
            _ => Some(entry.node.to_json(Numbers::Exact)),
        }),
        _ => keep_unless(TOP, entry),
    })
}

type Keep<'a> = &'a dyn Fn(&Entry) -> Option<Value>;

fn rest(node: &Node, keep: Keep<'_>) -> Map<String, Value> {
    let entries = node.entries().unwrap_or_default();
    entries
        .iter()
        .filter_map(|entry| Some((entry.key.clone(), keep(entry)?)))
        .collect()
}

/// The rest of a map below; nothing if nothing is left, the whole if it is no map.
fn nested(entry: &Entry, keep: Keep<'_>) -> Option<Value> {
    if entry.node.entries().is_none() {
        return Some(entry.node.to_json(Numbers::Exact)).filter(|value| !value.is_null());
    }
    let rest = rest(&entry.node, keep);
    (!rest.is_empty()).then_some(Value::Object(rest))
}

fn keep_unless(known: &[&str], entry: &Entry) -> Option<Value> {
    (!known.contains(&entry.key.as_str())).then(|| entry.node.to_json(Numbers::Exact))
}
