//! An open-loop load: requests are due at set times, whatever becomes of those before, and each
//! latency counts from when it was due. What a slow server delays is seen, not left out.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::http::{Connection, Request};
use super::measure::Latencies;

/// Connections of one load. More would only queue in the kernel.
const CONNECTIONS: usize = 128;

#[derive(Default)]
struct Desk {
    idle: Vec<usize>,
    waiting: VecDeque<Instant>,
}

/// So many requests a second for so long, at even distances.
pub(crate) async fn open_loop(request: &Request, rate: u32, time: Duration) -> Latencies {
    let desk = Arc::new(Mutex::new(Desk::default()));
    let (mut doors, mut workers) = (Vec::new(), Vec::new());
    for place in 0..CONNECTIONS {
        let (door, mut tickets) = mpsc::unbounded_channel::<Instant>();
        let mut connection = Connection::open(&request.address).await;
        desk.lock().unwrap().idle.push(place);
        doors.push(door);
        let (desk, request) = (desk.clone(), request.clone());
        workers.push(tokio::spawn(async move {
            let mut taken = Vec::new();
            while let Some(mut due) = tickets.recv().await {
                loop {
                    let (status, _) = connection.send(&request).await;
                    assert_eq!(status, 200);
                    taken.push(due.elapsed());
                    let mut desk = desk.lock().unwrap();
                    match desk.waiting.pop_front() {
                        Some(next) => due = next,
                        None => {
                            desk.idle.push(place);
                            break;
                        }
                    }
                }
            }
            taken
        }));
    }
    let count = (f64::from(rate) * time.as_secs_f64()) as u32;
    let began = Instant::now();
    // A thread of its own: the runtime's clock has steps of a millisecond.
    let clock = std::thread::spawn(move || {
        for place in 0..count {
            let due = began + time.mul_f64(f64::from(place) / f64::from(count));
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            let mut desk = desk.lock().unwrap();
            match desk.idle.pop() {
                Some(worker) => drop(doors[worker].send(due)),
                None => desk.waiting.push_back(due),
            }
        }
    });
    let taken = futures::future::join_all(workers).await;
    clock.join().unwrap();
    Latencies::new(taken.into_iter().flat_map(Result::unwrap).collect(), began.elapsed())
}
