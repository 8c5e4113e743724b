//! Capabilities of the gateway's machine and of its nodes, other skills included. Where one
//! runs is the gateway's decision.

use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{Error, host};

/// What goes into a capability and comes out of it.
#[derive(Clone, Debug, PartialEq)]
pub enum Payload {
    /// One JSON value.
    Json(Value),
    /// Plain text.
    Text(String),
    /// Anything else.
    Bytes {
        /// A media type, such as `image/png`.
        mime: String,
        /// The bytes.
        data: Vec<u8>,
    },
}

/// What a capability answered.
#[derive(Clone, Debug, PartialEq)]
pub struct Reply {
    /// The answer.
    pub output: Payload,
    /// The machine that did it; `local` is the gateway's own.
    pub node: String,
    /// How long it took.
    pub duration: Duration,
}

impl Reply {
    /// The answer, which must be JSON of this shape.
    ///
    /// # Errors
    /// `skill.answer` where it is not.
    pub fn json<T: DeserializeOwned>(self) -> Result<T, Error> {
        match self.output {
            Payload::Json(value) => serde_json::from_value(value)
                .map_err(|error| Error::new("answer", format!("the capability's answer does not fit: {error}"))),
            Payload::Text(_) | Payload::Bytes { .. } => Err(Error::new("answer", "the capability's answer is not JSON")),
        }
    }
}

/// Calls a capability with a JSON value and waits for its answer.
///
/// # Errors
/// `grant.missing` or `grant.undeclared` where the skill may not, `draft.held` where policy
/// holds the effect for approval (it has not happened), else the capability's own.
pub fn invoke(capability: &str, input: impl Serialize) -> Result<Reply, Error> {
    let input = serde_json::to_value(input)
        .map_err(|error| Error::new("json", format!("the input cannot be written as JSON: {error}")))?;
    host::invoke(capability, Payload::Json(input))
}

/// Calls a capability with any payload.
///
/// # Errors
/// As [`invoke`].
pub fn invoke_with(capability: &str, input: Payload) -> Result<Reply, Error> {
    host::invoke(capability, input)
}
