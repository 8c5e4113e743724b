//! Latencies as the benches print them, and what the system says of a process.

use std::time::{Duration, Instant};

/// Latencies of one run.
pub(crate) struct Latencies {
    sorted: Vec<Duration>,
    wall: Duration,
}

impl Latencies {
    /// Those that were taken within `wall`.
    pub(crate) fn new(mut taken: Vec<Duration>, wall: Duration) -> Self {
        taken.sort_unstable();
        Latencies { sorted: taken, wall }
    }

    /// The latency that `share` of all calls stayed below, in microseconds.
    pub(crate) fn micros(&self, share: f64) -> f64 {
        let place = ((self.sorted.len() as f64 - 1.0) * share) as usize;
        self.sorted[place].as_secs_f64() * 1e6
    }

    /// Calls a second.
    pub(crate) fn rate(&self) -> f64 {
        self.sorted.len() as f64 / self.wall.as_secs_f64()
    }
}

/// Calls `one` in `callers` tasks until `time` is over.
pub(crate) async fn closed_loop<F, Fut>(callers: usize, time: Duration, one: F) -> Latencies
where
    F: Fn(usize) -> Fut + Clone + Send + 'static,
    Fut: Future<Output = ()> + Send,
{
    let started = Instant::now();
    let tasks: Vec<_> = (0..callers)
        .map(|caller| {
            let one = one.clone();
            tokio::spawn(async move {
                let mut taken = Vec::new();
                while started.elapsed() < time {
                    let began = Instant::now();
                    one(caller).await;
                    taken.push(began.elapsed());
                }
                taken
            })
        })
        .collect();
    let mut taken = Vec::new();
    for task in tasks {
        taken.extend(task.await.unwrap());
    }
    Latencies::new(taken, started.elapsed())
}

/// The median of some runs' figures.
pub(crate) fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

/// The machine, in a line.
pub(crate) fn machine() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info
        .lines()
        .find_map(|line| line.strip_prefix("model name\t: "))
        .unwrap_or("unknown processor")
        .to_owned();
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    format!(
        "{cores} cores of {model}; load before the run {}",
        load.split(' ').next().unwrap_or("?")
    )
}
