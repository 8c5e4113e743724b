#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use std::os::unix::fs::PermissionsExt as _;

use super::*;

fn home(scratch: &std::path::Path) -> Home {
    let home = Home::find(Some(scratch.join("home"))).unwrap();
    home.create().unwrap();
    home
}

fn general() -> Allowance {
    Allowance {
        model: ["general".to_owned()].into(),
        ..Allowance::default()
    }
}

#[test]
fn the_comment_at_the_head_and_other_skills_stay() {
    let scratch = tempfile::tempdir().unwrap();
    let home = home(scratch.path());
    fs::write(
        home.join(FILE),
        "# What each skill is allowed.\n\n# More words.\ngrants:\n  other:\n    model: [drafting]\n",
    )
    .unwrap();
    Book::open(&home).unwrap().put("demo", general()).unwrap();
    let text = fs::read_to_string(home.join(FILE)).unwrap();
    assert_eq!(
        text,
        "# What each skill is allowed.\n\n# More words.\ngrants:\n  demo:\n    model:\n    - general\n  other:\n    model:\n    - drafting\n"
    );
    let mode = fs::metadata(home.join(FILE)).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_file_that_is_empty_or_absent_is_an_empty_book() {
    let scratch = tempfile::tempdir().unwrap();
    let home = home(scratch.path());
    assert_eq!(Book::open(&home).unwrap().allowance("demo"), Allowance::default());
    fs::write(home.join(FILE), "# only words\n").unwrap();
    let mut book = Book::open(&home).unwrap();
    book.put("demo", general()).unwrap();
    book.put("demo", Allowance::default()).unwrap();
    assert_eq!(fs::read_to_string(home.join(FILE)).unwrap(), "# only words\ngrants: {}\n");
}

#[test]
fn a_file_that_cannot_be_read_is_not_touched() {
    let scratch = tempfile::tempdir().unwrap();
    let home = home(scratch.path());
    for text in [
        "grants: [",
        "grants:\n  demo:\n    models: [general]\n",
        "grants: 7\n",
        "other: {}\n",
    ] {
        fs::write(home.join(FILE), text).unwrap();
        let error = Book::open(&home).unwrap_err();
        assert_eq!(crate::exit::of(&error), Exit::BadConfig, "{text}");
        assert_eq!(fs::read_to_string(home.join(FILE)).unwrap(), text);
    }
}

#[test]
fn commands_take_turns() {
    let scratch = tempfile::tempdir().unwrap();
    let home = home(scratch.path());
    std::thread::scope(|scope| {
        for number in 0..8 {
            let home = &home;
            scope.spawn(move || Book::open(home).unwrap().put(&format!("skill-{number}"), general()).unwrap());
        }
    });
    let book = Book::open(&home).unwrap();
    assert_eq!(
        (0..8)
            .filter(|number| book.allowance(&format!("skill-{number}")) == general())
            .count(),
        8
    );
}
