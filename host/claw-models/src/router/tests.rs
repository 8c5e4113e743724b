#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may stop at the first surprise"
)]

use std::sync::atomic::{AtomicU64, Ordering};

use claw_core::meter::Meter;
use claw_core::model::ModelEvent;
use claw_core::ports::{ModelCall, Models as _};
use claw_core::routing::NameKind;
use futures::StreamExt as _;
use serde_json::json;

use super::*;
use crate::testing::{Reply, Upstream, ask, nobody, permit, soon};
use crate::{ModelsFile, ProviderModels};

mod hedge;
mod invariant;

fn models(yaml: &str) -> ProviderModels {
    let file = ModelsFile::from_yaml(yaml).unwrap();
    ProviderModels::new(&file, &|_| None).unwrap().with_random(Arc::new(|| 0.0))
}

fn chat(text: &str) -> Reply {
    let choice = json!({ "message": { "content": text }, "finish_reason": "stop" });
    Reply::json(200, &json!({ "model": "served", "choices": [choice] }))
}

fn failing(status: u16) -> Reply {
    Reply::json(status, &json!({ "error": { "message": "no" } }))
}

async fn complete(models: &ProviderModels, name: &str) -> (Result<String, Fault>, Vec<(String, Option<Code>)>) {
    let meter = Arc::new(Meter::new());
    let call = ModelCall {
        request: ask("hi"),
        deadline: soon(),
        meter: meter.clone(),
    };
    let plan = match models.planned(name) {
        Ok(plan) => plan,
        Err(fault) => return (Err(fault), Vec::new()),
    };
    let done = models.complete(&permit(), &plan, call).await;
    let tried = meter.read().attempts.into_iter().map(|attempt| (attempt.entry, attempt.code));
    (done.map(|done| done.message.joined_text()), tried.collect())
}

/// Two entries of one use, at these addresses, each with lines of its own.
fn two(first: &str, second: &str, of_first: &str, of_second: &str) -> ProviderModels {
    models(&format!(
        "models:\n  a: {{provider: openai, model: m, base_url: '{first}', use_for: [x], max_attempts: 1{of_first}}}\n  b: {{provider: \
         openai, model: n, base_url: '{second}', use_for: [x], max_attempts: 1{of_second}}}\n"
    ))
}

fn order(models: &ProviderModels, name: &str) -> Vec<String> {
    let plan = models.planned(name).unwrap();
    plan.candidates.into_iter().map(|candidate| candidate.route.entry).collect()
}

#[tokio::test]
async fn the_next_candidate_is_tried_where_it_may_do_better() {
    for (reply, code) in [
        (failing(500), Code::ModelUnavailable),
        (failing(529), Code::ModelUnavailable),
        (failing(401), Code::ModelAuth),
        (failing(429).header("retry-after", "30"), Code::ModelRateLimited),
        (Reply::new(200, "<html>"), Code::ModelBadAnswer),
    ] {
        let (first, second) = (Upstream::start([reply]).await, Upstream::start([chat("said")]).await);
        let (done, tried) = complete(&two(&first.url, &second.url, "", ""), "x").await;
        assert_eq!(done.unwrap(), "said", "{code}");
        assert_eq!(tried, [("a".to_owned(), Some(code)), ("b".to_owned(), None)]);
    }
    let second = Upstream::start([chat("said")]).await;
    let (done, _) = complete(&two(&nobody().await, &second.url, "", ""), "x").await;
    assert_eq!(done.unwrap(), "said");
}

#[tokio::test]
async fn what_is_wrong_with_the_request_is_wrong_everywhere() {
    let (first, second) = (Upstream::start([failing(400)]).await, Upstream::start([]).await);
    let (done, tried) = complete(&two(&first.url, &second.url, "", ""), "x").await;
    assert_eq!((done.unwrap_err().code, tried.len()), (Code::ModelInvalidRequest, 1));
    assert!(second.seen().is_empty());
}

#[tokio::test]
async fn the_last_fault_says_how_many_were_tried() {
    let (first, second) = (Upstream::start([failing(500)]).await, Upstream::start([failing(503)]).await);
    let (done, _) = complete(&two(&first.url, &second.url, "", ""), "x").await;
    let fault = done.unwrap_err();
    assert!(fault.message.ends_with("(the last of 2 candidates)"), "{fault}");
}

#[tokio::test]
async fn a_request_that_is_too_long_goes_to_a_longer_window() {
    let too_long = Reply::json(
        400,
        &json!({ "error": { "message": "too long", "code": "context_length_exceeded" } }),
    );
    let (first, second) = (
        Upstream::start([too_long.clone()]).await,
        Upstream::start([chat("said")]).await,
    );
    let (done, _) = complete(
        &two(&first.url, &second.url, ", context_tokens: 100", ", context_tokens: 200"),
        "x",
    )
    .await;
    assert_eq!(done.unwrap(), "said");
    let (first, second) = (Upstream::start([too_long]).await, Upstream::start([]).await);
    let (done, _) = complete(
        &two(&first.url, &second.url, ", context_tokens: 200", ", context_tokens: 100"),
        "x",
    )
    .await;
    assert_eq!(done.unwrap_err().code, Code::ModelContextExceeded);
    assert!(second.seen().is_empty());
    // Known before it is sent.
    let nobody = nobody().await;
    let small = two(&nobody, &nobody, ", context_tokens: 1", ", context_tokens: 1");
    let request = Wanted {
        input_tokens: 10,
        ..wanted("x")
    };
    assert_eq!(small.plan(&request).unwrap_err().code, Code::ModelContextExceeded);
}

fn wanted(name: &str) -> Wanted<'_> {
    Wanted {
        name,
        kind: Kind::Completion,
        input_tokens: 0,
        output_tokens: None,
        answers: 1,
        fits_schema: false,
    }
}

#[tokio::test]
async fn a_stream_fails_over_before_its_first_piece_and_never_after_it() {
    let error = "data: {\"error\":{\"message\":\"busy\",\"type\":\"server_error\"}}\n\n";
    let piece = "data: {\"choices\":[{\"delta\":{\"content\":\"hi\"}}]}\n\n";
    let end = "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
    let whole = Reply::sse(format!("{piece}{end}"));
    let stream = async |first: Reply| {
        let (first, second) = (Upstream::start([first]).await, Upstream::start([whole.clone()]).await);
        let models = two(&first.url, &second.url, "", "");
        let call = ModelCall {
            request: ask("hi"),
            deadline: soon(),
            meter: Arc::default(),
        };
        let stream = models.stream(&permit(), &models.planned("x").unwrap(), call).await.unwrap();
        let items: Vec<_> = stream.collect().await;
        (items, second.seen().len())
    };
    let (items, asked) = stream(Reply::sse(error)).await;
    assert!(
        matches!(items.last(), Some(Ok(ModelEvent::Done(_)))) && asked == 1,
        "{items:?}"
    );
    let (items, asked) = stream(Reply::sse(format!("{piece}{error}"))).await;
    assert!(
        matches!(items.last(), Some(Err(_))) && items.len() == 2 && asked == 0,
        "{items:?}"
    );
}

#[tokio::test]
async fn who_fails_again_and_again_is_left_alone() {
    let first = Upstream::start((0..5).map(|_| failing(500))).await;
    let second = Upstream::start((0..6).map(|_| chat("said"))).await;
    let models = two(&first.url, &second.url, "", "");
    for _ in 0..6 {
        assert_eq!(complete(&models, "x").await.0.unwrap(), "said");
    }
    assert_eq!(first.seen().len(), 5, "the sixth call does not go there");
    let plan = models.planned("x").unwrap();
    assert!(plan.passed_over[0].why.contains("left alone"), "{plan:?}");
    let fault = models.planned("a").unwrap_err();
    assert_eq!(fault.code, Code::Overloaded);
    assert!(fault.retry_after_ms.is_some_and(|millis| millis > 0 && millis <= 5_000));
    // A reload of the same file forgets nothing.
    let same = |models: &ProviderModels| models.planned("x").unwrap().passed_over.len();
    let file = format!(
        "models:\n  a: {{provider: openai, model: m, base_url: '{}', use_for: [x], max_attempts: 1}}\n  b: {{provider: openai, \
         model: n, base_url: '{}', use_for: [x]}}\n",
        first.url, second.url
    );
    models.replace(&ModelsFile::from_yaml(&file).unwrap(), &|_| None).unwrap();
    assert_eq!(same(&models), 1);
}

#[tokio::test]
async fn rates_and_places_are_kept() {
    let upstream = Upstream::start((0..2).map(|_| chat("said"))).await;
    let models = models(&format!(
        "models: {{a: {{provider: openai, model: m, base_url: '{}', limits: {{rpm: 2}}}}}}",
        upstream.url
    ));
    assert!(complete(&models, "a").await.0.is_ok() && complete(&models, "a").await.0.is_ok());
    let fault = complete(&models, "a").await.0.unwrap_err();
    assert_eq!((fault.code, upstream.seen().len()), (Code::Overloaded, 2));
    assert!(
        fault.retry_after_ms.is_some_and(|millis| millis > 20_000 && millis <= 30_000),
        "{fault:?}"
    );
}

#[tokio::test]
async fn no_more_calls_run_at_once_than_there_are_places() {
    let upstream = Upstream::start((0..400).map(|_| chat("said"))).await;
    let models = Arc::new(models(&format!(
        "models: {{a: {{provider: openai, model: m, base_url: '{}', limits: {{concurrency: 3}}}}}}",
        upstream.url
    )));
    let load = models.live_of("a").load.clone();
    let most = Arc::new(AtomicU64::new(0));
    let calls = (0..1_000).map(|_| {
        let (models, load, most) = (models.clone(), load.clone(), most.clone());
        tokio::spawn(async move {
            let done = complete(&models, "a").await.0;
            most.fetch_max(u64::from(load.running()), Ordering::SeqCst);
            done.map_err(|fault| fault.code)
        })
    });
    let mut answered = 0;
    for call in futures::future::join_all(calls).await {
        match call.unwrap() {
            Ok(_) => answered += 1,
            Err(code) => assert_eq!(code, Code::Overloaded),
        }
    }
    assert!(answered >= 3 && most.load(Ordering::SeqCst) <= 3, "{answered} {most:?}");
    assert_eq!(load.running(), 0, "every place is given back");
}

#[tokio::test]
async fn keys_take_turns_and_a_refused_one_rests() {
    let replies = [chat("1"), failing(401), chat("2"), chat("3"), failing(429), chat("4")];
    let upstream = Upstream::start(replies).await;
    let models = models(&format!(
        "models: {{a: {{provider: openai, model: m, base_url: '{}', api_keys: [key-one, key-two, key-three]}}}}",
        upstream.url
    ));
    for expected in ["1", "2", "3", "4"] {
        assert_eq!(complete(&models, "a").await.0.unwrap(), expected);
    }
    let keys: Vec<String> = upstream
        .seen()
        .iter()
        .map(|seen| seen.headers["authorization"].to_str().unwrap().replace("Bearer key-", ""))
        .collect();
    assert_eq!(keys, ["one", "two", "three", "one", "three", "one"]);
}

#[test]
fn preferences_decide_who_is_first() {
    let priced = |first: f64, second: f64, prefer: &str| {
        models(&format!(
            "models:\n  a: {{provider: openai, model: m, price: {{input_usd_per_mtok: {first}, output_usd_per_mtok: 1}}, api_key: k}}\n  \
             b: {{provider: openai, model: n, price: {{input_usd_per_mtok: {second}, output_usd_per_mtok: 1}}, api_key: k}}\nuses: \
             {{x: {{candidates: [a, b], prefer: {prefer}}}}}\n"
        ))
    };
    let first = |models: &ProviderModels| {
        let request = Wanted {
            input_tokens: 1_000,
            ..wanted("x")
        };
        let plan = models.plan(&request).unwrap();
        (plan.candidates[0].route.entry.clone(), plan.candidates[0].why.clone())
    };
    assert_eq!(first(&priced(3.0, 2.0, "price")).0, "b");
    assert!(first(&priced(3.0, 2.0, "price")).1.contains("0.006096 USD"));
    assert_eq!(first(&priced(3.0, 2.0, "order")).0, "a");
    let timed = priced(1.0, 1.0, "latency");
    let guard = timed.live_of("a").load.enter(Instant::now(), 0, Arc::default()).unwrap();
    guard.answered();
    assert_eq!(first(&timed).0, "b", "one that was never seen goes first");
}

#[test]
fn weights_are_kept_over_many_draws() {
    let state = Arc::new(AtomicU64::new(1));
    let random = Arc::new(move || {
        let next = state
            .load(Ordering::Relaxed)
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        state.store(next, Ordering::Relaxed);
        (next >> 11) as f64 / (1u64 << 53) as f64
    });
    let file = "models:\n  a: {provider: offline, use_for: [x], weight: 7}\n  b: {provider: offline, use_for: [x], weight: 3}\n  \
                c: {provider: offline, use_for: [x], weight: 0}\n";
    let models = models(file).with_random(random);
    let mut firsts = [0; 3];
    for _ in 0..4_000 {
        match order(&models, "x")[0].as_str() {
            "a" => firsts[0] += 1,
            "b" => firsts[1] += 1,
            _ => firsts[2] += 1,
        }
    }
    assert!((2_650..2_950).contains(&firsts[0]) && firsts[2] == 0, "{firsts:?}");
}

#[test]
fn names_mean_what_the_file_says() {
    let models = models(
        "models:\n  a: {provider: offline, use_for: [x], fallbacks: [c]}\n  b: {provider: ollama, model: m, use_for: [x, y]}\n  c: \
         {provider: ollama, model: m}\naliases:\n  fast: a\n  both: [y, fast]\nuses:\n  z: {candidates: [c, x]}\n",
    );
    assert_eq!(order(&models, "a"), ["a", "c"]);
    assert_eq!(order(&models, "x"), ["a", "b", "c"]);
    assert_eq!(order(&models, "fast"), ["a", "c"]);
    assert_eq!(order(&models, "both"), ["b", "a", "c"]);
    assert_eq!(order(&models, "z"), ["c", "a", "b"]);
    assert_eq!(order(&models, "m"), ["b", "c"]);
    let kinds: Vec<_> = models
        .list()
        .into_iter()
        .map(|listing| (listing.name, listing.kind))
        .collect();
    assert_eq!(kinds.iter().filter(|(_, kind)| *kind == NameKind::Alias).count(), 2);
    assert!(kinds.contains(&("z".to_owned(), NameKind::Use)) && kinds.contains(&("m".to_owned(), NameKind::Model)));
}

#[test]
fn a_closed_window_is_passed_over() {
    let file = |first: &str, second: &str| {
        format!(
            "models:\n  a: {{provider: offline, use_for: [x], windows: [{{hours: '{first}'}}]}}\n  b: {{provider: offline, use_for: [x], \
             windows: [{{hours: '{second}'}}]}}\n"
        )
    };
    // One of them is open, whatever the time.
    let models_of_day = models(&file("00:00-12:00", "12:00-24:00"));
    let plan = models_of_day.planned("x").unwrap();
    assert_eq!((plan.candidates.len(), plan.passed_over.len()), (1, 1));
    assert!(plan.passed_over[0].why.starts_with("it serves only"), "{plan:?}");
    let minute = unix_now().div_euclid(60).rem_euclid(1_440);
    let far = |hours: i64| {
        let at = (minute + hours * 60).rem_euclid(1_440);
        format!("{:02}:{:02}", at / 60, at % 60)
    };
    let hours = format!("{}-{}", far(2), far(3));
    let closed = models(&file(&hours, &hours));
    assert_eq!(closed.planned("x").unwrap_err().code, Code::ModelUnavailable);
}

/// A generator of odd plans, the same at every run of a seed.
struct Odd(u64);

impl Odd {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

#[tokio::test]
async fn whatever_fails_nobody_is_asked_who_is_not_in_the_plan() {
    for seed in 0..40 {
        let mut odd = Odd(seed);
        let allowed = Upstream::start((0..4).map(|_| failing(500))).await;
        let forbidden = Upstream::start([]).await;
        let mut yaml = "models:\n".to_owned();
        let count = 2 + odd.below(4);
        for place in 0..count {
            let local = odd.below(2) == 0;
            let url = if local { &allowed.url } else { &forbidden.url };
            yaml.push_str(&format!(
                "  e{place}: {{provider: openai, model: m, base_url: '{url}', local: {local}, use_for: [x], max_attempts: 1, fallbacks: \
                 [e{}]}}\n",
                odd.below(count)
            ));
        }
        let models = models(&yaml);
        let mut plan = models.planned("x").unwrap();
        plan.hold_to(|route| if route.local { Ok(()) } else { Err("it is not local") });
        let call = ModelCall {
            request: ask("my number is secret"),
            deadline: soon(),
            meter: Arc::default(),
        };
        assert!(models.complete(&permit(), &plan, call).await.is_err());
        assert!(forbidden.seen().is_empty(), "seed {seed}");
    }
}

#[test]
fn a_second_round_is_set_aside_for_an_answer_that_is_to_fit() {
    let price = "price: {input_usd_per_mtok: 1, output_usd_per_mtok: 1}";
    let models = models(&format!("models: {{a: {{provider: ollama, model: m, {price}}}}}"));
    let ceiling = |kind, fits_schema| {
        let wanted = Wanted {
            kind,
            fits_schema,
            input_tokens: 10,
            output_tokens: Some(5),
            ..wanted("a")
        };
        models.plan(&wanted).unwrap().ceiling_nanousd()
    };
    assert_eq!(ceiling(Kind::Completion, false), Some(15_000));
    // The second one reads the question and the first answer.
    assert_eq!(ceiling(Kind::Completion, true), Some(15_000 + 10_000 + 5_000 + 5_000));
    let wire = Kind::Wire(claw_core::wire::Api::ChatCompletions);
    assert_eq!(ceiling(wire, true), Some(35_000), "it may be translated, and looked at");
}
