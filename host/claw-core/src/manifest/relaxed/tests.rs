use serde_json::json;

use super::super::node::Numbers;
use super::*;

#[test]
fn json_and_json5_are_read() {
    let check = |text: &str, expected: Option<Value>| {
        assert_eq!(parse(text, 1).map(|node| node.to_json(Numbers::Exact)), expected, "{text}");
    };
    check("{\"a\": [1, true, null, \"x\"]}", Some(json!({ "a": [1, true, null, "x"] })));
    check("  {\"a\":1}", Some(json!({ "a": 1 })));
    check("{\"a\": \"\\ud83d\\ude00\"}", Some(json!({ "a": "😀" })));
    check("{a:1, b:'x', // why\n c:[2,],}", Some(json!({ "a": 1, "b": "x", "c": [2] })));
    check("// why\n{a: 1}", Some(json!({ "a": 1 })));
    check("{a: b}", Some(json!({ "a": "b" })));
    check("[x, y]", Some(json!(["x", "y"])));
    check("text", None);
    check("{", None);
    check("", None);
}

#[test]
fn json_keeps_its_lines() {
    let lines = parse("{\n \"a\": 1,\n \"b\": 2}", 10)
        .and_then(|node| Some(node.entries()?.iter().map(|entry| entry.line).collect::<Vec<_>>()));
    assert_eq!(lines, Some(vec![11, 12]));
}

#[test]
fn depth_is_counted_outside_strings_and_comments() {
    let check = |text: &str, expected: usize| assert_eq!(depth(text), expected, "{text}");
    check("[[]]", 2);
    check("[\"]\", [\"]\", [\"]\"", 3);
    check("['[[[', \"[[[\"]", 1);
    check("[/* ] */[// ]\n[", 3);
    check("['\\'[', [", 2);
}
