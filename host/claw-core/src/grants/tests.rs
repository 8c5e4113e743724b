#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use super::*;

fn book(text: &str) -> GrantBook {
    serde_yaml::from_str(text).unwrap()
}

fn requests() -> Requests {
    Requests {
        model: ["general".to_owned(), "drafting".to_owned()].into(),
        files: [("logs".to_owned(), Access::Read), ("out".to_owned(), Access::ReadWrite)].into(),
        capabilities: ["exec.git".to_owned()].into(),
    }
}

#[test]
fn a_grant_is_what_is_declared_and_allowed() {
    let book = book(
        "grants: {a: {model: [general, secrets], capabilities: [exec.gh],
         files: {logs: {path: /l, access: read-write}, out: {path: /o, access: read}}}}",
    );
    let grants = book.intersect("a", &requests());
    assert_eq!(grants.model, ["general".to_owned()].into());
    assert!(grants.capabilities.is_empty());
    // Allowed more than it asks for, it gets what it asks for; allowed less, nothing.
    assert_eq!(grants.files.get("logs").unwrap().access, Access::Read);
    assert!(!grants.files.contains_key("out"));
    assert_eq!(grants.missing.model, ["drafting".to_owned()].into());
    assert_eq!(grants.missing.capabilities, ["exec.git".to_owned()].into());
    assert_eq!(grants.missing.files, [("out".to_owned(), Access::ReadWrite)].into());
    assert_eq!(book.intersect("b", &requests()).missing, requests(), "another skill");
    assert!(book.intersect("b", &Requests::default()).is_complete());
}

#[test]
fn a_bare_name_means_the_pin_else_the_highest_allowed_else_the_highest() {
    let versions: Vec<Version> = ["1.0.0", "2.0.0-rc.1", "2.0.0"].map(|text| text.parse().unwrap()).into();
    let check = |pin: Option<&str>, complete: [bool; 3], expected: Option<&str>| {
        let mut book = GrantBook::default();
        book.grants.entry("a".to_owned()).or_default().pin = pin.map(str::to_owned);
        let meant = book.meant("a", versions.iter().zip(complete));
        assert_eq!(meant.map(ToString::to_string).as_deref(), expected, "{pin:?} {complete:?}");
    };
    check(None, [true, true, true], Some("2.0.0"));
    check(None, [true, false, false], Some("1.0.0"));
    check(None, [false, false, false], Some("2.0.0"));
    check(Some("1.0.0"), [false, true, true], Some("1.0.0"));
    check(Some("3.0.0"), [true, true, true], None);
    assert_eq!(GrantBook::default().meant("a", std::iter::empty()), None);
}
