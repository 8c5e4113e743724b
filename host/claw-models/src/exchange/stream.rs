//! A stream while it is read. It owns its connection: dropping it closes it. Refuses to
//! end well without the provider's terminator.

use std::sync::Arc;
use std::time::Instant;

use claw_core::ids::TraceParent;
use claw_core::meter::Meter;
use claw_core::model::{ModelEvent, ModelStream};
use http::header;
use reqwest::Response;

use super::http::{Chunk, Limit, Ready, chunk, read_whole, send};
use super::{Live, failure, parse, replay};
use crate::config::Provider;
use crate::dialect::{self, Fold, Folding};
use crate::fault::{Failure, bad_answer, broken};
use crate::frames::{Frame, Framer};

/// A stream whose first piece has come.
pub(super) enum Begun {
    /// As it is made.
    Pieces(Box<Reading>, Option<ModelEvent>),
    /// The provider does not stream: the whole answer at once.
    Whole(Arc<Live>, Box<crate::answer::Answer>),
}

/// A stream that is being read.
pub(super) struct Reading {
    live: Arc<Live>,
    response: Response,
    framer: Framer,
    fold: Box<dyn Fold>,
    folding: Folding,
    deadline: Instant,
    first_sign: Limit,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    /// The connection has ended, and events may be left.
    Ended,
    /// The terminator has come.
    Whole,
}

/// Sends the request and reads up to the first piece of the answer. Errors until then may
/// be repeated, also those that come as an event under HTTP 200.
pub(super) async fn begin(
    live: &Arc<Live>,
    ready: &Ready,
    span: Option<TraceParent>,
    deadline: Instant,
) -> Result<Begun, Failure> {
    let first_sign = Limit::within(deadline, live.entry.timeouts.first_token, "first_token_ms");
    let provider = live.entry.provider;
    let accept = if provider == Provider::Ollama {
        "application/x-ndjson"
    } else {
        "text/event-stream"
    };
    let response = send(live, ready, span, accept, first_sign).await?;
    if provider != Provider::Ollama && is_json(&response) {
        let body = parse(&live.entry, &read_whole(live, response, deadline).await?)?;
        let answer = dialect::answer(provider, &body).map_err(|broken| failure(&live.entry, broken))?;
        return Ok(Begun::Whole(live.clone(), Box::new(answer)));
    }
    let (framer, fold) = dialect::reader(provider);
    let folding = Folding::default();
    let mut reading = Box::new(Reading {
        live: live.clone(),
        response,
        framer,
        fold,
        folding,
        deadline,
        first_sign,
        state: State::Open,
    });
    let first = reading.next().await?;
    Ok(Begun::Pieces(reading, first))
}

fn is_json(response: &Response) -> bool {
    let kind = response
        .headers()
        .get(header::CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok());
    kind.is_some_and(|kind| kind.trim_start().starts_with("application/json"))
}

impl Begun {
    /// The stream as the caller gets it.
    pub(super) fn hand_on(self, estimated_input: u64, attempts: u32, meter: Arc<Meter>) -> ModelStream {
        let (reading, first) = match self {
            Begun::Whole(live, answer) => {
                let done = answer.completion(&live.entry, estimated_input, attempts);
                meter.used(done.usage);
                return replay(done);
            }
            Begun::Pieces(reading, first) => (reading, first),
        };
        let state = Some((reading, first, meter));
        Box::pin(futures::stream::unfold(state, move |state| async move {
            let (mut reading, first, meter) = state?;
            let next = match first {
                Some(event) => Ok(Some(event)),
                None => {
                    let started = Instant::now();
                    let next = reading.next().await;
                    meter.waited(started.elapsed());
                    next
                }
            };
            Some(match next {
                Ok(Some(event)) => {
                    meter.used(reading.folding.answer.so_far(&reading.live.entry, estimated_input));
                    (Ok(event), Some((reading, None, meter)))
                }
                Ok(None) => {
                    let answer = std::mem::take(&mut reading.folding.answer);
                    let done = answer.completion(&reading.live.entry, estimated_input, attempts);
                    meter.used(done.usage);
                    (Ok(ModelEvent::Done(Box::new(done))), None)
                }
                Err(failure) => (Err(failure.fault), None),
            })
        }))
    }
}

impl Reading {
    /// The next piece; `None` once the answer is whole.
    async fn next(&mut self) -> Result<Option<ModelEvent>, Failure> {
        loop {
            if let Some(event) = self.folding.out.pop_front() {
                return Ok(Some(event));
            }
            if self.state == State::Whole {
                return Ok(None);
            }
            if let Some(frame) = self.framer.next_frame() {
                if self.take(&frame)? {
                    self.state = State::Whole;
                }
                continue;
            }
            if self.state == State::Ended {
                return Err(bad_answer(&self.live.entry, "ended before it was whole"));
            }
            self.read_on().await?;
        }
    }

    async fn read_on(&mut self) -> Result<(), Failure> {
        let limit = if self.folding.started {
            Limit::within(self.deadline, self.live.entry.timeouts.idle, "idle_ms")
        } else {
            self.first_sign
        };
        let framed = match chunk(&self.live, &mut self.response, limit).await {
            Ok(Some(piece)) => self.framer.push(&piece),
            Ok(None) => {
                self.state = State::Ended;
                self.framer.end()
            }
            Err(Chunk::Late(failure)) => return Err(failure),
            Err(Chunk::Broken) if self.folding.started => {
                return Err(bad_answer(&self.live.entry, "broke off before it was whole"));
            }
            Err(Chunk::Broken) => return Err(broken(&self.live.entry, "the connection broke before an answer came")),
        };
        framed.map_err(|bad| bad_answer(&self.live.entry, bad.words()))
    }

    /// One event; `true` for the terminator.
    fn take(&mut self, frame: &Frame) -> Result<bool, Failure> {
        let entry = &self.live.entry;
        let result = if frame.data.trim() == "[DONE]" {
            self.fold.done_marker(&mut self.folding)
        } else {
            let event = serde_json::from_str(&frame.data).map_err(|_| bad_answer(entry, "holds an event that is not JSON"))?;
            if frame.is_error {
                Err(dialect::Broken::Said(event))
            } else {
                self.fold.event(&event, &mut self.folding)
            }
        };
        result.map_err(|broken| failure(entry, broken))
    }
}
