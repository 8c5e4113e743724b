//! `types`, `context`, `log` and `output`: what a guest knows of its call, and what it says.

use claw_core::journal::{Effect, LogLevel};
use claw_core::ports::OutputEvent;
use wasmtime::Result;

use crate::bindings::claw::skill::{context, log, output, types};
use crate::context::Context;

type Answer<T> = Result<std::result::Result<T, types::Error>>;

/// The most bytes of one progress message; the rest of it is cut off.
const MAX_PROGRESS: usize = 1_024;

impl types::Host for Context {}

impl context::Host for Context {
    async fn invocation_id(&mut self) -> Result<String> {
        self.count_call()?;
        Ok(self.run.id.to_string())
    }

    async fn get_caller(&mut self) -> Result<context::Caller> {
        self.count_call()?;
        Ok(context::Caller {
            subject: self.run.caller.clone(),
            traceparent: self.run.trace.to_string(),
        })
    }

    async fn remaining_ms(&mut self) -> Result<u64> {
        self.count_call()?;
        Ok(self.time_left_ms())
    }

    async fn is_cancelled(&mut self) -> Result<bool> {
        self.count_call()?;
        Ok(self.run.events.as_ref().is_some_and(tokio::sync::mpsc::Sender::is_closed))
    }

    async fn config(&mut self, key: String) -> Result<Option<String>> {
        self.count_call()?;
        Ok(self.run.config.get(&key).cloned())
    }
}

impl log::Host for Context {
    async fn write(&mut self, level: log::Level, message: String, fields_json: Option<String>) -> Result<()> {
        self.count_call()?;
        let level = match level {
            log::Level::Trace => LogLevel::Trace,
            log::Level::Debug => LogLevel::Debug,
            log::Level::Info => LogLevel::Info,
            log::Level::Warn => LogLevel::Warn,
            log::Level::Error => LogLevel::Error,
        };
        self.log(level, message, fields_json);
        Ok(())
    }
}

impl output::Host for Context {
    async fn progress(&mut self, mut message: String, percent: Option<u8>) -> Answer<()> {
        self.count_call()?;
        message.truncate(message.floor_char_boundary(MAX_PROGRESS));
        let percent = percent.map(|percent| percent.min(100));
        let size = message.len();
        self.run.journal.push(
            Effect::Progress {
                message: message.clone(),
                percent,
            },
            size,
        );
        self.tell(OutputEvent::Progress { message, percent }).await
    }

    async fn emit(&mut self, chunk: String) -> Answer<()> {
        self.count_call()?;
        if let Err(fault) = self.count_output(chunk.len()) {
            return Ok(Err(self.issue(fault)));
        }
        self.tell(OutputEvent::Chunk { text: chunk }).await
    }
}

impl Context {
    /// Hands an event to the caller, waiting while the caller is slow.
    async fn tell(&mut self, event: OutputEvent) -> Answer<()> {
        let sent = match &self.run.events {
            Some(events) => events.send(event).await.is_ok(),
            None => true,
        };
        Ok(if sent { Ok(()) } else { Err(types::Error::Cancelled) })
    }
}
