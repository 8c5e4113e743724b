//! The least that a proxy of these libraries can be: this bench as another process, axum in
//! front and reqwest behind, which reads nothing, decides nothing and writes nothing down.

use std::process::{Child, Command, Stdio};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;

/// Says that this process is to be the proxy, and of whom.
const VARIABLE: &str = "CLAW_BENCH_FLOOR_OF";

/// A proxy that runs.
pub(crate) struct Floor {
    pub(crate) child: Child,
    /// Host and port.
    pub(crate) address: String,
}

impl Floor {
    /// Starts one in front of a provider.
    pub(crate) fn start(provider: &str) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .env(VARIABLE, provider)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut address = String::new();
        let out = child.stdout.take().unwrap();
        std::io::BufRead::read_line(&mut std::io::BufReader::new(out), &mut address).unwrap();
        Floor {
            child,
            address: address.trim().to_owned(),
        }
    }
}

impl Drop for Floor {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
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
