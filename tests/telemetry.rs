//! Traces as a collector gets them: one tree a call, under the caller's own span and above the
//! provider's; and collectors that take none, which no call notices.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::State;
use axum::http::HeaderMap;
use bytes::Bytes;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;
use reqwest::Method;
use serde_json::json;

use crate::support::TestGateway;
use crate::support::gateway::PATIENCE;
use crate::support::upstream::{KEY, Upstream};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const CALLER: &str = "b7ad6b7169203331";
const WORDS: &str = "the-words-of-the-call";

#[derive(Clone, Default)]
struct Collector {
    spans: Arc<Mutex<Vec<Span>>>,
    raw: Arc<Mutex<Vec<u8>>>,
    headers: Arc<Mutex<Vec<HeaderMap>>>,
}

async fn take(State(collector): State<Collector>, headers: HeaderMap, body: Bytes) {
    let request = ExportTraceServiceRequest::decode(&*body).unwrap();
    collector.raw.lock().unwrap().extend_from_slice(&body);
    collector.headers.lock().unwrap().push(headers);
    let spans = request.resource_spans.into_iter().flat_map(|resource| {
        let name = resource
            .resource
            .unwrap()
            .attributes
            .into_iter()
            .find(|it| it.key == "service.name");
        assert_eq!(format!("{:?}", name.unwrap().value).matches("claw").count(), 1);
        resource.scope_spans.into_iter().flat_map(|scope| scope.spans)
    });
    collector.spans.lock().unwrap().extend(spans);
}

impl Collector {
    async fn start() -> (Collector, String) {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let collector = Collector::default();
        let router = Router::new()
            .route("/v1/traces", axum::routing::post(take))
            .with_state(collector.clone());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        (collector, url)
    }

    async fn until(&self, count: usize) -> Vec<Span> {
        let until = Instant::now() + PATIENCE;
        loop {
            let spans = self.spans.lock().unwrap().clone();
            if spans.len() >= count {
                return spans;
            }
            assert!(Instant::now() < until, "only {spans:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn facts(span: &Span) -> BTreeMap<String, String> {
    let shown = |value: Option<Any>| match value {
        Some(Any::StringValue(text)) => text,
        Some(Any::IntValue(number)) => number.to_string(),
        Some(Any::BoolValue(flag)) => flag.to_string(),
        Some(Any::ArrayValue(list)) => format!("{:?}", list.values),
        other => format!("{other:?}"),
    };
    let attributes = span.attributes.iter();
    attributes
        .map(|it| (it.key.clone(), shown(it.value.clone().and_then(|value| value.value))))
        .collect()
}

#[tokio::test]
async fn a_call_is_one_tree_from_its_caller_to_its_provider() {
    let (collector, url) = Collector::start().await;
    let upstream = Upstream::start().await;
    let models = format!(
        "models:
  first: {{provider: openai, model: gpt-bad, base_url: '{0}/v1', api_key: wrong, max_attempts: 1, use_for: [x], fallbacks: [second]}}
  second: {{provider: gemini, model: gemini-up, base_url: '{0}', api_key: {KEY}, price: {{input_usd_per_mtok: 1, output_usd_per_mtok: 2}}}}
",
        upstream.url
    );
    let environment = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", url.as_str()),
        ("OTEL_EXPORTER_OTLP_HEADERS", "x-api-key=collector-key"),
        ("OTEL_BSP_SCHEDULE_DELAY", "50"),
    ];
    let gateway = TestGateway::in_environment(&["hostile"], &environment, |home| {
        std::fs::write(home.join("models.yaml"), models).unwrap();
        std::fs::write(home.join("policies.yaml"), "policies: []").unwrap();
    })
    .await;
    let call = json!({ "model": "x", "messages": [{ "role": "user", "content": WORDS }] });
    let request = gateway
        .request(Method::POST, "/v1/chat/completions")
        .header("traceparent", format!("00-{TRACE}-{CALLER}-01"))
        .json(&call);
    let answer = gateway.send(request).await;
    assert_eq!(answer.status, 200, "{answer:?}");

    let spans = collector.until(5).await;
    let named = |name: &str| {
        spans
            .iter()
            .find(|span| span.name == name)
            .unwrap_or_else(|| panic!("no {name} in {spans:?}"))
    };
    let root = named("POST /v1/chat/completions");
    assert_eq!(
        (hex(&root.trace_id), hex(&root.parent_span_id)),
        (TRACE.to_owned(), CALLER.to_owned())
    );
    let (failed, won) = (named("chat gpt-bad"), named("chat gemini-up"));
    for child in [named("policy"), named("route"), failed, won] {
        assert_eq!(
            (&child.parent_span_id, &child.trace_id),
            (&root.span_id, &root.trace_id),
            "{child:?}"
        );
        assert!(child.start_time_unix_nano >= root.start_time_unix_nano);
        assert!(
            child.end_time_unix_nano <= root.end_time_unix_nano + 5_000_000,
            "{child:?} {root:?}"
        );
    }
    let known = facts(root);
    assert_eq!(known["claw.caller"], "operator");
    assert_eq!(
        known["claw.invocation.id"],
        answer.headers["claw-invocation-id"].to_str().unwrap()
    );
    assert_eq!(facts(failed)["error.type"], "model.auth");
    let known = facts(won);
    for (key, value) in [
        ("gen_ai.operation.name", "chat"),
        ("gen_ai.provider.name", "gcp.gemini"),
        ("gen_ai.request.model", "gemini-up"),
        ("gen_ai.usage.input_tokens", "20"),
        ("gen_ai.usage.output_tokens", "8"),
        ("gen_ai.usage.cache_read.input_tokens", "12"),
        ("gen_ai.usage.reasoning.output_tokens", "3"),
    ] {
        assert_eq!(known[key], value, "{key} in {known:?}");
    }
    // Each attempt says to its provider which span it is.
    let told: Vec<String> = upstream
        .seen()
        .iter()
        .map(|seen| seen.headers["traceparent"].to_str().unwrap().to_owned())
        .collect();
    let expected = [failed, won].map(|span| format!("00-{TRACE}-{}-01", hex(&span.span_id)));
    assert_eq!(told, expected);

    // A skill's calls hang below it; an unsampled trace is left alone.
    let skill = gateway
        .invoke("hostile", json!({ "mode": "invoke", "text": "skill:echo" }))
        .await;
    assert!(!skill.body.is_null());
    let spans = collector.until(7).await;
    let outer = spans.iter().find(|span| span.name == "execute_tool hostile").unwrap();
    assert_eq!(facts(outer)["gen_ai.skill.name"], "hostile");
    let inner = spans.iter().find(|span| span.name == "execute_tool echo").unwrap();
    assert_eq!(inner.parent_span_id, outer.span_id);

    let headers = collector.headers.lock().unwrap().clone();
    assert!(headers.iter().all(|headers| headers["x-api-key"] == "collector-key"));
    let raw = collector.raw.lock().unwrap().clone();
    for secret in [WORDS, KEY, crate::support::gateway::CANARY, gateway.token()] {
        assert!(
            !raw.windows(secret.len()).any(|window| window == secret.as_bytes()),
            "{secret} was sent"
        );
    }
}

#[tokio::test]
async fn no_call_notices_a_collector_that_takes_nothing() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let gone = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().to_string()
    };
    let hangs = silent.local_addr().unwrap().to_string();
    for address in [gone, hangs, "not an address".to_owned()] {
        let url = format!("http://{address}");
        let environment = [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", url.as_str()),
            ("OTEL_BSP_SCHEDULE_DELAY", "10"),
        ];
        let gateway = TestGateway::in_environment(&["echo"], &environment, |_| {}).await;
        for step in 0..20 {
            let answer = gateway.invoke("echo", json!({ "step": step })).await;
            assert_eq!(answer.status, 200, "{address}: {answer:?}");
        }
        // Dropped, it is stopped, and its stop is looked at.
    }
}
