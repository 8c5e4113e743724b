//! Where schemas stand within a schema, and the bounds that keep a hostile one harmless: no
//! reference leaves the file or comes back to itself, and the whole expands to a known size.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::Code;

/// Keywords whose value is a schema, or a list of schemas.
const ONE_OR_MANY: &[&str] = &[
    "additionalItems",
    "additionalProperties",
    "allOf",
    "anyOf",
    "contains",
    "contentSchema",
    "else",
    "if",
    "items",
    "not",
    "oneOf",
    "prefixItems",
    "propertyNames",
    "then",
    "unevaluatedItems",
    "unevaluatedProperties",
];
/// Keywords whose value is a map of schemas.
const NAMED: &[&str] = &["$defs", "definitions", "dependentSchemas", "patternProperties", "properties"];
/// Every other keyword that says something about a value.
const PLAIN: &[&str] = &[
    "$ref",
    "const",
    "contentEncoding",
    "contentMediaType",
    "default",
    "dependentRequired",
    "description",
    "enum",
    "examples",
    "exclusiveMaximum",
    "exclusiveMinimum",
    "format",
    "maxItems",
    "maxLength",
    "maxProperties",
    "maximum",
    "minItems",
    "minLength",
    "minProperties",
    "minimum",
    "multipleOf",
    "optional",
    "pattern",
    "required",
    "title",
    "type",
    "uniqueItems",
];
/// Keywords that move or bend references; a contract needs none of them.
const REFUSED: &[&str] = &[
    "$anchor",
    "$dynamicAnchor",
    "$dynamicRef",
    "$id",
    "$recursiveAnchor",
    "$recursiveRef",
    "$vocabulary",
    "id",
];

const MOST_EXPANDED: usize = 2_000;
const MOST_DEPTH: usize = 96;
const MOST_PATTERNS: usize = 64;
const MOST_PATTERN_BYTES: usize = 1_024;

/// `true` for a keyword of JSON Schema.
pub(super) fn is_keyword(key: &str) -> bool {
    ONE_OR_MANY.contains(&key) || NAMED.contains(&key) || PLAIN.contains(&key) || key == "$schema"
}

/// The schemas directly within a schema.
pub(super) fn children_mut(map: &mut Map<String, Value>) -> impl Iterator<Item = &mut Value> {
    map.iter_mut().flat_map(|(key, value)| {
        let (one_or_many, named) = (ONE_OR_MANY.contains(&key.as_str()), NAMED.contains(&key.as_str()));
        let found: Vec<&mut Value> = if named && value.is_object() {
            value.as_object_mut().into_iter().flat_map(Map::values_mut).collect()
        } else if one_or_many && value.is_array() {
            value.as_array_mut().into_iter().flatten().collect()
        } else {
            Some(value).filter(|_| one_or_many).into_iter().collect()
        };
        found
    })
}

fn children(map: &Map<String, Value>) -> impl Iterator<Item = (&str, &Value)> {
    map.iter().flat_map(|(key, value)| {
        let found: Vec<&Value> = match value {
            Value::Array(items) if ONE_OR_MANY.contains(&key.as_str()) => items.iter().collect(),
            Value::Object(named) if NAMED.contains(&key.as_str()) => named.values().collect(),
            value if ONE_OR_MANY.contains(&key.as_str()) => vec![value],
            _ => Vec::new(),
        };
        found.into_iter().map(move |child| (key.as_str(), child))
    })
}

/// Holds a whole schema against the bounds.
///
/// # Errors
/// The code and the words for it.
pub(super) fn check(root: &Value) -> Result<(), (Code, String)> {
    let mut walk = Walk {
        root,
        costs: HashMap::new(),
        patterns: 0,
    };
    walk.cost(root, 0).map(|_| ())?;
    // Definitions that nothing refers to are compiled all the same.
    for place in ["$defs", "definitions"] {
        for (name, _) in root.get(place).and_then(Value::as_object).into_iter().flatten() {
            let escaped = name.replace('~', "~0").replace('/', "~1");
            walk.target(&format!("#/{place}/{escaped}"), 0)?;
        }
    }
    Ok(())
}

struct Walk<'a> {
    root: &'a Value,
    /// What a definition expands to; `None` while it is being added up.
    costs: HashMap<String, Option<usize>>,
    patterns: usize,
}

impl Walk<'_> {
    /// How many schemas a value may be held against at most, for this schema.
    fn cost(&mut self, schema: &Value, depth: usize) -> Result<usize, (Code, String)> {
        if depth > MOST_DEPTH {
            return Err((Code::SchemaTooLarge, format!("the schema nests deeper than {MOST_DEPTH}")));
        }
        let Value::Object(map) = schema else { return Ok(1) };
        if let Some(key) = REFUSED
            .iter()
            .find(|key| map.get(**key).is_some_and(|value| !value.is_object()))
        {
            return Err((Code::SchemaReference, format!("`{key}` is not taken in a contract")));
        }
        self.patterns(map)?;
        let mut cost = 1usize;
        if let Some(reference) = map.get("$ref") {
            let Some(reference) = reference.as_str() else {
                return Err((Code::SchemaReference, "`$ref` is not text".to_owned()));
            };
            cost = cost.saturating_add(self.target(reference, depth + 1)?);
        }
        for (key, child) in children(map) {
            if key != "$defs" && key != "definitions" {
                cost = cost.saturating_add(self.cost(child, depth + 1)?);
            } else if depth > 0 {
                return Err((Code::SchemaReference, format!("`{key}` stands below the top of the schema")));
            }
        }
        if cost > MOST_EXPANDED {
            return Err((
                Code::SchemaTooLarge,
                format!("the schema expands to more than {MOST_EXPANDED} schemas"),
            ));
        }
        Ok(cost)
    }

    fn target(&mut self, reference: &str, depth: usize) -> Result<usize, (Code, String)> {
        let shown: String = reference.chars().take(80).collect();
        match self.costs.get(reference) {
            Some(Some(cost)) => return Ok(*cost),
            Some(None) => return Err((Code::SchemaReference, format!("`{shown}` refers to itself"))),
            None => {}
        }
        let local = reference
            .strip_prefix("#/$defs/")
            .or_else(|| reference.strip_prefix("#/definitions/"));
        if local.is_none_or(|name| name.contains(['/', '%'])) {
            return Err((Code::SchemaReference, format!("`{shown}` is not a definition of this schema")));
        }
        let root = self.root;
        let Some(target) = reference.strip_prefix('#').and_then(|pointer| root.pointer(pointer)) else {
            return Err((Code::SchemaReference, format!("`{shown}` refers to nothing")));
        };
        self.costs.insert(reference.to_owned(), None);
        let cost = self.cost(target, depth)?;
        self.costs.insert(reference.to_owned(), Some(cost));
        Ok(cost)
    }

    fn patterns(&mut self, map: &Map<String, Value>) -> Result<(), (Code, String)> {
        let named = map.get("patternProperties").and_then(Value::as_object);
        let named = named.into_iter().flat_map(Map::keys).map(String::as_str);
        for pattern in named.chain(map.get("pattern").and_then(Value::as_str)) {
            self.patterns += 1;
            if self.patterns > MOST_PATTERNS || pattern.len() > MOST_PATTERN_BYTES {
                let message = format!("more than {MOST_PATTERNS} patterns, or one of more than {MOST_PATTERN_BYTES} bytes");
                return Err((Code::SchemaTooLarge, message));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
