//! A provider on a local port that does what a test tells it, and tells what it saw.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may stop at the first surprise")]

use std::collections::VecDeque;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::response::{IntoResponse, Response};
use claw_core::errors::Fault;
use claw_core::model::{Completion, CompletionRequest, Message, ModelEvent, ModelStream, Role};
use claw_core::policy::{Permit, PoliciesFile, Policy, Question};
use claw_core::ports::{ModelCall, Models as _};
use futures::StreamExt as _;
use http::{HeaderMap, StatusCode};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::{ModelsFile, ProviderModels};

/// The key of every test. No error, event or listing may hold it.
pub(crate) const CANARY: &str = "sk-canary-7Zq0XwB2mT";

/// One answer of the provider.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    status: u16,
    headers: Vec<(String, String)>,
    pieces: Vec<Piece>,
    silent: bool,
}

#[derive(Clone, Debug)]
enum Piece {
    Bytes(Bytes),
    /// The connection is torn.
    Break,
    /// Nothing more comes, and nothing ends.
    Hang,
}

impl Reply {
    pub(crate) fn new(status: u16, body: impl Into<Bytes>) -> Self {
        Reply {
            status,
            headers: Vec::new(),
            pieces: vec![Piece::Bytes(body.into())],
            silent: false,
        }
    }

    pub(crate) fn json(status: u16, body: &Value) -> Self {
        Reply::new(status, body.to_string()).header("content-type", "application/json")
    }

    pub(crate) fn sse(body: impl Into<Bytes>) -> Self {
        Reply::new(200, body).header("content-type", "text/event-stream")
    }

    pub(crate) fn lines(body: impl Into<Bytes>) -> Self {
        Reply::new(200, body).header("content-type", "application/x-ndjson")
    }

    /// Takes the request and never answers it.
    pub(crate) fn silent() -> Self {
        Reply {
            silent: true,
            ..Reply::new(200, "")
        }
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// One byte at a time.
    pub(crate) fn bytewise(mut self) -> Self {
        let all: Vec<u8> = self
            .pieces
            .iter()
            .filter_map(|p| if let Piece::Bytes(b) = p { Some(b.to_vec()) } else { None })
            .flatten()
            .collect();
        self.pieces = all
            .into_iter()
            .map(|byte| Piece::Bytes(Bytes::copy_from_slice(&[byte])))
            .collect();
        self
    }

    pub(crate) fn then_break(mut self) -> Self {
        self.pieces.push(Piece::Break);
        self
    }

    pub(crate) fn then_hang(mut self) -> Self {
        self.pieces.push(Piece::Hang);
        self
    }
}

/// A request as the provider got it.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
    /// The same, byte by byte.
    pub(crate) raw: String,
    /// The client's end of the connection.
    pub(crate) peer: SocketAddr,
}

#[derive(Clone)]
struct Script {
    replies: Arc<Mutex<VecDeque<Reply>>>,
    seen: Arc<Mutex<Vec<Seen>>>,
    hung_up: watch::Sender<usize>,
}

/// A provider that answers from a script.
pub(crate) struct Upstream {
    pub(crate) url: String,
    script: Script,
    task: JoinHandle<()>,
}

impl Upstream {
    pub(crate) async fn start(replies: impl IntoIterator<Item = Reply>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let replies = Arc::new(Mutex::new(replies.into_iter().collect()));
        let script = Script {
            replies,
            seen: Arc::default(),
            hung_up: watch::Sender::new(0),
        };
        let app = Router::new()
            .fallback(answer)
            .with_state(script.clone())
            .into_make_service_with_connect_info::<SocketAddr>();
        let task = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Upstream { url, script, task }
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.script.seen.lock().unwrap().clone()
    }

    /// The only request.
    pub(crate) fn only(&self) -> Seen {
        let seen = self.seen();
        assert_eq!(seen.len(), 1, "{seen:?}");
        seen.into_iter().next().unwrap()
    }

    /// Waits until the client has closed the connection of an unfinished answer.
    pub(crate) async fn hung_up(&self) {
        let mut hung_up = self.script.hung_up.subscribe();
        let waited = tokio::time::timeout(Duration::from_secs(20), hung_up.wait_for(|count| *count > 0)).await;
        assert!(waited.is_ok(), "the client never hung up");
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Counts an answer that was dropped before its end.
struct Unfinished(Option<watch::Sender<usize>>);

impl Drop for Unfinished {
    fn drop(&mut self) {
        if let Some(hung_up) = self.0.take() {
            hung_up.send_modify(|count| *count += 1);
        }
    }
}

async fn answer(State(script): State<Script>, ConnectInfo(peer): ConnectInfo<SocketAddr>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
    script.seen.lock().unwrap().push(Seen {
        path: parts.uri.to_string(),
        headers: parts.headers,
        body,
        raw: String::from_utf8_lossy(&bytes).into_owned(),
        peer,
    });
    let Some(reply) = script.replies.lock().unwrap().pop_front() else {
        return (StatusCode::IM_A_TEAPOT, "the script has no more answers").into_response();
    };
    let unfinished = Unfinished(Some(script.hung_up.clone()));
    if reply.silent {
        futures::future::pending::<Infallible>().await;
    }
    let pieces = futures::stream::unfold(
        (reply.pieces.into_iter(), unfinished),
        |(mut pieces, mut unfinished)| async move {
            let piece = match pieces.next() {
                Some(Piece::Bytes(bytes)) => Ok(bytes),
                Some(Piece::Break) => Err(std::io::Error::other("torn by the test")),
                Some(Piece::Hang) => match futures::future::pending::<Infallible>().await {},
                None => {
                    drop(unfinished.0.take());
                    return None;
                }
            };
            // So that each piece leaves on its own.
            tokio::task::yield_now().await;
            Some((piece, (pieces, unfinished)))
        },
    );
    let mut response = Response::builder().status(reply.status);
    for (name, value) in reply.headers {
        response = response.header(name, value);
    }
    response.body(Body::from_stream(pieces)).unwrap()
}

/// An address where nobody listens.
pub(crate) async fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

/// One entry `general` of this provider, at this address, with the canary as its key and
/// these lines more.
pub(crate) fn models(provider: &str, url: &str, more: &str) -> ProviderModels {
    let yaml = format!(
        "models:\n  general:\n    provider: {provider}\n    model: test-model\n    base_url: {url}\n    api_key: ${{KEY}}\n    \
         use_for: [summarization]\n{}",
        more.lines().map(|line| format!("    {line}\n")).collect::<String>()
    );
    let file = ModelsFile::from_yaml(&yaml).unwrap();
    let env = |name: &str| (name == "KEY").then(|| CANARY.to_owned());
    ProviderModels::new(&file, &env).unwrap().with_random(Arc::new(|| 0.0))
}

pub(crate) fn permit() -> Permit {
    let policy = Policy::try_new(&PoliciesFile::default()).unwrap();
    policy.permit(&Question::new("test", "llm.inference")).unwrap()
}

pub(crate) fn soon() -> Instant {
    Instant::now() + Duration::from_secs(30)
}

pub(crate) fn ask(text: &str) -> CompletionRequest {
    CompletionRequest {
        messages: vec![Message::text(Role::User, text)],
        ..CompletionRequest::default()
    }
}

/// Completes through the port; whatever comes back must not hold the key.
pub(crate) async fn complete(models: &ProviderModels, request: CompletionRequest) -> Result<Completion, Fault> {
    complete_until(models, request, soon()).await
}

pub(crate) async fn complete_until(
    models: &ProviderModels,
    request: CompletionRequest,
    deadline: Instant,
) -> Result<Completion, Fault> {
    let route = models.planned("summarization")?;
    let result = models
        .complete(
            &permit(),
            &route,
            ModelCall {
                request,
                deadline,
                meter: Arc::default(),
            },
        )
        .await;
    no_canary(&format!("{result:?} {models:?}"));
    result
}

pub(crate) async fn open(models: &ProviderModels, request: CompletionRequest) -> Result<ModelStream, Fault> {
    let route = models.planned("summarization")?;
    let result = models
        .stream(
            &permit(),
            &route,
            ModelCall {
                request,
                deadline: soon(),
                meter: Arc::default(),
            },
        )
        .await;
    if let Err(fault) = &result {
        no_canary(&format!("{fault:?} {fault}"));
    }
    result
}

/// All events of a stream, and the fault that ended it, if one did.
pub(crate) async fn events(mut stream: ModelStream) -> (Vec<ModelEvent>, Option<Fault>) {
    let mut events = Vec::new();
    while let Some(item) = stream.next().await {
        match item {
            Ok(event) => events.push(event),
            Err(fault) => {
                no_canary(&format!("{fault:?} {fault}"));
                assert!(stream.next().await.is_none(), "a stream goes on after its error");
                return (events, Some(fault));
            }
        }
    }
    (events, None)
}

/// Streams through the port to the end.
pub(crate) async fn stream(models: &ProviderModels, request: CompletionRequest) -> Result<(Vec<ModelEvent>, Completion), Fault> {
    let (mut events, fault) = events(open(models, request).await?).await;
    match (fault, events.pop()) {
        (Some(fault), _) => Err(fault),
        (None, Some(ModelEvent::Done(done))) => Ok((events, *done)),
        (None, last) => panic!("the stream ends with {last:?}"),
    }
}

pub(crate) fn no_canary(text: &str) {
    assert!(!text.contains(CANARY), "the key leaks: {text}");
}
