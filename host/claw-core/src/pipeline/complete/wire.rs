//! Calls of official SDKs: the same decisions and the same record, and the bytes of the answer
//! as they come. Refuses to let the last of them go before the call is on record.

use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use futures::{Stream, StreamExt as _};

use super::asked::Asked as _;
use super::{Begun, Complete, Completer, Granted, ended_early, refuse_open, refused, took_too_long, until};
use crate::audit::{Body, OpenEntry, Outcome, Status};
use crate::budget::Note;
use crate::errors::Fault;
use crate::meter::Meter;
use crate::model::ModelRoute;
use crate::pii::Vault;
use crate::policy::{Changed, Decision};
use crate::routing::{Kind, Wanted};
use crate::wire::{WireBody, WireCall, WireDone, WirePiece, WireRequest, WireStream};

/// Of a streamed answer no more than this is hashed and kept, in bytes.
const MAX_KEPT: usize = 16 << 20;

/// The room that is kept for an answer of which the caller does not say how long it may be, in
/// tokens.
const ANSWER: u64 = 4_096;

/// Bytes of an answer as they are made, in the caller's dialect. Dropping it cancels the call.
pub type ByteStream = Pin<Box<dyn Stream<Item = Result<Said, Fault>> + Send>>;

/// Bytes of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// There will be more.
    More(Bytes),
    /// The last ones; the call is on record.
    Last(Bytes),
}

/// An answer to a caller's SDK.
pub struct Answered {
    /// What served it.
    pub route: ModelRoute,
    /// Headers of the provider that the caller's SDK reads.
    pub headers: Vec<(String, String)>,
    /// What was decided about the call.
    pub policy: Decision,
    /// What budgets have to say about it.
    pub budgets: Vec<Note>,
    /// It is a draft.
    pub draft: bool,
    /// How many attempts it took so far.
    pub attempts: u32,
    /// Until the answer began, the time that was not spent waiting for providers.
    pub overhead: Duration,
    /// The rest.
    pub body: AnsweredBody,
}

/// The body of an answer to a caller's SDK.
pub enum AnsweredBody {
    /// All of it.
    Whole(Bytes, Box<WireDone>),
    /// As it is made.
    Stream(ByteStream),
}

impl Completer {
    /// One call in the words of the caller's own SDK.
    ///
    /// # Errors
    /// As [`Completer::complete`]; those of a stream that has begun are its last item.
    pub async fn wire(&self, call: &Complete, request: WireRequest) -> Result<Answered, Fault> {
        let started = Instant::now();
        let Begun {
            mut entry,
            granted,
            meter,
            keep,
        } = self.begin(call, &request).await?;
        let changed = match granted.permit.redaction() {
            Some(redaction) => redaction.wire(request),
            None => Ok(Changed::not_at_all(request)),
        };
        let Changed { request, vault } = match changed {
            Ok(changed) => changed,
            Err(fault) => return refuse_open(entry, granted, fault).await,
        };
        let upstream = self.models.forward(
            &granted.permit,
            &granted.plan,
            WireCall {
                request,
                deadline: call.deadline,
                meter: meter.clone(),
            },
        );
        let (recorded, result) = tokio::join!(entry.recorded(), until(call.deadline, upstream));
        let answer = match recorded.and(result) {
            Ok(answer) => answer,
            Err(fault) => {
                granted.held.settle();
                entry.close(Outcome::failed(&fault)).await?;
                return Err(fault);
            }
        };
        let policy = granted.permit.decision().clone();
        let budgets = granted.held.notes().to_vec();
        let draft = granted.permit.draft();
        let body = match answer.body {
            WireBody::Whole(bytes, done) => {
                let bytes = vault.map_or(bytes.clone(), |vault| unmasked(bytes, &vault));
                granted.held.settle();
                entry.close(whole(&done, bytes.clone(), keep, draft)).await?;
                AnsweredBody::Whole(bytes, done)
            }
            WireBody::Stream(inner) => AnsweredBody::Stream(audited(inner, entry, granted, call.deadline, keep)),
        };
        let (attempts, waited) = tried(&meter);
        Ok(Answered {
            route: answer.route,
            headers: answer.headers,
            policy,
            budgets,
            draft,
            attempts,
            overhead: started.elapsed().saturating_sub(waited),
            body,
        })
    }
}

impl Completer {
    /// Puts on record a call that was refused before it came to the door, and gives the refusal
    /// back.
    pub async fn refuse(&self, call: &Complete, request: &WireRequest, fault: Fault) -> Fault {
        let policy = self.policy.load_full();
        let intent = self.intent(call, request, policy.keep_bodies(), refused(policy.decision(), &fault), None);
        let written = match OpenEntry::open(&*self.audit, intent) {
            Ok(entry) => entry.close(Outcome::failed(&fault)).await,
            Err(unavailable) => Err(unavailable),
        };
        written.err().unwrap_or(fault)
    }

    /// How many tokens are left of the first candidate's window beside a request.
    pub fn room(&self, call: &Complete, request: &WireRequest) -> Option<u64> {
        let wanted = Wanted {
            name: &call.use_name,
            kind: Kind::Wire(request.api),
            input_tokens: 0,
            output_tokens: None,
            answers: 1,
            fits_schema: false,
        };
        let plan = self.models.plan(&wanted).ok()?;
        let first = plan.candidates.first()?;
        let listed = self
            .models
            .list()
            .into_iter()
            .find(|listing| listing.name == first.route.entry);
        let window = listed?.context_tokens?;
        let taken = request
            .input_tokens()
            .saturating_add(request.max_output_tokens().unwrap_or(ANSWER));
        Some(window.saturating_sub(taken))
    }
}

/// An answer with what was masked put back. What is no JSON is left as it is.
fn unmasked(bytes: Bytes, vault: &Vault) -> Bytes {
    let Ok(mut value) = serde_json::from_slice::<serde_json::Value>(&bytes) else {
        return bytes;
    };
    vault.restore_value(&mut value);
    serde_json::to_vec(&value).map_or(bytes, Bytes::from)
}

fn tried(meter: &Arc<Meter>) -> (u32, Duration) {
    meter.note(|known| (u32::try_from(known.attempts.len()).unwrap_or(u32::MAX), known.upstream))
}

fn whole(done: &WireDone, bytes: Bytes, keep: bool, draft: bool) -> Outcome {
    Outcome {
        model: Some(done.model.clone()),
        usage: Some(done.usage),
        draft,
        response: Body { bytes, keep },
        ..Outcome::of(Status::Ok)
    }
}

struct Audited {
    inner: WireStream,
    open: Option<(OpenEntry, Granted)>,
    deadline: Instant,
    said: BytesMut,
    keep: bool,
}

impl Audited {
    fn remember(&mut self, bytes: &[u8]) {
        let room = MAX_KEPT.saturating_sub(self.said.len());
        self.said.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
    }
}

/// The stream, with its entry closed before its last events leave; dropped before that, the
/// entry is `abandoned`, what was used so far is charged, and the call upstream is cancelled.
fn audited(inner: WireStream, entry: OpenEntry, granted: Granted, deadline: Instant, keep: bool) -> ByteStream {
    let state = Audited {
        inner,
        open: Some((entry, granted)),
        deadline,
        said: BytesMut::new(),
        keep,
    };
    Box::pin(futures::stream::unfold(state, |mut state| async move {
        let (entry, granted) = state.open.take()?;
        let next = tokio::time::timeout_at(state.deadline.into(), state.inner.next()).await;
        let item = match next {
            Ok(Some(Ok(WirePiece::Bytes(bytes)))) => {
                state.remember(&bytes);
                state.open = Some((entry, granted));
                return Some((Ok(Said::More(bytes)), state));
            }
            Ok(Some(Ok(WirePiece::Done(done)))) => Ok(done),
            Ok(Some(Err(fault))) => Err(fault),
            Ok(None) => Err(ended_early()),
            Err(_) => Err(took_too_long()),
        };
        let draft = granted.permit.draft();
        granted.held.settle();
        let outcome = match &item {
            Ok(done) => {
                state.remember(&done.last);
                whole(done, state.said.split().freeze(), state.keep, draft)
            }
            Err(fault) => Outcome {
                response: Body {
                    bytes: state.said.split().freeze(),
                    keep: state.keep,
                },
                ..Outcome::failed(fault)
            },
        };
        let closed = entry.close(outcome).await;
        Some((closed.and(item).map(|done| Said::Last(done.last)), state))
    }))
}
