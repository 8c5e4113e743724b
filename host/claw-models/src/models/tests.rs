#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may stop at the first surprise"
)]

use claw_core::ports::EmbedCall;
use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::testing::{Reply, Upstream, ask, permit, soon};

fn offline(yaml: &str) -> ProviderModels {
    ProviderModels::new(&ModelsFile::from_yaml(yaml).unwrap(), &|_| None).unwrap()
}

const TWO: &str = "models:\n  a: {provider: offline, use_for: [x, y]}\n  b: {provider: ollama, model: llama4:8b, use_for: [z]}\n";

#[test]
fn names_lead_to_their_entry() {
    let models = offline(TWO);
    for (name, entry, model) in [
        ("a", "a", "offline"),
        ("x", "a", "offline"),
        ("z", "b", "llama4:8b"),
        ("llama4:8b", "b", "llama4:8b"),
    ] {
        let route = models.routed(name).unwrap();
        assert_eq!(
            (route.entry.as_str(), route.model.as_str(), route.local),
            (entry, model, true),
            "{name}"
        );
    }
}

#[test]
fn names_that_lead_nowhere_are_answered_with_those_that_do() {
    let fault = offline(TWO).planned("sumarization").unwrap_err();
    assert_eq!(fault.code, Code::ModelNotConfigured);
    assert_eq!(
        fault.message,
        "no entry of models.yaml serves `sumarization`; it serves `a`, `b`, `x`, `y`, `z`"
    );
    assert_eq!(
        fault.hint.unwrap(),
        "add `sumarization` to `use_for` of an entry in models.yaml"
    );
    assert!(
        offline("models: {}")
            .planned("x")
            .unwrap_err()
            .message
            .ends_with("it has no entry")
    );
    let hostile = format!("\u{1b}[2J{}", "x".repeat(100_000));
    let fault = offline(TWO).planned(&hostile).unwrap_err();
    assert!(
        fault.message.len() < 400 && !fault.message.contains('\u{1b}'),
        "{}",
        fault.message
    );
}

#[test]
fn two_entries_of_one_model_leave_its_name_to_the_first() {
    let models = offline("models:\n  b: {provider: ollama, model: m}\n  a: {provider: ollama, model: m}\n");
    assert_eq!(models.routed("m").unwrap().entry, "b");
}

#[tokio::test]
async fn a_new_file_is_in_force_at_once_and_a_bad_one_changes_nothing() {
    let models = offline(TWO);
    let bad = ModelsFile::from_yaml("models: {c: {provider: openai}}").unwrap();
    assert!(models.replace(&bad, &|_| None).is_err());
    assert_eq!(models.routed("x").unwrap().entry, "a");
    let good = ModelsFile::from_yaml("models: {c: {provider: offline, use_for: [x]}}").unwrap();
    models.replace(&good, &|_| None).unwrap();
    assert_eq!(models.routed("x").unwrap().entry, "c");
    assert_eq!(models.describe().len(), 1);
}

#[tokio::test]
async fn a_call_allowed_for_a_local_model_reaches_no_other() {
    let upstream = Upstream::start([]).await;
    let file = |local: bool| {
        let yaml = format!(
            "models: {{a: {{provider: ollama, model: m, base_url: '{}', local: {local}}}}}",
            upstream.url
        );
        ModelsFile::from_yaml(&yaml).unwrap()
    };
    let models = ProviderModels::new(&file(true), &|_| None).unwrap();
    let route = models.planned("a").unwrap();
    models.replace(&file(false), &|_| None).unwrap();
    let call = ModelCall {
        request: ask("hi"),
        deadline: soon(),
        meter: Arc::default(),
    };
    let fault = models.complete(&permit(), &route, call).await.unwrap_err();
    assert_eq!(fault.code, Code::ModelUnavailable);
    assert!(upstream.seen().is_empty());
}

#[tokio::test]
async fn a_call_under_way_ends_with_the_entry_it_began_with() {
    let body = serde_json::json!({ "model": "m", "message": { "content": "late" }, "done": true });
    let upstream = Upstream::start([Reply::json(503, &body), Reply::json(200, &body)]).await;
    let yaml = format!("models: {{a: {{provider: ollama, model: m, base_url: '{}'}}}}", upstream.url);
    // The file is replaced between the first attempt and the second.
    let models = Arc::new(ProviderModels::new(&ModelsFile::from_yaml(&yaml).unwrap(), &|_| None).unwrap());
    let other = models.clone();
    let swap = Arc::new(move || {
        other
            .replace(&ModelsFile::from_yaml("models: {b: {provider: offline}}").unwrap(), &|_| None)
            .unwrap();
        0.0
    });
    let route = models.routed("a").unwrap();
    let live = models.entry(&route).unwrap();
    let bounds = Bounds {
        deadline: soon(),
        random: swap,
        meter: Arc::default(),
        patience: Duration::from_secs(60),
    };
    let done = exchange::complete(&live, ask("hi"), &bounds).await.unwrap();
    assert_eq!((done.message.joined_text().as_str(), done.attempts), ("late", 2));
    assert_eq!(models.describe()[0].entry, "b");
}

#[tokio::test]
async fn too_many_texts_are_refused() {
    let models = offline(TWO);
    let route = models.planned("a").unwrap();
    let deadline = Instant::now() + Duration::from_secs(30);
    let fault = models
        .embed(
            &permit(),
            &route,
            EmbedCall {
                texts: vec![String::new(); 2049],
                deadline,
                meter: Arc::default(),
            },
        )
        .await
        .unwrap_err();
    assert_eq!(fault.code, Code::ModelInvalidRequest);
    assert_eq!(
        models
            .embed(
                &permit(),
                &route,
                EmbedCall {
                    texts: vec![String::new(); 2048],
                    deadline,
                    meter: Arc::default()
                }
            )
            .await
            .unwrap()
            .vectors
            .len(),
        2048
    );
}
