//! `budgets.yaml` as people write it. Refuses two budgets of one name, a limit without a period,
//! a warning that would come after the limit, and patterns that fit nothing.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::limit::amount_nanousd;
use super::{BadLimit, Budget, Limit, OnUnknown, Payers, Period};

/// The most budgets of a file: each call looks at all of them.
const MOST: usize = 256;

/// `budgets.yaml`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BudgetsFile {
    /// The budgets.
    #[serde(default)]
    pub budgets: Vec<BudgetEntry>,
}

/// One budget.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BudgetEntry {
    /// Its name, as refusals and warnings say it.
    pub name: String,
    /// Only calls of these services: a pattern where `*` stands for any text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// Only calls with these keys, by their ids.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Only calls that these skills make.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skill: Option<String>,
    /// Only calls that name these model uses.
    #[serde(default, rename = "use", skip_serializing_if = "Option::is_none")]
    pub model_use: Option<String>,
    /// How much: `50usd`, or with its period `50usd/month`. Calls that would go beyond are refused.
    pub limit: String,
    /// For how long: `day`, `month` or `total`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per: Option<Period>,
    /// From how much on it warns: `80%` of the limit, or an amount.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub soft: Option<String>,
    /// Whether calls are made of which nobody knows what they will cost.
    #[serde(default)]
    pub on_unknown_price: OnUnknown,
}

/// What can be wrong with a budget.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// A name that cannot be one.
    #[error("a name is 1 to 64 of a-z, 0-9, `-`, `_` and `.`, and does not begin with `key_`")]
    BadName,
    /// Two budgets of one name.
    #[error("another budget has this name")]
    Duplicate,
    /// A limit that cannot be one.
    #[error("{0}")]
    BadLimit(BadLimit),
    /// The period stands in both places.
    #[error("the limit says for how long already")]
    TwoPeriods,
    /// A warning that cannot be one.
    #[error("write `80%`, or an amount up to the limit such as `40usd`")]
    BadSoft,
    /// A pattern that fits nothing, or cannot be meant.
    #[error("a pattern has 1 to 128 characters, none of them blank or a control character")]
    BadPattern,
    /// More than a call can look at.
    #[error("there are more than {MOST} budgets")]
    TooMany,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{path}`: {problem}")]
pub struct BudgetError {
    /// The key, such as `budgets.team.limit`.
    pub path: String,
    /// What is wrong with it.
    pub problem: Problem,
}

/// Everything that is wrong, in the file's order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BudgetErrors(pub Vec<BudgetError>);

impl fmt::Display for BudgetErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&lines.join("\n"))
    }
}

impl std::error::Error for BudgetErrors {}

impl BudgetsFile {
    /// The budgets, checked.
    ///
    /// # Errors
    /// Everything that is wrong with the file.
    pub fn budgets(&self) -> Result<Vec<Budget>, BudgetErrors> {
        let mut errors = Vec::new();
        let mut budgets: Vec<Budget> = Vec::new();
        if self.budgets.len() > MOST {
            errors.push(BudgetError {
                path: "budgets".to_owned(),
                problem: Problem::TooMany,
            });
        }
        for (place, entry) in self.budgets.iter().enumerate().take(MOST) {
            let named = is_name(&entry.name);
            let path = if named { entry.name.clone() } else { format!("[{place}]") };
            let mut wrong = |key: &str, problem| {
                let path = format!("budgets.{path}.{key}");
                errors.push(BudgetError { path, problem });
            };
            if !named {
                wrong("name", Problem::BadName);
            } else if self.budgets.iter().take(place).any(|before| before.name == entry.name) {
                wrong("name", Problem::Duplicate);
            }
            budgets.extend(entry.budget(&mut wrong));
        }
        if errors.is_empty() {
            Ok(budgets)
        } else {
            Err(BudgetErrors(errors))
        }
    }
}

impl BudgetEntry {
    fn budget(&self, wrong: &mut dyn FnMut(&str, Problem)) -> Option<Budget> {
        for (key, pattern) in [
            ("service", &self.service),
            ("key", &self.key),
            ("skill", &self.skill),
            ("use", &self.model_use),
        ] {
            if pattern.as_deref().is_some_and(|pattern| !is_pattern(pattern)) {
                wrong(key, Problem::BadPattern);
            }
        }
        let limit = match self.limit() {
            Ok(limit) => limit,
            Err(problem) => {
                wrong("limit", problem);
                return None;
            }
        };
        let soft_nanousd = match self.soft.as_deref().map(|soft| soft_nanousd(soft, limit.limit_nanousd)) {
            Some(None) => {
                wrong("soft", Problem::BadSoft);
                None
            }
            Some(soft) => soft,
            None => None,
        };
        Some(Budget {
            name: self.name.clone(),
            payers: Payers {
                service: self.service.clone(),
                key: self.key.clone(),
                skill: self.skill.clone(),
                model_use: self.model_use.clone(),
            },
            limit,
            soft_nanousd,
            on_unknown_price: self.on_unknown_price,
        })
    }

    fn limit(&self) -> Result<Limit, Problem> {
        match self.per {
            Some(_) if self.limit.contains('/') => return Err(Problem::TwoPeriods),
            Some(per) => amount_nanousd(&self.limit).map(|limit_nanousd| Limit { limit_nanousd, per }),
            None => self.limit.parse(),
        }
        .map_err(Problem::BadLimit)
    }
}

fn soft_nanousd(text: &str, limit: u64) -> Option<u64> {
    let Some(percent) = text.strip_suffix('%') else {
        return amount_nanousd(text).ok().filter(|soft| *soft <= limit);
    };
    let digits = !percent.is_empty() && percent.bytes().all(|byte| byte.is_ascii_digit());
    let percent: u64 = percent.parse().ok().filter(|percent| digits && *percent <= 100)?;
    u64::try_from(u128::from(limit) * u128::from(percent) / 100).ok()
}

fn is_name(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_' | b'.');
    (1..=64).contains(&name.len()) && name.bytes().all(allowed) && !name.starts_with("key_")
}

fn is_pattern(text: &str) -> bool {
    (1..=128).contains(&text.chars().count()) && !text.chars().any(|c| c.is_control() || c.is_whitespace())
}
