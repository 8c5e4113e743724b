//! `claw draft …`: asked of the gateway that runs, which alone makes what is approved. Approves
//! nothing that was not shown.

use std::io::{IsTerminal as _, Write as _};

use anyhow::Result;
use serde_json::{Value, json};

use super::{Environment, runtime};
use crate::cli::DraftCommand;
use crate::client::Client;
use crate::exit::{Exit, Failed};
use crate::output::{self, Style};

/// Runs the command.
///
/// # Errors
/// No gateway answers, or what it refuses.
pub(super) fn run(command: DraftCommand, environment: &Environment) -> Result<Exit> {
    let client = Client::connect(environment)?;
    runtime()?.block_on(async {
        match command {
            DraftCommand::List { all, state, limit, json } => {
                let state = match (all, state) {
                    (true, _) => String::new(),
                    (false, Some(state)) => format!("&state={}", state.as_str()),
                    (false, None) => "&state=pending".to_owned(),
                };
                list(&client, &format!("/v1/drafts?limit={limit}{state}"), json).await
            }
            DraftCommand::Show { id, json } => {
                let draft = client.get(&path(&id, "")?).await?;
                if json {
                    output::json(&draft);
                } else {
                    show(&draft);
                }
                Ok(Exit::Ok)
            }
            DraftCommand::Approve { id, hash, yes, json } => approve(&client, &id, hash, yes, json).await,
            DraftCommand::Reject { id, because, json } => {
                let body = json!({ "because": because });
                let draft = client.post(&path(&id, "/reject")?, &body, &[]).await?;
                if json {
                    output::json(&draft);
                } else {
                    output::note(format!("rejected `{id}`"));
                }
                Ok(Exit::Ok)
            }
        }
    })
}

/// Only what can be an id gets into a path.
fn path(id: &str, rest: &str) -> Result<String> {
    let id: claw_core::draft::DraftId = id.parse().map_err(|_| {
        Failed::new(Exit::Usage, format!("`{id}` is not a draft's id"))
            .hint("it begins with `drf_`: `claw draft list` shows them")
    })?;
    Ok(format!("/v1/drafts/{id}{rest}"))
}

async fn list(client: &Client, path: &str, as_json: bool) -> Result<Exit> {
    let page = client.get(path).await?;
    let drafts = page.get("drafts").and_then(Value::as_array).cloned().unwrap_or_default();
    if as_json {
        output::json(&drafts);
        return Ok(Exit::Ok);
    }
    if drafts.is_empty() {
        output::note("nothing waits for approval; `--all` shows what did");
        return Ok(Exit::Ok);
    }
    let cells = drafts.iter().map(|draft| {
        vec![
            text(draft, "id"),
            text(draft, "state"),
            text(draft, "created_at"),
            text(draft, "caller"),
            text(draft, "skill"),
            text(draft, "capability"),
            words(draft.get("act").unwrap_or_default()),
        ]
    });
    let head = ["ID", "STATE", "PROPOSED", "CALLER", "SKILL", "CAPABILITY", "WHAT"];
    output::raw(output::table(&head, &cells.collect::<Vec<_>>(), Style::stdout()).as_bytes());
    Ok(Exit::Ok)
}

async fn approve(client: &Client, id: &str, hash: Option<String>, yes: bool, as_json: bool) -> Result<Exit> {
    let hash = match hash {
        Some(hash) => hash,
        None => {
            let draft = client.get(&path(id, "")?).await?;
            if text(&draft, "state") == "pending" && !yes {
                show(&draft);
                if !agreed()? {
                    return Err(Failed::new(Exit::Usage, "nothing was approved")
                        .hint(format!("`claw draft reject {id}` rejects it"))
                        .into());
                }
            }
            text(&draft, "hash")
        }
    };
    let draft = client.post(&path(id, "/approve")?, &json!({ "hash": hash }), &[]).await?;
    let done = text(&draft, "state") == "done";
    if as_json {
        output::json(&draft);
    } else {
        outcome(&draft);
    }
    Ok(if done { Exit::Ok } else { Exit::Unexpected })
}

/// Asks at the terminal; where there is none, nobody has agreed.
fn agreed() -> Result<bool> {
    if !std::io::stdin().is_terminal() {
        return Err(Failed::new(Exit::Usage, "there is no terminal to ask at")
            .hint("say `--yes`, or `--hash` with the hash of what you saw")
            .into());
    }
    let mut err = std::io::stderr();
    write!(err, "approve this? [y/N] ")?;
    err.flush()?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

fn show(draft: &Value) {
    let style = Style::stdout();
    output::line(format!("{}  {}", style.bold(&text(draft, "id")), text(draft, "state")));
    let skill = text(draft, "skill");
    let by = if skill.is_empty() {
        text(draft, "caller")
    } else {
        format!("the skill {skill}, called by {}", text(draft, "caller"))
    };
    for (label, value) in [
        ("proposed by", by),
        ("held by", words(draft.get("policies").unwrap_or_default())),
        ("proposed at", text(draft, "created_at")),
        ("expires at", text(draft, "expires_at")),
        ("would call", text(draft, "capability")),
    ] {
        output::line(output::printable(&format!("{label:<12} {value}")));
    }
    let act = draft.get("act").unwrap_or_default();
    match act.as_object() {
        Some(act) => {
            for (key, value) in act.iter().filter(|(_, value)| !value.is_null()) {
                output::line(output::printable(&format!("  {key:<10} {}", words(value))));
            }
        }
        None => output::line(output::printable(&format!("  {act}"))),
    }
    output::line(format!("{:<12} {}", "hash", text(draft, "hash")));
    outcome_of(draft);
}

fn outcome(draft: &Value) {
    output::note(format!("{} {}", text(draft, "id"), text(draft, "state")));
    outcome_of(draft);
}

fn outcome_of(draft: &Value) {
    for (label, key) in [("decided by", "decided_by"), ("because", "because"), ("ran as", "ran")] {
        let value = text(draft, key);
        if !value.is_empty() {
            output::line(output::printable(&format!("{label:<12} {value}")));
        }
    }
    if let Some(answer) = draft.get("output").filter(|answer| !answer.is_null()) {
        output::line(output::printable(&format!("{:<12} {answer}", "answer")));
    }
    if let Some(error) = draft.get("error").filter(|error| !error.is_null()) {
        let (code, message) = (text(error, "code"), text(error, "message"));
        output::line(output::printable(&format!("{:<12} {code}: {message}", "failed")));
    }
}

fn text(value: &Value, key: &str) -> String {
    value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// A value on one line: lists of words as words.
fn words(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(quoted).collect::<Vec<_>>().join(" "),
        Value::Object(fields) => match (fields.get("program"), fields.get("args")) {
            (Some(program), Some(args)) => format!("{} {}", words(program), words(args)),
            _ => value.to_string(),
        },
        other => other.to_string(),
    }
}

/// A word as a shell would want it, so that what is one argument looks like one.
fn quoted(value: &Value) -> String {
    match value.as_str() {
        Some(text) if !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_./=:,@%+".contains(c)) => {
            text.to_owned()
        }
        Some(text) => format!("'{}'", text.replace('\'', "'\\''")),
        None => value.to_string(),
    }
}
