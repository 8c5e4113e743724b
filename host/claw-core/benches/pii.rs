//! How fast texts are looked through for personal data, and with a file of labelled texts how
//! well: `cargo bench -p claw-core --bench pii -- FILE.jsonl`, a line each of
//! `{"entity": …, "text": …, "expected_count": …}`.
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a bench prints, and may stop at the first surprise"
)]

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use claw_core::pii::{Detector, Inspector as _, PiiSettings};

fn main() {
    let detector = Detector::try_new(&PiiSettings::default()).unwrap();
    let ordinary =
        "The quick brown fox jumps over the lazy dog and orders 42 things at 10:30 for 13.50 each, see section 3.2. ".repeat(10);
    let letter =
        "Dear Ann, please call +49 30 1234567 or write to ann@example.com about IBAN DE89 3704 0044 0532 0130 00. ".repeat(10);
    println!("| text | bytes | µs | MB/s |\n|---|---|---|---|");
    for (name, text) in [
        ("ordinary", ordinary),
        ("full of data", letter),
        ("1 MB of digits", "1234567890".repeat(100_000)),
        ("1 MB of `a@`", "a@".repeat(500_000)),
        ("1 MB of hex", "deadbeef01".repeat(100_000)),
        ("1 MB of `-`", "-".repeat(1_000_000)),
    ] {
        let once = || {
            let started = Instant::now();
            let found = detector.inspect(&text).unwrap();
            (started.elapsed(), found.len())
        };
        let rounds = if text.len() < 10_000 { 501 } else { 5 };
        let mut times: Vec<Duration> = (0..rounds).map(|_| once().0).collect();
        times.sort();
        let median = times.get(times.len() / 2).copied().unwrap_or_default();
        let micros = median.as_secs_f64() * 1e6;
        println!(
            "| {name} | {} | {micros:.1} | {:.0} |",
            text.len(),
            text.len() as f64 / micros
        );
    }
    let Some(file) = std::env::args().skip(1).find(|argument| !argument.starts_with('-')) else {
        return;
    };
    let mut counts: BTreeMap<String, [u32; 4]> = BTreeMap::new();
    for line in std::fs::read_to_string(file).unwrap().lines() {
        let case: serde_json::Value = serde_json::from_str(line).unwrap();
        let text = |key: &str| case.get(key).and_then(serde_json::Value::as_str).unwrap_or_default();
        let expected = case.get("expected_count").and_then(serde_json::Value::as_u64).unwrap_or(0) > 0;
        let found = !detector.inspect(text("text")).unwrap().is_empty();
        let [with, hit, without, wrong] = counts.entry(text("entity").to_owned()).or_default();
        if expected {
            *with += 1;
            *hit += u32::from(found);
        } else {
            *without += 1;
            *wrong += u32::from(found);
        }
    }
    println!("\n| entity | texts with | found | texts without | found all the same |\n|---|---|---|---|---|");
    for (entity, [with, hit, without, wrong]) in counts {
        println!("| {entity} | {with} | {hit} | {without} | {wrong} |");
    }
}
