use serde_json::json;

use super::*;

fn code(schema: &Value) -> Option<Code> {
    check(schema).err().map(|(code, _)| code)
}

#[test]
fn references_stay_inside_and_come_to_an_end() {
    let fine = json!({ "$defs": { "a": { "type": "string" }, "b/c": { "$ref": "#/$defs/a" } },
        "properties": { "x": { "$ref": "#/$defs/a" }, "y": { "$ref": "#/$defs/b~1c" } } });
    assert_eq!(code(&fine), None);
    for reference in [
        "https://example.org/x",
        "file:///etc/passwd",
        "#",
        "#/properties/x",
        "#/$defs/none",
        "#/$defs/a/type",
        "other",
    ] {
        let schema = json!({ "$defs": { "a": {} }, "properties": { "x": { "$ref": reference } } });
        assert_eq!(code(&schema), Some(Code::SchemaReference), "{reference}");
    }
    let tree = json!({ "$defs": { "t": { "properties": { "child": { "$ref": "#/$defs/t" } } } }, "properties": { "x": { "$ref": "#/$defs/t" } } });
    assert_eq!(
        code(&tree),
        Some(Code::SchemaReference),
        "a schema that contains itself has no known size"
    );
    let hidden = json!({ "$defs": { "a": { "$ref": "https://example.org/x" } } });
    assert_eq!(code(&hidden), Some(Code::SchemaReference), "unused definitions count");
}

#[test]
fn keywords_that_bend_references_are_refused() {
    for key in ["$id", "$anchor", "$dynamicRef", "$dynamicAnchor", "$recursiveRef"] {
        assert_eq!(
            code(&json!({ "properties": { "x": { key: "y" } } })),
            Some(Code::SchemaReference),
            "{key}"
        );
    }
    let names = json!({ "properties": { "id": { "type": "string" }, "$ref": { "type": "string" } } });
    assert_eq!(code(&names), None, "a property may be called like a keyword");
    let data = json!({ "properties": { "x": { "enum": [{ "$ref": "y" }], "default": { "$id": "z" } } } });
    assert_eq!(code(&data), None, "values are no schemas");
}

#[test]
fn the_expanded_size_is_bounded() {
    let mut definitions = Map::new();
    for at in 0..20 {
        let next = json!({ "$ref": format!("#/$defs/d{}", at + 1) });
        definitions.insert(format!("d{at}"), json!({ "allOf": [next, next] }));
    }
    definitions.insert("d20".to_owned(), json!(true));
    let doubling = json!({ "$defs": definitions, "properties": { "x": { "$ref": "#/$defs/d0" } } });
    assert_eq!(code(&doubling), Some(Code::SchemaTooLarge));
    let patterns: Map<String, Value> = (0..65).map(|at| (format!("p{at}"), json!({ "pattern": "x" }))).collect();
    assert_eq!(code(&json!({ "properties": patterns })), Some(Code::SchemaTooLarge));
}
