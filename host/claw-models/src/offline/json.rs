//! JSON in the middle of a prompt, and the findings that it lists.

use serde_json::Value;

use super::outline::one_line;

/// How many places are tried, so that a text of brackets costs no more than a long one.
const MAX_TRIES: usize = 4096;

/// The text without the JSON objects and lists in it, and these. Lists without words, such
/// as `[1]` or `[ ]`, are text.
pub(super) fn split(text: &str) -> (String, Vec<Value>) {
    let (mut plain, mut values) = (String::with_capacity(text.len()), Vec::new());
    let mut rest = text;
    for _ in 0..MAX_TRIES {
        let Some(at) = rest.find(['{', '[']) else { break };
        let (before, candidate) = rest.split_at(at);
        plain.push_str(before);
        let mut stream = serde_json::Deserializer::from_str(candidate).into_iter::<Value>();
        match stream.next() {
            Some(Ok(value)) if has_words(&value) => {
                rest = candidate.get(stream.byte_offset()..).unwrap_or_default();
                values.push(value);
            }
            _ => {
                let (bracket, after) = candidate.split_at(1);
                plain.push_str(bracket);
                rest = after;
            }
        }
    }
    plain.push_str(rest);
    (plain, values)
}

fn has_words(value: &Value) -> bool {
    match value {
        Value::Object(map) => !map.is_empty(),
        Value::Array(items) => items.iter().any(|item| item.is_string() || has_words(item)),
        _ => false,
    }
}

/// Keys under which programs list what they found.
const FINDING_KEYS: &[&str] = &[
    "flags",
    "findings",
    "issues",
    "risks",
    "problems",
    "warnings",
    "violations",
    "errors",
    "concerns",
    "alerts",
    "todos",
    "tasks",
    "recommendations",
    "comments",
    "items",
    "checks",
];

/// Whether a name, such as `risk_flags`, is one of findings.
pub(super) fn is_finding_key(name: &str) -> bool {
    let name = name.to_lowercase();
    FINDING_KEYS
        .iter()
        .any(|key| name == *key || name.ends_with(&format!("_{key}")) || name.ends_with(&format!("-{key}")))
}

/// What the values list as findings, one line each. Where no key says so, every list of
/// words or objects counts.
pub(super) fn findings(values: &[Value]) -> Vec<String> {
    let mut named = Vec::new();
    let lists_them = std::cell::Cell::new(false);
    let wanted = |key: &str| {
        let is = is_finding_key(key);
        lists_them.set(lists_them.get() || is);
        is
    };
    values.iter().for_each(|value| gather(value, &wanted, &mut named));
    if named.is_empty() && !lists_them.get() {
        values.iter().for_each(|value| gather(value, &|_| true, &mut named));
        values
            .iter()
            .filter_map(Value::as_array)
            .for_each(|items| named.extend(items.iter().filter_map(words)));
    }
    named
}

fn gather(value: &Value, wanted: &dyn Fn(&str) -> bool, found: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                match value {
                    Value::Array(items) if wanted(key) => found.extend(items.iter().filter_map(words)),
                    Value::Object(flags) if wanted(key) && is_finding_key(key) => {
                        found.extend(flags.iter().filter_map(|(name, value)| flag(name, value)));
                    }
                    value => gather(value, wanted, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| gather(item, wanted, found)),
        _ => {}
    }
}

/// A flag that is set, such as `{"touches_auth": true}`.
fn flag(name: &str, value: &Value) -> Option<String> {
    match value {
        Value::Bool(true) => Some(name.to_owned()),
        Value::Bool(false) | Value::Null => None,
        value => words(value).map(|words| format!("{name}: {words}")),
    }
}

const SEVERITY: &[&str] = &["severity", "level", "priority"];
const PLACE: &[&str] = &["file", "path", "filename", "location"];
const LINE: &[&str] = &["line", "line_number", "start_line"];
const SKIPPED: &[&str] = &["id", "uuid", "hash", "sha"];

/// A finding in its own words: how bad, what, where.
fn words(value: &Value) -> Option<String> {
    let scalar = |value: &Value| match value {
        Value::String(text) => Some(one_line(text)).filter(|text| !text.is_empty()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(true) => Some("yes".to_owned()),
        _ => None,
    };
    let Value::Object(map) = value else { return scalar(value) };
    let pick = |keys: &[&str]| keys.iter().find_map(|key| map.get(*key).and_then(scalar));
    let known: Vec<&str> = [SEVERITY, PLACE, LINE, SKIPPED].concat();
    let said: Vec<String> = map
        .iter()
        .filter(|(key, _)| !known.contains(&key.as_str()))
        // A count beside the words says nothing without its name.
        .filter_map(|(_, value)| value.is_string().then(|| scalar(value))?)
        .collect();
    let mut line = said.join(": ");
    if let Some(severity) = pick(SEVERITY) {
        line = if line.is_empty() {
            severity
        } else {
            format!("**{severity}** {line}")
        };
    }
    if let Some(place) = pick(PLACE) {
        let at = pick(LINE).map(|line| format!(":{line}")).unwrap_or_default();
        line = if line.is_empty() {
            format!("`{place}{at}`")
        } else {
            format!("{line} (`{place}{at}`)")
        };
    }
    (!line.is_empty()).then_some(line)
}
