//! The skill's own log, kept in the invocation's journal. Bounded: past the bound lines are
//! counted and dropped.

use serde::Serialize;

use crate::host;

/// How grave a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Every step.
    Trace,
    /// For the skill's author.
    Debug,
    /// For its operator.
    Info,
    /// Something is off.
    Warn,
    /// Something failed.
    Error,
}

/// Every step.
pub fn trace(message: impl AsRef<str>) {
    host::log(Level::Trace, message.as_ref(), None);
}

/// For the skill's author.
pub fn debug(message: impl AsRef<str>) {
    host::log(Level::Debug, message.as_ref(), None);
}

/// For its operator.
pub fn info(message: impl AsRef<str>) {
    host::log(Level::Info, message.as_ref(), None);
}

/// Something is off.
pub fn warn(message: impl AsRef<str>) {
    host::log(Level::Warn, message.as_ref(), None);
}

/// Something failed.
pub fn error(message: impl AsRef<str>) {
    host::log(Level::Error, message.as_ref(), None);
}

/// A line with fields: a struct, a map or `json!({…})`; anything else is left out.
pub fn with(level: Level, message: impl AsRef<str>, fields: impl Serialize) {
    let fields = serde_json::to_value(fields).ok().filter(serde_json::Value::is_object);
    host::log(level, message.as_ref(), fields.map(|fields| fields.to_string()).as_deref());
}
