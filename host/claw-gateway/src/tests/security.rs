//! Loopback is hostile: every route is tried with everything that a web page, a rebound
//! name or another program of this machine could send.

use reqwest::Method;
use serde_json::json;

use super::fakes::known_draft;
use super::raw::{clean_exchange, exchange, request};
use super::support::{Answer, Door, OPERATOR, SERVICE, WRONG};
use crate::gateway::FailureLimit;
use crate::{Access, ROUTES, Route, Settings};

/// A path that the template matches, of a skill that would answer at once.
fn path_of(route: &Route) -> String {
    route
        .path
        .replace("{name}", "echo")
        .replace("{*id}", "general")
        .replace("drafts/{id}", &format!("drafts/{}", known_draft().id))
        .replace("{id}", "key_known")
}

/// What the route answers to somebody who may use it, with these headers added.
async fn knock(door: &Door, route: &Route, more: &[&str]) -> Answer {
    let line = format!("{} {}", route.method, path_of(route));
    let auth = format!("authorization: Bearer {OPERATOR}");
    let mut headers = vec![auth.as_str()];
    let body = if route.method == Method::POST {
        match route.path {
            "/v1/explain" => "{\"use\":\"general\"}",
            "/v1/admin/keys" => "{\"service\":\"billing\"}",
            path if path.starts_with("/v1/admin/keys/") => "{}",
            path if path.ends_with("/approve") => "{\"hash\":\"\"}",
            path if path.ends_with("/reject") => "{}",
            path if crate::endpoints::sdk::family(path, &Default::default()).is_some() => "{\"model\":\"general\"}",
            _ => "{\"skill\":\"echo\"}",
        }
    } else {
        ""
    };
    let length = format!("content-length: {}", body.len());
    if !body.is_empty() {
        headers.push(&length);
        if !more.iter().any(|header| header.starts_with("content-type")) {
            headers.push("content-type: application/json");
        }
    }
    headers.extend(more);
    clean_exchange(door, request(door, &line, &headers, body)).await
}

/// Tries every route; a shutdown that slips through ends the loop with a refused connection.
async fn each_route(more: &[&str], status: u16, code: &str) {
    let door = Door::open().await;
    for route in &ROUTES {
        let answer = knock(&door, route, more).await;
        assert_eq!(
            (answer.status, answer.code().as_deref()),
            (status, Some(code)),
            "{} {more:?}",
            route.path
        );
    }
    assert!(door.audit.entries().is_empty());
    door.close().await;
}

#[tokio::test]
async fn every_route_answers_to_who_may_use_it() {
    for route in &ROUTES {
        let mut door = Door::open().await;
        let answer = knock(&door, route, &[]).await;
        if route.path.ends_with("/approve") {
            // It was not shown: nothing less than its hash approves it.
            assert_eq!((answer.status, answer.code().as_deref()), (409, Some("draft.closed")));
        } else {
            assert!((200..300).contains(&answer.status), "{}: {answer:?}", route.path);
        }
        if route.path == "/v1/admin/shutdown" {
            door.ended().await;
        }
        door.close().await;
    }
}

#[tokio::test]
async fn every_route_but_health_wants_a_token() {
    let door = Door::open().await;
    for route in &ROUTES {
        let path = path_of(route);
        let mut tries = vec![door.anonymous(route.method.clone(), &path)];
        for value in [
            "Bearer",
            "Bearer ",
            "Basic dXNlcjpwYXNz",
            SERVICE,
            &format!("Bearer {WRONG}"),
            &format!("Bearer {SERVICE}x"),
        ] {
            tries.push(door.anonymous(route.method.clone(), &path).header("authorization", value));
        }
        tries.push(door.anonymous(route.method.clone(), &path).header("x-api-key", WRONG));
        tries.push(door.anonymous(route.method.clone(), &path).header("x-api-key", ""));
        tries.push(
            door.anonymous(route.method.clone(), &path)
                .header("cookie", format!("token={SERVICE}")),
        );
        for request in tries {
            let answer = door.send(request.header("content-type", "application/json")).await;
            match route.access {
                Access::Open => assert_eq!(answer.status, 204, "{path}: {answer:?}"),
                // Some of many wrong ones are answered by the limit.
                Access::Caller | Access::Operator if answer.status == 429 => {}
                Access::Caller | Access::Operator => {
                    assert_eq!((answer.status, answer.code().as_deref()), (401, Some("http.unauthorized")));
                    assert!(answer.header("www-authenticate").starts_with("Bearer"), "{answer:?}");
                }
            }
        }
    }
    assert!(door.audit.entries().is_empty());
    door.close().await;
}

#[tokio::test]
async fn operators_routes_are_for_operators() {
    let door = Door::open().await;
    let mut seen = 0;
    for route in ROUTES.iter().filter(|route| route.access == Access::Operator) {
        let mut request = door.request(route.method.clone(), route.path);
        if route.method != Method::GET {
            request = request.json(&json!({}));
        }
        door.send(request).await.is_problem(403, "http.forbidden");
        seen += 1;
    }
    assert_eq!(seen, 6);
    door.close().await;
}

#[tokio::test]
async fn a_rebound_name_is_not_this_gateway() {
    let door = Door::open().await;
    let port = door.address.port();
    let foreign = [
        "attacker.example".to_owned(),
        format!("attacker.example:{port}"),
        "127.0.0.1".to_owned(),
        format!("127.0.0.1:{}", port ^ 1),
        "localhost".to_owned(),
        format!("localhost.:{port}"),
        format!("127.0.0.1:{port}.attacker.example"),
        format!("user@127.0.0.1:{port}"),
        format!("127.1:{port}"),
        format!("0.0.0.0:{port}"),
        String::new(),
    ];
    for route in &ROUTES {
        for host in &foreign {
            let answer = knock(&door, route, &[&format!("host: {host}")]).await;
            assert_eq!(
                (answer.status, answer.json()["code"].as_str()),
                (421, Some("http.bad_host")),
                "{} {host}",
                route.path
            );
        }
    }
    for host in [
        format!("localhost:{port}"),
        format!("LOCALHOST:{port}"),
        format!("[::1]:{port}"),
    ] {
        let answer = clean_exchange(&door, request(&door, "GET /healthz", &[&format!("host: {host}")], "")).await;
        assert_eq!(answer.status, 204, "{host}");
    }
    door.close().await;
}

#[tokio::test]
async fn the_target_itself_can_name_a_foreign_host() {
    let door = Door::open().await;
    let port = door.address.port();
    let good = clean_exchange(
        &door,
        request(&door, &format!("GET http://127.0.0.1:{port}/healthz"), &[], ""),
    )
    .await;
    assert_eq!(good.status, 204);
    for target in [
        "http://attacker.example/healthz",
        "http://127.0.0.1/healthz",
        "https://attacker.example:443/v1/skills",
    ] {
        clean_exchange(&door, request(&door, &format!("GET {target}"), &[], ""))
            .await
            .is_problem(421, "http.bad_host");
    }
    let connect = clean_exchange(&door, request(&door, "CONNECT attacker.example:443", &[], "")).await;
    connect.is_problem(421, "http.bad_host");
    let without = format!("GET /healthz HTTP/1.1\r\nx: {port}\r\nconnection: close\r\n\r\n");
    clean_exchange(&door, without).await.is_problem(421, "http.bad_host");
    clean_exchange(&door, "GET /healthz HTTP/1.0\r\n\r\n")
        .await
        .is_problem(421, "http.bad_host");
    door.close().await;
}

#[tokio::test]
async fn configured_names_are_known_too() {
    let settings = Settings {
        allowed_hosts: vec!["Claw.Internal:7077".to_owned()],
        allowed_origins: vec!["https://claw.internal".to_owned(), "null".to_owned()],
        ..Settings::default()
    };
    let door = Door::with(settings).await;
    let try_with = async |headers: &[&str]| {
        clean_exchange(&door, request(&door, "GET /healthz", headers, ""))
            .await
            .status
    };
    assert_eq!(try_with(&["host: claw.internal:7077"]).await, 204);
    assert_eq!(try_with(&["host: claw.internal"]).await, 421);
    assert_eq!(try_with(&["origin: https://claw.internal"]).await, 204);
    assert_eq!(
        try_with(&["origin: https://claw.internal", "sec-fetch-site: same-origin"]).await,
        204
    );
    assert_eq!(
        try_with(&["origin: https://claw.internal", "sec-fetch-site: cross-site"]).await,
        403
    );
    assert_eq!(try_with(&["origin: http://claw.internal"]).await, 403);
    assert_eq!(
        try_with(&["origin: null"]).await,
        403,
        "nobody can allow every file and sandboxed page"
    );
    door.close().await;
}

#[tokio::test]
async fn no_page_of_another_origin_gets_in() {
    for origin in [
        "https://attacker.example",
        "null",
        "http://127.0.0.1",
        "http://localhost:3000",
        "",
        "file://",
    ] {
        each_route(&[&format!("origin: {origin}")], 403, "http.bad_origin").await;
    }
}

#[tokio::test]
async fn no_page_of_another_site_gets_in_without_an_origin_either() {
    for site in ["cross-site", "same-site", "nonsense"] {
        each_route(&[&format!("sec-fetch-site: {site}")], 403, "http.bad_origin").await;
    }
    let door = Door::open().await;
    for site in ["none", "same-origin"] {
        let answer = clean_exchange(
            &door,
            request(&door, "GET /healthz", &[&format!("sec-fetch-site: {site}")], ""),
        )
        .await;
        assert_eq!(answer.status, 204);
    }
    door.close().await;
}

#[tokio::test]
async fn headers_that_are_there_twice_are_refused() {
    let door = Door::open().await;
    let auth = format!("authorization: Bearer {OPERATOR}");
    let host = format!("host: {}", door.address);
    let key = format!("x-api-key: {OPERATOR}");
    for more in [
        [auth.as_str(), auth.as_str()],
        [key.as_str(), key.as_str()],
        [auth.as_str(), key.as_str()],
        [host.as_str(), host.as_str()],
        [host.as_str(), "host: attacker.example"],
        ["origin: https://a.example", "origin: https://b.example"],
        ["content-type: application/json", "content-type: text/plain"],
        ["idempotency-key: a", "idempotency-key: b"],
        ["claw-timeout-ms: 1", "claw-timeout-ms: 2"],
    ] {
        let answer = clean_exchange(&door, request(&door, "GET /v1/skills", &more, "")).await;
        answer.is_problem(400, "http.duplicate_header");
    }
    // The parser refuses two lengths, and a length beside chunks, before anybody is asked.
    for more in [
        vec!["content-length: 2", "content-length: 3"],
        vec!["content-length: 2, 3"],
        vec!["content-length: +2"],
        vec!["content-length: -1"],
        vec!["content-length: 99999999999999999999"],
        vec!["transfer-encoding: gzip"],
        vec!["transfer-encoding: chunked, identity"],
    ] {
        let mut headers = vec![auth.as_str(), "content-type: application/json"];
        headers.extend(more);
        let answer = exchange(&door, request(&door, "POST /v1/skills/echo/invoke", &headers, "{}")).await;
        assert_eq!(answer.status, 400, "{headers:?} {answer:?}");
    }
    assert!(door.audit.entries().is_empty());
    door.close().await;
}

#[tokio::test]
async fn a_token_in_a_url_is_refused_and_never_repeated() {
    let door = Door::open().await;
    for query in [
        format!("token={SERVICE}"),
        format!("a=1&access_token={SERVICE}"),
        format!("API_KEY={SERVICE}"),
        format!("a;api_key={SERVICE}"),
        format!("%74oken={SERVICE}"),
        "token".to_owned(),
    ] {
        for path in ["/v1/skills", "/healthz", "/nowhere"] {
            let answer = door.get(&format!("{path}?{query}")).await;
            let problem = answer.is_problem(400, "http.token_in_url");
            assert!(problem["hint"].as_str().unwrap().contains("Authorization"), "{problem}");
        }
    }
    for query in ["tokens=1", "page=2", "%", "%zz=1", "%7"] {
        assert_eq!(door.get(&format!("/v1/skills?{query}")).await.status, 200, "{query}");
    }
    door.close().await;
}

#[tokio::test]
async fn nothing_changes_by_get_and_a_get_has_no_body() {
    let door = Door::open().await;
    for route in &ROUTES {
        if route.method == Method::GET {
            let line = format!("GET {}", path_of(route));
            let auth = format!("authorization: Bearer {OPERATOR}");
            let json = [auth.as_str(), "content-type: application/json"];
            let with_length = [json[0], json[1], "content-length: 2"];
            clean_exchange(&door, request(&door, &line, &with_length, "{}"))
                .await
                .is_problem(400, "http.bad_request");
            let chunked = [json[0], json[1], "transfer-encoding: chunked"];
            let answer = clean_exchange(&door, request(&door, &line, &chunked, "2\r\n{}\r\n0\r\n\r\n")).await;
            answer.is_problem(400, "http.bad_request");
        } else {
            assert_eq!(route.method, Method::POST, "{}", route.path);
            for method in [Method::GET, Method::HEAD] {
                let other = ROUTES
                    .iter()
                    .any(|other| other.path == route.path && other.method == Method::GET);
                let answer = door.send(door.anonymous(method, &path_of(route)).bearer_auth(OPERATOR)).await;
                // No template shadows what is no `GET` route; a path that is both lists by `GET`.
                let expected = if other { 200 } else { 405 };
                assert_eq!(answer.status, expected, "{}: {answer:?}", route.path);
                assert!(!other || route.path == "/v1/admin/keys", "{}", route.path);
            }
        }
    }
    assert!(door.audit.entries().is_empty());
    door.close().await;
}

#[track_caller]
fn is_no_json(answer: &Answer) {
    assert_eq!(
        (answer.status, answer.code().as_deref()),
        (415, Some("http.unsupported_media_type")),
        "{answer:?}"
    );
}

#[tokio::test]
async fn what_a_page_can_post_without_asking_is_refused() {
    let door = Door::open().await;
    let posts = || ROUTES.iter().filter(|route| route.method == Method::POST);
    for route in posts() {
        for kind in [
            "text/plain",
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=x",
            "text/plain; application/json",
            "application/json; charset=utf-16",
            "",
        ] {
            let answer = knock(&door, route, &[&format!("content-type: {kind}")]).await;
            is_no_json(&answer);
        }
        let auth = format!("authorization: Bearer {OPERATOR}");
        let line = format!("POST {}", path_of(route));
        let answer = clean_exchange(&door, request(&door, &line, &[&auth, "content-length: 2"], "{}")).await;
        is_no_json(&answer);
        let answer = knock(&door, route, &["content-encoding: gzip"]).await;
        is_no_json(&answer);
    }
    assert_eq!(posts().count(), 15);
    assert!(door.audit.entries().is_empty());
    let answer = knock(&door, &ROUTES[0], &["content-type: application/vnd.claw+json; charset=UTF-8"]).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    door.close().await;
}

#[tokio::test]
async fn preflights_get_no_permission() {
    let door = Door::open().await;
    for route in &ROUTES {
        let line = format!("OPTIONS {}", path_of(route));
        let asks = [
            "access-control-request-method: POST",
            "access-control-request-headers: authorization",
        ];
        let answer = clean_exchange(&door, request(&door, &line, &asks, "")).await;
        answer.is_problem(401, "http.unauthorized");
        let asks = [asks[0], asks[1], "origin: https://attacker.example"];
        clean_exchange(&door, request(&door, &line, &asks, ""))
            .await
            .is_problem(403, "http.bad_origin");
    }
    door.close().await;
}

#[tokio::test]
async fn failures_are_limited_on_loopback_and_lock_nobody_out() {
    let auth_failures = FailureLimit { burst: 5, per_second: 1 };
    let door = Door::with(Settings {
        auth_failures,
        ..Settings::default()
    })
    .await;
    let wrong = || door.anonymous(Method::GET, "/v1/skills").bearer_auth(WRONG);
    let mut limited = None;
    // More than what refills while this runs, on any machine.
    for _ in 0..10_000 {
        let answer = door.send(wrong()).await;
        if answer.status == 429 {
            limited = Some(answer);
            break;
        }
        answer.is_problem(401, "http.unauthorized");
    }
    let limited = limited.expect("the limit was never met");
    let problem = limited.is_problem(429, "http.too_many_failures");
    assert!(problem["retry_after_ms"].as_u64().unwrap() <= 1_000, "{problem}");
    assert_eq!(limited.header("retry-after"), "1");
    assert_eq!(door.get("/v1/skills").await.status, 200, "a valid token passes all the same");
    door.send(door.anonymous(Method::GET, "/v1/skills"))
        .await
        .is_problem(401, "http.unauthorized");
    let counters = door.get("/metrics").await.text;
    assert!(counters.contains("claw_http_auth_failures_total "), "{counters}");
    door.close().await;
}

#[tokio::test]
async fn what_is_not_there_still_wants_a_token() {
    let door = Door::open().await;
    for path in [
        "/",
        "/nowhere",
        "/v1",
        "/v1/skills/",
        "/v1/skills/echo/invoke/",
        "/healthz/",
        "//healthz",
        "/v1/admin/%73hutdown",
    ] {
        door.send(door.anonymous(Method::GET, path))
            .await
            .is_problem(401, "http.unauthorized");
        door.get(path).await.is_problem(404, "http.not_found");
    }
    for (method, path, allow) in [
        (Method::PUT, "/v1/skills", "GET,HEAD"),
        (Method::DELETE, "/v1/skills/echo", "GET,HEAD"),
        (Method::GET, "/v1/invoke", "POST"),
        (Method::OPTIONS, "/v1/admin/shutdown", "POST"),
        (Method::POST, "/healthz", "GET,HEAD"),
    ] {
        door.send(door.anonymous(method.clone(), path))
            .await
            .is_problem(401, "http.unauthorized");
        let answer = door.send(door.request(method, path)).await;
        answer.is_problem(405, "http.method_not_allowed");
        assert_eq!(answer.header("allow"), allow, "{path}");
    }
    door.close().await;
}
