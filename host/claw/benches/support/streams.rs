//! Streams whose pieces say when they left.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::io::AsyncWriteExt as _;

use super::http::{Connection, Request};

/// Sends a request on a connection of its own and reads its answer to the end: the time to the
/// first piece, and how long each was under way.
pub(crate) async fn read(request: &Request) -> (Duration, Vec<Duration>) {
    let mut connection = Connection::open(&request.address).await;
    let began = Instant::now();
    connection.stream.write_all(&request.bytes).await.unwrap();
    let (mut first, mut lags, mut seen) = (None, Vec::new(), 0);
    loop {
        connection.more().await;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        while let Some(place) = find(&connection.pending[seen..], b"\"at ") {
            let from = seen + place + 4;
            let Some(end) = find(&connection.pending[from..], b" ") else {
                break;
            };
            let left = std::str::from_utf8(&connection.pending[from..from + end]).unwrap();
            first.get_or_insert_with(|| began.elapsed());
            lags.push(now.saturating_sub(Duration::from_nanos(left.parse().unwrap())));
            seen = from + end;
        }
        if find(&connection.pending[seen..], b"[DONE]").is_some() {
            return (first.unwrap(), lags);
        }
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}
