#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use std::path::PathBuf;
use std::sync::Arc;

use claw_core::grants::Allowance;
use claw_core::manifest::{self, Origin};
use claw_engine::Inspected;

use super::*;

fn one(file: &str, name: &str, version: &str, code: &str) -> Dropped {
    let text = format!(
        "---\nname: {name}\ndescription: Shows {name}.\nversion: {version}\nmetadata:\n  claw:\n    model: [general]\n---\n"
    );
    let manifest = manifest::load(text.as_bytes(), &Origin::new("SKILL.md", None))
        .manifest
        .unwrap();
    let found = Inspected {
        manifest: Arc::new(manifest),
        sha256: code.to_owned(),
        size: 1,
        imports: Vec::new(),
        packaged: Arc::default(),
    };
    Dropped {
        file: file.to_owned(),
        path: PathBuf::from(file),
        found: Ok(found),
    }
}

fn book(pin: Option<&str>) -> GrantBook {
    let allowance = Allowance {
        model: ["general".to_owned()].into(),
        pin: pin.map(str::to_owned),
        ..Allowance::default()
    };
    GrantBook {
        grants: BTreeMap::from([("demo".to_owned(), allowance)]),
    }
}

#[test]
fn versions_stand_below_one_another_and_the_default_is_marked() {
    let dropped = [one("b.wasm", "demo", "1.10.0", "b"), one("a.wasm", "demo", "1.9.0", "a")];
    let default = |book: &GrantBook| {
        let rows = rows(&dropped, book);
        let versions: Vec<_> = rows.iter().map(|row| (row.version.clone().unwrap(), row.default)).collect();
        assert_eq!(
            versions.iter().map(|(version, _)| version.as_str()).collect::<Vec<_>>(),
            ["1.9.0", "1.10.0"]
        );
        versions.into_iter().find(|(_, default)| *default).map(|(version, _)| version)
    };
    assert_eq!(default(&book(None)).as_deref(), Some("1.10.0"));
    assert_eq!(default(&book(Some("1.9.0"))).as_deref(), Some("1.9.0"));
    assert_eq!(default(&book(Some("7.0.0"))), None, "a pin whose version is not there");
}

#[test]
fn what_waits_for_a_grant_names_the_command() {
    let rows = rows(&[one("a.wasm", "other", "1.0.0", "a")], &book(None));
    let row = rows.first().unwrap();
    assert_eq!(
        (row.state.as_str(), row.reason.as_deref()),
        ("needs_grant", Some("claw skill allow other --model general"))
    );
}

#[test]
fn what_cannot_be_loaded_and_what_is_there_with_other_code_is_refused() {
    let broken = Dropped {
        file: "broken.wasm".to_owned(),
        path: PathBuf::new(),
        found: Err("it is no component".to_owned()),
    };
    let dropped = [
        one("a.wasm", "demo", "1.0.0", "a"),
        one("b.wasm", "demo", "1.0.0", "b"),
        one("c.wasm", "demo", "1.0.0", "a"),
        broken,
    ];
    let rows = rows(&dropped, &book(None));
    let states: Vec<_> = rows
        .iter()
        .map(|row| (row.name.as_str(), row.state.as_str(), row.reason.as_deref()))
        .collect();
    assert_eq!(
        states,
        [
            ("demo", "live", None),
            ("b", "refused", Some("`demo@1.0.0` lies in `a.wasm` with other code")),
            ("broken", "refused", Some("it is no component")),
        ]
    );
}

#[test]
fn the_table_holds_a_line_a_version() {
    let text = table(&rows(&[one("a.wasm", "demo", "1.0.0", "a")], &book(None)), Style::plain());
    assert_eq!(text, "NAME  VERSION  STATE  DESCRIPTION\ndemo  1.0.0*   live   Shows demo.\n");
}

#[test]
fn a_gateways_answer_is_read_as_it_is_sent() {
    let answer = json!({ "skills": [{ "name": "demo", "version": "1.0.0", "state": "live", "reason": null, "default": true, "description": "d", "sha256": "a", "file": null, "more": 1 }] });
    let rows = read(&answer).unwrap();
    assert_eq!(rows.first().unwrap().name, "demo");
    assert!(read(&json!({ "skills": [{ "name": 7 }] })).is_err());
    assert!(read(&json!({})).is_err());
}
