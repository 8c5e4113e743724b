//! Where gathered pieces go in a request: texts after the caller's own instructions, turns of a
//! session before the caller's own messages. Everything that the caller wrote stays.

use serde_json::{Map, Value, json};

use super::{Content, Gathered, Turn};
use crate::errors::{Code, Fault};
use crate::model::{CompletionRequest, Message, Role};
use crate::wire::{Api, WireRequest};

/// Puts the pieces into a request in our own words.
pub fn into_request(request: &mut CompletionRequest, pieces: &[Gathered]) {
    let first = request.messages.iter().position(|message| message.role != Role::System);
    let place = first.unwrap_or(request.messages.len());
    let turns = turns(pieces).map(|turn| Message::text(turn.role, turn.text.clone()));
    let texts = texts(pieces).map(|text| Message::text(Role::System, text));
    let inserted: Vec<Message> = texts.into_iter().chain(turns).collect();
    request.messages.splice(place..place, inserted);
}

/// Puts the pieces into a request in the caller's own dialect, whose body is written anew.
///
/// # Errors
/// [`Code::InvalidInput`] where the body has no place for them.
pub fn into_wire(request: &mut WireRequest, pieces: &[Gathered]) -> Result<(), Fault> {
    let Value::Object(mut body) = (*request.value).clone() else {
        return Err(no_place("the body is not an object"));
    };
    let said: Vec<&Turn> = turns(pieces).collect();
    let text = texts(pieces);
    match request.api {
        Api::ChatCompletions => chat(&mut body, text, &said)?,
        Api::Responses => responses(&mut body, text, &said)?,
        Api::Messages | Api::CountTokens => messages(&mut body, text, &said)?,
        Api::Embeddings => return Err(no_place("embeddings take no context")),
    }
    let value = Value::Object(body);
    request.body = serde_json::to_vec(&value).map_err(|_| Fault::internal())?.into();
    request.value = std::sync::Arc::new(value);
    Ok(())
}

/// What the caller says in this turn: the text of its last message.
pub fn question_of(request: &WireRequest) -> Option<String> {
    let body = &request.value;
    let last = match request.api {
        Api::ChatCompletions | Api::Messages => body.get("messages")?.as_array()?.last()?,
        Api::Responses => match body.get("input")? {
            Value::String(text) => return Some(text.clone()),
            input => input.as_array()?.last()?,
        },
        Api::Embeddings | Api::CountTokens => return None,
    };
    if last.get("role").and_then(Value::as_str) != Some("user") {
        return None;
    }
    match last.get("content")? {
        Value::String(text) => Some(text.clone()),
        Value::Array(parts) => {
            let texts: Vec<&str> = parts.iter().filter_map(|part| part.get("text")?.as_str()).collect();
            (!texts.is_empty()).then(|| texts.join("\n"))
        }
        _ => None,
    }
}

fn turns(pieces: &[Gathered]) -> impl Iterator<Item = &Turn> {
    pieces.iter().flat_map(|piece| match &piece.content {
        Content::Turns(turns) => turns.as_slice(),
        Content::Text(_) => &[],
    })
}

/// All texts as one, each under its name.
fn texts(pieces: &[Gathered]) -> Option<String> {
    let named: Vec<String> = pieces
        .iter()
        .filter_map(|piece| match &piece.content {
            Content::Text(text) => Some(format!("<context name=\"{}\">\n{}\n</context>", piece.name, text.trim_end())),
            Content::Turns(_) => None,
        })
        .collect();
    (!named.is_empty()).then(|| named.join("\n\n"))
}

fn chat(body: &mut Map<String, Value>, text: Option<String>, turns: &[&Turn]) -> Result<(), Fault> {
    let messages = list(body, "messages")?;
    let instructs = |message: &Value| matches!(message.get("role").and_then(Value::as_str), Some("system" | "developer"));
    let place = messages
        .iter()
        .position(|message| !instructs(message))
        .unwrap_or(messages.len());
    let texts = text.map(|text| json!({ "role": "system", "content": text }));
    let inserted: Vec<Value> = texts.into_iter().chain(turns.iter().map(|turn| said(turn))).collect();
    messages.splice(place..place, inserted);
    Ok(())
}

fn messages(body: &mut Map<String, Value>, text: Option<String>, turns: &[&Turn]) -> Result<(), Fault> {
    if let Some(text) = text {
        match body.get_mut("system") {
            None | Some(Value::Null) => drop(body.insert("system".to_owned(), json!(text))),
            Some(Value::String(system)) => {
                system.push_str("\n\n");
                system.push_str(&text);
            }
            Some(Value::Array(blocks)) => blocks.push(json!({ "type": "text", "text": text })),
            Some(_) => return Err(no_place("`system` is neither a text nor a list of blocks")),
        }
    }
    let spoken: Vec<Value> = turns.iter().map(|turn| said(turn)).collect();
    list(body, "messages")?.splice(0..0, spoken);
    Ok(())
}

fn responses(body: &mut Map<String, Value>, text: Option<String>, turns: &[&Turn]) -> Result<(), Fault> {
    if let Some(text) = text {
        match body.get_mut("instructions") {
            None | Some(Value::Null) => drop(body.insert("instructions".to_owned(), json!(text))),
            Some(Value::String(own)) => {
                own.push_str("\n\n");
                own.push_str(&text);
            }
            Some(_) => return Err(no_place("`instructions` is not a text")),
        }
    }
    if turns.is_empty() {
        return Ok(());
    }
    if let Some(Value::String(asked)) = body.get("input") {
        let asked = json!([{ "role": "user", "content": asked }]);
        body.insert("input".to_owned(), asked);
    }
    let spoken: Vec<Value> = turns.iter().map(|turn| said(turn)).collect();
    list(body, "input")?.splice(0..0, spoken);
    Ok(())
}

fn said(turn: &Turn) -> Value {
    let role = if turn.role == Role::Assistant { "assistant" } else { "user" };
    json!({ "role": role, "content": turn.text })
}

fn list<'a>(body: &'a mut Map<String, Value>, key: &str) -> Result<&'a mut Vec<Value>, Fault> {
    match body.get_mut(key) {
        Some(Value::Array(list)) => Ok(list),
        Some(_) | None => Err(no_place(&format!("`{key}` is not a list"))),
    }
}

fn no_place(why: &str) -> Fault {
    Fault::new(Code::InvalidInput, format!("there is no place for the context: {why}"))
}
