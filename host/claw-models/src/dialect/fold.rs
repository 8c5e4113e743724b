//! A stream of a provider's events, folded into one answer while its pieces are handed on.
//! Refuses to be whole before the provider's own terminator has come.

use std::collections::VecDeque;

use claw_core::model::{ModelEvent, ToolCall};
use serde_json::Value;

use crate::answer::{Answer, TooLong, arguments};

/// Why a stream or a body is no answer.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Broken {
    /// The provider reports an error; its own words.
    Said(Value),
    /// It cannot be understood; the words complete "the answer of the provider …".
    Bad(String),
}

impl From<TooLong> for Broken {
    fn from(_: TooLong) -> Self {
        Broken::Bad("is too long".to_owned())
    }
}

/// What is known of a stream so far.
#[derive(Debug, Default)]
pub(crate) struct Folding {
    pub(crate) answer: Answer,
    /// Pieces that were not handed on yet.
    pub(crate) out: VecDeque<ModelEvent>,
    /// The model has begun to answer, be it to think or to write a tool call.
    pub(crate) started: bool,
}

impl Folding {
    /// More text.
    pub(crate) fn text(&mut self, more: &str) -> Result<(), Broken> {
        if !more.is_empty() {
            self.started = true;
            self.answer.push_text(more)?;
            self.out.push_back(ModelEvent::TextDelta(more.to_owned()));
        }
        Ok(())
    }

    /// A tool call whose arguments are complete, as text.
    pub(crate) fn call(&mut self, id: String, name: String, text: &str) -> Result<(), Broken> {
        let call = tool_call(id, name, text)?;
        self.started = true;
        self.answer.push_call(call.clone())?;
        self.out.push_back(ModelEvent::ToolCall(call));
        Ok(())
    }
}

/// An id for a tool call whose provider gives none; no other call of its conversation has it.
pub(crate) fn new_call_id() -> String {
    format!("call_{:016x}", rand::random::<u64>())
}

/// A tool call with sound arguments.
pub(crate) fn tool_call(id: String, name: String, text: &str) -> Result<ToolCall, Broken> {
    if name.is_empty() {
        return Err(Broken::Bad("calls a tool without a name".to_owned()));
    }
    let arguments = arguments(text).ok_or_else(|| {
        let name = crate::text::clean(&crate::text::clip(&name, 64), &[]);
        Broken::Bad(format!("calls the tool `{name}` with arguments that are not a JSON object"))
    })?;
    Ok(ToolCall { id, name, arguments })
}

/// One dialect's way through a stream.
pub(crate) trait Fold: Send {
    /// One event. `true`: it was the terminator, and the answer is whole.
    ///
    /// # Errors
    /// See [`Broken`].
    fn event(&mut self, event: &Value, into: &mut Folding) -> Result<bool, Broken>;

    /// The marker `[DONE]`, as [`Fold::event`].
    ///
    /// # Errors
    /// See [`Broken`].
    fn done_marker(&mut self, _into: &mut Folding) -> Result<bool, Broken> {
        Ok(false)
    }
}
