#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use claw_core::budget::{BudgetsFile, Spending};
use claw_store::UsageRow;

use super::*;

fn usage() -> Usage {
    let totals = UsageTotals {
        calls: 2,
        failed: 1,
        input_tokens: 10,
        output_tokens: 3,
        cost_nanousd: 1_000_000_007,
        cost_unknown_calls: 1,
        ..UsageTotals::default()
    };
    let row = |name: Option<&str>| UsageRow {
        name: name.map(str::to_owned),
        totals,
    };
    Usage {
        by: UsageBy::Use,
        rows: vec![row(None), row(Some("=cmd()")), row(Some("a,\"b\""))],
        total: totals,
    }
}

#[test]
fn costs_are_shown_to_the_last_digit_and_unknown_prices_beside_them() {
    insta::assert_snapshot!(table(&usage(), Style::plain()), @r#"
    USE     CALLS  FAILED  IN  OUT  CACHED  REASONING  COST
    -       2      1       10  3    0       0          $1.000000007 + 1 call of unknown price
    =cmd()  2      1       10  3    0       0          $1.000000007 + 1 call of unknown price
    a,"b"   2      1       10  3    0       0          $1.000000007 + 1 call of unknown price
    total   2      1       10  3    0       0          $1.000000007 + 1 call of unknown price
    "#);
}

#[test]
fn csv_quotes_what_it_must_and_runs_nothing() {
    let text = csv::of(&usage());
    let lines: Vec<&str> = text.split("\r\n").collect();
    assert_eq!(lines.get(1), Some(&",2,1,10,3,0,0,1.000000007,1000000007,1,0"));
    assert!(lines.get(2).is_some_and(|line| line.starts_with("'=cmd(),2")));
    assert!(lines.get(3).is_some_and(|line| line.starts_with("\"a,\"\"b\"\"\",2")));
    for text in ["+1", "-1", "@x", "\tx"] {
        assert!(csv::cell(text).starts_with('\''), "{text}");
    }
}

#[test]
fn budgets_say_whose_how_much_and_until_when() {
    let yaml = "budgets: [{name: all, limit: 1usd/total}, {name: pr, skill: 'pr-*', use: s, limit: 0usd, per: month}]";
    let budgets = serde_yaml::from_str::<BudgetsFile>(yaml).unwrap().budgets().unwrap();
    let now = 1_795_226_828_000_000;
    let status = Book::new(budgets, Spending::default(), now).status(now);
    insta::assert_snapshot!(of_budgets(&status, Style::plain()), @"
    BUDGET  OF                 LIMIT       SPENT  USED  BEGINS ANEW
    all     everybody          1usd/total  $0.00  0%    never
    pr      skill pr-*, use s  0usd/month  $0.00  -     2026-12-01T00:00:00Z
    ");
}

#[test]
fn keys_that_still_work_bring_their_budgets() {
    let directory = tempfile::tempdir().unwrap();
    let home = Home::find(Some(directory.path().join("home"))).unwrap();
    home.create().unwrap();
    assert!(of_keys(&home).unwrap().is_empty());
    let mut store = KeyStore::open(&home.state().join("keys.db")).unwrap();
    let mut key = |service: &str, budget: Option<&str>| {
        let scope = claw_core::keys::KeyScope {
            service: service.to_owned(),
            budget: budget.map(|budget| budget.parse().unwrap()),
            ..claw_core::keys::KeyScope::default()
        };
        store.create(scope).unwrap().record.scope.id
    };
    let (kept, _free, revoked) = (key("a", Some("5usd/day")), key("b", None), key("c", Some("6usd/day")));
    store.revoke(&revoked).unwrap();
    let found: Vec<_> = of_keys(&home).unwrap().into_iter().map(|budget| budget.name).collect();
    assert_eq!(found, [kept]);
}
