//! When keys were last used, written down now and then by a thread of its own: a request costs
//! a store to memory. What was not written when the power fails is lost.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use arc_swap::ArcSwap;
use rusqlite::{Connection, TransactionBehavior, params};

use super::Snapshot;
use crate::error::StoreError;
use crate::service_keys::table;

/// How long a use waits to be written down, at most.
pub(super) const FLUSH_EVERY: Duration = Duration::from_secs(30);

/// The thread. Dropped, it writes what is left and ends.
pub(super) struct Flusher {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Flusher {
    pub(super) fn start(path: &Path, shared: Arc<ArcSwap<Snapshot>>, every: Duration) -> Result<Self, StoreError> {
        let pen = Pen {
            path: path.to_owned(),
            connection: table::open(path)?,
            shared,
        };
        let (stop, stopped) = channel();
        let thread = std::thread::Builder::new().name("key-uses".to_owned());
        let thread = thread.spawn(move || pen.run(&stopped, every)).map_err(StoreError::io(path))?;
        Ok(Flusher {
            stop: Some(stop),
            thread: Some(thread),
        })
    }
}

impl Drop for Flusher {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has said so.
            let _ = thread.join();
        }
    }
}

struct Pen {
    path: PathBuf,
    connection: Connection,
    shared: Arc<ArcSwap<Snapshot>>,
}

impl Pen {
    fn run(mut self, stopped: &Receiver<()>, every: Duration) {
        loop {
            let ended = !matches!(stopped.recv_timeout(every), Err(RecvTimeoutError::Timeout));
            if let Err(error) = self.write() {
                tracing::warn!(%error, path = %self.path.display(), "when keys were last used cannot be written down");
            }
            if ended {
                return;
            }
        }
    }

    fn write(&mut self) -> rusqlite::Result<()> {
        let snapshot = self.shared.load_full();
        let used: Vec<(&String, &AtomicI64, i64)> = snapshot
            .uses
            .iter()
            .map(|(id, used)| (id, &**used, used.load(Ordering::Relaxed)))
            .filter(|(_, _, at_us)| *at_us != 0)
            .collect();
        if used.is_empty() {
            return Ok(());
        }
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for (id, _, at_us) in &used {
            let sql = "UPDATE service_keys SET last_used_at_us = max(coalesce(last_used_at_us, 0), ?2) WHERE id = ?1";
            transaction.execute(sql, params![id, at_us])?;
        }
        transaction.commit()?;
        for (_, used, at_us) in used {
            // One that was used again meanwhile is written next time.
            let _ = used.compare_exchange(at_us, 0, Ordering::Relaxed, Ordering::Relaxed);
        }
        Ok(())
    }
}
