//! What is counted, for Prometheus. Every label has a bounded set of values: skills are
//! named only while they are live, routes by their template, outcomes by their code.

use std::sync::atomic::AtomicI64;
use std::time::Duration;

use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

mod calls;

pub use calls::CallMetrics;

/// The media type of [`Metrics::encode`].
pub(crate) const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// In seconds: from a pure skill in this process to a long model call.
const BUCKETS: [f64; 16] = [
    0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.1, 0.25, 1.0, 2.5, 10.0, 60.0, 300.0,
];

/// The counters of one door.
pub(crate) struct Metrics {
    registry: Registry,
    invocations: Family<Invoked, Counter>,
    latency: Family<Target, Histogram, fn() -> Histogram>,
    in_flight: Gauge<i64, AtomicI64>,
    requests: Family<Requested, Counter>,
    auth_failures: Counter,
    connections: Gauge<i64, AtomicI64>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Invoked {
    skill: String,
    code: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Target {
    skill: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Requested {
    route: &'static str,
    method: &'static str,
    status: u16,
}

impl Metrics {
    pub(crate) fn new(version: &str, calls: &CallMetrics) -> Self {
        let mut registry = Registry::with_prefix("claw");
        calls.register(&mut registry);
        let metrics = Metrics {
            invocations: Family::default(),
            latency: Family::new_with_constructor(|| Histogram::new(BUCKETS)),
            in_flight: Gauge::default(),
            requests: Family::default(),
            auth_failures: Counter::default(),
            connections: Gauge::default(),
            registry: Registry::default(),
        };
        registry.register(
            "build",
            "The version that runs",
            Info::new(vec![("version".to_owned(), version.to_owned())]),
        );
        registry.register(
            "invocations",
            "Invocations by skill and outcome code",
            metrics.invocations.clone(),
        );
        let help = "Time from a call's arrival to its answer";
        registry.register_with_unit("invocation_latency", help, Unit::Seconds, metrics.latency.clone());
        registry.register(
            "invocations_in_flight",
            "Invocations that are running",
            metrics.in_flight.clone(),
        );
        registry.register(
            "http_requests",
            "HTTP requests by route, method and status",
            metrics.requests.clone(),
        );
        registry.register("http_auth_failures", "Wrong credentials", metrics.auth_failures.clone());
        registry.register("http_connections", "Open connections", metrics.connections.clone());
        Metrics { registry, ..metrics }
    }

    /// An HTTP request was answered.
    pub(crate) fn request(&self, route: &'static str, method: &'static str, status: u16) {
        self.requests.get_or_create(&Requested { route, method, status }).inc();
    }

    /// A wrong credential was presented.
    pub(crate) fn auth_failure(&self) {
        self.auth_failures.inc();
    }

    /// An invocation ended.
    pub(crate) fn invocation(&self, skill: &str, code: &'static str, took: Duration) {
        self.invocations
            .get_or_create(&Invoked {
                skill: skill.to_owned(),
                code,
            })
            .inc();
        self.latency
            .get_or_create(&Target { skill: skill.to_owned() })
            .observe(took.as_secs_f64());
    }

    /// Counts as running until it is dropped.
    pub(crate) fn running(&self) -> Held {
        Held::of(&self.in_flight)
    }

    /// Counts as open until it is dropped.
    pub(crate) fn connected(&self) -> Held {
        Held::of(&self.connections)
    }

    /// All of it, as OpenMetrics text.
    pub(crate) fn encode(&self) -> String {
        let mut text = String::new();
        // Writing into a string cannot fail.
        let _ = text::encode(&mut text, &self.registry);
        text
    }
}

/// One of what a gauge counts.
pub(crate) struct Held(Gauge<i64, AtomicI64>);

impl Held {
    fn of(gauge: &Gauge<i64, AtomicI64>) -> Self {
        gauge.inc();
        Held(gauge.clone())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.dec();
    }
}
