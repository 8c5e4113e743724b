use super::*;

#[test]
fn quoted_names_are_undone() {
    for (quoted, plain) in [
        ("plain name", "plain name"),
        ("\"a\\\\b\"", "a\\b"),
        ("\"tab\\there\"", "tab\\x09here"),
        ("\"\\360\\237\\246\\200.rs\"", "🦀.rs"),
        ("\"bad \\377\\376\"", "bad \\xff\\xfe"),
        ("\"new\\nline\"", "new\\x0aline"),
        ("\"no end", "\"no end"),
        ("\"\\777\"", "777"),
    ] {
        assert_eq!(unquote(quoted), plain);
    }
}

#[test]
fn both_sides_agree_or_later_lines_tell() {
    for (names, path) in [
        ("a/x b/x", Some("x")),
        ("a/x b/x b/x b/x", Some("x b/x")),
        ("a/x b/y", None),
        ("i/x w/x", Some("x")),
        ("", None),
        ("\"a/\\303\\244\" b/x", Some("x")),
        ("a/x \"b/\\303\\244\"", Some("ä")),
        ("\"", None),
        ("ä", None),
    ] {
        assert_eq!(both(names).as_deref(), path, "{names}");
    }
}
