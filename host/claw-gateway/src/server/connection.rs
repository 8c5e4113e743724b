//! One connection, from its first byte to its end. HTTP/1.1 only: every other protocol here
//! would be one more way to be attacked, for callers on the same machine.

use std::convert::Infallible;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::routing::Router;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::stall::Stalling;
use crate::app::{App, Shared};
use crate::middleware;
use crate::problem::{HttpCode, Refusal};

/// The most bytes of a head, and of what waits to be written.
const BUFFER_BYTES: usize = 64 << 10;
/// How long, and how much, a connection that is done may go on sending before it is closed.
const LINGER: Duration = Duration::from_secs(2);
const LINGER_BYTES: usize = 16 << 20;

/// Serves one connection.
pub(super) async fn serve(app: &Shared, router: Router, stream: TcpStream, peer: IpAddr) {
    let _open = app.metrics.connected();
    let settings = &app.gateway.settings;
    let io = TokioIo::new(Stalling::new(stream, settings.write_timeout));
    let service = service_fn(|request: hyper::Request<Incoming>| {
        let (app, router) = (Arc::clone(app), router.clone());
        async move { Ok::<_, Infallible>(middleware::answer(&app, router, middleware::adopt(request), peer).await) }
    });
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(settings.header_timeout)
        .max_buf_size(BUFFER_BYTES)
        .serve_connection(io, service);
    let mut stopping = pin!(app.stopping.cancelled());
    let mut dropped = pin!(app.dropped.cancelled());
    let mut draining = false;
    let result = loop {
        tokio::select! {
            biased;
            result = &mut connection => break result,
            () = &mut dropped => return,
            () = &mut stopping, if !draining => {
                draining = true;
                std::pin::Pin::new(&mut connection).graceful_shutdown();
            }
        }
    };
    let parts = connection.into_parts();
    let mut stream = parts.io.into_inner().into_inner();
    if let Err(error) = &result {
        tracing::debug!(%error, "a connection ended early");
        // One that was only idle has nothing to be told.
        if error.is_timeout() && !parts.read_buf.is_empty() {
            let seconds = settings.header_timeout.as_secs_f64();
            let refusal = Refusal::new(
                HttpCode::RequestTimeout,
                format!("the headers did not arrive within {seconds} s"),
            );
            say(&mut stream, &refusal);
        }
    }
    linger(app, stream).await;
}

/// Says that there are too many connections.
pub(super) async fn turn_away(app: &App, mut stream: TcpStream) {
    let refusal = Refusal::new(
        HttpCode::TooManyConnections,
        "the gateway holds as many connections as it may",
    );
    say(&mut stream, &refusal.retry_after(Duration::from_secs(1)));
    linger(app, stream).await;
}

/// Writes a refusal as far as the socket takes it at once: who does not read is not waited for.
fn say(stream: &mut TcpStream, refusal: &Refusal) {
    let _ = stream.try_write(&refusal.raw());
}

/// Closing a socket that still has unread bytes resets it, and the peer may fail to write
/// before it reads the answer. So: the end is announced, and what still comes is thrown away
/// for a moment, unless the gateway stops.
async fn linger(app: &App, mut stream: TcpStream) {
    let drained = async {
        stream.shutdown().await?;
        let mut buffer = vec![0u8; 16 << 10];
        let mut left = LINGER_BYTES;
        while left > 0 {
            match stream.read(&mut buffer).await? {
                0 => break,
                read => left = left.saturating_sub(read),
            }
        }
        std::io::Result::Ok(())
    };
    tokio::select! {
        biased;
        () = app.stopping.cancelled() => {}
        // The peer has gone, or had its moment: both are the end.
        _ = tokio::time::timeout(LINGER, drained) => {}
    }
}
