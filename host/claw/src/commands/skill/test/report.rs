//! How the cases went: for people, as JSON, and as JUnit.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::diff::Pair;
use crate::output::{Style, printable};

/// One thing that is wrong with a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::commands::skill) struct Failure {
    /// `fixture`, `cassette`, `missing_call`, `unused_call`, `expectation`, `result`, `files`.
    kind: &'static str,
    message: String,
    diff: Option<Pair>,
}

impl Failure {
    /// A failure in words.
    pub(super) fn new(kind: &'static str, message: impl Into<String>) -> Self {
        Failure {
            kind,
            message: message.into(),
            diff: None,
        }
    }

    /// With what was expected beside what was there.
    #[must_use]
    pub(super) fn diff(mut self, pair: Pair) -> Self {
        self.diff = Some(pair);
        self
    }

    /// The words alone.
    pub(in crate::commands::skill) fn message(&self) -> &str {
        &self.message
    }

    fn text(&self, style: Style) -> String {
        let mut text = printable(&self.message);
        if let Some(pair) = &self.diff {
            text.push('\n');
            text.push_str(&pair.render(style));
        }
        text
    }
}

/// How one case went.
#[derive(Clone, Debug)]
pub(super) struct Outcome {
    pub(super) name: String,
    pub(super) failures: Vec<Failure>,
    /// Expectations that were written.
    pub(super) updated: Vec<String>,
    pub(super) logs: Vec<String>,
    pub(super) millis: u64,
}

/// How all of them went.
#[derive(Clone, Debug)]
pub(super) struct Report {
    pub(super) skill: String,
    pub(super) version: String,
    pub(super) outcomes: Vec<Outcome>,
    pub(super) warnings: Vec<String>,
}

impl Report {
    /// How many failed.
    pub(super) fn failed(&self) -> usize {
        self.outcomes.iter().filter(|outcome| !outcome.failures.is_empty()).count()
    }

    fn passed(&self) -> usize {
        self.outcomes.len() - self.failed()
    }

    /// For people.
    pub(super) fn text(&self, style: Style) -> String {
        let mut text = format!("{}\n", style.bold(&format!("{}@{}", self.skill, self.version)));
        for outcome in &self.outcomes {
            let mark = if outcome.failures.is_empty() {
                style.green("ok  ")
            } else {
                style.red("FAIL")
            };
            let millis = style.dim(&format!("{} ms", outcome.millis));
            let _ = writeln!(text, "{mark}  {}  {millis}", printable(&outcome.name));
            for file in &outcome.updated {
                let _ = writeln!(text, "      wrote `{}`", printable(file));
            }
            for failure in &outcome.failures {
                for line in failure.text(style).lines() {
                    let _ = writeln!(text, "      {line}");
                }
            }
            if !outcome.failures.is_empty() {
                for line in outcome.logs.iter().flat_map(|entry| entry.lines()) {
                    let _ = writeln!(text, "      {}", style.dim(&format!("log: {}", printable(line))));
                }
            }
        }
        let _ = writeln!(text, "{}", self.summary());
        text
    }

    fn summary(&self) -> String {
        format!("{} passed, {} failed", self.passed(), self.failed())
    }

    /// For programs.
    pub(super) fn json(&self) -> Value {
        let cases = self.outcomes.iter().map(|outcome| {
            let failures = outcome.failures.iter().map(|failure| {
                let diff = failure.diff.as_ref().map(|pair| pair.render(Style::plain()));
                json!({ "kind": failure.kind, "message": failure.message, "diff": diff })
            });
            json!({
                "name": outcome.name,
                "ok": outcome.failures.is_empty(),
                "failures": failures.collect::<Vec<_>>(),
                "updated": outcome.updated,
                "logs": outcome.logs,
                "duration_ms": outcome.millis,
            })
        });
        json!({
            "ok": self.failed() == 0,
            "skill": self.skill,
            "version": self.version,
            "passed": self.passed(),
            "failed": self.failed(),
            "cases": cases.collect::<Vec<_>>(),
            "warnings": self.warnings,
        })
    }

    /// For CI: one suite, a case each.
    pub(super) fn junit(&self) -> String {
        let seconds = |millis: u64| format!("{}.{:03}", millis / 1_000, millis % 1_000);
        let total = self.outcomes.iter().map(|outcome| outcome.millis).sum();
        let (tests, failed, name) = (self.outcomes.len(), self.failed(), escaped(&self.skill));
        let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
        let _ = writeln!(xml, "<testsuites tests=\"{tests}\" failures=\"{failed}\">");
        let counts = format!(
            "tests=\"{tests}\" failures=\"{failed}\" errors=\"0\" skipped=\"0\" time=\"{}\"",
            seconds(total)
        );
        let _ = writeln!(xml, "  <testsuite name=\"{name}\" {counts}>");
        for outcome in &self.outcomes {
            let case = format!(
                "name=\"{}\" classname=\"{name}\" time=\"{}\"",
                escaped(&outcome.name),
                seconds(outcome.millis)
            );
            if outcome.failures.is_empty() {
                let _ = writeln!(xml, "    <testcase {case}/>");
                continue;
            }
            let _ = writeln!(xml, "    <testcase {case}>");
            for failure in &outcome.failures {
                let (kind, message) = (failure.kind, escaped(&failure.message));
                let body = escaped(&failure.text(Style::plain()));
                let _ = writeln!(xml, "      <failure type=\"{kind}\" message=\"{message}\">{body}</failure>");
            }
            if !outcome.logs.is_empty() {
                let _ = writeln!(xml, "      <system-out>{}</system-out>", escaped(&outcome.logs.join("\n")));
            }
            let _ = writeln!(xml, "    </testcase>");
        }
        xml.push_str("  </testsuite>\n</testsuites>\n");
        xml
    }
}

/// Text as XML 1.0 can hold it, in attributes too.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' => out.push_str("&#10;"),
            '\t' => out.push_str("&#9;"),
            '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            c if c.is_control() => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests;
