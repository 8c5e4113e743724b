#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use serde_json::json;

use super::*;

fn lines(effects: &[Value]) -> Vec<Line> {
    effects
        .iter()
        .map(|effect| Line {
            at_us: 0,
            effect: serde_json::from_value(effect.clone()).unwrap(),
        })
        .collect()
}

fn git(sent: &Value, answered: &Value) -> Value {
    json!({ "effect": "invoke", "capability": "exec.git", "input": { "json": sent }, "answer": { "ok": { "json": answered } } })
}

fn model(sent: &str, answered: &str) -> Value {
    json!({
        "effect": "model",
        "use": "general",
        "request": { "messages": [{ "role": "user", "parts": [{ "type": "text", "text": sent }] }] },
        "stream": false,
        "answer": { "ok": {
            "message": { "role": "assistant", "parts": [{ "type": "text", "text": answered }] },
            "finish": "stop",
            "usage": { "input_tokens": 1, "output_tokens": 1, "cached_tokens": 0, "reasoning_tokens": 0, "cost_nanousd": null, "estimated": false },
            "model": "m", "provider": "p", "offline": false, "attempts": 1,
        } },
    })
}

fn masked(effects: &[Value], input: &Value, component: &[u8]) -> (Masked, String) {
    let context = Context {
        input,
        files: Path::new("/nowhere"),
        component,
    };
    let masked = mask(lines(effects), &Known::default(), &context).unwrap();
    let text = serde_json::to_string(&masked.lines).unwrap();
    (masked, text)
}

#[test]
fn the_same_text_has_the_same_placeholder_in_answers_and_in_what_follows() {
    let effects = [
        git(
            &json!({ "args": ["log"] }),
            &json!({ "stdout": "Ann <ann@example.org>\nBob <bob@example.org>\n" }),
        ),
        model("who is ann@example.org?", "ann@example.org and carl@example.org"),
    ];
    let (masked, text) = masked(&effects, &json!({}), b"");
    assert!(masked.stuck.is_empty(), "{:?}", masked.stuck);
    assert_eq!(masked.counts, BTreeMap::from([("email", 3)]));
    assert!(!text.contains("example.org"), "{text}");
    assert!(
        text.contains("Ann <«email-1»>\\nBob <«email-2»>")
            && text.contains("who is «email-1»?")
            && text.contains("«email-1» and «email-3»")
    );
    assert_eq!(masked.lines.len(), 2);
}

#[test]
fn what_a_skill_sends_of_its_own_is_stuck_and_named_by_kind_and_place_alone() {
    let secret = format!("ghp_{}", "a1B2c3D4e5F6".repeat(3));
    let effects = [
        git(
            &json!({ "args": ["push", format!("https://{secret}/x")] }),
            &json!({ "stdout": secret.clone() }),
        ),
        model("dora@example.org", "no"),
    ];
    let (masked, text) = masked(&effects, &json!({}), b"");
    let stuck: Vec<String> = masked.stuck.iter().map(ToString::to_string).collect();
    assert_eq!(
        stuck,
        [
            "api-key in call 1, invoke `exec.git`, at `/input/json/args/1`",
            "email in call 2, model `general`, at `/request/messages/0/parts/0/text`",
        ]
    );
    assert!(
        text.contains(&secret),
        "what stays in the request stays in the answer, so that it replays"
    );
}

#[test]
fn what_the_case_and_the_skill_say_themselves_is_kept_unless_it_opens_something() {
    let secret = format!("ghp_{}", "a1B2c3D4e5F6".repeat(3));
    let input = json!({ "to": "eve@example.org", "key": secret });
    let effects = [
        model("write to eve@example.org from bot@example.org", "done, eve@example.org"),
        git(&json!({ "args": [secret] }), &json!({})),
    ];
    let (masked, text) = masked(&effects, &input, b"\0asm prompt: from bot@example.org \xff");
    assert_eq!(masked.stuck.len(), 1);
    assert!(masked.stuck.first().unwrap().to_string().starts_with("api-key in call 2"));
    assert!(text.contains("done, eve@example.org") && masked.counts.is_empty());
}

#[test]
fn keys_of_objects_and_text_in_base64_are_looked_into() {
    let data = STANDARD.encode("From: ann@example.org");
    let effects = [
        json!({
            "effect": "invoke", "capability": "exec.git", "input": { "json": {} },
            "answer": { "ok": { "bytes": { "mime": "text/plain", "data": data } } },
        }),
        git(&json!({}), &json!({ "ann@example.org": 1 })),
        json!({
            "effect": "invoke", "capability": "exec.git", "input": { "json": {} },
            "answer": { "ok": { "bytes": { "mime": "image/png", "data": STANDARD.encode(b"\xff\xfe") } } },
        }),
    ];
    let (masked, text) = masked(&effects, &json!({}), b"");
    assert!(
        text.contains(&STANDARD.encode("From: «email-1»")) && text.contains("\"«email-1»\":1"),
        "{text}"
    );
    assert_eq!(masked.opaque, 1, "data that is no text is counted, once");
}

#[test]
fn messages_of_faults_are_masked_too() {
    let effect = json!({
        "effect": "invoke", "capability": "exec.git", "input": { "json": {} },
        "answer": { "err": { "code": "exec.denied", "message": "not for ann@example.org" } },
    });
    let (_, text) = masked(&[effect], &json!({}), b"");
    assert!(text.contains("not for «email-1»"), "{text}");
}

#[test]
fn nothing_to_mask_changes_nothing() {
    let effects = [
        model("one", "two"),
        json!({ "effect": "embed", "use": "general", "texts": ["a"], "answer": { "ok": [[0.5]] } }),
    ];
    let (masked, _) = masked(&effects, &json!({}), b"");
    assert_eq!(masked.lines, lines(&effects));
    assert!(masked.counts.is_empty() && masked.stuck.is_empty());
}
