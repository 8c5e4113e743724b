#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use super::*;

fn home(files: &[(&str, &str)]) -> (tempfile::TempDir, Home) {
    let directory = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(directory.path().join(name), text).unwrap();
    }
    let home = Home::find(Some(directory.path().to_owned())).unwrap();
    (directory, home)
}

fn mistakes(files: &[(&str, &str)]) -> Vec<String> {
    let (_directory, home) = home(files);
    load(&home).unwrap_err().0.iter().map(ToString::to_string).collect()
}

#[test]
fn the_starter_files_load_and_are_left_alone_afterwards() {
    let (_directory, home) = home(&[]);
    home.create().unwrap();
    let written = write_starter(&home, &Exec::default()).unwrap();
    assert_eq!(written.len(), FILES.len());
    load(&home).unwrap();
    assert!(write_starter(&home, &Exec::default()).unwrap().is_empty());
}

#[test]
fn the_documented_form_of_all_three_files_loads() {
    let models = "
models:
  general:
    provider: anthropic
    model: claude-sonnet-4-20250514
    use_for: [summarization, drafting, general_queries]
  sensitive:
    provider: ollama
    model: llama4:8b
    use_for: [customer_data, financial_records, internal_docs]
";
    let channels = "
channels:
  - type: cli
    name: developer_terminal
  - type: slack
    name: team_notifications
    workspace: your-workspace
";
    let policies = "
policies:
  - name: audit_everything
    rule: log_all_requests_and_responses
    enforce: true
";
    let (_directory, home) = home(&[
        ("models.yaml", models),
        ("channels.yaml", channels),
        ("policies.yaml", policies),
    ]);
    let config = load(&home).unwrap();
    assert_eq!(config.channels.channels.len(), 2);
}

#[test]
fn all_mistakes_of_all_files_come_at_once_with_their_lines() {
    let found = mistakes(&[
        ("models.yaml", "models:\n  a:\n    provider: nobody\n    model: x\n"),
        ("policies.yaml", "policies:\n  - name: a\n    rule: be_nice\n"),
        ("channels.yaml", "channels: {}\nchannels: {}\n"),
        ("grants.yaml", "grants: {a: {files: {logs: {path: relative, access: read}}}}"),
    ]);
    assert_eq!(found.len(), 4, "{found:#?}");
    for (mistake, place) in found.iter().zip([
        "models.yaml",
        "policies.yaml:3",
        "channels.yaml:",
        "grants.yaml: `grants.a.files.logs.path`",
    ]) {
        assert!(mistake.starts_with(place), "{mistake}");
    }
}

#[test]
fn a_rule_that_cannot_be_enforced_is_named() {
    let found = mistakes(&[(
        "policies.yaml",
        "policies: [{name: p, rule: all_outputs_are_drafts, enforce: true}]",
    )]);
    assert_eq!(
        found,
        [
            "policies.yaml: policy `p`: this version cannot enforce `all_outputs_are_drafts`\nhint: say `enforce: false`, or take the rule out"
        ]
    );
}

#[test]
fn an_empty_file_says_nothing_and_a_broken_one_is_named() {
    let (_directory, home) = home(&[("models.yaml", "# nothing\n"), ("grants.yaml", "\u{feff}grants: {}\n")]);
    load(&home).unwrap();
    for text in ["models: [", "- a\n", "models: 3", "model: {}", "\u{0}"] {
        assert_eq!(mistakes(&[("models.yaml", text)]).len(), 1, "{text:?}");
    }
}
