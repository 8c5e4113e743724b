#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, Ordering};

use super::*;
use crate::budget::BudgetsFile;
use crate::errors::Code;
use crate::ids::InvocationId;

const CALLS: u64 = 1_000;

fn ledger(limit_nanousd: u64) -> Ledger {
    let yaml = format!("budgets: [{{name: all, limit: 0.{limit_nanousd:09}usd/total, soft: 50%}}]");
    let file: BudgetsFile = serde_yaml::from_str(&yaml).unwrap();
    Ledger::new(file.budgets().unwrap(), Spending::default(), 0)
}

fn priced(nanousd: u64) -> Ceiling {
    Ceiling {
        nanousd: Some(nanousd),
        unknown: false,
    }
}

fn spender(key: Option<&KeyScope>) -> Spender<'_> {
    Spender {
        id: InvocationId::generate(),
        caller: "tester",
        key,
        skill: None,
        use_name: "general",
    }
}

/// A thousand threads that all begin at once; how many were let through.
fn at_once(ledger: &Ledger, call: impl Fn(Box<dyn Reservation>) + Sync) -> u64 {
    let (start, through) = (Barrier::new(CALLS as usize), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for _ in 0..CALLS {
            scope.spawn(|| {
                start.wait();
                if let Ok(held) = ledger.reserve(&spender(None), priced(10)) {
                    through.fetch_add(1, Ordering::SeqCst);
                    call(held);
                }
            });
        }
    });
    through.into_inner()
}

fn spent(ledger: &Ledger) -> u64 {
    ledger.status(0).first().unwrap().spent_nanousd
}

#[test]
fn a_thousand_calls_at_once_spend_no_more_than_the_limit_where_ceilings_are_exact() {
    let ledger = ledger(5_005);
    assert_eq!(at_once(&ledger, |held| held.settle(Some(10))), 500);
    assert_eq!(spent(&ledger), 5_000);
}

#[test]
fn beyond_it_they_spend_no_more_than_what_ceilings_were_too_low_by() {
    let ledger = ledger(5_000);
    let through = at_once(&ledger, |held| held.settle(Some(13)));
    assert!(
        spent(&ledger) == through * 13 && spent(&ledger) <= 5_000 + through * 3,
        "{through}"
    );
}

#[test]
fn what_is_less_than_its_ceiling_makes_room_for_more() {
    let ledger = ledger(5_000);
    assert_eq!(at_once(&ledger, |held| held.settle(Some(0))), CALLS);
    assert_eq!(spent(&ledger), 0);
}

#[test]
fn a_reservation_that_is_dropped_stays_spent() {
    let ledger = ledger(5_000);
    assert_eq!(at_once(&ledger, drop), 500);
    assert_eq!(spent(&ledger), 5_000);
    let refused = ledger.reserve(&spender(None), priced(1)).err().unwrap();
    assert_eq!(refused.code, Code::BudgetExceeded);
}

#[test]
fn warnings_are_told_once_and_requests_are_admitted_by_whom_it_was_given() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let hear = told.clone();
    let ledger = ledger(100)
        .telling(move |note| hear.lock().unwrap().push(note.budget.clone()))
        .admitting(|key| match key.id.as_str() {
            "key_fast" => Err(Fault::new(Code::KeyRateLimited, "too fast")),
            _ => Ok(()),
        });
    for _ in 0..3 {
        let held = ledger.reserve(&spender(None), priced(20)).unwrap();
        held.settle(Some(20));
    }
    let held = ledger.reserve(&spender(None), priced(20)).unwrap();
    assert_eq!(held.notes().len(), 1, "each call is noted");
    assert_eq!(*told.lock().unwrap(), ["all"], "and one is told");
    let key = |id: &str| KeyScope {
        id: id.to_owned(),
        ..KeyScope::default()
    };
    assert!(ledger.admit(&key("key_slow")).is_ok());
    assert!(ledger.admit(&key("key_fast")).is_err());
    ledger.replace(Vec::new(), 0);
    assert!(ledger.status(0).is_empty());
}
