//! How many rows and calls a second the journal acknowledges at each level, how long a caller
//! waits, and how fast the chain is verified. Prints a table; asserts nothing.
#![expect(clippy::print_stdout, reason = "it prints its table")]

use std::error::Error;
use std::path::Path;
use std::time::{Duration, Instant};

use bytes::Bytes;
use claw_core::audit::{Body, Intent, Level, OpenEntry, Outcome, Status};
use claw_core::errors::Fault;
use claw_core::ids::InvocationId;
use claw_core::policy::Decision;
use claw_core::ports::AuditLog as _;
use claw_store::{Filter, HomeKey, Journal, JournalOptions, Reader};

const POINT: Duration = Duration::from_secs(2);
const CALLERS: [usize; 3] = [1, 8, 32];

fn main() -> Result<(), Box<dyn Error>> {
    // `cargo test --benches` runs this too, to see that it works.
    let point = if std::env::args().any(|arg| arg == "--bench") {
        POINT
    } else {
        Duration::from_millis(20)
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let home = tempfile::tempdir()?;
    let key = HomeKey::load_or_create(&home.path().join("key"))?;
    println!(
        "{:<34}{:>8}{:>12}{:>12}{:>10}{:>10}{:>10}",
        "what", "callers", "rows/s", "calls/s", "p50 us", "p99 us", "max us"
    );
    for mirror in [false, true] {
        for shape in [
            Shape::Rows(Level::Process),
            Shape::Rows(Level::Power),
            Shape::Call(Level::Process),
            Shape::Call(Level::Power),
        ] {
            for callers in CALLERS {
                let folder = tempfile::tempdir_in(home.path())?;
                let path = folder.path().join("journal.db");
                let mirror_to = mirror.then(|| folder.path().join("audit.log"));
                let options = JournalOptions {
                    mirror: mirror_to,
                    ..JournalOptions::default()
                };
                let (journal, _) = Journal::open_with(&path, &key, options)?;
                let before = journal.rows();
                let began = Instant::now();
                let mut waits = runtime.block_on(measure(&journal, shape, callers, point))?;
                let (spent, rows) = (began.elapsed().as_secs_f64(), (journal.rows() - before) as f64);
                journal.close()?;
                waits.sort_unstable();
                let name = format!("{}{}", shape.name(), if mirror { ", mirrored" } else { "" });
                let (p50, p99, max) = (at(&waits, 0.50), at(&waits, 0.99), at(&waits, 1.0));
                println!(
                    "{name:<34}{callers:>8}{:>12.0}{:>12.0}{p50:>10}{p99:>10}{max:>10}",
                    rows / spent,
                    rows / spent / 2.0
                );
            }
        }
    }
    let path = home.path().join("long.db");
    let rows = if point == POINT { 1_000_000 } else { 2_000 };
    read(&runtime, &path, &key, rows)
}

/// What a caller does over and over.
#[derive(Clone, Copy)]
enum Shape {
    /// Waits for each of the two rows; a wait is one row's.
    Rows(Level),
    /// Opens an entry and closes it, as a pure skill does; a wait is the whole call's.
    Call(Level),
}

impl Shape {
    fn name(self) -> &'static str {
        match self {
            Shape::Rows(Level::Process) => "row by row, process",
            Shape::Rows(Level::Power) => "row by row, power + process",
            Shape::Call(Level::Process) => "open and close, process",
            Shape::Call(Level::Power) => "open and close, power + process",
        }
    }
}

async fn measure(journal: &Journal, shape: Shape, callers: usize, point: Duration) -> Result<Vec<u64>, Box<dyn Error>> {
    let until = Instant::now() + point;
    let tasks: Vec<_> = (0..callers)
        .map(|caller| {
            let journal = journal.clone();
            tokio::spawn(async move {
                let mut waits = Vec::new();
                while Instant::now() < until {
                    one(&journal, shape, caller, &mut waits).await?;
                }
                Ok::<_, Fault>(waits)
            })
        })
        .collect();
    let mut waits = Vec::new();
    for task in tasks {
        waits.extend(task.await??);
    }
    Ok(waits)
}

async fn one(journal: &Journal, shape: Shape, caller: usize, waits: &mut Vec<u64>) -> Result<(), Fault> {
    let began = Instant::now();
    match shape {
        Shape::Rows(level) => {
            let begun = journal.begin(intent(caller, level))?;
            begun.recorded.await?;
            waits.push(micros(began));
            let began = Instant::now();
            begun.slot.finish(outcome()).await?;
            waits.push(micros(began));
        }
        Shape::Call(level) => {
            OpenEntry::open(journal, intent(caller, level))?.close(outcome()).await?;
            waits.push(micros(began));
        }
    }
    Ok(())
}

fn read(runtime: &tokio::runtime::Runtime, path: &Path, key: &HomeKey, rows: u64) -> Result<(), Box<dyn Error>> {
    let (journal, _) = Journal::open(path, key)?;
    while journal.rows() < rows {
        runtime.block_on(measure(
            &journal,
            Shape::Call(Level::Process),
            256,
            Duration::from_millis(200),
        ))?;
    }
    let last = intent(7, Level::Process);
    let id = last.id;
    runtime.block_on(OpenEntry::open(&journal, last)?.close(outcome()))?;
    journal.close()?;
    let size = std::fs::metadata(path)?.len() >> 20;
    let reader = Reader::open(path, key)?;
    let began = Instant::now();
    let verified = reader.verify()?;
    let rate = verified.rows as f64 / began.elapsed().as_secs_f64();
    println!("\n{} rows, {size} MiB, ok: {}", verified.rows, verified.ok);
    println!("verify: {rate:.0} rows/s");
    let rare = Filter {
        caller: Some("nobody".to_owned()),
        ..Filter::default()
    };
    timed("page of the newest 100", || Ok(reader.query(&Filter::default()).map(drop)?))?;
    timed("page that finds nothing", || Ok(reader.query(&rare).map(drop)?))?;
    timed("show by id", || Ok(reader.show(id).map(drop)?))?;
    timed("stats over all", || Ok(reader.stats(&Filter::default()).map(drop)?))?;
    timed("open again", || Ok(Journal::open(path, key)?.0.close()?))
}

fn timed(what: &str, run: impl FnOnce() -> Result<(), Box<dyn Error>>) -> Result<(), Box<dyn Error>> {
    let began = Instant::now();
    run()?;
    println!("{what}: {:.3} ms", began.elapsed().as_secs_f64() * 1_000.0);
    Ok(())
}

fn intent(caller: usize, level: Level) -> Intent {
    Intent {
        key: None,
        api: None,
        context: Vec::new(),
        reserved_nanousd: None,
        id: InvocationId::generate(),
        parent: None,
        trace_id: "4bf92f3577b34da6a3ce929d0e0e4736".to_owned(),
        span: None,
        caller: format!("caller-{caller}"),
        skill: None,
        capability: "skill:pr-review-prep".to_owned(),
        version: Some("1.2.0".to_owned()),
        component_sha256: Some("9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08".to_owned()),
        model_use: None,
        model: None,
        provider: None,
        policy: Decision::default(),
        level,
        request: Body {
            bytes: Bytes::from_static(br#"{"repo":"acme/widgets","pr_number":42}"#),
            keep: false,
        },
    }
}

fn outcome() -> Outcome {
    let bytes = Bytes::from_static(br#"{"summary":"two files changed","risk":"low","findings":[]}"#);
    Outcome {
        response: Body { bytes, keep: false },
        ..Outcome::of(Status::Ok)
    }
}

fn micros(began: Instant) -> u64 {
    u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX)
}

fn at(sorted: &[u64], share: f64) -> u64 {
    let place = (sorted.len().saturating_sub(1)) as f64 * share;
    sorted.get(place as usize).copied().unwrap_or(0)
}
