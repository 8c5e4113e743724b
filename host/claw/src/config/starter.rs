//! The files of a new home. Never touches one that is there.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::Result;
use claw_exec::{CapabilitiesFile, CommandEntry, Preset};

use crate::home::Home;

const FILES: [(&str, &str); 4] = [
    ("models.yaml", include_str!("../../starter/models.yaml")),
    ("policies.yaml", include_str!("../../starter/policies.yaml")),
    ("channels.yaml", include_str!("../../starter/channels.yaml")),
    ("grants.yaml", include_str!("../../starter/grants.yaml")),
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
    if !home.join("capabilities.yaml").exists() {
        home.write("capabilities.yaml", capabilities(exec)?.as_bytes())?;
        written.push("capabilities.yaml");
    }
    Ok(written)
}

fn capabilities(exec: &Exec) -> Result<String> {
    let mut file = CapabilitiesFile::default();
    for preset in &exec.presets {
        let name = serde_yaml::to_value(preset)?.as_str().unwrap_or_default().to_owned();
        let env = if name == "gh" {
            vec!["GH_TOKEN".to_owned()]
        } else {
            Vec::new()
        };
        let roots = if name == "git" { exec.roots.clone() } else { BTreeMap::new() };
        let entry = CommandEntry {
            preset: Some(*preset),
            env,
            roots,
            ..CommandEntry::default()
        };
        file.commands.insert(name, entry);
    }
    Ok(format!("{CAPABILITIES}{}", serde_yaml::to_string(&file)?))
}
