//! What the door stands on: the collaborators it is given, and its bounds. Holds no
//! socket; those are arguments of [`crate::serve`].

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use claw_core::errors::Fault;
use claw_core::pipeline::{Contexts, Doors};
use claw_core::ports::{Capabilities, Identity, Skills};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::metrics::CallMetrics;

/// Everything that the HTTP door needs.
pub struct Gateway {
    /// Where every call goes.
    pub doors: Arc<Doors>,
    /// What is live, for listings.
    pub skills: Arc<dyn Skills>,
    /// What this host can do itself, for listings.
    pub capabilities: Arc<dyn Capabilities>,
    /// What model calls can be given beside their own words.
    pub contexts: Arc<dyn Contexts>,
    /// Who may call.
    pub identity: Arc<dyn Identity>,
    /// What an operator may ask of the process behind the door.
    pub operations: Arc<dyn Operations>,
    /// The keys of services, for operators.
    pub keys: Arc<dyn Keys>,
    /// What model calls took, used and cost; the same that observes the journal.
    pub calls: CallMetrics,
    /// Bounds.
    pub settings: Settings,
}

/// The process behind the door.
#[async_trait]
pub trait Operations: Send + Sync {
    /// It can serve calls now. Asked by `/readyz`, so it must not wait.
    fn ready(&self) -> bool;

    /// Reads the configuration again and reports what changed, as one JSON object.
    ///
    /// # Errors
    /// What keeps the old one live.
    async fn reload(&self) -> Result<serde_json::Value, Fault>;
}

/// The keys of services, as an operator manages them. Answers are JSON objects: `id`, `service`,
/// `state`, what it allows, and times; with `key`, the secret itself, where one was just made.
#[async_trait]
pub trait Keys: Send + Sync {
    /// All of them, below `keys`.
    ///
    /// # Errors
    /// They cannot be read.
    async fn list(&self) -> Result<serde_json::Value, Fault>;

    /// Makes one.
    ///
    /// # Errors
    /// What is wrong with what it is to allow.
    async fn create(&self, wanted: NewKey) -> Result<serde_json::Value, Fault>;

    /// Makes a new secret for one; the others go on working for the overlap.
    ///
    /// # Errors
    /// [`claw_core::errors::Code::NotFound`], or it has ended.
    async fn rotate(&self, id: String, overlap: Duration) -> Result<serde_json::Value, Fault>;

    /// Ends one at once.
    ///
    /// # Errors
    /// [`claw_core::errors::Code::NotFound`].
    async fn revoke(&self, id: String) -> Result<serde_json::Value, Fault>;
}

/// A key that is to be made. One that names uses or skills allows these and nothing else; one
/// that names neither allows every call.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewKey {
    /// The service that holds it.
    pub service: String,
    /// Patterns of the model uses that it may name.
    pub uses: Option<Vec<String>>,
    /// Patterns of the skills and capabilities that it may invoke.
    pub skills: Option<Vec<String>>,
    /// What its calls may cost: `50usd/month`.
    pub budget: Option<String>,
    /// How many requests it may make a minute.
    pub rpm: Option<u32>,
    /// When it ends, in RFC 3339.
    pub expires_at: Option<String>,
    /// It may see all drafts, and approve or reject those that its service did not propose.
    #[serde(default)]
    pub approves: bool,
}

/// The bounds of the door.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Authorities that a `Host` may name beside the listener's own, port included where
    /// it is not the scheme's: `claw.internal:7077`.
    pub allowed_hosts: Vec<String>,
    /// Origins that may call: `https://claw.internal`. No CORS header is ever sent, so this
    /// serves pages that a proxy puts under the gateway's own origin.
    pub allowed_origins: Vec<String>,
    /// The largest request body, in bytes.
    pub body_limit_bytes: usize,
    /// The largest body of a model call, in bytes: images and documents are in it.
    pub model_body_limit_bytes: usize,
    /// The bytes of request bodies that are worked on at once; a call beyond them is turned
    /// away. Each counts as at least 4 KiB, and takes many times its size while it runs.
    pub bodies_in_flight_bytes: usize,
    /// How long a call may take where its caller does not say; `None` leaves it to the target.
    pub default_timeout: Option<Duration>,
    /// The longest time that a caller can ask for.
    pub max_timeout: Duration,
    /// How long a connection may take to send a request's head, idle time included.
    pub header_timeout: Duration,
    /// How long a request's body may take to arrive.
    pub body_timeout: Duration,
    /// How long a caller may take no byte of an answer before it is hung up on.
    pub write_timeout: Duration,
    /// How long calls may go on after the shutdown began.
    pub drain_timeout: Duration,
    /// How often a silent event stream says that it is alive.
    pub heartbeat: Duration,
    /// Connections at once; more are turned away with 503.
    pub max_connections: usize,
    /// How many wrong credentials one address may present.
    pub auth_failures: FailureLimit,
    /// The version that metrics and the API description name.
    pub version: String,
}

/// A token bucket of wrong credentials.
#[derive(Clone, Copy, Debug)]
pub struct FailureLimit {
    /// How many at once.
    pub burst: u32,
    /// How many more every second.
    pub per_second: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            allowed_hosts: Vec::new(),
            allowed_origins: Vec::new(),
            body_limit_bytes: 4 << 20,
            model_body_limit_bytes: 32 << 20,
            bodies_in_flight_bytes: 64 << 20,
            default_timeout: None,
            max_timeout: Duration::from_secs(3_600),
            header_timeout: Duration::from_secs(30),
            body_timeout: Duration::from_secs(30),
            write_timeout: Duration::from_secs(30),
            drain_timeout: Duration::from_secs(10),
            heartbeat: Duration::from_secs(15),
            max_connections: 1_024,
            auth_failures: FailureLimit {
                burst: 20,
                per_second: 1,
            },
            version: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }
}
