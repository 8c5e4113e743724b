use claw_core::model::Part;
use futures::StreamExt as _;

use super::*;
use crate::testing::{events, open, stream};

fn reply(provider: &str, body: &str) -> Reply {
    if provider == "ollama" {
        Reply::lines(body.to_owned())
    } else {
        Reply::sse(body.to_owned())
    }
}

fn good(provider: &str) -> &'static str {
    match provider {
        "anthropic" => ANTHROPIC_TEXT,
        "openai" => OPENAI_TEXT,
        _ => OLLAMA_TEXT,
    }
}

/// The stream up to its first piece of text.
fn beginning(provider: &str) -> String {
    let needle = "Grüße, ";
    let text = good(provider);
    let line_end = text
        .find(needle)
        .and_then(|at| Some(at + text.get(at..)?.find('\n')? + 1))
        .unwrap();
    format!("{}\n", text.get(..line_end).unwrap())
}

const ALL: [&str; 3] = ["anthropic", "openai", "ollama"];

#[tokio::test]
async fn streams_come_through_the_port_wherever_they_are_cut() {
    for provider in ALL {
        for reply in [reply(provider, good(provider)), reply(provider, good(provider)).bytewise()] {
            let upstream = Upstream::start([reply]).await;
            let (pieces, done) = stream(&models(provider, &url_for(provider, &upstream), ""), ask("hi"))
                .await
                .unwrap();
            let text: String = pieces
                .iter()
                .map(|piece| {
                    if let ModelEvent::TextDelta(text) = piece {
                        text.as_str()
                    } else {
                        "?"
                    }
                })
                .collect();
            assert_eq!(text, "Grüße, 世界 🦀", "{provider}");
            assert_eq!(done.message.parts, [Part::Text { text }], "{provider}");
            assert_eq!(
                (done.finish, done.attempts, done.usage.estimated),
                (Finish::Stop, 1, false),
                "{provider}"
            );
            assert_eq!(upstream.only().body["stream"], json!(true));
        }
    }
}

#[tokio::test]
async fn an_error_before_the_first_piece_is_tried_again() {
    let overloaded = format!("event: error\ndata: {}\n\n", error("Overloaded", "overloaded_error"));
    let after_start = {
        let start = ANTHROPIC_TEXT.split_inclusive("\n\n").next().unwrap();
        format!("{start}{overloaded}")
    };
    for first in [
        Reply::sse(overloaded.clone()),
        Reply::sse(after_start),
        Reply::json(529, &error("Overloaded", "overloaded_error")),
    ] {
        let upstream = Upstream::start([first, Reply::sse(ANTHROPIC_TEXT)]).await;
        let (_, done) = stream(&models("anthropic", &upstream.url, ""), ask("hi")).await.unwrap();
        assert_eq!((done.attempts, upstream.seen().len()), (2, 2));
    }
    // One that no repetition mends is told at once.
    let refused = format!("event: error\ndata: {}\n\n", error("bad tool", "invalid_request_error"));
    let upstream = Upstream::start([Reply::sse(refused)]).await;
    let fault = open(&models("anthropic", &upstream.url, ""), ask("hi")).await.err().unwrap();
    assert_eq!(fault.code, Code::ModelInvalidRequest);
    upstream.only();
}

#[tokio::test]
async fn an_error_after_the_first_piece_ends_the_stream() {
    for provider in ALL {
        let said = match provider {
            "ollama" => format!("{}\n", json!({ "error": "out of memory" })),
            _ => format!(
                "event: error\ndata: {}\n\n",
                error(&format!("{CANARY} overloaded"), "overloaded_error")
            ),
        };
        let upstream = Upstream::start([reply(provider, &format!("{}{said}", beginning(provider)))]).await;
        let opened = open(&models(provider, &url_for(provider, &upstream), ""), ask("hi"))
            .await
            .unwrap();
        let (pieces, fault) = events(opened).await;
        assert_eq!(pieces, [ModelEvent::TextDelta("Grüße, ".to_owned())], "{provider}");
        assert_eq!(fault.unwrap().code, Code::ModelUnavailable, "{provider}");
        upstream.only();
    }
}

#[tokio::test]
async fn an_end_without_its_terminator_is_no_success() {
    for provider in ALL {
        for reply in [
            reply(provider, &beginning(provider)),
            reply(provider, &beginning(provider)).then_break(),
        ] {
            let upstream = Upstream::start([reply]).await;
            let opened = open(&models(provider, &url_for(provider, &upstream), ""), ask("hi"))
                .await
                .unwrap();
            let (pieces, fault) = events(opened).await;
            assert_eq!((pieces.len(), fault.unwrap().code), (1, Code::ModelBadAnswer), "{provider}");
            upstream.only();
        }
    }
    // Everything but the last line, and nothing at all.
    for body in [OPENAI_TEXT.replace("data: [DONE]", ""), String::new()] {
        let upstream = Upstream::start([Reply::sse(body)]).await;
        let result = stream(&models("openai", &upstream.url, ""), ask("hi")).await;
        assert_eq!(result.unwrap_err().code, Code::ModelBadAnswer);
    }
}

#[tokio::test]
async fn a_connection_that_breaks_before_the_first_piece_is_tried_again() {
    let upstream = Upstream::start([Reply::sse(": hello\n\n").then_break(), Reply::sse(OPENAI_TEXT)]).await;
    let (_, done) = stream(&models("openai", &upstream.url, ""), ask("hi")).await.unwrap();
    assert_eq!(done.attempts, 2);
}

#[tokio::test]
async fn streams_of_garbage_are_told() {
    let long_line = [b"data: ".to_vec(), vec![b'x'; 9 * 1024 * 1024]].concat();
    let table: [(Vec<u8>, &str); 4] = [
        (b"data: {\"choices\": [\n\n".to_vec(), "not JSON"),
        (b"data: \xff\xfe\n\n".to_vec(), "not UTF-8"),
        (long_line, "too long"),
        (b"<html>hello</html>".to_vec(), "ended before it was whole"),
    ];
    for (body, needle) in table {
        let upstream = Upstream::start([Reply::sse(body)]).await;
        let fault = stream(&models("openai", &upstream.url, ""), ask("hi")).await.unwrap_err();
        assert_eq!(fault.code, Code::ModelBadAnswer, "{needle}");
        assert!(fault.message.contains(needle), "{}", fault.message);
    }
}

#[tokio::test]
async fn a_server_that_does_not_stream_is_understood() {
    let upstream = Upstream::start([Reply::json(200, &openai_answer("at once"))]).await;
    let (pieces, done) = stream(&models("openai", &upstream.url, ""), ask("hi")).await.unwrap();
    assert_eq!(pieces, [ModelEvent::TextDelta("at once".to_owned())]);
    assert_eq!(done.message.joined_text(), "at once");
}

#[tokio::test]
async fn dropping_a_stream_hangs_up_upstream() {
    for provider in ALL {
        let upstream = Upstream::start([reply(provider, &beginning(provider)).then_hang()]).await;
        let mut opened = open(&models(provider, &url_for(provider, &upstream), ""), ask("hi"))
            .await
            .unwrap();
        assert_eq!(
            opened.next().await,
            Some(Ok(ModelEvent::TextDelta("Grüße, ".to_owned()))),
            "{provider}"
        );
        drop(opened);
        upstream.hung_up().await;
    }
}

#[tokio::test]
async fn the_next_stream_uses_the_same_connection() {
    for provider in ALL {
        let upstream = Upstream::start([reply(provider, good(provider)), reply(provider, good(provider))]).await;
        let models = models(provider, &url_for(provider, &upstream), "");
        for _ in 0..2 {
            stream(&models, ask("hi")).await.unwrap();
        }
        let seen = upstream.seen();
        assert_eq!(seen[0].peer, seen[1].peer, "{provider}");
    }
}
