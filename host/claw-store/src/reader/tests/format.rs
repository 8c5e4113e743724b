//! Rows of every format that was ever written read back as they did. `testdata/` holds them;
//! a sample is added with a format and never changed.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may stop at the first surprise"
)]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::super::*;
use crate::testing::Home;

/// A journal of the rows of a sample, written by a home whose key is 32 times 7.
fn journal_of(sample: &str) -> Home {
    let home = Home::new();
    crate::journal::schema::open_writer(&home.path()).unwrap();
    let connection = Connection::open(home.path()).unwrap();
    for line in sample.lines() {
        let row: Value = serde_json::from_str(line).unwrap();
        let blob = |name: &str| row[name].as_str().map(|text| STANDARD.decode(text).unwrap());
        if let Some(sealed) = blob("sealed") {
            connection
                .execute("INSERT INTO bodies VALUES(?1, 0, ?2)", params![blob("hash"), sealed])
                .unwrap();
        } else {
            let insert = "INSERT INTO journal VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
            let (seq, at_us, kind) = (row["seq"].as_i64(), row["at_us"].as_i64(), row["kind"].as_i64());
            let (intent, body) = (row["intent"].as_i64(), row["body"].as_str());
            connection
                .execute(
                    insert,
                    params![seq, at_us, kind, intent, blob("call"), blob("parent"), body, blob("hash")],
                )
                .unwrap();
        }
    }
    home
}

#[test]
fn rows_of_format_1_read_back() {
    let home = journal_of(include_str!("../../../testdata/journal-v1.jsonl"));
    std::fs::write(
        home.file("journal.db.head"),
        include_str!("../../../testdata/journal-v1.head"),
    )
    .unwrap();
    let reader = home.reader();
    let verified = reader.verify().unwrap();
    assert!(verified.ok, "{verified:?}");
    assert_eq!((verified.rows, verified.entries, verified.open), (9, 5, 1));
    let entries = reader.tail(10).unwrap();
    let expected: Vec<Value> = serde_json::from_str(include_str!("../../../testdata/journal-v1.entries.json")).unwrap();
    assert_eq!(serde_json::to_value(&entries).unwrap(), Value::Array(expected));
    let tree = reader.show(entries[0].id).unwrap().unwrap();
    assert_eq!(
        tree.request,
        BodyView::Kept(Content::Json(serde_json::json!({"repo": "acme/widgets", "pr_number": 42})))
    );
    assert_eq!(tree.children.len(), 1);
    assert_eq!(tree.journal.map(|lines| lines.len()), Some(2));
}

#[test]
fn lines_of_audit_log_read_back() {
    let lines = include_str!("../../../testdata/audit-v1.jsonl").lines();
    let entries: Vec<Entry> = lines.map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(entries.len(), 4);
    let home = journal_of(include_str!("../../../testdata/journal-v1.jsonl"));
    assert_eq!(home.reader().since(0, 10).unwrap().entries, entries);
}

#[test]
fn rows_of_model_calls_with_keys_attempts_and_reservations_read_back() {
    let home = journal_of(include_str!("../../../testdata/journal-v1-models.jsonl"));
    std::fs::write(
        home.file("journal.db.head"),
        include_str!("../../../testdata/journal-v1-models.head"),
    )
    .unwrap();
    let reader = home.reader();
    let verified = reader.verify().unwrap();
    assert!(verified.ok, "{verified:?}");
    assert_eq!((verified.rows, verified.entries, verified.open), (6, 3, 0));
    let expected: Vec<Value> = serde_json::from_str(include_str!("../../../testdata/journal-v1-models.entries.json")).unwrap();
    let entries = serde_json::to_value(reader.tail(10).unwrap()).unwrap();
    assert_eq!(entries, Value::Array(expected));
    let mut charges = Vec::new();
    reader.charges(0, |charge| charges.push(charge.cost_nanousd)).unwrap();
    assert_eq!(charges, [Some(2_550_000), Some(41_000_000)]);
}
