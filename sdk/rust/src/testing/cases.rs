//! The cases of a skill's `test` folder, run natively: `fixtures/<case>.json` goes in,
//! `fixtures/<case>.journal.jsonl` answers, `expected/<case>.json` is what must come out.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::{Answerer, Host, Outcome, cassette};
use crate::Skill;

/// A folder of cases. A case's own folder, `fixtures/<case>/`, holds its files: each folder
/// in it stands for the granted name that it is called by.
#[derive(Clone, Debug)]
pub struct Cases {
    folder: PathBuf,
    answerer: Option<Answerer>,
    config: Vec<(String, String)>,
}

/// The cases that went wrong, in words.
pub struct Failed(Vec<String>);

impl fmt::Debug for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} went wrong\n{}", self.0.len(), self.0.join("\n"))
    }
}

impl Cases {
    /// The cases below this folder: `concat!(env!("CARGO_MANIFEST_DIR"), "/test")`.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Cases {
            folder: folder.into(),
            answerer: None,
            config: Vec::new(),
        }
    }

    /// A configuration value for every case.
    #[must_use]
    pub fn config(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.config.push((key.into(), value.into()));
        self
    }

    /// With `CLAW_RECORD=1` in the environment, model answers and expectations are written
    /// anew: this answers the models, and capability calls stay as they are. Recorded
    /// failures of a model stay too.
    #[must_use]
    pub fn record_with(mut self, answerer: Answerer) -> Self {
        self.answerer = Some(answerer);
        self
    }

    /// Runs them all, and answers how many there are.
    ///
    /// # Errors
    /// Everything that went wrong; also if there is no case at all.
    pub fn run<S: Skill>(&self) -> Result<usize, Failed> {
        let one = |error: String| Failed(vec![error]);
        let names = self.names().map_err(one)?;
        if names.is_empty() {
            return Err(one(format!("no case in `{}`", self.folder.display())));
        }
        let wrong: Vec<String> = names
            .iter()
            .filter_map(|name| self.case::<S>(name).err().map(|error| format!("case `{name}`: {error}")))
            .collect();
        if wrong.is_empty() {
            Ok(names.len())
        } else {
            Err(Failed(wrong))
        }
    }

    /// Runs one case without comparing.
    ///
    /// # Errors
    /// A file of it is missing or cannot be read.
    pub fn outcome<S: Skill>(&self, name: &str) -> Result<Outcome, String> {
        let (host, input) = self.host(name, false)?;
        Ok(host.invoke::<S>(input))
    }

    fn names(&self) -> Result<Vec<String>, String> {
        let folder = self.folder.join("fixtures");
        let found = fs::read_dir(&folder).map_err(|error| format!("`{}`: {error}", folder.display()))?;
        let mut names: Vec<String> = found
            .filter_map(|entry| entry.ok()?.file_name().to_str()?.strip_suffix(".json").map(str::to_owned))
            .collect();
        names.sort();
        Ok(names)
    }

    fn host(&self, name: &str, record: bool) -> Result<(Host, Value), String> {
        let fixtures = self.folder.join("fixtures");
        let input = read_json(&fixtures.join(format!("{name}.json")))?;
        let mut host = Host::new();
        for (key, value) in &self.config {
            host = host.config(key, value);
        }
        if let Ok(found) = fs::read_dir(fixtures.join(name)) {
            for entry in found.filter_map(Result::ok) {
                host = host.folder(entry.file_name().to_string_lossy(), entry.path());
            }
        }
        let path = fixtures.join(format!("{name}.journal.jsonl"));
        if let Ok(text) = fs::read_to_string(&path) {
            let cassette = cassette::Cassette::parse(&text).map_err(|error| format!("`{}`: {error}", path.display()))?;
            host.cassette = if record { cassette.without_model_answers() } else { cassette };
        }
        if record {
            host.answerer = self.answerer;
        }
        Ok((host, input))
    }

    fn case<S: Skill>(&self, name: &str) -> Result<(), String> {
        let record = self.answerer.is_some() && std::env::var_os("CLAW_RECORD").is_some();
        let (host, input) = self.host(name, record)?;
        let outcome = host.invoke::<S>(input);
        let got = match &outcome.result {
            Ok(output) => output.clone(),
            Err(error) => json!({"error": {"code": error.code()}}),
        };
        if !outcome.unused.is_empty() {
            return Err(format!(
                "never asked for, though recorded:\n{}\nthe answer was {got}",
                outcome.unused.join("\n")
            ));
        }
        let expected_path = self.folder.join("expected").join(format!("{name}.json"));
        if record {
            return self.write(name, &outcome, &expected_path, &got);
        }
        let expected = read_json(&expected_path)?;
        if expected == got {
            return Ok(());
        }
        let why = outcome.result.as_ref().err().map(ToString::to_string).unwrap_or_default();
        Err(format!("expected\n{expected:#}\ngot\n{got:#}\n{why}"))
    }

    fn write(&self, name: &str, outcome: &Outcome, expected: &Path, got: &Value) -> Result<(), String> {
        let put = |path: &Path, text: String| fs::write(path, text).map_err(|error| format!("`{}`: {error}", path.display()));
        let lines: Vec<String> = outcome.lines.iter().map(|line| format!("{line}\n")).collect();
        let cassette = self.folder.join("fixtures").join(format!("{name}.journal.jsonl"));
        if !lines.is_empty() || cassette.exists() {
            put(&cassette, lines.concat())?;
        }
        put(expected, format!("{got:#}\n"))
    }
}

fn read_json(path: &Path) -> Result<Value, String> {
    let text = fs::read_to_string(path).map_err(|error| format!("`{}`: {error}", path.display()))?;
    serde_json::from_str(&text).map_err(|error| format!("`{}` is no JSON: {error}", path.display()))
}
