//! The thread that waits for the disk, so that no `process` row has to. It syncs SQLite's log
//! through a descriptor of its own: the log carries no locks that closing it could drop. A
//! sync that failed once is never tried again, for the kernel may have forgotten the pages.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::Shared;
use super::gate::Waiter;
use crate::error::StoreError;

/// How long a committed row may wait for company before it is synced: the promise is 50 ms,
/// and the disk needs some of it.
const LAG: Duration = Duration::from_millis(25);

/// Something that can be made durable.
pub(super) trait SyncFile: Send {
    fn sync(&mut self) -> io::Result<()>;
}

impl SyncFile for std::fs::File {
    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }
}

enum Work {
    /// Something was committed; sync it soon.
    Dirty,
    /// These wait for it now.
    Power(Vec<Waiter>),
}

/// The writer's end of it.
pub(super) struct Syncer {
    work: Option<Sender<Work>>,
    thread: Option<JoinHandle<()>>,
}

impl Syncer {
    /// Takes note of a commit. The waiters are acknowledged when the disk has it.
    pub(super) fn committed(&self, shared: &Shared, power: Vec<Waiter>) {
        let was_dirty = shared.dirty.swap(true, Ordering::AcqRel);
        let work = match (power.is_empty(), was_dirty) {
            (false, _) => Work::Power(power),
            (true, false) => Work::Dirty,
            (true, true) => return,
        };
        if self.work.as_ref().is_none_or(|queue| queue.send(work).is_err()) {
            // It has failed and said why, or has panicked: nothing would reach the disk any more.
            shared.gate.fail("its syncer has ended");
        }
    }

    /// A last sync, then the end.
    pub(super) fn stop(&mut self, shared: &Shared) {
        self.work = None;
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            shared.gate.fail("its syncer panicked");
        }
    }
}

pub(super) fn start(shared: &Arc<Shared>, file: Box<dyn SyncFile>) -> Result<Syncer, StoreError> {
    let (queue, work) = channel();
    let path = shared.path.clone();
    let shared = shared.clone();
    let thread = std::thread::Builder::new().name("audit-syncer".to_owned());
    let thread = thread
        .spawn(move || run(&shared, file, &work))
        .map_err(StoreError::io(&path))?;
    Ok(Syncer {
        work: Some(queue),
        thread: Some(thread),
    })
}

fn run(shared: &Shared, mut file: Box<dyn SyncFile>, work: &Receiver<Work>) {
    let mut waiters = Vec::new();
    let mut due: Option<Instant> = None;
    let mut last = false;
    while !last {
        let message = match due {
            None => work.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(due) => work.recv_timeout(due.saturating_duration_since(Instant::now())),
        };
        match message {
            Ok(Work::Dirty) => {
                due.get_or_insert_with(|| Instant::now() + LAG);
                continue;
            }
            Ok(Work::Power(some)) => waiters.extend(some),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => last = true,
        }
        // What is queued by now was committed before the sync below begins.
        for more in work.try_iter() {
            match more {
                Work::Power(some) => waiters.extend(some),
                Work::Dirty => {}
            }
        }
        shared.dirty.store(false, Ordering::Release);
        let head = shared.committed();
        if let Err(error) = file.sync() {
            shared.gate.fail(format!("a sync of its log failed: {error}"));
            return;
        }
        Shared::set(&shared.synced, head);
        shared.syncs.fetch_add(1, Ordering::Relaxed);
        shared.gate.acknowledge(&mut waiters);
        due = None;
    }
}
