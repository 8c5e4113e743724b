//! What services, skills and uses may spend: money is set aside before a call is sent and
//! settled after it, under one lock, so that calls at once cannot spend it twice. Keeps sums
//! only; the audit journal is what they are made from at the next start.
//!
//! No budget is exceeded by more than the calls in flight cost beyond what was set aside for
//! them: nothing, where the length of an answer is bounded by the request or the entry.

mod limit;
mod window;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::cost::dollars;
use crate::errors::{Code, Fault};
use crate::keys::{KeyScope, RateTable, matches};
use crate::ports::{Budgets, Reservation, Spender};

pub use limit::{BadLimit, Limit, Period};

/// `budgets.yaml`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BudgetsFile {
    /// The budgets. A call counts against each that it fits.
    #[serde(default)]
    pub budgets: Vec<BudgetEntry>,
}

/// One budget. What it does not name fits every call; `*` stands for any text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BudgetEntry {
    /// Its name, as refusals say it.
    pub name: String,
    /// Calls of these services.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// Calls with these keys, by their ids.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Calls that these skills make.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skill: Option<String>,
    /// Calls for these uses.
    #[serde(default, rename = "use", skip_serializing_if = "Option::is_none")]
    pub use_name: Option<String>,
    /// How much, and how often anew: `50usd/month`.
    pub limit: Limit,
    /// From this share of it on, in per cent, calls are warned about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warn_at: Option<u8>,
    /// Calls whose price is not known are refused; otherwise they count as nothing, and are
    /// flagged in every sum.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub deny_unknown_price: bool,
}

impl BudgetsFile {
    /// What is wrong with it, in words, each with its place.
    pub fn mistakes(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        for (place, entry) in self.budgets.iter().enumerate() {
            if entry.name.is_empty() || self.budgets.iter().take(place).any(|before| before.name == entry.name) {
                wrong.push(format!("`budgets[{place}].name`: each budget needs a name of its own"));
            }
            if entry.warn_at.is_some_and(|share| share > 100) {
                wrong.push(format!("`budgets[{place}].warn_at`: must be between 0 and 100"));
            }
        }
        wrong
    }
}

impl BudgetEntry {
    fn fits(&self, who: &Who) -> bool {
        let fit = |pattern: &Option<String>, value: Option<&str>| match pattern {
            None => true,
            Some(pattern) => value.is_some_and(|value| matches(pattern, value)),
        };
        fit(&self.service, Some(&who.caller))
            && fit(&self.key, who.key.as_deref())
            && fit(&self.skill, who.skill.as_deref())
            && fit(&self.use_name, Some(&who.use_name))
    }
}

/// Who spent something.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Who {
    /// The caller.
    pub caller: String,
    /// The id of its key.
    pub key: Option<String>,
    /// The skill that made the call.
    pub skill: Option<String>,
    /// The use that it named.
    pub use_name: String,
}

impl Who {
    fn of(spender: &Spender<'_>) -> Self {
        Who {
            caller: spender.caller.to_owned(),
            key: spender.key.map(str::to_owned),
            skill: spender.skill.map(str::to_owned),
            use_name: spender.use_name.to_owned(),
        }
    }
}

/// How a budget stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Standing {
    /// The budget.
    pub name: String,
    /// Its limit.
    pub limit: Limit,
    /// Spent in the window that runs, in billionths of a US dollar.
    pub spent_nanousd: u64,
    /// Set aside for calls that run.
    pub reserved_nanousd: u64,
    /// When the next window begins, in Unix seconds.
    pub resets_at: i64,
}

/// The ledger. Clones share it.
#[derive(Clone)]
pub struct Ledger {
    inner: Arc<Mutex<Inner>>,
    rates: Arc<RateTable>,
    clock: Arc<dyn Fn() -> i64 + Send + Sync>,
}

#[derive(Default)]
struct Inner {
    budgets: Vec<BudgetEntry>,
    /// Spent, by who and by day since 1970.
    spent: HashMap<Who, BTreeMap<i64, u64>>,
    reserved: HashMap<Who, u64>,
}

impl Ledger {
    /// Nothing was spent yet; `clock` gives Unix seconds.
    pub fn new(clock: Arc<dyn Fn() -> i64 + Send + Sync>) -> Self {
        Ledger {
            inner: Arc::default(),
            rates: Arc::default(),
            clock,
        }
    }

    /// Puts these budgets in force, and the keys' own.
    pub fn replace(&self, file: &BudgetsFile, keys: impl IntoIterator<Item = (String, Limit)>) {
        let own = keys.into_iter().map(|(id, limit)| BudgetEntry {
            name: id.clone(),
            key: Some(id),
            limit,
            service: None,
            skill: None,
            use_name: None,
            warn_at: None,
            deny_unknown_price: false,
        });
        self.lock().budgets = file.budgets.iter().cloned().chain(own).collect();
    }

    /// Adds what was spent before.
    pub fn add(&self, who: Who, unix_seconds: i64, cost_nanousd: u64) {
        self.lock().spend(who, unix_seconds, cost_nanousd);
    }

    /// How every budget stands.
    pub fn standings(&self) -> Vec<Standing> {
        let now = (self.clock)();
        let inner = self.lock();
        inner.budgets.iter().map(|budget| inner.standing(budget, now)).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn spend(&mut self, who: Who, unix_seconds: i64, cost: u64) {
        let days = self.spent.entry(who).or_default();
        let today = days.entry(window::day(unix_seconds)).or_default();
        *today = today.saturating_add(cost);
    }

    fn standing(&self, budget: &BudgetEntry, now: i64) -> Standing {
        let (first, resets_at) = budget.limit.per.window(now);
        let days = self.spent.iter().filter(|(who, _)| budget.fits(who)).map(|(_, days)| days);
        let spent = days.flat_map(|days| days.range(first..)).map(|(_, cost)| *cost);
        let reserved = self
            .reserved
            .iter()
            .filter(|(who, _)| budget.fits(who))
            .map(|(_, cost)| *cost);
        Standing {
            name: budget.name.clone(),
            limit: budget.limit,
            spent_nanousd: spent.fold(0, u64::saturating_add),
            reserved_nanousd: reserved.fold(0, u64::saturating_add),
            resets_at,
        }
    }
}

impl Budgets for Ledger {
    fn admit(&self, key: &KeyScope) -> Result<(), Fault> {
        self.rates.admit(key, Instant::now())
    }

    fn reserve(&self, spender: &Spender<'_>, ceiling_nanousd: Option<u64>) -> Result<Box<dyn Reservation>, Fault> {
        let who = Who::of(spender);
        let now = (self.clock)();
        let mut inner = self.lock();
        let mut bound = false;
        for budget in inner.budgets.iter().filter(|budget| budget.fits(&who)) {
            bound = true;
            let standing = inner.standing(budget, now);
            let Some(ceiling) = ceiling_nanousd else {
                if budget.deny_unknown_price {
                    return Err(unknown(budget));
                }
                // What costs nobody knows how much still needs room for something.
                if standing.spent_nanousd >= budget.limit.limit_nanousd {
                    return Err(used_up(&standing, 0, now));
                }
                continue;
            };
            let taken = standing.spent_nanousd.saturating_add(standing.reserved_nanousd);
            if taken.saturating_add(ceiling) > budget.limit.limit_nanousd {
                return Err(used_up(&standing, ceiling, now));
            }
        }
        let amount = if bound { ceiling_nanousd.unwrap_or(0) } else { 0 };
        if amount > 0 {
            let reserved = inner.reserved.entry(who.clone()).or_default();
            *reserved = reserved.saturating_add(amount);
        }
        drop(inner);
        Ok(Box::new(Held {
            ledger: self.clone(),
            who: Some(who),
            amount,
        }))
    }
}

struct Held {
    ledger: Ledger,
    who: Option<Who>,
    amount: u64,
}

impl Held {
    fn end(&mut self, cost: u64) {
        let Some(who) = self.who.take() else { return };
        let now = (self.ledger.clock)();
        let mut inner = self.ledger.lock();
        if let Some(reserved) = inner.reserved.get_mut(&who) {
            *reserved = reserved.saturating_sub(self.amount);
            if *reserved == 0 {
                inner.reserved.remove(&who);
            }
        }
        if cost > 0 {
            inner.spend(who, now, cost);
        }
    }
}

impl Reservation for Held {
    fn settle(mut self: Box<Self>, cost_nanousd: Option<u64>) {
        self.end(cost_nanousd.unwrap_or(0));
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let amount = self.amount;
        self.end(amount);
    }
}

fn used_up(standing: &Standing, ceiling: u64, now: i64) -> Fault {
    let message = format!(
        "the budget `{}` of {} is used up: {} are spent, {} are set aside for calls that run, and this one could cost {}",
        standing.name,
        standing.limit,
        dollars(standing.spent_nanousd),
        dollars(standing.reserved_nanousd),
        dollars(ceiling),
    );
    let details = json!({
        "budget": standing.name,
        "limit_nanousd": standing.limit.limit_nanousd,
        "spent_nanousd": standing.spent_nanousd,
        "reserved_nanousd": standing.reserved_nanousd,
        "resets_at": standing.resets_at,
    });
    let fault = Fault::new(Code::BudgetExceeded, message).details(details);
    let wait = u64::try_from(standing.resets_at.saturating_sub(now))
        .unwrap_or(0)
        .saturating_mul(1_000)
        .max(1);
    let anew = window::shown(standing.resets_at);
    fault.retry_after_ms(wait).hint(format!(
        "it begins anew at {anew} UTC; `claw usage --budgets` shows all of them"
    ))
}

fn unknown(budget: &BudgetEntry) -> Fault {
    let message = format!("the budget `{}` takes no call whose price is not known", budget.name);
    Fault::new(Code::BudgetExceeded, message).hint("give the entry of models.yaml a `price`")
}

#[cfg(test)]
mod tests;
