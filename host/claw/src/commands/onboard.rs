//! `claw onboard`: a home that can be run, and what to do next. Asks nothing with `--yes`,
//! and never changes a file that is there.

use std::collections::BTreeMap;
use std::io::{IsTerminal as _, Write as _};
use std::path::PathBuf;

use anyhow::Result;
use claw_exec::Preset;
use serde_json::json;

use super::Environment;
use crate::cli::OnboardArgs;
use crate::config::{Exec, write_starter};
use crate::exit::{Exit, Failed};
use crate::home::Home;
use crate::output;

/// Runs the command.
///
/// # Errors
/// The home cannot be made.
pub(super) fn run(arguments: &OnboardArgs, environment: &Environment) -> Result<Exit> {
    let mut exec = exec(arguments)?;
    if !arguments.yes && exec.presets.is_empty() && std::io::stdin().is_terminal() {
        ask(&mut exec)?;
    }
    let home = &environment.home;
    let written = set_up(home, &exec)?;
    if arguments.json {
        output::json(&json!({ "home": home.path(), "written": written, "token_file": home.state().join("operator.token") }));
        return Ok(Exit::Ok);
    }
    if written.is_empty() {
        output::note(format!(
            "the home `{}` was set up before; nothing was changed",
            home.path().display()
        ));
    } else {
        output::note(format!("set up `{}`: {}", home.path().display(), written.join(", ")));
    }
    output::note(
        "next:\n  claw gateway run                       start the gateway\n  cp my-skill.wasm <home>/skills/        make a skill live\n  claw skill list                        see it, and what it asks for\n  claw token                             the token for your services",
    );
    Ok(Exit::Ok)
}

/// Makes what is missing of a home, and says which files.
///
/// # Errors
/// It cannot be made.
pub(super) fn set_up(home: &Home, exec: &Exec) -> Result<Vec<&'static str>> {
    home.create()?;
    home.create_token()?;
    write_starter(home, exec)
}

fn exec(arguments: &OnboardArgs) -> Result<Exec> {
    let mut exec = Exec::default();
    for name in &arguments.exec {
        let preset: Preset = serde_json::from_value(json!(name)).map_err(|_| {
            Failed::new(Exit::Usage, format!("there are no shipped rules for `{name}`"))
                .hint("`git` and `gh` have some; write others into `capabilities.yaml`")
        })?;
        exec.presets.push(preset);
    }
    exec.roots = roots(&arguments.root)?;
    if !exec.roots.is_empty() && !exec.presets.contains(&Preset::Git) {
        return Err(Failed::new(Exit::Usage, "`--root` is for a command that works in one")
            .hint("add `--exec git`")
            .into());
    }
    Ok(exec)
}

fn roots(given: &[String]) -> Result<BTreeMap<String, PathBuf>> {
    let mut roots = BTreeMap::new();
    for text in given {
        let Some((name, directory)) = text.split_once('=') else {
            return Err(Failed::new(Exit::Usage, format!("`--root {text}`: write `--root NAME=DIR`")).into());
        };
        let path = std::fs::canonicalize(directory)
            .map_err(|error| Failed::new(Exit::Usage, format!("`--root {text}`: `{directory}`: {error}")))?;
        roots.insert(name.to_owned(), path);
    }
    Ok(roots)
}

fn ask(exec: &mut Exec) -> Result<()> {
    let directory = question("let granted skills look at a git checkout? its directory, or nothing")?;
    if !directory.is_empty() {
        let path =
            std::fs::canonicalize(&directory).map_err(|error| Failed::new(Exit::Usage, format!("`{directory}`: {error}")))?;
        let name = path
            .file_name()
            .map_or_else(|| "checkout".to_owned(), |name| name.to_string_lossy().into_owned());
        output::note(format!("skills name it `{name}`"));
        exec.presets.push(Preset::Git);
        exec.roots.insert(name, path);
    }
    if question("let granted skills look at pull requests with `gh`? y/N")?.eq_ignore_ascii_case("y") {
        exec.presets.push(Preset::Gh);
    }
    Ok(())
}

fn question(text: &str) -> Result<String> {
    let mut out = std::io::stderr().lock();
    write!(out, "{text}: ")?;
    out.flush()?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    Ok(answer.trim().to_owned())
}
