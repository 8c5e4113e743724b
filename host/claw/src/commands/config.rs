//! `claw config check|show`.

use anyhow::Result;
use serde_json::{Value, json};

use super::Environment;
use crate::cli::ConfigCommand;
use crate::config::{self, Config, FILES};
use crate::exit::{Exit, Failed};
use crate::output::{self, Style};

/// Runs the command.
///
/// # Errors
/// The home is not there, or a file has mistakes.
pub(super) fn run(command: ConfigCommand, environment: &Environment) -> Result<Exit> {
    if !environment.home.exists() {
        return Err(Failed::new(
            Exit::BadConfig,
            format!("there is no home at `{}`", environment.home.path().display()),
        )
        .hint("make one with `claw onboard --yes`")
        .into());
    }
    let loaded = config::load(&environment.home);
    match command {
        ConfigCommand::Check { json } => Ok(check(&loaded, json)),
        ConfigCommand::Show { part, json } => show(&loaded.map_err(Failed::from)?, part.as_deref(), json),
    }
}

fn check(loaded: &Result<Config, config::Mistakes>, as_json: bool) -> Exit {
    let notes = loaded.as_ref().map(notes).unwrap_or_default();
    let mistakes = loaded.as_ref().err().map(|mistakes| mistakes.0.clone()).unwrap_or_default();
    if as_json {
        output::json(&json!({ "ok": mistakes.is_empty(), "mistakes": mistakes, "notes": notes }));
    } else {
        for mistake in &mistakes {
            output::line(output::printable(&mistake.to_string()));
        }
        for note in &notes {
            output::line(format!("{} {note}", Style::stdout().yellow("note:")));
        }
        if mistakes.is_empty() {
            output::line(format!("{}: {} files", Style::stdout().green("good"), FILES.len()));
        }
    }
    if mistakes.is_empty() { Exit::Ok } else { Exit::BadConfig }
}

/// What is no mistake, and worth a look.
fn notes(config: &Config) -> Vec<String> {
    let mut notes = Vec::new();
    for file in &config.silent {
        notes.push(format!("{file}: is missing or empty, and says nothing"));
    }
    for policy in config.policies.policies.iter().filter(|policy| !policy.enforce) {
        notes.push(format!("policies.yaml: `{}` is not enforced", policy.name));
    }
    for channel in config.channels.channels.iter().filter(|channel| !channel.kind.is_served()) {
        notes.push(format!("channels.yaml: this version does not serve `{}`", channel.name));
    }
    for model in config::described(config) {
        if let Some(missing) = &model.key_missing {
            notes.push(format!("models.yaml: `{}` has no key yet: {missing}", model.entry));
        }
    }
    for (skill, allowance) in &config.grants.grants {
        for (name, files) in allowance.files.iter().filter(|(_, files)| !files.path.is_dir()) {
            notes.push(format!(
                "grants.yaml: `{}`, which `{skill}` has as `{name}`, is no directory now",
                files.path.display()
            ));
        }
    }
    notes
}

fn show(config: &Config, part: Option<&str>, as_json: bool) -> Result<Exit> {
    let parts: [(&str, Value); 8] = [
        ("models", config::shown_models(config)),
        ("policies", serde_json::to_value(&config.policies)?),
        ("channels", serde_json::to_value(&config.channels)?),
        ("capabilities", serde_json::to_value(&config.capabilities)?),
        ("grants", serde_json::to_value(&config.grants)?),
        ("context", config.context.describe()),
        ("budgets", serde_json::to_value(&config.budgets)?),
        ("prices", serde_json::to_value(&config.prices)?),
    ];
    let wanted: Vec<_> = parts
        .into_iter()
        .filter(|(name, _)| part.is_none_or(|part| part == *name))
        .collect();
    if wanted.is_empty() {
        let names: Vec<&str> = FILES.iter().map(|(name, _)| *name).collect();
        let message = format!("there is no part `{}`", part.unwrap_or_default());
        return Err(Failed::new(Exit::Usage, message)
            .hint(format!("the parts are `{}`", names.join("`, `")))
            .into());
    }
    if as_json {
        output::json(
            &wanted
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect::<serde_json::Map<_, _>>(),
        );
        return Ok(Exit::Ok);
    }
    for (name, value) in wanted {
        output::line(Style::stdout().dim(&format!("# {name}")));
        output::line(serde_yaml::to_string(&value)?.trim_end());
    }
    Ok(Exit::Ok)
}
