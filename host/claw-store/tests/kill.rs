//! A writer that is killed at any moment loses no row that it acknowledged, leaves a whole
//! chain, and its mirror holds every call once.
#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

use bytes::Bytes;
use claw_core::audit::{Body, Intent, Level, Outcome, Status};
use claw_core::ids::InvocationId;
use claw_core::policy::Decision;
use claw_core::ports::AuditLog as _;
use claw_store::{Entry, EntryStatus, HomeKey, Journal, JournalOptions, Reader};

const CHILD: &str = "CLAW_STORE_KILL_TEST_HOME";
const KILLS: usize = 20;

#[test]
fn a_killed_writer_loses_nothing_that_it_acknowledged() {
    if let Some(home) = std::env::var_os(CHILD) {
        return append_for_ever(Path::new(&home));
    }
    let home = tempfile::tempdir().unwrap();
    let mut known = BTreeMap::new();
    for kill in 0..KILLS {
        // Some die early, some late, some past a checkpoint.
        let acknowledged = run_and_kill(home.path(), 40 + kill * kill * 15);
        check(home.path(), &acknowledged);
        known.extend(acknowledged);
    }
    check(home.path(), &known);
    let log = std::fs::read_to_string(home.path().join("audit.log")).unwrap();
    let lines: Vec<Entry> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let mirrored: BTreeSet<InvocationId> = lines.iter().map(|entry| entry.id).collect();
    assert_eq!(mirrored.len(), lines.len(), "no call twice");
    let reader = Reader::open(&home.path().join("journal.db"), &key(home.path())).unwrap();
    assert_eq!(
        lines,
        reader.since(0, usize::MAX).unwrap().entries,
        "all calls in their order"
    );
}

/// What was acknowledged of a call.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Heard {
    Begun,
    Ended,
}

fn run_and_kill(home: &Path, after: usize) -> BTreeMap<InvocationId, Heard> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "a_killed_writer_loses_nothing_that_it_acknowledged", "--nocapture"])
        .env(CHILD, home)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut heard = BTreeMap::new();
    let mut lines = 0;
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        let (what, id) = match line.split_once(' ') {
            Some(("begun", id)) => (Heard::Begun, id),
            Some(("ended", id)) => (Heard::Ended, id),
            // What the test harness says of itself.
            Some(_) | None => continue,
        };
        heard.insert(id.parse().unwrap(), what);
        lines += 1;
        if lines == after {
            child.kill().unwrap();
        }
    }
    assert!(
        !child.wait().unwrap().success() && lines >= after,
        "it ended by itself after {lines} acknowledgements"
    );
    heard
}

fn check(home: &Path, known: &BTreeMap<InvocationId, Heard>) {
    let path = home.join("journal.db");
    let (journal, recovered) = Journal::open_with(&path, &key(home), options(home)).unwrap();
    assert_eq!(recovered.truncated, None);
    journal.close().unwrap();
    let reader = Reader::open(&path, &key(home)).unwrap();
    let verified = reader.verify().unwrap();
    assert!(verified.ok && verified.open == 0, "{verified:?}");
    for id in recovered.interrupted {
        assert!(known.get(&id) != Some(&Heard::Ended), "{id} was acknowledged as ended");
    }
    let entries: BTreeMap<_, _> = reader
        .tail(usize::MAX)
        .unwrap()
        .into_iter()
        .map(|entry| (entry.id, entry))
        .collect();
    assert_eq!(entries.len() as u64, verified.entries);
    for (id, heard) in known {
        let outcome = entries.get(id).map(|entry| entry.outcome);
        let expected: &[EntryStatus] = match heard {
            Heard::Ended => &[EntryStatus::Ok],
            Heard::Begun => &[EntryStatus::Ok, EntryStatus::Interrupted],
        };
        assert!(
            outcome.is_some_and(|outcome| expected.contains(&outcome)),
            "{id} is {outcome:?}"
        );
    }
}

fn append_for_ever(home: &Path) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    let (journal, _) = Journal::open_with(&home.join("journal.db"), &key(home), options(home)).unwrap();
    runtime.block_on(async {
        let mut callers = tokio::task::JoinSet::new();
        for caller in 0..16 {
            let journal = journal.clone();
            callers.spawn(async move {
                loop {
                    call(&journal, caller).await;
                }
            });
        }
        let ended = callers.join_next().await;
        unreachable!("a caller ended: {ended:?}");
    });
}

async fn call(journal: &Journal, caller: usize) {
    let level = if caller.is_multiple_of(4) {
        Level::Power
    } else {
        Level::Process
    };
    let intent = intent(caller, level);
    let id = intent.id;
    let begun = journal.begin(intent).unwrap();
    begun.recorded.await.unwrap();
    say("begun", id);
    begun
        .slot
        .finish(Outcome {
            response: body("an answer"),
            ..Outcome::of(Status::Ok)
        })
        .await
        .unwrap();
    say("ended", id);
}

/// One write for a line, so that a kill cannot tear it.
fn say(what: &str, id: InvocationId) {
    let line = format!("{what} {id}\n");
    std::io::stdout().lock().write_all(line.as_bytes()).unwrap();
}

fn body(text: &str) -> Body {
    Body {
        bytes: Bytes::from(text.to_owned()),
        keep: true,
    }
}

fn key(home: &Path) -> HomeKey {
    HomeKey::load_or_create(&home.join("home.key")).unwrap()
}

fn options(home: &Path) -> JournalOptions {
    JournalOptions {
        mirror: Some(home.join("audit.log")),
        ..JournalOptions::default()
    }
}

fn intent(caller: usize, level: Level) -> Intent {
    let id = InvocationId::generate();
    Intent {
        key: None,
        api: None,
        context: Vec::new(),
        reserved_nanousd: None,
        id,
        parent: None,
        trace_id: "4bf92f3577b34da6a3ce929d0e0e4736".to_owned(),
        span: None,
        caller: format!("caller-{caller}"),
        skill: None,
        capability: "skill:log-triage".to_owned(),
        version: Some("1.0.0".to_owned()),
        component_sha256: None,
        model_use: None,
        model: None,
        provider: None,
        policy: Decision::default(),
        level,
        request: body(&format!("request {id}")),
    }
}
