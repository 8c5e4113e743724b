use super::*;

#[test]
fn valid_names() {
    for name in ["a", "a1", "pr-review-prep", "7z", &"a".repeat(64)] {
        assert!(is_valid(name), "{name}");
    }
    for name in [
        "",
        "-",
        "-a",
        "a-",
        "a--b",
        "A",
        "a_b",
        "a b",
        "ä",
        "a/b",
        "a.b",
        &"a".repeat(65),
    ] {
        assert!(!is_valid(name), "{name}");
    }
}

#[test]
fn slugs_are_valid_names() {
    let check = |text: &str, expected: Option<&str>| assert_eq!(slug(text).as_deref(), expected, "{text}");
    check("My Skill (v2)", Some("my-skill-v2"));
    check("--a__b--", Some("a-b"));
    check("ÄÖ", None);
    check("", None);
    check("..", None);
    let long = slug(&"ab ".repeat(100)).unwrap_or_default();
    assert!(is_valid(&long), "{long}");
}
