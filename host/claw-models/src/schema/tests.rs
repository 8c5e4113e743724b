#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use super::*;

fn person() -> Value {
    json!({ "type": "object", "properties": { "name": { "type": "string" }, "age": { "type": "integer", "minimum": 0 } },
            "required": ["name", "age"], "additionalProperties": false })
}

#[test]
fn answers_are_held_against_the_schema() {
    let shape = Shape::try_new(&person(), true).unwrap();
    assert_eq!(shape.sent, person(), "an object's schema is sent as it is");
    let good = r#"{"name": "Ada", "age": 36}"#;
    for text in [
        good.to_owned(),
        format!("\n {good} \n"),
        format!("```json\n{good}\n```"),
        format!("```\n{good}\n```\n"),
    ] {
        assert_eq!(shape.check(&text).unwrap(), good, "{text:?}");
    }
    let table = [
        ("", "not one JSON value"),
        ("Ada is 36", "not one JSON value"),
        (r#"{"name": "Ada"}"#, "age"),
        (r#"{"name": "Ada", "age": "36"}"#, "/age"),
        (r#"{"name": "Ada", "age": -1}"#, "/age"),
        (r#"{"name": "Ada", "age": 36} and more"#, "not one JSON value"),
        ("```json\n{}\n", "not one JSON value"),
        ("[]", "/"),
    ];
    for (text, needle) in table {
        let violations = shape.check(text).unwrap_err();
        assert!(violations.first().unwrap().contains(needle), "{text} → {violations:?}");
    }
}

#[test]
fn violations_do_not_repeat_the_answer_and_are_few() {
    let schema = json!({ "type": "array", "items": { "type": "integer" } });
    let shape = Shape::try_new(&schema, false).unwrap();
    let text = json!(vec!["secret words"; 100]).to_string();
    let violations = shape.check(&text).unwrap_err();
    assert_eq!(violations.len(), MAX_VIOLATIONS);
    assert!(!violations.concat().contains("secret"), "{violations:?}");
}

#[test]
fn other_values_are_wrapped_where_only_objects_are_taken() {
    let schema = json!({ "type": "array", "items": { "$ref": "#/$defs/word" }, "$defs": { "word": { "type": "string" } } });
    let shape = Shape::try_new(&schema, true).unwrap();
    assert_eq!(
        shape.sent,
        json!({ "type": "object", "required": ["value"], "additionalProperties": false, "$defs": { "word": { "type": "string" } },
                "properties": { "value": { "type": "array", "items": { "$ref": "#/$defs/word" } } } })
    );
    assert_eq!(shape.check(r#"{"value": ["a"]}"#).unwrap(), r#"["a"]"#);
    assert_eq!(
        shape.check(r#"["a"]"#).unwrap(),
        r#"["a"]"#,
        "a server that ignores the wrapping"
    );
    assert!(shape.check(r#"{"value": [1]}"#).is_err());
    // Whatever is sent must itself be a schema.
    assert!(Shape::try_new(&shape.sent, true).is_ok());
}

#[test]
fn bad_schemas_are_the_callers_fault() {
    let table = [
        json!({ "type": "strange" }),
        json!({ "$ref": "https://example.com/schema.json" }),
        json!({ "$ref": "file:///etc/passwd" }),
        json!({ "$ref": "#/$defs/nowhere" }),
        json!({ "type": "string", "pattern": "(?<=x)y" }),
        json!(7),
    ];
    for schema in table {
        let fault = Shape::try_new(&schema, true).unwrap_err();
        assert_eq!(fault.code, Code::ModelInvalidRequest, "{schema}");
    }
}

#[test]
fn strict_mode_is_for_closed_objects_only() {
    assert!(is_strict(&person()));
    assert!(is_strict(&json!({ "type": "array", "items": person() })));
    let mut open = person();
    open.as_object_mut().unwrap().remove("additionalProperties");
    assert!(!is_strict(&open));
    assert!(!is_strict(&json!({ "type": "array", "items": open })), "also deep inside");
    let mut optional = person();
    optional
        .as_object_mut()
        .unwrap()
        .insert("required".to_owned(), json!(["name"]));
    assert!(!is_strict(&optional));
    assert!(!is_strict(&json!({ "type": ["object", "null"] })));
}
