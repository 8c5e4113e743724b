//! The accounts of all budgets. Pure: it is told what time it is, and decides one call at a time.
//!
//! At every moment `spent + reserved` of an account stays within its limit, but for what calls
//! cost beyond their ceilings: after any number of calls, however many at once, no more than
//! the limit and the sum of those differences is spent. Where no call costs more than its
//! ceiling, nothing is spent beyond the limit. Calls without a known price are in no sum.

use std::collections::HashMap;
use std::sync::Arc;

use serde::Serialize;

use super::{Budget, Charge, OnUnknown, Payer, Spending, Sum, Window, refusal, usd};
use crate::calendar::rfc3339;
use crate::errors::Fault;
use crate::routing::Plan;

/// Ids of calls may be so much out of order, in microseconds; beyond that, a clock was set back,
/// and the latest time that was seen counts.
const DISORDER_US: i64 = 60_000_000;

/// A call that is about to be sent.
#[derive(Clone, Debug)]
pub struct Ask {
    /// Who pays.
    pub payer: Payer,
    /// The budget of its key, where that has one of its own.
    pub key_budget: Option<Budget>,
    /// When the call began, in microseconds since 1970.
    pub at_us: i64,
    /// The most that it can cost.
    pub ceiling: Ceiling,
}

/// What is known of what a call can cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ceiling {
    /// The most that it can cost, in billionths of a US dollar, where a price is known.
    pub nanousd: Option<u64>,
    /// Somebody may serve it of whom no price is known.
    pub unknown: bool,
}

impl Ceiling {
    /// That of a plan.
    pub fn of(plan: &Plan) -> Self {
        Ceiling {
            nanousd: plan.ceiling_nanousd(),
            unknown: plan.price_unknown(),
        }
    }
}

/// Money that was set aside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reserved {
    /// What to settle it by.
    pub id: u64,
    /// What there is to say about budgets that the call counts for.
    pub notes: Vec<Note>,
}

/// Something that whoever watches a budget wants to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// The budget.
    pub budget: String,
    /// What is the matter, in words.
    pub text: String,
    /// Nobody was told in this window yet.
    pub first: bool,
}

/// How a budget stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BudgetStatus {
    /// The budget.
    #[serde(flatten)]
    pub budget: Budget,
    /// The most that may be spent, in billionths of a US dollar.
    pub limit_nanousd: u64,
    /// What was spent in this window.
    pub spent_nanousd: u64,
    /// What is set aside for calls under way.
    pub reserved_nanousd: u64,
    /// Calls of this window whose price is not known.
    pub cost_unknown_calls: u64,
    /// When the window began.
    pub began_at: Option<String>,
    /// When it begins anew.
    pub resets_at: Option<String>,
}

/// One budget and its window.
#[derive(Clone, Debug)]
pub(super) struct Account {
    pub(super) budget: Arc<Budget>,
    pub(super) window: Window,
    pub(super) spent: Sum,
    pub(super) reserved: u64,
    warned_soft: bool,
    warned_unknown: bool,
}

#[derive(Clone, Debug)]
struct Open {
    payer: Payer,
    at_us: i64,
    nanousd: u64,
}

/// All accounts.
#[derive(Debug, Default)]
pub struct Book {
    accounts: Vec<Account>,
    of_keys: HashMap<String, Account>,
    spending: Spending,
    open: HashMap<u64, Open>,
    last_id: u64,
    latest_us: i64,
}

impl Book {
    /// A book over what was spent before.
    pub fn new(budgets: Vec<Budget>, spending: Spending, now_us: i64) -> Self {
        let mut book = Book {
            spending,
            latest_us: now_us,
            ..Book::default()
        };
        book.replace(budgets, now_us);
        book
    }

    /// Puts other budgets in force. What was spent and set aside counts for them too.
    pub fn replace(&mut self, budgets: Vec<Budget>, now_us: i64) {
        self.latest_us = self.latest_us.max(now_us);
        let accounts = budgets.into_iter().map(|budget| {
            let mut account = self.account(budget);
            let before = self.accounts.iter().find(|before| before.is_still(&account));
            if let Some(before) = before {
                (account.warned_soft, account.warned_unknown) = (before.warned_soft, before.warned_unknown);
            }
            account
        });
        self.accounts = accounts.collect();
    }

    fn account(&self, budget: Budget) -> Account {
        let window = Window::of(budget.limit.per, self.latest_us);
        let open = self.open.values();
        let counts = |open: &&Open| window.holds(open.at_us) && budget.payers.hold(&open.payer);
        Account {
            spent: self.spending.of(&budget.payers, budget.limit.per, &window),
            reserved: open.filter(counts).fold(0, |sum, open| sum.saturating_add(open.nanousd)),
            window,
            budget: Arc::new(budget),
            warned_soft: false,
            warned_unknown: false,
        }
    }

    /// Sets aside what a call can cost at most, in every budget that it counts for, or in none.
    ///
    /// # Errors
    /// [`crate::errors::Code::BudgetExceeded`] of the first budget that does not reach.
    pub fn reserve(&mut self, ask: Ask) -> Result<Reserved, Fault> {
        let at_us = if ask.at_us.saturating_add(DISORDER_US) < self.latest_us {
            self.latest_us
        } else {
            ask.at_us
        };
        self.latest_us = self.latest_us.max(at_us);
        self.open_key_account(&ask);
        let (now_us, ceiling) = (self.latest_us, ask.ceiling);
        for account in self.counting(&ask.payer) {
            account.roll(now_us);
            account.check(ceiling, now_us)?;
        }
        let nanousd = ceiling.nanousd.unwrap_or(0);
        let mut notes = Vec::new();
        for account in self.counting(&ask.payer) {
            if account.window.holds(at_us) {
                account.reserved = account.reserved.saturating_add(nanousd);
            }
            account.note(ceiling.unknown, &mut notes);
        }
        self.last_id += 1;
        let payer = ask.payer;
        self.open.insert(self.last_id, Open { payer, at_us, nanousd });
        Ok(Reserved { id: self.last_id, notes })
    }

    /// The call is over and cost this much; `None` where no price is known.
    pub fn settle(&mut self, id: u64, cost_nanousd: Option<u64>) {
        let Some(open) = self.open.remove(&id) else { return };
        for account in self.counting(&open.payer) {
            if account.window.holds(open.at_us) {
                account.reserved = account.reserved.saturating_sub(open.nanousd);
                account.spent.add(cost_nanousd);
            }
        }
        self.spending.add(&Charge {
            payer: open.payer,
            at_us: open.at_us,
            cost_nanousd,
        });
    }

    /// Nobody will say what the call cost: all that was set aside for it is spent.
    pub fn keep(&mut self, id: u64) {
        let nanousd = self.open.get(&id).map(|open| open.nanousd);
        self.settle(id, nanousd);
    }

    /// How all budgets stand.
    pub fn status(&mut self, now_us: i64) -> Vec<BudgetStatus> {
        let now_us = self.latest_us.max(now_us);
        self.latest_us = now_us;
        let mut of_keys: Vec<_> = self.of_keys.values_mut().collect();
        of_keys.sort_by(|a, b| a.budget.name.cmp(&b.budget.name));
        let all = self.accounts.iter_mut().chain(of_keys);
        all.map(|account| {
            account.roll(now_us);
            account.status()
        })
        .collect()
    }

    fn open_key_account(&mut self, ask: &Ask) {
        let Some(key) = &ask.payer.key else { return };
        let before = self.of_keys.get(key).map(|account| &*account.budget);
        if before == ask.key_budget.as_ref() {
            return;
        }
        match ask.key_budget.clone() {
            Some(budget) => drop(self.of_keys.insert(key.clone(), self.account(budget))),
            None => drop(self.of_keys.remove(key)),
        }
    }

    /// The accounts for which a call of this payer counts.
    fn counting<'a>(&'a mut self, payer: &'a Payer) -> impl Iterator<Item = &'a mut Account> {
        let of_key = payer.key.as_ref().and_then(|key| self.of_keys.get_mut(key));
        let all = self.accounts.iter_mut();
        all.filter(|account| account.budget.payers.hold(payer)).chain(of_key)
    }
}

impl Account {
    /// The same budget in the same window.
    fn is_still(&self, other: &Account) -> bool {
        self.budget == other.budget && self.window == other.window
    }

    /// Begins anew where its window is over.
    fn roll(&mut self, now_us: i64) {
        let window = Window::of(self.budget.limit.per, now_us);
        if window.begins_us > self.window.begins_us {
            *self = Account {
                budget: self.budget.clone(),
                window,
                spent: Sum::default(),
                reserved: 0,
                warned_soft: false,
                warned_unknown: false,
            };
        }
    }

    fn check(&self, ceiling: Ceiling, now_us: i64) -> Result<(), Fault> {
        if ceiling.unknown && self.budget.on_unknown_price == OnUnknown::Deny {
            return Err(refusal::unknown(self, now_us));
        }
        let limit = self.budget.limit.limit_nanousd;
        let gone = self.gone();
        let fits = match ceiling.nanousd {
            // What costs nothing may go on.
            Some(0) if !ceiling.unknown => true,
            // What may cost anything may not, where nothing is left.
            Some(most) => gone.saturating_add(most) <= limit && (gone < limit || !ceiling.unknown),
            None => gone < limit,
        };
        if fits {
            Ok(())
        } else {
            Err(refusal::used_up(self, ceiling.nanousd, now_us))
        }
    }

    fn gone(&self) -> u64 {
        self.spent.nanousd.saturating_add(self.reserved)
    }

    fn note(&mut self, unknown: bool, notes: &mut Vec<Note>) {
        let name = &self.budget.name;
        let mut note = |text: String, warned: &mut bool| {
            notes.push(Note {
                budget: name.clone(),
                text,
                first: !std::mem::replace(warned, true),
            });
        };
        if unknown {
            let text = "a call was made whose price is not known, and counts for nothing".to_owned();
            note(text, &mut self.warned_unknown);
        }
        let gone = self.spent.nanousd.saturating_add(self.reserved);
        if self.budget.soft_nanousd.is_some_and(|soft| gone >= soft) {
            let text = format!("{} of {} are spent or set aside", usd(gone), self.budget.limit);
            note(text, &mut self.warned_soft);
        }
    }

    fn status(&self) -> BudgetStatus {
        let ends = self.window.ends_us;
        BudgetStatus {
            budget: (*self.budget).clone(),
            limit_nanousd: self.budget.limit.limit_nanousd,
            spent_nanousd: self.spent.nanousd,
            reserved_nanousd: self.reserved,
            cost_unknown_calls: self.spent.unknown_calls,
            began_at: ends.map(|_| rfc3339(self.window.begins_us)),
            resets_at: ends.map(rfc3339),
        }
    }
}

#[cfg(test)]
mod tests;
