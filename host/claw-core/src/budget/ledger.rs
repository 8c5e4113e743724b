//! The book behind a lock, as the port that calls are paid through. Never holds the lock for
//! longer than one decision.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Ask, Book, Budget, BudgetStatus, Ceiling, Note, Payer, Spending};
use crate::errors::Fault;
use crate::keys::KeyScope;
use crate::ports::{Budgets, Reservation, Spender};

/// How much of a use's name is kept, in characters: as much as audit rows hold.
const USE_LENGTH: usize = 128;

type Admit = Box<dyn Fn(&KeyScope) -> Result<(), Fault> + Send + Sync>;
type Tell = Box<dyn Fn(&Note) + Send + Sync>;

/// Budgets of services, keys, skills and uses.
pub struct Ledger {
    book: Arc<Mutex<Book>>,
    admit: Admit,
    tell: Tell,
}

impl Ledger {
    /// A ledger over what was spent before, in which every request is admitted and nobody is
    /// told of warnings.
    pub fn new(budgets: Vec<Budget>, spending: Spending, now_us: i64) -> Self {
        Ledger {
            book: Arc::new(Mutex::new(Book::new(budgets, spending, now_us))),
            admit: Box::new(|_| Ok(())),
            tell: Box::new(|_| {}),
        }
    }

    /// Has requests of keys counted by this before they are decided about.
    #[must_use]
    pub fn admitting(mut self, admit: impl Fn(&KeyScope) -> Result<(), Fault> + Send + Sync + 'static) -> Self {
        self.admit = Box::new(admit);
        self
    }

    /// Has each warning told to this, once in a budget's window.
    #[must_use]
    pub fn telling(mut self, tell: impl Fn(&Note) + Send + Sync + 'static) -> Self {
        self.tell = Box::new(tell);
        self
    }

    /// Puts other budgets in force for all calls from now on.
    pub fn replace(&self, budgets: Vec<Budget>, now_us: i64) {
        locked(&self.book).replace(budgets, now_us);
    }

    /// How all budgets stand.
    pub fn status(&self, now_us: i64) -> Vec<BudgetStatus> {
        locked(&self.book).status(now_us)
    }
}

fn locked(book: &Mutex<Book>) -> MutexGuard<'_, Book> {
    book.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Budgets for Ledger {
    fn admit(&self, key: &KeyScope) -> Result<(), Fault> {
        (self.admit)(key)
    }

    fn reserve(&self, spender: &Spender<'_>, ceiling: Ceiling) -> Result<Box<dyn Reservation>, Fault> {
        let ask = Ask {
            payer: Payer {
                service: spender.caller.to_owned(),
                key: spender.key.map(|key| key.id.clone()),
                skill: spender.skill.map(str::to_owned),
                model_use: spender.use_name.chars().take(USE_LENGTH).collect(),
            },
            key_budget: spender.key.and_then(Budget::of_key),
            at_us: spender.id.unix_us(),
            ceiling,
        };
        let reserved = locked(&self.book).reserve(ask)?;
        for note in reserved.notes.iter().filter(|note| note.first) {
            (self.tell)(note);
        }
        Ok(Box::new(Held {
            book: self.book.clone(),
            id: Some(reserved.id),
            notes: reserved.notes,
        }))
    }
}

struct Held {
    book: Arc<Mutex<Book>>,
    id: Option<u64>,
    notes: Vec<Note>,
}

impl Reservation for Held {
    fn notes(&self) -> &[Note] {
        &self.notes
    }

    fn settle(mut self: Box<Self>, cost_nanousd: Option<u64>) {
        if let Some(id) = self.id.take() {
            locked(&self.book).settle(id, cost_nanousd);
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(id) = self.id.take() {
            locked(&self.book).keep(id);
        }
    }
}

#[cfg(test)]
mod tests;
