//! Every text of a JSON value that a model could read, long numbers among them. Passes over the
//! payloads of images, sound and film, which are no text to it, where they are base64 and
//! nothing else; without recursion, so that no depth is too deep.

use serde_json::Value;

/// An image, a sound or a film is at least so long in base64; a secret or a card is not.
const SHORTEST_PAYLOAD: usize = 64;

/// Numbers with fewer digits than the shortest card are not shown.
const LONG: u64 = 100_000_000_000;

/// Shows every text: strings, the names of fields, and long numbers.
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
                    if !(media && is_payload(key, field)) {
                        open.push(field);
                    }
                }
            }
            Value::Number(number) => {
                if number.as_u64().is_some_and(|number| number >= LONG) {
                    see(&number.to_string());
                }
            }
            Value::Null | Value::Bool(_) => {}
        }
    }
}

/// Shows what [`map_texts`] cannot write anew: the names of fields, and long numbers.
pub fn fixed_texts(value: &Value, see: &mut dyn FnMut(&str)) {
    let mut open = vec![value];
    while let Some(value) = open.pop() {
        match value {
            Value::Array(items) => open.extend(items),
            Value::Object(fields) => {
                fields.keys().for_each(|key| see(key));
                open.extend(fields.values());
            }
            Value::Number(_) => texts(value, see),
            Value::Null | Value::Bool(_) | Value::String(_) => {}
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
                let fields = fields.iter_mut().filter(|(key, field)| !(media && is_payload(key, field)));
                open.extend(fields.map(|(_, field)| field));
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
}

/// A text without one layer of the escapes of JSON, wherever in it they stand; nothing where there
/// are none.
pub fn unescaped(text: &str) -> Option<String> {
    if !text.contains('\\') {
        return None;
    }
    let mut whole = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, from)) = rest.find('\\').and_then(|place| rest.split_at_checked(place)) {
        whole.push_str(before);
        let (said, length) = escape(from);
        whole.push(said);
        rest = from.get(length..).unwrap_or_default();
    }
    whole.push_str(rest);
    (whole != text).then_some(whole)
}

/// What an escape at the beginning of a text says, and how long it is.
fn escape(text: &str) -> (char, usize) {
    let unit = |from: usize| {
        let digits = text.get(from..from + 6)?.strip_prefix("\\u")?;
        let sound = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        sound.then(|| u16::from_str_radix(digits, 16).ok()).flatten()
    };
    if let Some(first) = unit(0) {
        let pair = [first, unit(6).unwrap_or_default()];
        return match char::decode_utf16(pair).next() {
            Some(Ok(said)) => (said, if said.len_utf16() == 2 { 12 } else { 6 }),
            Some(Err(_)) | None => (char::REPLACEMENT_CHARACTER, 6),
        };
    }
    match text.as_bytes().get(1) {
        Some(b'n') => ('\n', 2),
        Some(b't') => ('\t', 2),
        Some(b'r') => ('\r', 2),
        Some(b'b' | b'f') => (' ', 2),
        Some(b'"') => ('"', 2),
        Some(b'/') => ('/', 2),
        Some(b'\\') => ('\\', 2),
        _ => ('\\', 1),
    }
}

/// The object or list that a text is in JSON, such as the arguments of a tool call.
pub fn json_within(text: &str) -> Option<Value> {
    let is_one = text.trim_start().starts_with(['{', '[']);
    is_one.then(|| serde_json::from_str(text).ok()).flatten()
}

/// An object that says it carries an image, sound or film.
fn is_media(value: &Value) -> bool {
    let text = |key: &str| value.get(key).and_then(Value::as_str);
    let kind = text("media_type").or(text("mime")).or(text("mimeType")).or(text("mime_type"));
    match (kind, text("type")) {
        (Some(kind), _) => is_no_text(kind),
        (None, Some(kind)) => kind == "input_audio",
        (None, None) => matches!(text("format"), Some("wav" | "mp3" | "flac" | "opus" | "pcm16" | "aac")),
    }
}

fn is_no_text(kind: &str) -> bool {
    ["image/", "audio/", "video/"].iter().any(|family| kind.starts_with(family))
}

fn is_payload(key: &str, field: &Value) -> bool {
    key == "data" && field.as_str().is_some_and(is_base64)
}

/// Base64 of something and nothing else, in the alphabet that has no `-` or `_`, as keys have.
fn is_base64(text: &str) -> bool {
    let body = text.trim_end_matches('=');
    text.len() >= SHORTEST_PAYLOAD
        && text.len() - body.len() <= 2
        && body
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/'))
}

/// Of a `data:` address of an image, sound or film, what stands before the payload.
fn without_payload(text: &str) -> &str {
    let parts = text.strip_prefix("data:").and_then(|rest| rest.split_once(";base64,"));
    match parts {
        Some((kind, payload)) if is_no_text(kind) && is_base64(payload) => text.strip_suffix(payload).unwrap_or(text),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// One white pixel.
    const IMAGE: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGP4DwABAQEAsVYF1gAAAABJRU5ErkJggg==";

    fn shown(value: &Value) -> Vec<String> {
        let mut all = Vec::new();
        texts(value, &mut |text| all.push(text.to_owned()));
        all
    }

    #[test]
    fn what_only_calls_itself_media_is_shown() {
        let address = "jane@example.com";
        let hidden = [
            json!({ "format": "csv", "data": address }),
            json!({ "mime": "application/json", "data": { "to": address } }),
            json!({ "media_type": "image/png", "data": address }),
            json!({ "media_type": "image/png", "data": { "to": address } }),
            json!(format!("data:image/png;base64,{IMAGE}\nwrite to {address}")),
            json!(format!("data:image/png,{address};base64,{IMAGE}")),
        ];
        for value in hidden {
            assert!(shown(&value).iter().any(|text| text.contains(address)), "{value}");
        }
        let card = json!({ "media_type": "image/png", "data": "4111111111111111" });
        assert!(shown(&card).contains(&"4111111111111111".to_owned()));
        let image = json!({ "media_type": "image/png", "data": IMAGE });
        assert!(!shown(&image).iter().any(|text| text == IMAGE));
        let address = json!(format!("data:image/png;base64,{IMAGE}"));
        assert_eq!(shown(&address), ["data:image/png;base64,"]);
    }

    #[test]
    fn long_numbers_are_shown_as_texts_and_named_among_what_cannot_be_changed() {
        let value = json!({ "card": 4_111_111_111_111_111_u64, "n": 3 });
        assert!(shown(&value).contains(&"4111111111111111".to_owned()));
        let mut fixed = Vec::new();
        fixed_texts(&value, &mut |text| fixed.push(text.to_owned()));
        fixed.sort();
        assert_eq!(fixed, ["4111111111111111", "card", "n"]);
    }
}
