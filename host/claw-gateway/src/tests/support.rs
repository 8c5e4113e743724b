//! The door that tests knock on, and what must hold after each of them: every audit entry
//! closed, and no token in any answer, counter or log line.

use std::io::Write;
use std::net::SocketAddr;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arc_swap::ArcSwap;
use claw_core::audit::{Level, Status};
use claw_core::budget::Ceiling;
use claw_core::errors::{Code, Fault};
use claw_core::fakes::{MemoryAudit, MemoryDrafts, MemoryIdempotency, NoCapabilities};
use claw_core::ids::InvocationId;
use claw_core::keys::KeyScope;
use claw_core::pipeline::{Completer, Doors, Invoker};
use claw_core::policy::{PoliciesFile, Policy};
use claw_core::ports::{Budgets, Caller, Reservation, Spender, Unlimited};
use reqwest::Method;
use reqwest::header::HeaderMap;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tracing::subscriber::DefaultGuard;
use tracing_subscriber::fmt::MakeWriter;

use super::fakes::{FakeContexts, FakeKeys, FakeModels, FakeProcess, FakeSkills, Signals, known_draft};
use crate::metrics::CallMetrics;
use crate::{Gateway, Settings, StaticTokens, serve};

/// In every token, so that one scan finds all of them.
pub(super) const CANARY: &str = "canary-7f3a";
pub(super) const OPERATOR: &str = "canary-7f3a-operator-0123456789abcdef";
pub(super) const SERVICE: &str = "canary-7f3a-service-00123456789abcdef";
/// Of a service whose key has made too many calls.
pub(super) const HASTY: &str = "canary-7f3a-hasty-0000123456789abcdef";
pub(super) const WRONG: &str = "canary-7f3a-wrong-0000123456789abcdef";

/// Long enough that only a test that is stuck meets it.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// A running gateway.
pub(super) struct Door {
    pub(super) address: SocketAddr,
    pub(super) audit: MemoryAudit,
    pub(super) signals: Arc<Signals>,
    pub(super) process: Arc<FakeProcess>,
    client: reqwest::Client,
    stop: Option<oneshot::Sender<()>>,
    server: Option<JoinHandle<std::io::Result<()>>>,
    log: Log,
    _subscriber: DefaultGuard,
}

/// An answer, with the body read.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) text: String,
}

impl Answer {
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The stable code of a refusal, in whichever shape it comes.
    pub(super) fn code(&self) -> Option<String> {
        let body = self.json();
        let code = body["code"].as_str().or(body["error"]["claw_code"].as_str());
        code.map(str::to_owned)
    }

    /// It is a problem of this status and code, and says so in every place.
    #[track_caller]
    pub(super) fn is_problem(&self, status: u16, code: &str) -> Value {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(self.header("content-type"), "application/problem+json", "{self:?}");
        let problem = self.json();
        assert_eq!(problem["code"], code, "{self:?}");
        assert_eq!(problem["status"], status, "{self:?}");
        assert_eq!(problem["type"], format!("urn:claw:error:{code}"), "{self:?}");
        assert!(
            !problem["title"].as_str().unwrap().is_empty() && !problem["detail"].as_str().unwrap().is_empty(),
            "{self:?}"
        );
        problem
    }
}

/// No budgets; whoever has a key has made too many calls with it.
struct SlowDown;

impl Budgets for SlowDown {
    fn admit(&self, _key: &KeyScope) -> Result<(), Fault> {
        Err(Fault::new(Code::KeyRateLimited, "too many calls"))
    }

    fn reserve(&self, spender: &Spender<'_>, ceiling: Ceiling) -> Result<Box<dyn Reservation>, Fault> {
        Unlimited.reserve(spender, ceiling)
    }
}

impl Door {
    pub(super) async fn open() -> Self {
        Door::with(Settings::default()).await
    }

    pub(super) async fn with(settings: Settings) -> Self {
        let log = Log::default();
        let logged = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::TRACE)
            .with_writer(log.clone())
            .finish();
        let subscriber = tracing::subscriber::set_default(logged);
        let signals = Arc::new(Signals::default());
        let audit = MemoryAudit::default();
        let process = Arc::new(FakeProcess {
            ready: AtomicBool::new(true),
            reload_fails: AtomicBool::new(false),
        });
        let policy = Arc::new(ArcSwap::from_pointee(Policy::try_new(&PoliciesFile::default()).unwrap()));
        let skills = Arc::new(FakeSkills::new(&signals));
        let completer = Completer {
            audit: Arc::new(audit.clone()),
            policy: policy.clone(),
            models: Arc::new(FakeModels),
            budgets: Arc::new(SlowDown),
            level: Level::Process,
        };
        let invoker = Invoker {
            audit: Arc::new(audit.clone()),
            policy,
            skills: skills.clone(),
            capabilities: Arc::new(NoCapabilities),
            idempotency: Arc::new(MemoryIdempotency::default()),
            drafts: Arc::new(MemoryDrafts::with(known_draft())),
            level: Level::Process,
        };
        let caller = |subject: &str, operator| Caller {
            subject: subject.to_owned(),
            operator,
            key: None,
        };
        let tokens = StaticTokens::new()
            .with_token(OPERATOR, caller("operator", true))
            .unwrap()
            .with_token(SERVICE, caller("service", false))
            .unwrap()
            .with_token(
                HASTY,
                Caller {
                    key: Some(Arc::new(KeyScope {
                        id: "key_hasty".to_owned(),
                        uses: Some(vec!["general".to_owned()]),
                        ..KeyScope::default()
                    })),
                    ..caller("hasty", false)
                },
            )
            .unwrap();
        let gateway = Gateway {
            doors: Doors::new(completer, invoker),
            skills,
            capabilities: Arc::new(NoCapabilities),
            identity: Arc::new(tokens),
            operations: process.clone(),
            keys: Arc::new(FakeKeys),
            calls: CallMetrics::new(),
            contexts: Arc::new(FakeContexts::default()),
            settings,
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let server = tokio::spawn(serve(listener, gateway, stopped));
        // The client wants one to be there, though nothing here is encrypted.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        Door {
            address,
            audit,
            signals,
            process,
            client,
            stop: Some(stop),
            server: Some(server),
            log,
            _subscriber: subscriber,
        }
    }

    /// A request with the service's token.
    pub(super) fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.anonymous(method, path).bearer_auth(SERVICE)
    }

    /// A request without a token.
    pub(super) fn anonymous(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.client
            .request(method, format!("http://{}{path}", self.address))
            .timeout(PATIENCE)
    }

    /// Sends a request, reads the answer, and looks for what no answer may hold.
    pub(super) async fn send(&self, request: reqwest::RequestBuilder) -> Answer {
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let answer = Answer {
            status,
            headers,
            text: response.text().await.unwrap(),
        };
        is_clean(&answer);
        answer
    }

    pub(super) async fn get(&self, path: &str) -> Answer {
        self.send(self.request(Method::GET, path)).await
    }

    pub(super) async fn invoke(&self, skill: &str, input: &Value) -> Answer {
        self.send(self.request(Method::POST, &format!("/v1/skills/{skill}/invoke")).json(input))
            .await
    }

    /// How the invocation of this answer stands in the journal.
    pub(super) fn status_of(&self, answer: &Answer) -> Option<Status> {
        let id: InvocationId = answer.header("claw-invocation-id").parse().unwrap();
        self.audit.status(id)
    }

    /// Waits until every entry is closed, and there are `count` of them.
    pub(super) async fn settled(&self, count: usize) {
        let closed = || {
            let entries = self.audit.entries();
            entries.len() == count && entries.iter().all(|(_, outcome)| outcome.is_some())
        };
        eventually(closed).await;
    }

    /// Begins the shutdown.
    pub(super) fn stop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
    }

    /// Waits until the server has ended by itself.
    pub(super) async fn ended(&mut self) {
        let server = self.server.take().expect("it was not waited for before");
        tokio::time::timeout(PATIENCE, server).await.unwrap().unwrap().unwrap();
    }

    /// Stops the server and looks at what it left behind.
    pub(super) async fn close(mut self) {
        if self.server.is_some() {
            let counters = self.get("/metrics").await;
            assert!(counters.text.contains("claw_invocations_in_flight 0\n"), "{}", counters.text);
            self.stop();
            self.ended().await;
        }
        for (intent, outcome) in self.audit.entries() {
            assert!(outcome.is_some(), "left open: {intent:?}");
            assert!(
                !format!("{intent:?}{outcome:?}").contains(CANARY),
                "a token in the journal: {intent:?} {outcome:?}"
            );
        }
        let log = self.log.text();
        assert!(!log.contains(CANARY), "a token in the log: {log}");
    }

    pub(super) fn log(&self) -> String {
        self.log.text()
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        assert!(
            self.server.is_none() || std::thread::panicking(),
            "the test did not end with `close`"
        );
    }
}

/// No token, no CORS, and the headers that every answer has.
#[track_caller]
pub(super) fn is_clean(answer: &Answer) {
    let all = format!("{:?}{}", answer.headers, answer.text);
    assert!(!all.contains(CANARY), "a token in an answer: {all}");
    assert!(
        !answer.headers.keys().any(|name| name.as_str().starts_with("access-control")),
        "{all}"
    );
    assert_eq!(answer.header("x-content-type-options"), "nosniff", "{all}");
    assert_eq!(answer.header("cache-control"), "no-store", "{all}");
    assert!(
        answer.header("content-security-policy").contains("default-src 'none'"),
        "{all}"
    );
}

/// Lets everything else run until it is so.
pub(super) async fn eventually(mut so: impl FnMut() -> bool) {
    let waited = async {
        while !so() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waited).await.expect("it never came to be so");
}

/// What was logged, in memory.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Log;

    fn make_writer(&'a self) -> Log {
        self.clone()
    }
}
