//! `claw skill list`: the skills of the gateway that runs, or what lies in the home where
//! none does. Reads; changes nothing.

use std::collections::BTreeMap;

use anyhow::Result;
use claw_core::grants::{GrantBook, Grants};
use claw_core::manifest::Version;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::component::{Dropped, dropped};
use crate::client::{self, Client};
use crate::commands::Environment;
use crate::exit::{self, Exit};
use crate::output::{self, Style};

/// A row of the list, as the gateway gives it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Row {
    /// The skill's name, or the file's where it could not be read.
    name: String,
    version: Option<String>,
    /// `live`, `needs_grant` or `refused`.
    state: String,
    /// Why it was refused, or what would allow the rest.
    reason: Option<String>,
    /// A bare name means this version.
    #[serde(default)]
    default: bool,
    #[serde(default)]
    description: String,
    sha256: Option<String>,
    file: Option<String>,
}

/// Runs the command.
///
/// # Errors
/// The gateway that was asked for does not answer, or `grants.yaml` has mistakes.
pub(super) fn run(json: bool, environment: &Environment) -> Result<Exit> {
    let (from, rows) = match asked(environment)? {
        Some(found) => found,
        None => (
            "files".to_owned(),
            rows(&dropped(&environment.home), &crate::compose::grants(&environment.home)?),
        ),
    };
    if json {
        output::json(&json!({ "from": from, "skills": rows }));
        return Ok(Exit::Ok);
    }
    if rows.is_empty() {
        output::note(format!(
            "no skills: copy a `.wasm` into `{}`",
            environment.home.skills().display()
        ));
        return Ok(Exit::Ok);
    }
    output::raw(table(&rows, Style::stdout()).as_bytes());
    for row in rows.iter().filter(|row| row.state != "live") {
        if let Some(reason) = &row.reason {
            output::line(output::printable(&format!("{}: {reason}", row.name)));
        }
    }
    Ok(Exit::Ok)
}

/// What a gateway says, if one answers. One that was named has to.
fn asked(environment: &Environment) -> Result<Option<(String, Vec<Row>)>> {
    let Some(url) = client::url(environment) else {
        return Ok(None);
    };
    let answer = Client::connect(environment).and_then(|client| super::runtime()?.block_on(client.get("/v1/skills")));
    match answer.and_then(|answer| read(&answer)) {
        Ok(rows) => Ok(Some((url, rows))),
        // Left behind by a gateway that was killed.
        Err(error) if environment.gateway.is_none() && exit::of(&error) == Exit::Unreachable => {
            output::note(format!("{error}; this is what lies in the home"));
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

fn read(answer: &Value) -> Result<Vec<Row>> {
    let rows = answer.get("skills").cloned().unwrap_or_default();
    Ok(serde_json::from_value(rows)?)
}

/// The rows that these files come to under these grants.
fn rows(dropped: &[Dropped], book: &GrantBook) -> Vec<Row> {
    let mut skills: BTreeMap<String, BTreeMap<Version, (Row, Grants)>> = BTreeMap::new();
    let mut refused = Vec::new();
    for one in dropped {
        let found = match &one.found {
            Ok(found) => found,
            Err(reason) => {
                refused.push(refusal(one, reason.clone()));
                continue;
            }
        };
        let manifest = &found.manifest;
        let grants = book.intersect(&manifest.name, &manifest.requests);
        let reason = super::allow::command(&manifest.name, &grants.missing);
        let row = Row {
            name: manifest.name.clone(),
            version: Some(manifest.version.to_string()),
            state: if reason.is_some() { "needs_grant" } else { "live" }.to_owned(),
            reason,
            default: false,
            description: manifest.description.clone(),
            sha256: Some(found.sha256.clone()),
            file: Some(one.file.clone()),
        };
        let versions = skills.entry(manifest.name.clone()).or_default();
        match versions.get(&manifest.version) {
            Some((taken, _)) if taken.sha256 == row.sha256 => {}
            Some((taken, _)) => {
                let from = taken.file.as_deref().unwrap_or_default();
                let reason = format!("`{}@{}` lies in `{from}` with other code", manifest.name, manifest.version);
                refused.push(refusal(one, reason));
            }
            None => drop(versions.insert(manifest.version.clone(), (row, grants))),
        }
    }
    let mut rows = Vec::new();
    for (name, versions) in skills {
        let complete = versions.iter().map(|(version, (_, grants))| (version, grants.is_complete()));
        let default = book.meant(&name, complete).cloned();
        rows.extend(versions.into_iter().map(|(version, (row, _))| Row {
            default: Some(&version) == default.as_ref(),
            ..row
        }));
    }
    rows.extend(refused);
    rows
}

fn refusal(one: &Dropped, reason: String) -> Row {
    Row {
        name: one.file.trim_end_matches(".wasm").to_owned(),
        version: None,
        state: "refused".to_owned(),
        reason: Some(reason),
        default: false,
        description: String::new(),
        sha256: None,
        file: Some(one.file.clone()),
    }
}

fn table(rows: &[Row], style: Style) -> String {
    let cells = rows.iter().map(|row| {
        let version = row.version.clone().unwrap_or_else(|| "-".to_owned());
        let description: String = row.description.lines().next().unwrap_or_default().chars().take(72).collect();
        let default = if row.default { "*" } else { "" };
        vec![
            row.name.clone(),
            format!("{version}{default}"),
            row.state.replace('_', " "),
            description,
        ]
    });
    output::table(
        &["NAME", "VERSION", "STATE", "DESCRIPTION"],
        &cells.collect::<Vec<_>>(),
        style,
    )
}

#[cfg(test)]
mod tests;
