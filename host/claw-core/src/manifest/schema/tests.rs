#![expect(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

use super::*;

fn violations(schema: Value, value: &Value) -> Vec<String> {
    let schema = Schema::compile(schema).unwrap();
    schema
        .validate(value)
        .err()
        .unwrap_or_default()
        .iter()
        .map(ToString::to_string)
        .collect()
}

#[test]
fn violations_name_the_place_and_what_belongs_there() {
    let schema = || {
        json!({ "type": "object", "required": ["a"], "additionalProperties": false, "properties": {
            "a": { "type": "integer", "minimum": 3 },
            "b": { "type": ["string", "null"], "pattern": "^x" },
            "c": { "enum": ["p", 2] },
            "d": { "type": "array", "items": { "type": "object", "required": ["e"] } },
        } })
    };
    let check = |value: Value, expected: &[&str]| assert_eq!(violations(schema(), &value), expected, "{value}");
    check(json!({ "a": 3 }), &[]);
    check(json!([]), &["wants an object, got an array"]);
    check(json!({}), &["`a` is missing"]);
    check(json!({ "a": "3" }), &["`/a`: wants an integer, got a string"]);
    check(json!({ "a": 3.5 }), &["`/a`: wants an integer, got a number"]);
    check(json!({ "a": 3, "b": 1 }), &["`/b`: wants string or null, got an integer"]);
    check(json!({ "a": 3, "c": "q" }), &["`/c`: must be one of `p`, `2`"]);
    check(json!({ "a": 3, "d": [{ "e": 1 }, {}] }), &["`/d/1`: `e` is missing"]);
    check(json!({ "a": 3, "z": 1 }), &["does not know `z`; it knows `a`, `b`, `c`, `d`"]);
    check(
        json!({ "b": 1, "z": 1 }).clone(),
        &violations(schema(), &json!({ "b": 1, "z": 1 }))
            .iter()
            .map(String::as_str)
            .collect::<Vec<_>>(),
    );
    assert_eq!(
        violations(schema(), &json!({ "b": 1, "z": 1 })).len(),
        3,
        "all of them at once"
    );
}

#[test]
fn no_violation_repeats_the_value() {
    let secret = "hunter2-and-more";
    let schema = || {
        json!({ "properties": {
            "a": { "pattern": "^x" }, "b": { "maxLength": 3 }, "c": { "const": "y" }, "d": { "not": { "type": "string" } },
            "e": { "type": "integer" }, "f": { "enum": [1] }, "g": { "anyOf": [{ "type": "null" }] }, "h": false,
        } })
    };
    for key in ["a", "b", "c", "d", "e", "f", "g", "h"] {
        let found = violations(schema(), &json!({ key: secret }));
        assert_eq!(found.len(), 1, "{key}: {found:?}");
        assert!(found.iter().all(|one| !one.contains(secret)), "{found:?}");
    }
}

#[test]
fn violations_are_bounded() {
    let schema = json!({ "type": "object", "properties": { "a": { "items": { "type": "string" } } } });
    let items: Vec<Value> = (0..1_000).map(Value::from).collect();
    assert_eq!(violations(schema, &json!({ "a": items })).len(), MOST_VIOLATIONS);
}

/// A pattern that would take other engines until the end of days.
#[test]
fn patterns_take_no_longer_than_their_text() {
    let schema = json!({ "properties": { "a": { "pattern": "^(a+)+$" } } });
    let text = "a".repeat(100_000) + "b";
    assert_eq!(violations(schema, &json!({ "a": text })).len(), 1);
    assert!(Schema::compile(json!({ "pattern": "((a{1000}){1000}){1000}" })).is_err());
    assert!(Schema::compile(json!({ "pattern": "(?=a)b" })).is_err());
}

#[test]
fn nothing_is_fetched() {
    for schema in [
        json!({ "$ref": "https://example.org/schema.json" }),
        json!({ "$ref": "file:///etc/passwd" }),
        json!({ "$schema": "https://example.org/dialect", "type": "object" }),
    ] {
        assert!(Schema::compile(schema.clone()).is_err(), "{schema}");
    }
}
