#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use futures::StreamExt as _;
use serde_json::json;

use super::*;

const MODEL: &str = r#"{"effect":"model","use":"general","request":{"messages":[{"role":"user","parts":[{"type":"text","text":"one"}]}],"temperature":0.3},"answer":{"ok":{"message":{"role":"assistant","parts":[{"type":"text","text":"two and three"}]},"finish":"stop","usage":{"input_tokens":1,"output_tokens":3},"model":"m","provider":"p","attempts":1}}}"#;
const EMBED: &str = r#"{"effect":"embed","use":"general","texts":["a"],"answer":{"ok":[[1.0]]}}"#;
const INVOKE: &str = r#"{"effect":"invoke","capability":"exec.git","input":{"json":{"args":["log"]}},"answer":{"ok":{"json":{"stdout":"first"}}}}"#;
const AGAIN: &str = r#"{"effect":"invoke","capability":"exec.git","input":{"json":{"args":["log"]}},"answer":{"err":{"code":"exec.timeout","message":"slow"}}}"#;

fn player(lines: &[&str]) -> Player {
    let grants = Grants {
        model: ["general".to_owned()].into(),
        capabilities: ["exec.git".to_owned(), "exec.gh".to_owned()].into(),
        ..Grants::default()
    };
    Player::new("demo", Arc::new(grants), Cassette::parse(&lines.join("\n")).unwrap())
}

fn request(text: &str) -> CompletionRequest {
    let message = claw_core::model::Message::text(claw_core::model::Role::User, text);
    CompletionRequest {
        messages: vec![message],
        temperature: Some(0.3),
        ..CompletionRequest::default()
    }
}

fn log() -> Payload {
    Payload::Json(json!({ "args": ["log"] }))
}

fn messages(player: &Player) -> Vec<String> {
    player.failures().iter().map(|failure| failure.message().to_owned()).collect()
}

#[tokio::test]
async fn each_line_answers_one_call_in_any_order() {
    let player = player(&[MODEL, "", EMBED, INVOKE, AGAIN]);
    let first = player.invoke("exec.git", log()).await.unwrap();
    assert_eq!(first.output, Payload::Json(json!({ "stdout": "first" })));
    assert_eq!(player.embed("general", vec!["a".to_owned()]).await.unwrap(), [[1.0]]);
    assert_eq!(player.invoke("exec.git", log()).await.unwrap_err().code, Code::ExecTimeout);
    let (answer, _) = player.complete("general", request("one")).await.unwrap();
    assert_eq!(answer.message.joined_text(), "two and three");
    assert!(messages(&player).is_empty());
}

#[tokio::test]
async fn a_stream_comes_word_by_word_and_ends_with_the_whole() {
    let player = player(&[MODEL]);
    let (stream, _) = player.complete_stream("general", request("one")).await.unwrap();
    let events: Vec<ModelEvent> = stream.map(Result::unwrap).collect().await;
    let words: Vec<&str> = events
        .iter()
        .filter_map(|event| {
            if let ModelEvent::TextDelta(text) = event {
                Some(text.as_str())
            } else {
                None
            }
        })
        .collect();
    assert_eq!(words, ["two ", "and ", "three"]);
    assert!(matches!(events.last(), Some(ModelEvent::Done(_))));
}

#[tokio::test]
async fn a_call_that_was_not_recorded_fails_and_shows_what_comes_closest() {
    let player = player(&[INVOKE, MODEL]);
    assert_eq!(
        player.complete("general", request("two")).await.unwrap_err().code,
        Code::NotFound
    );
    let failures = player.failures();
    assert_eq!(
        messages(&player),
        [
            "the cassette holds no answer to this call of model `general`; line 2 comes closest",
            "line 1 of the cassette, invoke `exec.git`, was never asked for",
            "line 2 of the cassette, model `general`, was never asked for",
        ]
    );
    let shown = format!("{:?}", failures.first().unwrap());
    assert!(shown.contains("\\\"one\\\"") && shown.contains("\\\"two\\\""), "{shown}");
}

#[tokio::test]
async fn one_call_too_many_and_a_call_of_another_name_are_told_apart() {
    let player = player(&[INVOKE]);
    player.invoke("exec.git", log()).await.unwrap();
    assert!(player.invoke("exec.git", log()).await.is_err());
    assert!(player.invoke("exec.gh", log()).await.is_err());
    assert_eq!(
        messages(&player),
        [
            "invoke `exec.git` was asked once more than recorded: line 1 of the cassette answers one call",
            "the cassette holds no call of invoke `exec.gh`; record it with `claw skill record`",
        ]
    );
}

#[tokio::test]
async fn what_skill_md_does_not_declare_is_denied_as_in_the_gateway() {
    let recorded = INVOKE.replace("exec.git", "exec.rm");
    let player = player(&[&recorded]);
    let fault = player.invoke("exec.rm", log()).await.unwrap_err();
    assert_eq!(fault.code, Code::GrantUndeclared);
    assert_eq!(
        player.complete("other", request("one")).await.unwrap_err().code,
        Code::GrantUndeclared
    );
    assert!(messages(&player).is_empty(), "a denial is an answer");
}

#[test]
fn a_line_that_is_none_is_named() {
    let table = [
        (
            "{\"effect\":\"log\",\"level\":\"info\",\"message\":\"x\",\"source\":\"log\"}\n{",
            "line 2 of the cassette",
        ),
        ("not json", "line 1 of the cassette"),
        ("{\"effect\":\"model\",\"use\":\"general\"}", "line 1 of the cassette"),
        ("{\"effect\":\"levitate\"}", "line 1 of the cassette"),
    ];
    for (text, expected) in table {
        let error = Cassette::parse(text).unwrap_err();
        assert!(error.starts_with(expected), "{text}: {error}");
    }
}

#[test]
fn what_stays_in_the_sandbox_needs_no_answer() {
    let text = "{\"effect\":\"seed\",\"seed\":\"00\"}\n{\"effect\":\"clock\",\"clock\":\"wall\",\"nanos\":1}\n{\"effect\":\"progress\",\"message\":\"x\"}\n";
    assert!(Cassette::parse(text).unwrap().calls.is_empty());
}
