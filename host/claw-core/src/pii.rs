//! Personal data and secrets in text, by class. Vocabulary only where policy needs it; found
//! spans are reported by class and place, never by value.

mod checks;
mod detect;
mod mask;
mod restore;
mod rules;
mod walk;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use detect::{BadPattern, CustomPattern, Detector, PiiSettings};
pub use mask::{Restorer, Vault, redact};
pub use restore::restored;
pub use walk::{fixed_texts, json_within, map_texts, texts, unescaped};

/// What kind of data a span is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Class(std::borrow::Cow<'static, str>);

impl Class {
    /// A built-in class.
    pub const fn of(name: &'static str) -> Self {
        Class(std::borrow::Cow::Borrowed(name))
    }

    /// A class of the operator's own.
    pub fn custom(name: impl Into<String>) -> Self {
        Class(std::borrow::Cow::Owned(name.into()))
    }

    /// Its name: `email`, `phone`, `card`, …
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One span of a text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What it is.
    pub class: Class,
    /// The first byte.
    pub start: usize,
    /// The byte after the last.
    pub end: usize,
}

/// A text could not be looked through. Whoever asked must then refuse the call.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the text could not be looked through for personal data: {0}")]
pub struct InspectFailed(pub String);

/// Looks through texts.
pub trait Inspector: Send + Sync + fmt::Debug {
    /// All spans, in order, none overlapping another.
    ///
    /// # Errors
    /// [`InspectFailed`], and then nothing is known about the text.
    fn inspect(&self, text: &str) -> Result<Vec<Finding>, InspectFailed>;
}

#[cfg(test)]
mod tests;
