use claw_store::{Figure, Span};

use super::*;

#[test]
fn everything_that_is_asked_for_is_there() {
    let totals = |calls, cost_nanousd| Totals {
        calls,
        ok: calls,
        cost_nanousd,
        ..Totals::default()
    };
    let mut stats = Stats::default();
    for (caller, found) in [
        ("busy", totals(9, 1)),
        ("dear", totals(1, 2_000_000)),
        ("same", totals(10, 1)),
    ] {
        stats.by_caller.insert(caller.to_owned(), found);
    }
    stats.by_model.insert("small".to_owned(), totals(1, 2_000_000));
    stats
        .by_caller_and_model
        .entry("dear".to_owned())
        .or_default()
        .insert("small".to_owned(), totals(1, 2_000_000));
    stats.errors.insert("model.timeout".to_owned(), 3);
    let latency = Latency {
        calls: 1,
        p50_us: 1_250,
        p95_us: 20_000,
        p99_us: 30_000,
        max_us: 30_999,
    };
    stats.latency.insert("small".to_owned(), latency);
    let unusual = Unusual {
        caller: "busy".to_owned(),
        figure: Figure::Calls,
        span: Span::Hour,
        value: 412,
        median: 37,
        deviation: 1,
        windows: 24,
        text: "busy: 412 calls in the last hour, 37 is usual (median of 24 h)".to_owned(),
    };
    insta::assert_snapshot!(text(&stats, &[unusual], Style::plain()), @"
    TOP CALLER  CALLS  OK  FAILED  TOKENS IN  TOKENS OUT  COST
    dear        1      1   0       0          0           $0.002
    same        10     10  0       0          0           $0.000000001
    busy        9      9   0       0          0           $0.000000001

    MODEL  CALLS  OK  FAILED  TOKENS IN  TOKENS OUT  COST
    small  1      1   0       0          0           $0.002

    CALLER · MODEL  CALLS  OK  FAILED  TOKENS IN  TOKENS OUT  COST
    dear · small    1      1   0       0          0           $0.002

    LATENCY  CALLS  P50 MS  P95 MS  P99 MS  MAX MS
    small    1      1.2     20.0    30.0    30.9

    ERROR          CALLS
    model.timeout  3

    UNUSUAL
    busy: 412 calls in the last hour, 37 is usual (median of 24 h)
    ");
}
