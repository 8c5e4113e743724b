//! What the tests of this crate share: homes, calls, and a connection to tamper with.
#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bytes::Bytes;
use claw_core::audit::{Body, Intent, Level, OpenEntry, Outcome, Status};
use claw_core::ids::InvocationId;
use claw_core::policy::Decision;
use rusqlite::Connection;
use tempfile::TempDir;

use crate::{HomeKey, Journal, Reader};

pub(crate) struct Home {
    pub(crate) folder: TempDir,
    pub(crate) key: HomeKey,
}

impl Home {
    pub(crate) fn new() -> Self {
        Home {
            folder: tempfile::tempdir().unwrap(),
            key: HomeKey::from_bytes([7; 32]),
        }
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.file("journal.db")
    }

    pub(crate) fn open(&self) -> Journal {
        Journal::open(&self.path(), &self.key).unwrap().0
    }

    pub(crate) fn reader(&self) -> Reader {
        Reader::open(&self.path(), &self.key).unwrap()
    }

    /// A journal of so many calls by `tester`, closed.
    pub(crate) async fn with_calls(calls: usize) -> Self {
        let home = Home::new();
        let journal = home.open();
        for _ in 0..calls {
            call(&journal, intent("tester"), answer("done")).await;
        }
        journal.close().unwrap();
        home
    }

    /// Changes rows behind the journal's back.
    pub(crate) fn tamper(&self, sql: &str) {
        tamper(&self.path(), sql);
    }
}

pub(crate) fn tamper(path: &Path, sql: &str) {
    Connection::open(path).unwrap().execute_batch(sql).unwrap();
}

pub(crate) fn intent(caller: &str) -> Intent {
    Intent {
        key: None,
        api: None,
        context: Vec::new(),
        reserved_nanousd: None,
        id: InvocationId::generate(),
        parent: None,
        trace_id: "4bf92f3577b34da6a3ce929d0e0e4736".to_owned(),
        span: None,
        caller: caller.to_owned(),
        skill: None,
        capability: "skill:log-triage".to_owned(),
        version: Some("1.0.0".to_owned()),
        component_sha256: None,
        model_use: None,
        model: None,
        provider: None,
        policy: Decision {
            config: "0123456789abcdef".into(),
            applied: vec!["keep".into()],
            denied_by: None,
            ..Decision::default()
        },
        level: Level::Process,
        request: body("what happened?", false),
    }
}

pub(crate) fn body(text: &str, keep: bool) -> Body {
    Body {
        bytes: Bytes::from(text.to_owned()),
        keep,
    }
}

pub(crate) fn answer(text: &str) -> Outcome {
    Outcome {
        response: body(text, false),
        ..Outcome::of(Status::Ok)
    }
}

pub(crate) async fn call(journal: &Journal, intent: Intent, outcome: Outcome) -> InvocationId {
    let id = intent.id;
    OpenEntry::open(journal, intent).unwrap().close(outcome).await.unwrap();
    id
}

/// Waits for what another thread is to bring about.
pub(crate) fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !holds() {
        assert!(Instant::now() < deadline, "still waiting: {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}
