//! `inputs` and `outputs`: from whatever form they are written in to JSON Schemas that callers
//! are held to. A form that is not understood is an error: a contract is never guessed.

use serde_json::{Map, Value, json};

use super::claw::Group;
use super::metadata::Blocks;
use super::node::{Entry, Kind, Node, Numbers};
use super::property::{self, Property};
use super::report::Report;
use super::{Code, Contract, Schema, reference};

const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

/// Reads both sides of the contract.
pub(super) fn read(blocks: &Blocks<'_>, groups: &[Group], report: &mut Report) -> Contract {
    let inputs = side("inputs", blocks, groups, report);
    if let Some(group) = groups.first().filter(|_| find("inputs", blocks).is_none()) {
        let message = "names inputs, and no inputs are declared";
        report.add(
            Code::ExactlyOneOf,
            group.line,
            "metadata.claw.exactly_one_of",
            message,
            "write `inputs:` as well",
        );
    }
    Contract {
        inputs,
        outputs: side("outputs", blocks, &[], report),
    }
}

/// The places where a side may stand, nearest to us first.
pub(super) fn find<'a>(key: &str, blocks: &Blocks<'a>) -> Option<(String, &'a Entry)> {
    let places = [
        blocks.claw.map(|block| ("metadata.claw.".to_owned(), &block.node)),
        blocks.openclaw.map(|block| (format!("metadata.{}.", block.key), &block.node)),
        blocks.metadata.map(|node| ("metadata.".to_owned(), node)),
        Some((String::new(), blocks.root)),
    ];
    let mut found = places.into_iter().flatten().filter_map(|(path, node)| {
        let entry = node.get(key).filter(|entry| !entry.node.is_null())?;
        Some((format!("{path}{key}"), entry))
    });
    found.next()
}

fn side(key: &str, blocks: &Blocks<'_>, groups: &[Group], report: &mut Report) -> Schema {
    let Some((path, entry)) = find(key, blocks) else {
        return Schema::default();
    };
    let example = format!("write `{key}:` and below it `- name: string`");
    let before = report.errors();
    let json = match &entry.node.kind {
        Kind::Scalar(_) => {
            // Outside our own blocks `inputs` may be a sentence that was never meant for a program.
            let ours = path.starts_with("metadata.") && path != format!("metadata.{key}");
            let code = if ours { Code::ContractType } else { Code::WrongType };
            report.add(code, entry.line, &path, "is text where a list belongs", &example);
            return Schema::default();
        }
        Kind::List(items) => object(from_list(items, &path, report), &path, report),
        Kind::Map(entries) if is_schema(&entry.node) => {
            debug_assert!(!entries.is_empty(), "a schema has a keyword");
            whole(&entry.node, &path, report)
        }
        Kind::Map(entries) => {
            let properties = entries.iter().filter_map(|entry| property::read(entry, &path, report));
            object(properties.collect(), &path, report)
        }
    };
    // What is left after an error would only make for more of them.
    let Some(mut json) = json.filter(|_| report.errors() == before) else {
        return Schema::default();
    };
    for group in groups {
        exactly_one(&mut json, group, report);
    }
    compile(json, entry, &path, report)
}

fn compile(json: Value, entry: &Entry, path: &str, report: &mut Report) -> Schema {
    if let Err((code, message)) = reference::check(&json) {
        let hint = "refer to `#/$defs/<name>` only, and keep the schema small";
        report.add(code, entry.line, path, message, hint);
        return Schema::default();
    }
    Schema::compile(json).unwrap_or_else(|(pointer, message)| {
        let message = format!("is not a JSON Schema: {}", message.chars().take(300).collect::<String>());
        report.add(
            Code::SchemaInvalid,
            line_of(entry, &pointer),
            path,
            message,
            "correct the schema; patterns have no look-around",
        );
        Schema::default()
    })
}

/// The line of the input that a place in the schema belongs to.
fn line_of(entry: &Entry, pointer: &str) -> usize {
    let name = pointer.strip_prefix("/properties/").and_then(|rest| rest.split('/').next());
    let Some(name) = name.map(|name| name.replace("~1", "/").replace("~0", "~")) else {
        return entry.line;
    };
    let is_named = |item: &&Node| item.get("name").is_some_and(|found| found.node.as_text() == Some(&name));
    let found = match &entry.node.kind {
        Kind::List(items) => {
            let direct = items.iter().find_map(|item| item.get(&name)).map(|found| found.line);
            direct.or_else(|| items.iter().find(is_named).map(|item| item.line))
        }
        Kind::Map(_) => {
            let parts = entry.node.get("properties").map_or(&entry.node, |parts| &parts.node);
            parts.get(&name).map(|found| found.line)
        }
        Kind::Scalar(_) => None,
    };
    found.unwrap_or(entry.line)
}

fn from_list(items: &[Node], path: &str, report: &mut Report) -> Vec<Property> {
    let mut properties = Vec::new();
    for item in items {
        match &item.kind {
            Kind::Map(entries) if entries.len() > 1 && item.get("name").is_some() => {
                properties.extend(property::read_named(item, path, report));
            }
            Kind::Map(entries) => {
                properties.extend(entries.iter().filter_map(|entry| property::read(entry, path, report)));
            }
            Kind::Scalar(scalar) if !item.is_null() => {
                let name: String = scalar.text.trim().chars().take(60).collect();
                let hint = format!("write `- {name}: string`");
                report.add(Code::ContractType, item.line, path, format!("`{name}` has no type"), &hint);
            }
            Kind::Scalar(_) | Kind::List(_) => {
                let message = format!("holds {} where `name: type` belongs", item.kind_name());
                report.add(Code::ContractType, item.line, path, message, "write `- pr_number: integer`");
            }
        }
    }
    properties
}

/// The object schema of a list of properties.
fn object(properties: Vec<Property>, path: &str, report: &mut Report) -> Option<Value> {
    let mut schemas = Map::new();
    let mut required = Vec::new();
    for property in properties {
        let Property {
            name,
            line,
            schema,
            required: is_required,
        } = property;
        if schemas.contains_key(&name) {
            let path = format!("{path}.{name}");
            report.add(
                Code::DuplicateProperty,
                line,
                &path,
                "is declared twice",
                "delete one of the two",
            );
            continue;
        }
        if is_required {
            required.push(Value::String(name.clone()));
        }
        schemas.insert(name, schema);
    }
    Some(json!({
        "$schema": DIALECT,
        "type": "object",
        "properties": schemas,
        "required": required,
        "additionalProperties": false,
    }))
}

/// `true` if a map is a schema of the whole, not a map of names to types.
fn is_schema(node: &Node) -> bool {
    let has = |key: &str| node.get(key).is_some();
    let is_map = |key: &str| node.get(key).is_some_and(|entry| entry.node.entries().is_some());
    let is_list = |key: &str| node.get(key).is_some_and(|entry| matches!(entry.node.kind, Kind::List(_)));
    let only_keywords = || {
        node.entries()
            .is_some_and(|entries| entries.iter().all(|entry| reference::is_keyword(&entry.key)))
    };
    let object = node.get("type").and_then(|entry| entry.node.as_text()) == Some("object");
    has("$schema")
        || has("$ref")
        || is_map("$defs")
        || ["allOf", "anyOf", "oneOf"].into_iter().any(is_list)
        || (is_map("properties") && (object || only_keywords()))
        || (object && only_keywords())
}

fn whole(node: &Node, path: &str, report: &mut Report) -> Option<Value> {
    let mut json = node.to_json(Numbers::Any);
    property::normalize(&mut json, node.line, path, report)?;
    let map = json.as_object_mut()?;
    map.shift_remove("$id");
    match map.get("type") {
        None => drop(map.insert("type".to_owned(), json!("object"))),
        Some(Value::String(name)) if name == "object" => {}
        Some(other) => {
            let message = format!("is a schema of {other}, not of an object");
            report.add(
                Code::ContractType,
                node.line,
                path,
                message,
                "write `type: object` and name the parts below `properties:`",
            );
            return None;
        }
    }
    map.entry("$schema").or_insert_with(|| json!(DIALECT));
    Some(json)
}

/// Adds "exactly one of these is there".
fn exactly_one(json: &mut Value, group: &Group, report: &mut Report) {
    let path = "metadata.claw.exactly_one_of";
    let known = json.get("properties").and_then(Value::as_object).cloned().unwrap_or_default();
    let mut distinct = group.names.clone();
    distinct.sort();
    distinct.dedup();
    if distinct.len() < 2 || distinct.len() != group.names.len() {
        let hint = "write `exactly_one_of: [[one, other]]`";
        report.add(
            Code::ExactlyOneOf,
            group.line,
            path,
            "a group needs two or more different names",
            hint,
        );
        return;
    }
    if let Some(name) = group.names.iter().find(|name| !known.contains_key(*name)) {
        let names = known.keys().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        let message = format!("`{name}` is not an input");
        report.add(
            Code::ExactlyOneOf,
            group.line,
            path,
            message,
            &format!("the inputs are {names}"),
        );
        return;
    }
    let Some(map) = json.as_object_mut() else { return };
    if let Some(Value::Array(required)) = map.get_mut("required") {
        required.retain(|name| !group.names.iter().any(|one| name == one));
    }
    let branches: Vec<Value> = group.names.iter().map(|name| json!({ "required": [name] })).collect();
    match map.get_mut("allOf") {
        Some(Value::Array(all)) => all.push(json!({ "oneOf": branches })),
        _ => drop(map.insert("allOf".to_owned(), json!([{ "oneOf": branches }]))),
    }
}
