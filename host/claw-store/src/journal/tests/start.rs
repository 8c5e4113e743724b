//! What is found at the start, and what is refused.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may stop at the first surprise"
)]

use super::super::*;
use crate::reader::{AnchorState, EntryStatus, Reader};
use crate::testing::{Home, answer, call, intent, tamper, until};

#[tokio::test]
async fn open_calls_are_closed_at_the_next_start_however_old() {
    let home = Home::new();
    let journal = home.open();
    let (old, young) = (intent("old"), intent("young"));
    let ids = [old.id, young.id];
    let old = journal.begin(old).unwrap();
    // Past the point where the open calls are written down.
    for _ in 0..2_200 {
        let begun = journal.begin(intent("ci")).unwrap();
        drop(begun.slot.finish(answer("done")));
    }
    let young = journal.begin(young).unwrap();
    journal.clone().close().unwrap();
    // As after a kill: what was saved at the end is not there.
    tamper(&home.path(), "DELETE FROM meta");
    drop((old, young, journal));
    let (journal, recovered) = Journal::open(&home.path(), &home.key).unwrap();
    assert_eq!(
        recovered,
        Recovered {
            rows: 4_402,
            interrupted: ids.to_vec(),
            truncated: None
        }
    );
    journal.close().unwrap();
    let reader = home.reader();
    for id in ids {
        let entry = reader.show(id).unwrap().unwrap().entry;
        assert_eq!((entry.outcome, entry.latency_ms), (EntryStatus::Interrupted, None));
    }
    let verified = reader.verify().unwrap();
    assert_eq!((verified.ok, verified.entries, verified.open), (true, 2_202, 0));
    let (journal, recovered) = Journal::open(&home.path(), &home.key).unwrap();
    assert_eq!(
        recovered,
        Recovered {
            rows: 4_404,
            interrupted: vec![],
            truncated: None
        }
    );
    journal.close().unwrap();
}

#[tokio::test]
async fn what_was_saved_of_open_calls_is_used_and_never_trusted_blindly() {
    let home = Home::new();
    let journal = home.open();
    let long = intent("long");
    let id = long.id;
    let begun = journal.begin(long).unwrap();
    for _ in 0..2_200 {
        drop(journal.begin(intent("ci")).unwrap().slot.finish(answer("done")));
    }
    begun.recorded.await.unwrap();
    until("all rows are written", || journal.rows() == 4_401);
    // The files of a running journal are what a kill would leave.
    let copy = copied(&home);
    let saved: i64 = rusqlite::Connection::open(copy.path())
        .unwrap()
        .query_row("SELECT length(value) FROM meta WHERE name = 'open'", [], |row| row.get(0))
        .unwrap();
    assert!(saved >= 16, "{saved} bytes are the place and the long call at least");
    let (reopened, recovered) = Journal::open(&copy.path(), &copy.key).unwrap();
    assert!(recovered.interrupted.contains(&id));
    reopened.close().unwrap();

    for junk in ["x'00'", "x'ffffffffffffff7f'", "x''", "zeroblob(8)"] {
        let copy = copied(&home);
        tamper(&copy.path(), &format!("UPDATE meta SET value = {junk} WHERE name = 'open'"));
        let (reopened, recovered) = Journal::open(&copy.path(), &copy.key).unwrap();
        assert!(recovered.interrupted.contains(&id), "{junk}");
        reopened.close().unwrap();
        assert_eq!(copy.reader().verify().unwrap().open, 0, "{junk}");
    }
    drop(begun.slot.finish(answer("done")));
    journal.close().unwrap();
}

fn copied(home: &Home) -> Home {
    let copy = Home::new();
    for name in ["journal.db", "journal.db-wal", "journal.db.head"] {
        std::fs::copy(home.file(name), copy.file(name)).unwrap();
    }
    copy
}

#[tokio::test]
async fn a_second_writer_is_refused_in_words() {
    let home = Home::new();
    let journal = home.open();
    let refused = Journal::open(&home.path(), &home.key).map(|_| ()).unwrap_err();
    assert!(matches!(refused, StoreError::InUse { .. }));
    let words = refused.to_string();
    assert!(
        words.contains("journal.db` is being written by another process\nhint: "),
        "{words}"
    );
    call(&journal, intent("ci"), answer("undisturbed")).await;
    journal.close().unwrap();
    home.open().close().unwrap();
}

#[test]
fn other_files_are_no_journal() {
    let check = |make: &dyn Fn(&Path), expected: &str| {
        let home = Home::new();
        make(&home.path());
        let before = std::fs::read(home.path()).unwrap();
        for refused in [
            Journal::open(&home.path(), &home.key).map(|_| ()).unwrap_err().to_string(),
            Reader::open(&home.path(), &home.key).map(|_| ()).unwrap_err().to_string(),
        ] {
            assert!(refused.contains(expected) && refused.contains("journal.db`"), "{refused}");
        }
        assert_eq!(std::fs::read(home.path()).unwrap(), before, "it is left as it was");
    };
    check(
        &|path| std::fs::write(path, "not a database at all".repeat(100)).unwrap(),
        "it is not a database",
    );
    check(&|path| tamper(path, "CREATE TABLE t(x)"), "a database of another program");
    let later = "CREATE TABLE t(x); PRAGMA application_id=1668047223; PRAGMA user_version=2";
    check(&|path| tamper(path, later), "has format 2, and this version reads format 1");
    let none = "CREATE TABLE t(x); PRAGMA application_id=1668047223; PRAGMA user_version=0";
    check(&|path| tamper(path, none), "its format is 0");
}

#[tokio::test]
async fn a_cut_journal_says_so_for_ever() {
    let home = Home::with_calls(5).await;
    home.tamper("DELETE FROM journal WHERE seq > 7");
    let (journal, recovered) = Journal::open(&home.path(), &home.key).unwrap();
    let truncated = recovered.truncated.unwrap();
    assert_eq!(
        (truncated.anchored_seq, truncated.found_seq, truncated.why.as_str()),
        (Some(10), 7, "rows 8 to 10 are gone")
    );
    assert_eq!(recovered.interrupted.len(), 1, "the fourth call lost its outcome");
    call(&journal, intent("ci"), answer("life goes on")).await;
    journal.close().unwrap();
    let verified = home.reader().verify().unwrap();
    assert_eq!(
        (verified.ok, verified.first_bad, verified.anchor),
        (false, None, AnchorState::Matches)
    );
    assert_eq!(verified.truncated.unwrap().why, "noted in row 8: rows 8 to 10 are gone");
}

#[tokio::test]
async fn an_anchor_that_is_gone_or_forged_is_noted() {
    let check = |home: &Home, expected: &str| {
        let (journal, recovered) = Journal::open(&home.path(), &home.key).unwrap();
        assert_eq!(recovered.truncated.unwrap().why, expected);
        journal.close().unwrap();
        assert!(!home.reader().verify().unwrap().ok);
    };
    let home = Home::with_calls(2).await;
    std::fs::remove_file(home.file("journal.db.head")).unwrap();
    check(&home, "the anchor file is gone");
    for junk in ["", "{}", "\0\0", r#"{"seq":4,"hash":"00","mac":"00"}"#] {
        let home = Home::with_calls(2).await;
        std::fs::write(home.file("journal.db.head"), junk).unwrap();
        check(&home, "the anchor file was not written by this home");
    }
    let (home, other) = (Home::with_calls(2).await, Home::with_calls(3).await);
    std::fs::copy(other.file("journal.db.head"), home.file("journal.db.head")).unwrap();
    check(&home, "rows 5 to 6 are gone");
}

#[tokio::test]
async fn time_never_runs_backwards() {
    let home = Home::with_calls(1).await;
    home.tamper("UPDATE journal SET at_us = 4000000000000000 WHERE seq = 2");
    let journal = home.open();
    call(&journal, intent("ci"), answer("done")).await;
    journal.close().unwrap();
    let last = home.reader().tail(1).unwrap();
    assert_eq!(last[0].time, "2096-10-02T07:06:40.000Z");
}
