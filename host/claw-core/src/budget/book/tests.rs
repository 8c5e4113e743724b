#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use super::*;
use crate::budget::{BudgetsFile, Limit, Payers, Period};
use crate::calendar::{DAY_US, days};
use crate::errors::Code;
use crate::keys::KeyScope;

/// A few seconds before the last month of a year.
fn november() -> i64 {
    days(2026, 12, 1) * DAY_US - 5_000_000
}

fn budgets(yaml: &str) -> Vec<Budget> {
    serde_yaml::from_str::<BudgetsFile>(yaml).unwrap().budgets().unwrap()
}

fn payer(service: &str, model_use: &str) -> Payer {
    Payer {
        service: service.into(),
        model_use: model_use.into(),
        ..Payer::default()
    }
}

fn ask(payer: Payer, at_us: i64, ceiling_nanousd: Option<u64>) -> Ask {
    Ask {
        payer,
        key_budget: None,
        at_us,
        ceiling: Ceiling {
            nanousd: ceiling_nanousd,
            unknown: ceiling_nanousd.is_none(),
        },
    }
}

fn stands(book: &mut Book, name: &str, now_us: i64) -> (u64, u64, u64) {
    let all = book.status(now_us);
    let found = all.iter().find(|status| status.budget.name == name).unwrap();
    (found.spent_nanousd, found.reserved_nanousd, found.cost_unknown_calls)
}

const TEAM: &str = "budgets: [{name: team, service: 'bill*', limit: 0.000001usd, per: month, soft: 80%}]";

#[test]
fn money_is_set_aside_then_spent_and_the_rest_is_free_again() {
    let now = november();
    let mut book = Book::new(budgets(TEAM), Spending::default(), now);
    let first = book.reserve(ask(payer("billing", "general"), now, Some(600))).unwrap();
    assert_eq!(stands(&mut book, "team", now), (0, 600, 0));
    let refused = book.reserve(ask(payer("billing", "general"), now, Some(401))).unwrap_err();
    assert_eq!(refused.code, Code::BudgetExceeded);
    book.settle(first.id, Some(100));
    assert_eq!(stands(&mut book, "team", now), (100, 0, 0));
    let kept = book.reserve(ask(payer("billing", "general"), now, Some(900))).unwrap();
    book.keep(kept.id);
    book.keep(kept.id);
    book.settle(kept.id, Some(900));
    assert_eq!(stands(&mut book, "team", now), (1_000, 0, 0), "once, whoever asks again");
    assert!(book.reserve(ask(payer("billing", "general"), now, Some(1))).is_err());
    // What costs nothing may go on.
    book.reserve(ask(payer("billing", "general"), now, Some(0))).unwrap();
    book.reserve(ask(payer("other", "general"), now, Some(5_000))).unwrap();
}

#[test]
fn a_refusal_says_which_budget_what_is_gone_and_when_it_begins_anew() {
    let now = november();
    let mut book = Book::new(budgets(TEAM), Spending::default(), now);
    let spent = book.reserve(ask(payer("billing", "general"), now, Some(900))).unwrap();
    book.settle(spent.id, Some(900));
    book.reserve(ask(payer("billing", "general"), now, Some(50))).unwrap();
    let fault = book.reserve(ask(payer("billing", "general"), now, Some(60))).unwrap_err();
    assert_eq!(
        fault.message,
        "the budget `team` of 0.000001usd/month is used up: 0.0000009usd are spent, 0.00000005usd are set aside for calls \
         under way, and this call may cost 0.00000006usd; it begins anew at 2026-12-01T00:00:00Z"
    );
    assert_eq!(fault.retry_after_ms, Some(5_000));
    let details = fault.details.unwrap();
    for (key, expected) in [
        ("budget", serde_json::json!("team")),
        ("limit_nanousd", 1_000.into()),
        ("spent_nanousd", 900.into()),
        ("reserved_nanousd", 50.into()),
        ("resets_at", "2026-12-01T00:00:00Z".into()),
    ] {
        assert_eq!(details.get(key), Some(&expected), "{key}");
    }
    let mut whole = Book::new(
        budgets("budgets: [{name: all, limit: 0usd, per: total}]"),
        Spending::default(),
        now,
    );
    let fault = whole.reserve(ask(payer("x", "y"), now, Some(1))).unwrap_err();
    assert_eq!(fault.retry_after_ms, None, "it never begins anew");
}

#[test]
fn a_window_that_is_over_is_forgotten_and_a_late_call_counts_where_it_began() {
    let now = november();
    let december = now + 10_000_000;
    let mut book = Book::new(budgets(TEAM), Spending::default(), now);
    let late = book.reserve(ask(payer("billing", "general"), now, Some(1_000))).unwrap();
    let next = book.reserve(ask(payer("billing", "general"), december, Some(1_000))).unwrap();
    book.settle(late.id, Some(1_000));
    assert_eq!(stands(&mut book, "team", december), (0, 1_000, 0));
    book.settle(next.id, Some(10));
    assert_eq!(stands(&mut book, "team", december), (10, 0, 0));
    // A clock that is set back does not open the old window again, nor is what is spent lost.
    let back = book
        .reserve(ask(payer("billing", "general"), now - DAY_US, Some(90)))
        .unwrap();
    book.settle(back.id, Some(90));
    assert_eq!(stands(&mut book, "team", now - DAY_US), (100, 0, 0));
}

#[test]
fn one_budget_that_does_not_reach_leaves_the_others_untouched() {
    let now = november();
    let yaml = "budgets: [{name: wide, limit: 1usd, per: day}, {name: narrow, use: dear, limit: 10usd/total},
                {name: tiny, skill: 'pr-*', limit: 0.000000005usd/day}]";
    let mut book = Book::new(budgets(yaml), Spending::default(), now);
    let of_skill = Payer {
        skill: Some("pr-review".into()),
        ..payer("a", "dear")
    };
    let fault = book.reserve(ask(of_skill.clone(), now, Some(6))).unwrap_err();
    assert!(fault.message.starts_with("the budget `tiny`"), "{fault}");
    for name in ["wide", "narrow", "tiny"] {
        assert_eq!(stands(&mut book, name, now), (0, 0, 0), "{name}");
    }
    let fits = book.reserve(ask(of_skill, now, Some(5))).unwrap();
    book.settle(fits.id, Some(4));
    for name in ["wide", "narrow", "tiny"] {
        assert_eq!(stands(&mut book, name, now), (4, 0, 0), "{name}");
    }
}

#[test]
fn a_call_without_a_price_is_made_with_a_warning_or_refused() {
    let now = november();
    let yaml =
        "budgets: [{name: lax, use: lax, limit: 1usd/day}, {name: strict, use: strict, limit: 1usd/day, on_unknown_price: deny}]";
    let mut book = Book::new(budgets(yaml), Spending::default(), now);
    for first in [true, false] {
        let made = book.reserve(ask(payer("a", "lax"), now, None)).unwrap();
        assert_eq!(made.notes.len(), 1);
        assert_eq!(made.notes.first().map(|note| note.first), Some(first));
        book.settle(made.id, None);
    }
    assert_eq!(stands(&mut book, "lax", now), (0, 0, 2));
    let fault = book.reserve(ask(payer("a", "strict"), now, None)).unwrap_err();
    assert!(fault.message.contains("takes no call whose price is not known"), "{fault}");
    let spent = book.reserve(ask(payer("a", "lax"), now, Some(1_000_000_000))).unwrap();
    book.settle(spent.id, Some(1_000_000_000));
    assert!(book.reserve(ask(payer("a", "lax"), now, None)).is_err(), "it is used up");
}

#[test]
fn one_without_a_price_among_others_does_not_let_them_go_unpaid() {
    let now = november();
    let yaml =
        "budgets: [{name: lax, use: lax, limit: 1usd/day}, {name: strict, use: strict, limit: 1usd/day, on_unknown_price: deny}]";
    let mut book = Book::new(budgets(yaml), Spending::default(), now);
    let some = |of: &str, nanousd| Ask {
        ceiling: Ceiling {
            nanousd: Some(nanousd),
            unknown: true,
        },
        ..ask(payer("a", of), now, None)
    };
    let made = book.reserve(some("lax", 700_000_000)).unwrap();
    assert_eq!(stands(&mut book, "lax", now).1, 700_000_000, "it is set aside");
    assert_eq!(made.notes.len(), 1);
    assert!(book.reserve(some("lax", 700_000_000)).is_err());
    assert!(book.reserve(some("strict", 1)).is_err());
    let rest = book.reserve(some("lax", 300_000_000)).unwrap();
    book.settle(rest.id, Some(300_000_000));
    assert!(
        book.reserve(some("lax", 0)).is_err(),
        "nothing is left, and it may cost something"
    );
}

#[test]
fn a_soft_limit_is_noted_on_each_call_and_told_once_a_window() {
    let now = november();
    let mut book = Book::new(budgets(TEAM), Spending::default(), now);
    let mut notes = |at, nanousd| book.reserve(ask(payer("billing", "x"), at, Some(nanousd))).unwrap().notes;
    assert!(notes(now, 799).is_empty());
    let first = notes(now, 1);
    assert_eq!(
        first.first().unwrap().text,
        "0.0000008usd of 0.000001usd/month are spent or set aside"
    );
    assert_eq!((first.len(), first.first().unwrap().first), (1, true));
    assert!(!notes(now, 1).first().unwrap().first);
    assert!(notes(now + 10_000_000, 850).first().unwrap().first, "anew in another window");
}

#[test]
fn a_keys_own_budget_counts_beside_the_others() {
    let now = november();
    let key = KeyScope {
        id: "key_a".into(),
        budget: Some("0.000000010usd/day".parse().unwrap()),
        ..KeyScope::default()
    };
    let with_key = |key: &KeyScope, nanousd| Ask {
        key_budget: Budget::of_key(key),
        ..ask(
            Payer {
                key: Some(key.id.clone()),
                ..payer("billing", "x")
            },
            now,
            Some(nanousd),
        )
    };
    let mut spending = Spending::default();
    spending.add(&Charge {
        payer: with_key(&key, 0).payer,
        at_us: now,
        cost_nanousd: Some(4),
    });
    let mut book = Book::new(budgets(TEAM), spending, now);
    let refused = book.reserve(with_key(&key, 7)).unwrap_err();
    assert!(
        refused.message.starts_with("the budget `key_a` of 0.00000001usd/day"),
        "{refused}"
    );
    assert!(refused.hint.unwrap().contains("--budget"));
    let made = book.reserve(with_key(&key, 6)).unwrap();
    book.settle(made.id, Some(6));
    assert_eq!(stands(&mut book, "key_a", now), (10, 0, 0));
    assert_eq!(stands(&mut book, "team", now), (10, 0, 0));
    let raised = KeyScope {
        budget: Some("0.000000011usd/day".parse().unwrap()),
        ..key
    };
    book.reserve(with_key(&raised, 1)).unwrap();
    let without = KeyScope { budget: None, ..raised };
    book.reserve(with_key(&without, 500)).unwrap();
}

#[test]
fn other_budgets_begin_with_what_was_spent_and_set_aside() {
    let now = november();
    let mut book = Book::new(Vec::new(), Spending::default(), now);
    let spent = book.reserve(ask(payer("billing", "x"), now, Some(700))).unwrap();
    book.settle(spent.id, Some(600));
    let open = book.reserve(ask(payer("billing", "x"), now, Some(300))).unwrap();
    book.replace(budgets(TEAM), now);
    assert_eq!(stands(&mut book, "team", now), (600, 300, 0));
    book.settle(open.id, Some(200));
    assert_eq!(stands(&mut book, "team", now), (800, 0, 0));
    book.replace(budgets(TEAM), now);
    assert_eq!(stands(&mut book, "team", now), (800, 0, 0));
}

/// Xorshift: the same numbers at every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}

#[test]
fn whatever_happens_sums_agree_and_no_more_is_spent_than_the_bound() {
    for seed in 1..40 {
        let mut numbers = Numbers(seed * 0x9e37_79b9);
        let yaml = "budgets: [{name: all, limit: 0.00001usd/month}, {name: a, service: a, limit: 0.000004usd/day},
                    {name: u, use: u, limit: 0.000006usd/total}]";
        let mut now = november() - 3 * DAY_US;
        let mut book = Book::new(budgets(yaml), Spending::default(), now);
        let mut restored = Spending::default();
        let mut open: Vec<(u64, Payer, i64, u64)> = Vec::new();
        let mut beyond = 0;
        for _ in 0..2_000 {
            now += i64::try_from(numbers.below(600_000_000)).unwrap();
            let who = payer(
                if numbers.below(2) == 0 { "a" } else { "b" },
                if numbers.below(2) == 0 { "u" } else { "v" },
            );
            if numbers.below(2) == 0 {
                let ceiling = numbers.below(400);
                if let Ok(made) = book.reserve(ask(who.clone(), now, Some(ceiling))) {
                    open.push((made.id, who, now, ceiling));
                }
            } else if !open.is_empty() {
                let place = usize::try_from(numbers.below(open.len() as u64)).unwrap();
                let (id, payer, at_us, ceiling) = open.swap_remove(place);
                let cost = numbers.below(420);
                beyond += cost.saturating_sub(ceiling);
                book.settle(id, Some(cost));
                restored.add(&Charge {
                    payer,
                    at_us,
                    cost_nanousd: Some(cost),
                });
            }
            if numbers.below(50) == 0 {
                book.replace(budgets(yaml), now);
            }
            for status in book.status(now) {
                let gone = status.spent_nanousd + status.reserved_nanousd;
                assert!(gone <= status.limit_nanousd + beyond, "{status:?}, {beyond} beyond ceilings");
            }
        }
        let text = serde_json::to_string(&restored).unwrap();
        let restored: Spending = serde_json::from_str(&text).unwrap();
        for (id, ..) in open {
            book.settle(id, Some(0));
        }
        let mut again = Book::new(budgets(yaml), restored, now);
        assert_eq!(again.status(now), book.status(now), "a restart forgets nothing");
    }
}

#[test]
fn what_is_wrong_with_the_file_is_named() {
    let check = |yaml: &str, expected: &str| {
        let found = match serde_yaml::from_str::<BudgetsFile>(yaml) {
            Ok(file) => file.budgets().unwrap_err().to_string(),
            Err(error) => error.to_string(),
        };
        assert!(found.contains(expected), "{yaml}: {found}");
    };
    let one = |more: &str| format!("budgets: [{{name: team, {more}}}]");
    check(&one("limit: 50usd"), "`budgets.team.limit`: say for how long");
    check(
        &one("limit: 50, per: month"),
        "`budgets.team.limit`: amounts are in US dollars",
    );
    check(&one("limit: [], per: month"), "invalid type: sequence, expected a string");
    check(
        &one("limit: '50', per: month"),
        "`budgets.team.limit`: amounts are in US dollars",
    );
    check(&one("limit: -1usd, per: month"), "`budgets.team.limit`: the amount is digits");
    check(
        &one("limit: 5usd/day, per: month"),
        "`budgets.team.limit`: the limit says for how long already",
    );
    check(&one("limit: 5usd, per: week"), "unknown variant `week`");
    check(&one("limit: 5usd/day, soft: 101%"), "`budgets.team.soft`: write `80%`");
    check(&one("limit: 5usd/day, soft: 6usd"), "`budgets.team.soft`");
    check(&one("limit: 5usd/day, soft: '+5%'"), "`budgets.team.soft`");
    check(&one("limit: 5usd/day, service: ''"), "`budgets.team.service`: a pattern has");
    check(&one("limit: 5usd/day, on_unknown_price: ask"), "unknown variant `ask`");
    check(&one("limit: 5usd/day, hard: yes"), "unknown field `hard`");
    check("budgets: [{limit: 5usd/day}]", "missing field `name`");
    check("budgets: [{name: 'A b', limit: 5usd/day}]", "`budgets.[0].name`: a name is");
    check("budgets: [{name: key_x, limit: 5usd/day}]", "does not begin with `key_`");
    check(
        "budgets: [{name: a, limit: 5usd/day}, {name: a, limit: 6usd/day}]",
        "`budgets.a.name`: another budget has this name",
    );
    let many: Vec<String> = (0..257).map(|n| format!("{{name: b{n}, limit: 1usd/day}}")).collect();
    check(&format!("budgets: [{}]", many.join(", ")), "more than 256 budgets");
    let read = budgets(TEAM);
    assert_eq!(
        read.first().unwrap(),
        &Budget {
            name: "team".into(),
            payers: Payers {
                service: Some("bill*".into()),
                ..Payers::default()
            },
            limit: Limit {
                limit_nanousd: 1_000,
                per: Period::Month
            },
            soft_nanousd: Some(800),
            on_unknown_price: OnUnknown::Allow,
        }
    );
}
