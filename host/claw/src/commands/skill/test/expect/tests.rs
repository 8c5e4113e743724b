#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use std::path::Path;

use super::*;

fn own(code: &str) -> Fault {
    Fault::new(Code::SkillError, "went wrong").details(json!({ "kind": "other", "code": code }))
}

fn ran(result: Result<Value, Fault>, files: &[(&str, &str, bool)]) -> Ran {
    let files = files
        .iter()
        .map(|(path, text, changed)| ((*path).to_owned(), (text.as_bytes().to_vec(), *changed)));
    Ran {
        result,
        files: files.collect(),
        lines: Vec::new(),
    }
}

fn messages(case: &Case, ran: &Ran) -> Vec<String> {
    compare(case, ran)
        .iter()
        .map(|failure| failure.message().to_owned())
        .collect()
}

fn put(test: &Path, path: &str, text: &str) {
    let path = test.join("expected").join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

#[test]
fn outputs_are_compared_exactly_and_errors_by_code() {
    let table = [
        (r#"{"a": 1, "b": [2]}"#, Ok(json!({ "b": [2], "a": 1 })), None),
        (r#"{"a": 1}"#, Ok(json!({ "a": 1.0 })), Some("the result is not that of")),
        (
            r#"{"a": 1}"#,
            Ok(json!({ "a": 1, "b": null })),
            Some("the result is not that of"),
        ),
        (r#"{"error": {"code": "skill.no"}}"#, Err(own("skill.no")), None),
        (
            r#"{"error": {"code": "skill.no", "message": "went wrong"}}"#,
            Err(own("skill.no")),
            None,
        ),
        (
            r#"{"error": {"code": "skill.no", "message": "other"}}"#,
            Err(own("skill.no")),
            Some("the error's message"),
        ),
        (
            r#"{"error": {"code": "skill.yes"}}"#,
            Err(own("skill.no")),
            Some("it failed with `skill.no`, and"),
        ),
        (
            r#"{"error": {"code": "invalid_input"}}"#,
            Err(Fault::new(Code::InvalidInput, "x")),
            None,
        ),
        (
            r#"{"error": {"code": "skill.no"}}"#,
            Ok(json!({ "error": { "code": "skill.no" } })),
            Some("it succeeded, and"),
        ),
        (
            r#"{"a": 1}"#,
            Err(own("skill.no")),
            Some("it failed with `skill.no`: went wrong"),
        ),
        (r#"{"error": "in words"}"#, Ok(json!({ "error": "in words" })), None),
        (
            r#"{"error": {"code": "skill.no", "mesage": "x"}}"#,
            Err(own("skill.no")),
            Some("`test/expected/a.json` expects an error, written as"),
        ),
        (
            r#"{"error": {}}"#,
            Err(own("skill.no")),
            Some("`test/expected/a.json` expects an error, written as"),
        ),
        ("{", Ok(json!({})), Some("`test/expected/a.json` is no JSON: ")),
    ];
    for (expected, result, failure) in table {
        let scratch = tempfile::tempdir().unwrap();
        put(scratch.path(), "a.json", expected);
        let found = messages(&Case::named(scratch.path(), "a"), &ran(result, &[]));
        match failure {
            None => assert!(found.is_empty(), "{expected}: {found:?}"),
            Some(failure) => assert!(
                found.len() == 1 && found.iter().all(|text| text.starts_with(failure)),
                "{expected}: {found:?}"
            ),
        }
    }
}

#[test]
fn without_an_expectation_a_case_fails() {
    let scratch = tempfile::tempdir().unwrap();
    let found = messages(&Case::named(scratch.path(), "a"), &ran(Ok(json!({})), &[]));
    assert_eq!(
        found,
        ["there is no `test/expected/a.json`; run with `--update` to write what came out"]
    );
}

#[test]
fn written_files_are_compared_where_there_is_a_folder_for_them() {
    let scratch = tempfile::tempdir().unwrap();
    let case = Case::named(scratch.path(), "a");
    put(scratch.path(), "a.json", "{}");
    let written = ran(
        Ok(json!({})),
        &[
            ("out/new.txt", "new", true),
            ("out/kept.txt", "kept", false),
            ("out/same.txt", "x", false),
        ],
    );
    assert!(messages(&case, &written).is_empty(), "no folder, nothing compared");
    put(scratch.path(), "a/out/new.txt", "new");
    put(scratch.path(), "a/out/same.txt", "x");
    assert!(messages(&case, &written).is_empty());
    put(scratch.path(), "a/out/new.txt", "other");
    put(scratch.path(), "a/out/missing.txt", "");
    let more = ran(
        Ok(json!({})),
        &[
            ("out/new.txt", "new", true),
            ("out/same.txt", "x", false),
            ("out/more.txt", "more", true),
        ],
    );
    assert_eq!(
        messages(&case, &more),
        [
            "the file `out/missing.txt` of `test/expected/a` was not written",
            "the file `out/new.txt` is not that of `test/expected/a`",
            "the file `out/more.txt` was written, and `test/expected/a` has none of that name",
        ]
    );
}

#[test]
fn an_update_writes_what_differs_and_nothing_else() {
    let scratch = tempfile::tempdir().unwrap();
    let case = Case::named(scratch.path(), "a");
    let first = ran(
        Ok(json!({ "b": 1, "a": 2 })),
        &[("out/new.txt", "new", true), ("out/kept.txt", "kept", false)],
    );
    assert_eq!(
        update(&case, &first).unwrap(),
        ["test/expected/a.json", "test/expected/a/out/new.txt"]
    );
    assert_eq!(
        fs::read_to_string(case.expected_path()).unwrap(),
        "{\n  \"b\": 1,\n  \"a\": 2\n}\n"
    );
    assert!(messages(&case, &first).is_empty());
    assert!(
        update(&case, &first).unwrap().is_empty(),
        "a second time nothing is left to write"
    );
    let second = ran(Err(own("skill.no")), &[]);
    assert_eq!(
        update(&case, &second).unwrap(),
        ["test/expected/a.json", "test/expected/a/out/new.txt"]
    );
    assert_eq!(
        fs::read_to_string(case.expected_path()).unwrap(),
        "{\n  \"error\": {\n    \"code\": \"skill.no\"\n  }\n}\n"
    );
    assert!(!case.expected_files_path().join("out/new.txt").exists());
    assert!(messages(&case, &second).is_empty());
}

#[test]
fn an_expectation_that_is_met_keeps_its_own_words() {
    let scratch = tempfile::tempdir().unwrap();
    let case = Case::named(scratch.path(), "a");
    let text = r#"{"error": {"message": "went wrong", "code": "skill.no"}}"#;
    put(scratch.path(), "a.json", text);
    assert!(update(&case, &ran(Err(own("skill.no")), &[])).unwrap().is_empty());
    assert_eq!(fs::read_to_string(case.expected_path()).unwrap(), text);
}
