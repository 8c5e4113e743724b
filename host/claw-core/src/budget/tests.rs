#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use super::*;

const NOW: i64 = 1_795_801_800;

fn ledger(yaml: &str) -> (Ledger, Arc<AtomicI64>) {
    let time = Arc::new(AtomicI64::new(NOW));
    let clock = time.clone();
    let ledger = Ledger::new(Arc::new(move || clock.load(Ordering::SeqCst)));
    ledger.replace(&serde_yaml::from_str(yaml).unwrap(), []);
    (ledger, time)
}

fn by<'a>(caller: &'a str, skill: Option<&'a str>, use_name: &'a str) -> Spender<'a> {
    Spender {
        caller,
        key: None,
        skill,
        use_name,
    }
}

fn spent(ledger: &Ledger) -> Vec<(u64, u64)> {
    let standings = ledger.standings().into_iter();
    standings
        .map(|standing| (standing.spent_nanousd, standing.reserved_nanousd))
        .collect()
}

#[test]
fn money_is_set_aside_and_settled() {
    let (ledger, _) = ledger("budgets: [{name: all, limit: 0.000001000usd/day}]");
    let who = by("a", None, "x");
    let first = ledger.reserve(&who, Some(600)).unwrap();
    assert_eq!(spent(&ledger), [(0, 600)]);
    let fault = ledger.reserve(&who, Some(600)).err().unwrap();
    assert_eq!(fault.code, Code::BudgetExceeded);
    assert!(fault.message.contains("`all` of 0.000001usd/day"), "{fault}");
    assert!(
        fault
            .hint
            .as_deref()
            .is_some_and(|hint| hint.contains("2026-11-28 00:00 UTC")),
        "{fault:?}"
    );
    assert_eq!(fault.retry_after_ms, Some(22_200_000));
    first.settle(Some(100));
    assert_eq!(spent(&ledger), [(100, 0)]);
    drop(ledger.reserve(&who, Some(600)).unwrap());
    assert_eq!(spent(&ledger), [(700, 0)], "what nobody settles is spent");
    ledger.reserve(&who, Some(300)).unwrap().settle(None);
    assert_eq!(spent(&ledger), [(700, 0)]);
}

#[test]
fn a_window_begins_anew() {
    let (ledger, time) = ledger("budgets: [{name: d, limit: 0.00000001usd/day}, {name: m, limit: 1usd/month}]");
    ledger.reserve(&by("a", None, "x"), Some(10)).unwrap().settle(Some(10));
    assert!(ledger.reserve(&by("a", None, "x"), Some(1)).is_err());
    time.fetch_add(86_400, Ordering::SeqCst);
    ledger.reserve(&by("a", None, "x"), Some(10)).unwrap().settle(Some(10));
    assert_eq!(spent(&ledger), [(10, 0), (20, 0)]);
    time.fetch_add(31 * 86_400, Ordering::SeqCst);
    assert_eq!(spent(&ledger), [(0, 0), (0, 0)]);
}

#[test]
fn a_call_counts_against_every_budget_that_it_fits() {
    let (ledger, _) = ledger(
        "budgets:\n  - {name: billing, service: billing, limit: 1usd/day}\n  - {name: reviews, skill: 'pr-*', limit: 1usd/day}\n  - {name: \
         drafting, use: drafting, limit: 0.000000005usd/day}\n",
    );
    let spend = |who: &Spender<'_>| ledger.reserve(who, Some(5)).map(|held| held.settle(Some(5))).is_ok();
    assert!(spend(&by("billing", None, "x")) && spend(&by("shop", Some("pr-review-prep"), "x")));
    assert!(spend(&by("billing", Some("pr-x"), "drafting")) && !spend(&by("nobody", None, "drafting")));
    assert_eq!(spent(&ledger), [(10, 0), (10, 0), (5, 0)]);
}

#[test]
fn keys_have_budgets_and_rates_of_their_own() {
    let (ledger, _) = ledger("budgets: []");
    ledger.replace(
        &BudgetsFile::default(),
        [("key_a".to_owned(), "0.000000010usd/day".parse().unwrap())],
    );
    let who = |key| Spender {
        key,
        ..by("a", None, "x")
    };
    assert!(ledger.reserve(&who(Some("key_a")), Some(11)).is_err());
    assert!(ledger.reserve(&who(Some("key_b")), Some(11)).is_ok() && ledger.reserve(&who(None), Some(11)).is_ok());
    let key = KeyScope {
        id: "key_a".into(),
        rpm: Some(2),
        ..KeyScope::default()
    };
    assert!(ledger.admit(&key).is_ok() && ledger.admit(&key).is_ok());
    let fault = ledger.admit(&key).unwrap_err();
    assert!(
        fault.code == Code::KeyRateLimited && fault.retry_after_ms.is_some_and(|millis| millis <= 30_000),
        "{fault:?}"
    );
    assert!(ledger.admit(&KeyScope::default()).is_ok());
}

#[test]
fn an_unknown_price_is_refused_where_the_budget_says_so() {
    let (ledger, _) =
        ledger("budgets: [{name: a, service: a, limit: 1usd/day, deny_unknown_price: true}, {name: b, limit: 0usd/day}]");
    assert!(
        ledger
            .reserve(&by("a", None, "x"), None)
            .err()
            .unwrap()
            .message
            .contains("not known")
    );
    assert!(
        ledger.reserve(&by("b", None, "x"), None).is_err(),
        "an empty budget takes nothing"
    );
}

#[test]
fn a_thousand_calls_at_once_never_overspend() {
    const CEILING: u64 = 70;
    let (ledger, _) = ledger("budgets: [{name: all, limit: 0.000010000usd/day}]");
    let most = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for thread in 0..8u64 {
            let (ledger, most) = (&ledger, &most);
            scope.spawn(move || {
                for call in 0..125 {
                    let Ok(held) = ledger.reserve(&by("a", None, "x"), Some(CEILING)) else {
                        continue;
                    };
                    let (spent, reserved) = spent(ledger).first().copied().unwrap();
                    most.fetch_max(spent + reserved, Ordering::SeqCst);
                    match (thread + call) % 3 {
                        0 => drop(held),
                        1 => held.settle(Some(CEILING)),
                        _ => held.settle(Some(CEILING / 2)),
                    }
                }
            });
        }
    });
    let (spent, reserved) = spent(&ledger).first().copied().unwrap();
    assert!(most.load(Ordering::SeqCst) <= 10_000, "{most:?}");
    assert!(spent <= 10_000 && spent > 10_000 - CEILING && reserved == 0, "{spent}");
}

#[test]
fn mistakes_are_named() {
    let file: BudgetsFile =
        serde_yaml::from_str("budgets: [{name: a, limit: 1usd/day}, {name: a, limit: 1usd/day, warn_at: 120}]").unwrap();
    assert_eq!(file.mistakes().len(), 2);
    for bad in [
        "budgets: [{name: a}]",
        "budgets: [{name: a, limit: 5}]",
        "budgets: [{name: a, limit: 1usd/day, who: b}]",
    ] {
        assert!(serde_yaml::from_str::<BudgetsFile>(bad).is_err(), "{bad}");
    }
}
