//! A stand-in for the host, so that a skill's logic runs in plain `cargo test`: files from
//! memory or a folder, model and capability calls from the same cassettes that
//! `claw skill test` plays. Anything that no test provided is refused, never made up.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::Value;

use crate::context::Context;
use crate::error::{Error, Kind};
use crate::log::Level;
use crate::nodes::Payload;
use crate::{Skill, run};

mod base64;
mod cases;
mod cassette;
mod files;
pub(crate) mod host;
mod wire;

pub use cases::{Cases, Failed};

/// Answers a model request, given as the JSON of a cassette, with a text.
pub type Answerer = fn(&Value) -> String;

/// A host for one invocation.
#[derive(Debug, Default)]
pub struct Host {
    pub(crate) folders: BTreeMap<String, PathBuf>,
    pub(crate) files: BTreeMap<String, Vec<u8>>,
    pub(crate) config: BTreeMap<String, String>,
    pub(crate) cassette: cassette::Cassette,
    pub(crate) answerer: Option<Answerer>,
    pub(crate) seen: Seen,
}

/// What the skill did that a caller or an operator would see.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// Everything emitted, in order.
    pub emitted: Vec<String>,
    /// Progress, in order.
    pub progress: Vec<(String, Option<u8>)>,
    /// Log lines, in order.
    pub logs: Vec<(Level, String)>,
}

/// How one invocation went.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The skill's answer.
    pub result: Result<Value, Error>,
    /// What was seen on the way.
    pub seen: Seen,
    /// Calls that the cassette holds and the skill did not make.
    pub unused: Vec<String>,
    /// The external effects, as lines of a cassette.
    pub lines: Vec<Value>,
}

impl Host {
    /// A host that has nothing to give.
    pub fn new() -> Self {
        Host::default()
    }

    /// A file, by the path that the skill uses: `logs/app.log`.
    #[must_use]
    pub fn file(mut self, path: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Self {
        self.files.insert(path.into(), bytes.into());
        self
    }

    /// A folder for a granted name: `logs`. The skill may read and write below it.
    #[must_use]
    pub fn folder(mut self, name: impl Into<String>, folder: impl Into<PathBuf>) -> Self {
        self.folders.insert(name.into(), folder.into());
        self
    }

    /// A configuration value.
    #[must_use]
    pub fn config(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.config.insert(key.into(), value.into());
        self
    }

    /// The calls of a cassette: JSON lines, each a `model`, `embed` or `invoke` effect. Each
    /// answers one call.
    ///
    /// # Errors
    /// The number of the line that is none, and why.
    pub fn cassette(mut self, text: &str) -> Result<Self, String> {
        self.cassette = cassette::Cassette::parse(text)?;
        Ok(self)
    }

    /// Answers model calls that the cassette does not hold, instead of refusing them.
    #[must_use]
    pub fn answer_models(mut self, answerer: Answerer) -> Self {
        self.answerer = Some(answerer);
        self
    }

    /// Runs a skill once on this input.
    pub fn invoke<S: Skill>(self, input: Value) -> Outcome {
        self.install();
        let result = run::<S>(Payload::Json(input), &Context::default());
        let host = Host::uninstall();
        Outcome {
            result,
            seen: host.seen,
            unused: host.cassette.unused(),
            lines: host.cassette.into_lines(),
        }
    }
}

/// The error of a call that no test provided.
pub(crate) fn refused(what: impl std::fmt::Display) -> Error {
    Error::of(
        Kind::Denied,
        "testing.not_provided".to_owned(),
        format!("{what} is not provided by this test"),
        None,
    )
}
