//! Answers that must fit a JSON Schema: the schema as providers take it, and the check of
//! what they answer. Refuses schemas that point outside themselves.

use claw_core::errors::{Code, Fault};
use jsonschema::{PatternOptions, Validator};
use serde_json::{Map, Value, json};

use crate::text::clip;

/// How many violations an error names.
const MAX_VIOLATIONS: usize = 5;

/// The one property of an object around what is none itself.
const WRAP: &str = "value";

/// What an answer must fit.
#[derive(Debug)]
pub(crate) struct Shape {
    /// The schema as it is sent: an object's, where the provider takes nothing else.
    pub(crate) sent: Value,
    wrapped: bool,
    validator: Validator,
}

impl Shape {
    /// The shape of this schema; with `objects_only`, other values are asked for as the
    /// one property of an object, and taken out again.
    ///
    /// # Errors
    /// [`Code::ModelInvalidRequest`]: it is no schema, or refers to another document.
    pub(crate) fn try_new(schema: &Value, objects_only: bool) -> Result<Self, Fault> {
        // The linear-time engine: a pattern comes from a skill and runs on a model's text.
        let validator = jsonschema::options()
            .with_pattern_options(PatternOptions::regex())
            .build(schema)
            .map_err(|error| {
                let why = clip(&error.masked().to_string(), 200);
                Fault::new(
                    Code::ModelInvalidRequest,
                    format!("the response schema cannot be used: {why}"),
                )
                .hint("write a JSON Schema that refers to nothing outside itself")
            })?;
        let wrapped = objects_only && schema.get("type").and_then(Value::as_str) != Some("object");
        let sent = if wrapped { wrap(schema) } else { schema.clone() };
        Ok(Shape {
            sent,
            wrapped,
            validator,
        })
    }

    /// The JSON value in an answer's text, as text, if it fits.
    ///
    /// # Errors
    /// What does not fit, one line each.
    pub(crate) fn check(&self, text: &str) -> Result<String, Vec<String>> {
        let bare = without_fence(text);
        let value: Value = serde_json::from_str(bare).map_err(|error| vec![format!("not one JSON value: {error}")])?;
        let inner = if self.wrapped { unwrap(&value) } else { None };
        let (value, kept) = match inner {
            Some(inner) => (inner, inner.to_string()),
            None => (&value, bare.to_owned()),
        };
        let violations: Vec<String> = self
            .validator
            .iter_errors(value)
            .take(MAX_VIOLATIONS)
            .map(|error| {
                let path = error.instance_path().to_string();
                clip(
                    &format!("{}: {}", if path.is_empty() { "/" } else { &path }, error.masked()),
                    200,
                )
            })
            .collect();
        if violations.is_empty() { Ok(kept) } else { Err(violations) }
    }
}

/// The fault of an answer that does not fit.
pub(crate) fn mismatch(why: &str, violations: &[String]) -> Fault {
    let first = violations.first().map(|first| format!(": {first}")).unwrap_or_default();
    Fault::new(Code::ModelSchemaMismatch, format!("{why}{first}")).details(json!({ "violations": violations }))
}

/// What the model is told about an answer that does not fit.
pub(crate) fn correction(violations: &[String]) -> String {
    let list = violations.join("\n- ");
    format!(
        "That answer does not fit the JSON Schema that was asked for:\n- {list}\nAnswer again with one JSON value that fits it, \
         and nothing else."
    )
}

/// Whether OpenAI's strict mode takes this schema: every object closed, every property
/// required.
pub(crate) fn is_strict(schema: &Value) -> bool {
    match schema {
        Value::Object(map) => {
            let is_object = map.get("type").is_some_and(|kind| match kind {
                Value::String(kind) => kind == "object",
                Value::Array(kinds) => kinds.iter().any(|kind| kind == "object"),
                _ => false,
            });
            (!is_object || is_closed(map)) && map.values().all(is_strict)
        }
        Value::Array(items) => items.iter().all(is_strict),
        _ => true,
    }
}

fn is_closed(object: &Map<String, Value>) -> bool {
    let required = object.get("required").and_then(Value::as_array);
    let is_required = |name: &String| required.is_some_and(|required| required.iter().any(|entry| entry == name));
    object.get("additionalProperties") == Some(&Value::Bool(false))
        && object
            .get("properties")
            .and_then(Value::as_object)
            .is_some_and(|properties| properties.keys().all(is_required))
}

/// The schema as the one property of an object. Definitions move up with it, since
/// references to them count from the root.
fn wrap(schema: &Value) -> Value {
    let mut inner = schema.clone();
    let mut outer = json!({ "type": "object", "required": [WRAP], "additionalProperties": false });
    for key in ["$defs", "definitions"] {
        if let (Some(definitions), Some(outer)) = (
            inner.as_object_mut().and_then(|inner| inner.shift_remove(key)),
            outer.as_object_mut(),
        ) {
            outer.insert(key.to_owned(), definitions);
        }
    }
    if let Some(outer) = outer.as_object_mut() {
        outer.insert("properties".to_owned(), json!({ WRAP: inner }));
    }
    outer
}

fn unwrap(value: &Value) -> Option<&Value> {
    value.as_object().filter(|object| object.len() == 1)?.get(WRAP)
}

/// The text without the Markdown fence that models like to put around JSON.
fn without_fence(text: &str) -> &str {
    let text = text.trim();
    let inner = || {
        let (first, rest) = text.strip_prefix("```")?.split_once('\n')?;
        matches!(first.trim(), "" | "json" | "JSON")
            .then_some(rest)?
            .trim_end()
            .strip_suffix("```")
    };
    inner().map_or(text, str::trim)
}

#[cfg(test)]
mod tests;
