//! The cases of `test/`, run natively: the same inputs, cassettes and expectations that
//! `claw skill test` plays.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may stop at the first surprise"
)]

use claw_skill::serde_json::{Value, json};
use claw_skill::testing::{Cases, Host, Outcome};
use log_triage::LogTriage;

fn cases() -> Cases {
    Cases::new(concat!(env!("CARGO_MANIFEST_DIR"), "/test"))
}

/// An answer made of the question's own lines, as a model without language would.
fn sum_up(request: &Value) -> String {
    let question = request
        .pointer("/messages/1/parts/0/text")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let items: Vec<&str> = question.lines().filter(|line| line.starts_with("- ")).collect();
    format!("The log holds these groups:\n\n{}", items.join("\n"))
}

fn told(outcome: &Outcome) -> String {
    let asked = outcome.lines.iter().filter(|line| line["effect"] == "model");
    asked.map(|line| line["request"].to_string()).collect()
}

#[test]
fn the_cases_come_out_as_expected() {
    assert_eq!(cases().record_with(sum_up).run::<LogTriage>().unwrap(), 14);
}

#[test]
fn a_hostile_line_is_one_group_and_quoted() {
    let outcome = cases().outcome::<LogTriage>("hostile-line").unwrap();
    let groups = outcome.result.as_ref().unwrap()["groups"].as_array().unwrap().clone();
    assert_eq!(
        groups
            .iter()
            .map(|group| group["count"].as_u64().unwrap())
            .collect::<Vec<_>>(),
        [3, 1, 1]
    );
    assert!(!told(&outcome).contains("```"), "{}", told(&outcome));
}

#[test]
fn no_sample_is_told_to_the_model() {
    let outcome = cases().outcome::<LogTriage>("mixed-forms").unwrap();
    assert!(outcome.result.unwrap().to_string().contains("ada@example.com"));
    let asked: Vec<String> = outcome.lines.iter().map(|line| line["request"].to_string()).collect();
    assert!(!asked.concat().contains("ada@example.com"), "{asked:?}");
}

#[test]
fn a_large_log_is_read_whole() {
    let mut text = Vec::new();
    for number in 0..400_000 {
        let line = match number % 1_000 {
            0 => format!(
                "2026-01-02T03:04:05Z ERROR request {number} from 10.0.0.{} failed\n",
                number % 256
            ),
            _ => format!("2026-01-02T03:04:05Z INFO request {number} served in {}ms\n", number % 97),
        };
        text.extend_from_slice(line.as_bytes());
    }
    text.extend_from_slice(&vec![b'x'; 9 << 20]);
    let outcome = Host::new()
        .file("logs/big.log", text)
        .answer_models(sum_up)
        .invoke::<LogTriage>(json!({"path": "big.log"}));
    let output = outcome.result.unwrap();
    assert_eq!(
        (&output["lines"], &output["levels"]["error"], &output["groups"][0]["count"]),
        (&json!(400_001), &json!(400), &json!(400))
    );
    assert_eq!(output["groups"].as_array().unwrap().len(), 1);
    assert!(outcome.seen.progress.len() >= 4, "{:?}", outcome.seen.progress);
}
