//! The fields of an object, taken out one by one. What is left at the end is what nobody
//! understood, and is refused by its name.

use claw_core::errors::{Code, Fault};
use serde_json::{Map, Value, json};

use crate::text::clip;

/// Fields that are still to be understood, and where they stand.
pub(super) struct Fields {
    map: Map<String, Value>,
    path: String,
}

impl Fields {
    /// Those of an object at this path; the path of the body itself is empty.
    pub(super) fn of(value: &Value, path: &str) -> Result<Self, Fault> {
        match value {
            Value::Object(map) => Ok(Fields {
                map: map.clone(),
                path: path.to_owned(),
            }),
            _ => Err(malformed(path, "must be an object")),
        }
    }

    /// The path of one of them.
    pub(super) fn at(&self, key: &str) -> String {
        if self.path.is_empty() {
            clip(key, 64)
        } else {
            format!("{}.{}", self.path, clip(key, 64))
        }
    }

    /// The value of a field; null counts as absent.
    pub(super) fn take(&mut self, key: &str) -> Option<Value> {
        self.map.shift_remove(key).filter(|value| !value.is_null())
    }

    pub(super) fn text(&mut self, key: &str) -> Result<Option<String>, Fault> {
        match self.take(key) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(malformed(&self.at(key), "must be a text")),
        }
    }

    pub(super) fn required(&mut self, key: &str) -> Result<String, Fault> {
        self.text(key)?.ok_or_else(|| malformed(&self.at(key), "is missing"))
    }

    pub(super) fn flag(&mut self, key: &str) -> Result<Option<bool>, Fault> {
        match self.take(key) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(flag)),
            Some(_) => Err(malformed(&self.at(key), "must be true or false")),
        }
    }

    pub(super) fn tokens(&mut self, key: &str) -> Result<Option<u32>, Fault> {
        match self.take(key) {
            None => Ok(None),
            Some(value) => value
                .as_u64()
                .and_then(|number| u32::try_from(number).ok())
                .map(Some)
                .ok_or_else(|| malformed(&self.at(key), "must be a whole number of tokens")),
        }
    }

    pub(super) fn fraction(&mut self, key: &str) -> Result<Option<f32>, Fault> {
        match self.take(key) {
            None => Ok(None),
            Some(value) => value
                .as_f64()
                .map(|number| Some(number as f32))
                .ok_or_else(|| malformed(&self.at(key), "must be a number")),
        }
    }

    pub(super) fn list(&mut self, key: &str) -> Result<Vec<Value>, Fault> {
        match self.take(key) {
            None => Ok(Vec::new()),
            Some(Value::Array(items)) => Ok(items),
            Some(_) => Err(malformed(&self.at(key), "must be a list")),
        }
    }

    /// A text or a list of texts.
    pub(super) fn texts(&mut self, key: &str) -> Result<Vec<String>, Fault> {
        let at = self.at(key);
        match self.take(key) {
            None => Ok(Vec::new()),
            Some(Value::String(text)) => Ok(vec![text]),
            Some(Value::Array(items)) => items
                .into_iter()
                .map(|item| match item {
                    Value::String(text) => Ok(text),
                    _ => Err(malformed(&at, "must hold texts")),
                })
                .collect(),
            Some(_) => Err(malformed(&at, "must be a text or a list of texts")),
        }
    }

    /// Fields that say nothing by these values are understood.
    pub(super) fn harmless(&mut self, values: &[(&str, Value)]) {
        for (key, harmless) in values {
            if self.map.get(*key).is_some_and(|value| value == harmless || value.is_null()) {
                self.map.shift_remove(*key);
            }
        }
    }

    /// Fields that change nothing for the caller are understood, whatever they say.
    pub(super) fn ignore(&mut self, keys: &[&str]) {
        for key in keys {
            self.map.shift_remove(*key);
        }
    }

    /// Nothing is left.
    ///
    /// # Errors
    /// [`Code::ModelUntranslatable`], naming the first field that is.
    pub(super) fn end(self) -> Result<(), Fault> {
        match self.map.iter().find(|(_, value)| !value.is_null()) {
            Some((key, _)) => Err(untranslatable(&self.at(key))),
            None => Ok(()),
        }
    }
}

/// The refusal of a field that has no counterpart.
pub(super) fn untranslatable(param: &str) -> Fault {
    let shown: String = param.chars().filter(|c| !c.is_control()).collect();
    Fault::new(
        Code::ModelUntranslatable,
        format!("`{shown}` has no counterpart at the provider that serves this call"),
    )
    .hint("leave it out, or let an entry whose provider speaks this dialect serve the call")
    .details(json!({ "param": shown }))
}

/// The refusal of a field that cannot be read.
pub(super) fn malformed(param: &str, why: &str) -> Fault {
    let shown: String = param.chars().filter(|c| !c.is_control()).collect();
    let what = if shown.is_empty() {
        "the body".to_owned()
    } else {
        format!("`{shown}`")
    };
    Fault::new(Code::InvalidInput, format!("{what} {why}")).details(json!({ "param": shown }))
}
