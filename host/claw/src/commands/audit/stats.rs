//! `claw audit stats`: sums, latencies, errors, and what is unusual about callers.

use anyhow::Result;
use claw_core::cost::dollars;
use claw_store::time::now_us;
use claw_store::{Filter, Latency, Reader, Stats, Totals, Unusual};
use serde::Serialize;

use crate::commands::times;
use crate::exit::Exit;
use crate::output::{self, Style};

/// So many callers are shown as the top ones.
const TOP: usize = 10;

/// What is printed as JSON.
#[derive(Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    stats: &'a Stats,
    top_callers: Vec<Top<'a>>,
    unusual: &'a [Unusual],
}

/// A caller, and what it did.
#[derive(Serialize)]
struct Top<'a> {
    caller: &'a str,
    #[serde(flatten)]
    totals: &'a Totals,
}

/// Runs the command. What is unusual is looked for whatever `since` says.
pub(super) fn run(reader: &Reader, since: Option<&str>, as_json: bool) -> Result<Exit> {
    let filter = Filter {
        since_us: since.map(|since| times::at_us("--since", since)).transpose()?,
        ..Filter::default()
    };
    let stats = reader.stats(&filter)?;
    let unusual = reader.unusual(now_us())?;
    if as_json {
        output::json(&Shown {
            top_callers: top(&stats),
            stats: &stats,
            unusual: &unusual,
        });
    } else {
        output::line(text(&stats, &unusual, Style::stdout()).trim_end());
    }
    Ok(Exit::Ok)
}

/// Those who cost most first; of two who cost the same, the one who called more.
fn top(stats: &Stats) -> Vec<Top<'_>> {
    let callers = stats.by_caller.iter();
    let mut top: Vec<_> = callers.map(|(caller, totals)| Top { caller, totals }).collect();
    top.sort_by_key(|top| std::cmp::Reverse((top.totals.cost_nanousd, top.totals.calls)));
    top.truncate(TOP);
    top
}

fn text(stats: &Stats, unusual: &[Unusual], style: Style) -> String {
    let mut parts = Vec::new();
    let mut sums = |head: &str, rows: Vec<Vec<String>>| {
        if !rows.is_empty() {
            let head = [head, "CALLS", "OK", "FAILED", "TOKENS IN", "TOKENS OUT", "COST"];
            parts.push(output::table(&head, &rows, style));
        }
    };
    sums(
        "TOP CALLER",
        top(stats).iter().map(|top| row(top.caller, top.totals)).collect(),
    );
    sums(
        "MODEL",
        stats.by_model.iter().map(|(name, totals)| row(name, totals)).collect(),
    );
    let crossed = stats.by_caller_and_model.iter().flat_map(|(caller, models)| {
        models
            .iter()
            .map(move |(model, totals)| row(&format!("{caller} · {model}"), totals))
    });
    sums("CALLER · MODEL", crossed.collect());
    sums(
        "CAPABILITY",
        stats.by_capability.iter().map(|(name, totals)| row(name, totals)).collect(),
    );
    if !stats.latency.is_empty() {
        let rows: Vec<_> = stats.latency.iter().map(|(model, found)| latency(model, found)).collect();
        let head = ["LATENCY", "CALLS", "P50 MS", "P95 MS", "P99 MS", "MAX MS"];
        parts.push(output::table(&head, &rows, style));
    }
    if !stats.errors.is_empty() {
        let rows = stats.errors.iter().map(|(code, calls)| vec![code.clone(), calls.to_string()]);
        parts.push(output::table(&["ERROR", "CALLS"], &rows.collect::<Vec<_>>(), style));
    }
    if !unusual.is_empty() {
        let lines = unusual.iter().map(|found| output::printable(&found.text) + "\n");
        parts.push(format!("{}\n{}", style.yellow("UNUSUAL"), lines.collect::<String>()));
    }
    parts.join("\n")
}

fn row(name: &str, totals: &Totals) -> Vec<String> {
    let unknown = if totals.cost_unknown_calls > 0 {
        format!(" + {} unknown", totals.cost_unknown_calls)
    } else {
        String::new()
    };
    vec![
        name.to_owned(),
        totals.calls.to_string(),
        totals.ok.to_string(),
        (totals.error + totals.abandoned + totals.interrupted).to_string(),
        totals.input_tokens.to_string(),
        totals.output_tokens.to_string(),
        format!("{}{unknown}", dollars(totals.cost_nanousd)),
    ]
}

fn latency(model: &str, found: &Latency) -> Vec<String> {
    let millis = |micros: u64| format!("{}.{}", micros / 1_000, micros % 1_000 / 100);
    vec![
        model.to_owned(),
        found.calls.to_string(),
        millis(found.p50_us),
        millis(found.p95_us),
        millis(found.p99_us),
        millis(found.max_us),
    ]
}

#[cfg(test)]
mod tests;
