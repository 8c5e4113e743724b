//! Disks that fail, fill up or stall: nothing is acknowledged that is not recorded.
#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use std::io;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use claw_core::audit::OpenEntry;
use futures::FutureExt as _;

use super::super::*;
use crate::reader::EntryStatus;
use crate::testing::{Home, answer, body, call, intent, until};

/// Syncs so often, and then never again.
struct Failing {
    left: usize,
    inner: Box<dyn SyncFile>,
}

impl SyncFile for Failing {
    fn sync(&mut self) -> io::Result<()> {
        match self.left.checked_sub(1) {
            None => Err(io::Error::other("the disk is on fire")),
            Some(left) => {
                self.left = left;
                self.inner.sync()
            }
        }
    }
}

/// A disk that takes as long as the test wants.
#[derive(Clone, Default)]
pub(super) struct Stall(Arc<(Mutex<bool>, Condvar)>);

impl Stall {
    pub(super) fn before(&self, inner: Box<dyn SyncFile>) -> Box<dyn SyncFile> {
        Box::new(Stalled {
            stall: self.clone(),
            inner,
        })
    }

    pub(super) fn end(&self) {
        *self.0.0.lock().unwrap() = true;
        self.0.1.notify_all();
    }
}

struct Stalled {
    stall: Stall,
    inner: Box<dyn SyncFile>,
}

impl SyncFile for Stalled {
    fn sync(&mut self) -> io::Result<()> {
        let (ended, changed) = &*self.stall.0;
        let ended = ended.lock().unwrap_or_else(PoisonError::into_inner);
        // A test that fails meanwhile waits for the journal's end, and is not to wait for ever.
        let waited = changed.wait_timeout_while(ended, Duration::from_secs(10), |ended| !*ended);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
        self.inner.sync()
    }
}

fn power() -> Intent {
    Intent {
        level: Level::Power,
        ..intent("ci")
    }
}

#[tokio::test]
async fn a_failed_sync_ends_the_journal() {
    let home = Home::new();
    let failing = |_: &rusqlite::Connection, inner| Box::new(Failing { left: 0, inner }) as Box<dyn SyncFile>;
    let (journal, _) = Journal::open_on(&home.path(), &home.key, JournalOptions::default(), failing).unwrap();
    let begun = journal.begin(power()).unwrap();
    let fault = begun.recorded.await.unwrap_err();
    assert_eq!((fault.code, fault.hint.is_some()), (Code::AuditUnavailable, true));
    assert!(!fault.message.contains("fire"), "the cause is the operator's: {fault}");
    assert_eq!(
        begun.slot.finish(answer("done")).await.unwrap_err().code,
        Code::AuditUnavailable
    );
    assert_eq!(
        journal.begin(intent("ci")).map(|_| ()).unwrap_err().code,
        Code::AuditUnavailable
    );
    assert!(journal.failure().unwrap().contains("the disk is on fire"));
    let closed = journal.close().unwrap_err().to_string();
    assert!(
        closed.contains("the journal has stopped: a sync of its log failed"),
        "{closed}"
    );

    // What was not acknowledged is unknown; here it is there, and was closed.
    let (journal, recovered) = Journal::open(&home.path(), &home.key).unwrap();
    assert!(recovered.truncated.is_none());
    journal.close().unwrap();
    let verified = home.reader().verify().unwrap();
    assert_eq!((verified.ok, verified.open), (true, 0));
}

#[tokio::test]
async fn a_sync_that_fails_behind_process_rows_ends_the_journal_too() {
    let home = Home::new();
    let failing = |_: &rusqlite::Connection, inner| Box::new(Failing { left: 1, inner }) as Box<dyn SyncFile>;
    let (journal, _) = Journal::open_on(&home.path(), &home.key, JournalOptions::default(), failing).unwrap();
    let mut acknowledged = Vec::new();
    loop {
        let intent = intent("ci");
        let id = intent.id;
        let Ok(entry) = OpenEntry::open(&journal, intent) else { break };
        if entry.close(answer("done")).await.is_err() {
            break;
        }
        assert!(journal.failure().is_none() || acknowledged.len() < 1_000_000);
        acknowledged.push(id);
    }
    assert!(journal.failure().is_some());
    for _ in 0..100 {
        assert!(journal.begin(intent("ci")).is_err(), "once ended, it stays ended");
    }
    drop(journal);
    let (journal, _) = Journal::open(&home.path(), &home.key).unwrap();
    let reader = home.reader();
    for id in acknowledged {
        assert_eq!(reader.show(id).unwrap().unwrap().entry.outcome, EntryStatus::Ok);
    }
    journal.close().unwrap();
}

#[tokio::test]
async fn process_rows_do_not_wait_for_the_disk_and_power_rows_do() {
    let home = Home::new();
    let stall = Stall::default();
    let options = JournalOptions::default();
    let (journal, _) = Journal::open_on(&home.path(), &home.key, options, |_, wal| stall.before(wal)).unwrap();
    let mut first = journal.begin(power()).unwrap();
    // Rows are committed in their order, so the first one is in the kernel by now.
    for _ in 0..10 {
        call(&journal, intent("ci"), answer("done")).await;
    }
    assert!(
        (&mut first.recorded).now_or_never().is_none(),
        "acknowledged without the disk"
    );
    assert_eq!(journal.running.shared.synced().seq, 0);
    stall.end();
    first.recorded.await.unwrap();
    assert!(journal.running.shared.synced().seq >= 1);
    first.slot.finish(answer("done")).await.unwrap();
    journal.close().unwrap();
}

#[tokio::test]
async fn process_rows_reach_the_disk_unasked() {
    let home = Home::new();
    let journal = home.open();
    for _ in 0..3 {
        call(&journal, intent("ci"), answer("done")).await;
        until("the disk has what was committed", || {
            journal.running.shared.synced().seq == journal.rows()
        });
    }
    let syncs = journal.running.shared.syncs.load(std::sync::atomic::Ordering::Relaxed);
    assert!((3..=6).contains(&syncs), "{syncs} syncs for three lone calls");
    journal.close().unwrap();
}

#[tokio::test]
async fn a_full_disk_ends_the_journal_and_loses_nothing() {
    let home = Home::new();
    let small = |connection: &rusqlite::Connection, wal| {
        let limit: i64 = connection
            .query_row("PRAGMA max_page_count=60", [], |row| row.get(0))
            .unwrap();
        assert_eq!(limit, 60);
        wal
    };
    let (journal, _) = Journal::open_on(&home.path(), &home.key, JournalOptions::default(), small).unwrap();
    let mut acknowledged = Vec::new();
    let fault = loop {
        let intent = Intent {
            request: body(&"x".repeat(300), true),
            ..intent("ci")
        };
        let id = intent.id;
        let entry = match OpenEntry::open(&journal, intent) {
            Ok(entry) => entry,
            Err(fault) => break fault,
        };
        match entry.close(answer("done")).await {
            Ok(()) => acknowledged.push(id),
            Err(fault) => break fault,
        }
    };
    assert_eq!(fault.code, Code::AuditUnavailable);
    assert!(journal.failure().unwrap().contains("full"), "{:?}", journal.failure());
    assert!(acknowledged.len() > 10);
    assert!(journal.close().is_err());

    let (journal, _) = Journal::open(&home.path(), &home.key).unwrap();
    let reader = home.reader();
    for id in &acknowledged {
        assert_eq!(reader.show(*id).unwrap().unwrap().entry.outcome, EntryStatus::Ok);
    }
    let verified = reader.verify().unwrap();
    assert_eq!((verified.ok, verified.open), (true, 0));
    journal.close().unwrap();
}

#[tokio::test]
async fn a_log_that_grows_is_moved_into_the_database() {
    let home = Home::new();
    let journal = home.open();
    let large = "y".repeat(64 << 10);
    for turn in 0..800 {
        call(&journal, intent(&format!("{turn}{large}")), answer("done")).await;
    }
    let log = std::fs::metadata(schema::wal_path(&home.path())).unwrap().len();
    let all = std::fs::metadata(home.path()).unwrap().len();
    assert!(log < 40 << 20 && all > 30 << 20, "a log of {log} bytes beside {all}");
    journal.close().unwrap();
    assert!(home.reader().verify().unwrap().ok);
}
