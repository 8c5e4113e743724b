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
        "policies: [{name: p, match: {provider: openai}, then: allow, enforce: true}]",
    )]);
    assert_eq!(found, ["policies.yaml: policy `p`: `provider` means nothing here"]);
}

#[test]
fn an_empty_file_says_nothing_and_a_broken_one_is_named() {
    let (_directory, home) = home(&[("models.yaml", "# nothing\n"), ("grants.yaml", "\u{feff}grants: {}\n")]);
    load(&home).unwrap();
    for text in ["models: [", "- a\n", "models: 3", "model: {}", "\u{0}"] {
        assert_eq!(mistakes(&[("models.yaml", text)]).len(), 1, "{text:?}");
    }
}

#[test]
fn a_grant_from_which_the_home_could_be_read_is_refused() {
    let (directory, home) = home(&[]);
    let link = tempfile::tempdir().unwrap();
    let linked = link.path().join("link");
    std::os::unix::fs::symlink(directory.path(), &linked).unwrap();
    let inside = directory.path().join("not/there/../yet");
    for (path, why) in [
        (Path::new("/"), "holds this home"),
        (directory.path(), "holds this home"),
        (linked.as_path(), "holds this home"),
        (inside.as_path(), "lies in this home"),
    ] {
        let grants = format!(
            "grants: {{a: {{files: {{logs: {{path: \"{}\", access: read}}}}}}}}",
            path.display()
        );
        std::fs::write(home.join("grants.yaml"), grants).unwrap();
        let mistakes = load(&home).unwrap_err().to_string();
        assert!(
            mistakes.starts_with("grants.yaml: `grants.a.files.logs.path`") && mistakes.contains(why),
            "{mistakes}"
        );
    }
    let grants = format!(
        "grants: {{a: {{files: {{logs: {{path: \"{}\", access: read}}}}}}}}",
        link.path().display()
    );
    std::fs::write(home.join("grants.yaml"), grants).unwrap();
    load(&home).unwrap();
}

#[test]
fn files_that_say_nothing_are_known() {
    let (_directory, home) = home(&[
        ("models.yaml", "# nothing\n"),
        ("grants.yaml", "grants: {}\n"),
        ("policies.yaml", ""),
        ("budgets.yaml", "budgets: []\n"),
        ("prices.yaml", "prices: {}\n"),
        ("context.yaml", "context: {}\n"),
    ]);
    let silent: Vec<&str> = load(&home).unwrap().silent.into_iter().collect();
    assert_eq!(silent, ["capabilities.yaml", "channels.yaml", "models.yaml", "policies.yaml"]);
}

#[test]
fn commands_are_added_to_a_file_that_nobody_edited_and_to_no_other() {
    let (_directory, home) = home(&[]);
    home.create().unwrap();
    write_starter(&home, &Exec::default()).unwrap();
    let git = |name: &str| Exec {
        presets: vec![claw_exec::Preset::Git],
        roots: [(name.to_owned(), "/tmp".into())].into(),
    };
    for name in ["one", "two"] {
        assert_eq!(write_starter(&home, &git(name)).unwrap(), ["capabilities.yaml"]);
    }
    let config = load(&home).unwrap();
    let roots = &config.capabilities.commands.get("git").unwrap().roots;
    assert_eq!(roots.keys().collect::<Vec<_>>(), ["one", "two"]);

    let path = home.join("capabilities.yaml");
    let edited = format!("# mine\n{}", std::fs::read_to_string(&path).unwrap());
    std::fs::write(&path, &edited).unwrap();
    assert!(write_starter(&home, &git("three")).is_err());
    assert_eq!(std::fs::read_to_string(&path).unwrap(), edited);
}
