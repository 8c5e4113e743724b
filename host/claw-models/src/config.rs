//! `models.yaml` as people write it. Refuses unknown keys and entries of one name.

mod errors;
mod expand;
mod group;
mod resolve;

use std::collections::BTreeMap;
use std::fmt;

use claw_core::cost::PriceList;
use claw_core::routing::Window;
use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use crate::prices::PriceBook;
use crate::secret::Secret;

pub use errors::{ConfigError, ConfigErrors, Problem};
pub(crate) use expand::{Unexpanded, expand};
pub use group::{Chosen, Grouped, Hedge, Limits, Prefer};
pub(crate) use resolve::{Entry, Key, resolve};

/// Whose dialect a model is asked in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Provider {
    /// The Messages API.
    Anthropic,
    /// Chat Completions, of OpenAI or of anything compatible with it.
    OpenAi,
    /// Ollama's own API.
    Ollama,
    /// Google's Generative Language API.
    Gemini,
    /// No network and no key: answers made from the prompt's own structure.
    Offline,
}

impl Provider {
    /// The name in the file, in audit entries and in answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Provider::Anthropic => "anthropic",
            Provider::OpenAi => "openai",
            Provider::Ollama => "ollama",
            Provider::Gemini => "gemini",
            Provider::Offline => "offline",
        }
    }
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// `models.yaml`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelsFile {
    /// The entries, in the file's order.
    #[serde(deserialize_with = "named_entries")]
    pub models: Vec<(String, ModelEntry)>,
    /// Other names for entries, uses, or lists of them.
    #[serde(default)]
    pub aliases: BTreeMap<String, Grouped>,
    /// Who serves a use, where that is more than `use_for` can say.
    #[serde(default)]
    pub uses: BTreeMap<String, Grouped>,
    /// Prices that go before the shipped ones: those of `prices.yaml`.
    #[serde(skip)]
    pub prices: PriceBook,
}

impl ModelsFile {
    /// The file of this text.
    ///
    /// # Errors
    /// One [`Problem::Syntax`], with line and column where they are known.
    pub fn from_yaml(text: &str) -> Result<Self, ConfigErrors> {
        serde_yaml::from_str(text).map_err(|error| ConfigErrors::one("models.yaml", Problem::Syntax(error.to_string())))
    }
}

/// One entry of `models.yaml`. `${NAME}` in `model`, `base_url`, `api_key`, `api_key_file`
/// and header values stands for an environment variable.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelEntry {
    /// Whose dialect it is asked in.
    pub provider: Provider,
    /// The model's name at the provider; needless for `offline`.
    pub model: Option<String>,
    /// What it is used for.
    #[serde(default)]
    pub use_for: Vec<String>,
    /// Where the provider is, where it is not at its usual address.
    pub base_url: Option<String>,
    /// The key; an empty one says that none is to be sent. Absent: from
    /// `ANTHROPIC_API_KEY`, `OPENAI_API_KEY` or `GEMINI_API_KEY`, also where `base_url` is set.
    pub api_key: Option<Secret>,
    /// Several keys, used in turn; one that is refused or limited is left alone for a while.
    #[serde(default)]
    pub api_keys: Vec<Secret>,
    /// The header that carries the key, where that is not the usual one: Azure's `api-key`.
    pub api_key_header: Option<String>,
    /// A file that holds the key, as an absolute path.
    pub api_key_file: Option<String>,
    /// What it is sent stays on machines of the operator. Absent: true of loopback
    /// addresses (Ollama's `-cloud` models apart) and of `offline`.
    pub local: Option<bool>,
    /// How long it is waited for.
    #[serde(default)]
    pub timeouts: TimeoutKeys,
    /// How often a call is tried, at most; 3 where nothing is said.
    pub max_attempts: Option<u32>,
    /// The most tokens to make where the call does not say.
    pub max_tokens: Option<u32>,
    /// What it costs, whatever `prices.yaml` and the shipped table say.
    pub price: Option<PriceList>,
    /// Headers that every request carries.
    #[serde(default)]
    pub headers: BTreeMap<String, Secret>,
    /// Parameters of every request's address, such as Azure's `api-version`.
    #[serde(default)]
    pub query: BTreeMap<String, String>,
    /// How often it is first among the candidates of a name, compared with theirs; 1 where
    /// nothing is said, 0 for last.
    pub weight: Option<u32>,
    /// When it serves; always where nothing is said.
    #[serde(default)]
    pub windows: Vec<Window>,
    /// What it bears.
    #[serde(default)]
    pub limits: Limits,
    /// How many tokens it can read and make together. Absent: as the shipped table says.
    pub context_tokens: Option<u64>,
    /// Entries that are tried after it.
    #[serde(default)]
    pub fallbacks: Vec<String>,
    /// When the next candidate is asked as well; never where nothing is said.
    pub hedge: Option<Hedge>,
}

/// How long a model is waited for, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TimeoutKeys {
    /// For the connection; 5,000 where nothing is said.
    pub connect_ms: Option<u64>,
    /// For the first sign of an answer in a stream; 120,000 where nothing is said.
    pub first_token_ms: Option<u64>,
    /// Between two pieces of an answer; 60,000 where nothing is said.
    pub idle_ms: Option<u64>,
    /// For everything, retries included. Absent: the call's own deadline alone counts.
    pub total_ms: Option<u64>,
}

fn named_entries<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<(String, ModelEntry)>, D::Error> {
    struct Entries;

    impl<'de> Visitor<'de> for Entries {
        type Value = Vec<(String, ModelEntry)>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("entries by name, such as `general: {provider: anthropic, model: …}`")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut entries: Self::Value = Vec::new();
            while let Some(name) = map.next_key::<String>()? {
                if entries.iter().any(|(known, _)| *known == name) {
                    return Err(A::Error::custom(format_args!("the entry `{name}` is there twice")));
                }
                entries.push((name, map.next_value()?));
            }
            Ok(entries)
        }
    }

    deserializer.deserialize_map(Entries)
}

#[cfg(test)]
mod tests;
