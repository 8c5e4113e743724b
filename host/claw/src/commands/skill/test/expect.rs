//! What must come out of a case, and whether it did: `expected/<case>.json` is the output or
//! `{"error": {"code": …}}`, and `expected/<case>/` the files that were written.

use std::collections::BTreeSet;
use std::fs;
use std::io;

use anyhow::{Context as _, Result};
use claw_core::errors::{Code, Fault};
use serde::Deserialize;
use serde_json::{Value, json};

use super::case::{self, Case};
use super::diff::Pair;
use super::report::Failure;
use super::same::pretty;
use super::stage::{Ran, tree};

/// What must come out.
#[derive(Debug, PartialEq)]
enum Expectation {
    Output(Value),
    Error { code: String, message: Option<String> },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ErrorForm {
    code: String,
    message: Option<String>,
}

impl Expectation {
    fn parse(bytes: &[u8]) -> Result<Self, String> {
        let value: Value = serde_json::from_slice(bytes).map_err(|error| format!("is no JSON: {error}"))?;
        let error = value
            .as_object()
            .filter(|map| map.len() == 1)
            .and_then(|map| map.get("error"))
            .filter(|error| error.is_object());
        match error {
            Some(error) => {
                let form: ErrorForm = serde_json::from_value(error.clone()).map_err(|error| {
                    format!("expects an error, written as {{\"error\": {{\"code\": …, \"message\": …}}}}: {error}")
                })?;
                Ok(Expectation::Error {
                    code: form.code,
                    message: form.message,
                })
            }
            None => Ok(Expectation::Output(value)),
        }
    }

    fn is_met_by(&self, result: &Result<Value, Fault>) -> bool {
        match (self, result) {
            (Expectation::Output(expected), Ok(got)) => expected == got,
            (Expectation::Error { code, message }, Err(fault)) => {
                *code == code_of(fault) && message.as_ref().is_none_or(|message| *message == fault.message)
            }
            (Expectation::Output(_), Err(_)) | (Expectation::Error { .. }, Ok(_)) => false,
        }
    }
}

/// A skill's own code, where the error is its own.
fn code_of(fault: &Fault) -> &str {
    let own = fault
        .details
        .as_ref()
        .filter(|_| fault.code == Code::SkillError)
        .and_then(|details| details.get("code")?.as_str());
    own.filter(|code| !code.is_empty()).unwrap_or(fault.code.as_str())
}

/// The result in the form of an expectation.
fn form(result: &Result<Value, Fault>, with_message: bool) -> Value {
    match result {
        Ok(output) => output.clone(),
        Err(fault) if with_message => json!({ "error": { "code": code_of(fault), "message": fault.message } }),
        Err(fault) => json!({ "error": { "code": code_of(fault) } }),
    }
}

/// Everything in which a run is not what its case expects.
pub(super) fn compare(case: &Case, ran: &Ran) -> Vec<Failure> {
    let mut failures = Vec::new();
    let path = case.expected_path();
    let short = case.short(&path);
    match case::read(&path) {
        Ok(bytes) => match Expectation::parse(&bytes) {
            Ok(expected) if expected.is_met_by(&ran.result) => {}
            Ok(expected) => failures.push(differs(&short, &bytes, &expected, &ran.result)),
            Err(why) => failures.push(Failure::new("expectation", format!("`{short}` {why}"))),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let message = format!("there is no `{short}`; run with `--update` to write what came out");
            let pair = Pair {
                left: "expected",
                right: "got",
                expected: String::new(),
                got: pretty(&form(&ran.result, true)),
            };
            failures.push(Failure::new("expectation", message).diff(pair));
        }
        Err(error) => failures.push(Failure::new("expectation", format!("`{short}` cannot be read: {error}"))),
    }
    failures.extend(compare_files(case, ran));
    failures
}

fn differs(short: &str, bytes: &[u8], expected: &Expectation, result: &Result<Value, Fault>) -> Failure {
    let message = match (expected, result) {
        (Expectation::Output(_), Err(fault)) => {
            let hint = fault.hint.as_ref().map(|hint| format!("\nhint: {hint}")).unwrap_or_default();
            format!("it failed with `{}`: {}{hint}", code_of(fault), fault.message)
        }
        (Expectation::Error { code, .. }, Ok(_)) => format!("it succeeded, and `{short}` expects the error `{code}`"),
        (Expectation::Error { code, .. }, Err(fault)) if code != code_of(fault) => {
            format!(
                "it failed with `{}`, and `{short}` expects `{code}`: {}",
                code_of(fault),
                fault.message
            )
        }
        (Expectation::Error { .. }, Err(_)) => format!("the error's message is not that of `{short}`"),
        (Expectation::Output(_), Ok(_)) => format!("the result is not that of `{short}`"),
    };
    let expects_message = matches!(expected, Expectation::Error { message: Some(_), .. } | Expectation::Output(_));
    let expected = serde_json::from_slice(bytes)
        .map(|value: Value| pretty(&value))
        .unwrap_or_default();
    let got = pretty(&form(result, expects_message));
    Failure::new("result", message).diff(Pair {
        left: "expected",
        right: "got",
        expected,
        got,
    })
}

fn compare_files(case: &Case, ran: &Ran) -> Vec<Failure> {
    let folder = case.expected_files_path();
    if !folder.is_dir() {
        return Vec::new();
    }
    let short = case.short(&folder);
    let expected = match tree(&folder) {
        Ok(expected) => expected,
        Err(error) => return vec![Failure::new("files", format!("{error:#}"))],
    };
    let mut failures = Vec::new();
    for (path, bytes) in &expected {
        match ran.files.get(path) {
            Some((got, _)) if got == bytes => {}
            Some((got, _)) => {
                let failure = Failure::new("files", format!("the file `{path}` is not that of `{short}`"));
                failures.push(failure.diff(Pair {
                    left: "expected",
                    right: "got",
                    expected: text(bytes),
                    got: text(got),
                }));
            }
            None => failures.push(Failure::new(
                "files",
                format!("the file `{path}` of `{short}` was not written"),
            )),
        }
    }
    let more = ran
        .files
        .iter()
        .filter(|(path, (_, changed))| *changed && !expected.contains_key(*path));
    failures.extend(more.map(|(path, (bytes, _))| {
        let failure = Failure::new(
            "files",
            format!("the file `{path}` was written, and `{short}` has none of that name"),
        );
        failure.diff(Pair {
            left: "expected",
            right: "got",
            expected: String::new(),
            got: text(bytes),
        })
    }));
    failures
}

/// A file as it is shown: its text, or its size where it is none.
fn text(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => format!("{} bytes that are no text\n", bytes.len()),
    }
}

/// Makes what came out the expectation; answers the files that changed.
///
/// # Errors
/// One cannot be written.
pub(super) fn update(case: &Case, ran: &Ran) -> Result<Vec<String>> {
    let mut changed = Vec::new();
    let path = case.expected_path();
    let is_met =
        case::read(&path).is_ok_and(|bytes| Expectation::parse(&bytes).is_ok_and(|expected| expected.is_met_by(&ran.result)));
    if !is_met {
        let mut json = serde_json::to_string_pretty(&form(&ran.result, false))?;
        json.push('\n');
        put(&path, json.as_bytes())?;
        changed.push(case.short(&path));
    }
    let folder = case.expected_files_path();
    let there = if folder.is_dir() { tree(&folder)? } else { Default::default() };
    let written: BTreeSet<&String> = ran
        .files
        .iter()
        .filter(|(_, (_, changed))| *changed)
        .map(|(path, _)| path)
        .collect();
    for (path, (bytes, is_changed)) in &ran.files {
        let wanted = *is_changed || there.contains_key(path);
        if wanted && there.get(path) != Some(bytes) {
            put(&folder.join(path), bytes)?;
            changed.push(case.short(&folder.join(path)));
        }
    }
    for path in there
        .keys()
        .filter(|path| !written.contains(path) && !ran.files.contains_key(*path))
    {
        let path = folder.join(path);
        fs::remove_file(&path).with_context(|| format!("cannot remove `{}`", path.display()))?;
        changed.push(case.short(&path));
    }
    Ok(changed)
}

fn put(path: &std::path::Path, bytes: &[u8]) -> Result<()> {
    let failed = || format!("cannot write `{}`", path.display());
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(failed)?;
    }
    fs::write(path, bytes).with_context(failed)
}

#[cfg(test)]
mod tests;
