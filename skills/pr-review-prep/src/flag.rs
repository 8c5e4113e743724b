//! A finding, as the caller gets it.

use serde::Serialize;

/// How much it matters. The order is that of the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Stop.
    Critical,
    /// Look at it first.
    High,
    /// Look at it.
    Medium,
    /// Know about it.
    Low,
}

impl Severity {
    /// The word in the answer.
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Critical => "critical",
            Severity::High => "high",
            Severity::Medium => "medium",
            Severity::Low => "low",
        }
    }
}

/// A finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Flag {
    /// Stable, for programs.
    pub id: &'static str,
    /// How much it matters.
    pub severity: Severity,
    /// What was found, in words that do not depend on the change.
    pub title: &'static str,
    /// What to do about it, with counts where there are any.
    pub detail: String,
    /// Where, sorted.
    pub files: Vec<String>,
    /// How many files more there are than are listed.
    #[serde(skip_serializing_if = "is_zero")]
    pub more_files: usize,
    /// What exactly: `path:line: kind`, or names. Never a secret.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<String>,
}

fn is_zero(count: &usize) -> bool {
    *count == 0
}

const MAX_FILES: usize = 50;
const MAX_EVIDENCE: usize = 20;

impl Flag {
    /// A finding in these files.
    pub fn new(id: &'static str, severity: Severity, title: &'static str, detail: impl Into<String>) -> Self {
        Flag {
            id,
            severity,
            title,
            detail: detail.into(),
            files: Vec::new(),
            more_files: 0,
            evidence: Vec::new(),
        }
    }

    /// Where; sorted, each once, and bounded.
    #[must_use]
    pub fn files<'a>(mut self, files: impl IntoIterator<Item = &'a str>) -> Self {
        self.files = files.into_iter().map(str::to_owned).collect();
        self.files.sort();
        self.files.dedup();
        self.more_files = self.files.len().saturating_sub(MAX_FILES);
        self.files.truncate(MAX_FILES);
        self
    }

    /// What exactly; bounded.
    #[must_use]
    pub fn evidence(mut self, evidence: impl IntoIterator<Item = String>) -> Self {
        self.evidence = evidence.into_iter().collect();
        let more = self.evidence.len().saturating_sub(MAX_EVIDENCE);
        self.evidence.truncate(MAX_EVIDENCE);
        if more > 0 {
            self.evidence.push(format!("and {more} more"));
        }
        self
    }
}
