//! The engine beside its floor: the same component in bare wasmtime with the same limits, in
//! the same run. `cargo bench -p claw --bench engine`.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a bench may stop at the first surprise, and prints"
)]

#[path = "support/bare.rs"]
mod bare;
#[path = "support/checkout.rs"]
mod checkout;
#[path = "../../../tests/support/guests.rs"]
mod guests;
#[path = "support/measure.rs"]
mod measure;
#[path = "support/program.rs"]
mod program;

use std::sync::Arc;
use std::time::{Duration, Instant};

use checkout::root;
use claw_core::capability::Payload;
use claw_core::fakes::NoHost;
use claw_core::grants::{Grants, Limits};
use claw_core::ids::{InvocationId, TraceParent};
use claw_core::journal::Recorder;
use claw_core::policy::{PoliciesFile, Policy, Question};
use claw_core::ports::{Component, Run, World};
use claw_engine::{Compiler, Engine, EngineSettings, Loader};
use measure::{Latencies, closed_loop, median};
use program::{claw, command, run};
use serde_json::json;

fn one_run(host: Arc<NoHost>) -> Run {
    Run {
        id: InvocationId::generate(),
        caller: "bench".into(),
        trace: TraceParent::generate(),
        input: Payload::Json(json!({ "text": "hello" })),
        idempotency_key: None,
        deadline: Instant::now() + Duration::from_secs(60),
        grants: Arc::new(Grants::default()),
        limits: Limits::default(),
        config: Arc::default(),
        host,
        journal: Arc::new(Recorder::new()),
        events: None,
        world: World::Live,
    }
}

const ROUNDS: usize = 5;
const TIME: Duration = Duration::from_secs(2);

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    println!("{}\n", measure::machine());
    let bytes = guests::component("echo");
    let engine = Engine::new(&EngineSettings::default()).unwrap();
    let cache = tempfile::tempdir().unwrap();
    let loader = Loader::new(&engine, Compiler::InProcess, Some((cache.path(), [7; 32]))).unwrap();
    let began = Instant::now();
    let skill = loader.load(&bytes).await.unwrap();
    let cold = began.elapsed();
    let mut cached = Vec::new();
    for _ in 0..20 {
        let began = Instant::now();
        loader.load(&bytes).await.unwrap();
        cached.push(began.elapsed());
    }
    let policy = Arc::new(Policy::try_new(&PoliciesFile::default()).unwrap());
    let permit = policy.permit(&Question::new("bench", "skill:echo")).unwrap();
    let permit = Arc::new(permit);
    let bare = Arc::new(bare::Bare::new(&bytes));
    let host = Arc::new(NoHost);

    let ours = {
        let (skill, permit, host) = (skill.clone(), permit.clone(), host.clone());
        move |_| {
            let (skill, permit, host) = (skill.clone(), permit.clone(), host.clone());
            async move {
                skill.run(&permit, one_run(host)).await.unwrap();
            }
        }
    };
    let floor = {
        let bare = bare.clone();
        move |_| {
            let bare = bare.clone();
            async move {
                bare.call("{\"text\":\"hello\"}").await;
            }
        }
    };
    println!(
        "| engine invoke of a {} KB component: store, instantiate, call, drop | p50 µs | p99 µs | calls/s |",
        bytes.len() / 1000
    );
    println!("|---|---|---|---|");
    let mut ratios = Vec::new();
    for callers in [1, 2] {
        let (mut of_ours, mut of_floor): (Vec<Latencies>, Vec<Latencies>) = (Vec::new(), Vec::new());
        for round in 0..ROUNDS {
            let (one, other) = (
                closed_loop(callers, TIME, ours.clone()).await,
                closed_loop(callers, TIME, floor.clone()).await,
            );
            // The first round warms the pools up.
            if round > 0 {
                ratios.push((callers, one.micros(0.5) / other.micros(0.5)));
                of_ours.push(one);
                of_floor.push(other);
            }
        }
        print_median(&format!("claw, all limits, journal, {callers} at once"), &of_ours);
        print_median(&format!("floor: bare wasmtime, same limits, {callers} at once"), &of_floor);
    }
    for callers in [1, 2] {
        let these = ratios
            .iter()
            .filter(|(of, _)| *of == callers)
            .map(|(_, ratio)| *ratio)
            .collect();
        println!(
            "\nclaw / floor at p50, {callers} at once: {:.2} (median of rounds)",
            median(these)
        );
    }
    println!("\n| load | ms |\n|---|---|");
    println!("| cold: check, compile, link | {:.1} |", cold.as_secs_f64() * 1e3);
    println!(
        "| cached: check, verify, link | {:.2} (median of 20) |",
        Latencies::new(cached, Duration::ZERO).micros(0.5) / 1e3
    );
}

fn print_median(name: &str, rounds: &[Latencies]) {
    let of = |figure: &dyn Fn(&Latencies) -> f64| median(rounds.iter().map(figure).collect());
    println!(
        "| {name} | {:.1} | {:.1} | {:.0} |",
        of(&|l| l.micros(0.5)),
        of(&|l| l.micros(0.99)),
        of(&Latencies::rate)
    );
}
