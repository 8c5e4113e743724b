#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use claw_core::audit::{Intent, Outcome};
use claw_core::errors::{Code, Fault};
use claw_core::ids::InvocationId;
use claw_core::model;

use super::*;
use crate::testing::{Home, answer, call, intent};
use crate::time::now_us;

/// An id of a call that began so many hours and a half ago.
fn id(hours_ago: i64) -> InvocationId {
    let at_us = now_us() - hours_ago * HOUR_US - HOUR_US / 2;
    let mut bytes = InvocationId::generate().to_bytes();
    let millis = (at_us / 1_000).to_be_bytes();
    bytes[..6].copy_from_slice(&millis[2..]);
    InvocationId::from_bytes(bytes)
}

async fn calls(journal: &crate::Journal, caller: &str, hours_ago: i64, count: usize, outcome: Outcome) {
    for _ in 0..count {
        let intent = Intent {
            id: id(hours_ago),
            ..intent(caller)
        };
        call(journal, intent, outcome.clone()).await;
    }
}

fn failed() -> Outcome {
    Outcome::failed(&Fault::new(Code::ModelUnavailable, "no"))
}

fn cost(nanousd: u64) -> Outcome {
    Outcome {
        usage: Some(model::Usage {
            cost_nanousd: Some(nanousd),
            ..model::Usage::default()
        }),
        ..answer("done")
    }
}

fn texts(home: &Home) -> Vec<String> {
    let found = home.reader().unusual(now_us()).unwrap();
    found.into_iter().map(|unusual| unusual.text).collect()
}

#[tokio::test]
async fn what_is_far_from_a_callers_own_history_is_said_with_the_figures() {
    let home = Home::new();
    let journal = home.open();
    for hour in 1..=8 {
        calls(&journal, "billing", hour, 3 + usize::from(hour % 2 == 0), answer("")).await;
        calls(&journal, "steady", hour, 20, answer("")).await;
        calls(&journal, "breaking", hour, 12, answer("")).await;
        calls(&journal, "dear", hour, 1, cost(1_000_000)).await;
    }
    for hour in 1..=3 {
        calls(&journal, "new", hour, 1, answer("")).await;
    }
    calls(&journal, "billing", 0, 60, answer("")).await;
    calls(&journal, "steady", 0, 24, answer("")).await;
    calls(&journal, "breaking", 0, 7, answer("")).await;
    calls(&journal, "breaking", 0, 5, failed()).await;
    calls(&journal, "dear", 0, 1, cost(900_000_000)).await;
    calls(&journal, "new", 0, 100, answer("")).await;
    journal.close().unwrap();
    assert_eq!(
        texts(&home),
        [
            "billing: 60 calls in the last hour, 3 is usual (median of 24 h)",
            "breaking: 41.6% failed in the last hour, 0.0% is usual (median of 24 h)",
            "dear: $0.90 in the last hour, $0.001 is usual (median of 24 h)",
        ]
    );
}

#[tokio::test]
async fn a_day_is_compared_with_the_days_before() {
    let home = Home::new();
    let journal = home.open();
    for day in 1..=7 {
        calls(&journal, "nightly", day * 24 + 2, 2, answer("")).await;
    }
    calls(&journal, "nightly", 2, 40, answer("")).await;
    // What it calls in turn is not its own call.
    for _ in 0..50 {
        let child = Intent {
            id: id(1),
            parent: Some(InvocationId::generate()),
            ..intent("nightly")
        };
        call(&journal, child, answer("")).await;
    }
    journal.close().unwrap();
    assert_eq!(
        texts(&home),
        ["nightly: 40 calls in the last 24 h, 2 is usual (median of 14 days)"]
    );
}

#[tokio::test]
async fn nothing_is_unusual_about_an_empty_journal() {
    let home = Home::with_calls(0).await;
    assert!(texts(&home).is_empty());
}
