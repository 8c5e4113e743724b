//! Money that is set aside for one call, settled exactly once, also when the caller hangs up:
//! then what the meter holds so far is charged.

use std::sync::Arc;

use crate::budget::Note;
use crate::meter::Meter;
use crate::policy::Decision;
use crate::ports::Reservation;

/// A reservation and the meter that says what became of it.
pub(super) struct Held {
    reservation: Option<Box<dyn Reservation>>,
    meter: Arc<Meter>,
}

impl Held {
    pub(super) fn new(reservation: Box<dyn Reservation>, meter: Arc<Meter>) -> Self {
        Held {
            reservation: Some(reservation),
            meter,
        }
    }

    /// The decision, with the budgets that have something to say about the call.
    pub(super) fn noted(&self, decision: &Decision) -> Decision {
        let mut decision = decision.clone();
        let names = self.notes().iter().map(|note| format!("budget:{}", note.budget).into());
        decision.reported.extend(names);
        decision
    }

    /// What budgets have to say about the call.
    pub(super) fn notes(&self) -> &[Note] {
        self.reservation.as_ref().map_or(&[], |reservation| reservation.notes())
    }

    /// The call is over.
    pub(super) fn settle(self) {}
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(reservation) = self.reservation.take() {
            let used = self.meter.note(|known| known.charged());
            reservation.settle(used.map_or(Some(0), |usage| usage.cost_nanousd));
        }
    }
}
