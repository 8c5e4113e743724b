//! Types of inputs and outputs: the short words, and JSON Schemas that may use them.

use serde_json::{Map, Value, json};

use super::node::{Entry, Kind, Node, Numbers};
use super::report::Report;
use super::{Code, reference};

/// One input or output.
pub(super) struct Property {
    pub(super) name: String,
    pub(super) line: usize,
    pub(super) schema: Value,
    pub(super) required: bool,
}

const TYPES: &str = "`string`, `integer`, `number`, `boolean`, `array`, `object`, `markdown`";

/// Reads `name: type`, or `name:` with a schema below it.
pub(super) fn read(entry: &Entry, path: &str, report: &mut Report) -> Option<Property> {
    named(&entry.key, entry.line, &entry.node, path, report)
}

/// Reads `{name: …, type: …, description: …, required: …}`.
pub(super) fn read_named(item: &Node, path: &str, report: &mut Report) -> Option<Property> {
    let name = item.get("name").and_then(|entry| entry.node.as_text()).unwrap_or_default();
    let mut rest = item.clone();
    if let Kind::Map(entries) = &mut rest.kind {
        entries.retain(|entry| entry.key != "name");
    }
    named(name, item.line, &rest, path, report)
}

fn named(name: &str, line: usize, node: &Node, path: &str, report: &mut Report) -> Option<Property> {
    let name = name.trim();
    if name.is_empty() || name.len() > 128 || name.chars().any(char::is_control) {
        let message = "a name is empty, too long or holds control characters";
        report.add(Code::PropertyName, line, path, message, "write `- pr_number: integer`");
        return None;
    }
    let path = format!("{path}.{name}");
    let (schema, required) = match &node.kind {
        Kind::Scalar(_) if node.is_null() => {
            report.add(
                Code::UnknownType,
                line,
                &path,
                "has no type",
                &format!("write `- {name}: string`"),
            );
            return None;
        }
        Kind::Scalar(scalar) => word(scalar.text.trim(), node.line, &path, report)?,
        Kind::List(_) => {
            let hint = format!("write `- {name}: array`, or a JSON Schema below `{name}:`");
            report.add(Code::ContractType, node.line, &path, "is a list where a type belongs", &hint);
            return None;
        }
        Kind::Map(entries) => {
            if !entries.iter().any(|entry| reference::is_keyword(&entry.key)) {
                let message = "is a map without a single keyword of JSON Schema";
                let hint = "write `type: object` and `properties:` below it";
                report.add(Code::ContractType, node.line, &path, message, hint);
                return None;
            }
            let mut schema = node.to_json(Numbers::Any);
            let required = own_flags(&mut schema);
            let optional = normalize(&mut schema, node.line, &path, report)?;
            (schema, required.unwrap_or(!optional))
        }
    };
    Some(Property {
        name: name.to_owned(),
        line,
        schema,
        required,
    })
}

/// `required`, `optional` and `default` beside a type, as many forms have them. JSON Schema's own
/// `required` is a list and stays.
fn own_flags(schema: &mut Value) -> Option<bool> {
    let map = schema.as_object_mut()?;
    let mut required = map.contains_key("default").then_some(false);
    if let Some(Value::Bool(flag)) = map.get("optional") {
        required = Some(!flag);
        map.shift_remove("optional");
    }
    if let Some(Value::Bool(flag)) = map.get("required") {
        required = Some(*flag);
        map.shift_remove("required");
    }
    required
}

/// The schema of a short word, and whether it is required.
fn word(text: &str, line: usize, path: &str, report: &mut Report) -> Option<(Value, bool)> {
    let (base, required) = match text.strip_suffix('?') {
        Some(base) => (base.trim(), false),
        None => (text, true),
    };
    let name = match base {
        "string" | "integer" | "number" | "boolean" | "array" | "object" | "markdown" => base,
        other => match synonym(other) {
            Some(name) => {
                let message = format!("`{other}` is read as `{name}`");
                report.add(Code::UnusualType, line, path, message, &format!("write `{name}`"));
                name
            }
            None => {
                let message = format!("`{}` is not a type", other.chars().take(60).collect::<String>());
                report.add(Code::UnknownType, line, path, message, &format!("the types are {TYPES}"));
                return None;
            }
        },
    };
    let schema = match name {
        "markdown" => json!({ "type": "string", "contentMediaType": "text/markdown" }),
        name => json!({ "type": name }),
    };
    Some((schema, required))
}

fn synonym(word: &str) -> Option<&'static str> {
    let name = match word.to_ascii_lowercase().as_str() {
        "string" | "str" | "text" | "path" | "file" | "url" | "uri" | "date" | "datetime" => "string",
        "integer" | "int" | "long" => "integer",
        "number" | "float" | "double" | "decimal" => "number",
        "boolean" | "bool" => "boolean",
        "array" | "list" => "array",
        "object" | "map" | "dict" | "json" => "object",
        "markdown" | "md" => "markdown",
        _ => return None,
    };
    Some(name)
}

/// Turns the short words within a schema into JSON Schema, at every place where a schema may
/// stand; `Some(true)` if the outermost type is optional, `None` after an error.
pub(super) fn normalize(schema: &mut Value, line: usize, path: &str, report: &mut Report) -> Option<bool> {
    if let Value::String(text) = schema {
        let (inner, required) = word(text.trim(), line, path, report)?;
        *schema = inner;
        return Some(!required);
    }
    let Some(map) = schema.as_object_mut() else {
        return Some(false);
    };
    let mut optional = false;
    name_null(map.get_mut("type"));
    hoist_required(map);
    if let Some(Value::String(text)) = map.get("type")
        && text != "null"
    {
        let (inner, required) = word(text.trim(), line, path, report)?;
        optional = !required;
        replace_type(map, inner);
    }
    for child in reference::children_mut(map) {
        normalize(child, line, path, report)?;
    }
    Some(optional)
}

/// YAML reads `type: null` as nothing; in a schema it is the name of a type.
fn name_null(kind: Option<&mut Value>) {
    match kind {
        Some(value @ Value::Null) => *value = json!("null"),
        Some(Value::Array(kinds)) => kinds
            .iter_mut()
            .filter(|kind| kind.is_null())
            .for_each(|kind| *kind = json!("null")),
        Some(_) | None => {}
    }
}

/// `required: true` on a part means what a list of names on the whole means.
fn hoist_required(map: &mut Map<String, Value>) {
    let Some(Value::Object(parts)) = map.get_mut("properties") else {
        return;
    };
    let mut names = Vec::new();
    for (name, part) in parts.iter_mut() {
        let flag = part.get("required").and_then(Value::as_bool);
        if let (Some(flag), Some(part)) = (flag, part.as_object_mut()) {
            part.shift_remove("required");
            names.extend(flag.then(|| json!(name)));
        }
    }
    if names.is_empty() {
        return;
    }
    match map.get_mut("required") {
        Some(Value::Array(required)) => {
            names.retain(|name| !required.contains(name));
            required.extend(names);
        }
        _ => drop(map.insert("required".to_owned(), Value::Array(names))),
    }
}

fn replace_type(map: &mut Map<String, Value>, inner: Value) {
    let Value::Object(inner) = inner else { return };
    for (key, value) in inner {
        // An author's own media type is more exact than ours.
        if key == "type" || !map.contains_key(&key) {
            map.insert(key, value);
        }
    }
}
