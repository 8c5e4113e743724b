//! The end: in order, within a bound, and with every entry closed.

use std::time::Duration;

use claw_core::audit::Status;
use reqwest::Method;
use serde_json::json;
use tokio::net::TcpStream;

use super::raw::{Raw, parse, request};
use super::support::{Door, OPERATOR, PATIENCE, SERVICE};
use crate::Settings;

fn call(door: &Door, skill: &str, more: &[&str]) -> String {
    let auth = format!("authorization: Bearer {SERVICE}");
    let mut headers = vec![auth.as_str(), "content-type: application/json", "content-length: 2"];
    headers.extend(more);
    request(door, &format!("POST /v1/skills/{skill}/invoke"), &headers, "{}")
}

async fn refuses_connections(door: &Door) {
    let address = door.address;
    let mut refused = false;
    for _ in 0..10_000 {
        refused = TcpStream::connect(address).await.is_err();
        if refused {
            break;
        }
        tokio::task::yield_now().await;
    }
    assert!(refused, "it still accepts");
}

#[tokio::test]
async fn what_runs_may_finish_and_nothing_new_begins() {
    let mut door = Door::open().await;
    let mut raw = Raw::connect(&door).await;
    raw.write(call(&door, "wait", &[])).await;
    door.signals.waiting.notified().await;
    let mut stream = Raw::connect(&door).await;
    stream
        .write(call(&door, "talk-and-wait", &["accept: text/event-stream"]))
        .await;
    door.signals.waiting.notified().await;
    door.stop();
    refuses_connections(&door).await;
    door.signals.go_on.notify_waiters();
    assert_eq!(parse(&raw.read_to_end().await).status, 200);
    assert!(
        String::from_utf8(stream.read_to_end().await)
            .unwrap()
            .contains("event: result")
    );
    door.ended().await;
    assert!(
        door.audit
            .entries()
            .iter()
            .all(|(_, outcome)| outcome.as_ref().unwrap().status == Status::Ok)
    );
    door.close().await;
}

#[tokio::test]
async fn what_does_not_finish_in_time_is_dropped_and_recorded() {
    let mut door = Door::with(Settings {
        drain_timeout: Duration::from_millis(30),
        ..Settings::default()
    })
    .await;
    let mut raw = Raw::connect(&door).await;
    raw.write(call(&door, "wait", &[])).await;
    door.signals.waiting.notified().await;
    let mut stream = Raw::connect(&door).await;
    stream
        .write(call(&door, "talk-and-wait", &["accept: text/event-stream"]))
        .await;
    door.signals.waiting.notified().await;
    stream.read_until("event: chunk").await;
    door.stop();
    door.ended().await;
    assert!(raw.read_to_end().await.is_empty(), "hung up on, without an answer");
    let entries = door.audit.entries();
    assert_eq!(entries.len(), 2);
    assert!(
        entries
            .iter()
            .all(|(_, outcome)| outcome.as_ref().unwrap().status == Status::Abandoned)
    );
    door.close().await;
}

#[tokio::test]
async fn an_operator_stops_it_over_http() {
    let mut door = Door::open().await;
    let answer = door
        .send(door.anonymous(Method::POST, "/v1/admin/shutdown").bearer_auth(OPERATOR))
        .await;
    assert_eq!(
        (answer.status, answer.json()),
        (202, json!({"stopping": true, "drain_timeout_ms": 10_000}))
    );
    door.ended().await;
    refuses_connections(&door).await;
    door.close().await;
}

#[tokio::test]
async fn a_connection_that_is_there_learns_that_it_is_not_ready() {
    let mut door = Door::open().await;
    let mut waiting = Raw::connect(&door).await;
    waiting.write(call(&door, "wait", &[])).await;
    door.signals.waiting.notified().await;
    let mut late = Raw::connect(&door).await;
    // Half a head, so that the connection is not idle when the end begins.
    late.write("GET /readyz HTTP/1.1\r\n").await;
    let counters = async || door.get("/metrics").await.text.contains("claw_http_connections 3");
    let mut both = false;
    for _ in 0..10_000 {
        both = counters().await;
        if both {
            break;
        }
    }
    assert!(both, "both connections are open, and the one that asks");
    door.stop();
    refuses_connections(&door).await;
    late.write(format!("host: {}\r\n\r\n", door.address)).await;
    parse(&late.read_to_end().await).is_problem(503, "http.not_ready");
    door.signals.go_on.notify_one();
    waiting.read_to_end().await;
    door.ended().await;
    door.close().await;
}

#[tokio::test]
async fn idle_connections_do_not_hold_it_up() {
    // Nobody waits that long: the end comes because they are closed, not because they are dropped.
    let mut door = Door::with(Settings {
        drain_timeout: PATIENCE * 10,
        ..Settings::default()
    })
    .await;
    let mut idle = Raw::connect(&door).await;
    idle.write(format!("GET /healthz HTTP/1.1\r\nhost: {}\r\n\r\n", door.address))
        .await;
    idle.read_until("\r\n\r\n").await;
    door.stop();
    door.ended().await;
    assert!(idle.read_to_end().await.is_empty());
    door.close().await;
}
