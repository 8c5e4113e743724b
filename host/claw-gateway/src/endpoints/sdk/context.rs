//! What a caller wants its call to be given beside its own words: read from headers or from the
//! body's field `claw`, gathered, fitted and put in; and the turn that its session is added.

use std::sync::Arc;

use axum::body::Bytes;
use axum::http::HeaderMap;
use claw_core::context::{ContextUse, ContextWanted, Turn, fit, into_wire, question_of, said_in};
use claw_core::errors::{Code, Fault};
use claw_core::model::Role;
use claw_core::pipeline::Complete;
use claw_core::wire::{Api, WireRequest};
use serde_json::Value;

use crate::app::App;

/// Of a streamed answer no more than this is looked through for what was said, in bytes.
const MAX_SAID: usize = 4 << 20;

/// What the caller wants, taken out of the request where it stands in its body.
///
/// # Errors
/// [`Code::InvalidInput`] for what cannot be read.
pub(super) fn wanted(headers: &HeaderMap, request: &mut WireRequest) -> Result<ContextWanted, Fault> {
    let mut wanted = match request.value.get("claw") {
        Some(field) => {
            let wanted = ContextWanted::deserialize(field).map_err(|error| bad(format!("`claw` does not fit: {error}")))?;
            take_out(request)?;
            wanted
        }
        None => ContextWanted::default(),
    };
    let text = |name: &str| match headers.get(name) {
        Some(value) => value
            .to_str()
            .map(Some)
            .map_err(|_| bad(format!("the header `{name}` is not ASCII text"))),
        None => Ok(None),
    };
    if let Some(names) = text("claw-context")? {
        let names = names.split(',').map(str::trim).filter(|name| !name.is_empty());
        wanted.context.extend(names.map(str::to_owned));
    }
    if let Some(session) = text("claw-session")? {
        wanted.session = Some(session.to_owned());
    }
    if let Some(vars) = text("claw-context-vars")? {
        let vars: std::collections::BTreeMap<String, Value> = serde_json::from_str(vars)
            .map_err(|error| bad(format!("the header `claw-context-vars` is not one JSON object: {error}")))?;
        wanted.vars.extend(vars);
    }
    wanted.check()?;
    Ok(wanted)
}

use serde::Deserialize as _;

fn bad(message: String) -> Fault {
    Fault::new(Code::InvalidInput, message)
}

fn take_out(request: &mut WireRequest) -> Result<(), Fault> {
    let mut value = (*request.value).clone();
    if let Value::Object(body) = &mut value {
        body.shift_remove("claw");
    }
    request.body = serde_json::to_vec(&value).map_err(|_| Fault::internal())?.into();
    request.value = Arc::new(value);
    Ok(())
}

/// Gathers and puts in what is wanted; gives what became of each piece.
///
/// # Errors
/// Whatever keeps a required piece away.
pub(super) async fn put_in(
    app: &App,
    call: &Complete,
    wanted: &ContextWanted,
    request: &mut WireRequest,
) -> Result<Vec<ContextUse>, Fault> {
    let doors = &app.gateway.doors;
    let (gathered, mut used) = doors.gather(call, wanted, &*app.gateway.contexts).await?;
    let fitted = fit(gathered, doors.completer.room(call, request));
    if !fitted.pieces.is_empty() {
        into_wire(request, &fitted.pieces)?;
    }
    used.extend(fitted.used);
    Ok(used)
}

/// The turn that a session is added once its answer is whole.
pub(super) struct Session {
    app: Arc<App>,
    api: Api,
    stream: bool,
    caller: String,
    name: String,
    question: String,
    said: Vec<u8>,
}

impl Session {
    /// The session of a call, where it has one and asks something.
    pub(super) fn of(app: &Arc<App>, call: &Complete, wanted: &ContextWanted, request: &WireRequest) -> Option<Session> {
        Some(Session {
            app: Arc::clone(app),
            api: request.api,
            stream: request.stream,
            caller: call.caller.clone(),
            name: wanted.session.clone()?,
            question: question_of(request)?,
            said: Vec::new(),
        })
    }

    /// More of the answer.
    pub(super) fn hear(&mut self, bytes: &Bytes) {
        let room = MAX_SAID.saturating_sub(self.said.len());
        self.said.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
    }

    /// The answer is whole: both turns are kept. One that cannot be kept is said in the log, and
    /// the answer leaves all the same.
    pub(super) async fn end(self) {
        let Some(text) = said_in(self.api, self.stream, &self.said) else {
            return;
        };
        let turns = vec![
            Turn {
                role: Role::User,
                text: self.question,
            },
            Turn {
                role: Role::Assistant,
                text,
            },
        ];
        if let Err(fault) = self.app.gateway.contexts.remember(&self.caller, &self.name, turns).await {
            tracing::warn!(%fault, "a session could not be kept");
        }
    }
}
