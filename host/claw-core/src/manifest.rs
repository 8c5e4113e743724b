//! What a SKILL.md says: the lenient loader, the strict lint, and the walk over folders
//! of skills. It reads bytes and answers values; it never runs, fetches or writes anything.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::{Map, Value};

use crate::grants::{Limits, Requests};

mod body;
pub mod check;
mod claw;
mod code;
mod contract;
mod decode;
mod diagnostic;
mod extra;
mod fields;
mod lint;
mod metadata;
mod name;
mod node;
mod openclaw;
mod property;
mod read;
mod reference;
mod relaxed;
mod repair;
mod report;
mod salvage;
mod schema;
mod secrets;
mod split;
mod version;
mod yaml;

pub use body::Heading;
pub use code::{Code, Rule};
pub use diagnostic::{Diagnostic, Severity};
pub use schema::{Contract, Schema, Violation};
pub use semver::Version;

/// Where the bytes came from: for messages, and for the rule that a skill is named as its folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The path shown in messages.
    pub path: PathBuf,
    /// The name of the folder that holds the file; `None` where there is no folder, as
    /// inside a component.
    pub folder: Option<String>,
}

impl Origin {
    /// The origin of a file on disk: its folder is the last part of the path's parent.
    pub fn of(path: impl Into<PathBuf>) -> Origin {
        let path = path.into();
        let folder = path
            .parent()
            .and_then(Path::file_name)
            .map(|name| name.to_string_lossy().into_owned());
        Origin { path, folder }
    }

    /// An origin whose folder is known by other means, or that has none.
    pub fn new(path: impl Into<PathBuf>, folder: Option<&str>) -> Origin {
        Origin {
            path: path.into(),
            folder: folder.map(str::to_owned),
        }
    }
}

/// What OpenClaw's `requires` names: what must be on a machine before the skill is of use there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Requires {
    /// Every one of these commands.
    pub bins: Vec<String>,
    /// At least one of these commands.
    pub any_bins: Vec<String>,
    /// Every one of these environment variables.
    pub env: Vec<String>,
    /// Every one of these settings of the host.
    pub config: Vec<String>,
}

/// One SKILL.md, read and checked: every field has the shape that the rest of the program relies on.
#[derive(Clone, Debug)]
pub struct Manifest {
    /// `[a-z0-9]+(-[a-z0-9]+)*`, at most 64 characters.
    pub name: String,
    /// What the skill does and when to use it; taken from the body's first paragraph where absent.
    pub description: String,
    /// `0.0.0` where the file names none.
    pub version: Version,
    /// The file names a version.
    pub version_declared: bool,
    /// The licence, as written.
    pub license: Option<String>,
    /// What the skill says that it needs around it, as written.
    pub compatibility: Option<String>,
    /// `allowed-tools`, split: `Bash(git:*)` is one item.
    pub allowed_tools: Vec<String>,
    /// A page about the skill.
    pub homepage: Option<String>,
    /// One sign for lists.
    pub emoji: Option<String>,
    /// Operating systems it is meant for (`darwin`, `linux`, `win32`); empty means any.
    pub os: Vec<String>,
    /// OpenClaw's `always`: offered even where `requires` is not met.
    pub always: bool,
    /// What must be on the machine.
    pub requires: Requires,
    /// The environment variable that holds the skill's main credential.
    pub primary_env: Option<String>,
    /// OpenClaw's installers, unread: nothing is ever installed from here.
    pub install: Option<Value>,
    /// What it asks for: `metadata.claw`, or the defaults where that block is absent.
    pub requests: Requests,
    /// The file has a `metadata.claw` block, so `requests` is what its author wrote.
    pub requests_declared: bool,
    /// What one invocation may use, held below [`Limits::CEILING`].
    pub limits: Limits,
    /// Running it twice with one input does what running it once does.
    pub idempotent: bool,
    /// Settings that it may read, each with the default that it brings.
    pub config: BTreeMap<String, Option<String>>,
    /// The shapes of input and output.
    pub contract: Contract,
    /// Everything in the front matter that this program has no use for, at its own place.
    pub extra: Map<String, Value>,
    /// The markdown below the front matter.
    pub body: String,
    /// The line of the file on which the body begins, from 1.
    pub body_line: usize,
    /// The headings of the body, in order.
    pub headings: Vec<Heading>,
}

/// What came of loading one file.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The skill, unless a diagnostic is an error.
    pub manifest: Option<Manifest>,
    /// Everything that was found, in the order of lines.
    pub diagnostics: Vec<Diagnostic>,
}

impl Loaded {
    /// The manifest, with what was found but did not stop it.
    ///
    /// # Errors
    /// [`LoadError`], carrying every diagnostic, if the file does not load.
    pub fn into_result(self) -> Result<(Manifest, Vec<Diagnostic>), LoadError> {
        match self.manifest {
            Some(manifest) => Ok((manifest, self.diagnostics)),
            None => Err(LoadError {
                diagnostics: self.diagnostics,
            }),
        }
    }
}

/// A SKILL.md that does not load, with everything that was found in it.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{}", diagnostic::errors_as_text(.diagnostics))]
pub struct LoadError {
    /// Everything that was found; at least one is an error.
    pub diagnostics: Vec<Diagnostic>,
}

/// Reads a SKILL.md as leniently as its meaning allows, and says what it had to overlook.
pub fn load(bytes: &[u8], origin: &Origin) -> Loaded {
    let reading = read::read(bytes, origin);
    let diagnostics = reading.report.into_diagnostics(Code::on_load);
    let failed = diagnostics.iter().any(|found| found.severity == Severity::Error);
    Loaded {
        manifest: reading.manifest.filter(|_| !failed),
        diagnostics,
    }
}

/// Reads a SKILL.md strictly: everything the loader overlooks, and what only a reader would notice.
///
/// `exists` answers whether a path relative to the skill's folder is there; without it links
/// are not followed.
pub fn lint(bytes: &[u8], origin: &Origin, exists: Option<&dyn Fn(&str) -> bool>) -> Vec<Diagnostic> {
    let mut reading = read::read(bytes, origin);
    lint::extend(&mut reading, exists);
    reading.report.into_diagnostics(Code::on_lint)
}

#[cfg(test)]
mod tests;
