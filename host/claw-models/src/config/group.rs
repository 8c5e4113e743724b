//! Names that stand for several entries: aliases, and uses with their own order.

use serde::{Deserialize, Serialize};

/// In which order the candidates of a name are tried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Prefer {
    /// As they are listed.
    Order,
    /// Drawn by their weights, where some have one; else as they are listed.
    #[default]
    Weight,
    /// The cheapest first, for the tokens of the call.
    Price,
    /// The one first that lately began its answers soonest.
    Latency,
}

/// The candidates of a name: one, a list, or a list with a preference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Grouped {
    /// Another name for one.
    One(String),
    /// Several, in this order.
    Many(Vec<String>),
    /// Several, with a preference.
    Chosen(Chosen),
}

/// Several candidates with a preference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Chosen {
    /// Entries, uses or aliases.
    pub candidates: Vec<String>,
    /// Who is tried first.
    #[serde(default)]
    pub prefer: Prefer,
}

impl Grouped {
    /// The members.
    pub(crate) fn candidates(&self) -> &[String] {
        match self {
            Grouped::One(name) => std::slice::from_ref(name),
            Grouped::Many(names) => names,
            Grouped::Chosen(chosen) => &chosen.candidates,
        }
    }

    /// The order.
    pub(crate) fn prefer(&self) -> Prefer {
        match self {
            Grouped::One(_) | Grouped::Many(_) => Prefer::default(),
            Grouped::Chosen(chosen) => chosen.prefer,
        }
    }
}

/// What an entry bears.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Requests a minute.
    pub rpm: Option<u64>,
    /// Tokens a minute, read and made.
    pub tpm: Option<u64>,
    /// Calls at once.
    pub concurrency: Option<u32>,
}

/// When the next candidate is asked as well, because an answer is slow to begin. Exactly one of
/// the two times is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hedge {
    /// After so many milliseconds.
    pub after_ms: Option<u64>,
    /// After the time within which so many per cent of the entry's own answers began; once it
    /// has seen a few.
    pub after_percentile: Option<u64>,
    /// Of the entry's calls, no more per cent than this; 10 where nothing is said.
    #[serde(default = "tenth")]
    pub max_percent: u64,
}

fn tenth() -> u64 {
    10
}
