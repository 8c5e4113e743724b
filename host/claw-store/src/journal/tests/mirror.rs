//! `audit.log`: every finished call once, whatever happens to the file.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may stop at the first surprise"
)]

use std::collections::BTreeSet;

use super::super::*;
use crate::reader::Entry;
use crate::testing::{Home, answer, call, intent, until};

fn open(home: &Home) -> Journal {
    let options = JournalOptions {
        mirror: Some(home.file("audit.log")),
        ..JournalOptions::default()
    };
    Journal::open_with(&home.path(), &home.key, options).unwrap().0
}

fn lines(home: &Home, name: &str) -> Vec<Entry> {
    let text = std::fs::read_to_string(home.file(name)).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

async fn calls(journal: &Journal, count: usize) -> Vec<InvocationId> {
    let mut ids = Vec::new();
    for _ in 0..count {
        ids.push(call(journal, intent("ci"), answer("done")).await);
    }
    ids
}

fn ids(entries: &[Entry]) -> Vec<InvocationId> {
    entries.iter().map(|entry| entry.id).collect()
}

#[tokio::test]
async fn every_finished_call_is_a_line_over_restarts() {
    let home = Home::new();
    let mut made = Vec::new();
    for _ in 0..3 {
        let journal = open(&home);
        made.extend(calls(&journal, 700).await);
        journal.close().unwrap();
    }
    let entries = lines(&home, "audit.log");
    assert_eq!(ids(&entries), made);
    assert_eq!(entries, home.reader().since(0, usize::MAX).unwrap().entries);
}

#[tokio::test]
async fn a_line_holds_all_fields_by_their_names() {
    let home = Home::new();
    let journal = open(&home);
    calls(&journal, 1).await;
    journal.close().unwrap();
    let line: serde_json::Value = serde_json::from_slice(&std::fs::read(home.file("audit.log")).unwrap()).unwrap();
    let names: BTreeSet<&str> = line.as_object().unwrap().keys().map(String::as_str).collect();
    for name in [
        "id",
        "parent",
        "time",
        "caller",
        "capability",
        "model",
        "provider",
        "node",
        "latency_ms",
        "input_tokens",
        "output_tokens",
        "cached_tokens",
        "cost_nanousd",
        "request_hash",
        "policy",
        "outcome",
        "draft",
        "offline",
    ] {
        assert!(names.contains(name), "{name} of {names:?}");
    }
    assert!(line["cost_nanousd"].is_null());
}

#[tokio::test]
async fn a_log_that_is_moved_or_deleted_is_made_anew() {
    let home = Home::new();
    let journal = open(&home);
    let first = calls(&journal, 3).await;
    until("three lines", || lines(&home, "audit.log").len() == 3);
    std::fs::rename(home.file("audit.log"), home.file("audit.log.1")).unwrap();
    let second = calls(&journal, 2).await;
    until("two lines in a new file", || lines(&home, "audit.log").len() == 2);
    std::fs::remove_file(home.file("audit.log")).unwrap();
    let third = calls(&journal, 1).await;
    journal.close().unwrap();
    assert_eq!(ids(&lines(&home, "audit.log.1")), first);
    assert_eq!(
        ids(&lines(&home, "audit.log")),
        third,
        "the two in the deleted file are gone: {second:?}"
    );
    // Rotated while nothing runs: the place is known all the same.
    std::fs::remove_file(home.file("audit.log")).unwrap();
    let journal = open(&home);
    let fourth = calls(&journal, 1).await;
    journal.close().unwrap();
    assert_eq!(ids(&lines(&home, "audit.log")), fourth);
}

#[tokio::test]
async fn half_a_line_is_cut_off_and_written_again() {
    let home = Home::new();
    let journal = open(&home);
    let made = calls(&journal, 5).await;
    journal.close().unwrap();
    let text = std::fs::read(home.file("audit.log")).unwrap();
    // As after a kill in the middle of a write, before the place was written down.
    for cut in [text.len() - 1, text.len() - 40, 10, 0] {
        std::fs::write(home.file("audit.log"), &text[..cut]).unwrap();
        let _ = std::fs::remove_file(home.file("journal.db.mirror"));
        let journal = open(&home);
        journal.close().unwrap();
        assert_eq!(ids(&lines(&home, "audit.log")), made, "cut at {cut}");
    }
}

#[tokio::test]
async fn text_of_others_stays_in_the_log() {
    let home = Home::new();
    std::fs::write(home.file("audit.log"), "# kept by hand\n").unwrap();
    let journal = open(&home);
    calls(&journal, 1).await;
    journal.close().unwrap();
    let text = std::fs::read_to_string(home.file("audit.log")).unwrap();
    assert!(text.starts_with("# kept by hand\n{"), "{text}");
    let huge = "z".repeat(200_000);
    std::fs::write(home.file("audit.log"), &huge).unwrap();
    let journal = open(&home);
    calls(&journal, 1).await;
    journal.close().unwrap();
    let text = std::fs::read_to_string(home.file("audit.log")).unwrap();
    assert!(text.starts_with(&huge) && text.lines().count() == 2);
}

#[tokio::test]
async fn a_line_of_another_journal_is_no_place() {
    let (home, other) = (Home::new(), Home::new());
    let journal = open(&other);
    calls(&journal, 4).await;
    journal.close().unwrap();
    std::fs::copy(other.file("audit.log"), home.file("audit.log")).unwrap();
    std::fs::write(home.file("journal.db.mirror"), "999999").unwrap();
    let journal = open(&home);
    let made = calls(&journal, 6).await;
    journal.close().unwrap();
    assert_eq!(ids(&lines(&home, "audit.log"))[4..], made);
}

#[tokio::test]
async fn a_log_that_cannot_be_written_fails_no_call() {
    let home = Home::new();
    std::fs::create_dir(home.file("audit.log")).unwrap();
    let journal = open(&home);
    let made = calls(&journal, 3).await;
    std::fs::remove_dir(home.file("audit.log")).unwrap();
    until("the log is caught up", || lines(&home, "audit.log").len() == 3);
    journal.close().unwrap();
    assert_eq!(ids(&lines(&home, "audit.log")), made);
}
