//! Why a call or a skill failed: a case to branch on, a stable code, words for people.

use std::fmt;
use std::time::Duration;

/// The cases of the contract. Trying again helps with [`Kind::Unavailable`] alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// A grant or a policy does not allow it.
    Denied,
    /// The arguments do not fit.
    InvalidInput,
    /// The named thing does not exist.
    NotFound,
    /// It cannot be reached or is overloaded.
    Unavailable,
    /// It took longer than the time this invocation has left.
    Timeout,
    /// A limit of this invocation is used up.
    LimitExceeded,
    /// The caller has gone, or the host is stopping.
    Cancelled,
    /// Anything else; its code says what.
    Other,
}

/// Why a call failed. What a host call answers can be handed on with `?`: its case and its
/// code reach the caller unchanged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    kind: Kind,
    code: String,
    message: String,
    retry_after: Option<Duration>,
}

impl Error {
    /// An error of the skill's own: `Error::new("no_diff", "…")` has the code
    /// `skill.no_diff`. The message is a lower-case fragment without a full stop, and holds
    /// no secret.
    pub fn new(code: impl AsRef<str>, message: impl Into<String>) -> Self {
        Error::of(Kind::Other, own(code.as_ref()), message.into(), None)
    }

    /// The input is wrong in a way that its schema cannot say: `skill.<code>`.
    pub fn invalid_input(code: impl AsRef<str>, message: impl Into<String>) -> Self {
        Error::of(Kind::InvalidInput, own(code.as_ref()), message.into(), None)
    }

    /// Something that the input names does not exist: `skill.<code>`.
    pub fn not_found(code: impl AsRef<str>, message: impl Into<String>) -> Self {
        Error::of(Kind::NotFound, own(code.as_ref()), message.into(), None)
    }

    /// It may work later: `skill.<code>`.
    pub fn unavailable(code: impl AsRef<str>, message: impl Into<String>, retry_after: Option<Duration>) -> Self {
        Error::of(Kind::Unavailable, own(code.as_ref()), message.into(), retry_after)
    }

    /// The caller has gone, or the host is stopping.
    pub fn cancelled() -> Self {
        Error::of(
            Kind::Cancelled,
            "cancelled".to_owned(),
            "the caller has gone".to_owned(),
            None,
        )
    }

    pub(crate) fn of(kind: Kind, code: String, message: String, retry_after: Option<Duration>) -> Self {
        Error {
            kind,
            code,
            message,
            retry_after,
        }
    }

    /// The case to branch on.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The stable code, such as `grant.missing`.
    pub fn code(&self) -> &str {
        &self.code
    }

    /// What went wrong, in words.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// When the same call may be tried again, from now.
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// The same error, with what was being done in front of its words.
    #[must_use]
    pub fn context(mut self, doing: impl fmt::Display) -> Self {
        self.message = format!("{doing}: {}", self.message);
        self
    }
}

fn own(code: &str) -> String {
    if code.starts_with("skill.") {
        code.to_owned()
    } else {
        format!("skill.{code}")
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl std::error::Error for Error {}

impl From<serde_json::Error> for Error {
    fn from(error: serde_json::Error) -> Self {
        Error::new("json", format!("JSON that does not fit: {error}"))
    }
}

impl From<std::str::Utf8Error> for Error {
    fn from(error: std::str::Utf8Error) -> Self {
        Error::new("utf8", format!("text that is not UTF-8: {error}"))
    }
}

impl From<std::string::FromUtf8Error> for Error {
    fn from(error: std::string::FromUtf8Error) -> Self {
        error.utf8_error().into()
    }
}

impl From<std::num::ParseIntError> for Error {
    fn from(error: std::num::ParseIntError) -> Self {
        Error::new("number", format!("text that is no whole number: {error}"))
    }
}

impl From<fmt::Error> for Error {
    fn from(_: fmt::Error) -> Self {
        Error::new("format", "text could not be put together")
    }
}

impl From<String> for Error {
    fn from(message: String) -> Self {
        Error::new("failed", message)
    }
}

impl From<&str> for Error {
    fn from(message: &str) -> Self {
        Error::new("failed", message)
    }
}
