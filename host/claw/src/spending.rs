//! What was spent, from the journal into the ledger and onto the disk, so that no restart
//! forgets it and no start reads a long journal twice.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use claw_core::budget::{Budget, Ledger, Note};
use claw_core::keys::RateTable;
use claw_store::{HomeKey, Reader, StoreError, Tally};

/// What was spent by the calls of one journal.
pub struct Spending {
    journal: PathBuf,
    key: HomeKey,
    tally: Mutex<Tally>,
}

impl Spending {
    /// Reads what the calls of a journal cost. Its writer has closed what was open.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub fn open(journal: &Path, key: &HomeKey) -> Result<Self, StoreError> {
        let tally = tally(journal, key)?;
        let spending = Spending {
            journal: journal.to_owned(),
            key: key.clone(),
            tally: Mutex::new(tally),
        };
        spending.keep();
        Ok(spending)
    }

    /// A ledger that goes on from there, and counts the requests of keys.
    pub fn ledger(&self, budgets: Vec<Budget>) -> Ledger {
        let spent = self.tally.lock().unwrap_or_else(PoisonError::into_inner).spending().clone();
        let rates = RateTable::new();
        Ledger::new(budgets, spent, claw_store::time::now_us())
            .admitting(move |key| rates.admit(key, std::time::Instant::now()))
            .telling(tell)
    }

    /// Writes down what was spent up to now. Where it cannot be, the next start reads more rows.
    pub fn keep(&self) {
        let kept = Reader::open(&self.journal, &self.key).and_then(|reader| {
            let mut tally = self.tally.lock().unwrap_or_else(PoisonError::into_inner);
            tally.advance(&reader)?;
            tally.save()
        });
        if let Err(error) = kept {
            tracing::warn!(%error, "what was spent could not be written down; the next start reads it from the journal");
        }
    }
}

/// What the calls of a journal cost, up to now.
///
/// # Errors
/// The journal cannot be read.
pub fn tally(journal: &Path, key: &HomeKey) -> Result<Tally, StoreError> {
    let reader = Reader::open(journal, key)?;
    Tally::read(&journal.with_extension("spending.json"), &reader)
}

fn tell(note: &Note) {
    tracing::warn!(budget = note.budget, "{}", note.text);
}
