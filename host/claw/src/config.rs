//! The files of a home, read and checked as a whole: every mistake with its file, its place
//! and what to write instead. Refuses a file that could mean something else than it says.

mod channels;
mod secrets;
mod starter;

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;

use claw_core::budget::BudgetsFile;
use claw_core::grants::GrantBook;
use claw_core::policy::{PoliciesFile, Policy};
use claw_exec::{CapabilitiesFile, ExecCapabilities};
use claw_models::{ContextFile, ContextProviders, ModelsFile, PriceBook, PricesFile, ProviderModels};
use claw_store::Secrets;
use serde::Serialize;
use serde::de::DeserializeOwned;

pub use channels::{Channel, ChannelsFile};
pub use secrets::{Reference, references, secrets};
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
    /// `context.yaml`
    pub context: ContextFile,
    /// What `${secret:NAME}` stands for in them.
    pub secrets: Secrets,
    /// `budgets.yaml`
    pub budgets: BudgetsFile,
    /// `prices.yaml`
    pub prices: PricesFile,
    /// The files that are missing, or say nothing.
    pub silent: BTreeSet<&'static str>,
}

/// The files, by the names that commands use.
pub const FILES: [(&str, &str); 8] = [
    ("models", "models.yaml"),
    ("policies", "policies.yaml"),
    ("channels", "channels.yaml"),
    ("capabilities", "capabilities.yaml"),
    ("grants", "grants.yaml"),
    ("context", "context.yaml"),
    ("budgets", "budgets.yaml"),
    ("prices", "prices.yaml"),
];

/// What says that a file means nothing on purpose.
fn nothing(file: &str) -> &'static str {
    match file {
        "models.yaml" => "models: {}",
        "policies.yaml" => "policies: []",
        "channels.yaml" => "channels: []",
        "capabilities.yaml" => "commands: {}",
        "context.yaml" => "context: {}",
        "budgets.yaml" => "budgets: []",
        "prices.yaml" => "prices: {}",
        _ => "grants: {}",
    }
}

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
    let mut reading = Reading {
        home,
        mistakes: &mut mistakes,
        silent: BTreeSet::new(),
    };
    let mut config = Config {
        models: reading.file("models.yaml"),
        policies: reading.file("policies.yaml"),
        channels: reading.file("channels.yaml"),
        capabilities: reading.file("capabilities.yaml"),
        grants: reading.file("grants.yaml"),
        context: reading.file("context.yaml"),
        secrets: reading.secrets(),
        budgets: reading.file("budgets.yaml"),
        prices: reading.file("prices.yaml"),
        silent: reading.silent,
    };
    match PriceBook::try_new(&config.prices) {
        Ok(prices) => config.models.prices = prices,
        Err(errors) => mistakes.push(Mistake {
            file: "prices.yaml".to_owned(),
            line: None,
            message: errors.to_string(),
        }),
    }
    config.check(home, &mut mistakes);
    if mistakes.is_empty() {
        Ok(config)
    } else {
        Err(Mistakes(mistakes))
    }
}

impl Config {
    /// What `${NAME}` stands for in files: a variable of this process's environment, or a
    /// secret of the home, as it was when the files were read.
    pub fn variable(&self, name: &str) -> Option<String> {
        match name.strip_prefix("secret:") {
            Some(secret) => self.secrets.get(secret).map(str::to_owned),
            None => std::env::var(name).ok(),
        }
    }

    /// Whether each file that said something before says something still. One that is empty
    /// or gone was cut off half-way, or lost: whoever means nothing writes that down.
    ///
    /// # Errors
    /// Every file that fell silent.
    pub fn check_after(&self, silent_before: &BTreeSet<&'static str>, home: &Home) -> Result<(), Mistakes> {
        let fell_silent = self.silent.difference(silent_before).map(|file| {
            let state = if home.join(file).exists() { "empty" } else { "missing" };
            Mistake {
                file: (*file).to_owned(),
                line: None,
                message: format!("was there and is now {state}; write `{}` to mean that", nothing(file)),
            }
        });
        let mistakes: Vec<Mistake> = fell_silent.collect();
        if mistakes.is_empty() {
            Ok(())
        } else {
            Err(Mistakes(mistakes))
        }
    }

    /// What only shows when the files are put to use.
    fn check(&self, home: &Home, mistakes: &mut Vec<Mistake>) {
        let mut add = |file: &str, message: String| {
            mistakes.push(Mistake {
                file: file.to_owned(),
                line: None,
                message,
            })
        };
        if let Err(errors) = ProviderModels::new(&self.models, &|name: &str| self.variable(name)) {
            add("models.yaml", errors.to_string());
        }
        if let Err(errors) = self.budgets.budgets() {
            add("budgets.yaml", errors.to_string());
        }
        if let Err(error) = Policy::try_new(&self.policies) {
            add("policies.yaml", error.to_string());
        }
        if let Err(errors) = ContextProviders::new(&self.context, &|name: &str| self.variable(name)) {
            add("context.yaml", errors.to_string());
        }
        if let Err(errors) = ExecCapabilities::new(&self.capabilities, &claw_exec::environment()) {
            add("capabilities.yaml", errors.to_string());
        }
        for (skill, allowance) in &self.grants.grants {
            for (name, files) in &allowance.files {
                let shown = files.path.display();
                if !files.path.is_absolute() {
                    add(
                        "grants.yaml",
                        format!("`grants.{skill}.files.{name}.path`: `{shown}` is not absolute"),
                    );
                } else if let Some(why) = home.exposes(&files.path) {
                    let message = format!(
                        "`grants.{skill}.files.{name}.path`: `{shown}` {why}: whoever reads it could take the gateway over\nhint: grant a directory of its own"
                    );
                    add("grants.yaml", message);
                }
            }
        }
    }
}

/// The models in force, with what is defaulted and without any key.
pub fn shown_models(config: &Config) -> serde_json::Value {
    serde_json::to_value(described(config)).unwrap_or_default()
}

/// The models in force, an entry each.
pub fn described(config: &Config) -> Vec<claw_models::ModelDescription> {
    let models = ProviderModels::new(&config.models, &|name: &str| config.variable(name));
    models.map(|models| models.describe()).unwrap_or_default()
}

/// What comes up while the files of a home are read.
struct Reading<'a> {
    home: &'a Home,
    mistakes: &'a mut Vec<Mistake>,
    silent: BTreeSet<&'static str>,
}

impl Reading<'_> {
    fn secrets(&mut self) -> Secrets {
        secrets(self.home).unwrap_or_else(|error| {
            self.mistakes.push(Mistake {
                file: secrets::FILE.to_owned(),
                line: None,
                message: error.to_string(),
            });
            Secrets::default()
        })
    }

    fn file<T: DeserializeOwned + Default>(&mut self, file: &'static str) -> T {
        match parse(&self.home.join(file)) {
            Ok(Some(value)) => value,
            Ok(None) => {
                self.silent.insert(file);
                T::default()
            }
            Err((line, message)) => {
                self.mistakes.push(Mistake {
                    file: file.to_owned(),
                    line,
                    message,
                });
                T::default()
            }
        }
    }
}

/// What a file says, if it is there and says something.
fn parse<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, (Option<usize>, String)> {
    let text = match std::fs::metadata(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err((None, error.to_string())),
        Ok(metadata) if metadata.len() > MAX_FILE => return Err((None, format!("has more than {MAX_FILE} bytes"))),
        Ok(_) => std::fs::read_to_string(path).map_err(|error| (None, error.to_string()))?,
    };
    parse_text(&text)
}

fn parse_text<T: DeserializeOwned>(text: &str) -> Result<Option<T>, (Option<usize>, String)> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let wrong = |error: serde_yaml::Error| (error.location().map(|place| place.line()), error.to_string());
    // First as what is written, so that a key that is there twice is seen; then as what it means.
    let value: serde_yaml::Value = serde_yaml::from_str(text).map_err(wrong)?;
    if value.is_null() {
        return Ok(None);
    }
    let parsed = serde_yaml::from_str(text).map_err(wrong)?;
    // `grants:` with nothing behind it is a file that was cut off there, or says nothing.
    let cut = value
        .as_mapping()
        .is_some_and(|mapping| !mapping.is_empty() && mapping.values().all(serde_yaml::Value::is_null));
    Ok((!cut).then_some(parsed))
}

#[cfg(test)]
mod tests;
