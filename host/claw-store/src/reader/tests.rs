#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may stop at the first surprise"
)]

mod format;
mod tampering;

use claw_core::audit::{Intent, Outcome, Status};
use claw_core::errors::{Code, Fault};
use claw_core::journal::{Effect, Line, to_jsonl};
use claw_core::model::Usage;
use claw_core::ports::AuditLog as _;

use super::*;
use crate::Journal;
use crate::testing::{Home, answer, body, call, intent, until};
use crate::time::now_us;

fn failed(code: Code) -> Outcome {
    Outcome::failed(&Fault::new(code, "no"))
}

async fn as_(journal: &Journal, caller: &str, capability: &str, outcome: Outcome) -> InvocationId {
    let version = capability.starts_with("skill:").then(|| "1.0.0".to_owned());
    call(
        journal,
        Intent {
            capability: capability.to_owned(),
            version,
            ..intent(caller)
        },
        outcome,
    )
    .await
}

#[tokio::test]
async fn filters_choose_calls() {
    let home = Home::new();
    let journal = home.open();
    let mut model = answer("");
    model.model = Some("small-1".to_owned());
    let a = as_(&journal, "ci", "skill:log-triage", answer("")).await;
    let b = as_(&journal, "ci", "exec.git", failed(Code::ExecDenied)).await;
    let c = as_(&journal, "bot \"q\"\n", "skill:log-triage", failed(Code::SkillTrap)).await;
    let d = as_(&journal, "bot", "llm.inference", model).await;
    let open = intent("ci");
    let e = open.id;
    let begun = journal.begin(open).unwrap();
    begun.recorded.await.unwrap();

    let reader = home.reader();
    let check = |filter: Filter, expected: &[InvocationId]| {
        let page = reader.query(&filter).unwrap();
        assert_eq!(
            page.entries.iter().map(|entry| entry.id).collect::<Vec<_>>(),
            expected,
            "{filter:?}"
        );
        assert_eq!(page.next, None);
    };
    let all = Filter::default;
    let text = |text: &str| Some(text.to_owned());
    check(all(), &[e, d, c, b, a]);
    check(
        Filter {
            caller: text("ci"),
            ..all()
        },
        &[e, b, a],
    );
    check(
        Filter {
            caller: text("bot \"q\"\n"),
            ..all()
        },
        &[c],
    );
    check(
        Filter {
            caller: text("c"),
            ..all()
        },
        &[],
    );
    check(
        Filter {
            capability: text("log-triage"),
            ..all()
        },
        &[e, c, a],
    );
    check(
        Filter {
            capability: text("skill:log-triage"),
            ..all()
        },
        &[e, c, a],
    );
    check(
        Filter {
            capability: text("skill:log-triage@1.0.0"),
            ..all()
        },
        &[e, c, a],
    );
    check(
        Filter {
            capability: text("log-triage@1.0.1"),
            ..all()
        },
        &[],
    );
    check(
        Filter {
            capability: text("exec.git"),
            ..all()
        },
        &[b],
    );
    check(
        Filter {
            outcome: Some(EntryStatus::Error),
            ..all()
        },
        &[c, b],
    );
    check(
        Filter {
            outcome: Some(EntryStatus::Open),
            ..all()
        },
        &[e],
    );
    check(
        Filter {
            code: text("skill.trap"),
            ..all()
        },
        &[c],
    );
    check(
        Filter {
            model: text("small-1"),
            ..all()
        },
        &[d],
    );
    check(
        Filter {
            caller: text("ci"),
            outcome: Some(EntryStatus::Error),
            code: text("exec.denied"),
            ..all()
        },
        &[b],
    );
    check(
        Filter {
            until_us: Some(0),
            ..all()
        },
        &[],
    );
    check(
        Filter {
            since_us: Some(now_us() + 60_000_000),
            ..all()
        },
        &[],
    );
    check(
        Filter {
            since_us: Some(0),
            until_us: Some(i64::MAX),
            ..all()
        },
        &[e, d, c, b, a],
    );
    check(
        Filter {
            since_us: Some(i64::MAX),
            until_us: Some(i64::MIN),
            ..all()
        },
        &[],
    );
    check(
        Filter {
            before_seq: Some(0),
            ..all()
        },
        &[],
    );
    check(
        Filter {
            before_seq: Some(3),
            ..all()
        },
        &[a],
    );
    journal.close().unwrap();
}

#[tokio::test]
async fn times_bound_the_rows() {
    let home = Home::with_calls(50).await;
    // One call a second, from second 1.
    home.tamper("UPDATE journal SET at_us = (seq + 1) / 2 * 1000000");
    let reader = home.reader();
    let between = |since_us, until_us| {
        let page = reader
            .query(&Filter {
                since_us,
                until_us,
                ..Filter::default()
            })
            .unwrap();
        page.entries.iter().map(|entry| entry.seq).rev().collect::<Vec<_>>()
    };
    assert_eq!(between(Some(10_000_000), Some(12_000_000)), [19, 21]);
    assert_eq!(between(Some(10_000_001), Some(12_000_001)), [21, 23]);
    assert_eq!(between(None, Some(2_000_000)), [1]);
    assert_eq!(between(Some(50_000_000), None), [99]);
    assert_eq!(between(Some(51_000_000), None), [] as [u64; 0]);
}

#[tokio::test]
async fn pages_cover_every_call_once() {
    let home = Home::with_calls(25).await;
    let reader = home.reader();
    for limit in [1, 7, 24, 25, 26] {
        let mut filter = Filter {
            limit,
            ..Filter::default()
        };
        let mut seen = Vec::new();
        loop {
            let page = reader.query(&filter).unwrap();
            assert!(page.entries.len() <= limit);
            seen.extend(page.entries.iter().map(|entry| entry.seq));
            filter.before_seq = page.next;
            if page.next.is_none() {
                break;
            }
        }
        assert_eq!(
            seen,
            (0..25).rev().map(|call| call * 2 + 1).collect::<Vec<_>>(),
            "pages of {limit}"
        );
    }
    let none = reader
        .query(&Filter {
            limit: 0,
            ..Filter::default()
        })
        .unwrap();
    assert!(none.entries.is_empty());
    let tail: Vec<u64> = reader.tail(3).unwrap().iter().map(|entry| entry.seq).collect();
    assert_eq!(tail, [45, 47, 49]);
    assert_eq!(reader.tail(1_000).unwrap().len(), 25);
    assert!(reader.tail(0).unwrap().is_empty());
}

#[tokio::test]
async fn a_rare_call_is_found_beyond_one_page_of_rows() {
    let home = Home::with_calls(1).await;
    let last = 1_000_000;
    // A long journal in little time: rows of no call.
    home.tamper(&format!(
        "WITH RECURSIVE n(seq) AS (SELECT 3 UNION ALL SELECT seq + 1000 FROM n WHERE seq < {last})
         INSERT INTO journal(seq, at_us, kind, body, hash) SELECT seq, 4000000000000000, 2, '{{}}', x'00' FROM n"
    ));
    let reader = home.reader();
    let mut filter = Filter {
        caller: Some("tester".to_owned()),
        ..Filter::default()
    };
    let mut pages = 0;
    let found = loop {
        let page = reader.query(&filter).unwrap();
        pages += 1;
        filter.before_seq = page.next;
        if page.next.is_none() {
            break page.entries;
        }
        assert!(page.entries.is_empty());
    };
    assert_eq!((found.len(), found[0].seq, pages), (1, 1, 21));
    assert_eq!(reader.tail(1).unwrap()[0].seq, 1);
    let stats = |before_seq| {
        reader
            .stats(&Filter {
                before_seq,
                ..filter.clone()
            })
            .unwrap()
            .total
            .calls
    };
    assert_eq!((stats(None), stats(Some(1))), (1, 0), "`before_seq` bounds sums too");
}

#[tokio::test]
async fn following_yields_what_ends_in_its_order() {
    let home = Home::new();
    let journal = home.open();
    let (first, second) = (intent("first"), intent("second"));
    let (first_id, second_id) = (first.id, second.id);
    let (first, second) = (journal.begin(first).unwrap(), journal.begin(second).unwrap());
    let reader = home.reader();
    second.slot.finish(answer("")).await.unwrap();
    let followed = reader.since(0, 100).unwrap();
    assert_eq!(
        (followed.entries.len(), followed.entries[0].id, followed.seq),
        (1, second_id, 3)
    );
    let idle = reader.since(followed.seq, 100).unwrap();
    assert_eq!((idle.entries.len(), idle.seq), (0, 3));
    first.slot.finish(answer("")).await.unwrap();
    let followed = reader.since(followed.seq, 100).unwrap();
    assert_eq!((followed.entries[0].id, followed.seq), (first_id, 4));
    assert_eq!(reader.since(0, 1).unwrap().seq, 3);
    assert_eq!(reader.since(u64::MAX >> 1, 1).unwrap().entries.len(), 0);
    journal.close().unwrap();
}

#[tokio::test]
async fn a_call_is_shown_with_what_it_made() {
    let home = Home::new();
    let journal = home.open();
    let root = intent("ci");
    let root_id = root.id;
    let entry = journal.begin(root).unwrap();
    let child = Intent {
        parent: Some(root_id),
        skill: Some("log-triage".to_owned()),
        ..intent("ci")
    };
    let child_id = child.id;
    let held = journal.begin(child).unwrap();
    let grandchild = call(
        &journal,
        Intent {
            parent: Some(child_id),
            ..intent("ci")
        },
        answer(""),
    )
    .await;
    held.slot.finish(answer("")).await.unwrap();
    call(&journal, intent("stranger"), answer("")).await;
    let sibling = call(
        &journal,
        Intent {
            parent: Some(root_id),
            ..intent("ci")
        },
        failed(Code::ExecTimeout),
    )
    .await;
    let lines = vec![Line {
        at_us: 5,
        effect: Effect::Progress {
            message: "half".to_owned(),
            percent: Some(50),
        },
    }];
    let journal_bytes = String::from_utf8(to_jsonl(&lines)).unwrap();
    entry
        .slot
        .finish(Outcome {
            journal: body(&journal_bytes, true),
            effects: 1,
            ..answer("")
        })
        .await
        .unwrap();

    let tree = home.reader().show(root_id).unwrap().unwrap();
    assert_eq!(
        tree.children.iter().map(|child| child.entry.id).collect::<Vec<_>>(),
        [child_id, sibling]
    );
    assert_eq!(tree.children[0].children[0].entry.id, grandchild);
    assert_eq!((tree.journal, tree.entry.effects, tree.cut), (Some(lines), 1, false));
    assert_eq!((tree.request, tree.response), (BodyView::Hashed, BodyView::None));
    assert_eq!(
        home.reader()
            .show(InvocationId::from_bytes([0; 16]))
            .unwrap()
            .map(|tree| tree.entry),
        None
    );
    journal.close().unwrap();
}

#[tokio::test]
async fn a_huge_tree_and_a_circle_are_cut() {
    let home = Home::with_calls(1).await;
    let root = home.reader().tail(1).unwrap()[0].id;
    let journal = home.open();
    for _ in 0..2_010 {
        drop(
            journal
                .begin(Intent {
                    parent: Some(root),
                    ..intent("ci")
                })
                .unwrap(),
        );
    }
    journal.close().unwrap();
    let tree = home.reader().show(root).unwrap().unwrap();
    assert_eq!((tree.children.len(), tree.cut), (1_999, true));
    home.tamper("UPDATE journal SET parent = call WHERE seq = 1; DELETE FROM journal WHERE seq > 2");
    let tree = home.reader().show(root).unwrap().unwrap();
    assert_eq!(tree.children.len(), 1);
}

#[tokio::test]
async fn sums_keep_unknown_costs_apart() {
    let home = Home::new();
    let journal = home.open();
    let used = |input: u64, cost: Option<u64>| {
        let usage = Usage {
            input_tokens: input,
            output_tokens: 2,
            cached_tokens: 1,
            cost_nanousd: cost,
            ..Usage::default()
        };
        Outcome {
            model: Some("small-1".to_owned()),
            usage: Some(usage),
            ..answer("")
        }
    };
    as_(&journal, "ci", "llm.inference", used(10, Some(700))).await;
    as_(&journal, "ci", "llm.inference", used(20, None)).await;
    as_(&journal, "bot", "skill:log-triage", failed(Code::SkillTrap)).await;
    drop(journal.begin(intent("bot")).unwrap());
    journal.close().unwrap();
    let stats = home.reader().stats(&Filter::default()).unwrap();
    let models = Totals {
        calls: 2,
        ok: 2,
        input_tokens: 30,
        output_tokens: 4,
        cached_tokens: 2,
        cost_nanousd: 700,
        cost_unknown_calls: 1,
        ..Totals::default()
    };
    assert_eq!(
        stats.total,
        Totals {
            calls: 4,
            error: 1,
            abandoned: 1,
            ..models.clone()
        }
    );
    assert_eq!(stats.by_caller["ci"], models);
    assert_eq!(
        stats.by_model.into_iter().collect::<Vec<_>>(),
        [("small-1".to_owned(), models)]
    );
    assert_eq!(
        stats.by_capability["skill:log-triage@1.0.0"],
        Totals {
            calls: 2,
            error: 1,
            abandoned: 1,
            ..Totals::default()
        }
    );
    let of_bot = home
        .reader()
        .stats(&Filter {
            caller: Some("bot".to_owned()),
            ..Filter::default()
        })
        .unwrap();
    assert_eq!(of_bot.total.calls, 2);
}

#[test]
fn where_there_is_no_journal_the_words_say_so() {
    let home = Home::new();
    let refused = Reader::open(&home.path(), &home.key).map(|_| ()).unwrap_err();
    assert!(
        refused.to_string().contains("no journal at `") && refused.to_string().contains("hint: "),
        "{refused}"
    );
    std::fs::write(home.path(), "").unwrap();
    assert!(matches!(
        Reader::open(&home.path(), &home.key).map(|_| ()).unwrap_err(),
        StoreError::Missing { .. }
    ));
}

#[tokio::test]
async fn what_a_killed_writer_left_is_read_as_it_lies() {
    let home = Home::new();
    let journal = home.open();
    call(&journal, intent("ci"), answer("in the log only")).await;
    let left = Home::new();
    for name in ["journal.db", "journal.db-wal"] {
        std::fs::copy(home.file(name), left.file(name)).unwrap();
    }
    assert!(std::fs::metadata(left.file("journal.db-wal")).unwrap().len() > 0);
    for _ in 0..2 {
        let reader = left.reader();
        assert_eq!(reader.tail(10).unwrap().len(), 1);
        drop(reader);
        assert!(
            std::fs::metadata(left.file("journal.db-wal")).unwrap().len() > 0,
            "a reader changes nothing"
        );
    }
    journal.close().unwrap();
    assert_eq!(home.reader().tail(10).unwrap().len(), 1, "and where no log is left");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_reads_while_a_gateway_writes() {
    let home = Home::new();
    let journal = home.open();
    let writing = tokio::spawn({
        let journal = journal.clone();
        async move {
            for _ in 0..1_500 {
                call(&journal, intent("ci"), answer("done")).await;
            }
        }
    });
    let (reader, mut place, mut seen, mut last) = (home.reader(), 0, 0, 0);
    while seen < 1_500 {
        let followed = reader.since(place, 100).unwrap();
        (place, seen) = (followed.seq, seen + followed.entries.len());
        let verified = reader.verify().unwrap();
        assert!(verified.ok && verified.entries >= last, "{verified:?}");
        last = verified.entries;
    }
    writing.await.unwrap();
    until("the anchor follows", || {
        let head = reader.anchor.read().unwrap();
        matches!(head, crate::journal::anchor::Found::At(head) if head.seq == 3_000)
    });
    journal.close().unwrap();
}

#[tokio::test]
async fn a_row_that_cannot_be_read_is_named() {
    let home = Home::with_calls(3).await;
    home.tamper("UPDATE journal SET body = '{\"status\":\"splendid\"}' WHERE seq = 4");
    for refused in [
        home.reader().tail(10).map(|_| ()).unwrap_err(),
        home.reader().since(0, 10).map(|_| ()).unwrap_err(),
        home.reader().stats(&Filter::default()).map(|_| ()).unwrap_err(),
    ] {
        assert!(matches!(refused, StoreError::BadRow { seq: 4, .. }), "{refused}");
        assert!(refused.to_string().contains("hint: `claw audit verify`"), "{refused}");
    }
    assert_eq!(home.reader().tail(1).unwrap().len(), 1, "the others can still be read");
}

#[test]
fn statuses_have_one_word_each() {
    for status in EntryStatus::ALL {
        assert_eq!(serde_json::to_value(status).unwrap(), status.to_string());
    }
    for status in [Status::Ok, Status::Error, Status::Abandoned, Status::Interrupted] {
        assert_eq!(
            serde_json::to_value(status).unwrap(),
            serde_json::to_value(EntryStatus::from(status)).unwrap()
        );
    }
}

#[tokio::test]
async fn latencies_errors_and_costs_are_told_apart_by_model_and_caller() {
    let home = Home::new();
    let journal = home.open();
    let model_call = |caller: &str| Intent {
        capability: "llm.inference".to_owned(),
        version: None,
        model_use: Some("general".to_owned()),
        model: Some("small-1".to_owned()),
        ..intent(caller)
    };
    for latency_us in 1..=100 {
        let caller = if latency_us <= 50 { "ci" } else { "bot" };
        let mut slot = journal.begin(model_call(caller)).unwrap();
        (&mut slot.recorded).await.unwrap();
        let outcome = Outcome {
            latency_us: latency_us * 1_000,
            usage: Some(Usage {
                cost_nanousd: Some(latency_us),
                ..Usage::default()
            }),
            ..answer("")
        };
        slot.slot.finish(outcome).await.unwrap();
    }
    call(&journal, model_call("ci"), failed(Code::ModelTimeout)).await;
    journal.close().unwrap();
    let stats = home.reader().stats(&Filter::default()).unwrap();
    let latency = stats.latency["small-1"];
    assert_eq!(latency.calls, 100, "what failed took no time to answer");
    for (found, millis) in [
        (latency.p50_us, 50),
        (latency.p95_us, 95),
        (latency.p99_us, 99),
        (latency.max_us, 100),
    ] {
        let exact: u64 = millis * 1_000;
        assert!(found.abs_diff(exact) <= exact / 1_000 + 1, "{found} for {exact}");
    }
    assert_eq!(
        stats.errors.into_iter().collect::<Vec<_>>(),
        [("model.timeout".to_owned(), 1)]
    );
    assert_eq!(stats.by_caller_and_model["ci"]["small-1"].cost_nanousd, 1_275);
    assert_eq!(stats.by_caller_and_model["bot"]["small-1"].cost_nanousd, 3_775);
    assert_eq!((stats.total.model_calls, stats.total.cost_nanousd), (101, 5_050));
}
