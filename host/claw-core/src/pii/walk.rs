//! Every text of a JSON value that a model could read. Passes over media payloads, which are no
//! text to it; without recursion, so that no depth is too deep.

use serde_json::Value;

/// Shows every text: strings and the names of fields.
pub fn texts(value: &Value, see: &mut dyn FnMut(&str)) {
    let mut open = vec![value];
    while let Some(value) = open.pop() {
        match value {
            Value::String(text) => see(without_payload(text)),
            Value::Array(items) => open.extend(items.iter().rev()),
            Value::Object(fields) => {
                let media = is_media(value);
                for (key, field) in fields.iter().rev() {
                    see(key);
                    if !(media && is_payload(key)) {
                        open.push(field);
                    }
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
}

/// Writes every text that is no name of a field anew.
pub fn map_texts(value: &mut Value, change: &mut dyn FnMut(&str) -> Option<String>) {
    let mut open = vec![value];
    while let Some(value) = open.pop() {
        let media = is_media(value);
        match value {
            Value::String(text) => {
                if without_payload(text).len() == text.len()
                    && let Some(changed) = change(text)
                {
                    *text = changed;
                }
            }
            Value::Array(items) => open.extend(items.iter_mut()),
            Value::Object(fields) => {
                let fields = fields.iter_mut().filter(|(key, _)| !(media && is_payload(key)));
                open.extend(fields.map(|(_, field)| field));
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
}

/// An object that carries base64 of something that is not text.
fn is_media(value: &Value) -> bool {
    let text = |key: &str| value.get(key).and_then(Value::as_str);
    let kind = text("media_type").or(text("mime")).or(text("mimeType"));
    match (kind, text("type")) {
        (Some(kind), _) => !kind.starts_with("text/"),
        (None, Some(kind)) => kind == "input_audio",
        (None, None) => text("format").is_some() && value.get("data").is_some(),
    }
}

fn is_payload(key: &str) -> bool {
    key == "data"
}

/// Of a `data:` address, what stands before the payload, where that is not text.
fn without_payload(text: &str) -> &str {
    match text.strip_prefix("data:").and_then(|rest| rest.split_once(";base64,")) {
        Some((kind, _)) if !kind.starts_with("text/") => text.split(',').next().unwrap_or(text),
        _ => text,
    }
}
