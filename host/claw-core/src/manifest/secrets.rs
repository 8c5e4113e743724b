//! Values that look like a key or a password. A guess, for the lint only; the value is never repeated.

use super::node::{Kind, Node};

/// Beginnings of keys that their makers publish.
const PREFIXES: &[&str] = &[
    "sk-",
    "sk_live_",
    "rk_live_",
    "ghp_",
    "gho_",
    "ghs_",
    "ghu_",
    "github_pat_",
    "glpat-",
    "xoxa-",
    "xoxb-",
    "xoxp-",
    "xapp-",
    "AKIA",
    "ASIA",
    "AIza",
    "ya29.",
    "eyJhbGciOi",
    "-----BEGIN ",
    "hf_",
    "npm_",
    "pypi-",
    "SG.",
    "dop_v1_",
    "AGE-SECRET-KEY-",
    "claw_sk_",
    "claw_op_",
];
const NAMES: &[&str] = &[
    "apikey",
    "accesskey",
    "secret",
    "token",
    "password",
    "passwd",
    "privatekey",
    "credential",
];

/// The key path and line of every value below `root` that looks like a secret.
pub(super) fn find(root: &Node) -> Vec<(String, usize)> {
    let mut found = Vec::new();
    walk(root, "", "", &mut found);
    found
}

fn walk(node: &Node, path: &str, key: &str, found: &mut Vec<(String, usize)>) {
    match &node.kind {
        Kind::Scalar(scalar) => {
            if is_known_key(&scalar.text) || (is_secret_name(key) && is_random(&scalar.text)) {
                found.push((path.to_owned(), node.line));
            }
        }
        Kind::List(items) => items.iter().for_each(|item| walk(item, path, key, found)),
        Kind::Map(entries) => {
            for entry in entries {
                let path = if path.is_empty() {
                    entry.key.clone()
                } else {
                    format!("{path}.{}", entry.key)
                };
                walk(&entry.node, &path, &entry.key, found);
            }
        }
    }
}

fn is_known_key(text: &str) -> bool {
    text.split(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '`' | '=' | ',' | '(' | ')'))
        .any(|word| {
            PREFIXES.iter().any(|prefix| {
                word.strip_prefix(prefix)
                    .is_some_and(|rest| rest.len() >= 16 && is_random(rest))
                    || word == "-----BEGIN"
            })
        })
}

fn is_secret_name(key: &str) -> bool {
    let plain: String = key
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|c| c.to_ascii_lowercase())
        .collect();
    NAMES.iter().any(|name| plain.contains(name))
}

/// Long, without blanks, letters and digits mixed, and not the name of a variable.
fn is_random(text: &str) -> bool {
    let text = text.trim();
    let variable = text.starts_with(['$', '<', '{']) || text.chars().all(|c| c.is_ascii_uppercase() || c == '_');
    let mixed = text.chars().any(|c| c.is_ascii_digit()) && text.chars().any(|c| c.is_ascii_alphabetic());
    let signs = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '+' | '/' | '=');
    let various = text.chars().collect::<std::collections::BTreeSet<_>>().len() >= 8;
    text.len() >= 16 && mixed && various && !variable && text.chars().all(signs)
}

#[cfg(test)]
mod tests;
