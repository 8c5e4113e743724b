#![expect(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

use serde_json::json;

use super::super::node::Numbers;
use super::*;

fn tree(text: &str) -> Parsed {
    parse(text, 2).unwrap()
}

#[test]
fn scalars_and_collections() {
    let check = |text: &str, expected: serde_json::Value| {
        assert_eq!(tree(text).root.to_json(Numbers::Exact), expected, "{text}");
    };
    check(
        "a: 1\nb: 1.0\nc: 1.10\nd: '1'\n",
        json!({ "a": 1, "b": 1.0, "c": "1.10", "d": "1" }),
    );
    check(
        "a: yes\nb: true\nc: ~\nd:\ne: ''\n",
        json!({ "a": "yes", "b": true, "c": null, "d": null, "e": "" }),
    );
    check(
        "a: 0x1F\nb: 010\nc: 1e3\nd: .5\ne: 2026-01-02\n",
        json!({ "a": "0x1F", "b": "010", "c": "1e3", "d": ".5", "e": "2026-01-02" }),
    );
    check("a: !!str 5\nb: !thing x\n", json!({ "a": "5", "b": "x" }));
    check("- a\n- [b, {c: d}]\n", json!(["a", ["b", { "c": "d" }]]));
    check("a: |\n  x\n  y\nb: >\n  x\n  y\n", json!({ "a": "x\ny\n", "b": "x y\n" }));
    check("{\"a\":1,\"b\":[]}", json!({ "a": 1, "b": [] }));
    check("", json!(null));
}

#[test]
fn lines_are_those_of_the_file() {
    let parsed = tree("a: x\nb:\n  - y\n  - {c: z}\nd: |\n  text\n");
    let line = |key: &str| parsed.root.get(key).unwrap().line;
    assert_eq!([line("a"), line("b"), line("d")], [2, 3, 6]);
    let Kind::List(items) = &parsed.root.get("b").unwrap().node.kind else {
        unreachable!("`b` is a list")
    };
    assert_eq!(items.iter().map(|item| item.line).collect::<Vec<_>>(), [4, 5]);
    assert_eq!(
        parsed.root.get("d").unwrap().node.line,
        7,
        "a block stands where its text begins"
    );
}

#[test]
fn the_last_of_two_keys_counts_and_both_lines_are_named() {
    let parsed = tree("m:\n  a: 1\n  b: 2\n  a: 3\n");
    assert_eq!(parsed.root.to_json(Numbers::Exact), json!({ "m": { "a": 3, "b": 2 } }));
    let [note] = parsed.notes.as_slice() else {
        unreachable!("one finding, not {:?}", parsed.notes)
    };
    assert_eq!((note.code, note.line, note.key.as_str()), (Code::DuplicateKey, 5, "m.a"));
    assert!(note.message.contains("line 3"), "{}", note.message);
}

#[test]
fn merges_never_overwrite() {
    let parsed = tree("x: &x {a: 1, b: 1}\ny: &y {b: 2, c: 2}\nz:\n  <<: [*x, *y]\n  c: 3\n");
    let z = parsed.root.get("z").unwrap().node.to_json(Numbers::Exact);
    assert_eq!(z, json!({ "c": 3, "a": 1, "b": 1 }));
    let text = tree("<<: x\n").root.to_json(Numbers::Exact);
    assert_eq!(text, json!({ "<<": "x" }), "what is no map cannot be merged");
}

#[test]
fn style_that_strict_readers_refuse_is_noticed() {
    let check = |text: &str, expected: [Option<usize>; 3]| {
        let style = tree(text).style;
        assert_eq!([style.flow, style.anchor_or_tag, style.uneven], expected, "{text}");
    };
    check("a: x\nb:\n  - c\n", [None, None, None]);
    check("a: x\nb: [c]\n", [Some(3), None, None]);
    check("a: x\nb: !!str c\n", [None, Some(3), None]);
    check("a: &c x\n", [None, Some(2), None]);
    check("a:\n  x: y\nb:\n    x: y\n", [None, None, Some(5)]);
}

#[test]
fn bounds_hold() {
    let code = |text: &str| match parse(text, 1) {
        Err(Failure::Bound { code, .. }) => Some(code),
        Ok(_) | Err(Failure::Syntax { .. }) => None,
    };
    assert_eq!(code(&"[".repeat(100)), Some(Code::TooDeep));
    assert_eq!(code(&"? ".repeat(100)), Some(Code::TooDeep));
    assert_eq!(code(&"- x\n".repeat(20_001)), Some(Code::TooManyNodes));
    let wide = format!("a: &a [{}]\nb: [{}]\n", "x,".repeat(100), "*a,".repeat(100));
    assert_eq!(code(&wide), Some(Code::TooManyAliases));
    let long = format!("a: &a {}\nb: [{}]\n", "x".repeat(10_000), "*a,".repeat(100));
    assert_eq!(code(&long), Some(Code::TooManyAliases));
    let deep = format!(
        "a: &a {}x{}\nb: {}*a{}\n",
        "[".repeat(40),
        "]".repeat(40),
        "[".repeat(40),
        "]".repeat(40)
    );
    assert_eq!(code(&deep), Some(Code::TooDeep));
}

#[test]
fn what_is_not_yaml_is_said_with_its_line() {
    for (text, expected) in [("a: x\nb: y: z\n", 3), ("a: *b\n", 2), ("a: &a [*a]\n", 2)] {
        match parse(text, 2) {
            Err(Failure::Syntax { line, .. }) => assert_eq!(line, expected, "{text}"),
            Err(Failure::Bound { .. }) | Ok(_) => unreachable!("{text} is no YAML"),
        }
    }
}
