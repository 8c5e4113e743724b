//! `claw skill check`: every SKILL.md below some paths, read by the lenient loader and the
//! strict lint. Changes nothing.

use std::fmt::Write as _;
use std::path::PathBuf;

use anyhow::Result;
use claw_core::manifest::check::{Row, check_paths};
use claw_core::manifest::{Diagnostic, Severity};
use serde_json::json;

use crate::cli::CheckArgs;
use crate::exit::Exit;
use crate::output::{self, Style, printable};

/// Runs the command.
///
/// # Errors
/// None of its own.
pub(super) fn run(args: CheckArgs) -> Result<Exit> {
    let paths = if args.paths.is_empty() {
        vec![PathBuf::from(".")]
    } else {
        args.paths
    };
    let rows = check_paths(&paths);
    if args.json {
        output::json(&json!({ "files": rows, "summary": Summary::of(&rows).json() }));
    } else {
        output::raw(text(&rows, Style::stdout()).as_bytes());
    }
    let passes = rows.iter().all(|row| if args.strict { row.passes() } else { row.loads });
    Ok(if passes { Exit::Ok } else { Exit::BadSkill })
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Summary {
    files: usize,
    load: usize,
    warnings: usize,
    lint_errors: usize,
    lint_warnings: usize,
}

impl Summary {
    fn of(rows: &[Row]) -> Self {
        let mut summary = Summary {
            files: rows.len(),
            ..Summary::default()
        };
        for row in rows {
            summary.load += usize::from(row.loads);
            summary.warnings += row.warnings;
            summary.lint_errors += count(row, Severity::Error);
            summary.lint_warnings += count(row, Severity::Warning);
        }
        summary
    }

    fn json(&self) -> serde_json::Value {
        json!({
            "files": self.files,
            "load": self.load,
            "warnings": self.warnings,
            "lint_errors": self.lint_errors,
            "lint_warnings": self.lint_warnings,
        })
    }
}

fn count(row: &Row, severity: Severity) -> usize {
    row.lint.iter().filter(|found| found.severity == severity).count()
}

fn text(rows: &[Row], style: Style) -> String {
    let mut text = String::new();
    for row in rows {
        let is_clean = row.lint.iter().all(|found| found.severity == Severity::Note);
        let mark = match (row.loads, is_clean) {
            (false, _) => style.red("fails"),
            (true, true) => style.green("ok   "),
            (true, false) => style.yellow("loads"),
        };
        let path = printable(&row.path.display().to_string());
        let counts = [
            (row.warnings, "warnings"),
            (count(row, Severity::Error), "lint errors"),
            (count(row, Severity::Warning), "lint warnings"),
        ];
        let counts: Vec<String> = counts
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, word)| format!("{count} {word}"))
            .collect();
        let _ = writeln!(
            text,
            "{}",
            format!("{mark}  {path}  {}", style.dim(&counts.join(", "))).trim_end()
        );
        for found in &row.lint {
            for line in one(found, style).lines() {
                let _ = writeln!(text, "  {line}");
            }
        }
    }
    let Summary {
        files,
        load,
        warnings,
        lint_errors,
        lint_warnings,
    } = Summary::of(rows);
    let _ = writeln!(
        text,
        "{files} files, {load} load; {warnings} warnings; the lint has {lint_errors} errors and {lint_warnings} warnings"
    );
    text
}

/// One finding, with the line of its file.
pub(super) fn one(found: &Diagnostic, style: Style) -> String {
    let word = match found.severity {
        Severity::Error => style.red("error"),
        Severity::Warning => style.yellow("warning"),
        Severity::Note => style.dim("note"),
    };
    let key = if found.key.is_empty() {
        String::new()
    } else {
        format!("`{}` ", printable(&found.key))
    };
    let mut text = format!(
        "{}: {word}[{}]: {key}{}",
        found.line,
        found.code.id(),
        printable(&found.message)
    );
    if let Some(hint) = &found.hint {
        let _ = write!(text, "\n    hint: {}", printable(hint));
    }
    text
}

#[cfg(test)]
mod tests;
