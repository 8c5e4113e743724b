#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use claw_core::manifest::{self, Origin};
use serde_json::json;

use super::*;

const SKILL_MD: &str = "---\nname: demo\ndescription: Shows one.\nversion: 1.0.0\ninputs:\n  - text: string\noutputs:\n  - words: integer\nmetadata:\n  claw:\n    model: [general]\n    capabilities: [exec.git]\n    files:\n      - path: logs\n      - path: out\n        access: read-write\n      - path: none\n---\n";

fn manifest() -> Manifest {
    manifest::load(SKILL_MD.as_bytes(), &Origin::new("SKILL.md", None))
        .manifest
        .unwrap()
}

fn case(scratch: &Path, files: &[(&str, &str)]) -> Case {
    for (path, text) in files {
        let path = scratch.join("fixtures/a").join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    Case::named(scratch, "a")
}

#[test]
fn a_case_has_all_that_skill_md_declares_and_nothing_else() {
    let scratch = tempfile::tempdir().unwrap();
    let case = case(scratch.path(), &[("logs/app.log", "line"), ("other/x", "x")]);
    let stage = Stage::set(&manifest(), &case).unwrap();
    let grants = stage.grants();
    assert!(grants.model.contains("general") && grants.capabilities.contains("exec.git"));
    let names: Vec<&str> = grants.files.keys().map(String::as_str).collect();
    assert_eq!(names, ["logs", "none", "out"]);
    assert_eq!(
        fs::read_to_string(grants.files.get("logs").unwrap().path.join("app.log")).unwrap(),
        "line"
    );
    assert_eq!(
        fs::read_dir(&grants.files.get("none").unwrap().path).unwrap().count(),
        0,
        "a name without files is an empty folder"
    );
    assert!(grants.is_complete());
}

#[test]
fn what_may_be_written_to_is_a_copy_and_changes_are_seen() {
    let scratch = tempfile::tempdir().unwrap();
    let case = case(scratch.path(), &[("out/kept.txt", "same"), ("out/sub/changed.txt", "old")]);
    let stage = Stage::set(&manifest(), &case).unwrap();
    let out = stage.grants().files.get("out").unwrap().path.clone();
    fs::write(out.join("sub/changed.txt"), "new").unwrap();
    fs::write(out.join("made.txt"), "made").unwrap();
    assert_eq!(
        fs::read_to_string(scratch.path().join("fixtures/a/out/sub/changed.txt")).unwrap(),
        "old"
    );
    let after: Vec<(String, bool)> = stage
        .after()
        .into_iter()
        .map(|(path, (_, changed))| (path, changed))
        .collect();
    let expected = [("out/kept.txt", false), ("out/made.txt", true), ("out/sub/changed.txt", true)];
    assert_eq!(after, expected.map(|(path, changed)| (path.to_owned(), changed)));
}

#[test]
fn the_seed_is_that_of_the_name() {
    let scratch = tempfile::tempdir().unwrap();
    let seed = |name: &str| Stage::set(&manifest(), &Case::named(scratch.path(), name)).unwrap().seed;
    assert_eq!(seed("a"), seed("a"));
    assert_ne!(seed("a"), seed("b"));
}

#[test]
fn a_link_among_the_files_of_a_case_is_refused() {
    let scratch = tempfile::tempdir().unwrap();
    let case = case(scratch.path(), &[("out/real.txt", "x")]);
    std::os::unix::fs::symlink("/etc/passwd", scratch.path().join("fixtures/a/out/link")).unwrap();
    let error = Stage::set(&manifest(), &case).err().unwrap().to_string();
    assert!(error.ends_with("is no regular file"), "{error}");
}

#[test]
fn inputs_and_outputs_are_held_to_their_schemas() {
    let manifest = manifest();
    assert!(check_input(&manifest, &Payload::Json(json!({ "text": "x" }))).is_ok());
    let fault = check_input(&manifest, &Payload::Json(json!({ "txt": "x" }))).unwrap_err();
    assert_eq!(fault.code, Code::InvalidInput);
    assert!(fault.message.contains("`text` is missing"), "{}", fault.message);
    assert!(check_output(&manifest, &Payload::Json(json!({ "words": 1 }))).is_ok());
    for output in [Payload::Json(json!({ "words": "one" })), Payload::Text("one".to_owned())] {
        assert_eq!(check_output(&manifest, &output).unwrap_err().code, Code::SkillInvalidOutput);
    }
}

#[test]
fn logs_are_shown_in_words() {
    let log = |message: &str, source: &str, fields| Line {
        at_us: 0,
        effect: Effect::Log {
            level: claw_core::journal::LogLevel::Warn,
            message: message.to_owned(),
            fields,
            source: source.to_owned(),
        },
    };
    let lines = vec![
        log("odd", "log", Some(json!({ "n": 1 }))),
        log("panicked at\n", "stderr", None),
        Line {
            at_us: 0,
            effect: Effect::Seed { seed: String::new() },
        },
        Line {
            at_us: 0,
            effect: Effect::LogCap { dropped: 7 },
        },
    ];
    let ran = Ran {
        result: Ok(Value::Null),
        files: BTreeMap::new(),
        lines,
    };
    assert_eq!(
        ran.logs(),
        ["warn: odd {\"n\":1}", "stderr: panicked at", "7 more log lines were dropped"]
    );
}
