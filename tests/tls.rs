//! Providers over TLS and HTTP/2: the certificate has to be theirs, and a connection that is
//! closed under a call is opened again.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use reqwest::Method;
use rustls::pki_types::PrivatePkcs8KeyDer;
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::support::TestGateway;
use crate::support::gateway::Answer;

/// What a connection does with its calls.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Manners {
    /// It answers.
    Good,
    /// The first connection says that it goes away, and the call on it is lost.
    GoesAwayOnce,
    /// Every connection does.
    GoesAway,
}

struct Provider {
    port: u16,
    /// The certificate that it shows, to be trusted.
    pem: String,
    calls: Arc<AtomicUsize>,
}

async fn provider(manners: Manners) -> Provider {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key.into())
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let provider = Provider {
        port: listener.local_addr().unwrap().port(),
        pem: made.cert.pem(),
        calls: Arc::default(),
    };
    let calls = provider.calls.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(acceptor.clone(), stream, manners, calls.clone()));
        }
    });
    provider
}

async fn serve(acceptor: TlsAcceptor, stream: TcpStream, manners: Manners, calls: Arc<AtomicUsize>) {
    let Ok(stream) = acceptor.accept(stream).await else { return };
    let Ok(mut connection) = h2::server::handshake(stream).await else {
        return;
    };
    while let Some(Ok((request, mut respond))) = connection.accept().await {
        let before = calls.fetch_add(1, Ordering::SeqCst);
        if manners == Manners::GoesAway || (manners == Manners::GoesAwayOnce && before == 0) {
            connection.abrupt_shutdown(h2::Reason::ENHANCE_YOUR_CALM);
            let _ = connection.accept().await;
            return;
        }
        tokio::spawn(async move {
            let mut body = request.into_body();
            while let Some(Ok(piece)) = body.data().await {
                let _ = body.flow_control().release_capacity(piece.len());
            }
            let choice = json!({ "index": 0, "message": { "role": "assistant", "content": "over h2" }, "finish_reason": "stop" });
            let answer = json!({ "id": "1", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice] });
            let head = axum::http::Response::builder()
                .header("content-type", "application/json")
                .body(())
                .unwrap();
            let mut out = respond.send_response(head, false).unwrap();
            out.send_data(Bytes::from(answer.to_string()), true).unwrap();
        });
    }
}

async fn gateway(provider: &Provider, attempts: u32) -> TestGateway {
    let roots = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(roots.path(), &provider.pem).unwrap();
    let file = roots.path().to_str().unwrap().to_owned();
    let models = format!(
        "models:
  safe: {{provider: offline}}
  named: {{provider: openai, model: m, base_url: 'https://localhost:{0}/v1', max_attempts: {attempts}, fallbacks: [safe]}}
  other: {{provider: openai, model: m, base_url: 'https://127.0.0.1:{0}/v1', max_attempts: {attempts}, fallbacks: [safe]}}
",
        provider.port
    );
    TestGateway::in_environment(&[], &[("SSL_CERT_FILE", &file)], |home| {
        std::fs::write(home.join("models.yaml"), models).unwrap();
    })
    .await
}

async fn ask(gateway: &TestGateway, model: &str) -> Answer {
    let body = json!({ "model": model, "messages": [{ "role": "user", "content": "hello" }] });
    let answer = gateway
        .send(gateway.request(Method::POST, "/v1/chat/completions").json(&body))
        .await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer
}

#[tokio::test]
async fn a_certificate_for_another_host_is_no_provider() {
    let provider = provider(Manners::Good).await;
    let gateway = gateway(&provider, 2).await;
    let good = ask(&gateway, "named").await;
    assert_eq!(
        (
            &good.headers["claw-entry"],
            good.body["choices"][0]["message"]["content"].as_str()
        ),
        (&"named".parse().unwrap(), Some("over h2"))
    );
    let other = ask(&gateway, "other").await;
    assert_eq!(other.headers["claw-entry"], "safe", "{other:?}");
    assert_eq!(
        provider.calls.load(Ordering::SeqCst),
        1,
        "nothing was sent to who is not who it says"
    );
}

#[tokio::test]
async fn a_connection_that_goes_away_is_opened_again_or_left() {
    let once = provider(Manners::GoesAwayOnce).await;
    let gateway_of_once = gateway(&once, 3).await;
    let answer = ask(&gateway_of_once, "named").await;
    assert_eq!(answer.headers["claw-entry"], "named", "{answer:?}");
    assert_eq!(once.calls.load(Ordering::SeqCst), 2);
    let always = provider(Manners::GoesAway).await;
    let gateway_of_always = gateway(&always, 2).await;
    let answer = ask(&gateway_of_always, "named").await;
    assert_eq!(answer.headers["claw-entry"], "safe", "{answer:?}");
}
