//! Everything that is put on record, shown to whoever counts or exports it. Sits on the one
//! place that sees each call's beginning and end exactly once: the audit journal's port.

use std::sync::Arc;
use std::time::SystemTime;

use crate::audit::{Body, Intent, Outcome};
use crate::errors::Fault;
use crate::ports::{AuditLog, Begun, OutcomeSlot, Recorded};

/// A call that has ended. Bodies are not in it.
#[derive(Clone, Copy, Debug)]
pub struct Observation<'a> {
    /// What was known when it began.
    pub intent: &'a Intent,
    /// When it began.
    pub began: SystemTime,
    /// How it ended.
    pub outcome: &'a Outcome,
}

/// Sees every call that ends. Must not wait: it runs on the call's own path.
pub trait Observer: Send + Sync {
    /// A call has ended.
    fn ended(&self, seen: Observation<'_>);
}

/// An audit journal whose entries are shown to observers too.
pub struct Observed {
    audit: Arc<dyn AuditLog>,
    observers: Arc<[Arc<dyn Observer>]>,
}

impl Observed {
    /// The journal, seen by these.
    pub fn new(audit: Arc<dyn AuditLog>, observers: impl Into<Arc<[Arc<dyn Observer>]>>) -> Self {
        Observed {
            audit,
            observers: observers.into(),
        }
    }
}

impl AuditLog for Observed {
    fn begin(&self, intent: Intent) -> Result<Begun, Fault> {
        if self.observers.is_empty() {
            return self.audit.begin(intent);
        }
        let known = Intent {
            request: Body::default(),
            ..intent.clone()
        };
        let Begun { recorded, slot } = self.audit.begin(intent)?;
        let slot = Box::new(Seen {
            slot,
            intent: known,
            began: SystemTime::now(),
            observers: self.observers.clone(),
        });
        Ok(Begun { recorded, slot })
    }
}

struct Seen {
    slot: Box<dyn OutcomeSlot>,
    intent: Intent,
    began: SystemTime,
    observers: Arc<[Arc<dyn Observer>]>,
}

impl OutcomeSlot for Seen {
    fn finish(self: Box<Self>, outcome: Outcome) -> Recorded {
        let seen = Observation {
            intent: &self.intent,
            began: self.began,
            outcome: &outcome,
        };
        for observer in self.observers.iter() {
            observer.ended(seen);
        }
        self.slot.finish(outcome)
    }
}
