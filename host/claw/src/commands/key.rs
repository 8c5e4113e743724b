//! `claw key …`: keys of services, in the store of the home. A gateway that runs on it sees a
//! change at the next request.

use anyhow::Result;
use claw_core::keys::KeyScope;
use claw_store::{KeyError, KeyRecord, KeyState, KeyStore, Made, time};
use serde_json::json;

use super::Environment;
use crate::cli::{CreateKeyArgs, KeyCommand};
use crate::compose;
use crate::exit::{Exit, Failed};
use crate::output::{self, Style};
use crate::spans::Span;

/// Runs the command.
///
/// # Errors
/// There is no home, no such key, or the key cannot be what was asked for.
pub(super) fn run(command: KeyCommand, environment: &Environment) -> Result<Exit> {
    super::of_this_home(environment, "keys")?;
    let mut store = KeyStore::open(&environment.home.keys())?;
    match command {
        KeyCommand::Create(arguments) => create(&mut store, arguments),
        KeyCommand::List { all, json } => list(&store, all, json),
        KeyCommand::Show { id, json } => {
            show(&store.get(&id).map_err(failed)?, json)?;
            Ok(Exit::Ok)
        }
        KeyCommand::Rotate { id, overlap, json } => rotate(&mut store, &id, overlap, json),
        KeyCommand::Revoke { id, json } => {
            let record = store.revoke(&id).map_err(failed)?;
            if json {
                output::json(&record.view(time::now_us()));
            } else {
                output::note(format!("revoked `{}` of `{}`", record.scope.id, record.scope.service));
            }
            Ok(Exit::Ok)
        }
    }
}

fn create(store: &mut KeyStore, arguments: CreateKeyArgs) -> Result<Exit> {
    let named = |patterns: Vec<String>| Some(patterns).filter(|patterns| !patterns.is_empty());
    let scope = KeyScope {
        id: String::new(),
        service: arguments.service,
        uses: named(arguments.uses),
        skills: named(arguments.skills),
        budget: arguments.budget,
        rpm: arguments.rpm,
        expires_at_us: arguments.expires.map(|moment| moment.0),
        approves: arguments.approves,
    };
    let made = store.create(scope).map_err(failed)?;
    hand_over(&made, arguments.json)?;
    if !arguments.json && made.record.scope.uses.is_none() && made.record.scope.skills.is_none() {
        output::note("it may make every call; `--uses` and `--skills` make a narrower one");
    }
    Ok(Exit::Ok)
}

fn rotate(store: &mut KeyStore, id: &str, overlap: Span, json: bool) -> Result<Exit> {
    let made = store.rotate(id, overlap.0).map_err(failed)?;
    hand_over(&made, json)?;
    if !json {
        output::note(match made.record.overlap_until_us {
            Some(until) => format!("the old one works until {}", time::rfc3339(until)),
            None => "the old one works no more".to_owned(),
        });
    }
    Ok(Exit::Ok)
}

/// Shows a key, once.
fn hand_over(made: &Made, as_json: bool) -> Result<()> {
    if as_json {
        output::json(&compose::shown(made));
    } else {
        output::line(made.secret.expose());
        let (id, service) = (&made.record.scope.id, &made.record.scope.service);
        output::note(format!("`{id}` of `{service}`: this is the only time that the key is shown"));
    }
    Ok(())
}

fn list(store: &KeyStore, all: bool, json: bool) -> Result<Exit> {
    let now_us = time::now_us();
    let over = |record: &KeyRecord| matches!(record.state(now_us), KeyState::Revoked | KeyState::Expired);
    let (shown, hidden): (Vec<KeyRecord>, Vec<KeyRecord>) = store.list()?.into_iter().partition(|record| all || !over(record));
    if json {
        let keys: Vec<_> = shown.iter().map(|record| record.view(now_us)).collect();
        output::json(&json!({ "keys": keys }));
        return Ok(Exit::Ok);
    }
    if shown.is_empty() {
        output::note("no keys: make one with `claw key create --service NAME`");
    } else {
        output::raw(table(&shown, now_us, Style::stdout()).as_bytes());
    }
    if !hidden.is_empty() {
        let (count, word) = (hidden.len(), if hidden.len() == 1 { "is" } else { "are" });
        output::note(format!("{count} more {word} revoked or expired: `claw key list --all`"));
    }
    Ok(Exit::Ok)
}

fn table(records: &[KeyRecord], now_us: i64, style: Style) -> String {
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    let rows = records.iter().map(|record| {
        let view = record.view(now_us);
        let (uses, skills) = allowed(record);
        vec![
            view.id,
            view.service,
            view.state.to_owned(),
            uses,
            skills,
            or_dash(view.budget),
            or_dash(view.rpm.map(|rpm| rpm.to_string())),
            or_dash(view.expires_at),
            or_dash(view.last_used_at),
        ]
    });
    let head = [
        "ID",
        "SERVICE",
        "STATE",
        "USES",
        "SKILLS",
        "BUDGET",
        "RPM",
        "EXPIRES",
        "LAST USED",
    ];
    output::table(&head, &rows.collect::<Vec<_>>(), style)
}

/// The uses and the skills that it allows, in words.
fn allowed(record: &KeyRecord) -> (String, String) {
    let scope = &record.scope;
    let words = |patterns: Option<&Vec<String>>, names_others: bool| match (patterns, names_others) {
        (Some(patterns), _) => patterns.join(","),
        (None, true) => "none".to_owned(),
        (None, false) => "all".to_owned(),
    };
    (
        words(scope.uses.as_ref(), scope.skills.is_some()),
        words(scope.skills.as_ref(), scope.uses.is_some()),
    )
}

fn show(record: &KeyRecord, as_json: bool) -> Result<()> {
    let view = record.view(time::now_us());
    if as_json {
        output::json(&view);
        return Ok(());
    }
    let (uses, skills) = allowed(record);
    let rows = [
        ("id", Some(view.id)),
        ("service", Some(view.service)),
        ("state", Some(view.state.to_owned())),
        ("uses", Some(uses)),
        ("skills", Some(skills)),
        ("budget", view.budget),
        ("rpm", view.rpm.map(|rpm| rpm.to_string())),
        ("created", Some(view.created_at)),
        ("expires", view.expires_at),
        ("revoked", view.revoked_at),
        ("last used", view.last_used_at),
        ("newest secret", view.secret_made_at),
        ("old secret until", view.overlap_until),
    ];
    for (name, value) in rows {
        if let Some(value) = value {
            output::line(format!("{name:<17} {}", output::printable(&value)));
        }
    }
    Ok(())
}

/// A refusal as this program's failure.
fn failed(error: KeyError) -> anyhow::Error {
    let message = error.to_string();
    let (exit, hint) = match error {
        KeyError::Unknown { .. } => (Exit::Usage, Some("`claw key list --all` shows them".to_owned())),
        KeyError::Ended { .. } => (Exit::Unexpected, Some("make another with `claw key create`".to_owned())),
        KeyError::Scope(fault) => (Exit::Usage, fault.hint),
        KeyError::Past => (Exit::Usage, Some("`--expires 90d` is 90 days from now".to_owned())),
        KeyError::Full => (
            Exit::Unexpected,
            Some("revoke some: `claw key list` says when each was last used".to_owned()),
        ),
        KeyError::Store(error) => return error.into(),
    };
    Failed { exit, message, hint }.into()
}

#[cfg(test)]
mod tests;
