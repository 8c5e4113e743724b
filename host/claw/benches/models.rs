//! What the gateway adds to a model call, beside the same calls made directly, in the same run:
//! `cargo bench -p claw --bench models`, or `-- --quick` for a look, `-- --only memory` (rates,
//! callers, streams, slow, memory) for one part. The floor is a proxy of the same two HTTP libraries
//! that does nothing else. An open loop at set rates, a closed one with 32
//! callers, streams, CPU and memory; once with nothing on but the record (hashes), once with
//! everything: bodies kept, personal data looked for, a key, a budget, cost.
//!
//! A peer that speaks OpenAI's dialect is measured beside it where the environment names one:
//! `CLAW_BENCH_FAKE_PORT` has the fake provider listen nowhere else, so that the peer can be set
//! up for it first; then `CLAW_BENCH_PEER_URL` (`http://127.0.0.1:4000`), `CLAW_BENCH_PEER_MODEL`,
//! and, where it has them, `CLAW_BENCH_PEER_KEY` and `CLAW_BENCH_PEER_PID` (for CPU and memory).
//! host/BENCHMARKS.md has the commands for one from PyPI. Without them it is "not measured".
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a bench may stop at the first surprise, and prints"
)]

#[path = "support/child.rs"]
mod child;
#[path = "support/fake.rs"]
mod fake;
#[path = "support/floor.rs"]
mod floor;
#[path = "support/http.rs"]
mod http;
#[path = "support/load.rs"]
mod load;
#[path = "support/measure.rs"]
mod measure;
#[path = "support/process.rs"]
mod process;
#[path = "support/program.rs"]
mod program;
#[path = "support/running.rs"]
mod running;
#[path = "support/streams.rs"]
mod streams;

use std::sync::Arc;
use std::time::{Duration, Instant};

use child::Child;
use http::{Connection, Request};
use load::open_loop;
use measure::{Latencies, closed_loop, median};
use process::{cpu_seconds, resident_mib};
use program::{command, run};
use running::Gateway;
use serde_json::json;

const FLOOR: &str = "floor: axum and reqwest, nothing else";

/// How long and how often.
#[derive(Clone, Copy)]
struct Effort {
    rounds: usize,
    time: Duration,
    in_flight: usize,
}

/// One way to the provider.
struct Way {
    name: String,
    request: Request,
    stream: Request,
    pid: Option<u32>,
}

fn body(model: &str, stream: bool) -> String {
    let text = "Summarize for the weekly report: on Monday there were twelve open tickets, four about billing and three about \
                the importer; the longest had waited for six days. On Tuesday the importer was fixed and its tickets closed. "
        .repeat(3);
    let mut body = json!({ "model": model, "messages": [
        { "role": "system", "content": "You write short, plain reports." },
        { "role": "user", "content": text },
    ], "max_tokens": 200, "temperature": 0.2 });
    if stream {
        body["stream"] = json!(true);
    }
    body.to_string()
}

fn way(name: &str, address: &str, prefix: &str, model: &str, key: &str, pid: Option<u32>) -> Way {
    let bearer = format!("Bearer {key}");
    let post = |stream| {
        let path = format!("{prefix}/v1/chat/completions");
        Request::post(
            address,
            &path,
            &[("authorization", &bearer), ("accept", "application/json")],
            body(model, stream).as_bytes(),
        )
    };
    Way {
        name: name.to_owned(),
        request: post(false),
        stream: post(true),
        pid,
    }
}

/// A gateway in front of a provider.
struct Front {
    _home: tempfile::TempDir,
    gateway: Gateway,
    way: Way,
}

fn front(fake: &Child, name: &str, all: bool, level: &str) -> Front {
    let home = tempfile::tempdir().unwrap();
    let ran = run(command(home.path()).args(["onboard", "--yes"]));
    assert_eq!(ran.code, 0, "{}", ran.err);
    let models = format!(
        "models:\n  fake: {{provider: openai, model: fake, base_url: 'http://{}/v1', api_key: sk-fake, price: {{input_usd_per_mtok: 1, \
         output_usd_per_mtok: 2}}, use_for: [sensitive]}}\n",
        fake.address
    );
    std::fs::write(home.path().join("models.yaml"), models).unwrap();
    if all {
        let budget = "budgets: [{name: all, limit: 1000000usd/month}]\n";
        std::fs::write(home.path().join("budgets.yaml"), budget).unwrap();
    } else {
        std::fs::write(home.path().join("policies.yaml"), "policies: []\n").unwrap();
    }
    let gateway = Gateway::start(home.path(), &["--audit-models", level]);
    let key = if all {
        let made = command(home.path())
            .args(["key", "create", "--service", "bench", "--budget", "1000usd/day"])
            .output()
            .unwrap();
        String::from_utf8(made.stdout).unwrap().trim().to_owned()
    } else {
        gateway.token.clone()
    };
    let way = way(name, &gateway.address, "", "fake", &key, Some(gateway.child.id()));
    Front {
        _home: home,
        gateway,
        way,
    }
}

fn peer() -> Option<Way> {
    let variable = |name: &str| std::env::var(format!("CLAW_BENCH_PEER_{name}")).ok();
    let url = variable("URL")?;
    let rest = url.trim_start_matches("http://").trim_end_matches('/');
    let (address, prefix) = rest.split_once('/').map_or((rest, String::new()), |(address, path)| {
        (address, format!("/{}", path.trim_end_matches("/v1")))
    });
    Some(way(
        &variable("NAME").unwrap_or_else(|| "the peer".to_owned()),
        address,
        &prefix,
        &variable("MODEL").unwrap_or_else(|| "fake".to_owned()),
        &variable("KEY").unwrap_or_else(|| "none".to_owned()),
        variable("PID").and_then(|pid| pid.parse().ok()),
    ))
}

fn main() {
    fake::be_one_if_asked();
    floor::be_one_if_asked();
    let quick = std::env::args().any(|argument| argument == "--quick");
    let effort = match quick {
        true => Effort {
            rounds: 1,
            time: Duration::from_millis(500),
            in_flight: 200,
        },
        false => Effort {
            rounds: 5,
            time: Duration::from_secs(3),
            in_flight: 5_000,
        },
    };
    let only = std::env::args().skip_while(|argument| argument != "--only").nth(1);
    let wanted = |part: &str| only.as_deref().is_none_or(|only| only == part);
    println!("{}\n", measure::machine());
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        if ["rates", "callers", "streams"].into_iter().any(wanted) {
            let instant = fake::start(Duration::ZERO);
            let passed = front(&instant, "claw, passed through", false, "process");
            let all = front(&instant, "claw, everything on", true, "process");
            let floor = floor::start(&instant.address);
            let mut ways = vec![
                way("directly", &instant.address, "", "fake", "sk-fake", None),
                way(FLOOR, &floor.address, "", "fake", "sk-fake", Some(floor.pid())),
                passed.way,
                all.way,
            ];
            ways.extend(peer());
            if wanted("rates") {
                rates(&ways, effort, "instant provider, audit `process`").await;
            }
            if wanted("callers") {
                callers(&ways, effort).await;
            }
            if wanted("streams") {
                streaming(&ways, effort).await;
            }
            drop((passed.gateway, all.gateway));
        }
        if wanted("slow") {
            slow(effort).await;
        }
        if wanted("memory") {
            memory(effort).await;
        }
    });
}

async fn rates(ways: &[Way], effort: Effort, what: &str) {
    println!("| {what}: open loop | req/s | p50 µs | p99 µs | added p50 µs | added p99 µs |\n|---|---|---|---|---|---|");
    for rate in [500, 1_000, 2_000, 5_000] {
        compare(ways, rate, effort).await;
    }
    println!();
}

/// The same load on every way in turn, round by round, the first round thrown away.
async fn compare(ways: &[Way], rate: u32, effort: Effort) {
    let mut rounds: Vec<Vec<Latencies>> = ways.iter().map(|_| Vec::new()).collect();
    for round in 0..=effort.rounds {
        for (way, rounds) in ways.iter().zip(&mut rounds) {
            let taken = open_loop(&way.request, rate, effort.time).await;
            if round > 0 {
                rounds.push(taken);
            }
        }
    }
    let of = |place: usize, share: f64| median(rounds[place].iter().map(|taken| taken.micros(share)).collect());
    for (place, way) in ways.iter().enumerate() {
        let (half, most) = (of(place, 0.5), of(place, 0.99));
        println!(
            "| {} | {rate} | {half:.0} | {most:.0} | {:.0} | {:.0} |",
            way.name,
            half - of(0, 0.5),
            most - of(0, 0.99)
        );
    }
}

/// As fast as 32 callers can, and what it costs.
async fn callers(ways: &[Way], effort: Effort) {
    println!(
        "| 32 callers, closed loop | req/s | p50 µs | p99 µs | CPU µs a request | resident MiB |\n|---|---|---|---|---|---|"
    );
    for way in ways {
        let mut figures: Vec<(f64, f64, f64, f64)> = Vec::new();
        for round in 0..=effort.rounds {
            let before = way.pid.map(cpu_seconds);
            let connections = (0..32).map(|_| Connection::open(&way.request.address));
            let connections: Vec<_> = futures::future::join_all(connections).await;
            let connections: Arc<Vec<_>> = Arc::new(connections.into_iter().map(tokio::sync::Mutex::new).collect());
            let request = Arc::new(way.request.clone());
            let taken = closed_loop(32, effort.time, move |caller| {
                let (connections, request) = (connections.clone(), request.clone());
                async move {
                    let (status, _) = connections[caller].lock().await.send(&request).await;
                    assert_eq!(status, 200);
                }
            })
            .await;
            let calls = taken.rate() * effort.time.as_secs_f64();
            let cpu = way.pid.map_or(0.0, |pid| cpu_seconds(pid) - before.unwrap_or_default());
            if round > 0 {
                figures.push((taken.rate(), taken.micros(0.5), taken.micros(0.99), cpu * 1e6 / calls));
            }
        }
        let of = |pick: fn(&(f64, f64, f64, f64)) -> f64| median(figures.iter().map(pick).collect());
        let resident = way.pid.map_or("-".to_owned(), |pid| format!("{:.0}", resident_mib(pid)));
        let cpu = match way.pid {
            Some(_) => format!("{:.0}", of(|it| it.3)),
            None => "-".to_owned(),
        };
        println!(
            "| {} | {:.0} | {:.0} | {:.0} | {cpu} | {resident} |",
            way.name,
            of(|it| it.0),
            of(|it| it.1),
            of(|it| it.2)
        );
    }
    println!();
}

/// Streams: until the first piece came, and how long each piece was under way.
async fn streaming(ways: &[Way], effort: Effort) {
    println!("| streams, 8 at once | to first piece p50 µs | piece under way p50 µs | p99 µs |\n|---|---|---|---|");
    for way in ways {
        let (mut firsts, mut pieces) = (Vec::new(), Vec::new());
        let until = Instant::now() + effort.time;
        let readers = (0..8).map(|_| {
            let request = way.stream.clone();
            tokio::spawn(async move {
                let (mut firsts, mut pieces) = (Vec::new(), Vec::new());
                while Instant::now() < until {
                    let (first, lags) = streams::read(&request).await;
                    firsts.push(first);
                    pieces.extend(lags);
                }
                (firsts, pieces)
            })
        });
        for reader in futures::future::join_all(readers).await {
            let (first, lags) = reader.unwrap();
            firsts.extend(first);
            pieces.extend(lags);
        }
        let (firsts, pieces) = (Latencies::new(firsts, effort.time), Latencies::new(pieces, effort.time));
        println!(
            "| {} | {:.0} | {:.0} | {:.0} |",
            way.name,
            firsts.micros(0.5),
            pieces.micros(0.5),
            pieces.micros(0.99)
        );
    }
    println!();
}

/// A provider as real ones are, and a record that outlives a power cut.
async fn slow(effort: Effort) {
    let fake = fake::start(Duration::from_millis(50));
    let power = front(&fake, "claw, everything on, audit `power`", true, "power");
    let process = front(&fake, "claw, everything on, audit `process`", true, "process");
    let ways = [
        way("directly", &fake.address, "", "fake", "sk-fake", None),
        power.way,
        process.way,
    ];
    println!(
        "| provider of 50 ms: open loop | req/s | p50 µs | p99 µs | added p50 µs | added p99 µs |\n|---|---|---|---|---|---|"
    );
    for rate in [200, 500] {
        compare(&ways, rate, effort).await;
    }
    println!();
}

/// Memory with nothing to do, and with many calls that wait.
async fn memory(effort: Effort) {
    let fake = fake::start(Duration::from_secs(6));
    let front = front(&fake, "claw, everything on", true, "process");
    let floor = floor::start(&fake.address);
    let ways = [
        way(FLOOR, &floor.address, "", "fake", "sk-fake", Some(floor.pid())),
        front.way,
    ];
    tokio::time::sleep(Duration::from_millis(500)).await;
    println!("start to ready: {:.0} ms\n", front.gateway.ready.as_secs_f64() * 1e3);
    println!(
        "| resident MiB | idle | {} calls in flight | KiB a call | answered |\n|---|---|---|---|---|",
        effort.in_flight
    );
    for way in &ways {
        in_flight(way, effort.in_flight).await;
    }
}

async fn in_flight(way: &Way, count: usize) {
    let resident = || way.pid.map_or(0.0, resident_mib);
    let idle = resident();
    let mut open = Vec::new();
    for _ in 0..count {
        open.push(Connection::open(&way.request.address).await);
    }
    let request = Arc::new(way.request.clone());
    let calls: Vec<_> = open
        .into_iter()
        .map(|mut connection| {
            let request = request.clone();
            tokio::spawn(async move { connection.send(&request).await.0 })
        })
        .collect();
    let mut most = idle;
    for _ in 0..40 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        most = most.max(resident());
    }
    let answered = futures::future::join_all(calls).await;
    let good = answered.into_iter().filter(|status| matches!(status, Ok(200))).count();
    println!(
        "| {} | {idle:.0} | {most:.0} | {:.0} | {good} |",
        way.name,
        (most - idle) * 1024.0 / count as f64
    );
}
