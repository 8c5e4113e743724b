use claw_core::model::{Finish, Message, ModelEvent, Part, Role, ToolCall, ToolChoice, ToolDef};

use super::*;

const TEXT: &str = include_str!("../../../testdata/gemini-text.sse");
const TOOLS: &str = include_str!("../../../testdata/gemini-tools.sse");

fn named(model: &str) -> Entry {
    let yaml = format!("models: {{general: {{provider: gemini, model: '{model}', api_key: sk-1}}}}");
    resolve(&ModelsFile::from_yaml(&yaml).unwrap(), &|_| None).unwrap().remove(0)
}

fn conversation() -> CompletionRequest {
    let call = |id: &str, arguments: &str| {
        Part::ToolCall(ToolCall {
            id: id.to_owned(),
            name: format!("tool_{id}"),
            arguments: arguments.to_owned(),
        })
    };
    let result = |id: &str, content: &str, is_error| Part::ToolResult {
        id: id.to_owned(),
        content: content.to_owned(),
        is_error,
    };
    let image = Part::Blob {
        mime: "image/png".to_owned(),
        data: "aGk=".to_owned(),
    };
    CompletionRequest {
        messages: vec![
            Message::text(Role::System, "Be brief."),
            Message::text(Role::System, "Be kind."),
            Message {
                role: Role::User,
                parts: vec![Part::Text { text: "Look".to_owned() }, image],
            },
            Message {
                role: Role::Assistant,
                parts: vec![call("1", r#"{"city":"Bern"}"#), call("2", "")],
            },
            Message {
                role: Role::Tool,
                parts: vec![result("1", r#"{"sky":"grey"}"#, false), result("2", "no city", true)],
            },
            Message::text(Role::User, "And now?"),
        ],
        max_tokens: Some(100),
        temperature: Some(0.7),
        stop: vec!["END".to_owned()],
        tools: vec![ToolDef {
            name: "tool_1".to_owned(),
            description: "Tells it".to_owned(),
            schema: json!({ "type": "object" }),
        }],
        tool_choice: Some(ToolChoice::Named("tool_1".to_owned())),
        extra: json!({ "top_k": 3, "seed": 7, "safetySettings": [] })
            .as_object()
            .unwrap()
            .clone(),
        ..CompletionRequest::default()
    }
}

#[test]
fn it_is_asked_in_its_words() {
    let asked = completion(&named("gemini-2.5-flash"), &conversation(), None, false).unwrap();
    assert_eq!(
        asked.url.as_str(),
        "https://generativelanguage.googleapis.com/v1beta/models/gemini-2.5-flash:generateContent"
    );
    let expected = json!({
        "systemInstruction": { "parts": [{ "text": "Be brief.\n\nBe kind." }] },
        "contents": [
            { "role": "user", "parts": [{ "text": "Look" }, { "inlineData": { "mimeType": "image/png", "data": "aGk=" } }] },
            { "role": "model", "parts": [
                { "functionCall": { "name": "tool_1", "args": { "city": "Bern" } } },
                { "functionCall": { "name": "tool_2", "args": {} } }] },
            { "role": "user", "parts": [
                { "functionResponse": { "name": "tool_1", "response": { "sky": "grey" } } },
                { "functionResponse": { "name": "tool_2", "response": { "error": "no city" } } },
                { "text": "And now?" }] },
        ],
        "tools": [{ "functionDeclarations": [{ "name": "tool_1", "description": "Tells it", "parametersJsonSchema": { "type": "object" } }] }],
        "toolConfig": { "functionCallingConfig": { "mode": "ANY", "allowedFunctionNames": ["tool_1"] } },
        "generationConfig": { "maxOutputTokens": 100, "temperature": 0.7, "stopSequences": ["END"], "topK": 3, "seed": 7 },
        "safetySettings": [],
    });
    assert_eq!(asked.body, expected);
    let (name, value) = key_header(&named("x"), &Secret::new("sk-1".to_owned())).unwrap();
    assert_eq!((name.as_str(), value.to_str().unwrap()), ("x-goog-api-key", "sk-1"));
    let streamed = completion(&named("tunedModels/mine"), &conversation(), None, true).unwrap();
    assert!(
        streamed
            .url
            .as_str()
            .ends_with("/v1beta/tunedModels/mine:streamGenerateContent?alt=sse")
    );
    // A call of an earlier turn, which the later models want signed.
    assert_eq!(
        streamed.body["contents"][1]["parts"][0]["thoughtSignature"],
        "skip_thought_signature_validator"
    );
    let vectors = dialect_embedding();
    assert_eq!(vectors["requests"][1]["content"], json!({ "parts": [{ "text": "b" }] }));
}

fn dialect_embedding() -> Value {
    let asked = embedding(&named("gemini-embedding-001"), &["a".to_owned(), "b".to_owned()]).unwrap();
    assert!(asked.url.path().ends_with("gemini-embedding-001:batchEmbedContents"));
    asked.body
}

#[test]
fn effort_is_a_level_or_a_budget_or_refused() {
    let think = |model: &str, effort: &str| {
        let request = CompletionRequest {
            reasoning_effort: Some(effort.to_owned()),
            ..conversation()
        };
        completion(&named(model), &request, None, false).map(|asked| asked.body["generationConfig"]["thinkingConfig"].clone())
    };
    assert_eq!(think("gemini-2.5-pro", "medium").unwrap(), json!({ "thinkingBudget": 8_192 }));
    assert_eq!(
        think("gemini-3-pro-preview", "high").unwrap(),
        json!({ "thinkingLevel": "high" })
    );
    for (model, effort) in [("gemini-2.0-flash", "low"), ("gemini-2.5-pro", "xhigh")] {
        assert_eq!(think(model, effort).unwrap_err().code, Code::ModelUntranslatable);
    }
}

#[test]
fn what_it_has_no_word_for_is_refused_by_name() {
    let refused = |change: &dyn Fn(&mut CompletionRequest)| {
        let mut request = conversation();
        change(&mut request);
        completion(&named("gemini-2.5-flash"), &request, None, false).unwrap_err()
    };
    let fault = refused(&|request| request.parallel_tool_calls = Some(false));
    assert!(fault.message.contains("parallel_tool_calls"), "{fault}");
    let fault = refused(&|request| {
        request.messages[2].parts.push(Part::Link {
            url: "https://a.test/x.png".to_owned(),
        });
    });
    assert!(fault.message.contains("image_url.url"), "{fault}");
    let fault = refused(&|request| request.messages.push(Message::text(Role::System, "late")));
    assert!(fault.message.contains("before all others"), "{fault}");
    let fault = refused(&|request| drop(request.extra.insert("temperature".to_owned(), json!(1))));
    assert!(fault.message.contains("`temperature` is not free"), "{fault}");
    let fault = refused(&|request| drop(request.extra.insert("contents".to_owned(), json!([]))));
    assert!(fault.message.contains("`contents` is not free"), "{fault}");
}

fn fold(stream: &str) -> Result<(Vec<ModelEvent>, Answer), Broken> {
    let (mut framer, mut fold) = reader(Provider::Gemini);
    let mut folding = Folding::default();
    framer.push(stream.as_bytes()).unwrap();
    framer.end().unwrap();
    while let Some(frame) = framer.next_frame() {
        if fold.event(&serde_json::from_str(&frame.data).unwrap(), &mut folding)? {
            return Ok((folding.out.into(), folding.answer));
        }
    }
    Err(Broken::Bad("ended".to_owned()))
}

#[test]
fn text_comes_in_pieces_and_thoughts_do_not() {
    let (pieces, answer) = fold(TEXT).unwrap();
    assert_eq!(pieces, ["Hel", "lo"].map(|text| ModelEvent::TextDelta(text.to_owned())));
    let counts = Counts {
        input: Some(9),
        output: Some(187),
        cached: 4,
        reasoning: 185,
        ..Counts::default()
    };
    assert_eq!(
        (answer.finish, answer.counts, answer.model.as_deref()),
        (Some(Finish::Stop), counts, Some("gemini-3-pro-preview"))
    );
    let lines: Vec<&str> = TEXT.split_inclusive("\n\n").collect();
    for end in 0..lines.len() - 1 {
        assert!(fold(&lines[..end].concat()).is_err(), "cut after {end}");
    }
}

#[test]
fn calls_come_whole_with_ids_of_their_own() {
    let (pieces, answer) = fold(TOOLS).unwrap();
    let calls: Vec<(&str, &str)> = pieces
        .iter()
        .filter_map(|piece| match piece {
            ModelEvent::ToolCall(call) => Some((call.id.as_str(), call.arguments.as_str())),
            _ => None,
        })
        .collect();
    assert_eq!(calls, [("fc_1", r#"{"city":"Paris"}"#), ("fc_2", r#"{"city":"Rome"}"#)]);
    assert_eq!(answer.counts.output, Some(60));
    let nameless = TOOLS
        .replace(",\"id\":\"fc_1\"", "")
        .replace(", \"id\": \"fc_1\"", "")
        .replace(", \"id\": \"fc_2\"", "");
    let (pieces, _) = fold(&nameless).unwrap();
    let ids: std::collections::BTreeSet<&str> = pieces
        .iter()
        .filter_map(|piece| match piece {
            ModelEvent::ToolCall(call) => Some(call.id.as_str()),
            _ => None,
        })
        .collect();
    assert!(ids.len() == 2 && ids.iter().all(|id| id.starts_with("call_")), "{ids:?}");
}

#[test]
fn what_is_blocked_is_filtered_and_what_is_none_is_refused() {
    let blocked = json!({ "promptFeedback": { "blockReason": "SAFETY" }, "usageMetadata": { "promptTokenCount": 9 } });
    assert_eq!(answer(Provider::Gemini, &blocked).unwrap().finish, Some(Finish::Filtered));
    let candidate =
        |reason: &str| json!({ "candidates": [{ "content": { "parts": [{ "text": "x" }] }, "finishReason": reason }] });
    for (reason, finish) in [
        ("STOP", Finish::Stop),
        ("MAX_TOKENS", Finish::Length),
        ("RECITATION", Finish::Filtered),
        ("WHATEVER", Finish::Other),
    ] {
        assert_eq!(answer(Provider::Gemini, &candidate(reason)).unwrap().finish, Some(finish));
    }
    for bad in [
        json!({}),
        json!([]),
        json!({ "candidates": [] }),
        json!({ "candidates": [{ "content": { "parts": [{ "text": "x" }] } }] }),
        candidate("MALFORMED_FUNCTION_CALL"),
        json!({ "candidates": [{ "content": { "parts": [{ "functionCall": { "args": {} } }] }, "finishReason": "STOP" }] }),
        json!({ "candidates": [{ "content": { "parts": [{ "functionCall": { "name": "a", "args": [1] } }] }, "finishReason": "STOP" }] }),
        json!({ "error": { "code": 500, "message": "x", "status": "INTERNAL" } }),
    ] {
        assert!(answer(Provider::Gemini, &bad).is_err(), "{bad}");
    }
    for bad in [
        json!({}),
        json!({ "embeddings": [{}] }),
        json!({ "embeddings": [{ "values": ["x"] }] }),
    ] {
        assert!(vectors(Provider::Gemini, &bad, 1).is_err(), "{bad}");
    }
}
