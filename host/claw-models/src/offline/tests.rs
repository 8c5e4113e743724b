#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may stop at the first surprise"
)]

use futures::StreamExt as _;
use serde_json::{Value, json};

use super::*;
use crate::testing::ask;

fn answer(prompt: &str) -> String {
    let done = complete(&ask(prompt)).unwrap();
    assert!(done.offline && done.usage.estimated);
    assert_eq!(
        (done.model.as_str(), done.provider.as_str(), done.usage.cost_nanousd),
        ("offline", "offline", Some(0))
    );
    let text = done.message.joined_text();
    assert!(text.starts_with("> Made without a language model"), "{text}");
    text
}

/// The items of a checklist answer.
fn ticks(prompt: &str) -> Vec<String> {
    let text = answer(prompt);
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('>'));
    lines
        .map(|line| line.strip_prefix("- [ ] ").unwrap_or(&format!("no item: {line}")).to_owned())
        .collect()
}

#[test]
fn findings_in_json_become_a_checklist() {
    let prompt = r#"Write a markdown review checklist for this pull request.

- One item for each finding.
- Do not add others.

{"title": "Add login", "risk_flags": [
  {"severity": "high", "kind": "auth", "message": "session cookie without `Secure`", "file": "src/auth.rs", "line": 12},
  "large diff: 812 lines",
  {"id": 7, "message": "no test touches the changed lines"}
], "files": ["src/auth.rs", "README.md"]}
"#;
    assert_eq!(
        ticks(prompt),
        [
            "**high** auth: session cookie without `Secure` (`src/auth.rs:12`)",
            "large diff: 812 lines",
            "no test touches the changed lines"
        ]
    );
}

#[test]
fn findings_in_a_fence_or_as_flags_are_found() {
    let fenced = "Checklist, please.\n\n```json\n[{\"message\": \"first\"}, {\"message\": \"second\"}]\n```\n";
    assert_eq!(ticks(fenced), ["first", "second"]);
    let flags = "Checklist of:\n{\"risk_flags\": {\"touches_auth\": true, \"touches_ci\": false, \"size\": \"large\"}}";
    assert_eq!(ticks(flags), ["touches_auth", "size: large"]);
    let nested = "checklist {\"report\": {\"findings\": [\"deep\"]}, \"authors\": [\"ada\"]}";
    assert_eq!(ticks(nested), ["deep"]);
}

#[test]
fn findings_in_a_list_become_a_checklist() {
    let prompt = "Turn the findings into a checklist. Rules:\n\n1. Be short.\n2. Be kind.\n\n## Risk flags\n\n- `auth.rs` changed\n  - also its test\n- [ ] migration **without** a way back\n- `auth.rs` changed\n";
    assert_eq!(
        ticks(prompt),
        ["`auth.rs` changed", "also its test", "migration without a way back"]
    );
    let bare = "Checklist:\n\n* one\n* two\n";
    assert_eq!(ticks(bare), ["one", "two"], "without a name every list counts");
}

#[test]
fn a_checklist_of_nothing_invents_nothing() {
    let text = answer("Write a checklist for the weather.");
    assert!(text.contains("nothing to tick") && !text.contains("- [ ]"), "{text}");
}

#[test]
fn summaries_are_extracts_with_counts() {
    let prompt = "Summarize this document.\n\nThe gateway failed at noon. Nobody noticed until one. Logs were full. A fourth thing.\n\n\
                  # Cause\n\nA disk ran full. It was old.\n\n# Remedy\n\n- bigger disk\n- an alarm\n\n```sh\ndf -h\ndu -sh\n```\n";
    let text = answer(prompt);
    for needle in [
        "The gateway failed at noon. Nobody noticed until one. Logs were full.",
        "- **Cause**: A disk ran full.",
        "- **Remedy**",
        "2 headings, 2 list items, 1 code block, 2 lines of code",
    ] {
        assert!(text.contains(needle), "{needle:?} is not in {text}");
    }
    assert!(
        !text.contains("Summarize this"),
        "the order is not part of the matter: {text}"
    );
}

#[test]
fn what_it_cannot_write_it_says() {
    let text = answer("Draft a letter to the bank. The account is closed.");
    assert!(
        text.contains("cannot write what was asked for") && text.contains("The account is closed."),
        "{text}"
    );
}

fn instance(schema: Value, prompt: &str) -> Value {
    let request = CompletionRequest {
        response_schema: Some(schema),
        ..ask(prompt)
    };
    serde_json::from_str(&complete(&request).unwrap().message.joined_text()).unwrap()
}

#[test]
fn a_schema_is_filled_from_the_prompt() {
    let schema = json!({ "type": "object", "required": ["title", "severity", "risk_flags", "count", "done", "summary"], "properties": {
        "title": { "type": "string" }, "severity": { "enum": ["low", "high"] }, "count": { "type": "integer", "minimum": 1 },
        "risk_flags": { "type": "array", "items": { "type": "string" } }, "done": { "type": "boolean" }, "summary": { "type": "string" },
        "owner": { "type": "string" }, "unknown": { "type": "string" } } });
    let prompt =
        "# Release 7\n\nThe severity is high.\n\nowner: Ada Lovelace\ncount: 3\n\nRisk flags:\n\n- no tests\n- big diff\n";
    assert_eq!(
        instance(schema, prompt),
        json!({ "title": "Release 7", "severity": "high", "risk_flags": ["no tests", "big diff"], "count": 3, "done": false,
                "summary": "The severity is high.", "owner": "Ada Lovelace" })
    );
}

#[test]
fn values_of_the_prompts_json_are_taken_where_they_fit() {
    let schema = json!({ "type": "object", "required": ["number", "labels"], "properties": {
        "number": { "type": "integer" }, "labels": { "type": "array", "items": { "type": "string" } } } });
    assert_eq!(
        instance(schema.clone(), "{\"pr\": {\"number\": 7, \"labels\": [\"bug\"]}}"),
        json!({ "number": 7, "labels": ["bug"] })
    );
    assert_eq!(
        instance(schema, "{\"pr\": {\"number\": \"seven\", \"labels\": 1}}"),
        json!({ "number": 0, "labels": [] })
    );
}

#[test]
fn every_kind_of_schema_gets_a_value_that_fits() {
    let table = [
        json!({ "type": "string", "minLength": 5, "maxLength": 6 }),
        json!({ "type": "string", "format": "date-time" }),
        json!({ "type": ["null", "integer"], "minimum": 3 }),
        json!({ "type": "number", "exclusiveMaximum": -1 }),
        json!({ "type": "array", "minItems": 2, "maxItems": 2, "items": { "type": "boolean" } }),
        json!({ "const": { "a": [1] } }),
        json!({ "anyOf": [{ "type": "null" }, { "type": "object", "required": ["x"], "properties": { "x": { "$ref": "#/$defs/y" } } }],
                "$defs": { "y": { "enum": ["only"] } } }),
        json!({ "type": "object", "required": ["not_described"] }),
        json!({ "$defs": { "node": { "type": "object", "properties": { "next": { "$ref": "#/$defs/node" } } } }, "$ref": "#/$defs/node" }),
        json!({}),
    ];
    for schema in table {
        for prompt in ["Fill it.", "x: 1\n\n- a\n- b\n\n{\"next\": 5}"] {
            instance(schema.clone(), prompt);
        }
    }
}

#[test]
fn what_cannot_be_filled_is_told() {
    let fault = |schema: Value| {
        let request = CompletionRequest {
            response_schema: Some(schema),
            ..ask("x")
        };
        complete(&request).unwrap_err().code
    };
    assert_eq!(
        fault(json!({ "type": "string", "pattern": "^[0-9]{8}$" })),
        Code::ModelSchemaMismatch
    );
    assert_eq!(fault(json!({ "$ref": "https://example.com" })), Code::ModelInvalidRequest);
    let endless = json!({ "$defs": { "n": { "type": "object", "required": ["n"], "properties": { "n": { "$ref": "#/$defs/n" } } } }, "$ref": "#/$defs/n" });
    assert_eq!(fault(endless), Code::ModelSchemaMismatch);
    assert_eq!(
        complete(&CompletionRequest::default()).unwrap_err().code,
        Code::ModelInvalidRequest
    );
}

#[test]
fn the_same_prompt_gets_the_same_answer_and_no_prompt_is_too_strange() {
    let deep = format!("{}{}", "[".repeat(50_000), "> ".repeat(50_000));
    for prompt in [
        "",
        " ",
        "\u{0}\u{feff}\u{202e}",
        "```",
        "- ",
        "{\"a\":",
        "[ ] [1] {}",
        "#\n#\n",
        "checklist",
        &deep,
        "é".repeat(10).as_str(),
    ] {
        assert_eq!(
            complete(&ask(prompt)),
            complete(&ask(prompt)),
            "{:?}",
            prompt.chars().take(20).collect::<String>()
        );
    }
}

#[test]
fn a_token_limit_cuts_between_words_and_is_told() {
    let request = CompletionRequest {
        max_tokens: Some(10),
        ..ask("Summarize: one two three four.")
    };
    let done = complete(&request).unwrap();
    assert_eq!(done.finish, Finish::Length);
    assert!(done.message.joined_text().len() <= 40 && done.usage.output_tokens <= 10);
}

#[tokio::test]
async fn streams_come_by_the_word_and_add_up() {
    let events: Vec<_> = stream(&ask("Summarize. The sky is blue."))
        .unwrap()
        .map(Result::unwrap)
        .collect()
        .await;
    let (last, pieces) = events.split_last().unwrap();
    let text: String = pieces
        .iter()
        .map(|piece| {
            if let ModelEvent::TextDelta(text) = piece {
                text.as_str()
            } else {
                "?"
            }
        })
        .collect();
    let ModelEvent::Done(done) = last else {
        unreachable!("the last event is the answer")
    };
    assert_eq!(text, done.message.joined_text());
    assert!(pieces.len() > 10);
}

#[test]
fn vectors_are_of_length_one_and_near_for_the_same_words() {
    let found = embed(&["the quick fox", "Fox, the QUICK!", "an unrelated sentence", "", "世界"].map(str::to_owned));
    assert!(found.offline && found.usage.cost_nanousd == Some(0));
    let near = |a: usize, b: usize| {
        found.vectors[a]
            .iter()
            .zip(&found.vectors[b])
            .map(|(x, y)| x * y)
            .sum::<f32>()
    };
    for place in 0..found.vectors.len() {
        assert_eq!(found.vectors[place].len(), 256);
        assert!((near(place, place) - 1.0).abs() < 1e-5, "{place}");
    }
    assert!((near(0, 1) - 1.0).abs() < 1e-5);
    assert!(near(0, 2) < 0.5);
    // The value of a release: vectors that are stored stay comparable.
    let first = found.vectors[0].iter().position(|x| *x != 0.0);
    assert_eq!(
        first,
        embed(&["fox quick the".to_owned()]).vectors[0].iter().position(|x| *x != 0.0)
    );
}
