//! `context.yaml` as people write it, and as it is used. Collects all that is wrong before it
//! refuses.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use claw_core::capability::Target;
use claw_core::pipeline::{ContextFrom, ContextSource};
use http::{HeaderMap, HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::config::{ConfigError, ConfigErrors, Problem, Unexpanded, expand};
use crate::secret::Secret;

/// Where nothing is said, in milliseconds.
const TIMEOUT_MS: u64 = 2_000;
const MAX_TIMEOUT_MS: u64 = 60_000;

/// `context.yaml`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContextFile {
    /// The entries, by name.
    #[serde(default)]
    pub context: BTreeMap<String, ContextEntry>,
    /// How sessions are kept and fitted.
    #[serde(default)]
    pub session: SessionKeys,
}

/// One entry: exactly one of `file`, `http`, `skill` and `capability`. `${NAME}` in `http` and
/// header values stands for an environment variable, `{name}` in `http` and `input` for a value
/// that the caller sends.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContextEntry {
    /// A file, or a directory whose files are read in the order of their names; an absolute path.
    pub file: Option<PathBuf>,
    /// Of a directory, the files whose names fit: `*.md`.
    pub pattern: Option<String>,
    /// An address whose body is the text.
    pub http: Option<String>,
    /// Headers of the request.
    #[serde(default)]
    pub headers: BTreeMap<String, Secret>,
    /// A skill, `name` or `name@version`.
    pub skill: Option<String>,
    /// A capability of this host or of a node.
    pub capability: Option<String>,
    /// What the skill or the capability is given.
    pub input: Option<Value>,
    /// The higher, the longer it keeps its place where room is short; 0 where nothing is said.
    #[serde(default)]
    pub priority: i32,
    /// The most tokens that it may take.
    pub max_tokens: Option<u64>,
    /// How long it is waited for; 2,000 where nothing is said.
    pub timeout_ms: Option<u64>,
    /// Calls fail without it; true where nothing is said.
    pub required: Option<bool>,
}

/// How sessions are kept and fitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SessionKeys {
    /// As of an entry.
    pub priority: i32,
    /// The most tokens that earlier turns may take.
    pub max_tokens: Option<u64>,
    /// The last turns that are kept.
    pub max_turns: u32,
    /// For how many days.
    pub keep_days: u32,
}

impl Default for SessionKeys {
    fn default() -> Self {
        SessionKeys {
            priority: 0,
            max_tokens: Some(16_000),
            max_turns: 200,
            keep_days: 30,
        }
    }
}

impl ContextFile {
    /// The file of this text.
    ///
    /// # Errors
    /// One [`Problem::Syntax`], with line and column where they are known.
    pub fn from_yaml(text: &str) -> Result<Self, ConfigErrors> {
        serde_yaml::from_str(text).map_err(|error| ConfigErrors::one("context.yaml", Problem::Syntax(error.to_string())))
    }
}

impl ContextFile {
    /// The entries as they are shown: without headers, whose values may be secrets.
    pub fn describe(&self) -> Value {
        let entry = |(name, entry): (&String, &ContextEntry)| {
            let (kind, place) = match (&entry.file, &entry.http, &entry.skill, &entry.capability) {
                (Some(path), ..) => ("file", path.display().to_string()),
                (None, Some(url), ..) => ("http", url.clone()),
                (None, None, Some(skill), _) => ("skill", skill.clone()),
                (None, None, None, capability) => ("capability", capability.clone().unwrap_or_default()),
            };
            let shown = serde_json::json!({
                kind: place,
                "priority": entry.priority,
                "max_tokens": entry.max_tokens,
                "timeout_ms": entry.timeout_ms.unwrap_or(TIMEOUT_MS),
                "required": entry.required.unwrap_or(true),
            });
            (name.clone(), shown)
        };
        let entries: serde_json::Map<String, Value> = self.context.iter().map(entry).collect();
        serde_json::json!({ "context": entries, "session": self.session })
    }
}

/// An entry that can be used.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) source: ContextSource,
    pub(super) place: Place,
}

/// Where an entry's text lies.
#[derive(Debug)]
pub(super) enum Place {
    Files {
        path: PathBuf,
        pattern: Option<String>,
    },
    Get {
        url: String,
        headers: HeaderMap,
        secrets: Vec<Secret>,
    },
    Invoked,
}

/// All entries of the file, checked.
///
/// # Errors
/// Everything that is wrong with it.
pub(super) fn resolve(
    file: &ContextFile,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<BTreeMap<String, Arc<Entry>>, ConfigErrors> {
    let mut errors = Vec::new();
    let mut entries = BTreeMap::new();
    for (name, written) in &file.context {
        let mut wrong = |key: &str, problem: Problem| {
            let path = format!("context.{}{key}", name.escape_debug());
            errors.push(ConfigError { path, problem });
        };
        if !(1..=64).contains(&name.len()) || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.:".contains(&b)) {
            wrong(
                "",
                Problem::Other("a name has 1 to 64 letters, digits, `-`, `_`, `.` and `:`"),
            );
        }
        let timeout = written.timeout_ms.unwrap_or(TIMEOUT_MS);
        if !(1..=MAX_TIMEOUT_MS).contains(&timeout) {
            wrong(
                ".timeout_ms",
                Problem::OutOfRange {
                    min: 1,
                    max: MAX_TIMEOUT_MS,
                },
            );
        }
        if let Some((from, place)) = place(written, env, &mut wrong) {
            let source = ContextSource {
                from,
                priority: written.priority,
                max_tokens: written.max_tokens,
                timeout: Duration::from_millis(timeout),
                required: written.required.unwrap_or(true),
            };
            entries.insert(name.clone(), Arc::new(Entry { source, place }));
        }
    }
    if errors.is_empty() {
        Ok(entries)
    } else {
        Err(ConfigErrors(errors))
    }
}

type Wrong<'a> = &'a mut dyn FnMut(&str, Problem);

fn place(written: &ContextEntry, env: &dyn Fn(&str) -> Option<String>, wrong: Wrong<'_>) -> Option<(ContextFrom, Place)> {
    let given = [
        written.file.is_some(),
        written.http.is_some(),
        written.skill.is_some(),
        written.capability.is_some(),
    ];
    if given.iter().filter(|given| **given).count() != 1 {
        wrong(
            "",
            Problem::Other("give exactly one of `file`, `http`, `skill` and `capability`"),
        );
        return None;
    }
    if let Some(path) = &written.file {
        if !path.is_absolute() {
            wrong(".file", Problem::RelativePath);
        }
        let place = Place::Files {
            path: path.clone(),
            pattern: written.pattern.clone(),
        };
        return Some((ContextFrom::Fetched, place));
    }
    if let Some(text) = &written.http {
        let url = filled(".http", text, env, wrong)?;
        // Values of callers go into the path and the query, never into the host.
        let host = url
            .split_once("://")
            .map_or("", |(_, rest)| rest.split(['/', '?', '#']).next().unwrap_or_default());
        let bare = url.replace(['{', '}'], "");
        let parsed = reqwest::Url::parse(&bare)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https"));
        if parsed.is_none_or(|url| !url.username().is_empty() || url.password().is_some())
            || host.is_empty()
            || host.contains('{')
        {
            wrong(
                ".http",
                Problem::BadUrl(
                    "must be an address such as `https://host/customers/{id}`, without a user, and with placeholders only after the host",
                ),
            );
            return None;
        }
        let (headers, secrets) = headers(written, env, wrong);
        return Some((ContextFrom::Fetched, Place::Get { url, headers, secrets }));
    }
    let (key, text) = match (&written.skill, &written.capability) {
        (Some(skill), _) => (".skill", format!("skill:{skill}")),
        (None, Some(capability)) => (".capability", capability.clone()),
        (None, None) => return None,
    };
    match text.parse::<Target>() {
        Ok(target) => {
            let input = written.input.clone().unwrap_or_else(|| Value::Object(serde_json::Map::new()));
            Some((ContextFrom::Invoked(target, input), Place::Invoked))
        }
        Err(_) => {
            wrong(key, Problem::BadName);
            None
        }
    }
}

fn headers(written: &ContextEntry, env: &dyn Fn(&str) -> Option<String>, wrong: Wrong<'_>) -> (HeaderMap, Vec<Secret>) {
    let (mut headers, mut secrets) = (HeaderMap::new(), Vec::new());
    for (name, value) in &written.headers {
        let key = format!(".headers.{}", name.escape_debug());
        let Some(value) = filled(&key, value.expose(), env, wrong) else {
            continue;
        };
        match (HeaderName::try_from(name.as_str()), HeaderValue::from_str(&value)) {
            (Ok(name), Ok(mut header)) => {
                header.set_sensitive(true);
                headers.insert(name, header);
                secrets.push(Secret::new(value));
            }
            _ => wrong(&key, Problem::BadHeader("not a header that can be sent")),
        }
    }
    secrets.retain(|secret| secret.expose().len() >= 8);
    (headers, secrets)
}

fn filled(key: &str, text: &str, env: &dyn Fn(&str) -> Option<String>, wrong: Wrong<'_>) -> Option<String> {
    match expand(text, env) {
        Ok(value) => Some(value),
        Err(Unexpanded::Malformed) => {
            wrong(key, Problem::BadVariable);
            None
        }
        Err(Unexpanded::Unset(name)) => {
            wrong(key, Problem::Unset(name));
            None
        }
    }
}
