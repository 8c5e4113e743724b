//! One case, set up and run: its files below its grants, a fixed seed and clock, and a host
//! for its calls. Folders that a skill may write to are copies.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use claw_core::capability::Payload;
use claw_core::errors::{Code, Fault};
use claw_core::grants::{Access, AllowedFiles, Grants};
use claw_core::ids::TraceParent;
use claw_core::journal::{Effect, Line, Recorder};
use claw_core::manifest::Manifest;
use claw_core::pipeline::{check_input, check_output};
use claw_core::policy::{PoliciesFile, Policy, Question};
use claw_core::ports::{Component as _, HostCalls, Run, World};
use claw_engine::Loaded;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::case::{self, Case};
use super::cassette::fixed_id;

/// What the clock says in every case: 2026-01-01T00:00:00Z.
const WALL_NANOS: u64 = 1_767_225_600_000_000_000;
const TRACE: &str = "00-00000000000000000000000000000001-0000000000000001-01";
const MAX_DEPTH: usize = 32;

/// A case that is ready to run once.
pub(in crate::commands::skill) struct Stage {
    skill: String,
    seed: [u8; 32],
    grants: Arc<Grants>,
    /// Granted names that may be written to, and what lay below them.
    before: BTreeMap<String, BTreeMap<String, Vec<u8>>>,
    _scratch: tempfile::TempDir,
}

/// What a host may want to know of the run that it serves.
pub(in crate::commands::skill) struct Setting {
    /// Where the effects go.
    pub(in crate::commands::skill) journal: Arc<Recorder>,
    /// When the run ends.
    pub(in crate::commands::skill) deadline: Instant,
}

/// How a case ran.
#[derive(Debug)]
pub(in crate::commands::skill) struct Ran {
    /// What came out.
    pub(in crate::commands::skill) result: Result<Value, Fault>,
    /// What lies below the names that may be written to, and whether the run changed it.
    pub(super) files: BTreeMap<String, (Vec<u8>, bool)>,
    /// Everything that happened.
    pub(in crate::commands::skill) lines: Vec<Line>,
}

impl Stage {
    /// Grants a skill all that its SKILL.md declares, on the files of a case.
    ///
    /// # Errors
    /// The files cannot be copied.
    pub(in crate::commands::skill) fn set(manifest: &Manifest, case: &Case) -> Result<Self> {
        let scratch = tempfile::Builder::new()
            .prefix("claw-test-")
            .tempdir()
            .context("no temporary folder")?;
        let mut grants = Grants {
            model: manifest.requests.model.clone(),
            capabilities: manifest.requests.capabilities.clone(),
            ..Grants::default()
        };
        let mut before = BTreeMap::new();
        for (place, (name, access)) in manifest.requests.files.iter().enumerate() {
            let given = case.files_path().join(name);
            let scratch = scratch.path().join(place.to_string());
            let path = match access {
                Access::Read if given.is_dir() => given.canonicalize()?,
                Access::Read => {
                    fs::create_dir(&scratch)?;
                    scratch
                }
                Access::ReadWrite => {
                    fs::create_dir(&scratch)?;
                    let files = if given.is_dir() { tree(&given)? } else { BTreeMap::new() };
                    for (path, bytes) in &files {
                        let path = scratch.join(path);
                        fs::create_dir_all(path.parent().unwrap_or(&scratch))?;
                        fs::write(path, bytes)?;
                    }
                    before.insert(name.clone(), files);
                    scratch
                }
            };
            grants.files.insert(name.clone(), AllowedFiles { path, access: *access });
        }
        let seed = Sha256::digest(case.name.as_bytes()).into();
        Ok(Stage {
            skill: manifest.name.clone(),
            seed,
            grants: Arc::new(grants),
            before,
            _scratch: scratch,
        })
    }

    /// The skill's name.
    pub(in crate::commands::skill) fn skill(&self) -> &str {
        &self.skill
    }

    /// What it may reach.
    pub(in crate::commands::skill) fn grants(&self) -> Arc<Grants> {
        self.grants.clone()
    }

    /// Runs the skill once.
    pub(in crate::commands::skill) async fn run<H: HostCalls + 'static>(
        &self,
        skill: &Loaded,
        input: Value,
        host: impl FnOnce(&Setting) -> Arc<H>,
    ) -> Ran {
        let manifest = skill.facts().manifest.clone();
        let deadline = Instant::now() + Duration::from_millis(manifest.limits.timeout_ms);
        let setting = Setting {
            journal: Arc::new(Recorder::new()),
            deadline,
        };
        let host = host(&setting);
        let result = match check_input(&manifest, &Payload::Json(input.clone())) {
            Ok(()) => self.call(skill, &manifest, input, host, &setting).await,
            Err(fault) => Err(fault),
        };
        let result = result.and_then(|payload| check_output(&manifest, &payload).map(|()| payload.to_json()));
        Ran {
            result,
            files: self.after(),
            lines: setting.journal.take(),
        }
    }

    async fn call(
        &self,
        skill: &Loaded,
        manifest: &Manifest,
        input: Value,
        host: Arc<dyn HostCalls>,
        setting: &Setting,
    ) -> Result<Payload, Fault> {
        let policy = Policy::try_new(&PoliciesFile::default()).map_err(|error| Fault::new(Code::Internal, error.to_string()))?;
        let capability = format!("skill:{}", manifest.name);
        let permit = policy.permit(&Question::new("test", &capability))?;
        let config = manifest
            .config
            .iter()
            .filter_map(|(key, value)| Some((key.clone(), value.clone()?)));
        let run = Run {
            id: fixed_id(),
            caller: "test".to_owned(),
            trace: TRACE.parse().unwrap_or_else(|_| TraceParent::generate()),
            input: Payload::Json(input),
            idempotency_key: None,
            deadline: setting.deadline,
            grants: self.grants.clone(),
            limits: manifest.limits.clone(),
            config: Arc::new(config.collect()),
            host,
            journal: setting.journal.clone(),
            events: None,
            world: World::Fixed {
                seed: self.seed,
                wall_nanos: WALL_NANOS,
            },
        };
        skill.run(&permit, run).await
    }

    /// What lies below the names that may be written to.
    fn after(&self) -> BTreeMap<String, (Vec<u8>, bool)> {
        let mut files = BTreeMap::new();
        for (name, before) in &self.before {
            let Some(allowed) = self.grants.files.get(name) else {
                continue;
            };
            for (path, bytes) in tree(&allowed.path).unwrap_or_default() {
                let changed = before.get(&path) != Some(&bytes);
                files.insert(format!("{name}/{path}"), (bytes, changed));
            }
        }
        files
    }
}

impl Ran {
    /// What the skill logged and wrote to its standard streams, in words.
    pub(in crate::commands::skill) fn logs(&self) -> Vec<String> {
        let words = self.lines.iter().filter_map(|line| match &line.effect {
            Effect::Log {
                level,
                message,
                source,
                fields,
            } => {
                let level = format!("{level:?}").to_lowercase();
                let head = if source == "log" { level } else { source.clone() };
                let fields = fields.as_ref().map(|fields| format!(" {fields}")).unwrap_or_default();
                Some(format!("{head}: {}{fields}", message.trim_end()))
            }
            Effect::LogCap { dropped } => Some(format!("{dropped} more log lines were dropped")),
            _ => None,
        });
        words.collect()
    }
}

/// Every file below a folder, by its path with `/`.
///
/// # Errors
/// One cannot be read, is a link, or has a name that is not UTF-8.
pub(in crate::commands::skill) fn tree(top: &Path) -> Result<BTreeMap<String, Vec<u8>>> {
    let mut files = BTreeMap::new();
    let mut open: Vec<(PathBuf, String, usize)> = vec![(top.to_owned(), String::new(), 0)];
    while let Some((directory, prefix, depth)) = open.pop() {
        let entries = fs::read_dir(&directory).with_context(|| format!("cannot list `{}`", directory.display()))?;
        for entry in entries.collect::<io::Result<Vec<_>>>()? {
            let Ok(name) = entry.file_name().into_string() else {
                bail!("`{}` has a name that is not UTF-8", entry.path().display());
            };
            let kind = entry.file_type()?;
            let path = format!("{prefix}{name}");
            if kind.is_dir() && depth < MAX_DEPTH {
                open.push((entry.path(), format!("{path}/"), depth + 1));
            } else if kind.is_file() {
                let bytes = case::read(&entry.path()).with_context(|| format!("cannot read `{}`", entry.path().display()))?;
                files.insert(path, bytes);
            } else {
                bail!("`{}` is no regular file", entry.path().display());
            }
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests;
