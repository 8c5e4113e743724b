//! Whether anything may still be acknowledged, and how much may be queued. Both are asked on
//! the path of every call and hold no lock there but for a moment.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use claw_core::errors::{Code, Fault};
use tokio::sync::oneshot;

use super::writer::Kept;

/// Open until the journal stops. Acknowledging and failing exclude one another, so that
/// nothing is acknowledged after a failure.
#[derive(Default)]
pub(super) struct Gate {
    shut: AtomicBool,
    failure: Mutex<Option<String>>,
}

impl Gate {
    /// Acknowledges, unless something has failed.
    pub(super) fn acknowledge(&self, waiters: &mut Vec<Waiter>) {
        let failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        for waiter in waiters.drain(..) {
            if failure.is_none() {
                // The caller may have gone; the row is there all the same.
                let _ = waiter.ack.send(());
            }
        }
    }

    /// Ends the journal for this reason; the first one stays.
    pub(super) fn fail(&self, why: impl Into<String>) {
        let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        if failure.is_none() {
            let why = why.into();
            tracing::error!(%why, "the audit journal has stopped: nothing more is recorded");
            *failure = Some(why);
        }
        self.shut();
    }

    /// Refuses new calls from now on.
    pub(super) fn shut(&self) {
        self.shut.store(true, Ordering::SeqCst);
    }

    pub(super) fn is_shut(&self) -> bool {
        self.shut.load(Ordering::SeqCst)
    }

    pub(super) fn failure(&self) -> Option<String> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What a caller is told. The cause went to the log.
    pub(super) fn fault(&self) -> Fault {
        match self.failure() {
            Some(_) => Fault::new(
                Code::AuditUnavailable,
                "the audit journal cannot be written, so nothing is done",
            )
            .hint("the gateway's log names the cause; look at the disk of its home and start it again"),
            None => Fault::new(Code::AuditUnavailable, "the audit journal is closed: the gateway is stopping"),
        }
    }
}

/// Who waits for a row, and the room that the row takes until then.
pub(super) struct Waiter {
    pub(super) ack: oneshot::Sender<()>,
    pub(super) _place: Place,
}

/// The bounds of the queue.
pub(super) struct Room {
    rows: AtomicUsize,
    bytes: AtomicUsize,
    max_rows: usize,
    max_bytes: usize,
}

impl Room {
    pub(super) fn new(max_rows: usize, max_bytes: usize) -> Self {
        Room {
            rows: AtomicUsize::new(0),
            bytes: AtomicUsize::new(0),
            max_rows,
            max_bytes,
        }
    }

    /// The places of an intent and of its outcome, or neither.
    pub(super) fn take_two(self: &Arc<Self>) -> Option<(Place, Place)> {
        if self.bytes.load(Ordering::Relaxed) > self.max_bytes {
            return None;
        }
        let taken = self.rows.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |rows| {
            let more = rows.checked_add(2)?;
            (more <= self.max_rows).then_some(more)
        });
        taken.ok()?;
        let place = || Place {
            room: self.clone(),
            bytes: 0,
        };
        Some((place(), place()))
    }
}

/// Room for one row, given back when it is dropped.
pub(super) struct Place {
    room: Arc<Room>,
    bytes: usize,
}

impl Place {
    /// Counts the bytes of the row while it is queued.
    pub(super) fn weigh(&mut self, body: &str, kept: &[Kept]) {
        let bytes = body.len() + kept.iter().map(|kept| kept.sealed.len()).sum::<usize>();
        self.bytes += bytes;
        self.room.bytes.fetch_add(bytes, Ordering::Relaxed);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.room.rows.fetch_sub(1, Ordering::Relaxed);
        self.room.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}
