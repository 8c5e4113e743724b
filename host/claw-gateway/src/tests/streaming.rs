//! Answers as server-sent events: order, back-pressure, and callers that hang up.

use std::sync::atomic::Ordering;
use std::time::Duration;

use claw_core::audit::Status;
use claw_core::errors::Code;
use reqwest::Method;
use serde_json::{Value, json};

use super::fakes::{FLOOD, FLOOD_BYTES};
use super::raw::{Raw, request};
use super::support::{Answer, Door, SERVICE};
use crate::Settings;

fn streamed(door: &Door, skill: &str) -> reqwest::RequestBuilder {
    let request = door.request(Method::POST, &format!("/v1/skills/{skill}/invoke"));
    request.header("accept", "text/event-stream").json(&json!({}))
}

fn raw_stream(door: &Door, skill: &str) -> String {
    let auth = format!("authorization: Bearer {SERVICE}");
    let headers = [
        auth.as_str(),
        "accept: text/event-stream",
        "content-type: application/json",
        "content-length: 2",
    ];
    request(door, &format!("POST /v1/skills/{skill}/invoke"), &headers, "{}")
}

/// The events of a stream, by name; comments are left out.
fn events(answer: &Answer) -> Vec<(String, Value)> {
    let blocks = answer
        .text
        .split("\n\n")
        .filter(|block| !block.is_empty() && !block.starts_with(':'));
    blocks
        .map(|block| {
            let (name, data) = block.split_once('\n').unwrap();
            let data = serde_json::from_str(data.strip_prefix("data: ").unwrap()).unwrap();
            (name.strip_prefix("event: ").unwrap().to_owned(), data)
        })
        .collect()
}

#[tokio::test]
async fn events_come_in_order_and_the_result_last() {
    let door = Door::open().await;
    let answer = door.send(streamed(&door, "talk")).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, "text/event-stream"));
    let events = events(&answer);
    assert_eq!(
        events[0],
        (
            "progress".to_owned(),
            json!({"type": "progress", "message": "reading", "percent": 10})
        )
    );
    for number in 0..40 {
        assert_eq!(
            events[number + 1],
            ("chunk".to_owned(), json!({"type": "chunk", "text": number.to_string()}))
        );
    }
    assert_eq!(events[41].1["message"], "line one\nline two");
    let (name, envelope) = &events[42];
    assert_eq!((name.as_str(), events.len()), ("result", 43));
    assert_eq!(envelope["id"], answer.header("claw-invocation-id"));
    assert_eq!(
        (&envelope["skill"], &envelope["output"]),
        (&json!("talk@1.0.0"), &json!({"done": true}))
    );
    assert_eq!(door.status_of(&answer), Some(Status::Ok));
    let body = json!({"skill": "talk"});
    let request = door
        .request(Method::POST, "/v1/invoke")
        .header("accept", "text/event-stream")
        .json(&body);
    assert_eq!(
        self::events(&door.send(request).await).len(),
        43,
        "the other route streams as well"
    );
    door.close().await;
}

#[tokio::test]
async fn a_failure_after_the_first_event_is_the_last_event() {
    let door = Door::open().await;
    let answer = door.send(streamed(&door, "talk-and-fail")).await;
    let events = events(&answer);
    assert_eq!((answer.status, events.len()), (200, 2));
    assert_eq!(events[1].0, "error");
    assert_eq!(
        (&events[1].1["code"], &events[1].1["status"]),
        (&json!("skill.trap"), &json!(502))
    );
    assert_eq!(events[1].1["invocation_id"], answer.header("claw-invocation-id"));
    door.close().await;
}

#[tokio::test]
async fn a_failure_before_the_first_event_has_its_own_status() {
    let door = Door::open().await;
    door.send(streamed(&door, "none")).await.is_problem(404, "not_found");
    let request = door
        .request(Method::POST, "/v1/skills/strict/invoke")
        .header("accept", "text/event-stream")
        .json(&json!({}));
    door.send(request).await.is_problem(422, "invalid_input");
    door.close().await;
}

#[tokio::test]
async fn a_panic_in_a_stream_is_an_error_event_that_says_nothing() {
    let door = Door::open().await;
    let answer = door.send(streamed(&door, "talk-and-panic")).await;
    let events = events(&answer);
    assert_eq!((events[1].0.as_str(), &events[1].1["code"]), ("error", &json!("internal")));
    assert!(door.log().contains("a streaming call panicked"), "{}", door.log());
    door.close().await;
}

#[tokio::test]
async fn a_silent_stream_says_that_it_lives() {
    let door = Door::with(Settings {
        heartbeat: Duration::from_millis(5),
        ..Settings::default()
    })
    .await;
    let mut raw = Raw::connect(&door).await;
    raw.write(raw_stream(&door, "wait")).await;
    let seen = raw.read_until(": still running\n\n").await;
    assert!(seen.starts_with("HTTP/1.1 200 OK\r\n"), "{seen}");
    door.signals.go_on.notify_one();
    raw.read_until("event: result").await;
    door.close().await;
}

#[tokio::test]
async fn a_slow_reader_slows_the_skill_and_loses_nothing() {
    let door = Door::open().await;
    let response = streamed(&door, "flood").send().await.unwrap();
    door.signals.full.notified().await;
    let made = door.signals.flooded.load(Ordering::SeqCst);
    assert!(made < FLOOD, "the skill ran ahead of its reader: {made}");
    let text = response.text().await.unwrap();
    assert_eq!(text.matches("event: chunk\n").count() as u64, FLOOD);
    assert!(text.len() > FLOOD as usize * FLOOD_BYTES);
    assert!(text.trim_end().rsplit("\n\n").next().unwrap().starts_with("event: result\n"));
    door.close().await;
}

#[tokio::test]
async fn a_reader_that_hangs_up_ends_the_call() {
    let door = Door::open().await;
    for skill in ["talk-and-wait", "wait"] {
        let mut raw = Raw::connect(&door).await;
        raw.write(raw_stream(&door, skill)).await;
        door.signals.waiting.notified().await;
        drop(raw);
    }
    door.settled(2).await;
    let mut raw = Raw::connect(&door).await;
    raw.write(raw_stream(&door, "flood")).await;
    door.signals.full.notified().await;
    drop(raw);
    door.settled(3).await;
    for (intent, outcome) in door.audit.entries() {
        let outcome = outcome.unwrap();
        assert_eq!(outcome.status, Status::Abandoned, "{intent:?}");
    }
    assert!(door.signals.flooded.load(Ordering::SeqCst) < FLOOD);
    door.close().await;
}

#[tokio::test]
async fn a_reader_that_never_reads_is_hung_up_on() {
    let door = Door::with(Settings {
        write_timeout: Duration::from_millis(20),
        ..Settings::default()
    })
    .await;
    let mut raw = Raw::connect(&door).await;
    raw.write(raw_stream(&door, "flood")).await;
    door.settled(1).await;
    let (_, outcome) = door.audit.entries().remove(0);
    assert_eq!(outcome.map(|outcome| outcome.status), Some(Status::Abandoned));
    door.close().await;
}

#[tokio::test]
async fn a_deadline_ends_a_call_whose_reader_does_not_read() {
    let door = Door::open().await;
    let mut raw = Raw::connect(&door).await;
    let auth = format!("authorization: Bearer {SERVICE}");
    let json = [
        "accept: text/event-stream",
        "content-type: application/json",
        "content-length: 2",
    ];
    let headers = [auth.as_str(), json[0], json[1], json[2], "claw-timeout-ms: 500"];
    raw.write(request(&door, "POST /v1/skills/flood/invoke", &headers, "{}"))
        .await;
    door.settled(1).await;
    let (_, outcome) = door.audit.entries().remove(0);
    assert_eq!(outcome.and_then(|outcome| outcome.code), Some(Code::DeadlineExceeded));
    let all = String::from_utf8(raw.read_to_end().await).unwrap();
    assert!(
        all.contains("event: error\ndata: {\"type\":\"urn:claw:error:deadline_exceeded\""),
        "the reader learns it late, but it does"
    );
    door.close().await;
}
