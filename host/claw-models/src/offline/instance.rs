//! A small value for a JSON Schema, with a prompt's words where a property's name matches
//! them. Refuses to go deeper than a bound; whether the value fits is checked elsewhere.

use serde_json::{Map, Number, Value};

use super::json::is_finding_key;
use super::outline::Prompt;
use super::{checklist, summary};
use crate::text::clip;

/// Schemas that nest, or refer to themselves, deeper than this end in `null`.
const MAX_DEPTH: u32 = 24;

/// The longest text that is put into a property, in characters.
const MAX_CHARS: usize = 2_000;

/// The value; without a prompt, the smallest one that the schema's words ask for.
pub(super) fn fill(schema: &Value, prompt: Option<&Prompt>) -> Value {
    Filling { root: schema, prompt }.value(schema, "", MAX_DEPTH)
}

struct Filling<'a> {
    root: &'a Value,
    prompt: Option<&'a Prompt>,
}

impl Filling<'_> {
    fn value(&self, schema: &Value, name: &str, depth: u32) -> Value {
        let Some(depth) = depth.checked_sub(1) else {
            return Value::Null;
        };
        let Value::Object(map) = schema else { return Value::Null };
        if let Some(target) = map
            .get("$ref")
            .and_then(Value::as_str)
            .and_then(|target| self.resolve(target))
        {
            return self.value(target, name, depth);
        }
        if let Some(value) = map.get("const") {
            return value.clone();
        }
        if let Some(choices) = map.get("enum").and_then(Value::as_array) {
            return self.choice(choices);
        }
        if let Some(value) = self.known(name, map) {
            return value;
        }
        for key in ["anyOf", "oneOf"] {
            if let Some(branch) = map
                .get(key)
                .and_then(Value::as_array)
                .and_then(|branches| branches.iter().find(|b| !is_null(b)))
            {
                return self.value(branch, name, depth);
            }
        }
        match kind(map) {
            "object" => self.object(map, depth),
            "array" => self.array(map, name, depth),
            "string" => Value::String(self.text(map, name)),
            "integer" | "number" => number(map),
            "boolean" => Value::Bool(false),
            _ => match map.get("allOf").and_then(Value::as_array).and_then(|all| all.first()) {
                Some(first) => self.value(first, name, depth),
                None => Value::Null,
            },
        }
    }

    fn resolve(&self, target: &str) -> Option<&Value> {
        let pointer = target.strip_prefix('#')?;
        self.root.pointer(pointer)
    }

    /// The choice that the prompt mentions, or the first.
    fn choice(&self, choices: &[Value]) -> Value {
        let mentioned = |choice: &&Value| {
            let word = choice.as_str().filter(|word| !word.is_empty()).map(str::to_lowercase);
            self.prompt
                .zip(word)
                .is_some_and(|(prompt, word)| has_word(&prompt.text.to_lowercase(), &word))
        };
        choices
            .iter()
            .find(mentioned)
            .or_else(|| choices.first())
            .cloned()
            .unwrap_or(Value::Null)
    }

    /// What the prompt says under this name: a key of its JSON, or a line `name: value`.
    fn known(&self, name: &str, map: &Map<String, Value>) -> Option<Value> {
        let prompt = self.prompt.filter(|_| !name.is_empty())?;
        let wanted = kind(map);
        let value = prompt
            .values
            .iter()
            .find_map(|value| under_key(value, name, MAX_DEPTH))
            .filter(|value| is_kind(value, wanted));
        if let Some(value) = value {
            return Some(value.clone());
        }
        let said = line_value(&prompt.text, name)?;
        match wanted {
            "string" => Some(Value::String(clip(said, MAX_CHARS))),
            "integer" => leading_number(said).parse::<i64>().ok().map(Value::from),
            "number" => leading_number(said)
                .parse::<f64>()
                .ok()
                .and_then(Number::from_f64)
                .map(Value::Number),
            "boolean" => match said.to_lowercase().trim_end_matches('.') {
                "yes" | "true" => Some(Value::Bool(true)),
                "no" | "false" => Some(Value::Bool(false)),
                _ => None,
            },
            _ => None,
        }
    }

    /// Required properties always, others where the prompt has something for them.
    fn object(&self, map: &Map<String, Value>, depth: u32) -> Value {
        let empty = Map::new();
        let properties = map.get("properties").and_then(Value::as_object).unwrap_or(&empty);
        let required: Vec<&str> = map
            .get("required")
            .and_then(Value::as_array)
            .map(|names| names.iter().filter_map(Value::as_str).collect())
            .unwrap_or_default();
        let mut object = Map::new();
        for (name, schema) in properties {
            let known = || schema.as_object().and_then(|schema| self.known(name, schema));
            if required.contains(&name.as_str()) {
                object.insert(name.clone(), self.value(schema, name, depth));
            } else if let Some(value) = known() {
                object.insert(name.clone(), value);
            }
        }
        for name in required {
            if !object.contains_key(name) {
                object.insert(name.to_owned(), Value::String(self.text(&empty, name)));
            }
        }
        Value::Object(object)
    }

    fn array(&self, map: &Map<String, Value>, name: &str, depth: u32) -> Value {
        let items = map.get("items").unwrap_or(&Value::Null);
        let bound = |key: &str| {
            map.get(key)
                .and_then(Value::as_u64)
                .and_then(|bound| usize::try_from(bound).ok())
        };
        let max = bound("maxItems").unwrap_or(usize::MAX);
        let mut values: Vec<Value> = Vec::new();
        if let (Some(prompt), "string") = (self.prompt, items.as_object().map_or("string", kind)) {
            values.extend(listed(prompt, name).into_iter().take(max.min(256)).map(Value::String));
        }
        // A hostile schema may ask for billions.
        let min = bound("minItems").unwrap_or(0).min(256);
        while values.len() < min {
            values.push(self.value(items, name, depth));
        }
        Value::Array(values)
    }

    fn text(&self, map: &Map<String, Value>, name: &str) -> String {
        let bound = |key: &str| {
            map.get(key)
                .and_then(Value::as_u64)
                .and_then(|bound| usize::try_from(bound).ok())
        };
        let lower = name.to_lowercase();
        let told = match (map.get("format").and_then(Value::as_str), self.prompt) {
            (Some("date"), _) => Some("1970-01-01".to_owned()),
            (Some("date-time"), _) => Some("1970-01-01T00:00:00Z".to_owned()),
            (Some("email"), _) => Some("nobody@example.invalid".to_owned()),
            (Some("uri"), _) => Some("https://example.invalid/".to_owned()),
            (Some("uuid"), _) => Some("00000000-0000-0000-0000-000000000000".to_owned()),
            (_, None) => None,
            (_, Some(prompt)) if lower.contains("checklist") => Some(checklist::write(prompt)),
            (_, Some(prompt)) if lower.contains("title") || lower.contains("subject") => prompt
                .outline
                .headings()
                .next()
                .map(str::to_owned)
                .or_else(|| summary::first_sentence(prompt)),
            (_, Some(prompt)) => summary::first_sentence(prompt),
        };
        let mut text = told.unwrap_or_default();
        let max = bound("maxLength").unwrap_or(MAX_CHARS);
        if text.chars().count() > max {
            text = text.chars().take(max).collect();
        }
        let missing = bound("minLength")
            .unwrap_or(0)
            .min(MAX_CHARS)
            .saturating_sub(text.chars().count());
        text.extend(std::iter::repeat_n('-', missing));
        text
    }
}

/// List items that belong to a property of this name.
fn listed(prompt: &Prompt, name: &str) -> Vec<String> {
    let words = name.to_lowercase().replace(['_', '-'], " ");
    let stem = words.trim_end_matches('s');
    let list = prompt
        .outline
        .lists
        .iter()
        .find(|list| !stem.is_empty() && list.lead.to_lowercase().contains(stem));
    match list {
        Some(list) => list.items.clone(),
        None if is_finding_key(name) || words.contains("checklist") => checklist::items(prompt),
        None => Vec::new(),
    }
}

fn kind(map: &Map<String, Value>) -> &str {
    let named = match map.get("type") {
        Some(Value::String(kind)) => Some(kind.as_str()),
        Some(Value::Array(kinds)) => kinds.iter().filter_map(Value::as_str).find(|kind| *kind != "null"),
        _ => None,
    };
    match named {
        Some(kind) => kind,
        None if map.contains_key("properties") || map.contains_key("required") => "object",
        None if map.contains_key("items") => "array",
        None => "",
    }
}

fn is_kind(value: &Value, kind: &str) -> bool {
    match kind {
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => false,
    }
}

fn is_null(schema: &Value) -> bool {
    schema.get("type").and_then(Value::as_str) == Some("null")
}

fn under_key<'a>(value: &'a Value, name: &str, depth: u32) -> Option<&'a Value> {
    let depth = depth.checked_sub(1)?;
    match value {
        Value::Object(map) => map
            .get(name)
            .or_else(|| map.values().find_map(|value| under_key(value, name, depth))),
        Value::Array(items) => items.iter().find_map(|value| under_key(value, name, depth)),
        _ => None,
    }
}

/// The rest of a line that begins with the name and a colon, list marks and emphasis aside.
fn line_value<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let plain = |text: &str| text.to_lowercase().replace(['_', '-', '*', '`'], " ").trim().to_owned();
    let wanted = plain(name);
    text.lines().find_map(|line| {
        let (key, value) = line.trim_start_matches(['-', '*', '#', ' ']).split_once(':')?;
        let value = value.trim().trim_matches(['*', '`', '"']).trim();
        (plain(key) == wanted && !value.is_empty()).then_some(value)
    })
}

fn leading_number(text: &str) -> &str {
    let end = text
        .find(|c: char| !c.is_ascii_digit() && !matches!(c, '-' | '.'))
        .unwrap_or(text.len());
    text.get(..end).unwrap_or_default().trim_end_matches('.')
}

fn number(map: &Map<String, Value>) -> Value {
    let integer = kind(map) == "integer";
    let bound = |key: &str| map.get(key).and_then(Value::as_f64);
    let least = bound("minimum").or_else(|| bound("exclusiveMinimum").map(|bound| bound + 1.0));
    let most = bound("maximum").or_else(|| bound("exclusiveMaximum").map(|bound| bound - 1.0));
    let value = match (least, most) {
        (Some(least), _) if least > 0.0 => least,
        (_, Some(most)) if most < 0.0 => most,
        _ => 0.0,
    };
    if integer {
        Value::from(value.ceil() as i64)
    } else {
        Number::from_f64(value).map_or(Value::Null, Value::Number)
    }
}

fn has_word(text: &str, word: &str) -> bool {
    text.match_indices(word).any(|(at, found)| {
        let edge = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric());
        let (before, after) = (
            text.get(..at).unwrap_or_default(),
            text.get(at + found.len()..).unwrap_or_default(),
        );
        edge(before.chars().next_back()) && edge(after.chars().next())
    })
}
