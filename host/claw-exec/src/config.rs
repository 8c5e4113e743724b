//! `capabilities.yaml`: which commands there are, and which arguments they may be given.
//! What it does not name does not exist.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use claw_core::ports::Effects;
use serde::{Deserialize, Serialize};

use crate::preset::Preset;

/// `capabilities.yaml`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CapabilitiesFile {
    /// How many commands run at once; more wait. 8 unless said otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<u16>,
    /// One entry a command, by its name: `git` is offered as `exec.git`.
    #[serde(default)]
    pub commands: BTreeMap<String, CommandEntry>,
}

/// One command.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CommandEntry {
    /// Rules that this program ships, before those of `allow`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preset: Option<Preset>,
    /// The binary. Without it, the first one in `PATH`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<PathBuf>,
    /// Environment variables that it gets, by name. Their values are cut out of its output.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<String>,
    /// Working directories: the name that callers give as `cwd` → an absolute path.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub roots: BTreeMap<String, PathBuf>,
    /// How long it may run, in milliseconds. 30,000 unless said otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
    /// How much it may write to standard output, in KiB. 1,024 unless said otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_kb: Option<u32>,
    /// The arguments that it may be given.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allow: Vec<RuleEntry>,
}

/// One allowed form of arguments.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleEntry {
    /// The form; see [`crate::Pattern`].
    pub args: String,
    /// Whether such a call changes something. `act` unless said otherwise.
    #[serde(default)]
    pub effects: RuleEffects,
    /// The caller may give it something to read on standard input.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub stdin: bool,
}

/// Whether a call changes something outside.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RuleEffects {
    /// It only looks.
    None,
    /// It acts.
    #[default]
    Act,
}

impl From<RuleEffects> for Effects {
    fn from(effects: RuleEffects) -> Self {
        match effects {
            RuleEffects::None => Effects::None,
            RuleEffects::Act => Effects::Act,
        }
    }
}

/// The environment variables of this process, or a test's.
pub type Environment = BTreeMap<String, String>;

/// The environment of this process. Variables that are not UTF-8 are left out.
pub fn environment() -> Environment {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

/// One thing in the file that cannot be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// The key, such as `commands.git.allow[0].args`.
    pub key: String,
    /// What is wrong there.
    pub message: String,
    /// What to write instead.
    pub hint: Option<String>,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`capabilities.yaml`, `{}`: {}", self.key, self.message)?;
        match &self.hint {
            Some(hint) => write!(f, "\nhint: {hint}"),
            None => Ok(()),
        }
    }
}

/// Everything in the file that cannot be; at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigErrors(pub Vec<ConfigError>);

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&lines.join("\n"))
    }
}

impl std::error::Error for ConfigErrors {}
