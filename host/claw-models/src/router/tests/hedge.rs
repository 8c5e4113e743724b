use claw_core::policy::{PoliciesFile, Policy, Question};

use super::*;

const HEDGE: &str = ", hedge: {after_ms: 20, max_percent: 100}";

fn permit_under(policies: &str) -> Permit {
    let file: PoliciesFile = serde_yaml::from_str(policies).unwrap();
    let policy = Policy::try_new(&file).unwrap();
    policy.permit(&Question::new("test", "llm.inference")).unwrap()
}

#[tokio::test]
async fn who_is_slow_to_begin_is_outrun_and_hung_up_on() {
    let (slow, quick) = (
        Upstream::start([Reply::silent()]).await,
        Upstream::start([chat("said")]).await,
    );
    let of_first = format!("{HEDGE}, price: {{input_usd_per_mtok: 1, output_usd_per_mtok: 1}}");
    let priced = ", price: {input_usd_per_mtok: 2, output_usd_per_mtok: 2}";
    let models = two(&slow.url, &quick.url, &of_first, priced);
    let meter = Arc::new(Meter::new());
    let call = ModelCall {
        request: ask("hi"),
        deadline: soon(),
        meter: meter.clone(),
    };
    let done = models.complete(&permit(), &models.planned("x").unwrap(), call).await.unwrap();
    assert_eq!(done.message.joined_text(), "said");
    slow.hung_up().await;
    let known = meter.read();
    let tried: Vec<_> = known.attempts.iter().map(|it| (it.entry.as_str(), it.code)).collect();
    assert_eq!(tried, [("a", Some(Code::Cancelled)), ("b", None)]);
    // What the slow one may have read is paid for as well, as an estimate.
    let beside = known.beside.unwrap();
    assert!(beside.estimated && beside.cost_nanousd.unwrap() > 0, "{beside:?}");
    let own = done.usage.cost_nanousd.unwrap();
    assert_eq!(
        known.charged().unwrap().cost_nanousd,
        Some(own + beside.cost_nanousd.unwrap())
    );
    assert_eq!(models.live_of("a").load.running() + models.live_of("b").load.running(), 0);
}

#[tokio::test]
async fn a_stream_is_outrun_before_its_first_piece() {
    let events = [
        json!({ "choices": [{ "delta": { "content": "said" } }] }),
        json!({ "choices": [{ "delta": {}, "finish_reason": "stop" }],
        "usage": { "prompt_tokens": 3, "completion_tokens": 5 } }),
    ];
    let text: String = events.iter().map(|event| format!("data: {event}\n\n")).collect();
    let (slow, quick) = (
        Upstream::start([Reply::sse(": wait\n\n").then_hang()]).await,
        Upstream::start([Reply::sse(format!("{text}data: [DONE]\n\n"))]).await,
    );
    let models = two(&slow.url, &quick.url, HEDGE, "");
    let meter = Arc::new(Meter::new());
    let call = ModelCall {
        request: ask("hi"),
        deadline: soon(),
        meter: meter.clone(),
    };
    let stream = models.stream(&permit(), &models.planned("x").unwrap(), call).await.unwrap();
    let events: Vec<_> = stream.map(Result::unwrap).collect().await;
    assert_eq!(events[0], ModelEvent::TextDelta("said".to_owned()));
    slow.hung_up().await;
    let known = meter.read();
    assert_eq!(
        known.usage.map(|usage| (usage.input_tokens, usage.output_tokens)),
        Some((3, 5))
    );
    assert_eq!((known.attempts.len(), known.route.unwrap().entry), (2, "b".to_owned()));
}

#[tokio::test]
async fn who_fails_while_the_other_runs_is_not_waited_for() {
    let first = Upstream::start([Reply::new(500, "{").then_hang()]).await;
    let second = Upstream::start([chat("said")]).await;
    let (done, tried) = complete(&two(&first.url, &second.url, HEDGE, ""), "x").await;
    assert_eq!((done.unwrap(), tried.len()), ("said".to_owned(), 2));
    let (first, second) = (
        Upstream::start([Reply::silent()]).await,
        Upstream::start([failing(500)]).await,
    );
    let late = format!("{HEDGE}, timeouts: {{total_ms: 300}}");
    let (done, tried) = complete(&two(&first.url, &second.url, &late, ""), "x").await;
    assert_eq!(done.unwrap_err().code, Code::ModelTimeout);
    let codes: Vec<_> = tried.iter().map(|(entry, code)| (entry.as_str(), *code)).collect();
    assert_eq!(
        codes,
        [("b", Some(Code::ModelUnavailable)), ("a", Some(Code::ModelTimeout))],
        "nobody is asked twice"
    );
}

#[tokio::test]
async fn nobody_is_asked_beside_who_may_not_be_or_too_often() {
    let soon_over = ", timeouts: {total_ms: 200}, local: true";
    let (first, second) = (
        Upstream::start([Reply::silent()]).await,
        Upstream::start([chat("said")]).await,
    );
    let models = two(&first.url, &second.url, &format!("{HEDGE}{soon_over}"), ", local: false");
    let call = ModelCall {
        request: ask("hi"),
        deadline: soon(),
        meter: Arc::default(),
    };
    let local = permit_under("policies: [{name: here, match: {}, then: local_only, enforce: true}]");
    let refused = models.complete(&local, &models.planned("x").unwrap(), call).await;
    assert_eq!(refused.unwrap_err().code, Code::PolicyDenied);
    assert!(second.seen().is_empty());

    let (first, second) = (
        Upstream::start([Reply::silent()]).await,
        Upstream::start([chat("said")]).await,
    );
    let rarely = format!(", hedge: {{after_ms: 20, max_percent: 1}}{soon_over}");
    let (done, tried) = complete(&two(&first.url, &second.url, &rarely, ""), "x").await;
    assert_eq!(done.unwrap(), "said");
    assert_eq!(tried[0], ("a".to_owned(), Some(Code::ModelTimeout)), "it was waited for");
}

#[test]
fn what_cannot_be_meant_is_refused() {
    for (written, key) in [
        ("{}", "models.a.hedge"),
        ("{after_ms: 1, after_percentile: 50}", "models.a.hedge"),
        ("{after_ms: 0}", "models.a.hedge.after_ms"),
        ("{after_percentile: 100}", "models.a.hedge.after_percentile"),
        ("{after_ms: 5, max_percent: 101}", "models.a.hedge.max_percent"),
    ] {
        let yaml = format!("models: {{a: {{provider: ollama, model: m, hedge: {written}}}}}");
        let errors = ProviderModels::new(&ModelsFile::from_yaml(&yaml).unwrap(), &|_| None).unwrap_err();
        assert_eq!(errors.0[0].path, key, "{written}");
    }
    assert!(ModelsFile::from_yaml("models: {a: {provider: ollama, model: m, hedge: {after: p95}}}").is_err());
}

#[tokio::test]
async fn whoever_hangs_up_on_both_has_both_to_pay_for() {
    let (first, second) = (
        Upstream::start([Reply::silent()]).await,
        Upstream::start([Reply::silent()]).await,
    );
    let priced = ", price: {input_usd_per_mtok: 1, output_usd_per_mtok: 1}";
    let models = two(&first.url, &second.url, &format!("{HEDGE}{priced}"), priced);
    let meter = Arc::new(Meter::new());
    let call = ModelCall {
        request: ask("hi"),
        deadline: soon(),
        meter: meter.clone(),
    };
    let (permit, plan) = (permit(), models.planned("x").unwrap());
    let asked = models.complete(&permit, &plan, call);
    let both_run = async {
        while second.seen().is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(matches!(
        futures::future::select(asked, Box::pin(both_run)).await,
        futures::future::Either::Right(_)
    ));
    let known = meter.read();
    let (own, beside) = (known.usage.unwrap().cost_nanousd, known.beside.unwrap().cost_nanousd);
    assert!(own.is_some_and(|cost| cost > 0) && own == beside, "{known:?}");
    assert_eq!(models.live_of("a").load.running() + models.live_of("b").load.running(), 0);
}

#[test]
fn what_two_may_cost_is_set_aside_where_two_may_be_asked() {
    let ceiling = |hedge: &str| {
        let priced = |usd: u32| format!(", price: {{input_usd_per_mtok: 0, output_usd_per_mtok: {usd}}}");
        let models = two(
            "http://localhost",
            "http://localhost",
            &format!("{hedge}{}", priced(2)),
            &priced(3),
        );
        let wanted = Wanted {
            output_tokens: Some(1),
            ..wanted("x")
        };
        models.plan(&wanted).unwrap().ceiling_nanousd()
    };
    assert_eq!((ceiling(""), ceiling(HEDGE)), (Some(3_000), Some(5_000)));
}
