//! Answers with what was masked put back: whole ones, and streams whose pieces may tear a
//! placeholder. Shows a placeholder only where it stands for nothing.

use std::collections::VecDeque;
use std::sync::Arc;

use futures::StreamExt as _;

use super::{Restorer, Vault};
use crate::errors::Fault;
use crate::model::{Completion, Message, ModelEvent, ModelStream, Part, ToolCall};

impl Vault {
    /// An answer, with what was masked as its caller wrote it.
    pub fn restore_completion(&self, completion: &mut Completion) {
        self.restore_message(&mut completion.message);
    }

    fn restore_message(&self, message: &mut Message) {
        for part in &mut message.parts {
            match part {
                Part::Text { text } | Part::Link { url: text } => *text = self.restore(text),
                Part::ToolCall(call) => self.restore_call(call),
                Part::ToolResult { content, .. } => *content = self.restore(content),
                Part::Blob { .. } => {}
            }
        }
    }

    fn restore_call(&self, call: &mut ToolCall) {
        call.arguments = self.restore(&call.arguments);
    }
}

struct Restored {
    inner: ModelStream,
    vault: Arc<Vault>,
    restorer: Restorer,
    ready: VecDeque<Result<ModelEvent, Fault>>,
    ended: bool,
}

impl Restored {
    fn take(&mut self, item: Result<ModelEvent, Fault>) {
        match item {
            Ok(ModelEvent::TextDelta(text)) => {
                let sure = self.restorer.push(&text);
                self.say(sure);
            }
            Ok(ModelEvent::ToolCall(mut call)) => {
                self.rest();
                self.vault.restore_call(&mut call);
                self.ready.push_back(Ok(ModelEvent::ToolCall(call)));
            }
            Ok(ModelEvent::Done(mut completion)) => {
                self.rest();
                self.vault.restore_completion(&mut completion);
                self.ready.push_back(Ok(ModelEvent::Done(completion)));
            }
            Err(fault) => {
                self.rest();
                self.ready.push_back(Err(fault));
            }
        }
    }

    /// What was held back was no placeholder.
    fn rest(&mut self) {
        let rest = self.restorer.end();
        self.say(rest);
    }

    fn say(&mut self, text: String) {
        if !text.is_empty() {
            self.ready.push_back(Ok(ModelEvent::TextDelta(text)));
        }
    }
}

/// A stream, with what was masked as its caller wrote it. Holds back no more text than could
/// still become a placeholder.
pub fn restored(inner: ModelStream, vault: Arc<Vault>) -> ModelStream {
    let state = Restored {
        inner,
        restorer: Restorer::new(vault.clone()),
        vault,
        ready: VecDeque::new(),
        ended: false,
    };
    Box::pin(futures::stream::unfold(state, |mut state| async move {
        loop {
            if let Some(item) = state.ready.pop_front() {
                return Some((item, state));
            }
            if state.ended {
                return None;
            }
            match state.inner.next().await {
                Some(item) => state.take(item),
                None => {
                    state.ended = true;
                    state.rest();
                }
            }
        }
    }))
}
