#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use std::path::Path;

use axum::extract::{Path as UrlPath, RawQuery};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Redirect};
use serde_json::json;

use super::*;

fn providers(yaml: &str) -> ContextProviders {
    let env = |name: &str| (name == "TOKEN").then(|| "token-0123456789".to_owned());
    ContextProviders::new(&ContextFile::from_yaml(yaml).unwrap(), &env).unwrap()
}

async fn fetch(yaml: &str, vars: Value) -> Result<String, Fault> {
    let vars = vars.as_object().unwrap().clone().into_iter().collect();
    providers(yaml).fetch("x", &vars).await
}

fn file(path: &Path, more: &str) -> String {
    format!("context: {{x: {{file: '{}'{more}}}}}", path.display())
}

#[tokio::test]
async fn files_are_read_and_nothing_beside_them() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| std::fs::write(folder.path().join(name), bytes).unwrap();
    write("b.md", b"second\n");
    write("a.md", b"first");
    write("c.txt", b"other");
    write(".hidden.md", b"hidden");
    std::os::unix::fs::symlink("/etc/passwd", folder.path().join("d.md")).unwrap();
    std::fs::create_dir(folder.path().join("e.md")).unwrap();
    let whole = fetch(&file(folder.path(), ", pattern: '*.md'"), json!({})).await.unwrap();
    assert_eq!(whole, "## a.md\n\nfirst\n\n## b.md\n\nsecond\n\n");
    assert_eq!(
        fetch(&file(&folder.path().join("c.txt"), ""), json!({})).await.unwrap(),
        "other"
    );
    write("large", &vec![b'x'; (1 << 20) + 1]);
    write("bytes", b"\xff\xfe");
    for name in ["large", "bytes", "nothing"] {
        let fault = fetch(&file(&folder.path().join(name), ""), json!({})).await.unwrap_err();
        assert_eq!(fault.code, Code::ContextUnavailable);
        assert!(fault.message.contains(name), "{fault}");
    }
}

#[tokio::test]
async fn an_address_is_asked_with_encoded_values_and_no_redirect() {
    let answer = async |UrlPath(path): UrlPath<String>, RawQuery(query): RawQuery, headers: HeaderMap| match path.as_str() {
        "large" => "x".repeat((1 << 20) + 1).into_response(),
        "away" => Redirect::temporary("http://169.254.169.254/latest").into_response(),
        "broken" => (StatusCode::INTERNAL_SERVER_ERROR, "a secret trace").into_response(),
        path => {
            let key = headers
                .get("authorization")
                .and_then(|value| value.to_str().ok())
                .unwrap_or_default();
            format!("{path} {} {key}", query.unwrap_or_default()).into_response()
        }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = axum::Router::new().route("/c/{*path}", axum::routing::get(answer));
    let server = tokio::spawn(async move { axum::serve(listener, router).await });
    let _ = rustls::crypto::ring::default_provider().install_default();
    let yaml = format!(
        "context: {{x: {{http: 'http://{address}/c/{{id}}?q={{id}}', headers: {{authorization: 'Bearer ${{TOKEN}}'}}}}}}"
    );
    let found = fetch(&yaml, json!({ "id": "../a?b" })).await.unwrap();
    assert_eq!(found, "../a?b q=..%2Fa%3Fb Bearer token-0123456789");
    for (id, words) in [("large", "larger"), ("away", "307"), ("broken", "500")] {
        let fault = fetch(&yaml, json!({ "id": id })).await.unwrap_err();
        assert!(fault.message.contains(words) && !fault.message.contains("secret"), "{fault}");
    }
    assert_eq!(fetch(&yaml, json!({})).await.unwrap_err().code, Code::InvalidInput);
    server.abort();
}

#[test]
fn every_mistake_is_named() {
    let check = |entry: &str, path: &str| {
        let file = ContextFile::from_yaml(&format!("context: {{x: {entry}}}")).unwrap();
        let errors = ContextProviders::new(&file, &|_| None).err().unwrap();
        assert!(errors.0.iter().any(|error| error.path == path), "{entry}: {errors}");
    };
    check("{}", "context.x");
    check("{file: /a, http: 'http://b'}", "context.x");
    check("{file: relative}", "context.x.file");
    check("{http: 'ftp://a/b'}", "context.x.http");
    check("{http: 'http://{host}/b'}", "context.x.http");
    check("{http: 'http://user:pass@host/b'}", "context.x.http");
    check("{http: 'http://a/${NOPE}'}", "context.x.http");
    check("{http: 'http://a', headers: {'b c': d}}", "context.x.headers.b c");
    check("{skill: 'a b'}", "context.x.skill");
    check("{capability: ''}", "context.x.capability");
    check("{file: /a, timeout_ms: 0}", "context.x.timeout_ms");
    assert!(ContextFile::from_yaml("context: {x: {fil: /a}}").is_err());
    let named = ContextFile::from_yaml("context: {'a/b': {file: /a}}").unwrap();
    assert!(ContextProviders::new(&named, &|_| None).is_err());
}

#[test]
fn a_name_that_is_not_there_is_answered_with_those_that_are() {
    let providers = providers("context: {handbook: {file: /a}, triage: {skill: log-triage}}");
    let fault = providers.find("handbok").unwrap_err();
    assert_eq!(
        fault.message,
        "context.yaml has no context `handbok`; it has `handbook`, `triage`"
    );
    assert!(providers.find("triage").is_ok());
}
