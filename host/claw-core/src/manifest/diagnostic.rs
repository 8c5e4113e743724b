//! One finding, for people and for programs.

use std::fmt;

use serde::Serialize;

use super::Code;

/// How much a finding weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Worth knowing; nothing is wrong.
    Note,
    /// Overlooked by the loader; other readers of the format may not overlook it.
    Warning,
    /// The file does not load, or does not pass the lint.
    Error,
}

impl Severity {
    /// The word shown before a message.
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Note => "note",
            Severity::Warning => "warning",
            Severity::Error => "error",
        }
    }
}

/// One finding: what, where, and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// How much it weighs here: the lint is stricter than the loader.
    pub severity: Severity,
    /// Its stable id.
    pub code: Code,
    /// The file, as the origin names it.
    pub file: String,
    /// The line of the file, from 1.
    pub line: usize,
    /// The key it is about, such as `metadata.claw.limits.memory_mb`; empty for the file as a whole.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub key: String,
    /// What is the case, as a fragment.
    pub message: String,
    /// What to write instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}:{}: {}", self.file, self.line, self.severity.as_str())?;
        write!(out, "[{}]: ", self.code.id())?;
        if !self.key.is_empty() {
            write!(out, "`{}`: ", self.key)?;
        }
        out.write_str(&self.message)?;
        match &self.hint {
            Some(hint) => write!(out, "\n  hint: {hint}"),
            None => Ok(()),
        }
    }
}

/// The errors among `found`, one below the other.
pub(super) fn errors_as_text(found: &[Diagnostic]) -> String {
    let errors = found.iter().filter(|one| one.severity == Severity::Error);
    errors.map(ToString::to_string).collect::<Vec<_>>().join("\n")
}
