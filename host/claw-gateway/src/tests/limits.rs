//! Everything that is too much: bodies, headers, nesting, slowness, connections.

use std::time::Duration;

use reqwest::Method;
use serde_json::json;
use tokio::io::AsyncWriteExt as _;

use super::raw::{Raw, clean_exchange, exchange, parse, request};
use super::support::{Door, SERVICE};
use crate::Settings;

const POST_ECHO: &str = "POST /v1/skills/echo/invoke";

fn small_bodies() -> Settings {
    Settings {
        body_limit_bytes: 1_000,
        ..Settings::default()
    }
}

/// The headers of an invocation, with these added.
fn post(door: &Door, more: &[&str], body: &str) -> String {
    let auth = format!("authorization: Bearer {SERVICE}");
    let mut headers = vec![auth.as_str(), "content-type: application/json"];
    headers.extend(more);
    request(door, POST_ECHO, &headers, body)
}

#[tokio::test]
async fn a_body_beyond_the_limit_is_refused_however_it_comes() {
    let door = Door::with(small_bodies()).await;
    let fits = json!({"text": "x".repeat(1_000 - 11)});
    assert_eq!(fits.to_string().len(), 1_000);
    assert_eq!(door.invoke("echo", &fits).await.status, 200);
    let declared = post(&door, &["content-length: 1001"], "");
    clean_exchange(&door, declared).await.is_problem(413, "http.body_too_large");
    let declared = post(&door, &["content-length: 9000000000000000000"], "");
    clean_exchange(&door, declared).await.is_problem(413, "http.body_too_large");
    // Without a length, and without an end: refused in the middle.
    let chunk = format!("190\r\n{}\r\n", "x".repeat(400));
    let chunked = post(&door, &["transfer-encoding: chunked"], &chunk.repeat(3));
    clean_exchange(&door, chunked).await.is_problem(413, "http.body_too_large");
    assert_eq!(door.audit.entries().len(), 1);
    door.close().await;
}

#[tokio::test]
async fn who_sends_far_too_much_still_learns_why() {
    let door = Door::with(small_bodies()).await;
    let mut raw = Raw::connect(&door).await;
    raw.write(post(&door, &["content-length: 8000000"], "")).await;
    // Refused by now or not, it sends all of it, and only then looks.
    raw.write(vec![b'x'; 8_000_000]).await;
    parse(&raw.read_to_end().await).is_problem(413, "http.body_too_large");
    door.close().await;
}

#[tokio::test]
async fn chunks_are_put_together() {
    let door = Door::open().await;
    let body = "1\r\n{\r\n8\r\n\"text\": \r\n3\r\n\"a\"\r\n1\r\n}\r\n0\r\n\r\n";
    let answer = clean_exchange(&door, post(&door, &["transfer-encoding: chunked"], body)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(answer.text.contains("{\"text\":\"a\"}"), "{answer:?}");
    door.close().await;
}

#[tokio::test]
async fn what_is_not_json_is_refused_by_name() {
    let door = Door::open().await;
    let deep = |levels: usize| format!("{}1{}", "[".repeat(levels), "]".repeat(levels));
    for body in [
        String::new(),
        " ".to_owned(),
        "{".to_owned(),
        "{\"a\":1,}".to_owned(),
        "{'a':1}".to_owned(),
        "{} {}".to_owned(),
        "NaN".to_owned(),
        "1e999".to_owned(),
        "\"\\ud800\"".to_owned(),
        "\u{feff}{}".to_owned(),
        "{\"a\":\"\u{0}\"}".to_owned(),
        deep(200),
        "[".repeat(1 << 20),
        "{\"a\":".repeat(1 << 18),
    ] {
        let request = door
            .request(Method::POST, "/v1/skills/echo/invoke")
            .header("content-type", "application/json")
            .body(body);
        door.send(request).await.is_problem(400, "http.malformed_json");
    }
    let request = door
        .request(Method::POST, "/v1/invoke")
        .header("content-type", "application/json");
    door.send(request.body(vec![b'"', 0xff, b'"']))
        .await
        .is_problem(400, "http.malformed_json");
    assert!(door.audit.entries().is_empty());
    let nested = format!("{{\"a\":{}}}", deep(100));
    let request = door
        .request(Method::POST, "/v1/skills/echo/invoke")
        .header("content-type", "application/json");
    assert_eq!(door.send(request.body(nested)).await.status, 200);
    door.close().await;
}

#[tokio::test]
async fn heads_are_bounded() {
    let door = Door::open().await;
    let many: Vec<String> = (0..70).map(|number| format!("x-{number}: 1")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    clean_exchange(&door, request(&door, "GET /healthz", &many, ""))
        .await
        .is_problem(431, "http.headers_too_large");
    let large = format!("x: {}", "x".repeat(17 << 10));
    clean_exchange(&door, request(&door, "GET /healthz", &[&large], ""))
        .await
        .is_problem(431, "http.headers_too_large");
    let long = format!("GET /{}", "x".repeat(9 << 10));
    clean_exchange(&door, request(&door, &long, &[], ""))
        .await
        .is_problem(431, "http.headers_too_large");
    // Beyond its own bounds the parser answers, without a body.
    let huge = format!("x: {}", "x".repeat(200 << 10));
    assert_eq!(
        exchange(&door, request(&door, "GET /healthz", &[&huge], "")).await.status,
        431
    );
    let many: Vec<String> = (0..200).map(|number| format!("x-{number}: 1")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert_eq!(exchange(&door, request(&door, "GET /healthz", &many, "")).await.status, 431);
    door.close().await;
}

#[tokio::test]
async fn what_is_no_http_is_refused_and_the_door_stands() {
    let door = Door::open().await;
    for bytes in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..],
        b"hello\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /\x00 HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nbad header\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost : a\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\r\n\r\n\r\n\x00",
    ] {
        let mut raw = Raw::connect(&door).await;
        raw.write(bytes).await;
        raw.0.shutdown().await.unwrap();
        let answer = String::from_utf8_lossy(&raw.read_to_end().await).into_owned();
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400"), "{bytes:?}: {answer}");
    }
    let smuggled = post(
        &door,
        &["content-length: 4", "transfer-encoding: chunked"],
        "2\r\n{}\r\n0\r\n\r\n",
    );
    let answer = exchange(&door, smuggled).await;
    assert!(
        answer.status == 200 || answer.status == 400,
        "chunks win, or nothing does: {answer:?}"
    );
    assert_eq!(door.invoke("echo", &json!({})).await.status, 200);
    door.close().await;
}

#[tokio::test]
async fn slow_headers_and_slow_bodies_are_given_up() {
    let quick = Duration::from_millis(30);
    let door = Door::with(Settings {
        header_timeout: quick,
        body_timeout: quick,
        ..Settings::default()
    })
    .await;
    let answer = exchange(&door, "GET /healthz HTTP/1.1\r\nhost: 127.0.0.1").await;
    answer.is_problem(408, "http.request_timeout");
    let mut raw = Raw::connect(&door).await;
    assert!(raw.read_to_end().await.is_empty(), "who never spoke is told nothing");
    let answer = clean_exchange(&door, post(&door, &["content-length: 10"], "{")).await;
    answer.is_problem(408, "http.request_timeout");
    assert!(door.audit.entries().is_empty());
    door.close().await;
}

#[tokio::test]
async fn a_body_that_breaks_off_is_no_call() {
    let door = Door::open().await;
    for (length, body) in [
        ("content-length: 10", "{\"a\":"),
        ("transfer-encoding: chunked", "5\r\n{\"a\":\r\n"),
    ] {
        let mut raw = Raw::connect(&door).await;
        raw.write(post(&door, &[length], body)).await;
        raw.0.shutdown().await.unwrap();
        raw.read_to_end().await;
    }
    let bad_chunk = post(&door, &["transfer-encoding: chunked"], "zz\r\n{}\r\n0\r\n\r\n");
    exchange(&door, bad_chunk).await.is_problem(400, "http.bad_request");
    assert!(door.audit.entries().is_empty());
    door.close().await;
}

#[tokio::test]
async fn connections_beyond_the_limit_are_told_to_come_back() {
    let door = Door::with(Settings {
        max_connections: 2,
        ..Settings::default()
    })
    .await;
    let (mut one, mut two) = (Raw::connect(&door).await, Raw::connect(&door).await);
    // Both are held once they are answered.
    for raw in [&mut one, &mut two] {
        raw.write(format!("GET /healthz HTTP/1.1\r\nhost: {}\r\n\r\n", door.address))
            .await;
        raw.read_until("204").await;
    }
    let answer = exchange(&door, request(&door, "GET /healthz", &[], "")).await;
    let problem = answer.is_problem(503, "http.too_many_connections");
    assert_eq!(
        (answer.header("retry-after"), &problem["retry_after_ms"]),
        ("1", &json!(1_000))
    );
    drop(one);
    let mut served = false;
    for _ in 0..10_000 {
        served = exchange(&door, request(&door, "GET /healthz", &[], "")).await.status == 204;
        if served {
            break;
        }
    }
    assert!(served, "a place that became free is given away again");
    drop(two);
    door.close().await;
}

#[tokio::test]
async fn one_connection_carries_many_calls() {
    let door = Door::open().await;
    let mut raw = Raw::connect(&door).await;
    let auth = format!("authorization: Bearer {SERVICE}");
    let one = format!(
        "{POST_ECHO} HTTP/1.1\r\nhost: {}\r\n{auth}\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{{}}",
        door.address
    );
    // Pipelined, and then one that is refused in between.
    raw.write(one.repeat(2)).await;
    raw.write(format!("GET /v1/skills HTTP/1.1\r\nhost: {}\r\n\r\n", door.address))
        .await;
    raw.write(one.replace("\r\n\r\n{}", "\r\nconnection: close\r\n\r\n{}")).await;
    let all = String::from_utf8(raw.read_to_end().await).unwrap();
    let statuses: Vec<&str> = all.split("HTTP/1.1 ").skip(1).map(|answer| &answer[..3]).collect();
    assert_eq!(statuses, ["200", "200", "401", "200"]);
    door.close().await;
}

#[tokio::test]
async fn only_so_many_bytes_of_bodies_are_worked_on_at_once() {
    let door = Door::with(Settings {
        bodies_in_flight_bytes: 8 << 10,
        ..Settings::default()
    })
    .await;
    // The first takes one of two places until it is told to go on; the second needs both.
    let nothing = json!({});
    let waiting = door.invoke("wait", &nothing);
    let meanwhile = async {
        door.signals.waiting.notified().await;
        let large = json!({"text": "x".repeat(5 << 10)});
        let refused = door.invoke("echo", &large).await;
        refused.is_problem(503, "overloaded");
        assert!(!refused.header("retry-after").is_empty());
        assert_eq!(door.invoke("echo", &json!({})).await.status, 200);
        door.signals.go_on.notify_one();
        large
    };
    let (waited, large) = tokio::join!(waiting, meanwhile);
    assert_eq!(waited.status, 200);
    assert_eq!(door.invoke("echo", &large).await.status, 200, "room is given back");
    door.close().await;
}
