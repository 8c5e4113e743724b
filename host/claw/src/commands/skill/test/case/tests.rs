#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use super::*;

fn put(test: &Path, files: &[(&str, &str)]) {
    for (path, text) in files {
        let path = test.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
}

#[test]
fn every_fixture_is_a_case_and_what_belongs_to_none_is_named() {
    let scratch = tempfile::tempdir().unwrap();
    put(
        scratch.path(),
        &[
            ("fixtures/b.json", "{}"),
            ("fixtures/a.json", "{}"),
            ("fixtures/a.journal.jsonl", ""),
            ("fixtures/a/logs/app.log", "x"),
            ("fixtures/gone.journal.jsonl", ""),
            ("fixtures/lost/logs/app.log", "x"),
            ("fixtures/readme.md", ""),
            ("fixtures/.hidden", ""),
            ("expected/a.json", "{}"),
            ("expected/a/out/x.txt", ""),
            ("expected/old.json", "{}"),
        ],
    );
    let found = discover(scratch.path()).unwrap();
    let names: Vec<&str> = found.cases.iter().map(|case| case.name.as_str()).collect();
    assert_eq!(names, ["a", "b"]);
    assert_eq!(
        found.orphans,
        [
            "`test/fixtures/gone.journal.jsonl` belongs to no case: there is no `test/fixtures/gone.json`",
            "`test/fixtures/lost` belongs to no case: there is no `test/fixtures/lost.json`",
            "`test/fixtures/readme.md` is no file of a case",
            "`test/expected/old.json` belongs to no case: there is no `test/fixtures/old.json`",
        ]
    );
}

#[test]
fn a_folder_without_tests_has_no_cases() {
    let scratch = tempfile::tempdir().unwrap();
    let found = discover(&scratch.path().join("test")).unwrap();
    assert!(found.cases.is_empty() && found.orphans.is_empty());
}

#[test]
fn an_input_that_cannot_be_read_fails_its_case_by_name() {
    let scratch = tempfile::tempdir().unwrap();
    put(
        scratch.path(),
        &[("fixtures/torn.json", "{\"a\":"), ("fixtures/good.json", "[1]")],
    );
    fs::create_dir(scratch.path().join("fixtures/folder.json")).unwrap();
    let input = |name: &str| Case::named(scratch.path(), name).input();
    assert_eq!(input("good").unwrap(), serde_json::json!([1]));
    let table = [
        ("torn", "`test/fixtures/torn.json` is no JSON: "),
        ("folder", "`test/fixtures/folder.json` cannot be read: it is no regular file"),
        ("missing", "`test/fixtures/missing.json` cannot be read: "),
    ];
    for (name, expected) in table {
        let failure = input(name).unwrap_err();
        assert!(failure.message().starts_with(expected), "{}", failure.message());
    }
}

#[test]
fn a_cassette_may_be_absent_and_must_be_text() {
    let scratch = tempfile::tempdir().unwrap();
    put(scratch.path(), &[("fixtures/a.json", "{}")]);
    let case = Case::named(scratch.path(), "a");
    assert_eq!(case.cassette(), Ok(None));
    fs::write(case.cassette_path(), b"\xff").unwrap();
    assert_eq!(
        case.cassette().unwrap_err().message(),
        "`test/fixtures/a.journal.jsonl` is not UTF-8"
    );
}

#[test]
fn names_lead_nowhere_else() {
    for (name, expected) in [
        ("a", true),
        ("a.b", true),
        ("", false),
        ("..", false),
        ("a/b", false),
        ("../a", false),
    ] {
        assert_eq!(crate::commands::skill::test::is_case_name(name), expected, "{name:?}");
    }
}
