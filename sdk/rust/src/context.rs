//! Where and for whom this invocation runs. Holds no credential.

use std::time::Duration;

use crate::host;

/// What is known about the invocation. The functions of this module say the same, for code
/// that is not handed one.
#[derive(Clone, Debug, Default)]
pub struct Context {
    pub(crate) idempotency_key: Option<String>,
}

impl Context {
    /// This invocation's id, as it stands in the audit journal.
    pub fn invocation_id(&self) -> String {
        invocation_id()
    }

    /// Who called.
    pub fn caller(&self) -> Caller {
        caller()
    }

    /// Wall-clock time left, host calls included.
    pub fn remaining(&self) -> Duration {
        remaining()
    }

    /// The caller has hung up: work done from here on reaches nobody.
    pub fn is_cancelled(&self) -> bool {
        is_cancelled()
    }

    /// A configuration value; see [`config`].
    pub fn config(&self, key: &str) -> Option<String> {
        config(key)
    }

    /// Set where the caller wants two calls with the same key to count as one.
    pub fn idempotency_key(&self) -> Option<&str> {
        self.idempotency_key.as_deref()
    }
}

/// Who called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// A service, a user, a node, as the gateway identified them.
    pub subject: String,
    /// The W3C `traceparent` of this invocation.
    pub traceparent: String,
}

/// This invocation's id, as it stands in the audit journal.
pub fn invocation_id() -> String {
    host::invocation_id()
}

/// Who called.
pub fn caller() -> Caller {
    host::caller()
}

/// Wall-clock time left, host calls included. At zero the host ends the invocation.
pub fn remaining() -> Duration {
    host::remaining()
}

/// The caller has hung up: work done from here on reaches nobody.
pub fn is_cancelled() -> bool {
    host::is_cancelled()
}

/// The value of a key that SKILL.md declares under `metadata.claw.config`; `None` for one
/// that it does not declare or that has no value.
pub fn config(key: &str) -> Option<String> {
    host::config(key)
}
