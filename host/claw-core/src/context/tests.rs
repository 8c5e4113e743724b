#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use std::sync::Arc;

use serde_json::json;

use super::*;
use crate::model::{CompletionRequest, Message};
use crate::wire::{Api, WireRequest};

fn text(name: &str, text: &str, priority: i32, max_tokens: Option<u64>) -> Gathered {
    Gathered {
        name: name.into(),
        content: Content::Text(text.into()),
        priority,
        max_tokens,
    }
}

fn turns(texts: &[(Role, &str)]) -> Gathered {
    let turn = |(role, text): &(Role, &str)| Turn {
        role: *role,
        text: (*text).into(),
    };
    Gathered {
        name: "session".into(),
        content: Content::Turns(texts.iter().map(turn).collect()),
        priority: 0,
        max_tokens: None,
    }
}

fn wire(api: Api, value: Value) -> WireRequest {
    WireRequest {
        api,
        masked: None,
        body: serde_json::to_vec(&value).unwrap().into(),
        value: Arc::new(value),
        stream: false,
        headers: Vec::new(),
    }
}

#[test]
fn the_highest_priority_keeps_its_room() {
    let long = "word word word word\n".repeat(40);
    let check = |room: Option<u64>, expected: &[(&str, bool, bool)]| {
        let fitted = fit(vec![text("low", &long, 1, None), text("high", &long, 9, Some(100))], room);
        let rows: Vec<(&str, bool, bool)> = fitted
            .used
            .iter()
            .map(|row| (row.name.as_str(), row.tokens > 0, row.cut))
            .collect();
        assert_eq!(rows, expected, "{room:?}");
        let taken: u64 = fitted.used.iter().map(|row| row.tokens).sum();
        assert!(room.is_none_or(|room| taken <= room), "{room:?}: {taken}");
    };
    check(None, &[("low", true, false), ("high", true, true)]);
    check(Some(1_000), &[("low", true, false), ("high", true, true)]);
    check(Some(150), &[("low", true, true), ("high", true, true)]);
    check(Some(100), &[("low", false, true), ("high", true, true)]);
    check(Some(0), &[("low", false, true), ("high", false, true)]);
}

#[test]
fn a_text_is_cut_at_a_line_or_at_a_character() {
    let fitted = fit(
        vec![text("a", &format!("{}\n{}", "x".repeat(60), "y".repeat(60)), 0, Some(20))],
        None,
    );
    assert_eq!(
        fitted.pieces.first().map(|piece| piece.content.clone()),
        Some(Content::Text("x".repeat(60)))
    );
    let fitted = fit(vec![text("a", &"ü".repeat(100), 0, Some(17))], None);
    assert_eq!(
        fitted.pieces.first().map(|piece| piece.content.clone()),
        Some(Content::Text("ü".repeat(34)))
    );
}

#[test]
fn a_session_loses_its_oldest_turns_and_begins_with_the_user() {
    let session = turns(&[
        (Role::User, &"a".repeat(400)),
        (Role::Assistant, &"b".repeat(40)),
        (Role::User, "c"),
        (Role::Assistant, "d"),
    ]);
    let fitted = fit(vec![session], Some(20));
    let Content::Turns(kept) = &fitted.pieces.first().unwrap().content else {
        unreachable!("turns stay turns")
    };
    assert_eq!(kept.iter().map(|turn| turn.text.as_str()).collect::<String>(), "cd");
    assert!(fitted.used.first().unwrap().cut);
}

#[test]
fn each_dialect_has_its_own_place() {
    let pieces = [
        text("handbook", "Be kind.", 0, None),
        turns(&[(Role::User, "q1"), (Role::Assistant, "a1")]),
    ];
    let told = "<context name=\"handbook\">\nBe kind.\n</context>";
    let check = |api: Api, body: Value, expected: Value| {
        let mut request = wire(api, body);
        into_wire(&mut request, &pieces).unwrap();
        assert_eq!(*request.value, expected);
        assert_eq!(serde_json::from_slice::<Value>(&request.body).unwrap(), expected);
    };
    let (q1, a1) = (
        json!({ "role": "user", "content": "q1" }),
        json!({ "role": "assistant", "content": "a1" }),
    );
    let (own, asked) = (
        json!({ "role": "system", "content": "own" }),
        json!({ "role": "user", "content": "q2" }),
    );
    check(
        Api::ChatCompletions,
        json!({ "x": 1, "messages": [own, asked] }),
        json!({ "x": 1, "messages": [own, { "role": "system", "content": told }, q1, a1, asked] }),
    );
    check(
        Api::Messages,
        json!({ "messages": [asked], "system": "own" }),
        json!({ "messages": [q1, a1, asked], "system": format!("own\n\n{told}") }),
    );
    check(
        Api::Messages,
        json!({ "messages": [asked], "system": [{ "type": "text", "text": "own" }] }),
        json!({ "messages": [q1, a1, asked], "system": [{ "type": "text", "text": "own" }, { "type": "text", "text": told }] }),
    );
    check(
        Api::Responses,
        json!({ "input": "q2" }),
        json!({ "input": [q1, a1, asked], "instructions": told }),
    );
    for body in [json!({ "messages": 3 }), json!({}), json!([])] {
        assert!(into_wire(&mut wire(Api::ChatCompletions, body), &pieces).is_err());
    }
    assert!(into_wire(&mut wire(Api::Embeddings, json!({ "input": "x" })), &pieces).is_err());
    assert!(into_wire(&mut wire(Api::Messages, json!({ "messages": [], "system": 3 })), &pieces).is_err());
}

#[test]
fn our_own_words_have_one_too() {
    let pieces = [
        text("handbook", "Be kind.", 0, None),
        turns(&[(Role::User, "q1"), (Role::Assistant, "a1")]),
    ];
    let mut request = CompletionRequest {
        messages: vec![Message::text(Role::System, "own"), Message::text(Role::User, "q2")],
        ..CompletionRequest::default()
    };
    into_request(&mut request, &pieces);
    let roles: Vec<Role> = request.messages.iter().map(|message| message.role).collect();
    assert_eq!(roles, [Role::System, Role::System, Role::User, Role::Assistant, Role::User]);
}

#[test]
fn the_question_is_the_last_thing_that_the_user_says() {
    let check = |api: Api, body: Value, expected: Option<&str>| {
        assert_eq!(question_of(&wire(api, body.clone())).as_deref(), expected, "{body}");
    };
    check(
        Api::ChatCompletions,
        json!({ "messages": [{ "role": "user", "content": "q" }] }),
        Some("q"),
    );
    let parts = json!([{ "type": "text", "text": "a" }, { "type": "image" }, { "type": "text", "text": "b" }]);
    check(
        Api::Messages,
        json!({ "messages": [{ "role": "user", "content": parts }] }),
        Some("a\nb"),
    );
    check(
        Api::Messages,
        json!({ "messages": [{ "role": "assistant", "content": "q" }] }),
        None,
    );
    check(Api::Responses, json!({ "input": "q" }), Some("q"));
    check(Api::Responses, json!({ "input": [3] }), None);
    check(Api::Embeddings, json!({ "input": "q" }), None);
}

#[test]
fn names_that_cannot_be_looked_up_are_refused() {
    let check = |wanted: ContextWanted, good: bool| assert_eq!(wanted.check().is_ok(), good, "{wanted:?}");
    let named = |name: &str| ContextWanted {
        context: vec![name.into()],
        ..ContextWanted::default()
    };
    check(named("handbook"), true);
    check(named("../etc/passwd"), false);
    check(named(""), false);
    check(named(&"x".repeat(65)), false);
    check(
        ContextWanted {
            context: vec!["a".into(); 17],
            ..ContextWanted::default()
        },
        false,
    );
    let session = |name: &str| ContextWanted {
        session: Some(name.into()),
        ..ContextWanted::default()
    };
    check(session("user:42"), true);
    check(session("a b"), false);
    let var = |value: Value| ContextWanted {
        vars: [("id".to_owned(), value)].into(),
        ..ContextWanted::default()
    };
    check(var(json!(7)), true);
    check(var(json!("x")), true);
    check(var(json!({ "a": 1 })), false);
    check(var(json!(null)), false);
}

#[test]
fn what_was_said_is_read_from_each_dialect() {
    let whole = |api: Api, body: Value| said_in(api, false, body.to_string().as_bytes());
    let said = Some("ab".to_owned());
    assert_eq!(
        whole(
            Api::ChatCompletions,
            json!({ "choices": [{ "message": { "content": "ab" } }] })
        ),
        said
    );
    let blocks = json!([{ "type": "text", "text": "a" }, { "type": "tool_use" }, { "type": "text", "text": "b" }]);
    assert_eq!(whole(Api::Messages, json!({ "content": blocks })), said);
    assert_eq!(whole(Api::Responses, json!({ "output": [{ "content": blocks }] })), said);
    assert_eq!(whole(Api::ChatCompletions, json!({ "choices": [] })), None);
    assert_eq!(said_in(Api::Messages, false, b"\xff"), None);
    let streamed = |api: Api, events: &[Value]| {
        let lines: String = events.iter().map(|event| format!("event: x\ndata: {event}\n\n")).collect();
        said_in(api, true, format!("{lines}data: [DONE]\n\n").as_bytes())
    };
    let chunk = |text: &str| json!({ "choices": [{ "delta": { "content": text } }] });
    assert_eq!(
        streamed(Api::ChatCompletions, &[chunk("a"), json!({ "choices": [] }), chunk("b")]),
        said
    );
    let delta = |text: &str| json!({ "type": "content_block_delta", "delta": { "type": "text_delta", "text": text } });
    assert_eq!(
        streamed(Api::Messages, &[json!({ "type": "ping" }), delta("a"), delta("b")]),
        said
    );
    let delta = |text: &str| json!({ "type": "response.output_text.delta", "delta": text });
    assert_eq!(streamed(Api::Responses, &[delta("a"), delta("b")]), said);
}
