//! The promise about personal data, held against odd configurations: entries here and far away,
//! broken ones, hedges, fallbacks that lead away, uses that name entries far away, and texts in
//! every place of every kind of call.

use std::collections::BTreeSet;

use arc_swap::ArcSwap;
use claw_core::audit::Level;
use claw_core::fakes::MemoryAudit;
use claw_core::ids::{InvocationId, TraceParent};
use claw_core::model::{CompletionRequest, Message, Part, Role, ToolCall, ToolDef};
use claw_core::pii::{Detector, Finding, InspectFailed, Inspector, PiiSettings};
use claw_core::pipeline::{AnsweredBody, Complete, Completer};
use claw_core::policy::{PoliciesFile, Policy};
use claw_core::ports::Unlimited;
use claw_core::wire::WireRequest;
use serde_json::Value;

use super::*;

/// Cases a run.
const CASES: u64 = 1_200;

const PRIVATE: &[&str] = &[
    "anna.muster@example.com",
    "4111 1111 1111 1111",
    "DE89 3704 0044 0532 0130 00",
    "+49 30 901820 55",
    "my SSN is 536-22-8726",
    "AKIAIOSFODNN7EXAMPLE",
];

fn entries(odd: &mut Odd, here: &[String], away: &[String]) -> String {
    let count = 2 + odd.below(4);
    let mut yaml = "models:\n".to_owned();
    for place in 0..count {
        let local = odd.below(2) == 0;
        let urls = if local { here } else { away };
        let url = &urls[odd.below(urls.len() as u64) as usize];
        let uses = ["[x]", "[x, sensitive]", "[sensitive]"][odd.below(3) as usize];
        let hedge = ["", ", hedge: {after_ms: 1, max_percent: 100}"][odd.below(2) as usize];
        let weight = ["", ", weight: 3"][odd.below(2) as usize];
        yaml.push_str(&format!(
            "  e{place}: {{provider: openai, model: m{place}, base_url: '{url}', local: {local}, use_for: {uses}, max_attempts: 1, \
             fallbacks: [e{}], timeouts: {{total_ms: 10}}{hedge}{weight}}}\n",
            odd.below(count)
        ));
    }
    yaml
}

fn policies(odd: &mut Odd) -> String {
    let other = [
        "",
        "  - {name: o, match: {data: email}, then: {route: x}, enforce: true}\n",
        "  - {name: o, match: {data: '*'}, then: {mask: [email]}, enforce: true}\n",
        "  - {name: o, match: {provider: nobody}, then: deny, enforce: true}\n",
        "  - {name: o, match: {}, then: report, enforce: true}\n",
    ];
    let rule = "  - {name: stays, rule: if_context_contains_pii_use_sensitive_model, enforce: true}\n";
    let own = other[odd.below(other.len() as u64) as usize];
    match odd.below(2) {
        0 => format!("policies:\n{own}{rule}"),
        _ => format!("policies:\n{rule}{own}"),
    }
}

/// A request in our own words, with a text somewhere in it.
fn ours(odd: &mut Odd, text: &str) -> CompletionRequest {
    let mut request = ask("hello");
    let text = text.to_owned();
    match odd.below(6) {
        0 => request.messages.push(Message::text(Role::User, text)),
        1 => request.messages.insert(0, Message::text(Role::System, text)),
        2 => request.messages.push(Message {
            role: Role::Assistant,
            parts: vec![Part::ToolCall(ToolCall {
                id: "1".to_owned(),
                name: "t".to_owned(),
                arguments: json!({ "deep": [{ "er": text }] }).to_string(),
            })],
        }),
        3 => request.messages.push(Message {
            role: Role::Tool,
            parts: vec![Part::ToolResult {
                id: "1".to_owned(),
                content: text,
                is_error: false,
            }],
        }),
        4 => request.tools.push(ToolDef {
            name: "t".to_owned(),
            description: String::new(),
            schema: json!({ "type": "object", "properties": { "a": { "description": text } } }),
        }),
        _ => request.user = Some(text),
    }
    request
}

/// A body of an SDK, with a text somewhere in it.
fn wire(odd: &mut Odd, text: &str) -> WireRequest {
    let (api, mut body) = match odd.below(4) {
        0 => (
            Api::ChatCompletions,
            json!({ "messages": [{ "role": "user", "content": "hello" }] }),
        ),
        1 => (Api::Responses, json!({ "input": "hello" })),
        2 => (
            Api::Messages,
            json!({ "max_tokens": 5, "messages": [{ "role": "user", "content": "hello" }] }),
        ),
        _ => (Api::Embeddings, json!({ "input": ["hello"] })),
    };
    let place: (&str, Value) = match odd.below(4) {
        0 => ("metadata", json!({ "note": text })),
        1 => ("user", json!(text)),
        2 => (
            "tools",
            json!([{ "type": "function", "function": { "name": "t", "description": text } }]),
        ),
        _ => match api {
            Api::Responses | Api::Embeddings => ("input", json!(["hello", text])),
            _ => (
                "messages",
                json!([{ "role": "user", "content": [{ "type": "text", "text": "hello" }, { "type": "text", "text": text }] }]),
            ),
        },
    };
    body[place.0] = place.1;
    body["model"] = json!("x");
    let stream = api != Api::Embeddings && odd.below(2) == 0;
    body["stream"] = json!(stream);
    WireRequest {
        api,
        masked: None,
        body: body.to_string().into(),
        value: Arc::new(body),
        stream,
        headers: Vec::new(),
    }
}

fn completer(models: ProviderModels, policy: Policy) -> Completer {
    Completer {
        audit: Arc::new(MemoryAudit::default()),
        policy: Arc::new(ArcSwap::from_pointee(policy)),
        models: Arc::new(models),
        budgets: Arc::new(Unlimited),
        level: Level::Process,
    }
}

fn call() -> Complete {
    Complete {
        admitted: false,
        id: InvocationId::generate(),
        parent: None,
        trace: TraceParent::generate(),
        caller: "svc".to_owned(),
        key: None,
        skill: None,
        depth: 0,
        use_name: "x".to_owned(),
        context: Vec::new(),
        deadline: soon(),
    }
}

/// One call of some kind; its end does not matter, only what was sent.
async fn make(odd: &mut Odd, completer: &Completer, text: &str) -> Result<(), Fault> {
    match odd.below(4) {
        0 => completer.complete(&call(), ours(odd, text)).await.map(drop),
        1 => {
            let mut stream = completer.stream(&call(), ours(odd, text)).await?;
            while let Some(event) = stream.next().await {
                event?;
            }
            Ok(())
        }
        2 => completer
            .embed(&call(), vec!["hello".to_owned(), text.to_owned()])
            .await
            .map(drop),
        _ => {
            let answered = completer.wire(&call(), wire(odd, text)).await?;
            if let AnsweredBody::Stream(mut stream) = answered.body {
                while let Some(said) = stream.next().await {
                    said?;
                }
            }
            Ok(())
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn personal_data_never_reaches_who_is_not_local() {
    let replies = || (0..4_000).map(|place| if place % 9 == 0 { Reply::silent() } else { failing(500) });
    let (mut here, mut away) = (Vec::new(), Vec::new());
    for place in 0..2 {
        here.push(Upstream::start(replies()).await);
        let good = (0..4_000).map(|_| chat("said"));
        away.push(match place {
            0 => Upstream::start(replies()).await,
            _ => Upstream::start(good).await,
        });
    }
    let urls = |all: &[Upstream]| all.iter().map(|one| one.url.clone()).collect::<Vec<_>>();
    let (urls_here, urls_away) = (urls(&here), urls(&away));
    let mut private = BTreeSet::new();
    let mut odd = Odd(7);
    let detector = Detector::try_new(&PiiSettings::default()).unwrap();
    for text in PRIVATE {
        assert!(!detector.inspect(text).unwrap().is_empty(), "{text}");
    }
    let fresh = |odd: &mut Odd| {
        let models = self::models(&entries(odd, &urls_here, &urls_away));
        completer(
            models,
            Policy::try_new(&serde_yaml::from_str(&policies(odd)).unwrap()).unwrap(),
        )
    };
    let mut completer = fresh(&mut odd);
    for case in 0..CASES {
        if case % 10 == 9 {
            completer = fresh(&mut odd);
        }
        // The mark is looked for, beside the data itself: masks take only some of it out.
        let mark = format!("case{case}end");
        let text = match odd.below(3) {
            0 => mark,
            _ => {
                private.insert(mark.clone());
                format!("{mark} {}", PRIVATE[odd.below(PRIVATE.len() as u64) as usize])
            }
        };
        let _ = make(&mut odd, &completer, &text).await;
    }
    let sent: Vec<String> = away.iter().flat_map(Upstream::seen).map(|seen| seen.raw).collect();
    assert!(sent.len() > 50, "the others were asked: {}", sent.len());
    for raw in &sent {
        for text in PRIVATE {
            assert!(!raw.contains(text), "{raw}");
        }
        let mark = raw.split("case").nth(1).and_then(|rest| rest.split("end").next());
        let mark = mark.map(|number| format!("case{number}end")).unwrap_or_default();
        assert!(!private.contains(&mark), "{mark} was sent away: {raw}");
    }
    assert!(
        here.iter().map(|one| one.seen().len()).sum::<usize>() > 50,
        "those here were asked too"
    );
}

#[derive(Debug)]
struct Broken;

impl Inspector for Broken {
    fn inspect(&self, _text: &str) -> Result<Vec<Finding>, InspectFailed> {
        Err(InspectFailed("out of order".to_owned()))
    }
}

#[tokio::test]
async fn a_detector_that_fails_sends_nothing_to_anybody() {
    let upstream = Upstream::start((0..100).map(|_| chat("said"))).await;
    let mut odd = Odd(11);
    for _ in 0..60 {
        let models = self::models(&entries(
            &mut odd,
            std::slice::from_ref(&upstream.url),
            std::slice::from_ref(&upstream.url),
        ));
        let file: PoliciesFile = serde_yaml::from_str(&policies(&mut odd)).unwrap();
        let completer = completer(models, Policy::with_inspector(&file, Arc::new(Broken)).unwrap());
        match make(&mut odd, &completer, "hello").await {
            Err(fault) if matches!(fault.code, Code::PolicyUnavailable | Code::ModelNotConfigured) => {}
            other => panic!("{other:?}"),
        }
    }
    assert!(upstream.seen().is_empty());
}
