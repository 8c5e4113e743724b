//! The thread for what may come late: the anchor, now and then, and the mirror. Nothing waits
//! for it, and no call fails with it.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::Shared;
use super::anchor::Anchor;
use super::mirror::Mirror;
use super::row::Head;
use crate::error::StoreError;
use crate::key::HomeKey;

/// Rows are mirrored in rounds, at most so often.
const ROUND: Duration = Duration::from_millis(100);
/// The anchor is written at most so often.
const ANCHOR_EVERY: Duration = Duration::from_secs(1);
/// How long the last round may take; the next start goes on from there.
const LAST_ROUND: Duration = Duration::from_secs(2);

/// The writer's end of it.
pub(super) struct Keeper {
    wake: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Keeper {
    /// Says that there are new rows. Never waits: a full queue of one says it already.
    pub(super) fn wake(&self) {
        let _ = self.wake.as_ref().map(|wake| wake.try_send(()));
    }

    /// A last round, then the end.
    pub(super) fn stop(&mut self) {
        self.wake = None;
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the thread that mirrors the audit journal panicked");
        }
    }
}

pub(super) fn start(shared: &Arc<Shared>, key: &HomeKey, mirror: Option<PathBuf>) -> Result<Keeper, StoreError> {
    let (wake, woken) = sync_channel(1);
    let path = shared.path.clone();
    let mirror = mirror.map(|log| Mirror::open(&path, log, key)).transpose()?;
    let anchored = shared.synced();
    let rounds = Rounds {
        shared: shared.clone(),
        anchor: Anchor::of(&path, key),
        anchored,
        at: Instant::now(),
        mirror,
    };
    let thread = std::thread::Builder::new().name("audit-keeper".to_owned());
    let thread = thread.spawn(move || rounds.run(&woken)).map_err(StoreError::io(&path))?;
    Ok(Keeper {
        wake: Some(wake),
        thread: Some(thread),
    })
}

struct Rounds {
    shared: Arc<Shared>,
    anchor: Anchor,
    anchored: Head,
    /// When the anchor was last written.
    at: Instant,
    mirror: Option<Mirror>,
}

impl Rounds {
    fn run(mut self, woken: &Receiver<()>) {
        // The first round is for what an earlier run left unmirrored.
        let mut running = true;
        while running {
            if let Some(mirror) = &mut self.mirror {
                mirror.catch_up(self.shared.committed().seq, None);
            }
            if self.at.elapsed() >= ANCHOR_EVERY {
                self.write_anchor();
            }
            running = pause(woken, ROUND) && self.wait(woken);
        }
        if let Some(mirror) = &mut self.mirror {
            mirror.catch_up(self.shared.committed().seq, Some(Instant::now() + LAST_ROUND));
            mirror.save_place();
        }
        if self.shared.gate.failure().is_none() {
            self.write_anchor();
        }
    }

    /// Until there are new rows, or an anchor to be written. False: it is time to end.
    fn wait(&self, woken: &Receiver<()>) -> bool {
        let behind = self
            .mirror
            .as_ref()
            .is_some_and(|mirror| mirror.place() < self.shared.committed().seq);
        if behind {
            return true;
        }
        let waited = match self.anchored == self.shared.committed() {
            true => woken.recv().map_err(|_| RecvTimeoutError::Disconnected),
            false => woken.recv_timeout(ANCHOR_EVERY.saturating_sub(self.at.elapsed())),
        };
        waited != Err(RecvTimeoutError::Disconnected)
    }

    /// Only what the disk has is anchored: a power cut must not look like a cut journal.
    fn write_anchor(&mut self) {
        let head = self.shared.synced();
        if let Some(mirror) = &mut self.mirror {
            mirror.save_place();
        }
        self.at = Instant::now();
        if head == self.anchored {
            return;
        }
        match self.anchor.write(head) {
            Ok(()) => self.anchored = head,
            Err(error) => tracing::warn!(%error, "the audit journal's anchor cannot be written"),
        }
    }
}

/// Lets rows gather for a while. False: it is time to end.
fn pause(woken: &Receiver<()>, time: Duration) -> bool {
    let until = Instant::now() + time;
    loop {
        match woken.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(()) => {}
            Err(RecvTimeoutError::Timeout) => return true,
            Err(RecvTimeoutError::Disconnected) => return false,
        }
    }
}
