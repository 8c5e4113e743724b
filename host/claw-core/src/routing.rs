//! Who would serve a model call: the candidates in their order, and those passed over, each
//! with the reason. A plan is a value that can be shown as well as followed.

mod breaker;
mod bucket;
mod dispatch;
mod keys;
mod latency;
mod window;

use serde::Serialize;

use crate::model::ModelRoute;
use crate::wire::Api;

pub use breaker::{Breaker, BreakerSettings, Pass};
pub use bucket::PerMinute;
pub use dispatch::{AfterLoss, Dispatch, Passed, Reach, Standing, after_loss, dispatch};
pub use keys::KeyPool;
pub use latency::{HedgeBudget, Latency, Recent, RetryBudget};
pub use window::{BadTime, Day, Hours, Offset, Window};

/// What a call needs of whoever serves it.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// A use, an alias, an entry of `models.yaml`, or a model.
    pub name: &'a str,
    /// What kind of call it is.
    pub kind: Kind,
    /// About how many tokens go in, by the rule of thumb of four bytes each.
    pub input_tokens: u64,
    /// The most tokens that are to come out, where the caller says.
    pub output_tokens: Option<u64>,
    /// How many answers are wanted, each of so many tokens.
    pub answers: u64,
    /// The answer is to fit a schema; one that does not may be asked for once more.
    pub fits_schema: bool,
}

/// What kind of call it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A completion in our own words: a skill's, or `llm.inference`.
    Completion,
    /// Texts to vectors, in our own words.
    Embedding,
    /// A caller's SDK.
    Wire(Api),
}

/// Who would serve a call.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Plan {
    /// What the caller named.
    pub name: String,
    /// About how many tokens go in.
    #[serde(skip)]
    pub input_tokens: u64,
    /// Who is tried, in this order.
    pub candidates: Vec<Candidate>,
    /// Who is not, and why.
    pub passed_over: Vec<PassedOver>,
}

/// One who may serve a call.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Candidate {
    /// Where it leads.
    #[serde(flatten)]
    pub route: ModelRoute,
    /// Why it stands where it stands.
    pub why: String,
    /// The most that the call can cost there, in billionths of a US dollar; absent where no
    /// price is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ceiling_nanousd: Option<u64>,
    /// Where it is slow to begin, the next one is asked beside it.
    #[serde(skip)]
    pub hedged: bool,
}

/// One who is not tried.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PassedOver {
    /// Where it would lead.
    #[serde(flatten)]
    pub route: ModelRoute,
    /// Why not.
    pub why: String,
}

impl Plan {
    /// Keeps the candidates that fit; the others are passed over, for the reason that they
    /// give.
    pub fn hold_to<E: std::fmt::Display>(&mut self, fits: impl Fn(&ModelRoute) -> Result<(), E>) {
        for candidate in std::mem::take(&mut self.candidates) {
            match fits(&candidate.route) {
                Ok(()) => self.candidates.push(candidate),
                Err(why) => self.passed_over.push(PassedOver {
                    route: candidate.route,
                    why: why.to_string(),
                }),
            }
        }
    }

    /// The most that the call can cost, whoever serves it; where it is hedged, two may. Of those
    /// without a price nothing is known; `None` where nobody has one.
    pub fn ceiling_nanousd(&self) -> Option<u64> {
        let ceilings = self.candidates.iter().filter_map(|candidate| candidate.ceiling_nanousd);
        let mut ceilings: Vec<u64> = ceilings.collect();
        ceilings.sort_unstable_by(|a, b| b.cmp(a));
        let hedged = self.candidates.iter().any(|candidate| candidate.hedged);
        ceilings
            .into_iter()
            .take(if hedged { 2 } else { 1 })
            .reduce(u64::saturating_add)
    }

    /// Somebody may serve the call of whom no price is known.
    pub fn price_unknown(&self) -> bool {
        self.candidates.iter().any(|candidate| candidate.ceiling_nanousd.is_none())
    }
}

/// Something that a caller can name as `model`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ModelListing {
    /// The name.
    pub name: String,
    /// What it is.
    pub kind: NameKind,
    /// Where it leads first.
    pub route: ModelRoute,
    /// How many tokens it can read, where known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context_tokens: Option<u64>,
}

/// What a name in a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum NameKind {
    /// An entry of `models.yaml`.
    Entry,
    /// A use that entries serve.
    Use,
    /// Another name for an entry or a list of them.
    Alias,
    /// A provider's own name.
    Model,
}
