//! The whole gateway beside its floors, in the same run: HTTP invokes at both audit levels, a
//! bare axum echo, and axum around bare wasmtime; start, memory, and how fast a hostile guest
//! is stopped. `cargo bench -p claw --bench gateway`.
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
#[path = "support/http.rs"]
mod http;
#[path = "support/measure.rs"]
mod measure;
#[path = "support/process.rs"]
mod process;
#[path = "support/program.rs"]
mod program;
#[path = "support/running.rs"]
mod running;

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::routing::post;
use checkout::root;
use http::{Connection, Request};
use measure::{Latencies, closed_loop, median};
use process::{cpu_seconds, resident_mib};
use program::{claw, command, run};
use running::Gateway;
use serde_json::{Value, json};

const ROUNDS: usize = 5;
const TIME: Duration = Duration::from_secs(2);

/// An invoke of a skill.
fn invoke(gateway: &Gateway, skill: &str, body: &Value, headers: &[(&str, &str)]) -> Request {
    let bearer = format!("Bearer {}", gateway.token);
    let mut all = vec![("authorization", bearer.as_str())];
    all.extend_from_slice(headers);
    Request::post(
        &gateway.address,
        &format!("/v1/skills/{skill}/invoke"),
        &all,
        body.to_string().as_bytes(),
    )
}

fn home_with(skills: &[&str]) -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    assert_eq!(run(command(home.path()).args(["onboard", "--yes"])).code, 0);
    for skill in skills {
        std::fs::copy(guests::built(skill), home.path().join("skills").join(format!("{skill}.wasm"))).unwrap();
        assert_eq!(run(command(home.path()).args(["skill", "allow", skill, "--all"])).code, 0);
    }
    home
}

async fn loop_over(request: Request, callers: usize) -> Latencies {
    let connections: Vec<_> = futures::future::join_all((0..callers).map(|_| Connection::open(&request.address))).await;
    let connections = Arc::new(connections.into_iter().map(tokio::sync::Mutex::new).collect::<Vec<_>>());
    let request = Arc::new(request);
    closed_loop(callers, TIME, move |caller| {
        let (connections, request) = (connections.clone(), request.clone());
        async move {
            let (status, _) = connections[caller].lock().await.send(&request).await;
            assert_eq!(status, 200);
        }
    })
    .await
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    println!("{}\n", measure::machine());
    rates().await;
    stops().await;
    weights().await;
}

/// Invokes a second and their latencies, beside the floors.
async fn rates() {
    let home = home_with(&["echo"]);
    let power_home = home_with(&["echo"]);
    let hashed_home = home_with(&["echo"]);
    std::fs::write(hashed_home.path().join("policies.yaml"), "policies: []\n").unwrap();
    let process = Gateway::start(home.path(), &[]);
    let hashed = Gateway::start(hashed_home.path(), &[]);
    let power = Gateway::start(power_home.path(), &["--audit-skills", "power"]);
    let echo = serve(Router::new().route("/", post(async |body: String| body))).await;
    let bare = Arc::new(bare::Bare::new(&guests::component("echo")));
    let wasm = serve(Router::new().route("/", post(async move |body: String| bare.call(&body).await))).await;

    let body = json!({ "text": "hello" });
    let plain = |address: &str| Request::post(address, "/", &[], body.to_string().as_bytes());
    let subjects = [
        ("claw, audit `process`, bodies kept", invoke(&process, "echo", &body, &[])),
        ("claw, audit `process`, bodies hashed", invoke(&hashed, "echo", &body, &[])),
        ("claw, audit `power`, bodies kept", invoke(&power, "echo", &body, &[])),
        ("floor: axum around bare wasmtime, nothing audited", plain(&wasm)),
        ("floor: axum echo", plain(&echo)),
    ];
    println!("| HTTP invoke, loader on the same cores | p50 µs | p99 µs | req/s |\n|---|---|---|---|");
    let mut ratios = Vec::new();
    for callers in [1, 32] {
        let mut rounds: Vec<Vec<Latencies>> = subjects.iter().map(|_| Vec::new()).collect();
        for round in 0..ROUNDS {
            for (place, (_, request)) in subjects.iter().enumerate() {
                let taken = loop_over(request.clone(), callers).await;
                if round > 0 {
                    rounds[place].push(taken);
                }
            }
        }
        for ((name, _), rounds) in subjects.iter().zip(&rounds) {
            let of = |figure: &dyn Fn(&Latencies) -> f64| median(rounds.iter().map(figure).collect());
            println!(
                "| {name}, {callers} callers | {:.0} | {:.0} | {:.0} |",
                of(&|l| l.micros(0.5)),
                of(&|l| l.micros(0.99)),
                of(&Latencies::rate)
            );
        }
        let rate = |place: usize| median(rounds[place].iter().map(Latencies::rate).collect());
        ratios.push((callers, rate(1) / rate(3)));
    }
    for (callers, ratio) in ratios {
        println!("\nclaw (`process`, hashed) / axum around bare wasmtime, {callers} callers: {ratio:.2} of its rate");
    }
    println!();
}

async fn serve(router: Router) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    address
}

/// How long after its limit a hostile guest is gone.
async fn stops() {
    let home = home_with(&["hostile"]);
    let gateway = Gateway::start(home.path(), &[]);
    println!("| hostile guest | ends with | ms from request to answer, median of 9 |\n|---|---|---|");
    let attacks = [
        (
            "endless loop, timeout 100 ms",
            json!({ "mode": "loop" }),
            vec![("claw-timeout-ms", "100")],
        ),
        (
            "sleep in a host call, timeout 100 ms",
            json!({ "mode": "sleep", "count": 60_000 }),
            vec![("claw-timeout-ms", "100")],
        ),
        ("memory bomb, 64 MiB", json!({ "mode": "memory" }), vec![]),
        ("deep recursion", json!({ "mode": "recursion", "count": 100_000_000 }), vec![]),
        (
            "output of 9.5 MB, limit 64 KiB",
            json!({ "mode": "output", "count": 9_500_000 }),
            vec![],
        ),
        ("host-call flood, 1,000,000", json!({ "mode": "host-calls" }), vec![]),
        ("handle flood", json!({ "mode": "handles" }), vec![]),
        ("panic", json!({ "mode": "panic" }), vec![]),
    ];
    let mut connection = Connection::open(&gateway.address).await;
    for (name, input, headers) in attacks {
        let request = invoke(&gateway, "hostile", &input, &headers);
        let (mut taken, mut code) = (Vec::new(), String::new());
        for _ in 0..9 {
            let began = Instant::now();
            let (_, body) = connection.send(&request).await;
            taken.push(began.elapsed().as_secs_f64() * 1e3);
            let problem: Value = serde_json::from_slice(&body).unwrap();
            code = problem["code"].as_str().unwrap_or("answered").to_owned();
        }
        println!("| {name} | `{code}` | {:.1} |", median(taken));
    }
    println!();
}

/// Start and memory.
async fn weights() {
    let home = home_with(&["echo"]);
    let bytes = guests::component("echo");
    // Ten skills that are different to the cache and the catalog.
    for place in 0..9 {
        let text = format!(
            "---\nname: echo-{place}\ndescription: Echo.\nversion: 1.0.0\nmetadata: {{claw: {{idempotent: true}}}}\n---\n"
        );
        let bytes = claw_engine::package::embed(&bytes, &[("SKILL.md".to_owned(), text.into_bytes())].into()).unwrap();
        std::fs::write(home.path().join("skills").join(format!("echo-{place}.wasm")), bytes).unwrap();
    }
    drop(Gateway::start(home.path(), &[]));
    let (mut ready, mut cpu) = (Vec::new(), Vec::new());
    for _ in 0..5 {
        let gateway = Gateway::start(home.path(), &[]);
        ready.push(gateway.ready.as_secs_f64() * 1e3);
        cpu.push(cpu_seconds(gateway.child.id()));
    }
    let gateway = Gateway::start(home.path(), &[]);
    tokio::time::sleep(Duration::from_secs(1)).await;
    let (idle, idle_cpu) = (resident_mib(gateway.child.id()), cpu_seconds(gateway.child.id()));
    tokio::time::sleep(Duration::from_secs(5)).await;
    let idle_cpu = cpu_seconds(gateway.child.id()) - idle_cpu;
    let request = invoke(&gateway, "echo", &json!({ "text": "hello" }), &[]);
    let mut connections: Vec<_> = futures::future::join_all((0..16).map(|_| Connection::open(&gateway.address))).await;
    let calls = connections.iter_mut().map(|connection| async {
        for _ in 0..625 {
            assert_eq!(connection.send(&request).await.0, 200);
        }
    });
    futures::future::join_all(calls).await;
    println!("| gateway with 10 cached skills | |\n|---|---|");
    println!("| start to ready, ms | {:.0} |", median(ready));
    println!("| CPU seconds to ready | {:.2} |", median(cpu));
    println!("| resident, idle, MiB | {idle:.0} |");
    println!("| CPU ms a second, idle | {:.1} |", idle_cpu * 1e3 / 5.0);
    println!(
        "| resident after 10,000 invokes, 16 at once, MiB | {:.0} |",
        resident_mib(gateway.child.id())
    );
    let size = std::fs::metadata(claw()).unwrap().len();
    println!("| the program's file, MB | {:.1} |", size as f64 / 1e6);
}
