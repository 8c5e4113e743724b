//! The files of a home, read and checked as a whole: every mistake with its file, its place
//! and what to write instead. Refuses a file that could mean something else than it says.

mod channels;
mod starter;

use std::fmt;
use std::path::Path;

use claw_core::grants::GrantBook;
use claw_core::policy::{PoliciesFile, Policy};
use claw_exec::{CapabilitiesFile, ExecCapabilities};
use claw_models::{ModelsFile, ProviderModels};
use serde::Serialize;
use serde::de::DeserializeOwned;

pub use channels::{Channel, ChannelsFile};
pub use starter::{Exec, write_starter};

use crate::home::Home;

/// Everything that a home's files say.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// `models.yaml`
    pub models: ModelsFile,
    /// `policies.yaml`
    pub policies: PoliciesFile,
    /// `channels.yaml`
    pub channels: ChannelsFile,
    /// `capabilities.yaml`
    pub capabilities: CapabilitiesFile,
    /// `grants.yaml`
    pub grants: GrantBook,
}

/// The files, by the names that commands use.
pub const FILES: [(&str, &str); 5] = [
    ("models", "models.yaml"),
    ("policies", "policies.yaml"),
    ("channels", "channels.yaml"),
    ("capabilities", "capabilities.yaml"),
    ("grants", "grants.yaml"),
];

/// The most bytes of one file.
const MAX_FILE: u64 = 4 << 20;

/// Something in a file that cannot be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Mistake {
    /// The file's name.
    pub file: String,
    /// The line, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// What is wrong.
    pub message: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}: {}", self.file, self.message),
            None => write!(f, "{}: {}", self.file, self.message),
        }
    }
}

/// Every mistake of every file; at least one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
pub struct Mistakes(pub Vec<Mistake>);

impl From<Mistakes> for crate::exit::Failed {
    fn from(mistakes: Mistakes) -> Self {
        let count = mistakes.0.len();
        let word = if count == 1 { "mistake" } else { "mistakes" };
        crate::exit::Failed::new(
            crate::exit::Exit::BadConfig,
            format!("{count} {word} in the configuration:\n{mistakes}"),
        )
    }
}

/// Reads and checks all files of a home. A file that is not there says nothing.
///
/// # Errors
/// All mistakes at once.
pub fn load(home: &Home) -> Result<Config, Mistakes> {
    let mut mistakes = Vec::new();
    let config = Config {
        models: read(&home.join("models.yaml"), &mut mistakes),
        policies: read(&home.join("policies.yaml"), &mut mistakes),
        channels: read(&home.join("channels.yaml"), &mut mistakes),
        capabilities: read(&home.join("capabilities.yaml"), &mut mistakes),
        grants: read(&home.join("grants.yaml"), &mut mistakes),
    };
    config.check(&mut mistakes);
    if mistakes.is_empty() {
        Ok(config)
    } else {
        Err(Mistakes(mistakes))
    }
}

impl Config {
    /// What only shows when the files are put to use.
    fn check(&self, mistakes: &mut Vec<Mistake>) {
        let mut add = |file: &str, message: String| {
            mistakes.push(Mistake {
                file: file.to_owned(),
                line: None,
                message,
            })
        };
        if let Err(errors) = ProviderModels::new(&self.models, &environment_variable) {
            add("models.yaml", errors.to_string());
        }
        if let Err(error) = Policy::try_new(&self.policies) {
            add(
                "policies.yaml",
                format!("{error}\nhint: say `enforce: false`, or take the rule out"),
            );
        }
        if let Err(errors) = ExecCapabilities::new(&self.capabilities, &claw_exec::environment()) {
            add("capabilities.yaml", errors.to_string());
        }
        for (skill, allowance) in &self.grants.grants {
            for (name, files) in &allowance.files {
                if !files.path.is_absolute() {
                    let message = format!(
                        "`grants.{skill}.files.{name}.path`: `{}` is not absolute",
                        files.path.display()
                    );
                    add("grants.yaml", message);
                }
            }
        }
    }
}

/// The models in force, with what is defaulted and without any key.
pub fn shown_models(config: &Config) -> serde_json::Value {
    match ProviderModels::new(&config.models, &environment_variable) {
        Ok(models) => serde_json::to_value(models.describe()).unwrap_or_default(),
        Err(_) => serde_json::Value::Null,
    }
}

/// An environment variable of this process, for `${NAME}` in files.
pub fn environment_variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn read<T: DeserializeOwned + Default>(path: &Path, mistakes: &mut Vec<Mistake>) -> T {
    match parse(path) {
        Ok(value) => value,
        Err((line, message)) => {
            let file = path
                .file_name()
                .map_or_else(String::new, |name| name.to_string_lossy().into_owned());
            mistakes.push(Mistake { file, line, message });
            T::default()
        }
    }
}

fn parse<T: DeserializeOwned + Default>(path: &Path) -> Result<T, (Option<usize>, String)> {
    let text = match std::fs::metadata(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(T::default()),
        Err(error) => return Err((None, error.to_string())),
        Ok(metadata) if metadata.len() > MAX_FILE => return Err((None, format!("has more than {MAX_FILE} bytes"))),
        Ok(_) => std::fs::read_to_string(path).map_err(|error| (None, error.to_string()))?,
    };
    parse_text(&text)
}

fn parse_text<T: DeserializeOwned + Default>(text: &str) -> Result<T, (Option<usize>, String)> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let wrong = |error: serde_yaml::Error| (error.location().map(|place| place.line()), error.to_string());
    // First as what is written, so that a key that is there twice is seen; then as what it means.
    let value: serde_yaml::Value = serde_yaml::from_str(text).map_err(wrong)?;
    if value.is_null() {
        return Ok(T::default());
    }
    serde_yaml::from_str(text).map_err(wrong)
}

#[cfg(test)]
mod tests;
