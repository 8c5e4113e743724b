use super::*;

fn errors(yaml: &str) -> String {
    match try_load(yaml, &environment()) {
        Ok(_) => "no error".to_owned(),
        Err(errors) => errors.to_string(),
    }
}

#[test]
fn what_cannot_be_made_safe_is_refused_by_its_key() {
    for (yaml, key, words) in [
        ("concurrency: 0", "`concurrency`", "0 lets nothing run"),
        (
            "commands: {a/b: {allow: [{args: x}]}}",
            "`commands.a/b`",
            "no name of a command",
        ),
        ("commands: {x: {}}", "`commands.x.allow`", "no rule allows anything"),
        ("commands: {x: {preset: git}}", "`commands.x.preset`", "rules for `git`"),
        (
            "commands: {x: {path: bin/x, allow: [{args: y}]}}",
            "`commands.x.path`",
            "not an absolute path",
        ),
        (
            "commands: {x: {roots: {r: here}, allow: [{args: y}]}}",
            "`commands.x.roots.r`",
            "not an absolute path",
        ),
        (
            "commands: {x: {roots: {r: /no/such}, allow: [{args: y}]}}",
            "`commands.x.roots.r`",
            "does not exist",
        ),
        (
            "commands: {x: {roots: {r: /etc/passwd}, allow: [{args: y}]}}",
            "`commands.x.roots.r`",
            "no directory",
        ),
        (
            "commands: {x: {roots: {r: /}, allow: [{args: y}]}}",
            "`commands.x.roots.r`",
            "cannot be a root",
        ),
        (
            "commands: {x: {roots: {-r: /tmp}, allow: [{args: y}]}}",
            "`commands.x.roots.-r`",
            "no name for a root",
        ),
        (
            "commands: {x: {timeout_ms: 0, allow: [{args: y}]}}",
            "`commands.x.timeout_ms`",
            "out of bounds",
        ),
        (
            "commands: {x: {output_kb: 99999, allow: [{args: y}]}}",
            "`commands.x.output_kb`",
            "out of bounds",
        ),
        (
            "commands: {x: {allow: [{args: 'a ** b'}]}}",
            "`commands.x.allow[0].args`",
            "before the end",
        ),
        (
            "commands: {x: {allow: [{args: a}, {args: '<what>'}]}}",
            "`commands.x.allow[1].args`",
            "is no place",
        ),
        (
            "commands: {x: {env: [LD_PRELOAD], allow: [{args: y}]}}",
            "`commands.x.env`",
            "`LD_PRELOAD` cannot be passed on",
        ),
        (
            "commands: {x: {env: [PATH], allow: [{args: y}]}}",
            "`commands.x.env`",
            "`PATH`",
        ),
        (
            "commands: {x: {env: [GIT_SSH_COMMAND], allow: [{args: y}]}}",
            "`commands.x.env`",
            "`GIT_SSH_COMMAND`",
        ),
        (
            "commands: {bash: {allow: [{args: '*'}]}}",
            "`commands.bash.allow[0].args`",
            "is a program",
        ),
        (
            "commands: {python3.13: {allow: [{args: '-c *'}]}}",
            "`commands.python3.13.allow[0].args`",
            "is a program",
        ),
        (
            "commands: {tool: {path: /bin/sh, allow: [{args: '-c *'}]}}",
            "`commands.tool.allow[0].args`",
            "is a program",
        ),
    ] {
        let text = errors(yaml);
        assert!(
            text.contains(key) && text.contains(words) && text.contains("hint: "),
            "{yaml}\n{text}"
        );
    }
}

#[test]
fn rules_for_git_keep_to_what_can_be_made_safe() {
    for (args, words) in [
        ("-c alias.x=!sh x", "no subcommand"),
        ("* --oneline", "no subcommand"),
        ("status", "no subcommand"),
        ("commit -m *", "no subcommand"),
        ("fetch origin", "no subcommand"),
        ("x", "no subcommand"),
        ("diff", "without `<range>`"),
        ("diff * --", "without `<range>`"),
        ("diff -- <range>", "without `<range>`"),
        ("diff <range>", "without a later `--`"),
        ("log *", "without a later `--`"),
        ("log **", "without a later `--`"),
        ("diff --output=* <range> --", "`--output="),
        ("diff --outp=x <range> --", "`--outp=x`"),
        ("diff --no-index <range> --", "`--no-index`"),
        ("diff --ext-diff <range> --", "`--ext-diff`"),
        ("diff --textconv <range> --", "`--textconv`"),
        ("diff --submodule=diff <range> --", "`--submodule=diff`"),
        ("diff -Ofile <range> --", "`-Ofile`"),
        ("log --show-signature <rev> --", "`--show-signature`"),
        ("log --format=%G? <rev> --", "`--format=%G?`"),
        ("cat-file --filters <rev>", "`--filters`"),
        ("rev-parse --git-dir=x", "`--git-dir=x`"),
    ] {
        let text = errors(&format!("commands: {{git: {{allow: [{{args: '{args}', effects: none}}]}}}}"));
        assert!(
            text.contains("`commands.git.allow[0].args`") && text.contains(words),
            "{args}\n{text}"
        );
    }
    for args in [
        "diff --stat --end-of-options <range> -- <path>",
        "log --max-count=<int> <rev> -- **",
        "rev-parse --verify <rev>",
    ] {
        assert_eq!(
            errors(&format!("commands: {{git: {{allow: [{{args: '{args}'}}]}}}}")),
            "no error",
            "{args}"
        );
    }
}

#[test]
fn git_under_another_name_is_git() {
    let text = errors("commands: {vcs: {path: /usr/bin/git, allow: [{args: 'status'}]}}");
    assert!(text.contains("no subcommand"), "{text}");
}

#[test]
fn all_that_is_wrong_is_said_at_once() {
    let text = errors("commands: {x: {timeout_ms: 0, output_kb: 0, allow: [{args: ''}]}}");
    assert_eq!(text.matches("hint: ").count(), 3, "{text}");
}

#[test]
fn unknown_keys_are_refused() {
    for yaml in [
        "commands: {x: {shell: true}}",
        "command: {}",
        "commands: {x: {allow: [{args: y, effect: none}]}}",
        "commands: {x: {preset: npm}}",
    ] {
        assert!(serde_yaml::from_str::<CapabilitiesFile>(yaml).is_err(), "{yaml}");
    }
}

#[test]
fn a_binary_below_a_root_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let yaml = script(folder.path(), "true") + &format!("    roots: {{here: {}}}\n", folder.path().display());
    assert!(errors(&yaml).contains("lies below the root `here`"), "{}", errors(&yaml));
}

#[test]
fn relative_folders_of_path_are_not_searched() {
    let env = Environment::from([("PATH".to_owned(), ".::bin:/usr/bin:/bin".to_owned())]);
    let file: CapabilitiesFile = serde_yaml::from_str("commands: {x: {allow: [{args: y}]}}").unwrap();
    let loaded = crate::load::Loaded::check(&file, &env).unwrap();
    let (_, path) = loaded.commands["x"].env.iter().find(|(name, _)| name == "PATH").unwrap();
    assert_eq!(path, "/usr/bin:/bin");
}

#[test]
fn rules_act_unless_they_say_otherwise() {
    let exec = load("commands: {x: {allow: [{args: look, effects: none}, {args: act}]}}");
    let exec = exec.find("exec.x").unwrap();
    assert_eq!(exec.classify(&Payload::Json(json!({"args": ["look"]}))), Ok(Effects::None));
    assert_eq!(exec.classify(&Payload::Json(json!({"args": ["act"]}))), Ok(Effects::Act));
    let fault = exec.classify(&Payload::Json(json!({"args": ["s3cret"]}))).unwrap_err();
    assert_eq!(fault.code, Code::ExecDenied);
    assert!(!fault.to_string().contains("s3cret"), "{fault}");
    assert_eq!(fault.details.unwrap()["allowed"], json!(["look", "act"]));
}

#[test]
fn a_file_is_replaced_whole_or_not_at_all() {
    let exec = load("commands: {x: {allow: [{args: y}]}}");
    let bad: CapabilitiesFile = serde_yaml::from_str("commands: {z: {}}").unwrap();
    assert!(exec.replace(&bad, &environment()).is_err());
    assert_eq!(exec.list().len(), 1);
    assert!(exec.find("exec.x").is_some() && exec.find("exec.z").is_none());
    let good: CapabilitiesFile = serde_yaml::from_str("commands: {z: {allow: [{args: y}]}}").unwrap();
    exec.replace(&good, &environment()).unwrap();
    assert!(exec.find("exec.x").is_none() && exec.find("exec.z").is_some());
}

#[test]
fn inputs_are_bounded_before_any_rule_sees_them() {
    let exec = load("commands: {x: {allow: [{args: '**', effects: none}]}}");
    let exec = exec.find("exec.x").unwrap();
    let big = "x".repeat(5_000);
    for (input, words) in [
        (json!(["a"]), "does not have its form"),
        (json!({"args": "a b"}), "does not have its form"),
        (json!({"args": ["a", 7]}), "does not have its form"),
        (json!({"args": [], "shell": true}), "does not have its form"),
        (json!({"args": vec!["a"; 65]}), "more than 64 arguments"),
        (json!({"args": ["a", big]}), "number 2"),
        (json!({"args": vec!["x".repeat(4_000); 9]}), "together"),
        (json!({"args": ["a\u{0}b"]}), "NUL in argument number 1"),
        (json!({"args": [], "stdin": "x".repeat(2 << 20)}), "`stdin`"),
    ] {
        let fault = exec.classify(&Payload::Json(input)).unwrap_err();
        assert!(fault.code == Code::InvalidInput && fault.message.contains(words), "{fault}");
    }
    assert_eq!(code(exec.classify(&Payload::Text("a".to_owned()))), Some(Code::InvalidInput));
    assert_eq!(
        code(exec.classify(&Payload::Json(json!({"args": [], "stdin": "x"})))),
        Some(Code::ExecDenied)
    );
}

#[test]
fn shipped_rules_hold_and_none_acts() {
    let exec = load("commands: {git: {preset: git}, gh: {preset: gh}}");
    for (name, args) in [
        (
            "exec.gh",
            json!([
                "pr",
                "view",
                "7",
                "--repo",
                "acme/web",
                "--json",
                "additions,changedFiles,deletions,files"
            ]),
        ),
        (
            "exec.gh",
            json!(["pr", "diff", "7", "--repo", "acme/web", "--color", "never"]),
        ),
    ] {
        let input = Payload::Json(json!({"args": args}));
        assert_eq!(exec.find(name).unwrap().classify(&input), Ok(Effects::None), "{args}");
    }
    for args in [
        json!(["pr", "merge", "7"]),
        json!([
            "pr",
            "view",
            "https://evil.example/a/b/pull/7",
            "--repo",
            "acme/web",
            "--json",
            "additions,changedFiles,deletions,files"
        ]),
        json!(["pr", "diff", "7", "--repo", "evil.example/acme/web", "--color", "never"]),
        json!(["pr", "diff", "7", "--repo", "--web", "--color", "never"]),
        json!(["api", "/user"]),
        json!([]),
    ] {
        let input = Payload::Json(json!({"args": args}));
        assert_eq!(
            code(exec.find("exec.gh").unwrap().classify(&input)),
            Some(Code::ExecDenied),
            "{args}"
        );
    }
}
