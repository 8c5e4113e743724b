//! The answer of a call as server-sent events, in the order in which the skill made them.
//! Bounded: a slow reader slows the skill down; one that hangs up ends the call.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderName, HeaderValue};
use axum::response::Response;
use claw_core::errors::Fault;
use claw_core::ids::{InvocationId, TraceParent};
use claw_core::pipeline::{Invocation, Output};
use claw_core::ports::OutputEvent;
use serde::Serialize;
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

use super::invoke::{envelope, marks, refused, run};
use crate::app::Shared;
use crate::body::Room;
use crate::problem::Refusal;

/// Events that wait for the reader.
const EVENTS: usize = 16;

/// Answers with a stream, once there is something to say. A call that fails before that is
/// refused with its own status, as without a stream.
pub(super) async fn answer(app: Shared, mut invocation: Invocation, room: Room) -> Result<Response, Refusal> {
    let (sender, events) = mpsc::channel(EVENTS);
    invocation.events = Some(sender);
    let (id, trace) = (invocation.id, invocation.trace);
    let heartbeat = app.gateway.settings.heartbeat;
    // A task of its own, so that its deadline ends it while the reader does not read. The
    // handle ends it when the reader has gone.
    let work = run(app.clone(), invocation);
    let running = AbortOnDropHandle::new(app.tasks.spawn(async move {
        let ended = work.await;
        drop(room);
        ended
    }));
    let mut call = Call {
        id,
        trace,
        events,
        running: Some(running),
        result: None,
        heartbeat,
    };
    let first = match call.next().await {
        Some(Item::End(Err(refusal))) => return Err(refusal),
        first => first,
    };
    let rest = futures::stream::unfold((first, call), |(first, mut call)| async move {
        let item = match first {
            Some(item) => item,
            None => call.next().await?,
        };
        Some((Ok::<_, Infallible>(frame(item)), (None, call)))
    });
    let mut response = Response::new(Body::from_stream(rest));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    for (name, value) in marks(id, trace) {
        headers.insert(name, value);
    }
    Ok(response)
}

enum Item {
    Event(OutputEvent),
    Silence,
    End(Result<Output, Refusal>),
}

/// A running call and its reader's end of the channel.
struct Call {
    id: InvocationId,
    trace: TraceParent,
    events: mpsc::Receiver<OutputEvent>,
    running: Option<AbortOnDropHandle<(Result<Output, Fault>, Duration)>>,
    result: Option<Result<Output, Fault>>,
    heartbeat: Duration,
}

impl Call {
    /// The next thing to say; nothing after the end. Cancellation-safe: what was taken out is
    /// returned, or kept.
    async fn next(&mut self) -> Option<Item> {
        while let Some(running) = &mut self.running {
            tokio::select! {
                biased;
                Some(event) = self.events.recv() => return Some(Item::Event(event)),
                ended = running => {
                    let (result, _) = ended.unwrap_or_else(|_| {
                        tracing::error!(invocation = %self.id, "a streaming call panicked");
                        (Err(Fault::internal()), Duration::ZERO)
                    });
                    self.result = Some(result);
                    self.running = None;
                }
                () = tokio::time::sleep(self.heartbeat) => return Some(Item::Silence),
            }
        }
        // What was said before the end comes before it.
        if let Ok(event) = self.events.try_recv() {
            return Some(Item::Event(event));
        }
        let result = self.result.take()?;
        Some(Item::End(result.map_err(|fault| refused(fault, self.id, self.trace))))
    }
}

fn frame(item: Item) -> Bytes {
    match item {
        Item::Event(event @ OutputEvent::Progress { .. }) => named("progress", &event),
        Item::Event(event @ OutputEvent::Chunk { .. }) => named("chunk", &event),
        Item::Silence => Bytes::from_static(b": still running\n\n"),
        Item::End(Ok(output)) => named("result", &envelope(output)),
        Item::End(Err(refusal)) => named("error", refusal.problem()),
    }
}

/// One event. JSON text has no line break in it, so one `data` line holds it.
fn named(name: &str, data: &impl Serialize) -> Bytes {
    let mut bytes = format!("event: {name}\ndata: ").into_bytes();
    // Nothing here has a key that is no string, so it can be written.
    let _ = serde_json::to_writer(&mut bytes, data);
    bytes.extend_from_slice(b"\n\n");
    Bytes::from(bytes)
}
