use std::time::Instant;

use super::*;
use crate::testing::{complete, complete_until, events, open, permit, soon};
use std::sync::Arc;

#[tokio::test]
async fn a_provider_that_asks_for_a_pause_gets_it_or_the_caller_learns_of_it() {
    let limited = |header: &str, value: &str| Reply::json(429, &error("slow down", "rate_limit_error")).header(header, value);
    let upstream = Upstream::start([limited("retry-after-ms", "5"), Reply::json(200, &openai_answer("now"))]).await;
    assert_eq!(
        complete(&models("openai", &upstream.url, ""), ask("hi"))
            .await
            .unwrap()
            .attempts,
        2
    );

    // Past the call's deadline: told at once.
    let upstream = Upstream::start([limited("retry-after", "45")]).await;
    let fault = complete(&models("openai", &upstream.url, ""), ask("hi")).await.unwrap_err();
    assert_eq!((fault.code, fault.retry_after_ms), (Code::ModelRateLimited, Some(45_000)));
    upstream.only();

    // Longer than anybody waits for a provider, whatever the deadline.
    let upstream = Upstream::start([limited("retry-after", "120")]).await;
    let deadline = Instant::now() + Duration::from_secs(3600);
    let fault = complete_until(&models("openai", &upstream.url, ""), ask("hi"), deadline)
        .await
        .unwrap_err();
    assert_eq!((fault.code, fault.retry_after_ms), (Code::ModelRateLimited, Some(120_000)));
    upstream.only();
}

#[tokio::test]
async fn a_used_up_quota_is_not_waited_for() {
    let body = json!({ "error": { "message": "You exceeded your current quota", "type": "insufficient_quota", "code": "insufficient_quota" } });
    let upstream = Upstream::start([Reply::json(429, &body)]).await;
    let fault = complete(&models("openai", &upstream.url, ""), ask("hi")).await.unwrap_err();
    assert_eq!(fault.code, Code::ModelRateLimited);
    upstream.only();
}

#[tokio::test]
async fn a_silent_provider_is_given_up_at_the_deadline() {
    for reply in [Reply::silent(), Reply::new(200, "{").then_hang()] {
        let upstream = Upstream::start([reply]).await;
        let deadline = Instant::now() + Duration::from_millis(300);
        let fault = complete_until(&models("openai", &upstream.url, ""), ask("hi"), deadline)
            .await
            .unwrap_err();
        assert_eq!(fault.code, Code::DeadlineExceeded);
        assert!(fault.message.contains("took longer than the call had"), "{}", fault.message);
        upstream.hung_up().await;
    }
}

#[tokio::test]
async fn the_entrys_own_total_ends_a_call() {
    let upstream = Upstream::start([Reply::silent()]).await;
    let fault = complete(&models("openai", &upstream.url, "timeouts: {total_ms: 200}"), ask("hi"))
        .await
        .unwrap_err();
    assert_eq!(fault.code, Code::ModelTimeout);
    upstream.hung_up().await;
}

#[tokio::test]
async fn the_first_sign_of_an_answer_is_waited_for_only_so_long() {
    // Pings are no sign of an answer.
    let pings = "event: ping\ndata: {\"type\":\"ping\"}\n\n";
    for reply in [Reply::silent(), Reply::sse(pings).then_hang()] {
        let upstream = Upstream::start([reply]).await;
        let models = models("anthropic", &upstream.url, "timeouts: {first_token_ms: 200}");
        let fault = open(&models, ask("hi")).await.err().unwrap();
        assert_eq!(fault.code, Code::ModelTimeout);
        assert!(fault.message.contains("sent nothing for 200 ms"), "{}", fault.message);
        assert!(fault.hint.unwrap().contains("models.general.timeouts.first_token_ms"));
        upstream.hung_up().await;
    }
}

#[tokio::test]
async fn silence_between_two_pieces_ends_a_stream() {
    let start = OLLAMA_TEXT.split_inclusive('\n').take(2).collect::<String>();
    let upstream = Upstream::start([Reply::lines(start).then_hang()]).await;
    let opened = open(&models("ollama", &upstream.url, "timeouts: {idle_ms: 200}"), ask("hi"))
        .await
        .unwrap();
    let (pieces, fault) = events(opened).await;
    let fault = fault.unwrap();
    assert_eq!((pieces.len(), fault.code), (1, Code::ModelTimeout));
    assert!(fault.hint.unwrap().contains("models.general.timeouts.idle_ms"));
    upstream.hung_up().await;
}

#[tokio::test]
async fn thinking_is_a_sign_of_an_answer() {
    let thinking = OLLAMA_TEXT.lines().next().unwrap().to_owned() + "\n";
    let upstream = Upstream::start([Reply::lines(thinking).then_hang()]).await;
    let fault = open(
        &models("ollama", &upstream.url, "timeouts: {first_token_ms: 20000, idle_ms: 200}"),
        ask("hi"),
    )
    .await
    .err()
    .unwrap();
    assert!(
        fault.hint.unwrap().contains("idle_ms"),
        "after a thought it is the pause between pieces that counts"
    );
}

#[tokio::test]
async fn dropping_a_call_hangs_up_upstream() {
    let upstream = Upstream::start([Reply::silent()]).await;
    let models = models("openai", &upstream.url, "");
    let route = models.planned("summarization").unwrap();
    let permit = permit();
    let call = claw_core::ports::ModelCall {
        request: ask("hi"),
        deadline: soon(),
        meter: Arc::default(),
    };
    let running = models.complete(&permit, &route, call);
    tokio::select! {
        _ = running => unreachable!("a silent provider does not answer"),
        () = async { while upstream.seen().is_empty() { tokio::task::yield_now().await } } => {}
    }
    upstream.hung_up().await;
}
