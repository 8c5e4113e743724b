#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use claw_core::audit::{Intent, Outcome, Status};
use claw_core::errors::{Code, Fault};
use claw_core::model;

use super::*;
use crate::testing::{Home, answer, call, intent};

fn used(cost_nanousd: Option<u64>) -> model::Usage {
    model::Usage {
        input_tokens: 100,
        output_tokens: 20,
        cached_tokens: 40,
        reasoning_tokens: 5,
        cost_nanousd,
        estimated: cost_nanousd == Some(3),
    }
}

fn model_call(caller: &str, model: &str, key: Option<&str>) -> Intent {
    Intent {
        capability: "llm.inference".into(),
        version: None,
        key: key.map(str::to_owned),
        model_use: Some("general".into()),
        model: Some(model.into()),
        provider: Some("openai".into()),
        ..intent(caller)
    }
}

fn done(cost_nanousd: Option<u64>) -> Outcome {
    Outcome {
        usage: Some(used(cost_nanousd)),
        ..answer("done")
    }
}

async fn home() -> Home {
    let home = Home::new();
    let journal = home.open();
    // A direct `llm.inference`: the invocation, and the model call that carries the cost.
    let around = Intent {
        capability: "llm.inference".into(),
        version: None,
        ..intent("billing")
    };
    let inside = Intent {
        parent: Some(around.id),
        ..model_call("billing", "small", Some("key_a"))
    };
    call(&journal, around, answer("done")).await;
    call(&journal, inside, done(Some(7))).await;
    call(&journal, model_call("billing", "large", None), done(None)).await;
    call(&journal, model_call("ci", "small", None), done(Some(3))).await;
    let refused = Outcome::failed(&Fault::new(Code::BudgetExceeded, "no"));
    call(&journal, model_call("ci", "small", None), refused).await;
    call(&journal, intent("ci"), answer("a skill")).await;
    journal.close().unwrap();
    home
}

#[tokio::test]
async fn each_model_call_counts_once_and_unknown_prices_are_counted_apart() {
    let home = home().await;
    let usage = home.reader().usage(&Filter::default(), UsageBy::Model).unwrap();
    let names: Vec<_> = usage.rows.iter().map(|row| row.name.as_deref()).collect();
    assert_eq!(names, [Some("large"), Some("small")]);
    assert_eq!(
        usage.total,
        UsageTotals {
            calls: 4,
            failed: 1,
            input_tokens: 300,
            output_tokens: 60,
            cached_tokens: 120,
            reasoning_tokens: 15,
            cost_nanousd: 10,
            cost_unknown_calls: 1,
            estimated_calls: 1,
        }
    );
    for by in [
        UsageBy::Service,
        UsageBy::Skill,
        UsageBy::Use,
        UsageBy::Key,
        UsageBy::Day,
        UsageBy::Provider,
    ] {
        let usage_by = home.reader().usage(&Filter::default(), by).unwrap();
        assert_eq!(usage_by.total, usage.total, "{by:?}");
        let costs: u64 = usage_by.rows.iter().map(|row| row.totals.cost_nanousd).sum();
        assert_eq!(costs, 10, "{by:?}");
    }
    let by_key = home.reader().usage(&Filter::default(), UsageBy::Key).unwrap();
    let names: Vec<_> = by_key.rows.iter().map(|row| row.name.as_deref()).collect();
    assert_eq!(names, [None, Some("key_a")]);
}

#[tokio::test]
async fn charges_are_the_costs_of_the_rows() {
    let home = home().await;
    let mut charges = Vec::new();
    let read = home.reader().charges(0, |charge| charges.push(charge.clone())).unwrap();
    assert_eq!(read, home.reader().last_seq().unwrap());
    let costs: Vec<_> = charges.iter().map(|charge| charge.cost_nanousd).collect();
    assert_eq!(costs, [Some(7), None, Some(3)]);
    let first = charges.first().unwrap();
    assert_eq!(
        (
            first.payer.service.as_str(),
            first.payer.key.as_deref(),
            first.payer.model_use.as_str()
        ),
        ("billing", Some("key_a"), "general")
    );
    let mut later = 0;
    home.reader().charges(read, |_| later += 1).unwrap();
    home.reader().charges(read + 100, |_| later += 1).unwrap();
    assert_eq!(later, 0);
}

#[tokio::test]
async fn a_call_that_is_cut_off_costs_what_was_set_aside_for_it() {
    let home = Home::new();
    let journal = home.open();
    let begun: Vec<_> = [Some(90), None]
        .into_iter()
        .map(|reserved_nanousd| {
            let intent = Intent {
                reserved_nanousd,
                ..model_call("billing", "small", None)
            };
            claw_core::ports::AuditLog::begin(&journal, intent).unwrap()
        })
        .collect();
    for begun in begun {
        begun.recorded.await.unwrap();
        std::mem::forget(begun.slot);
    }
    let copy = home.file("copy.db");
    crate::testing::tamper(&home.path(), &format!("VACUUM INTO '{}'", copy.display()));
    let (journal, recovered) = crate::Journal::open(&copy, &home.key).unwrap();
    assert_eq!(recovered.interrupted.len(), 2);
    journal.close().unwrap();
    let reader = Reader::open(&copy, &home.key).unwrap();
    let usage = reader.usage(&Filter::default(), UsageBy::Service).unwrap();
    let expected = UsageTotals {
        calls: 2,
        failed: 2,
        cost_nanousd: 90,
        estimated_calls: 1,
        ..UsageTotals::default()
    };
    assert_eq!(usage.total, expected);
    let mut charged = Vec::new();
    reader.charges(0, |charge| charged.push(charge.cost_nanousd)).unwrap();
    assert_eq!(charged, [Some(90)]);
    let entries = reader.tail(10).unwrap();
    assert!(entries.iter().all(|entry| entry.outcome == Status::Interrupted.into()));
}
