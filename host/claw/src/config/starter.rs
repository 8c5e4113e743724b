//! The files of a new home. Never touches one that is there.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::Result;
use claw_exec::{CapabilitiesFile, CommandEntry, Preset};

use crate::exit::{Exit, Failed};
use crate::home::Home;

const FILES: [(&str, &str); 7] = [
    ("models.yaml", include_str!("../../starter/models.yaml")),
    ("policies.yaml", include_str!("../../starter/policies.yaml")),
    ("channels.yaml", include_str!("../../starter/channels.yaml")),
    ("grants.yaml", include_str!("../../starter/grants.yaml")),
    ("context.yaml", include_str!("../../starter/context.yaml")),
    ("budgets.yaml", include_str!("../../starter/budgets.yaml")),
    ("prices.yaml", include_str!("../../starter/prices.yaml")),
];

const CAPABILITIES: &str = "\
# Commands of this machine that skills may be granted, as `exec.<command>`: no shell, only
# these arguments, only in these directories. `preset: git` and `preset: gh` hold the rules
# for looking; `allow:` adds others:
#
#   commands:
#     git:
#       preset: git
#       roots: {my-project: /home/me/my-project}
#     jq:
#       allow: [{args: \"-c . <path>\", effects: none}]
";

/// Commands to allow from the start.
#[derive(Clone, Debug, Default)]
pub struct Exec {
    /// Those with shipped rules: `git`, `gh`.
    pub presets: Vec<Preset>,
    /// Name → directory, for those that work in one.
    pub roots: BTreeMap<String, PathBuf>,
}

/// Writes the files that are missing, and says which.
///
/// # Errors
/// A file cannot be written.
pub fn write_starter(home: &Home, exec: &Exec) -> Result<Vec<&'static str>> {
    let mut written = Vec::new();
    for (name, text) in FILES {
        if !home.join(name).exists() {
            home.write(name, text.as_bytes())?;
            written.push(name);
        }
    }
    let offered = home.join("capabilities.yaml");
    if !offered.exists() {
        home.write(
            "capabilities.yaml",
            capabilities(CapabilitiesFile::default(), exec)?.as_bytes(),
        )?;
        written.push("capabilities.yaml");
    } else if !exec.presets.is_empty() {
        let text = std::fs::read_to_string(&offered)?;
        let file: CapabilitiesFile = serde_yaml::from_str(&text)?;
        // Only what this program wrote is written again; somebody's own words are not.
        if text != in_words(&file)? {
            let message = "`capabilities.yaml` was edited by hand, so it is left alone";
            let hint = "add to its `commands`: `git: {preset: git, roots: {NAME: /a/directory}}`, or `gh: {preset: gh, env: [GH_TOKEN]}`";
            return Err(Failed::new(Exit::BadConfig, message).hint(hint).into());
        }
        home.write("capabilities.yaml", capabilities(file, exec)?.as_bytes())?;
        written.push("capabilities.yaml");
    }
    Ok(written)
}

fn in_words(file: &CapabilitiesFile) -> Result<String> {
    Ok(format!("{CAPABILITIES}{}", serde_yaml::to_string(file)?))
}

/// The file with these commands added to those that it has.
fn capabilities(mut file: CapabilitiesFile, exec: &Exec) -> Result<String> {
    for preset in &exec.presets {
        let name = serde_yaml::to_value(preset)?.as_str().unwrap_or_default().to_owned();
        let entry = file.commands.entry(name.clone()).or_insert_with(|| CommandEntry {
            preset: Some(*preset),
            env: if name == "gh" {
                vec!["GH_TOKEN".to_owned()]
            } else {
                Vec::new()
            },
            ..CommandEntry::default()
        });
        if name == "git" {
            entry.roots.extend(exec.roots.clone());
        }
    }
    in_words(&file)
}
