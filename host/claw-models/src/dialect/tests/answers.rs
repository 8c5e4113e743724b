use claw_core::model::{Finish, ModelEvent, Part, ToolCall};

use super::*;

const ANTHROPIC_TEXT: &str = include_str!("../../../testdata/anthropic-text.sse");
const ANTHROPIC_TOOLS: &str = include_str!("../../../testdata/anthropic-tools.sse");
const OPENAI_TEXT: &str = include_str!("../../../testdata/openai-text.sse");
const OPENAI_TOOLS: &str = include_str!("../../../testdata/openai-tools.sse");
const OLLAMA_TEXT: &str = include_str!("../../../testdata/ollama-text.ndjson");
const OLLAMA_TOOLS: &str = include_str!("../../../testdata/ollama-tools.ndjson");

/// The pieces and the answer of a stream, or why it is none.
fn fold(provider: Provider, stream: &str) -> Result<(Vec<ModelEvent>, Answer), Broken> {
    let (mut framer, mut fold) = reader(provider);
    let mut folding = Folding::default();
    framer.push(stream.as_bytes()).unwrap();
    framer.end().unwrap();
    while let Some(frame) = framer.next_frame() {
        let whole = if frame.data == "[DONE]" {
            fold.done_marker(&mut folding)?
        } else {
            fold.event(&serde_json::from_str(&frame.data).unwrap(), &mut folding)?
        };
        if whole {
            return Ok((folding.out.into(), folding.answer));
        }
    }
    Err(Broken::Bad("ended".to_owned()))
}

fn delta(text: &str) -> ModelEvent {
    ModelEvent::TextDelta(text.to_owned())
}

fn call(id: &str, name: &str, arguments: &str) -> ModelEvent {
    ModelEvent::ToolCall(ToolCall {
        id: id.to_owned(),
        name: name.to_owned(),
        arguments: arguments.to_owned(),
    })
}

/// Events as one stream of this provider.
fn sse(events: &[Value]) -> String {
    events.iter().map(|event| format!("data: {event}\n\n")).collect()
}

#[test]
fn text_comes_in_pieces_and_whole() {
    let counts = [
        Counts {
            input: Some(128),
            output: Some(12),
            cached: 100,
            cache_written: 8,
            cache_written_1h: 0,
            reasoning: 0,
        },
        Counts {
            input: Some(128),
            output: Some(12),
            cached: 100,
            cache_written: 0,
            cache_written_1h: 0,
            reasoning: 5,
        },
        Counts {
            input: Some(26),
            output: Some(12),
            ..Counts::default()
        },
    ];
    let table = [
        (Provider::Anthropic, ANTHROPIC_TEXT, "claude-sonnet-4-20250514"),
        (Provider::OpenAi, OPENAI_TEXT, "gpt-4o-2024-08-06"),
        (Provider::Ollama, OLLAMA_TEXT, "llama4:8b"),
    ];
    for ((provider, stream, model), counts) in table.into_iter().zip(counts) {
        let (pieces, answer) = fold(provider, stream).unwrap();
        assert_eq!(pieces, [delta("Grüße, "), delta("世界 🦀")], "{provider}");
        assert_eq!(
            answer.parts,
            [Part::Text {
                text: "Grüße, 世界 🦀".to_owned()
            }],
            "{provider}"
        );
        assert_eq!(
            (answer.finish, answer.model.as_deref(), answer.counts),
            (Some(Finish::Stop), Some(model), counts),
            "{provider}"
        );
    }
}

/// The id that was given to a call which came without one.
fn made_id(piece: &ModelEvent) -> String {
    let ModelEvent::ToolCall(call) = piece else {
        return format!("none: {piece:?}");
    };
    assert!(call.id.starts_with("call_") && call.id.len() > 16, "{}", call.id);
    call.id.clone()
}

#[test]
fn tool_calls_come_whole_and_apart() {
    let (pieces, answer) = fold(Provider::Anthropic, ANTHROPIC_TOOLS).unwrap();
    assert_eq!(
        pieces,
        [
            delta("Looking."),
            call("toolu_1", "weather", r#"{"city": "Bern"}"#),
            call("toolu_2", "now", "{}")
        ]
    );
    assert_eq!((answer.finish, answer.parts.len()), (Some(Finish::ToolCalls), 3));

    let (pieces, answer) = fold(Provider::OpenAi, OPENAI_TOOLS).unwrap();
    let expected = [
        call("call_a", "weather", r#"{"city": "Bern"}"#),
        call("call_b", "weather", r#"{"city": "Oslo"}"#),
    ];
    assert_eq!(pieces, expected, "pieces of two calls that come mixed belong to their index");
    assert_eq!((answer.finish, answer.counts), (Some(Finish::ToolCalls), Counts::default()));

    let (pieces, answer) = fold(Provider::Ollama, OLLAMA_TOOLS).unwrap();
    let made = made_id(&pieces[0]);
    assert_eq!(
        pieces,
        [call(&made, "weather", r#"{"city":"Bern"}"#), call("given", "now", "{}")]
    );
    let (again, _) = fold(Provider::Ollama, OLLAMA_TOOLS).unwrap();
    assert_ne!(made_id(&again[0]), made, "the next turn has calls too");
    assert!(answer.has_calls());
}

#[test]
fn every_cut_before_the_terminator_is_no_answer() {
    for (provider, stream) in [
        (Provider::Anthropic, ANTHROPIC_TEXT),
        (Provider::Anthropic, ANTHROPIC_TOOLS),
        (Provider::OpenAi, OPENAI_TEXT),
        (Provider::OpenAi, OPENAI_TOOLS),
        (Provider::Ollama, OLLAMA_TEXT),
        (Provider::Ollama, OLLAMA_TOOLS),
    ] {
        let lines: Vec<&str> = stream.split_inclusive('\n').collect();
        let last = lines
            .iter()
            .rposition(|line| line.starts_with("data:") || line.starts_with('{'))
            .unwrap();
        for end in 0..last {
            let cut = lines[..end].concat();
            assert!(fold(provider, &cut).is_err(), "{provider}, the first {end} lines");
        }
        assert!(fold(provider, &lines[..=last].concat()).is_ok(), "{provider}, whole");
    }
}

#[test]
fn a_terminator_without_a_reason_is_no_answer() {
    let hi = json!({ "choices": [{ "delta": { "content": "Hi" } }] });
    let openai = format!("{}data: [DONE]\n\n", sse(&[hi]));
    let anthropic = sse(&[
        json!({ "type": "content_block_delta", "index": 0, "delta": { "type": "text_delta", "text": "Hi" } }),
        json!({ "type": "message_stop" }),
    ]);
    for (provider, stream) in [(Provider::OpenAi, openai), (Provider::Anthropic, anthropic)] {
        assert!(
            matches!(fold(provider, &stream), Err(Broken::Bad(why)) if why.contains("why it ended")),
            "{provider}"
        );
    }
}

#[test]
fn compatible_servers_have_habits() {
    let chunk = |delta: Value| json!({ "choices": [{ "delta": delta }] });
    let tool = |index: Value, id: &str, arguments: Value| {
        let mut piece = json!({ "id": id, "function": { "name": "f", "arguments": arguments } });
        if !index.is_null() {
            piece["index"] = index;
        }
        chunk(json!({ "tool_calls": [piece] }))
    };
    let end = |reason: &str| json!({ "choices": [{ "delta": {}, "finish_reason": reason }] });
    let done = |events: &[Value]| fold(Provider::OpenAi, &format!("{}data: [DONE]\n\n", sse(events)));

    let same_index = done(&[
        tool(json!(0), "a", json!("{\"x\":1}")),
        tool(json!(0), "b", json!("{}")),
        end("stop"),
    ])
    .unwrap()
    .0;
    assert_eq!(
        same_index,
        [call("a", "f", "{\"x\":1}"), call("b", "f", "{}")],
        "another id under the same index"
    );
    let no_index = done(&[
        tool(Value::Null, "a", json!("{}")),
        tool(Value::Null, "b", json!("{}")),
        end("tool_calls"),
    ])
    .unwrap()
    .0;
    assert_eq!(no_index, [call("a", "f", "{}"), call("b", "f", "{}")], "no index at all");
    let object = done(&[tool(json!(0), "", json!({ "x": 1 })), end("tool_calls")]).unwrap().0;
    assert_eq!(
        object,
        [call(&made_id(&object[0]), "f", "{\"x\":1}")],
        "arguments as an object, and no id"
    );
    let listed = done(&[chunk(json!({ "content": [{ "type": "text", "text": "hi" }] })), end("stop")])
        .unwrap()
        .0;
    assert_eq!(listed, [delta("hi")], "content as a list");
    let groq = done(&[
        end("stop"),
        json!({ "choices": [], "x_groq": { "usage": { "prompt_tokens": 3, "completion_tokens": 4 } } }),
    ])
    .unwrap();
    assert_eq!(
        (groq.1.counts.input, groq.1.counts.output),
        (Some(3), Some(4)),
        "usage under another name"
    );
    let apart = json!({ "choices": [], "usage": { "prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 17,
        "completion_tokens_details": { "reasoning_tokens": 10 } } });
    assert_eq!(
        done(&[end("stop"), apart]).unwrap().1.counts.output,
        Some(14),
        "reasoning counted beside the rest"
    );
    let refused = done(&[chunk(json!({ "refusal": "No." })), end("stop")]).unwrap();
    assert_eq!((refused.0, refused.1.finish), (vec![delta("No.")], Some(Finish::Filtered)));
    let second = json!({ "choices": [{ "index": 1, "delta": { "content": "other" } }] });
    assert_eq!(done(&[second, end("stop")]).unwrap().0, [], "another choice is not ours");
}

#[test]
fn torn_tool_calls_are_told() {
    let openai = |reason: &str| {
        let piece = json!({ "choices": [{ "delta": { "tool_calls": [{ "index": 0, "id": "a", "function": { "name": "f", "arguments": "{\"x\":" } }] } }] });
        let end = json!({ "choices": [{ "delta": {}, "finish_reason": reason }] });
        fold(Provider::OpenAi, &format!("{}data: [DONE]\n\n", sse(&[piece, end])))
    };
    let anthropic = |reason: &str| {
        fold(
            Provider::Anthropic,
            &sse(&[
                json!({ "type": "content_block_start", "index": 0, "content_block": { "type": "tool_use", "id": "a", "name": "f" } }),
                json!({ "type": "content_block_delta", "index": 0, "delta": { "type": "input_json_delta", "partial_json": "{\"x\":" } }),
                json!({ "type": "message_delta", "delta": { "stop_reason": reason } }),
                json!({ "type": "message_stop" }),
            ]),
        )
    };
    for (cut, torn) in [
        (openai("length"), openai("tool_calls")),
        (anthropic("max_tokens"), anthropic("tool_use")),
    ] {
        let (pieces, answer) = cut.unwrap();
        assert_eq!(
            (pieces.len(), answer.finish),
            (0, Some(Finish::Length)),
            "half a call is none, and the finish says why"
        );
        assert!(matches!(torn, Err(Broken::Bad(why)) if why.contains("`f`")));
    }
}

#[test]
fn a_provider_that_begins_anew_is_followed() {
    let start = |id: &str| json!({ "type": "content_block_start", "index": 0, "content_block": { "type": "tool_use", "id": id, "name": "f" } });
    let piece = |text: &str| json!({ "type": "content_block_delta", "index": 0, "delta": { "type": "input_json_delta", "partial_json": text } });
    let message =
        json!({ "type": "message_start", "message": { "model": "m", "usage": { "input_tokens": 7, "output_tokens": 1 } } });
    let events = [
        message.clone(),
        start("first"),
        piece("{\"x\": \"torn"),
        message,
        start("second"),
        piece("{\"x\": 1}"),
        json!({ "type": "content_block_stop", "index": 0 }),
        json!({ "type": "message_delta", "delta": { "stop_reason": "tool_use" }, "usage": { "output_tokens": 9 } }),
        json!({ "type": "message_stop" }),
    ];
    let (pieces, answer) = fold(Provider::Anthropic, &sse(&events)).unwrap();
    assert_eq!(pieces, [call("second", "f", "{\"x\": 1}")]);
    assert_eq!((answer.counts.input, answer.counts.output), (Some(7), Some(9)));
}

#[test]
fn errors_in_a_stream_are_the_providers_words() {
    let anthropic = sse(&[json!({ "type": "error", "error": { "type": "overloaded_error", "message": "Overloaded" } })]);
    let openai = sse(&[json!({ "error": { "message": "The server had an error", "type": "server_error" } })]);
    let ollama = "{\"error\":\"out of memory\"}\n";
    for (provider, stream) in [
        (Provider::Anthropic, anthropic.as_str()),
        (Provider::OpenAi, &openai),
        (Provider::Ollama, ollama),
    ] {
        assert!(matches!(fold(provider, stream), Err(Broken::Said(_))), "{provider}");
    }
}

#[test]
fn whole_answers_are_read() {
    let anthropic = json!({ "model": "m", "content": [{ "type": "thinking", "thinking": "…" }, { "type": "text", "text": "Hi" },
        { "type": "tool_use", "id": "t", "name": "f", "input": { "a": 1 } }],
        "stop_reason": "tool_use", "usage": { "input_tokens": 5, "cache_read_input_tokens": 10, "cache_creation_input_tokens": 2, "output_tokens": 3 } });
    let read = answer(Provider::Anthropic, &anthropic).unwrap();
    assert_eq!(
        read.counts,
        Counts {
            input: Some(17),
            output: Some(3),
            cached: 10,
            cache_written: 2,
            cache_written_1h: 0,
            reasoning: 0
        }
    );
    assert_eq!((read.finish, read.parts.len()), (Some(Finish::ToolCalls), 2));

    let schema = json!({ "content": [{ "type": "tool_use", "id": "t", "name": "answer_in_json", "input": { "a": 1 } }], "stop_reason": "tool_use" });
    let read = answer(Provider::Anthropic, &schema).unwrap();
    assert_eq!(
        (read.finish, read.parts),
        (
            Some(Finish::Stop),
            vec![Part::Text {
                text: "{\"a\":1}".to_owned()
            }]
        )
    );

    let openai = json!({ "model": "m", "choices": [{ "message": { "content": null, "tool_calls": [{ "id": "t", "function": { "name": "f", "arguments": "{}" } }] },
        "finish_reason": "tool_calls" }], "usage": { "prompt_tokens": 5, "completion_tokens": 3 } });
    let read = answer(Provider::OpenAi, &openai).unwrap();
    assert_eq!((read.counts.input, read.has_calls()), (Some(5), true));

    let ollama = json!({ "model": "m", "message": { "content": "Hi" }, "done": true, "done_reason": "length" });
    assert_eq!(answer(Provider::Ollama, &ollama).unwrap().finish, Some(Finish::Length));
}

#[test]
fn what_is_no_answer_is_told() {
    let table = [
        (Provider::Anthropic, json!({})),
        (Provider::Anthropic, json!({ "content": [], "stop_reason": null })),
        (Provider::Anthropic, json!({ "content": "text", "stop_reason": "end_turn" })),
        (Provider::OpenAi, json!({ "choices": [] })),
        (Provider::OpenAi, json!({ "choices": [{ "finish_reason": "stop" }] })),
        (Provider::OpenAi, json!({ "choices": [{ "message": { "content": "Hi" } }] })),
        (Provider::OpenAi, json!([1, 2])),
        (Provider::Ollama, json!({ "message": { "content": "Hi" }, "done": false })),
        (Provider::Ollama, json!({ "done": true })),
        (Provider::Ollama, json!(null)),
    ];
    for (provider, body) in table {
        assert!(matches!(answer(provider, &body), Err(Broken::Bad(_))), "{provider} {body}");
    }
    let error = json!({ "error": { "message": "x" } });
    assert!(matches!(answer(Provider::OpenAi, &error), Err(Broken::Said(_))));
}

#[test]
fn stop_reasons_are_translated() {
    use Finish::*;
    for (reason, finish) in [
        ("end_turn", Stop),
        ("stop_sequence", Stop),
        ("max_tokens", Length),
        ("model_context_window_exceeded", Length),
        ("tool_use", ToolCalls),
        ("refusal", Filtered),
        ("pause_turn", Other),
        ("new_reason", Other),
    ] {
        let body = json!({ "content": [], "stop_reason": reason });
        assert_eq!(answer(Provider::Anthropic, &body).unwrap().finish, Some(finish), "{reason}");
    }
    for (reason, finish) in [
        ("stop", Stop),
        ("length", Length),
        ("tool_calls", ToolCalls),
        ("function_call", ToolCalls),
        ("content_filter", Filtered),
        ("insufficient_system_resource", Other),
    ] {
        let body = json!({ "choices": [{ "message": { "content": "x" }, "finish_reason": reason }] });
        assert_eq!(answer(Provider::OpenAi, &body).unwrap().finish, Some(finish), "{reason}");
    }
}

#[test]
fn vectors_are_one_for_each_text() {
    let openai = json!({ "model": "m", "data": [{ "index": 1, "embedding": [3.0, 4.0] }, { "index": 0, "embedding": [1.0, 2.0] }], "usage": { "prompt_tokens": 9 } });
    let found = vectors(Provider::OpenAi, &openai, 2).unwrap();
    assert_eq!(
        (found.vectors, found.counts.input),
        (vec![vec![1.0, 2.0], vec![3.0, 4.0]], Some(9))
    );
    let ollama = json!({ "model": "m", "embeddings": [[1.0], [2.0]], "prompt_eval_count": 4 });
    assert_eq!(vectors(Provider::Ollama, &ollama, 2).unwrap().vectors, [[1.0], [2.0]]);

    for (body, count) in [
        (json!({ "embeddings": [[1.0]] }), 2),
        (json!({ "embeddings": [[1.0], [1.0, 2.0]] }), 2),
        (json!({ "embeddings": [[], []] }), 2),
        (json!({ "embeddings": [[1e300]] }), 1),
        (json!({ "embeddings": "no" }), 1),
        (json!({}), 1),
    ] {
        assert!(
            matches!(vectors(Provider::Ollama, &body, count), Err(Broken::Bad(_))),
            "{body}"
        );
    }
}

#[test]
fn what_is_cached_for_an_hour_is_counted_apart() {
    let mut counts = Counts::default();
    let usage = json!({
        "input_tokens": 10,
        "cache_read_input_tokens": 5,
        "cache_creation_input_tokens": 7,
        "cache_creation": {"ephemeral_5m_input_tokens": 3, "ephemeral_1h_input_tokens": 4},
        "output_tokens": 1,
    });
    anthropic_usage(&mut counts, Some(&usage));
    anthropic_usage(&mut counts, Some(&json!({"output_tokens": 9})));
    assert_eq!((counts.input, counts.output), (Some(22), Some(9)));
    assert_eq!((counts.cache_written, counts.cache_written_1h), (7, 4));
}
