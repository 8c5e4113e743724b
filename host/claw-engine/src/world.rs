//! The little that a guest gets of WASI: clocks and randomness that are journaled, and
//! standard streams that end in the journal. No environment, no arguments, no input.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use claw_core::grants::hex;
use claw_core::journal::{Effect, Recorder};
use claw_core::ports::{Run, World};
use rand::rngs::ChaCha20Rng;
use rand::{RngExt as _, SeedableRng as _};
use wasmtime_wasi::{HostMonotonicClock, HostWallClock, WasiCtx, WasiCtxBuilder};

use crate::context::Flooded;
use crate::limits::{MAX_HOST_CALLS, MAX_RANDOM};
use crate::stdio::{LogBudget, Stream};

/// The most clock reads that a journal keeps.
const MAX_CLOCK_READS: u32 = 256;

/// The WASI state of one run.
pub(crate) fn wasi(run: &Run, logs: &LogBudget, flooded: &Flooded) -> WasiCtx {
    let seed = match &run.world {
        World::Live => rand::rng().random::<[u8; 32]>(),
        World::Fixed { seed, .. } => *seed,
    };
    run.journal.push(Effect::Seed { seed: hex(&seed) }, 64);
    let mut secure = ChaCha20Rng::from_seed(seed);
    let mut insecure_seed = seed;
    secure.fill(&mut insecure_seed);
    let insecure = ChaCha20Rng::from_seed(insecure_seed);
    let clocks = Arc::new(Clocks {
        started: Instant::now(),
        fixed: match run.world {
            World::Live => None,
            World::Fixed { wall_nanos, .. } => Some(wall_nanos),
        },
        reads: AtomicU32::new(0),
        calls: AtomicU64::new(0),
        journal: run.journal.clone(),
        flooded: flooded.clone(),
    });
    WasiCtxBuilder::new()
        .stdout(logs.stream(Stream::Out))
        .stderr(logs.stream(Stream::Err))
        .insecure_random_seed(u128::from_le_bytes(first_half(&insecure_seed)))
        .secure_random(secure)
        .insecure_random(insecure)
        .max_random_size(MAX_RANDOM)
        .wall_clock(Wall(clocks.clone()))
        .monotonic_clock(Monotonic(clocks))
        .allow_tcp(false)
        .allow_udp(false)
        .allow_ip_name_lookup(false)
        .build()
}

fn first_half(bytes: &[u8; 32]) -> [u8; 16] {
    std::array::from_fn(|place| bytes.get(place).copied().unwrap_or_default())
}

/// Both clocks of one run, and the count of their reads.
struct Clocks {
    started: Instant,
    fixed: Option<u64>,
    reads: AtomicU32,
    calls: AtomicU64,
    journal: Arc<Recorder>,
    flooded: Flooded,
}

impl Clocks {
    fn read(&self, clock: &str, live: impl FnOnce() -> u64, base: u64) -> u64 {
        let calls = self.calls.fetch_add(1, Ordering::Relaxed);
        if calls > MAX_HOST_CALLS {
            self.flooded.store(true, Ordering::Relaxed);
        }
        let nanos = match self.fixed {
            Some(_) => base.saturating_add(calls.saturating_mul(1_000)),
            None => live(),
        };
        match self.reads.fetch_add(1, Ordering::Relaxed) {
            read if read < MAX_CLOCK_READS => self.journal.push(
                Effect::Clock {
                    clock: clock.to_owned(),
                    nanos,
                },
                32,
            ),
            MAX_CLOCK_READS => self.journal.push(Effect::ClockCap { kept: MAX_CLOCK_READS }, 16),
            _ => {
                // Held at the cap, so that the counter cannot wrap and keep reads again.
                self.reads.store(MAX_CLOCK_READS + 1, Ordering::Relaxed);
            }
        }
        nanos
    }
}

struct Wall(Arc<Clocks>);

impl HostWallClock for Wall {
    fn resolution(&self) -> Duration {
        Duration::from_micros(1)
    }

    fn now(&self) -> Duration {
        let live = || SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, nanos);
        Duration::from_nanos(self.0.read("wall", live, self.0.fixed.unwrap_or_default()))
    }
}

struct Monotonic(Arc<Clocks>);

impl HostMonotonicClock for Monotonic {
    fn resolution(&self) -> u64 {
        1_000
    }

    fn now(&self) -> u64 {
        self.0.read("monotonic", || nanos(self.0.started.elapsed()), 0)
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
