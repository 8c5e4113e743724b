//! What all requests share. One for each running door.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::body;
use crate::failures::Failures;
use crate::gateway::Gateway;
use crate::metrics::Metrics;

/// What all requests share.
pub(crate) struct App {
    pub(crate) gateway: Gateway,
    /// Authorities that a `Host` may name, in lower case.
    pub(crate) hosts: Vec<String>,
    pub(crate) metrics: Metrics,
    pub(crate) failures: Failures,
    /// Room for request bodies, in units of [`body::UNIT`].
    pub(crate) bodies: Arc<Semaphore>,
    /// The shutdown has begun: nothing new is accepted.
    pub(crate) stopping: CancellationToken,
    /// The bound of the shutdown has passed: what still runs is dropped.
    pub(crate) dropped: CancellationToken,
    /// Every connection and every streaming call.
    pub(crate) tasks: TaskTracker,
}

/// The state that handlers are given.
pub(crate) type Shared = Arc<App>;

impl App {
    pub(crate) fn new(gateway: Gateway, local: SocketAddr) -> Shared {
        Arc::new(App {
            hosts: hosts(&gateway.settings.allowed_hosts, local),
            metrics: Metrics::new(&gateway.settings.version, &gateway.calls),
            failures: Failures::new(gateway.settings.auth_failures),
            bodies: Arc::new(Semaphore::new(gateway.settings.bodies_in_flight_bytes / body::UNIT)),
            stopping: CancellationToken::new(),
            dropped: CancellationToken::new(),
            tasks: TaskTracker::new(),
            gateway,
        })
    }

    /// Calls are served now.
    pub(crate) fn ready(&self) -> bool {
        !self.stopping.is_cancelled() && self.gateway.operations.ready()
    }
}

/// The names that this machine calls the listener by, and those that the operator adds.
fn hosts(configured: &[String], local: SocketAddr) -> Vec<String> {
    let port = local.port();
    let mut names = vec!["127.0.0.1".to_owned(), "localhost".to_owned(), "[::1]".to_owned()];
    if !local.ip().is_unspecified() && !local.ip().is_loopback() {
        names.push(match local {
            SocketAddr::V4(local) => local.ip().to_string(),
            SocketAddr::V6(local) => format!("[{}]", local.ip()),
        });
    }
    let mut hosts: Vec<String> = names.iter().map(|name| format!("{name}:{port}")).collect();
    if port == 80 {
        // Clients leave the scheme's own port out.
        hosts.extend(names);
    }
    hosts.extend(configured.iter().map(|host| host.to_ascii_lowercase()));
    hosts
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
    use super::*;

    #[test]
    fn a_listener_knows_its_own_names() {
        let check = |local: &str, expected: &[&str]| {
            assert_eq!(
                hosts(&["Claw.Internal:7".to_owned()], local.parse().unwrap()),
                expected,
                "{local}"
            );
        };
        check("127.0.0.1:7", &["127.0.0.1:7", "localhost:7", "[::1]:7", "claw.internal:7"]);
        check("0.0.0.0:7", &["127.0.0.1:7", "localhost:7", "[::1]:7", "claw.internal:7"]);
        check(
            "10.0.0.2:7",
            &["127.0.0.1:7", "localhost:7", "[::1]:7", "10.0.0.2:7", "claw.internal:7"],
        );
        check(
            "[fd00::2]:7",
            &["127.0.0.1:7", "localhost:7", "[::1]:7", "[fd00::2]:7", "claw.internal:7"],
        );
        assert!(hosts(&[], "127.0.0.1:80".parse().unwrap()).contains(&"localhost".to_owned()));
    }
}
