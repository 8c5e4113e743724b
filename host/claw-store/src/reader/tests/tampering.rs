//! Whatever is done to the rows behind the journal's back is found, and the row is named.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may stop at the first surprise"
)]

use super::super::*;
use crate::journal::row::{Link, chain};
use crate::testing::Home;

/// Ten calls, twenty rows: intents are odd, outcomes even.
async fn tampered(sql: &str) -> Verified {
    let home = Home::with_calls(10).await;
    assert!(home.reader().verify().unwrap().ok);
    home.tamper(sql);
    home.reader().verify().unwrap()
}

#[tokio::test]
async fn the_first_changed_row_is_named() {
    let cases = [
        ("UPDATE journal SET body = replace(body, 'tester', 'nobody') WHERE seq = 5", 5),
        ("UPDATE journal SET body = body || ' ' WHERE seq IN (6, 9)", 6),
        ("UPDATE journal SET at_us = at_us - 1 WHERE seq = 7", 7),
        ("UPDATE journal SET kind = 2 WHERE seq = 7", 7),
        ("UPDATE journal SET intent = 3 WHERE seq = 8", 8),
        ("UPDATE journal SET call = zeroblob(16) WHERE seq = 9", 9),
        (
            "UPDATE journal SET parent = (SELECT call FROM journal WHERE seq = 1) WHERE seq = 9",
            9,
        ),
        ("UPDATE journal SET hash = zeroblob(32) WHERE seq = 10", 10),
        ("UPDATE journal SET hash = x'' WHERE seq = 10", 10),
        ("DELETE FROM journal WHERE seq = 11", 11),
        ("DELETE FROM journal WHERE seq < 4", 1),
        ("DELETE FROM journal WHERE seq BETWEEN 3 AND 18", 3),
        (
            "DELETE FROM journal WHERE seq = 3; UPDATE journal SET seq = seq - 1 WHERE seq > 3",
            3,
        ),
        // Two rows swapped.
        (
            "UPDATE journal SET seq = 100 WHERE seq = 13; UPDATE journal SET seq = 13 WHERE seq = 15; UPDATE journal SET seq = 15 WHERE seq = 100",
            13,
        ),
        // A row of our own, in the middle and at the end.
        (
            "UPDATE journal SET seq = seq + 100 WHERE seq > 6; UPDATE journal SET seq = seq - 99 WHERE seq > 100; INSERT INTO journal SELECT 7, at_us, kind, NULL, zeroblob(16), NULL, body, hash FROM journal WHERE seq = 5",
            7,
        ),
        (
            "INSERT INTO journal SELECT 21, at_us, kind, NULL, zeroblob(16), NULL, body, hash FROM journal WHERE seq = 19",
            21,
        ),
    ];
    for (sql, seq) in cases {
        let verified = tampered(sql).await;
        assert_eq!(
            (verified.ok, verified.first_bad.map(|bad| bad.seq)),
            (false, Some(seq)),
            "{sql}"
        );
    }
}

#[tokio::test]
async fn a_missing_tail_is_seen_by_the_anchor() {
    for (cut, left) in [(20, 19), (15, 14), (1, 0)] {
        let verified = tampered(&format!("DELETE FROM journal WHERE seq >= {cut}")).await;
        let truncated = verified.truncated.unwrap();
        assert_eq!(
            (verified.ok, verified.anchor, verified.first_bad),
            (false, AnchorState::Ahead, None)
        );
        assert_eq!(
            (truncated.anchored_seq, truncated.found_seq, verified.head.seq),
            (Some(20), left, left)
        );
    }
}

#[tokio::test]
async fn a_chain_that_was_computed_anew_differs_from_its_anchor() {
    let home = Home::with_calls(4).await;
    home.tamper("UPDATE journal SET body = replace(body, 'tester', 'nobody')");
    let connection = Connection::open(home.path()).unwrap();
    let mut previous = [0; 32];
    for seq in 1..=8u64 {
        type Columns = (i64, u8, Option<i64>, Option<[u8; 16]>, String);
        let (at_us, kind, intent, call, body): Columns = connection
            .query_row(
                "SELECT at_us, kind, intent, call, body FROM journal WHERE seq = ?1",
                [seq.cast_signed()],
                |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?)),
            )
            .unwrap();
        let (intent, call) = (intent.unwrap_or(0).cast_unsigned(), call.unwrap_or_default());
        let link = Link {
            seq,
            at_us,
            kind,
            intent,
            call,
            parent: [0; 16],
            body: body.as_bytes(),
        };
        previous = chain(&previous, &link);
        connection
            .execute(
                "UPDATE journal SET hash = ?1 WHERE seq = ?2",
                params![previous, seq.cast_signed()],
            )
            .unwrap();
    }
    drop(connection);
    let verified = home.reader().verify().unwrap();
    assert_eq!((verified.ok, verified.anchor), (false, AnchorState::Differs));
    assert_eq!(
        verified.first_bad.unwrap(),
        Bad {
            seq: 8,
            why: "it is not the row that was anchored".to_owned()
        }
    );
}

#[tokio::test]
async fn an_anchor_that_is_gone_or_not_ours_is_not_ok() {
    let home = Home::with_calls(2).await;
    let strange = Reader::open(&home.path(), &HomeKey::from_bytes([1; 32]))
        .unwrap()
        .verify()
        .unwrap();
    assert_eq!((strange.ok, strange.anchor), (false, AnchorState::Forged));
    std::fs::remove_file(home.file("journal.db.head")).unwrap();
    let verified = home.reader().verify().unwrap();
    assert_eq!(
        (verified.ok, verified.anchor, verified.first_bad),
        (false, AnchorState::Missing, None)
    );
    assert_eq!((verified.entries, verified.open), (2, 0), "the counts are told all the same");
}

#[tokio::test]
async fn a_damaged_file_is_no_error_of_the_reader() {
    let home = Home::with_calls(400).await;
    let mut bytes = std::fs::read(home.path()).unwrap();
    let pages = bytes.chunks_exact_mut(4096);
    let with_rows = pages.filter(|page| page.windows(8).any(|window| window == b"\"caller\""));
    with_rows.skip(5).step_by(7).for_each(|page| page.fill(0xa5));
    std::fs::write(home.path(), bytes).unwrap();
    let verified = home.reader().verify().unwrap();
    let bad = verified.first_bad.unwrap();
    assert_eq!((verified.ok, bad.why.as_str()), (false, "the database is damaged here"));
    assert!((2..800).contains(&bad.seq), "{bad:?}");
}

#[tokio::test]
async fn what_verify_says_has_these_names() {
    let home = Home::with_calls(1).await;
    let mut said = serde_json::to_value(home.reader().verify().unwrap()).unwrap();
    assert_eq!(said["head"]["hash"].as_str().map(str::len), Some(64));
    said["head"]["hash"] = "..".into();
    let expected = serde_json::json!({
        "ok": true, "entries": 1, "open": 0, "rows": 2, "first_bad": null, "truncated": null, "anchor": "matches",
        "head": { "seq": 2, "hash": ".." },
    });
    assert_eq!(said, expected);
}
