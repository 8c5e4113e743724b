#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may stop at the first surprise"
)]

mod faults;
mod mirror;
mod start;

use std::os::unix::fs::PermissionsExt as _;

use claw_core::audit::OpenEntry;

use super::*;
use crate::reader::{BodyView, Content, EntryStatus, Reader};
use crate::testing::{Home, answer, body, call, intent, until};

#[tokio::test]
async fn a_call_is_two_rows_of_one_entry() {
    let home = Home::new();
    let journal = home.open();
    let mut outcome = answer("done");
    outcome.node = Some("desk".to_owned());
    let id = call(
        &journal,
        Intent {
            level: Level::Power,
            ..intent("ci")
        },
        outcome,
    )
    .await;
    assert_eq!(journal.rows(), 2);
    let entry = home.reader().show(id).unwrap().unwrap().entry;
    assert_eq!((entry.seq, entry.closed_seq, entry.outcome), (1, Some(2), EntryStatus::Ok));
    assert_eq!(
        (entry.caller.as_str(), entry.capability.as_str()),
        ("ci", "skill:log-triage@1.0.0")
    );
    assert_eq!(
        (entry.node.as_deref(), entry.request_bytes, entry.response_bytes),
        (Some("desk"), 14, Some(4))
    );
    assert_eq!(
        (entry.policy.applied, entry.policy.config.as_str()),
        (vec!["keep".to_owned()], "0123456789abcdef")
    );
    journal.close().unwrap();
}

#[tokio::test]
async fn equal_bodies_have_equal_hashes_in_one_home_only() {
    let (home, other) = (
        Home::new(),
        Home {
            key: HomeKey::from_bytes([8; 32]),
            ..Home::new()
        },
    );
    let mut hashes = Vec::new();
    for home in [&home, &home, &other] {
        let journal = home.open();
        let id = call(&journal, intent("ci"), answer("done")).await;
        let entry = home.reader().show(id).unwrap().unwrap().entry;
        hashes.push((entry.request_hash, entry.response_hash.unwrap()));
        journal.close().unwrap();
    }
    assert_eq!(hashes[0], hashes[1]);
    assert!(hashes[0].0 != hashes[2].0 && hashes[0].1 != hashes[2].1 && hashes[0].0 != hashes[0].1);
}

#[tokio::test]
async fn whoever_hangs_up_leaves_an_abandoned_entry() {
    let home = Home::new();
    let journal = home.open();
    let (dropped, bare) = (intent("ci"), intent("ci"));
    let ids = [dropped.id, bare.id];
    drop(OpenEntry::open(&journal, dropped).unwrap());
    drop(journal.begin(bare).unwrap());
    journal.close().unwrap();
    for id in ids {
        assert_eq!(home.reader().show(id).unwrap().unwrap().entry.outcome, EntryStatus::Abandoned);
    }
}

#[test]
fn an_outcome_needs_no_event_loop() {
    let home = Home::new();
    let journal = home.open();
    let intent = intent("ci");
    let id = intent.id;
    let slot = journal.begin(intent).unwrap().slot;
    std::thread::spawn(move || drop(slot.finish(answer("done")))).join().unwrap();
    journal.close().unwrap();
    assert_eq!(home.reader().show(id).unwrap().unwrap().entry.outcome, EntryStatus::Ok);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_callers_make_one_chain() {
    let home = Home::new();
    let journal = home.open();
    let tasks: Vec<_> = (0..32)
        .map(|caller| {
            let journal = journal.clone();
            tokio::spawn(async move {
                for turn in 0..40 {
                    let level = if turn % 8 == 0 { Level::Power } else { Level::Process };
                    call(
                        &journal,
                        Intent {
                            level,
                            ..intent(&format!("caller-{caller}"))
                        },
                        answer("done"),
                    )
                    .await;
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    journal.close().unwrap();
    let verified = home.reader().verify().unwrap();
    assert_eq!(
        (verified.ok, verified.entries, verified.open, verified.rows),
        (true, 32 * 40, 0, 2 * 32 * 40)
    );
    assert_eq!(verified.head.seq, 2 * 32 * 40);
}

#[tokio::test]
async fn a_full_journal_refuses_calls_and_never_outcomes() {
    let home = Home::new();
    let options = JournalOptions {
        capacity: 5,
        ..JournalOptions::default()
    };
    let (journal, _) = Journal::open_with(&home.path(), &home.key, options).unwrap();
    let held: Vec<_> = (0..2).map(|_| OpenEntry::open(&journal, intent("ci")).unwrap()).collect();
    let refused = |journal: &Journal| journal.begin(intent("ci")).map(|_| ()).unwrap_err();
    // Two places are held for outcomes, and two intents may still be queued.
    let mut more = Vec::new();
    let fault = loop {
        match OpenEntry::open(&journal, intent("ci")) {
            Ok(entry) => more.push(entry),
            Err(fault) => break fault,
        }
    };
    assert!(more.len() < 3, "{}", more.len());
    assert_eq!((fault.code, fault.retry_after_ms.is_some()), (Code::Overloaded, true));
    for entry in held.into_iter().chain(more) {
        entry.close(answer("done")).await.unwrap();
    }
    call(&journal, intent("ci"), answer("room again")).await;
    journal.close().unwrap();
    assert_eq!(home.reader().verify().unwrap().open, 0);

    let options = JournalOptions {
        capacity_bytes: 0,
        ..JournalOptions::default()
    };
    let stalled = faults::Stall::default();
    let (journal, _) = Journal::open_on(&home.path(), &home.key, options, |_, wal| stalled.before(wal)).unwrap();
    let power = Intent {
        level: Level::Power,
        ..intent("ci")
    };
    let begun = journal.begin(power).unwrap();
    assert_eq!(
        refused(&journal).code,
        Code::Overloaded,
        "its bytes are queued until the disk has them"
    );
    stalled.end();
    begun.recorded.await.unwrap();
    begun.slot.finish(answer("done")).await.unwrap();
    journal.close().unwrap();
}

#[tokio::test]
async fn after_the_end_nothing_is_recorded() {
    let home = Home::new();
    let journal = home.open();
    let (late, id) = (intent("ci"), intent("ci").id);
    let late = Intent { id, ..late };
    let begun = journal.begin(late).unwrap();
    begun.recorded.await.unwrap();
    journal.clone().close().unwrap();
    assert_eq!(
        begun.slot.finish(answer("done")).await.unwrap_err().code,
        Code::AuditUnavailable
    );
    let fault = journal.begin(intent("ci")).map(|_| ()).unwrap_err();
    assert_eq!(
        (fault.code, fault.message.as_str()),
        (Code::AuditUnavailable, "the audit journal is closed: the gateway is stopping")
    );
    assert_eq!(journal.erase_bodies(i64::MAX).await.unwrap_err().code, Code::AuditUnavailable);
    drop(journal);
    let (journal, recovered) = Journal::open(&home.path(), &home.key).unwrap();
    assert_eq!(
        recovered,
        Recovered {
            rows: 1,
            interrupted: vec![id],
            truncated: None
        }
    );
    journal.close().unwrap();
}

#[tokio::test]
async fn kept_bodies_are_unreadable_on_the_disk_and_can_be_erased() {
    let home = Home::new();
    let journal = home.open();
    let asked = Intent {
        request: body(r#"{"who":"zanzibar"}"#, true),
        ..intent("ci")
    };
    let binary = Body {
        bytes: vec![0, 159, 146, 150].into(),
        keep: true,
    };
    let id = call(
        &journal,
        asked.clone(),
        Outcome {
            response: body("zanzibar it is", true),
            ..answer("")
        },
    )
    .await;
    let again = Intent {
        id: InvocationId::generate(),
        ..asked
    };
    let other = call(
        &journal,
        again,
        Outcome {
            response: binary,
            ..answer("")
        },
    )
    .await;

    let tree = home.reader().show(id).unwrap().unwrap();
    assert_eq!(
        tree.request,
        BodyView::Kept(Content::Json(serde_json::json!({"who": "zanzibar"})))
    );
    assert_eq!(tree.response, BodyView::Kept(Content::Text("zanzibar it is".to_owned())));
    assert!(tree.entry.kept);
    let shown = home.reader().show(other).unwrap().unwrap();
    assert_eq!(shown.response, BodyView::Kept(Content::Base64("AJ+Slg==".to_owned())));
    let strange = Reader::open(&home.path(), &HomeKey::from_bytes([9; 32])).unwrap();
    assert_eq!(strange.show(id).unwrap().unwrap().request, BodyView::Unreadable);
    for file in std::fs::read_dir(home.folder.path()).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        assert!(!bytes.windows(8).any(|window| window == b"zanzibar"));
    }

    assert_eq!(journal.erase_bodies(0).await.unwrap(), 0);
    assert_eq!(
        journal.erase_bodies(i64::MAX).await.unwrap(),
        3,
        "the equal requests are one body"
    );
    let tree = home.reader().show(id).unwrap().unwrap();
    assert_eq!((tree.request, tree.response), (BodyView::Erased, BodyView::Erased));
    call(&journal, intent("ci"), answer("goes on")).await;
    journal.close().unwrap();
    assert!(home.reader().verify().unwrap().ok);
}

#[tokio::test]
async fn more_bodies_than_one_round_are_erased() {
    let home = Home::new();
    let journal = home.open();
    for turn in 0..300 {
        call(
            &journal,
            Intent {
                request: body(&format!("request {turn}"), true),
                ..intent("ci")
            },
            answer(""),
        )
        .await;
    }
    assert_eq!(journal.erase_bodies(i64::MAX).await.unwrap(), 300);
    journal.close().unwrap();
}

#[tokio::test]
async fn a_body_beyond_the_limit_is_only_hashed() {
    let home = Home::new();
    let journal = home.open();
    let huge = Body {
        bytes: vec![b'x'; MAX_KEPT_BYTES + 1].into(),
        keep: true,
    };
    let id = call(
        &journal,
        intent("ci"),
        Outcome {
            response: huge,
            ..answer("")
        },
    )
    .await;
    let tree = home.reader().show(id).unwrap().unwrap();
    assert_eq!(
        (tree.response, tree.entry.response_bytes),
        (BodyView::Hashed, Some(MAX_KEPT_BYTES as u64 + 1))
    );
    journal.close().unwrap();
}

#[tokio::test]
async fn all_of_its_files_are_private() {
    let home = Home::new();
    let options = JournalOptions {
        mirror: Some(home.file("audit.log")),
        ..JournalOptions::default()
    };
    let (journal, _) = Journal::open_with(&home.path(), &home.key, options).unwrap();
    call(&journal, intent("ci"), answer("done")).await;
    until("there is a mirror", || home.file("audit.log").exists());
    let mut names = Vec::new();
    for file in std::fs::read_dir(home.folder.path()).unwrap() {
        let file = file.unwrap();
        let name = file.file_name().into_string().unwrap();
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o077, 0, "{name}");
        names.push(name);
    }
    for name in [
        "journal.db",
        "journal.db-wal",
        "journal.db-shm",
        "journal.db.head",
        "journal.db.lock",
        "audit.log",
    ] {
        assert!(names.iter().any(|found| found == name), "{name} of {names:?}");
    }
    journal.close().unwrap();
}
