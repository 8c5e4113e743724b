//! The way to the collector: this program's own HTTP client, on its own runtime. Follows no
//! redirect, and says once that a collector is away, not for every batch.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use opentelemetry_http::{HttpClient, HttpError, Request, Response};
use tokio::runtime::Handle;

/// How long a batch may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// The most of an answer that is read, in bytes.
const MOST: usize = 64 << 10;

/// A client for the exporter, whose own thread has no runtime.
#[derive(Debug)]
pub(super) struct Sender {
    http: reqwest::Client,
    runtime: Handle,
    is_away: AtomicBool,
}

impl Sender {
    pub(super) fn new() -> Result<Self, reqwest::Error> {
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(PATIENCE)
            .build()?;
        Ok(Sender {
            http,
            runtime: Handle::current(),
            is_away: AtomicBool::new(false),
        })
    }

    fn say(&self, failed: Option<&str>) {
        let was_away = self.is_away.swap(failed.is_some(), Ordering::Relaxed);
        match failed {
            Some(why) if !was_away => tracing::warn!(why, "the collector of traces takes none; calls go on without"),
            None if was_away => tracing::info!("the collector of traces takes them again"),
            _ => {}
        }
    }
}

async fn send(http: reqwest::Client, request: Request<Bytes>) -> Result<Response<Bytes>, reqwest::Error> {
    let (parts, body) = request.into_parts();
    let mut answer = http
        .request(parts.method, parts.uri.to_string())
        .headers(parts.headers)
        .body(body)
        .send()
        .await?;
    let mut read = Vec::new();
    while let Some(piece) = answer.chunk().await? {
        let room = MOST.saturating_sub(read.len());
        read.extend_from_slice(piece.get(..room).unwrap_or(&piece));
        if room <= piece.len() {
            break;
        }
    }
    let mut response = Response::new(Bytes::from(read));
    *response.status_mut() = answer.status();
    *response.headers_mut() = answer.headers().clone();
    Ok(response)
}

#[async_trait]
impl HttpClient for Sender {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let answer = self.runtime.spawn(send(self.http.clone(), request)).await?;
        match &answer {
            Ok(response) if response.status().is_success() => self.say(None),
            Ok(response) => self.say(Some(response.status().as_str())),
            Err(error) => self.say(Some(if error.is_timeout() {
                "it does not answer"
            } else {
                "it cannot be reached"
            })),
        }
        Ok(answer?)
    }
}
