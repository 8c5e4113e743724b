//! The shapes of a skill's input and output, compiled. Nothing is fetched, and no
//! pattern can run longer than its text.

use std::fmt;
use std::sync::Arc;

use jsonschema::error::ValidationErrorKind;
use jsonschema::{PatternOptions, ValidationError, Validator};
use serde::Serialize;
use serde_json::{Value, json};

/// More violations than this are not told.
const MOST_VIOLATIONS: usize = 32;
/// The size in bytes of one compiled pattern.
const PATTERN_BYTES: usize = 1 << 20;

/// The input and the output of a skill.
#[derive(Clone, Debug, Default)]
pub struct Contract {
    /// What a caller hands in.
    pub inputs: Schema,
    /// What the skill hands back.
    pub outputs: Schema,
}

/// A compiled JSON Schema. The default accepts every object.
#[derive(Clone)]
pub struct Schema {
    json: Arc<Value>,
    validator: Option<Arc<Validator>>,
    declared: bool,
}

/// One way in which a value does not fit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Violation {
    /// JSON Pointer of the place in the value; empty for the whole.
    pub pointer: String,
    /// What is wrong there; never contains the value itself.
    pub message: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.pointer.is_empty() {
            return out.write_str(&self.message);
        }
        write!(out, "`{}`: {}", self.pointer, self.message)
    }
}

impl Default for Schema {
    fn default() -> Schema {
        let json = json!({ "$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object" });
        Schema {
            json: Arc::new(json),
            validator: None,
            declared: false,
        }
    }
}

impl fmt::Debug for Schema {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Schema({})", self.json)
    }
}

impl Schema {
    /// Compiles a schema that the caller has already bounded in size, depth and references; an
    /// error is the place in the schema and the words for it.
    pub(super) fn compile(json: Value) -> Result<Schema, (String, String)> {
        let patterns = PatternOptions::regex()
            .size_limit(PATTERN_BYTES)
            .dfa_size_limit(PATTERN_BYTES);
        let built = jsonschema::options().offline().with_pattern_options(patterns).build(&json);
        let validator = built.map_err(|error| {
            let place = error.instance_path().to_string();
            let message = if place.is_empty() {
                error.to_string()
            } else {
                format!("{error} at `{place}`")
            };
            (place, message)
        })?;
        Ok(Schema {
            json: Arc::new(json),
            validator: Some(Arc::new(validator)),
            declared: true,
        })
    }

    /// The schema itself, draft 2020-12 unless it says otherwise.
    pub fn json(&self) -> &Value {
        &self.json
    }

    /// The SKILL.md writes it; otherwise every object is accepted.
    pub fn is_declared(&self) -> bool {
        self.declared
    }

    /// Whether `value` fits.
    ///
    /// # Errors
    /// Every way in which it does not, up to 32.
    pub fn validate(&self, value: &Value) -> Result<(), Vec<Violation>> {
        let Some(validator) = &self.validator else {
            return match value {
                Value::Object(_) => Ok(()),
                other => Err(vec![violation("", format!("wants an object, got {}", type_of(other)))]),
            };
        };
        if validator.is_valid(value) {
            return Ok(());
        }
        let found: Vec<_> = validator
            .iter_errors(value)
            .take(MOST_VIOLATIONS)
            .map(|error| self.explain(&error))
            .collect();
        // `is_valid` and `iter_errors` are two walks; if they ever disagree, the value is refused.
        if found.is_empty() {
            Err(vec![violation("", "does not fit the schema".to_owned())])
        } else {
            Err(found)
        }
    }

    fn explain(&self, error: &ValidationError<'_>) -> Violation {
        let pointer = error.instance_path().to_string();
        let message = match error.kind() {
            ValidationErrorKind::Required { property } => format!("`{}` is missing", text_of(property)),
            ValidationErrorKind::Type { .. } => {
                format!("wants {}, got {}", self.wanted(error), type_of(error.instance()))
            }
            ValidationErrorKind::AdditionalProperties { unexpected }
            | ValidationErrorKind::UnevaluatedProperties { unexpected } => {
                let known = self.known_at(error);
                let names = ticked(unexpected.iter().map(String::as_str));
                if known.is_empty() {
                    format!("does not know {names}")
                } else {
                    format!("does not know {names}; it knows {known}")
                }
            }
            ValidationErrorKind::OneOfNotValid { .. } | ValidationErrorKind::OneOfMultipleValid { .. } => {
                match self.alternatives(error) {
                    Some(names) => format!("give exactly one of {names}"),
                    None => "must fit exactly one of the forms that the schema lists".to_owned(),
                }
            }
            ValidationErrorKind::Enum { options } => match options.as_array() {
                Some(options) => format!(
                    "must be one of {}",
                    ticked(options.iter().map(text_of).collect::<Vec<_>>().iter().map(String::as_str))
                ),
                None => error.masked().to_string(),
            },
            // The rest of the library's own words, with the value left out.
            _ => error.masked().to_string(),
        };
        violation(&pointer, message)
    }

    fn wanted(&self, error: &ValidationError<'_>) -> String {
        match self.json.pointer(error.schema_path().as_str()) {
            Some(Value::String(name)) => with_article(name),
            Some(Value::Array(names)) => names.iter().map(text_of).collect::<Vec<_>>().join(" or "),
            _ => "another type".to_owned(),
        }
    }

    fn known_at(&self, error: &ValidationError<'_>) -> String {
        let path = error.schema_path().as_str();
        let parent = path.rsplit_once('/').map_or("", |(parent, _)| parent);
        let known = self
            .json
            .pointer(parent)
            .and_then(|schema| schema.get("properties"))
            .and_then(Value::as_object);
        known
            .map(|known| ticked(known.keys().map(String::as_str)))
            .unwrap_or_default()
    }

    /// The names in a `oneOf` whose every branch is `{required: [one name]}`.
    fn alternatives(&self, error: &ValidationError<'_>) -> Option<String> {
        let branches = self.json.pointer(error.schema_path().as_str())?.as_array()?;
        let names: Option<Vec<&str>> = branches
            .iter()
            .map(|branch| branch.get("required")?.as_array()?.first()?.as_str())
            .collect();
        names.map(|names| ticked(names.into_iter()))
    }
}

fn violation(pointer: &str, message: String) -> Violation {
    Violation {
        pointer: pointer.to_owned(),
        message,
    }
}

fn ticked<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

fn text_of(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn with_article(name: &str) -> String {
    match name {
        "null" => "null".to_owned(),
        "integer" | "array" | "object" => format!("an {name}"),
        other => format!("a {other}"),
    }
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(number) if number.is_i64() || number.is_u64() => "an integer",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests;
