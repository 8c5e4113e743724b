#![expect(clippy::indexing_slicing, reason = "a test stops at what it did not expect")]

//! What a good file becomes.

use serde_json::json;

use super::*;
use crate::grants::Access;

fn loaded(case: &str) -> Manifest {
    let file = cases().join(case).join("SKILL.md");
    let bytes = fs::read(&file).unwrap();
    load(&bytes, &Origin::of(&file))
        .manifest
        .unwrap_or_else(|| panic!("{case} does not load"))
}

#[test]
fn a_full_contract() {
    let manifest = loaded("full-contract");
    assert_eq!(manifest.name, "full-contract");
    assert_eq!(manifest.version, Version::new(1, 2, 0));
    assert!(manifest.version_declared && manifest.requests_declared && manifest.idempotent);
    assert_eq!(manifest.requires.bins, ["gh", "bash"]);
    assert_eq!(
        manifest.limits,
        Limits {
            memory_mb: 128,
            timeout_ms: 90_000,
            output_kb: 512
        }
    );
    assert_eq!(manifest.requests.files["logs"], Access::Read);
    assert_eq!(manifest.requests.files["out/reports"], Access::ReadWrite);
    assert!(manifest.requests.model.contains("summarization") && manifest.requests.capabilities.contains("skill:log-triage"));
    assert_eq!(manifest.config["team.name"].as_deref(), Some("core"));
    assert_eq!(manifest.config["style"], None);
    assert_eq!(
        manifest.headings,
        [Heading {
            level: 1,
            text: "Use".to_owned(),
            line: 42
        }]
    );
    assert_eq!(manifest.body_line, 42);

    let inputs = &manifest.contract.inputs;
    assert_eq!(inputs.validate(&json!({ "repo": "a/b", "pr_number": 3 })), Ok(()));
    assert_eq!(
        inputs.validate(&json!({ "repo": "a/b", "range": "x..y", "depth": 1 })),
        Ok(())
    );
    let message = |value| {
        inputs
            .validate(&value)
            .unwrap_err()
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join("; ")
    };
    assert_eq!(message(json!({ "repo": "a/b" })), "give exactly one of `pr_number`, `range`");
    assert_eq!(
        message(json!({ "repo": "a/b", "pr_number": 3, "range": "x" })),
        "give exactly one of `pr_number`, `range`"
    );
    assert_eq!(
        message(json!({ "repo": 1, "range": "x" })),
        "`/repo`: wants a string, got an integer"
    );
    assert_eq!(message(json!({ "range": "x" })), "`repo` is missing");
    let unknown = message(json!({ "repo": "a", "range": "x", "sha": 1 }));
    assert_eq!(unknown, "does not know `sha`; it knows `repo`, `pr_number`, `range`, `depth`");
}

#[test]
fn without_a_claw_block_a_skill_asks_for_a_model_and_its_commands() {
    let manifest = loaded("openclaw-form");
    assert!(!manifest.requests_declared);
    assert_eq!(manifest.requests.model.iter().collect::<Vec<_>>(), ["general"]);
    assert_eq!(manifest.requests.capabilities.iter().collect::<Vec<_>>(), ["exec.gh"]);
    assert_eq!(manifest.limits, Limits::default());
}

#[test]
fn a_claw_block_is_all_that_a_skill_asks_for() {
    let manifest = loaded("bins-and-claw");
    assert!(manifest.requests_declared);
    assert!(manifest.requests.capabilities.is_empty());
}

#[test]
fn without_a_contract_every_object_is_taken_and_nothing_else() {
    let contract = loaded("plain").contract;
    assert!(!contract.inputs.is_declared());
    assert_eq!(contract.inputs.validate(&json!({ "anything": [1] })), Ok(()));
    let refused = contract.inputs.validate(&json!("text")).unwrap_err();
    assert_eq!(refused[0].message, "wants an object, got a string");
}

#[test]
fn scalars_stay_as_they_are_written() {
    let manifest = loaded("yaml-scalars");
    assert_eq!(manifest.description, "yes");
    assert_eq!(manifest.license.as_deref(), Some("0x1F"));
    assert_eq!(manifest.version, Version::new(1, 10, 0));
    assert_eq!(
        serde_json::Value::Object(manifest.extra),
        json!({ "metadata": { "date": "2026-01-02", "octal": "010", "half": 0.5, "count": 7, "on": "off" } })
    );
}

#[test]
fn unknown_keys_are_kept_at_their_place() {
    let extra = serde_json::Value::Object(loaded("unknown-fields").extra);
    let expected = json!({
        "frobnicate": "yes",
        "metadata": { "author": "me", "openclaw": { "skillKey": "k", "requires": { "mood": "good" } } },
    });
    assert_eq!(extra, expected);
}

#[test]
fn merged_keys_give_way_to_the_map_s_own() {
    let extra = loaded("anchors").extra;
    assert_eq!(extra["other"], json!({ "b": 3, "a": 1 }));
}

#[test]
fn tools_are_split_outside_parentheses() {
    let text = "---\nname: x\ndescription: y\nallowed-tools: Read, Bash(git add *) Bash(jq:*)\n---\n";
    let manifest = load(text.as_bytes(), &Origin::new("SKILL.md", None)).manifest.unwrap();
    assert_eq!(manifest.allowed_tools, ["Read", "Bash(git add *)", "Bash(jq:*)"]);
}

#[test]
fn without_a_folder_the_name_is_not_compared() {
    let loaded = load(
        b"---\nname: any\ndescription: y\nversion: 1.0.0\n---\nz\n",
        &Origin::new("SKILL.md", None),
    );
    assert_eq!(loaded.diagnostics, []);
}
