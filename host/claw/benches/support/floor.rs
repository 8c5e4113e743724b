//! The least that a proxy of these libraries can be: this bench as another process, axum in
//! front and reqwest behind, which reads nothing, decides nothing and writes nothing down.

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;

use crate::child::Child;

/// Says that this process is to be the proxy, and of whom.
const VARIABLE: &str = "CLAW_BENCH_FLOOR_OF";

/// Starts one in front of a provider.
pub(crate) fn start(provider: &str) -> Child {
    Child::start(VARIABLE, provider)
}

/// Where this process is to be the proxy, it is, and does not return.
pub(crate) fn be_one_if_asked() {
    let Ok(provider) = std::env::var(VARIABLE) else { return };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    rustls::crypto::ring::default_provider().install_default().unwrap();
    runtime.block_on(async {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        println!("{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(pass_on).with_state((client, provider));
        axum::serve(listener, router).await.unwrap();
    });
}

async fn pass_on(State((client, provider)): State<(reqwest::Client, String)>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    let answer = client
        .post(format!("http://{provider}{}", head.uri.path()))
        .headers(head.headers)
        .body(body)
        .send()
        .await
        .unwrap();
    let mut response = Response::builder().status(answer.status());
    if let Some(headers) = response.headers_mut() {
        headers.clone_from(answer.headers());
        headers.remove("transfer-encoding");
    }
    response.body(Body::from_stream(answer.bytes_stream())).unwrap()
}
