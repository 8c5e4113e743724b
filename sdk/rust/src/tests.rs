//! The crate as a skill's own tests use it.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may stop at the first surprise"
)]

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::exec::Command;
use crate::files::{self, WriteMode};
use crate::model::{self, Event, Message, Options, Part, Prompt, Role};
use crate::testing::Host;
use crate::{Context, Error, Kind, Skill, context, emit, log, nodes, progress};

#[derive(Deserialize)]
struct Step {
    step: String,
}

#[derive(Serialize)]
struct Said {
    said: String,
}

/// Does one thing of the crate, by its name.
struct Steps;

impl Skill for Steps {
    type Input = Step;
    type Output = Said;

    fn invoke(input: Step, context: &Context) -> Result<Said, Error> {
        let said = match input.step.as_str() {
            "ask" => Prompt::new("summarization")
                .system("Be brief.")
                .user("Why?")
                .max_tokens(9)
                .temperature(0.2)
                .send()?
                .text(),
            "stream" => {
                let prompt = Prompt::new("summarization").user("Why?");
                prompt.stream(|text| emit(text))?.text()
            }
            "events" => {
                let mut kinds = Vec::new();
                for event in model::stream("summarization", &[Message::user("Why?")], &Options::default())? {
                    kinds.push(match event? {
                        Event::TextDelta(text) => text,
                        Event::ToolCall(call) => call.name,
                        Event::Done(_) => "done".to_owned(),
                    });
                }
                kinds.join("|")
            }
            "embed" => format!("{:?}", model::embed("search", &["a", "b"])?),
            "run" => {
                let output = Command::new("git").args(["log", "-1"]).root("main").run()?;
                format!("{} {}", output.status, output.stdout)
            }
            "skill" => nodes::invoke("skill:other", json!({"a": 1}))?.json::<Value>()?.to_string(),
            "write" => {
                files::write("out/a.txt", "one", WriteMode::Create)?;
                files::write("out/a.txt", " two", WriteMode::Append)?;
                let again = files::write("out/a.txt", "x", WriteMode::Create)
                    .err()
                    .map(|error| error.code().to_owned());
                format!("{} {again:?}", files::read_to_string("out/a.txt")?)
            }
            "say" => {
                progress("half", 50)?;
                progress("some", None)?;
                log::info("here");
                format!("{:?} {:?}", context.config("team"), context::config("none"))
            }
            path => files::read_lines(path)
                .max_line_bytes(8)
                .collect::<Result<Vec<_>, _>>()?
                .join("|"),
        };
        Ok(Said { said })
    }
}

crate::export!(Steps);

fn run(host: Host, step: &str) -> Result<String, Error> {
    let outcome = host.invoke::<Steps>(json!({"step": step}));
    assert_eq!(outcome.unused, Vec::<String>::new());
    outcome.result.map(|output| output["said"].as_str().unwrap().to_owned())
}

fn tape(lines: &[Value]) -> Host {
    let text: Vec<String> = lines.iter().map(Value::to_string).collect();
    Host::new().cassette(&text.join("\n")).unwrap()
}

fn completion(text: &str) -> Value {
    json!({
        "message": {"role": "assistant", "parts": [{"type": "text", "text": text}]},
        "finish": "stop", "usage": {"input_tokens": 3, "output_tokens": 2}, "model": "m", "provider": "p", "attempts": 1
    })
}

fn why(answer: Value) -> Value {
    let request = json!({"messages": [{"role": "user", "parts": [{"type": "text", "text": "Why?"}]}]});
    json!({"at_us": 7, "effect": "model", "use": "summarization", "request": request, "stream": true, "answer": answer})
}

#[test]
fn a_model_call_is_answered_from_the_cassette() {
    let request = json!({
        "messages": [
            {"role": "system", "parts": [{"type": "text", "text": "Be brief."}]},
            {"role": "user", "parts": [{"type": "text", "text": "Why?"}]}
        ],
        "max_tokens": 9,
        "temperature": 0.2
    });
    let answer = json!({"ok": completion("Because.")});
    let line = json!({"effect": "model", "use": "summarization", "request": request, "answer": answer});
    assert_eq!(run(tape(&[line]), "ask").unwrap(), "Because.");
}

#[test]
fn another_request_is_not_answered() {
    let error = run(Host::new(), "ask").unwrap_err();
    assert_eq!((error.kind(), error.code()), (Kind::Denied, "testing.not_provided"));
    let outcome = tape(&[why(json!({"ok": completion("x")}))]).invoke::<Steps>(json!({"step": "ask"}));
    assert_eq!((outcome.result.is_err(), outcome.unused.len()), (true, 1));
}

#[test]
fn a_stream_hands_on_every_piece_and_answers_the_whole() {
    let host = tape(&[why(json!({"ok": completion("one two three")}))]);
    let outcome = host.invoke::<Steps>(json!({"step": "stream"}));
    assert_eq!(outcome.result.unwrap(), json!({"said": "one two three"}));
    assert_eq!(outcome.seen.emitted, ["one ", "two ", "three"]);
    let host = tape(&[why(json!({"ok": completion("one two")}))]);
    assert_eq!(run(host, "events").unwrap(), "one |two|done");
}

#[test]
fn a_recorded_failure_keeps_its_code() {
    let fault = json!({"code": "model.rate_limited", "message": "the provider is busy", "retry_after_ms": 1500});
    let error = run(tape(&[why(json!({"err": fault}))]), "stream").unwrap_err();
    assert_eq!(
        (error.kind(), error.code(), error.retry_after().unwrap().as_millis()),
        (Kind::Unavailable, "model.rate_limited", 1500)
    );
}

#[test]
fn capabilities_take_and_give_json() {
    let output = json!({"status": 128, "stdout": "no", "stderr": "", "truncated": false});
    let input = json!({"json": {"args": ["log", "-1"], "cwd": "main"}});
    let line = json!({"effect": "invoke", "capability": "exec.git", "input": input, "answer": {"ok": {"json": output}}});
    assert_eq!(run(tape(&[line]), "run").unwrap(), "128 no");
    let answer = json!({"ok": {"text": "plain"}});
    let line = json!({"effect": "invoke", "capability": "skill:other", "input": {"json": {"a": 1}}, "answer": answer});
    assert_eq!(run(tape(&[line]), "skill").unwrap_err().code(), "skill.answer");
    let line = json!({"effect": "embed", "use": "search", "texts": ["a", "b"], "answer": {"ok": [[1.0], [0.5]]}});
    assert_eq!(run(tape(&[line]), "embed").unwrap(), "[[1.0], [0.5]]");
    let line = json!({"effect": "embed", "use": "search", "texts": ["a", "b"], "answer": {"ok": [[1.0]]}});
    assert_eq!(run(tape(&[line]), "embed").unwrap_err().code(), "skill.embed");
}

#[test]
fn lines_are_cut_at_either_end_of_line_and_bounded() {
    let cases: [(&[u8], &str); 8] = [
        (b"", ""),
        (b"a", "a"),
        (b"a\n", "a"),
        (b"a\n\nb", "a||b"),
        (b"a\r\nb\r\n", "a|b"),
        (b"12345678\r\n123456789\r\nx", "12345678|12345678|x"),
        (b"\xff\xfe\n", "\u{fffd}\u{fffd}"),
        (b"\r\n\r", "|"),
    ];
    for (bytes, expected) in cases {
        assert_eq!(
            run(Host::new().file("logs/a", bytes), "logs/a").unwrap(),
            expected,
            "{bytes:?}"
        );
    }
}

#[test]
fn a_line_end_may_fall_between_two_chunks() {
    for size in 1..7 {
        let host = Host::new().file("logs/a", "ab\r\ncd\r\nef");
        host.install();
        let lines = files::Lines::new(files::read_chunks("logs/a").size(size));
        let lines: Vec<String> = lines.map(Result::unwrap).collect();
        Host::uninstall();
        assert_eq!(lines, ["ab", "cd", "ef"], "chunks of {size}");
    }
}

#[test]
fn paths_are_refused_as_the_host_refuses_them() {
    for path in ["/etc/passwd", "logs/../a", "logs//a", "./logs/a", "logs\\a", "logs/a\0", ""] {
        let error = run(Host::new().file("logs/a", "x"), path).unwrap_err();
        assert_eq!((error.kind(), error.code()), (Kind::Denied, "file.path"), "{path:?}");
    }
    assert_eq!(
        run(Host::new().file("logs/a", "x"), "etc/passwd").unwrap_err().code(),
        "grant.undeclared"
    );
    assert_eq!(
        run(Host::new().file("logs/a", "x"), "logs/b").unwrap_err().code(),
        "file.not_found"
    );
}

#[test]
fn files_are_written_and_configuration_is_read() {
    let host = Host::new().file("out/b", "");
    assert_eq!(run(host, "write").unwrap(), "one two Some(\"file.exists\")");
    let outcome = Host::new().config("team", "red").invoke::<Steps>(json!({"step": "say"}));
    assert_eq!(outcome.result.unwrap(), json!({"said": "Some(\"red\") None"}));
    assert_eq!(
        outcome.seen.progress,
        [("half".to_owned(), Some(50)), ("some".to_owned(), None)]
    );
    assert_eq!(outcome.seen.logs, [(log::Level::Info, "here".to_owned())]);
}

#[test]
fn an_input_that_does_not_fit_is_refused() {
    let error = Host::new().invoke::<Steps>(json!({"step": 7})).result.unwrap_err();
    assert_eq!((error.kind(), error.code()), (Kind::InvalidInput, "skill.input"));
}

#[test]
fn errors_of_a_skill_carry_its_prefix_once() {
    assert_eq!(Error::new("no_diff", "x").code(), "skill.no_diff");
    assert_eq!(Error::new("skill.no_diff", "x").code(), "skill.no_diff");
    assert_eq!(Error::from("x").context("doing").to_string(), "skill.failed: doing: x");
}

#[test]
fn a_cassette_that_is_none_names_its_line() {
    for (text, expected) in [
        ("\n{", "line 2 is no JSON"),
        ("{}", "line 1 has no `effect`"),
        ("{\"effect\":\"model\"}", "line 1 has no `answer`"),
    ] {
        let error = Host::new().cassette(text).unwrap_err();
        assert!(error.starts_with(expected), "{error}");
    }
}

#[test]
fn messages_join_their_texts() {
    let parts = vec![
        Part::Text("a".to_owned()),
        Part::Blob {
            mime: "image/png".to_owned(),
            data: vec![0],
        },
        Part::Text("b".to_owned()),
    ];
    assert_eq!(Message { role: Role::User, parts }.text(), "ab");
}
