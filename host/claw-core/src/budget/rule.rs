//! One budget: whom it is about, how much, and what happens where a price is unknown.

use serde::{Deserialize, Serialize};

use super::{Limit, Payer};
use crate::keys::{KeyScope, matches};

/// Whose calls count. Each that is named must fit; where nothing is named, all calls do. All
/// who fit share the one budget.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payers {
    /// A pattern of caller names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// A pattern of key ids.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// A pattern of skills.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skill: Option<String>,
    /// A pattern of model uses.
    #[serde(rename = "use", skip_serializing_if = "Option::is_none")]
    pub model_use: Option<String>,
}

impl Payers {
    /// This payer's calls count.
    pub fn hold(&self, payer: &Payer) -> bool {
        let fits = |pattern: &Option<String>, name: Option<&str>| match pattern {
            None => true,
            Some(pattern) => name.is_some_and(|name| matches(pattern, name)),
        };
        fits(&self.service, Some(&payer.service))
            && fits(&self.key, payer.key.as_deref())
            && fits(&self.skill, payer.skill.as_deref())
            && fits(&self.model_use, Some(&payer.model_use))
    }
}

/// What becomes of a call of which nobody knows what it will cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnUnknown {
    /// It is made, uncounted and with a warning, while the budget is not used up.
    #[default]
    Allow,
    /// It is refused.
    Deny,
}

/// A budget.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Budget {
    /// Its name, as refusals and warnings say it.
    pub name: String,
    /// Whose calls count.
    #[serde(flatten)]
    pub payers: Payers,
    /// How much, and for how long.
    pub limit: Limit,
    /// From this much on it warns, in billionths of a US dollar.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub soft_nanousd: Option<u64>,
    /// What becomes of a call of which nobody knows what it will cost.
    pub on_unknown_price: OnUnknown,
}

impl Budget {
    /// The budget that a key was made with, if it was made with one.
    pub fn of_key(key: &KeyScope) -> Option<Self> {
        let literal = Payers {
            key: Some(key.id.clone()),
            ..Payers::default()
        };
        key.budget.map(|limit| Budget {
            name: key.id.clone(),
            payers: literal,
            limit,
            soft_nanousd: None,
            on_unknown_price: OnUnknown::Allow,
        })
    }
}
