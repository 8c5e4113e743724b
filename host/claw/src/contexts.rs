//! Where context comes from: the entries of `context.yaml`, and the sessions of the store.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use claw_core::context::Turn;
use claw_core::errors::Fault;
use claw_core::pipeline::{ContextFrom, ContextSource, Contexts};
use claw_models::ContextProviders;
use claw_store::{SessionLimits, Sessions};
use serde_json::Value;

/// How long the store is waited for.
const TIMEOUT: Duration = Duration::from_secs(2);

/// Both together.
pub struct HomeContexts {
    /// The entries.
    pub providers: Arc<ContextProviders>,
    /// The sessions.
    pub sessions: Sessions,
}

impl HomeContexts {
    fn limits(&self) -> SessionLimits {
        let keys = self.providers.session();
        SessionLimits {
            max_turns: keys.max_turns,
            keep: Duration::from_secs(u64::from(keys.keep_days) * 24 * 60 * 60),
            ..SessionLimits::default()
        }
    }
}

#[async_trait]
impl Contexts for HomeContexts {
    fn find(&self, name: &str) -> Result<ContextSource, Fault> {
        self.providers.find(name)
    }

    async fn fetch(&self, name: &str, vars: &BTreeMap<String, Value>) -> Result<String, Fault> {
        self.providers.fetch(name, vars).await
    }

    fn session(&self) -> ContextSource {
        let keys = self.providers.session();
        ContextSource {
            from: ContextFrom::Fetched,
            priority: keys.priority,
            max_tokens: keys.max_tokens,
            timeout: TIMEOUT,
            required: true,
        }
    }

    async fn turns(&self, caller: &str, session: &str) -> Result<Vec<Turn>, Fault> {
        self.sessions.turns(caller, session, self.limits()).await
    }

    async fn remember(&self, caller: &str, session: &str, turns: Vec<Turn>) -> Result<(), Fault> {
        self.sessions.remember(caller, session, turns, self.limits()).await
    }
}
