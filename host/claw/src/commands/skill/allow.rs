//! `claw skill allow`: the operator's side of a skill's grants, in `grants.yaml`. Refuses
//! what no deployed version asks for, and directories from which the home could be read.

mod book;

use std::collections::BTreeMap;

use anyhow::Result;
use claw_core::grants::{Access, Allowance, AllowedFiles, Requests};
use claw_core::manifest::Version;
use serde_json::json;

use super::component::dropped;
use crate::cli::AllowArgs;
use crate::client::Client;
use crate::commands::Environment;
use crate::exit::{self, Exit, Failed};
use crate::home::Home;
use crate::output;

use book::Book;

/// Runs the command.
///
/// # Errors
/// The grant cannot be, nothing asks for it, or `grants.yaml` cannot be read or written.
pub(super) fn run(args: &AllowArgs, environment: &Environment) -> Result<Exit> {
    let home = &environment.home;
    if !home.path().is_dir() {
        let message = format!("there is no home `{}`", home.path().display());
        return Err(Failed::new(Exit::BadConfig, message)
            .hint("set it up with `claw onboard --yes`")
            .into());
    }
    let change = Change::of(args, home)?;
    let deployed = Deployed::of(home, &args.name);
    if !args.revoke {
        deployed.check(&args.name, &change)?;
    }
    let mut book = Book::open(home)?;
    let mut allowance = book.allowance(&args.name);
    if args.revoke {
        revoke(&mut allowance, &change);
    } else {
        allow(&mut allowance, &change, &deployed);
    }
    book.put(&args.name, allowance.clone())?;
    take_up(environment);
    if args.json {
        output::json(&json!({ "skill": args.name, "allowed": allowance }));
    } else {
        output::raw(in_words(&args.name, &allowance).as_bytes());
    }
    for missing in deployed.missing(&allowance, &args.name) {
        output::note(missing);
    }
    Ok(Exit::Ok)
}

/// Has the gateway that runs on this home read the file now, so that the next call sees it.
/// Where none answers, or the files have other mistakes, the grant is written all the same.
fn take_up(environment: &Environment) {
    let local = Environment {
        gateway: None,
        ..environment.clone()
    };
    let told = Client::connect(&local)
        .and_then(|client| crate::commands::runtime()?.block_on(client.post("/v1/admin/reload", &json!({}), &[])));
    if let Err(error) = told
        && exit::of(&error) != Exit::Unreachable
    {
        output::note(format!("the gateway does not take it up yet: {error:#}"));
    }
}

/// What was asked for, checked as far as it can be without a skill.
#[derive(Debug, Default, PartialEq, Eq)]
struct Change {
    model: Vec<String>,
    capabilities: Vec<String>,
    files: BTreeMap<String, Option<AllowedFiles>>,
    all: bool,
    pin: Option<String>,
}

impl Change {
    fn of(args: &AllowArgs, home: &Home) -> Result<Self> {
        for name in args.model.iter().chain(&args.capability).chain([&args.name]) {
            if name.is_empty() || name.chars().any(|c| c.is_control() || c.is_whitespace()) {
                return Err(usage(
                    format!("`{}` is no name", output::printable(name)),
                    "names have no blanks",
                ));
            }
        }
        let mut files = BTreeMap::new();
        for text in &args.files {
            let (name, allowed) = files_grant(text, args.revoke, home)?;
            files.insert(name, allowed);
        }
        if let Some(pin) = &args.pin
            && Version::parse(pin).is_err()
        {
            return Err(usage(
                format!("`{}` is no version", output::printable(pin)),
                "write one such as `1.2.0`",
            ));
        }
        let change = Change {
            model: args.model.clone(),
            capabilities: args.capability.clone(),
            files,
            all: args.all,
            pin: args.pin.clone(),
        };
        if !args.revoke && change == Change::default() {
            let hint = format!(
                "name what to allow, such as `--model general`, or `--all`; `claw skill inspect {}` shows what it asks for",
                args.name
            );
            return Err(usage("there is nothing to allow".to_owned(), hint));
        }
        Ok(change)
    }
}

fn usage(message: String, hint: impl Into<String>) -> anyhow::Error {
    Failed::new(Exit::Usage, message).hint(hint).into()
}

/// `name=/directory[:rw]`, or the name alone where it is taken back.
fn files_grant(text: &str, revoke: bool, home: &Home) -> Result<(String, Option<AllowedFiles>)> {
    let shown = output::printable(text);
    let Some((name, directory)) = text.split_once('=') else {
        return if revoke {
            Ok((text.to_owned(), None))
        } else {
            Err(usage(
                format!("`{shown}` says no directory"),
                "write `name=/a/directory`, and `:rw` at its end to let it write",
            ))
        };
    };
    let (directory, access) = match directory.strip_suffix(":rw") {
        Some(directory) => (directory, Access::ReadWrite),
        None => (directory, Access::Read),
    };
    if name.is_empty() || directory.is_empty() {
        return Err(usage(
            format!("`{shown}` is not `name=/a/directory`"),
            "write `name=/a/directory`, and `:rw` at its end to let it write",
        ));
    }
    if revoke {
        return Ok((name.to_owned(), None));
    }
    let path = std::path::absolute(directory)?;
    let Ok(real) = path.canonicalize() else {
        return Err(usage(
            format!("there is no directory `{}`", path.display()),
            "make it first: a grant never makes one",
        ));
    };
    if !real.is_dir() {
        return Err(usage(
            format!("`{}` is no directory", path.display()),
            "grant the directory that holds it",
        ));
    }
    if let Some(why) = home.exposes(&real) {
        let message = format!("`{}` {why}: whoever reads it could take the gateway over", path.display());
        return Err(Failed::new(Exit::Refused, message)
            .hint("grant a directory of its own")
            .into());
    }
    Ok((name.to_owned(), Some(AllowedFiles { path, access })))
}

/// What the versions in the home ask for.
#[derive(Debug, Default)]
struct Deployed {
    versions: BTreeMap<Version, Requests>,
}

impl Deployed {
    fn of(home: &Home, name: &str) -> Self {
        let found = dropped(home).into_iter().filter_map(|one| one.found.ok());
        let found = found.filter(|found| found.manifest.name == name);
        Deployed {
            versions: found
                .map(|found| (found.manifest.version.clone(), found.manifest.requests.clone()))
                .collect(),
        }
    }

    fn check(&self, name: &str, change: &Change) -> Result<()> {
        if self.versions.is_empty() {
            output::note(format!(
                "no version of `{name}` is deployed yet: this is kept for when one is"
            ));
            return if change.all {
                let hint = "deploy it first, or name each grant";
                Err(usage(format!("what `{name}` asks for is not known"), hint))
            } else {
                Ok(())
            };
        }
        let asks = |test: &dyn Fn(&Requests) -> bool| self.versions.values().any(test);
        let model = change
            .model
            .iter()
            .find(|name| !asks(&|requests| requests.model.contains(*name)));
        let capability = change
            .capabilities
            .iter()
            .find(|name| !asks(&|requests| requests.capabilities.contains(*name)));
        let files = change
            .files
            .keys()
            .find(|name| !asks(&|requests| requests.files.contains_key(*name)));
        let unasked = model
            .map(|name| format!("the model use `{name}`"))
            .or_else(|| capability.map(|name| format!("the capability `{name}`")))
            .or_else(|| files.map(|name| format!("files called `{name}`")));
        if let Some(unasked) = unasked {
            let message = format!("no deployed version of `{name}` asks for {unasked}");
            return Err(usage(message, format!("`claw skill inspect {name}` shows what it asks for")));
        }
        match &change.pin {
            Some(pin) if !self.versions.keys().any(|version| version.to_string() == *pin) => {
                let there: Vec<String> = self.versions.keys().map(|version| format!("`{version}`")).collect();
                Err(usage(
                    format!("`{name}@{pin}` is not deployed"),
                    format!("deployed are {}", there.join(", ")),
                ))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// What deployed versions ask for beyond what is allowed, in words.
    fn missing(&self, allowance: &Allowance, name: &str) -> Vec<String> {
        let book = claw_core::grants::GrantBook {
            grants: BTreeMap::from([(name.to_owned(), allowance.clone())]),
        };
        let lines = self.versions.iter().filter_map(|(version, requests)| {
            let command = command(name, &book.intersect(name, requests).missing)?;
            Some(format!("`{name}@{version}` asks for more: {command}"))
        });
        lines.collect()
    }
}

/// The command that would allow this, if it is anything.
pub(super) fn command(name: &str, missing: &Requests) -> Option<String> {
    let model = missing.model.iter().map(|name| format!(" --model {name}"));
    let capabilities = missing.capabilities.iter().map(|name| format!(" --capability {name}"));
    let files = missing.files.iter().map(|(name, access)| {
        format!(
            " --files {name}=/a/directory{}",
            if *access == Access::ReadWrite { ":rw" } else { "" }
        )
    });
    let flags: String = model.chain(capabilities).chain(files).collect();
    (!flags.is_empty()).then(|| format!("claw skill allow {name}{flags}"))
}

fn allow(allowance: &mut Allowance, change: &Change, deployed: &Deployed) {
    allowance.model.extend(change.model.iter().cloned());
    allowance.capabilities.extend(change.capabilities.iter().cloned());
    let files = change
        .files
        .iter()
        .filter_map(|(name, allowed)| Some((name.clone(), allowed.clone()?)));
    allowance.files.extend(files);
    if change.all {
        for requests in deployed.versions.values() {
            allowance.model.extend(requests.model.iter().cloned());
            allowance.capabilities.extend(requests.capabilities.iter().cloned());
        }
    }
    if change.pin.is_some() {
        allowance.pin = change.pin.clone();
    }
}

/// Takes back what is named; everything where nothing is.
fn revoke(allowance: &mut Allowance, change: &Change) {
    if change.all || *change == Change::default() {
        *allowance = Allowance::default();
        return;
    }
    allowance.model.retain(|name| !change.model.contains(name));
    allowance.capabilities.retain(|name| !change.capabilities.contains(name));
    allowance.files.retain(|name, _| !change.files.contains_key(name));
    if allowance.pin == change.pin {
        allowance.pin = None;
    }
}

fn in_words(name: &str, allowance: &Allowance) -> String {
    if *allowance == Allowance::default() {
        return format!("`{name}` is allowed nothing\n");
    }
    let mut text = format!("`{name}` is allowed\n");
    for item in &allowance.model {
        text.push_str(&format!("  model       {item}\n"));
    }
    for item in &allowance.capabilities {
        text.push_str(&format!("  capability  {item}\n"));
    }
    for (name, files) in &allowance.files {
        text.push_str(&format!(
            "  files       {name} = {} ({})\n",
            files.path.display(),
            files.access.as_str()
        ));
    }
    if let Some(pin) = &allowance.pin {
        text.push_str(&format!("  pinned to   {pin}\n"));
    }
    text
}

#[cfg(test)]
mod tests;
