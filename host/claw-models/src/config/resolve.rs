//! From the file to entries that can be used: variables filled in, defaults chosen, every
//! value checked. Collects all that is wrong before it refuses.

use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use claw_core::cost::Price;
use claw_core::routing::Window;
use http::{HeaderMap, HeaderName, HeaderValue};
use reqwest::Url;

use super::errors::{ConfigError, ConfigErrors, Problem};
use super::expand::{Unexpanded, expand, how_to_set};
use super::{Hedge, Limits, ModelEntry, ModelsFile, Provider, TimeoutKeys};
use crate::prices::{PriceBook, Priced};
use crate::secret::Secret;

type Env<'a> = &'a dyn Fn(&str) -> Option<String>;

/// A key file larger than this is not one.
const MAX_KEY_FILE: u64 = 16 * 1024;

/// A day: longer waits are a mistake in the unit.
const MAX_MILLIS: u64 = 86_400_000;

/// How long a model is waited for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timeouts {
    pub(crate) connect: Duration,
    pub(crate) first_token: Duration,
    pub(crate) idle: Duration,
    pub(crate) total: Option<Duration>,
}

/// The key of an entry.
#[derive(Clone, Debug)]
pub(crate) enum Key {
    /// It works without.
    Needless,
    /// These, used in turn; there is at least one.
    Set(Vec<Secret>),
    /// It needs one and has none; the text says what to set.
    Missing(String),
}

/// An entry that can be used.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) name: String,
    pub(crate) provider: Provider,
    pub(crate) model: String,
    pub(crate) uses: Vec<String>,
    pub(crate) local: bool,
    /// Without a slash at its end. `offline` has none.
    pub(crate) base_url: Option<Url>,
    pub(crate) official: bool,
    pub(crate) key: Key,
    pub(crate) headers: HeaderMap,
    /// All that must never be repeated: the key, and header values from the file.
    pub(crate) secrets: Vec<Secret>,
    pub(crate) timeouts: Timeouts,
    pub(crate) max_attempts: u32,
    pub(crate) max_tokens: Option<u32>,
    pub(crate) price: Option<Price>,
    /// The header that carries the key, where that is not the usual one.
    pub(crate) key_header: Option<HeaderName>,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) weight: Option<u32>,
    pub(crate) windows: Vec<Window>,
    pub(crate) limits: Limits,
    pub(crate) context_tokens: Option<u64>,
    pub(crate) fallbacks: Vec<String>,
    pub(crate) hedge: Option<Hedge>,
}

impl Entry {
    /// The key crosses a network unencrypted.
    pub(crate) fn sends_key_in_clear(&self) -> bool {
        let in_clear = |url: &Url| url.scheme() == "http" && !is_loopback(url);
        matches!(self.key, Key::Set(_)) && self.base_url.as_ref().is_some_and(in_clear)
    }
}

/// All entries of the file, checked.
///
/// # Errors
/// Everything that is wrong with it.
pub(crate) fn resolve(file: &ModelsFile, env: Env<'_>) -> Result<Vec<Entry>, ConfigErrors> {
    let mut errors = Vec::new();
    let mut entries = Vec::new();
    for (name, written) in &file.models {
        let mut reading = Reading {
            name,
            written,
            env,
            prices: &file.prices,
            errors: &mut errors,
        };
        entries.push(reading.entry());
    }
    check_uses(file, &mut errors);
    check_groups(file, &mut errors);
    if errors.is_empty() {
        Ok(entries)
    } else {
        Err(ConfigErrors(errors))
    }
}

fn check_uses(file: &ModelsFile, errors: &mut Vec<ConfigError>) {
    for (entry, written) in &file.models {
        for (place, name) in written.use_for.iter().enumerate() {
            let problem = if !is_name(name) {
                Problem::BadName
            } else if written.use_for.iter().take(place).any(|before| before == name) {
                Problem::DuplicateUse { name: name.clone() }
            } else if file.models.iter().any(|(other, _)| other == name && other != entry) {
                Problem::UseIsEntry { name: name.clone() }
            } else {
                continue;
            };
            errors.push(ConfigError {
                path: format!("models.{entry}.use_for[{place}]"),
                problem,
            });
        }
        for (place, name) in written.fallbacks.iter().enumerate() {
            if !file.models.iter().any(|(other, _)| other == name) {
                errors.push(ConfigError {
                    path: format!("models.{entry}.fallbacks[{place}]"),
                    problem: Problem::Unknown { name: name.clone() },
                });
            }
        }
    }
}

/// Aliases and uses lead to something, and take no name that leads elsewhere.
fn check_groups(file: &ModelsFile, errors: &mut Vec<ConfigError>) {
    let is_entry = |name: &str| file.models.iter().any(|(entry, _)| entry == name);
    let is_use = |name: &str| {
        file.models
            .iter()
            .any(|(_, written)| written.use_for.iter().any(|used| used == name))
    };
    let is_group = |name: &str| file.aliases.contains_key(name) || file.uses.contains_key(name);
    for (key, groups) in [("aliases", &file.aliases), ("uses", &file.uses)] {
        for (name, group) in groups {
            let mut wrong = |problem| {
                let path = format!("{key}.{}", name.escape_debug());
                errors.push(ConfigError { path, problem });
            };
            if !is_name(name) {
                wrong(Problem::BadName);
            } else if is_entry(name) || (key == "aliases" && (is_use(name) || file.uses.contains_key(name))) {
                wrong(Problem::UseIsEntry { name: name.clone() });
            }
            if group.candidates().is_empty() {
                wrong(Problem::Other("needs at least one candidate"));
            }
            for member in group.candidates() {
                if member == name || !(is_entry(member) || is_use(member) || is_group(member)) {
                    wrong(Problem::Unknown { name: member.clone() });
                }
            }
        }
    }
}

struct Reading<'a> {
    name: &'a str,
    written: &'a ModelEntry,
    env: Env<'a>,
    prices: &'a PriceBook,
    errors: &'a mut Vec<ConfigError>,
}

impl Reading<'_> {
    fn entry(&mut self) -> Entry {
        if !is_name(self.name) {
            self.errors.push(ConfigError {
                path: format!("models.{}", self.name.escape_debug()),
                problem: Problem::BadName,
            });
        }
        let provider = self.written.provider;
        let model = self.model();
        let base_url = self.base_url();
        let official = self.written.base_url.is_none();
        let key = self.key(official);
        let (headers, mut secrets) = self.headers();
        if let Key::Set(keys) = &key {
            secrets.splice(0..0, keys.iter().cloned());
        }
        let local = self
            .written
            .local
            .unwrap_or_else(|| is_local(provider, &model, base_url.as_ref()));
        let priced = Priced {
            provider,
            host: base_url.as_ref().and_then(Url::host_str),
            model: &model,
            local,
        };
        Entry {
            name: self.name.to_owned(),
            provider,
            uses: self.written.use_for.clone(),
            local,
            official,
            key,
            headers,
            secrets,
            timeouts: self.timeouts(),
            max_attempts: self.in_range("max_attempts", self.written.max_attempts.map(u64::from), 3, 10) as u32,
            max_tokens: self.max_tokens(),
            price: self.price(&priced),
            key_header: self.key_header(),
            query: self.query(),
            weight: self.written.weight,
            windows: self.written.windows.clone(),
            limits: self.limits(),
            context_tokens: self.context_tokens().or_else(|| priced.context_tokens()),
            fallbacks: self.written.fallbacks.clone(),
            hedge: self.hedge(),
            base_url,
            model,
        }
    }

    fn wrong(&mut self, key: &str, problem: Problem) {
        self.errors.push(ConfigError {
            path: format!("models.{}.{key}", self.name),
            problem,
        });
    }

    /// The value with its variables filled in; one that is not set is an error.
    fn filled(&mut self, key: &str, text: &str) -> Option<String> {
        match expand(text, self.env) {
            Ok(value) => Some(value),
            Err(Unexpanded::Malformed) => {
                self.wrong(key, Problem::BadVariable);
                None
            }
            Err(Unexpanded::Unset(name)) => {
                self.wrong(key, Problem::Unset(name));
                None
            }
        }
    }

    fn model(&mut self) -> String {
        let provider = self.written.provider;
        let written = self.written.model.as_deref().map(|text| self.filled("model", text));
        match (written, provider) {
            (_, Provider::Offline) => Provider::Offline.as_str().to_owned(),
            (None, _) => {
                self.wrong(
                    "model",
                    Problem::MissingModel {
                        provider: provider.as_str(),
                    },
                );
                String::new()
            }
            (Some(model), _) => {
                let model = model.unwrap_or_else(|| "unknown".to_owned());
                if !is_name(&model) {
                    self.wrong("model", Problem::BadName);
                }
                model
            }
        }
    }

    fn base_url(&mut self) -> Option<Url> {
        let usual = match self.written.provider {
            Provider::Anthropic => "https://api.anthropic.com",
            Provider::OpenAi => "https://api.openai.com/v1",
            Provider::Ollama => "http://127.0.0.1:11434",
            Provider::Gemini => "https://generativelanguage.googleapis.com",
            Provider::Offline => {
                if self.written.base_url.is_some() {
                    self.wrong("base_url", Problem::Needless { provider: "offline" });
                }
                return None;
            }
        };
        let text = match self.written.base_url.as_deref() {
            Some(text) => self.filled("base_url", text)?,
            None => usual.to_owned(),
        };
        match checked_url(&text) {
            Ok(url) => Some(url),
            Err(why) => {
                self.wrong("base_url", Problem::BadUrl(why));
                None
            }
        }
    }

    fn key(&mut self, official: bool) -> Key {
        let (written, file) = (self.written.api_key.as_ref(), self.written.api_key_file.as_deref());
        if !self.written.api_keys.is_empty() {
            if written.is_some() || file.is_some() {
                self.wrong("api_keys", Problem::TwoKeys);
            }
            return self.several_keys();
        }
        if self.written.provider == Provider::Offline {
            for (key, is_there) in [("api_key", written.is_some()), ("api_key_file", file.is_some())] {
                if is_there {
                    self.wrong(key, Problem::Needless { provider: "offline" });
                }
            }
            return Key::Needless;
        }
        let found = match (written, file) {
            (Some(_), Some(_)) => {
                self.wrong("api_key", Problem::TwoKeys);
                return Key::Needless;
            }
            (Some(secret), None) => self.key_from_text(secret.expose()),
            (None, Some(path)) => self.key_from_file(path),
            (None, None) => self.key_from_environment(official),
        };
        self.check_key(&found, if file.is_some() { "api_key_file" } else { "api_key" });
        found
    }

    fn check_key(&mut self, found: &Key, key: &str) {
        let sendable = |secret: &Secret| secret.expose().bytes().all(|b| (0x21..0x7f).contains(&b));
        if let Key::Set(keys) = found
            && !keys.iter().all(sendable)
        {
            self.wrong(key, Problem::BadKey);
        }
    }

    fn several_keys(&mut self) -> Key {
        let mut keys = Vec::new();
        let mut missing = None;
        for secret in self.written.api_keys.clone() {
            match self.key_from_text(secret.expose()) {
                Key::Set(found) => keys.extend(found),
                Key::Missing(what) => missing = Some(what),
                Key::Needless => self.wrong("api_keys", Problem::BadKey),
            }
        }
        match missing {
            Some(what) if keys.is_empty() => Key::Missing(what),
            _ => {
                let found = Key::Set(keys);
                self.check_key(&found, "api_keys");
                found
            }
        }
    }

    fn key_header(&mut self) -> Option<HeaderName> {
        let name = self.written.api_key_header.as_deref()?;
        match HeaderName::try_from(name) {
            Ok(name) if !RESERVED.contains(&name.as_str()) || name == "authorization" || name == "x-api-key" => Some(name),
            _ => {
                self.wrong("api_key_header", Problem::BadHeader("not a header that can carry a key"));
                None
            }
        }
    }

    fn query(&mut self) -> Vec<(String, String)> {
        let written = self.written.query.clone();
        let filled = written.into_iter().filter_map(|(name, value)| {
            let value = self.filled(&format!("query.{}", name.escape_debug()), &value)?;
            Some((name, value))
        });
        filled.collect()
    }

    fn limits(&mut self) -> Limits {
        let limits = self.written.limits;
        for (key, value) in [
            ("limits.rpm", limits.rpm),
            ("limits.tpm", limits.tpm),
            ("limits.concurrency", limits.concurrency.map(u64::from)),
        ] {
            if value == Some(0) {
                self.wrong(key, Problem::OutOfRange { min: 1, max: u64::MAX });
            }
        }
        limits
    }

    fn hedge(&mut self) -> Option<Hedge> {
        let hedge = self.written.hedge?;
        match (hedge.after_ms, hedge.after_percentile) {
            (Some(_), None) | (None, Some(_)) => {}
            _ => self.wrong("hedge", Problem::Other("give either `after_ms` or `after_percentile`")),
        }
        for (key, value, max) in [
            ("hedge.after_ms", hedge.after_ms, MAX_MILLIS),
            ("hedge.after_percentile", hedge.after_percentile, 99),
            ("hedge.max_percent", Some(hedge.max_percent), 100),
        ] {
            if value.is_some_and(|value| !(1..=max).contains(&value)) {
                self.wrong(key, Problem::OutOfRange { min: 1, max });
            }
        }
        Some(hedge)
    }

    fn context_tokens(&mut self) -> Option<u64> {
        if self.written.context_tokens == Some(0) {
            self.wrong("context_tokens", Problem::OutOfRange { min: 1, max: u64::MAX });
        }
        self.written.context_tokens
    }

    fn key_from_text(&mut self, text: &str) -> Key {
        match expand(text, self.env) {
            Ok(key) if key.is_empty() => Key::Needless,
            Ok(key) => Key::Set(vec![Secret::new(key)]),
            Err(Unexpanded::Unset(name)) => Key::Missing(how_to_set(&name)),
            Err(Unexpanded::Malformed) => {
                self.wrong("api_key", Problem::BadVariable);
                Key::Needless
            }
        }
    }

    fn key_from_file(&mut self, path: &str) -> Key {
        let Some(path) = self.filled("api_key_file", path) else {
            return Key::Needless;
        };
        if !Path::new(&path).is_absolute() {
            self.wrong("api_key_file", Problem::RelativePath);
            return Key::Needless;
        }
        match read_key(Path::new(&path)) {
            Ok(key) => Key::Set(vec![Secret::new(key)]),
            Err(why) => Key::Missing(format!("put the key into `{path}`, which {why}")),
        }
    }

    fn key_from_environment(&self, official: bool) -> Key {
        let (variable, needed) = match self.written.provider {
            Provider::Anthropic => ("ANTHROPIC_API_KEY", true),
            // Compatible servers on one's own machines mostly take no key.
            Provider::OpenAi => ("OPENAI_API_KEY", official),
            Provider::Gemini => ("GEMINI_API_KEY", true),
            Provider::Ollama | Provider::Offline => return Key::Needless,
        };
        match (self.env)(variable).filter(|key| !key.is_empty()) {
            Some(key) => Key::Set(vec![Secret::new(key)]),
            None if needed => Key::Missing(format!("set `{variable}`, or `models.{}.api_key` in models.yaml", self.name)),
            None => Key::Needless,
        }
    }

    fn headers(&mut self) -> (HeaderMap, Vec<Secret>) {
        let mut headers = HeaderMap::new();
        let mut secrets = Vec::new();
        for (name, value) in &self.written.headers {
            let key = format!("headers.{}", name.escape_debug());
            let Some(value) = self.filled(&key, value.expose()) else {
                continue;
            };
            let parsed = HeaderName::try_from(name.as_str())
                .ok()
                .filter(|name| !RESERVED.contains(&name.as_str()));
            match (parsed, HeaderValue::from_str(&value)) {
                (Some(name), Ok(mut header)) => {
                    header.set_sensitive(true);
                    headers.insert(name, header);
                    secrets.push(Secret::new(value));
                }
                (None, _) => {
                    self.wrong(
                        &key,
                        Problem::BadHeader("not a header that can be set here (a key belongs into `api_key`)"),
                    );
                }
                (_, Err(_)) => self.wrong(
                    &key,
                    Problem::BadHeader("the value holds characters that a header cannot carry"),
                ),
            }
        }
        // `1` or `true` is no secret, and taking it out of every message would garble them.
        secrets.retain(|secret| secret.expose().len() >= 8);
        (headers, secrets)
    }

    fn timeouts(&mut self) -> Timeouts {
        let TimeoutKeys {
            connect_ms,
            first_token_ms,
            idle_ms,
            total_ms,
        } = self.written.timeouts;
        let mut millis = |key, value, default| Duration::from_millis(self.in_range(key, value, default, MAX_MILLIS));
        Timeouts {
            connect: millis("timeouts.connect_ms", connect_ms, 5_000),
            first_token: millis("timeouts.first_token_ms", first_token_ms, 120_000),
            idle: millis("timeouts.idle_ms", idle_ms, 60_000),
            total: total_ms.map(|_| millis("timeouts.total_ms", total_ms, MAX_MILLIS)),
        }
    }

    fn max_tokens(&mut self) -> Option<u32> {
        if self.written.max_tokens == Some(0) {
            self.wrong(
                "max_tokens",
                Problem::OutOfRange {
                    min: 1,
                    max: u64::from(u32::MAX),
                },
            );
        }
        self.written.max_tokens
    }

    fn in_range(&mut self, key: &str, value: Option<u64>, default: u64, max: u64) -> u64 {
        let value = value.unwrap_or(default);
        if !(1..=max).contains(&value) {
            self.wrong(key, Problem::OutOfRange { min: 1, max });
            return default;
        }
        value
    }

    fn price(&mut self, priced: &Priced<'_>) -> Option<Price> {
        match &self.written.price {
            Some(list) => match Price::try_new(list) {
                Ok(price) => Some(price),
                Err(bad) => {
                    self.wrong(&format!("price.{}", bad.key), Problem::BadPrice(bad));
                    None
                }
            },
            None => priced.price(self.prices),
        }
    }
}

/// Headers that are ours to set, or the connection's.
const RESERVED: &[&str] = &[
    "accept",
    "accept-encoding",
    "authorization",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "host",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "x-api-key",
];

fn is_name(name: &str) -> bool {
    (1..=128).contains(&name.chars().count()) && !name.chars().any(|c| c.is_control() || c.is_whitespace())
}

/// An `http` or `https` address without a query, a fragment, or credentials.
fn checked_url(text: &str) -> Result<Url, &'static str> {
    let url = Url::parse(text.trim_end_matches('/')).map_err(|_| "not an address such as `http://127.0.0.1:8000/v1`")?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none_or(str::is_empty) {
        return Err("must begin with `http://` or `https://` and name a host");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("must not hold a user or a password; a key belongs into `api_key`");
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("must not have a query or a fragment; a key belongs into `api_key`");
    }
    Ok(url)
}

fn is_local(provider: Provider, model: &str, base_url: Option<&Url>) -> bool {
    match provider {
        Provider::Offline => true,
        Provider::Ollama if model.ends_with("-cloud") || model.ends_with(":cloud") => false,
        Provider::Ollama | Provider::Anthropic | Provider::OpenAi | Provider::Gemini => base_url.is_some_and(is_loopback),
    }
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare.parse::<IpAddr>().map_or(bare == "localhost", |ip| ip.is_loopback())
}

fn read_key(path: &Path) -> Result<String, &'static str> {
    let file = std::fs::metadata(path).map_err(|_| "cannot be read")?;
    if !file.is_file() {
        return Err("is not a file");
    }
    if file.len() > MAX_KEY_FILE {
        return Err("is too large to be a key");
    }
    let text = std::fs::read_to_string(path).map_err(|_| "cannot be read as text")?;
    let key = text.trim();
    if key.is_empty() { Err("is empty") } else { Ok(key.to_owned()) }
}
