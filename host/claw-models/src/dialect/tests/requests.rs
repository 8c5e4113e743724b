use claw_core::model::{Message, Part, Role, ToolCall, ToolChoice, ToolDef};

use super::*;

fn text(role: Role, text: &str) -> Message {
    Message::text(role, text)
}

fn blob(mime: &str) -> Part {
    Part::Blob {
        mime: mime.to_owned(),
        data: "aGk=".to_owned(),
    }
}

fn call(id: &str, arguments: &str) -> Part {
    Part::ToolCall(ToolCall {
        id: id.to_owned(),
        name: "weather".to_owned(),
        arguments: arguments.to_owned(),
    })
}

fn result(id: &str, content: &str, is_error: bool) -> Part {
    Part::ToolResult {
        id: id.to_owned(),
        content: content.to_owned(),
        is_error,
    }
}

/// A conversation with everything in it.
fn everything() -> CompletionRequest {
    let user = vec![Part::Text { text: "Look".to_owned() }, blob("image/png")];
    let assistant = vec![
        Part::Text {
            text: "Asking".to_owned(),
        },
        call("c1", r#"{"city": "Bern"}"#),
        call("c2", ""),
    ];
    CompletionRequest {
        messages: vec![
            text(Role::System, "Be brief."),
            text(Role::System, "Be kind."),
            Message {
                role: Role::User,
                parts: user,
            },
            Message {
                role: Role::Assistant,
                parts: assistant,
            },
            Message {
                role: Role::Tool,
                parts: vec![result("c1", "rain", false), result("c2", "no city", true)],
            },
            text(Role::User, "And now?"),
        ],
        max_tokens: Some(100),
        temperature: Some(0.7),
        stop: vec!["END".to_owned()],
        response_schema: None,
        tools: vec![ToolDef {
            name: "weather".to_owned(),
            description: "Tells it".to_owned(),
            schema: json!({ "type": "object" }),
        }],
        extra: json!({ "top_p": 0.9 }).as_object().unwrap().clone(),
        ..CompletionRequest::default()
    }
}

fn body(provider: &str, request: &CompletionRequest, stream: bool) -> Value {
    completion(&entry(provider), request, None, stream).unwrap().body
}

#[test]
fn anthropic_is_asked_in_its_words() {
    let expected = json!({
        "model": "test-model",
        "max_tokens": 100,
        "system": "Be brief.\n\nBe kind.",
        "messages": [
            { "role": "user", "content": [
                { "type": "text", "text": "Look" },
                { "type": "image", "source": { "type": "base64", "media_type": "image/png", "data": "aGk=" } } ] },
            { "role": "assistant", "content": [
                { "type": "text", "text": "Asking" },
                { "type": "tool_use", "id": "c1", "name": "weather", "input": { "city": "Bern" } },
                { "type": "tool_use", "id": "c2", "name": "weather", "input": {} } ] },
            { "role": "user", "content": [
                { "type": "tool_result", "tool_use_id": "c1", "content": "rain" },
                { "type": "tool_result", "tool_use_id": "c2", "content": "no city", "is_error": true },
                { "type": "text", "text": "And now?" } ] }
        ],
        "temperature": 0.7,
        "stop_sequences": ["END"],
        "tools": [{ "name": "weather", "description": "Tells it", "input_schema": { "type": "object" } }],
        "top_p": 0.9
    });
    assert_eq!(body("anthropic", &everything(), false), expected);
    assert_eq!(body("anthropic", &everything(), true)["stream"], json!(true));
}

#[test]
fn openai_is_asked_in_its_words() {
    let expected = json!({
        "model": "test-model",
        "messages": [
            { "role": "system", "content": "Be brief." },
            { "role": "system", "content": "Be kind." },
            { "role": "user", "content": [
                { "type": "text", "text": "Look" },
                { "type": "image_url", "image_url": { "url": "data:image/png;base64,aGk=" } } ] },
            { "role": "assistant", "content": "Asking", "tool_calls": [
                { "id": "c1", "type": "function", "function": { "name": "weather", "arguments": "{\"city\": \"Bern\"}" } },
                { "id": "c2", "type": "function", "function": { "name": "weather", "arguments": "{}" } } ] },
            { "role": "tool", "tool_call_id": "c1", "content": "rain" },
            { "role": "tool", "tool_call_id": "c2", "content": "error: no city" },
            { "role": "user", "content": "And now?" }
        ],
        "max_completion_tokens": 100,
        "temperature": 0.7,
        "stop": ["END"],
        "tools": [{ "type": "function", "function": { "name": "weather", "description": "Tells it", "parameters": { "type": "object" } } }],
        "top_p": 0.9
    });
    assert_eq!(body("openai", &everything(), false), expected);
    let streamed = body("openai", &everything(), true);
    assert_eq!(
        (&streamed["stream"], &streamed["stream_options"]),
        (&json!(true), &json!({ "include_usage": true }))
    );
    let compatible = entry_with("openai", ", base_url: 'http://127.0.0.1:1/v1'");
    let asked = completion(&compatible, &everything(), None, false).unwrap().body;
    assert_eq!(
        (asked.get("max_tokens"), asked.get("max_completion_tokens")),
        (Some(&json!(100)), None)
    );
}

#[test]
fn ollama_is_asked_in_its_words() {
    let expected = json!({
        "model": "test-model",
        "messages": [
            { "role": "system", "content": "Be brief." },
            { "role": "system", "content": "Be kind." },
            { "role": "user", "content": "Look", "images": ["aGk="] },
            { "role": "assistant", "content": "Asking", "tool_calls": [
                { "id": "c1", "function": { "name": "weather", "arguments": { "city": "Bern" } } },
                { "id": "c2", "function": { "name": "weather", "arguments": {} } } ] },
            { "role": "tool", "tool_name": "weather", "tool_call_id": "c1", "content": "rain" },
            { "role": "tool", "tool_name": "weather", "tool_call_id": "c2", "content": "error: no city" },
            { "role": "user", "content": "And now?" }
        ],
        "tools": [{ "type": "function", "function": { "name": "weather", "description": "Tells it", "parameters": { "type": "object" } } }],
        "options": { "num_predict": 100, "temperature": 0.7, "stop": ["END"], "top_p": 0.9 },
        "stream": false
    });
    assert_eq!(body("ollama", &everything(), false), expected);
}

#[test]
fn a_schema_is_asked_for_in_each_dialect() {
    let schema = json!({ "type": "object", "properties": { "a": { "type": "string" } }, "required": ["a"], "additionalProperties": false });
    let shape = Shape::try_new(&schema, true).unwrap();
    let mut request = everything();
    let asked =
        |provider: &str, request: &CompletionRequest| completion(&entry(provider), request, Some(&shape), false).unwrap().body;

    let openai = asked("openai", &request);
    let format = json!({ "type": "json_schema", "json_schema": { "name": "answer", "schema": schema, "strict": true } });
    assert_eq!(openai["response_format"], format);
    assert_eq!(asked("ollama", &request)["format"], schema);

    let both = asked("anthropic", &request);
    assert_eq!(
        both["tool_choice"],
        json!({ "type": "any" }),
        "beside other tools it may choose"
    );
    assert_eq!(both["tools"][1]["input_schema"], schema);
    let named = CompletionRequest {
        tool_choice: Some(ToolChoice::Named("weather".to_owned())),
        ..request.clone()
    };
    let choice = json!({ "type": "tool", "name": "weather" });
    assert_eq!(
        asked("anthropic", &named)["tool_choice"],
        choice,
        "the caller's choice counts"
    );
    let required = CompletionRequest {
        tool_choice: Some(ToolChoice::Required),
        ..request.clone()
    };
    let refused = completion(&entry("anthropic"), &required, Some(&shape), false).unwrap_err();
    assert!(refused.message.contains("tool_choice"), "{refused}");
    request.tools.clear();
    let alone = asked("anthropic", &request);
    assert_eq!(alone["tool_choice"], json!({ "type": "tool", "name": "answer_in_json" }));
}

#[test]
fn what_the_call_leaves_open_comes_from_the_entry() {
    let mut request = everything();
    request.max_tokens = None;
    let asked = |entry: &Entry| completion(entry, &request, None, false).unwrap().body;
    assert_eq!(asked(&entry("anthropic"))["max_tokens"], json!(4096), "the API wants one");
    assert_eq!(asked(&entry_with("anthropic", ", max_tokens: 77"))["max_tokens"], json!(77));
    assert_eq!(asked(&entry("openai")).get("max_completion_tokens"), None);
    assert_eq!(
        asked(&entry_with("ollama", ", max_tokens: 77"))["options"]["num_predict"],
        json!(77)
    );
}

#[test]
fn what_a_dialect_cannot_say_is_refused() {
    let user = |parts: Vec<Part>| vec![Message { role: Role::User, parts }];
    let late = vec![text(Role::User, "a"), text(Role::System, "b")];
    let table: [(&str, Vec<Message>, &str); 12] = [
        ("anthropic", vec![], "there is no message to answer"),
        (
            "openai",
            vec![text(Role::System, "only this")],
            "there is no message to answer",
        ),
        ("ollama", user(vec![]), "there is no message to answer"),
        ("anthropic", late, "`system` only before all others"),
        (
            "openai",
            user(vec![call("c", "{}")]),
            "a message of the role `user` cannot hold a tool call",
        ),
        (
            "ollama",
            vec![text(Role::Tool, "x")],
            "a message of the role `tool` cannot hold text",
        ),
        (
            "openai",
            vec![Message {
                role: Role::System,
                parts: vec![blob("image/png")],
            }],
            "`system` cannot hold an image",
        ),
        ("anthropic", user(vec![blob("audio/wav")]), "a blob of the type `audio/wav`"),
        ("openai", user(vec![blob("text/html")]), "a blob of the type `text/html`"),
        (
            "ollama",
            user(vec![blob("application/pdf")]),
            "a blob of the type `application/pdf`",
        ),
        (
            "anthropic",
            vec![
                text(Role::User, "a"),
                Message {
                    role: Role::Assistant,
                    parts: vec![call("c", "[1]")],
                },
            ],
            "not a JSON object",
        ),
        (
            "ollama",
            vec![
                text(Role::User, "a"),
                Message {
                    role: Role::Assistant,
                    parts: vec![call("c", "{")],
                },
            ],
            "not a JSON object",
        ),
    ];
    for (provider, messages, needle) in table {
        let request = CompletionRequest {
            messages,
            ..CompletionRequest::default()
        };
        let fault = completion(&entry(provider), &request, None, false).unwrap_err();
        assert_eq!(fault.code, Code::ModelInvalidRequest, "{needle}");
        assert!(fault.message.contains(needle), "{} ≠ {needle}", fault.message);
    }
    let warm = CompletionRequest {
        temperature: Some(f32::NAN),
        ..everything()
    };
    assert!(
        completion(&entry("openai"), &warm, None, false)
            .unwrap_err()
            .message
            .contains("`temperature`")
    );
}

#[test]
fn knobs_pass_unless_they_are_ours() {
    let with = |extra: Value| CompletionRequest {
        extra: extra.as_object().unwrap().clone(),
        ..everything()
    };
    let taken = [
        "model",
        "messages",
        "system",
        "stream",
        "tools",
        "max_tokens",
        "temperature",
        "stop",
        "response_format",
        "format",
        "n",
    ];
    for provider in ["anthropic", "openai", "ollama"] {
        for key in taken {
            let fault = completion(&entry(provider), &with(json!({ key: 1 })), None, false).unwrap_err();
            assert_eq!(fault.code, Code::ModelInvalidRequest, "{provider} {key}");
            assert!(fault.message.contains(&format!("`{key}`")), "{}", fault.message);
        }
    }
    let asked = body(
        "openai",
        &with(json!({ "logit_bias": { "50256": -100 }, "tool_choice": "none" })),
        false,
    );
    assert_eq!(
        (&asked["logit_bias"], &asked["tool_choice"]),
        (&json!({ "50256": -100 }), &json!("none"))
    );
    let asked = body(
        "ollama",
        &with(json!({ "think": true, "seed": 7, "options": { "num_ctx": 4096 } })),
        false,
    );
    assert_eq!(asked["think"], json!(true));
    assert_eq!(
        (&asked["options"]["seed"], &asked["options"]["num_ctx"]),
        (&json!(7), &json!(4096))
    );
    let twice = completion(
        &entry("ollama"),
        &with(json!({ "options": { "num_predict": 1 } })),
        None,
        false,
    )
    .unwrap_err();
    assert!(twice.message.contains("`num_predict`"), "{}", twice.message);
}

#[test]
fn addresses_and_headers_fit_the_provider() {
    let table = [
        ("anthropic", "", "https://api.anthropic.com/v1/messages", "x-api-key", "sk-1"),
        (
            "anthropic",
            ", base_url: 'http://h/v1'",
            "http://h/v1/messages",
            "x-api-key",
            "sk-1",
        ),
        (
            "anthropic",
            ", base_url: 'http://h/proxy/'",
            "http://h/proxy/v1/messages",
            "anthropic-version",
            "2023-06-01",
        ),
        (
            "anthropic",
            ", headers: {anthropic-version: v}",
            "https://api.anthropic.com/v1/messages",
            "anthropic-version",
            "v",
        ),
        (
            "openai",
            "",
            "https://api.openai.com/v1/chat/completions",
            "authorization",
            "Bearer sk-1",
        ),
        (
            "openai",
            ", base_url: 'http://127.0.0.1:8000/v1'",
            "http://127.0.0.1:8000/v1/chat/completions",
            "authorization",
            "Bearer sk-1",
        ),
        (
            "ollama",
            "",
            "http://127.0.0.1:11434/api/chat",
            "authorization",
            "Bearer sk-1",
        ),
    ];
    for (provider, more, url, name, value) in table {
        let entry = entry_with(provider, more);
        let asked = completion(&entry, &everything(), None, false).unwrap();
        let Key::Set(keys) = &entry.key else {
            unreachable!("the entry has a key")
        };
        let (key_name, key_value) = key_header(&entry, &keys[0]).unwrap();
        let found = match asked.headers.get(name) {
            Some(found) => found,
            None => {
                assert_eq!(key_name, name);
                &key_value
            }
        };
        assert_eq!((asked.url.as_str(), found.to_str().unwrap()), (url, value));
        assert!(!format!("{asked:?}").contains("sk-1"), "a key is not for debugging");
    }
}

#[test]
fn embeddings_are_asked_for_where_there_are_some() {
    let texts = ["a".to_owned(), "b".to_owned()];
    let asked = embedding(&entry("openai"), &texts).unwrap();
    assert_eq!(
        (asked.url.path(), asked.body),
        ("/v1/embeddings", json!({ "model": "test-model", "input": ["a", "b"] }))
    );
    assert_eq!(embedding(&entry("ollama"), &texts).unwrap().url.path(), "/api/embed");
    assert_eq!(
        embedding(&entry("anthropic"), &texts).unwrap_err().code,
        Code::ModelInvalidRequest
    );
}
