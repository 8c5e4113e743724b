//! What a model call is given beside its own words: named pieces that the gateway gathers, and
//! the turns of a session that it keeps. Decides what fits and where it goes; fetches nothing.

mod fit;
mod inject;
mod said;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::errors::{Code, Fault};
use crate::model::Role;

pub use fit::{Fitted, fit};
pub use inject::{into_request, into_wire, question_of};
pub use said::said_in;

/// What a caller wants gathered.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContextWanted {
    /// Names of `context.yaml`.
    #[serde(default)]
    pub context: Vec<String>,
    /// The conversation whose turns go before this one, and that it is added to.
    #[serde(default)]
    pub session: Option<String>,
    /// Values for `{placeholders}` of the providers.
    #[serde(default)]
    pub vars: BTreeMap<String, Value>,
}

/// The most names in one call.
const MAX_NAMES: usize = 16;

impl ContextWanted {
    /// Nothing is wanted.
    pub fn is_empty(&self) -> bool {
        self.context.is_empty() && self.session.is_none()
    }

    /// Names and values are such as can be looked up.
    ///
    /// # Errors
    /// [`Code::InvalidInput`], naming what is not.
    pub fn check(&self) -> Result<(), Fault> {
        let bad = |message: String| Err(Fault::new(Code::InvalidInput, message));
        if self.context.len() > MAX_NAMES {
            return bad(format!("a call can name at most {MAX_NAMES} contexts"));
        }
        if let Some(name) = self.context.iter().find(|name| !is_name(name, 64)) {
            let shown: String = name.chars().filter(|c| !c.is_control()).take(64).collect();
            return bad(format!("`{shown}` is not a name of a context"));
        }
        if self.session.as_deref().is_some_and(|session| !is_name(session, 128)) {
            return bad("a session's name has 1 to 128 letters, digits, `-`, `_`, `.` and `:`".to_owned());
        }
        let scalar = |value: &Value| value.is_string() || value.is_number() || value.is_boolean();
        if let Some((name, _)) = self.vars.iter().find(|(name, value)| !is_name(name, 64) || !scalar(value)) {
            let shown: String = name.chars().filter(|c| !c.is_control()).take(64).collect();
            return bad(format!(
                "the variable `{shown}` is not a name with a text, a number or a boolean"
            ));
        }
        Ok(())
    }
}

fn is_name(text: &str, longest: usize) -> bool {
    (1..=longest).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b':'))
}

/// One turn of a session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Turn {
    /// Who spoke: the user or the assistant.
    pub role: Role,
    /// What was said.
    pub text: String,
}

/// One piece that was gathered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gathered {
    /// Its name in `context.yaml`; `session` for turns.
    pub name: String,
    /// What it is.
    pub content: Content,
    /// The higher, the longer it keeps its place where room is short.
    pub priority: i32,
    /// The most tokens that it may take.
    pub max_tokens: Option<u64>,
}

/// What a piece is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// Text for the model to know.
    Text(String),
    /// What was said before, oldest first.
    Turns(Vec<Turn>),
}

/// What became of a piece, as audit entries hold it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContextUse {
    /// Its name.
    pub name: String,
    /// About how many tokens of it went in: four bytes each.
    pub tokens: u64,
    /// Not all of it had room.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cut: bool,
    /// It could not be gathered, and the call went on without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<Code>,
}

/// Tokens of a text by the rule of thumb of four bytes each, rounded up.
pub(crate) fn tokens(text: &str) -> u64 {
    (text.len() as u64).div_ceil(4)
}

#[cfg(test)]
mod tests;
