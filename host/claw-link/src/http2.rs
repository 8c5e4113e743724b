//! HTTP/2 over a link: the gateway asks, the node serves. Settings and what they are for were
//! measured; each has a test in `tests/link.rs`.

use std::error::Error as _;
use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use hyper::client::conn::http2 as client;
use hyper::server::conn::http2 as server;
use hyper::service::Service;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::coalesce::{Coalesced, Failed};

/// What one answer may have in flight unread, in bytes: its reader is that slow, and no other's.
const STREAM_WINDOW: u32 = 256 * 1024;

/// What all of them may have together: the most that there is. A smaller one lets a few unread
/// answers stall the link, and its half is the budget for tiny frames.
const LINK_WINDOW: u32 = (1 << 31) - 1;

/// The longest frame, in bytes.
const FRAME: u32 = 32 * 1024;

/// Calls that a node serves at once; more wait at the gateway.
const AT_ONCE: u32 = 128;

/// A link on which nothing moves is asked after this long.
const PING_AFTER: Duration = Duration::from_secs(5);

/// And has ended where it does not answer within this.
const PING_WITHIN: Duration = Duration::from_secs(10);

/// Streams that were given up are remembered, so that what still arrives for them is passed over.
/// What arrives for forgotten ones counts against the link for all its life.
const GIVEN_UP: usize = 4096;

/// Asks over a link. Cheap to clone; calls run beside one another.
#[derive(Debug)]
pub struct Asking<B>(client::SendRequest<B>);

impl<B> Clone for Asking<B> {
    fn clone(&self) -> Self {
        Asking(self.0.clone())
    }
}

/// What became of a call that has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It did not leave, or the other end says that it has not looked at it: it may be made
    /// elsewhere, whatever it does.
    NotMade,
    /// It may have been made. Only a call that may be made twice may be made elsewhere.
    Unknown,
}

/// A call that has no answer.
pub struct NotAnswered<B> {
    /// What became of it.
    pub fate: Fate,
    /// The call itself, where it did not leave.
    pub request: Option<Request<B>>,
    /// In words, for logs.
    pub why: hyper::Error,
}

impl<B> fmt::Debug for NotAnswered<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.fate, self.why)
    }
}

/// The shape of a call: absolute address, method, headers and a body.
pub type Call<B> = Request<B>;

/// The gateway's end of a link. The future has to be driven, also for control frames to move; it
/// ends with the link.
///
/// # Errors
/// The other end speaks no HTTP/2.
pub async fn ask<I, B>(io: I) -> hyper::Result<(Asking<B>, impl Future<Output = hyper::Result<()>> + Send)>
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    B: Body<Data = Bytes> + Unpin + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let (send, connection) = client::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(LINK_WINDOW)
        .max_frame_size(FRAME)
        .keep_alive_interval(PING_AFTER)
        .keep_alive_timeout(PING_WITHIN)
        .keep_alive_while_idle(true)
        .max_concurrent_reset_streams(GIVEN_UP)
        .max_local_error_reset_streams(None)
        .handshake(TokioIo::new(io))
        .await?;
    Ok((Asking(send), connection))
}

/// A service whose answers are made of no tiny frames, and whose failures say nothing of HTTP/2.
#[derive(Debug)]
pub struct Coalescing<S>(S);

impl<S, B> Service<Request<Incoming>> for Coalescing<S>
where
    S: Service<Request<Incoming>, Response = Response<B>>,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    S::Future: Send + 'static,
{
    type Response = Response<Coalesced<B>>;
    type Error = Failed;
    type Future = BoxFuture<'static, Result<Self::Response, Self::Error>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let answer = self.0.call(request);
        Box::pin(async { Ok(answer.await.map_err(Failed::of)?.map(Coalesced::new)) })
    }
}

/// The node's end of a link. The future serves until the link ends; its `graceful_shutdown` lets
/// calls under way finish and takes no more.
pub fn serve<I, S, B>(io: I, service: S) -> server::Connection<TokioIo<I>, Coalescing<S>, TokioExecutor>
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: Service<Request<Incoming>, Response = Response<B>>,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>> + 'static,
    S::Future: Send + 'static,
    B: Body<Data = Bytes> + Unpin + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    server::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(LINK_WINDOW)
        .max_frame_size(FRAME)
        .max_concurrent_streams(AT_ONCE)
        .max_send_buf_size(STREAM_WINDOW as usize)
        .max_pending_accept_reset_streams(1024)
        .keep_alive_interval(PING_AFTER)
        .keep_alive_timeout(PING_WITHIN)
        .serve_connection(TokioIo::new(io), Coalescing(service))
}

impl<B> Asking<B>
where
    B: Body + Send + 'static,
{
    /// Sends a call and waits for the head of its answer. Dropping the future, or the answer's
    /// body, cancels the call at the other end.
    ///
    /// # Errors
    /// There is no answer, and what became of the call.
    pub async fn call(&mut self, call: Call<B>) -> Result<Response<Incoming>, NotAnswered<B>> {
        if let Err(why) = self.0.ready().await {
            return Err(NotAnswered {
                fate: Fate::NotMade,
                request: Some(call),
                why,
            });
        }
        self.0.try_send_request(call).await.map_err(|mut failed| {
            let request = failed.take_message();
            let why = failed.into_error();
            let fate = if request.is_some() { Fate::NotMade } else { fate(&why) };
            NotAnswered { fate, request, why }
        })
    }

    /// The link has ended, or takes no more calls.
    pub fn is_closed(&self) -> bool {
        self.0.is_closed()
    }
}

/// Of a call that was not given back: it has left, and only a refusal by the other end says that
/// nothing was done.
fn fate(why: &hyper::Error) -> Fate {
    let mut cause = why.source();
    while let Some(error) = cause {
        if let Some(h2) = error.downcast_ref::<h2::Error>() {
            let refused = h2.is_reset() && h2.is_remote() && h2.reason() == Some(h2::Reason::REFUSED_STREAM);
            return if refused { Fate::NotMade } else { Fate::Unknown };
        }
        cause = error.source();
    }
    Fate::Unknown
}
