//! `claw secret …`: what config files name as `${secret:NAME}`. Takes values from standard input
//! or a prompt that shows nothing, and shows none.

mod value;

use std::collections::BTreeSet;

use anyhow::Result;
use claw_store::{HomeKey, SecretError, SecretStore, time};
use serde_json::json;

use super::Environment;
use crate::cli::{SecretCommand, SetSecretArgs};
use crate::config::{self, Reference};
use crate::exit::{Exit, Failed};
use crate::home::Home;
use crate::output::{self, Style};

/// Runs the command.
///
/// # Errors
/// There is no home, no such secret, or no value that can be kept.
pub(super) fn run(command: SecretCommand, environment: &Environment) -> Result<Exit> {
    super::of_this_home(environment, "secrets")?;
    let home = &environment.home;
    match command {
        SecretCommand::Set(arguments) => {
            let value = taken(&arguments)?;
            let before = open(home)?.set(&arguments.name, &value).map_err(failed)?;
            said(home, &arguments.name, before);
        }
        SecretCommand::Rotate(arguments) => {
            let store = open(home)?;
            // Before a value is asked for that would not be kept.
            if store.load()?.get(&arguments.name).is_none() && arguments.is_plain() {
                return Err(failed(SecretError::Unknown { name: arguments.name }));
            }
            let value = taken(&arguments)?;
            let before = store.rotate(&arguments.name, &value).map_err(failed)?;
            said(home, &arguments.name, Some(before));
        }
        SecretCommand::List { json } => list(home, json)?,
        SecretCommand::Rm { name, force } => remove(home, &name, force)?,
    }
    Ok(Exit::Ok)
}

fn open(home: &Home) -> Result<SecretStore> {
    Ok(SecretStore::new(&home.secrets(), &HomeKey::load_or_create(&home.key())?))
}

/// The value, from where it may come.
fn taken(arguments: &SetSecretArgs) -> Result<String> {
    if !arguments.is_plain() {
        return Err(Failed::new(
            Exit::Usage,
            "a secret is not taken from the command line: it would stay in the shell's history and in the list of processes",
        )
        .hint("pipe it: `… | claw secret set NAME --value-stdin`; if what you gave was real, replace it at its provider")
        .into());
    }
    if arguments.value_stdin {
        value::from_stdin()
    } else {
        value::asked(&arguments.name)
    }
}

impl SetSecretArgs {
    /// Nothing was given that could be a value, not even in the name's place.
    fn is_plain(&self) -> bool {
        self.refused.is_empty() && self.refused_value.is_none() && !is_like_a_key(&self.name)
    }
}

/// A guess: what providers' keys begin with, and far too long for a name.
fn is_like_a_key(name: &str) -> bool {
    let begins = ["sk-", "sk_", "gsk_", "xai-", "AIza", "hf_", "claw_"];
    name.len() >= 24 && begins.iter().any(|prefix| name.starts_with(prefix))
}

fn said(home: &Home, name: &str, before_us: Option<i64>) {
    let what = match before_us {
        Some(before_us) => format!("replaced `{name}`, which was set at {}", time::rfc3339(before_us)),
        None => format!("kept `{name}`; config files name it as `${{secret:{name}}}`"),
    };
    output::note(what);
    let users = users(&config::references(home), name);
    if !users.is_empty() {
        output::note(format!("a running gateway uses it within a second, for {}", users.join(", ")));
    }
}

/// The entries that name a secret.
fn users(references: &BTreeSet<Reference>, name: &str) -> Vec<String> {
    let of_name = references.iter().filter(|reference| reference.secret == name);
    of_name.map(|reference| reference.entry.clone()).collect()
}

fn list(home: &Home, as_json: bool) -> Result<()> {
    let kept = open(home)?.load()?;
    let references = config::references(home);
    let missing: BTreeSet<&str> = references
        .iter()
        .map(|reference| reference.secret.as_str())
        .filter(|name| kept.get(name).is_none())
        .collect();
    if as_json {
        let secrets: Vec<_> = kept
            .names()
            .map(|(name, set_at_us)| {
                json!({ "name": name, "set_at": time::rfc3339(set_at_us), "used_by": users(&references, name) })
            })
            .collect();
        let missing: Vec<_> = missing
            .iter()
            .map(|name| json!({ "name": name, "used_by": users(&references, name) }))
            .collect();
        output::json(&json!({ "secrets": secrets, "missing": missing }));
        return Ok(());
    }
    let rows: Vec<Vec<String>> = kept
        .names()
        .map(|(name, set_at_us)| {
            let users = users(&references, name);
            let users = if users.is_empty() { "-".to_owned() } else { users.join(", ") };
            vec![name.to_owned(), time::rfc3339(set_at_us), users]
        })
        .collect();
    if rows.is_empty() {
        output::note("no secrets: keep one with `claw secret set NAME`");
    } else {
        output::raw(output::table(&["NAME", "SET", "USED BY"], &rows, Style::stdout()).as_bytes());
    }
    for name in missing {
        let users = users(&references, name).join(", ");
        let name = output::printable(name);
        output::note(format!(
            "`{name}` is named by {users} and is not kept: `claw secret set {name}`"
        ));
    }
    Ok(())
}

fn remove(home: &Home, name: &str, force: bool) -> Result<()> {
    let users = users(&config::references(home), name);
    if !force && !users.is_empty() {
        return Err(Failed::new(Exit::Usage, format!("`{name}` is named by {}", users.join(", ")))
            .hint(format!(
                "name another secret there first, or run `claw secret rm {name} --force`"
            ))
            .into());
    }
    open(home)?.remove(name).map_err(failed)?;
    output::note(format!("forgot `{name}`"));
    Ok(())
}

/// A refusal as this program's failure.
fn failed(error: SecretError) -> anyhow::Error {
    let hint = match &error {
        SecretError::Store(_) | SecretError::Name | SecretError::Full => None,
        SecretError::Unknown { name } => Some(format!(
            "`claw secret list` shows them; `claw secret set {name}` keeps a new one"
        )),
        SecretError::Empty | SecretError::TooLong | SecretError::Control => {
            Some("pipe the value alone, without a name before it or lines behind it".to_owned())
        }
    };
    match error {
        SecretError::Store(error) => error.into(),
        error => Failed {
            exit: Exit::Usage,
            message: error.to_string(),
            hint,
        }
        .into(),
    }
}
