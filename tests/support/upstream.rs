//! Providers that the gateway is put in front of: OpenAI's, Anthropic's and Ollama's APIs on one
//! local port, with the shapes of the real ones. What is answered is decided by the words of the
//! last message, so that a test says what it wants; what came is remembered.

mod anthropic;
mod gemini;
mod ollama;
mod openai;

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};

/// The key that the providers know.
pub(crate) const KEY: &str = "sk-upstream-4c1f7a90d2";

/// What came.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) raw: Bytes,
    pub(crate) body: Value,
}

/// The providers.
#[derive(Clone)]
pub(crate) struct Upstream {
    pub(crate) url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
    /// Streams that were dropped before their end.
    hung_up: Arc<Mutex<usize>>,
}

impl Upstream {
    pub(crate) async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let upstream = Upstream {
            url: format!("http://{}", listener.local_addr().unwrap()),
            seen: Arc::default(),
            hung_up: Arc::default(),
        };
        let router = Router::new().fallback(answer).with_state(upstream.clone());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        upstream
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    pub(crate) fn hung_up(&self) -> usize {
        *self.hung_up.lock().unwrap()
    }

    /// `models.yaml` with an entry for each provider, called after its own SDK.
    pub(crate) fn models(&self) -> String {
        let url = &self.url;
        format!(
            "models:\n  gpt-test: {{provider: openai, model: gpt-up, base_url: '{url}/v1', api_key: {KEY}, max_attempts: 1, price: \
             {{input_usd_per_mtok: 1, output_usd_per_mtok: 2, cached_input_usd_per_mtok: 0.5}}}}\n  claude-test: {{provider: anthropic, \
             model: claude-up, base_url: '{url}', api_key: {KEY}, max_attempts: 1, price: {{input_usd_per_mtok: 3, output_usd_per_mtok: \
             15}}}}\n  ollama-test: {{provider: ollama, model: llama-up, base_url: '{url}', max_attempts: 1}}\n  gemini-test: {{provider: gemini, \
             model: gemini-up, base_url: '{url}', api_key: {KEY}, max_attempts: 1}}\n"
        )
    }
}

/// Counts an answer that was dropped before its end.
struct Unfinished(Option<Arc<Mutex<usize>>>);

impl Drop for Unfinished {
    fn drop(&mut self) {
        if let Some(count) = self.0.take() {
            *count.lock().unwrap() += 1;
        }
    }
}

async fn answer(State(upstream): State<Upstream>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let raw = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    let body: Value = serde_json::from_slice(&raw).unwrap_or_default();
    let path = parts.uri.path().to_owned();
    upstream.seen.lock().unwrap().push(Seen {
        path: path.clone(),
        headers: parts.headers.clone(),
        raw,
        body: body.clone(),
    });
    let asked = gemini::asked(&body).unwrap_or_else(|| asked(&body));
    let anthropic = path.starts_with("/v1/messages");
    let key = if let Some(key) = parts.headers.get("x-goog-api-key") {
        Some(key.as_bytes().to_vec())
    } else if anthropic {
        parts.headers.get("x-api-key").map(|key| key.as_bytes().to_vec())
    } else {
        let bearer = parts.headers.get("authorization").map(|key| key.as_bytes().to_vec());
        bearer.and_then(|key| key.strip_prefix(b"Bearer ").map(<[u8]>::to_vec))
    };
    if !path.starts_with("/api/") && key.as_deref() != Some(KEY.as_bytes()) {
        return failure(anthropic, 401, "authentication_error", "incorrect API key");
    }
    let fault = asked.split_whitespace().find_map(|word| word.strip_prefix("fault:"));
    let broken = fault.and_then(Broken::named);
    if let Some(fault) = fault.filter(|_| broken.is_none()) {
        return fault_of(fault, anthropic, &upstream).await;
    }
    let answer = match path.as_str() {
        "/v1/chat/completions" => openai::chat(&body, &asked),
        "/v1/responses" => openai::responses(&body, &asked),
        "/v1/embeddings" => openai::embeddings(&body),
        "/v1/messages" => anthropic::messages(&body, &asked),
        "/v1/messages/count_tokens" => json!({ "input_tokens": 42 }).to_string().into(),
        "/api/chat" => ollama::chat(&body, &asked),
        "/api/embed" => ollama::embed(&body),
        path if path.ends_with("enerateContent") => gemini::generate(path, &body, &asked),
        path if path.ends_with(":batchEmbedContents") => gemini::embed(&body),
        _ => return failure(anthropic, 404, "not_found_error", "no such path"),
    };
    match broken {
        Some(broken) => broken.response(answer),
        None => answer.response(&upstream, asked.contains("endless")),
    }
}

/// How an answer breaks off after it began.
#[derive(Clone, Copy)]
enum Broken {
    /// The connection is torn.
    Reset,
    /// Nothing more comes.
    Stall,
    /// The connection ends in good order, and the answer does not.
    End,
    /// The provider says that it failed.
    Error,
    /// Every event comes twice.
    Twice,
    /// A byte at a time.
    Dribble,
    /// A byte at a time, and a tenth of a second between two.
    Trickle,
}

impl Broken {
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "mid-reset" => Broken::Reset,
            "mid-stall" => Broken::Stall,
            "mid-end" => Broken::End,
            "mid-error" => Broken::Error,
            "twice" => Broken::Twice,
            "dribble" => Broken::Dribble,
            "trickle" => Broken::Trickle,
            _ => return None,
        })
    }

    fn response(self, answer: Answer) -> Response {
        let (kind, all) = match answer {
            Answer::Whole(text) => ("application/json", vec![text]),
            Answer::Stream { kind, pieces } => (kind, pieces),
        };
        let half: Vec<String> = match all.as_slice() {
            [whole] => vec![whole.split_at(whole.len() / 2).0.to_owned()],
            pieces => pieces.iter().take(pieces.len() / 2 + 1).cloned().collect(),
        };
        let error = match kind {
            "application/x-ndjson" => "{\"error\":\"it failed\"}\n".to_owned(),
            _ => "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"api_error\",\"message\":\"it failed\"}}\n\n"
                .to_owned(),
        };
        let pieces: Vec<String> = match self {
            Broken::Reset | Broken::Stall | Broken::End => half,
            Broken::Error => half.into_iter().chain([error]).collect(),
            Broken::Twice => all.iter().flat_map(|piece| [piece.clone(), piece.clone()]).collect(),
            Broken::Dribble | Broken::Trickle => all.concat().chars().map(String::from).collect(),
        };
        let stream = futures::stream::unfold(pieces.into_iter(), move |mut pieces| async move {
            match (pieces.next(), self) {
                (Some(piece), how) => {
                    match how {
                        Broken::Trickle => tokio::time::sleep(std::time::Duration::from_millis(100)).await,
                        _ => tokio::task::yield_now().await,
                    }
                    Some((Ok(piece), pieces))
                }
                (None, Broken::Reset) => Some((Err(std::io::Error::other("torn by the test")), pieces)),
                (None, Broken::Stall) => std::future::pending().await,
                (None, _) => None,
            }
        });
        ([("content-type", kind)], Body::from_stream(stream)).into_response()
    }
}

/// What is answered.
pub(super) enum Answer {
    Whole(String),
    Stream { kind: &'static str, pieces: Vec<String> },
}

impl From<String> for Answer {
    fn from(text: String) -> Self {
        Answer::Whole(text)
    }
}

impl Answer {
    /// An endless stream begins, and then says nothing any more.
    fn response(self, upstream: &Upstream, endless: bool) -> Response {
        let (kind, body) = match self {
            Answer::Whole(text) => ("application/json", Body::from(text)),
            Answer::Stream { kind, mut pieces } => {
                if endless {
                    pieces.truncate(3);
                }
                let unfinished = Unfinished(Some(upstream.hung_up.clone()));
                let stream = futures::stream::unfold(
                    (pieces.into_iter(), unfinished),
                    move |(mut pieces, mut unfinished)| async move {
                        match pieces.next() {
                            Some(piece) => {
                                tokio::task::yield_now().await;
                                Some((Ok::<_, std::io::Error>(piece), (pieces, unfinished)))
                            }
                            None if endless => std::future::pending().await,
                            None => {
                                drop(unfinished.0.take());
                                None
                            }
                        }
                    },
                );
                (kind, Body::from_stream(stream))
            }
        };
        let headers = [
            ("content-type", kind),
            ("x-request-id", "req_up_1"),
            ("request-id", "req_up_1"),
            ("x-ratelimit-remaining-requests", "59"),
            ("anthropic-ratelimit-requests-remaining", "58"),
        ];
        (headers, body).into_response()
    }
}

/// The words of the last message.
fn asked(body: &Value) -> String {
    let last = |list: &Value| {
        list.as_array()
            .and_then(|list| list.last())
            .map(|last| last["content"].clone())
    };
    let content = last(&body["messages"])
        .or_else(|| last(&body["input"]))
        .unwrap_or_else(|| body["input"].clone());
    match content {
        Value::String(text) => text,
        Value::Array(parts) => parts
            .iter()
            .filter_map(|part| part["text"].as_str())
            .collect::<Vec<_>>()
            .join(" "),
        _ => String::new(),
    }
}

fn failure(anthropic: bool, status: u16, kind: &str, message: &str) -> Response {
    let body = if anthropic {
        json!({ "type": "error", "error": { "type": kind, "message": message }, "request_id": "req_up_2" })
    } else {
        json!({ "error": { "message": message, "type": kind, "param": "messages", "code": kind } })
    };
    (StatusCode::from_u16(status).unwrap(), axum::Json(body)).into_response()
}

/// A fault by its name: a status, or what the name says.
async fn fault_of(fault: &str, anthropic: bool, upstream: &Upstream) -> Response {
    let stream = |pieces: Vec<String>| Answer::Stream {
        kind: "text/event-stream",
        pieces,
    };
    match fault {
        "429-after" => {
            let mut response = failure(anthropic, 429, "rate_limit_error", "slow down");
            response.headers_mut().insert("retry-after", "7".parse().unwrap());
            response
        }
        "html" => ([("content-type", "text/html")], "<html>").into_response(),
        "empty" => ([("content-type", "application/json")], "").into_response(),
        "truncated" => ([("content-type", "application/json")], "{\"choices\":[{\"mess").into_response(),
        "gzip" => ([("content-type", "application/json"), ("content-encoding", "gzip")], "\u{1f}").into_response(),
        "redirect" => (StatusCode::FOUND, [("location", "http://169.254.169.254/latest")]).into_response(),
        "stall" => std::future::pending().await,
        "malformed" => stream(vec!["data: {nonsense\n\n".into()]).response(upstream, false),
        "cut" => stream(vec!["data: ".into()]).response(upstream, false),
        "giant" => {
            let body = futures::stream::repeat_with(|| Ok::<_, std::io::Error>("x".repeat(1 << 20)));
            ([("content-type", "application/json")], Body::from_stream(body)).into_response()
        }
        status => {
            let status: u16 = status.parse().unwrap();
            let kind = match status {
                400 | 404 | 413 | 422 => "invalid_request_error",
                401 => "authentication_error",
                403 => "permission_error",
                429 => "rate_limit_error",
                529 => "overloaded_error",
                _ => "api_error",
            };
            failure(anthropic, status, kind, "the upstream says so")
        }
    }
}
