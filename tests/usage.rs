//! What calls cost, from a provider's own count to every place that shows it; budgets that are
//! used up; and what a restart, also after a kill, still knows.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use axum::extract::{Json, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse as _, Response};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::gateway::{Answer, PATIENCE};
use crate::support::{Ran, TestGateway, claw_on};

/// 701 × 0.333333 + 300 × 0.0417 + 77 × 1.7 micro-dollars, rounded up to the nano-dollar.
const COST: u64 = 377_077;

const PRICES: &str = "prices:\n  openai/priced: {input_usd_per_mtok: 0.333333, output_usd_per_mtok: 1.7, \
                      cached_input_usd_per_mtok: 0.0417}\n";

/// A provider that counts the same tokens whatever it is asked, and never answers `hang`.
struct Upstream {
    url: String,
    asked: Arc<AtomicUsize>,
}

impl Upstream {
    async fn start() -> Self {
        let asked = Arc::new(AtomicUsize::new(0));
        let router = axum::Router::new()
            .route("/v1/chat/completions", axum::routing::post(answer))
            .with_state(asked.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/v1", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Upstream { url, asked }
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    /// A gateway with a priced and an unpriced model of this provider, and these budgets.
    async fn gateway(&self, budgets: &str) -> TestGateway {
        TestGateway::prepared(&[], |home| {
            let entry = |name: &str, model: &str| {
                format!(
                    "  {name}: {{provider: openai, base_url: \"{}\", model: {model}, max_tokens: 1000}}\n",
                    self.url
                )
            };
            let models = format!("models:\n{}{}", entry("paid", "priced"), entry("unpaid", "unpriced"));
            std::fs::write(home.join("models.yaml"), models).unwrap();
            std::fs::write(home.join("prices.yaml"), PRICES).unwrap();
            std::fs::write(home.join("budgets.yaml"), budgets).unwrap();
        })
        .await
    }
}

async fn answer(State(asked): State<Arc<AtomicUsize>>, Json(body): Json<Value>) -> Response {
    asked.fetch_add(1, Ordering::SeqCst);
    if body["messages"].to_string().contains("hang") {
        std::future::pending::<()>().await;
    }
    let usage = json!({
        "prompt_tokens": 1001, "completion_tokens": 77, "total_tokens": 1078,
        "prompt_tokens_details": { "cached_tokens": 300 },
        "completion_tokens_details": { "reasoning_tokens": 11 },
    });
    if body["stream"] == json!(true) {
        let chunk = |value: Value| format!("data: {value}\n\n");
        let choice = |delta: Value, reason: Value| json!([{ "index": 0, "delta": delta, "finish_reason": reason }]);
        let of = |choices: Value, usage: Value| json!({ "id": "x", "object": "chat.completion.chunk", "model": body["model"], "choices": choices, "usage": usage });
        let events = [
            chunk(of(
                choice(json!({ "role": "assistant", "content": "said" }), Value::Null),
                Value::Null,
            )),
            chunk(of(choice(json!({}), json!("stop")), Value::Null)),
            chunk(of(json!([]), usage)),
            "data: [DONE]\n\n".to_owned(),
        ];
        return ([(CONTENT_TYPE, "text/event-stream")], events.concat()).into_response();
    }
    let message = json!({ "role": "assistant", "content": "said upstream" });
    Json(json!({
        "id": "x", "object": "chat.completion", "model": body["model"],
        "choices": [{ "index": 0, "message": message, "finish_reason": "stop" }],
        "usage": usage,
    }))
    .into_response()
}

async fn chat(gateway: &TestGateway, model: &str, text: &str, stream: bool) -> Answer {
    let body = json!({ "model": model, "stream": stream, "max_tokens": 1000, "messages": [{ "role": "user", "content": text }] });
    gateway
        .send(gateway.request(Method::POST, "/v1/chat/completions").json(&body))
        .await
}

async fn invoke(gateway: &TestGateway, use_name: &str, prompt: &str) -> Answer {
    let body = json!({ "skill": "llm.inference", "payload": { "prompt": prompt, "use": use_name } });
    gateway.send(gateway.request(Method::POST, "/v1/invoke").json(&body)).await
}

fn parsed(ran: &Ran) -> Value {
    serde_json::from_str(&ran.out).unwrap_or_else(|_| panic!("{ran:?}"))
}

/// What is spent of a budget, as `claw usage --budgets` says it.
fn spent(gateway: &TestGateway, name: &str) -> u64 {
    let shown = parsed(&gateway.claw(&["usage", "--budgets", "--json"]));
    let all = shown["budgets"].as_array().unwrap();
    let found = all.iter().find(|budget| budget["name"] == name);
    found.and_then(|budget| budget["spent_nanousd"].as_u64()).unwrap()
}

#[tokio::test]
async fn costs_are_the_same_to_the_nano_dollar_wherever_they_are_shown() {
    let upstream = Upstream::start().await;
    let gateway = upstream
        .gateway("budgets: [{name: all, limit: 1usd/total}, {name: lent, use: paid, limit: 0.01usd/month, soft: 10%}]")
        .await;
    let first = chat(&gateway, "paid", "hello", false).await;
    assert_eq!(first.status, 200, "{first:?}");
    assert_eq!(first.headers["claw-cost-nanousd"], COST.to_string());
    assert!(
        first.headers["claw-budget"].to_str().unwrap().starts_with("lent: "),
        "what a call may cost is set aside, and is more than a tenth: {first:?}"
    );
    assert_eq!(chat(&gateway, "paid", "hello", true).await.status, 200);
    let invoked = invoke(&gateway, "paid", "hello").await;
    assert_eq!(invoked.status, 200, "{invoked:?}");
    for _ in 0..2 {
        let unpriced = chat(&gateway, "unpaid", "hello", false).await;
        assert_eq!(unpriced.headers["claw-cost-nanousd"], "unknown");
        assert!(
            unpriced.headers["claw-budget"]
                .to_str()
                .unwrap()
                .contains("price is not known")
        );
    }
    let log = gateway.log();
    let warned = |words: &str| log.matches(words).count();
    assert_eq!(warned("nobody knows what this model costs"), 1, "{log}");
    assert_eq!(warned("a call was made whose price is not known"), 1, "{log}");

    // A direct `llm.inference` is two entries; one of them costs something.
    let id = invoked.body["id"].as_str().unwrap();
    let tree = parsed(&gateway.claw(&["audit", "show", id, "--json"]));
    assert_eq!(tree["cost_nanousd"], Value::Null);
    assert_eq!(tree["children"][0]["cost_nanousd"], json!(COST));
    let shown = gateway.claw(&["audit", "show", id]);
    assert!(shown.out.contains("$0.000377077"), "{}", shown.out);

    for by in ["service", "model", "skill", "use", "key", "day", "provider"] {
        let usage = parsed(&gateway.claw(&["usage", "--by", by, "--json"]));
        let total = &usage["total"];
        assert_eq!(total["calls"], json!(5), "{by}");
        assert_eq!(total["cost_nanousd"], json!(3 * COST), "{by}");
        assert_eq!(total["cost_unknown_calls"], json!(2), "{by}");
        assert_eq!(total["input_tokens"], json!(5 * 1001), "{by}");
        assert_eq!(total["cached_tokens"], json!(5 * 300), "{by}");
        assert_eq!(total["reasoning_tokens"], json!(5 * 11), "{by}");
    }
    let stats = parsed(&gateway.claw(&["audit", "stats", "--json"]));
    assert_eq!(stats["total"]["cost_nanousd"], json!(3 * COST));
    assert_eq!(stats["total"]["model_calls"], json!(5));
    assert_eq!(
        stats["by_caller_and_model"]["operator"]["priced"]["cost_nanousd"],
        json!(3 * COST)
    );
    assert_eq!(stats["latency"]["priced"]["calls"], json!(3));
    assert_eq!(stats["top_callers"][0]["caller"], json!("operator"));
    let rows = gateway.claw(&["audit", "query", "--json"]);
    let costs = rows.out.lines().filter_map(|line| {
        let row: Value = serde_json::from_str(line).unwrap();
        row["cost_nanousd"].as_u64()
    });
    assert_eq!(costs.sum::<u64>(), 3 * COST);
    assert_eq!((spent(&gateway, "all"), spent(&gateway, "lent")), (3 * COST, 3 * COST));

    let csv = gateway.claw(&["usage", "--by", "model", "--csv"]).out;
    let lines: Vec<&str> = csv.lines().collect();
    assert_eq!(lines[1], "priced,3,0,3003,231,900,33,0.001131231,1131231,0,0");
    assert_eq!(lines[2], "unpriced,2,0,2002,154,600,22,0.000000000,0,2,0");
    let table = gateway.claw(&["usage", "--by", "model"]);
    assert!(table.out.contains("$0.00 + 2 calls of unknown price"), "{}", table.out);
    assert!(table.err.contains("2 calls have no known price"), "{}", table.err);
    let empty = parsed(&gateway.claw(&["usage", "--until", "2020-01-01", "--since", "2019-01-01", "--json"]));
    assert_eq!((&empty["rows"], &empty["total"]["calls"]), (&json!([]), &json!(0)));
    for bad in [
        &["usage", "--since", "yesterday"][..],
        &["usage", "--by", "mood"],
        &["usage", "--csv", "--json"],
    ] {
        assert_eq!(gateway.claw(bad).code, 2, "{bad:?}");
    }
}

#[tokio::test]
async fn a_budget_that_is_used_up_is_named_and_stays_so_after_a_kill() {
    let upstream = Upstream::start().await;
    // Room for one call at its ceiling, and not for two.
    let mut gateway = upstream
        .gateway("budgets: [{name: team, use: paid, limit: 0.002usd, per: month}]")
        .await;
    assert_eq!(chat(&gateway, "paid", "hello", false).await.status, 200);
    let refused = async |gateway: &TestGateway, gone: u64| {
        let invoked = invoke(gateway, "paid", "hello").await;
        assert_eq!((invoked.status, invoked.code()), (429, "budget.exceeded"), "{invoked:?}");
        let detail = invoked.body["detail"].as_str().unwrap();
        assert!(
            detail.starts_with("the budget `team` of 0.002usd/month is used up"),
            "{detail}"
        );
        let details = &invoked.body["details"];
        assert_eq!(details["budget"], json!("team"), "{invoked:?}");
        assert_eq!(details["limit_nanousd"], json!(2_000_000));
        assert_eq!(details["spent_nanousd"], json!(gone));
        let resets_at = details["resets_at"].as_str().unwrap();
        assert!(
            resets_at.ends_with("-01T00:00:00Z") && detail.contains(resets_at),
            "{invoked:?}"
        );
        assert!(invoked.body["retry_after_ms"].as_u64() > Some(0), "{invoked:?}");
        assert!(invoked.headers.contains_key("retry-after"));
        let chatted = chat(gateway, "paid", "hello", false).await;
        assert_eq!(chatted.status, 429, "{chatted:?}");
        assert_eq!(spent(gateway, "team"), gone);
    };
    refused(&gateway, COST).await;
    assert_eq!(upstream.asked(), 1, "nothing was sent that was not paid for");
    assert_eq!(chat(&gateway, "unpaid", "hello", false).await.status, 200, "another use");

    gateway.kill();
    gateway.start().await;
    refused(&gateway, COST).await;
    // Without the tally, all rows are read again.
    gateway.kill();
    std::fs::remove_file(gateway.home().join("state/audit.spending.json")).unwrap();
    gateway.start().await;
    refused(&gateway, COST).await;

    // A file with a mistake changes nothing; a good one counts from what was spent.
    std::fs::write(gateway.home().join("budgets.yaml"), "budgets: [{name: team, limit: 9usd}]").unwrap();
    let reloaded = gateway.send(gateway.request(Method::POST, "/v1/reload")).await;
    assert!(reloaded.status >= 400, "{reloaded:?}");
    let checked = claw_on(gateway.home(), &["config", "check"]);
    assert_eq!(checked.code, 64);
    assert!(checked.out.contains("budgets.yaml: `budgets.team.limit`"), "{checked:?}");
    let roomy = "budgets: [{name: team, use: paid, limit: 0.004usd, per: month}]";
    std::fs::write(gateway.home().join("budgets.yaml"), roomy).unwrap();
    let until = Instant::now() + PATIENCE;
    while chat(&gateway, "paid", "hello", false).await.status != 200 {
        assert!(Instant::now() < until, "{}", gateway.log());
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert_eq!(spent(&gateway, "team"), 2 * COST);
}

#[tokio::test]
async fn a_call_that_a_kill_cut_off_costs_what_was_set_aside_for_it() {
    let upstream = Upstream::start().await;
    let mut gateway = upstream.gateway("budgets: [{name: team, limit: 1usd, per: month}]").await;
    assert_eq!(chat(&gateway, "paid", "hello", false).await.status, 200);
    let body = json!({ "model": "paid", "max_tokens": 1000, "messages": [{ "role": "user", "content": "hang" }] });
    let hanging = tokio::spawn(gateway.request(Method::POST, "/v1/chat/completions").json(&body).send());
    let until = Instant::now() + PATIENCE;
    while upstream.asked() < 2
        || !gateway
            .claw(&["audit", "tail", "--json"])
            .out
            .contains("\"outcome\":\"open\"")
    {
        assert!(Instant::now() < until, "{}", gateway.log());
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    gateway.kill();
    assert!(hanging.await.unwrap().is_err());
    gateway.start().await;
    let rows = gateway.claw(&["audit", "query", "--status", "interrupted", "--json"]);
    let row: Value = serde_json::from_str(rows.out.trim()).unwrap();
    let reserved = row["reserved_nanousd"].as_u64().unwrap();
    assert!(reserved > COST, "{row}");
    assert_eq!((&row["cost_nanousd"], &row["estimated"]), (&json!(reserved), &json!(true)));
    assert_eq!(spent(&gateway, "team"), COST + reserved);
    let usage = parsed(&gateway.claw(&["usage", "--json"]));
    assert_eq!(usage["total"]["cost_nanousd"], json!(COST + reserved));
    assert_eq!(usage["total"]["estimated_calls"], json!(1));
}

#[tokio::test]
async fn a_hundred_calls_at_once_spend_no_more_than_their_budget() {
    let upstream = Upstream::start().await;
    let gateway = upstream
        .gateway("budgets: [{name: team, use: paid, limit: 0.02usd/day}]")
        .await;
    let calls = (0..100).map(|_| chat(&gateway, "paid", "hello", false));
    let answers = futures::future::join_all(calls).await;
    let through = answers.iter().filter(|answer| answer.status == 200).count();
    assert!(answers.iter().all(|answer| matches!(answer.status, 200 | 429)), "{answers:?}");
    assert!((1..100).contains(&through), "{through}");
    assert_eq!(spent(&gateway, "team"), through as u64 * COST);
    assert!(through as u64 * COST <= 20_000_000);
    let refused = gateway.claw(&["audit", "query", "--code", "budget.exceeded", "--limit", "200", "--json"]);
    assert_eq!(refused.out.lines().count(), 100 - through);
}
