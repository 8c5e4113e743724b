//! The host's side as the component sees it: the words of this crate to those of `wit/`.

use std::time::Duration;

use crate::bindings::claw::skill as wit;
use crate::bindings::exports::claw::skill::handler::Request;
use crate::context::{Caller, Context};
use crate::error::{Error, Kind};
use crate::files::{self, WriteMode};
use crate::log::Level;
use crate::model::{Completion, Event, Finish, Message, Options, Part, Role, ToolCall, Usage};
use crate::nodes::{Payload, Reply};
use crate::{Skill, run};

/// What the exported function does.
pub fn __invoke<S: Skill>(request: Request) -> Result<wit::types::Payload, wit::types::Error> {
    let context = Context {
        idempotency_key: request.idempotency_key,
    };
    let output = payload_in(request.input).and_then(|input| run::<S>(input, &context));
    output
        .map(|value| wit::types::Payload::Json(value.to_string()))
        .map_err(error_out)
}

pub(crate) fn invocation_id() -> String {
    wit::context::invocation_id()
}

pub(crate) fn caller() -> Caller {
    let caller = wit::context::get_caller();
    Caller {
        subject: caller.subject,
        traceparent: caller.traceparent,
    }
}

pub(crate) fn remaining() -> Duration {
    Duration::from_millis(wit::context::remaining_ms())
}

pub(crate) fn is_cancelled() -> bool {
    wit::context::is_cancelled()
}

pub(crate) fn config(key: &str) -> Option<String> {
    wit::context::config(key)
}

pub(crate) fn log(level: Level, message: &str, fields: Option<&str>) {
    let level = match level {
        Level::Trace => wit::log::Level::Trace,
        Level::Debug => wit::log::Level::Debug,
        Level::Info => wit::log::Level::Info,
        Level::Warn => wit::log::Level::Warn,
        Level::Error => wit::log::Level::Error,
    };
    wit::log::write(level, message, fields);
}

pub(crate) fn progress(message: &str, percent: Option<u8>) -> Result<(), Error> {
    wit::output::progress(message, percent).map_err(error_in)
}

pub(crate) fn emit(chunk: &str) -> Result<(), Error> {
    wit::output::emit(chunk).map_err(error_in)
}

pub(crate) fn invoke(capability: &str, input: Payload) -> Result<Reply, Error> {
    let input = match input {
        Payload::Json(value) => wit::types::Payload::Json(value.to_string()),
        Payload::Text(text) => wit::types::Payload::Text(text),
        Payload::Bytes { mime, data } => wit::types::Payload::Bytes(wit::types::Blob { mime, data }),
    };
    let reply = wit::nodes::invoke(capability, &input).map_err(error_in)?;
    Ok(Reply {
        output: payload_in(reply.output)?,
        node: reply.node,
        duration: Duration::from_millis(reply.duration_ms),
    })
}

pub(crate) fn stat(path: &str) -> Result<files::Entry, Error> {
    wit::files::stat(path).map(entry_in).map_err(error_in)
}

pub(crate) fn read(path: &str) -> Result<Vec<u8>, Error> {
    wit::files::read(path).map_err(error_in)
}

pub(crate) fn read_range(path: &str, offset: u64, length: u32) -> Result<Vec<u8>, Error> {
    wit::files::read_range(path, offset, length).map_err(error_in)
}

pub(crate) fn list(path: &str) -> Result<Vec<files::Entry>, Error> {
    Ok(wit::files::list(path).map_err(error_in)?.into_iter().map(entry_in).collect())
}

pub(crate) fn write(path: &str, data: &[u8], mode: WriteMode) -> Result<(), Error> {
    let mode = match mode {
        WriteMode::Create => wit::files::WriteMode::Create,
        WriteMode::Replace => wit::files::WriteMode::Replace,
        WriteMode::Append => wit::files::WriteMode::Append,
    };
    wit::files::write(path, data, mode).map_err(error_in)
}

pub(crate) fn make_directory(path: &str) -> Result<(), Error> {
    wit::files::make_directory(path).map_err(error_in)
}

pub(crate) fn complete(use_name: &str, messages: &[Message], options: &Options) -> Result<Completion, Error> {
    let messages: Vec<_> = messages.iter().map(message_out).collect();
    wit::model::complete(use_name, &messages, &options_out(options))
        .map(completion_in)
        .map_err(error_in)
}

pub(crate) struct EventStream(wit::model::EventStream);

pub(crate) fn complete_stream(use_name: &str, messages: &[Message], options: &Options) -> Result<EventStream, Error> {
    let messages: Vec<_> = messages.iter().map(message_out).collect();
    wit::model::complete_stream(use_name, &messages, &options_out(options))
        .map(EventStream)
        .map_err(error_in)
}

impl EventStream {
    pub(crate) fn next(&mut self, max: u32) -> Result<Option<Vec<Event>>, Error> {
        let events = self.0.next(max).map_err(error_in)?;
        Ok(events.map(|events| events.into_iter().map(event_in).collect()))
    }
}

pub(crate) fn embed(use_name: &str, texts: &[String]) -> Result<Vec<Vec<f32>>, Error> {
    wit::model::embed(use_name, texts).map_err(error_in)
}

fn entry_in(entry: wit::files::Entry) -> files::Entry {
    let kind = match entry.kind {
        wit::files::Kind::File => files::Kind::File,
        wit::files::Kind::Directory => files::Kind::Directory,
        wit::files::Kind::Other => files::Kind::Other,
    };
    files::Entry {
        name: entry.name,
        kind,
        size: entry.size,
    }
}

fn payload_in(payload: wit::types::Payload) -> Result<Payload, Error> {
    match payload {
        wit::types::Payload::Json(text) => Ok(Payload::Json(serde_json::from_str(&text)?)),
        wit::types::Payload::Text(text) => Ok(Payload::Text(text)),
        wit::types::Payload::Bytes(blob) => Ok(Payload::Bytes {
            mime: blob.mime,
            data: blob.data,
        }),
    }
}

fn error_in(error: wit::types::Error) -> Error {
    use wit::types::Error as Wit;
    let (kind, detail) = match error {
        Wit::Denied(detail) => (Kind::Denied, detail),
        Wit::InvalidInput(detail) => (Kind::InvalidInput, detail),
        Wit::NotFound(detail) => (Kind::NotFound, detail),
        Wit::Unavailable(detail) => (Kind::Unavailable, detail),
        Wit::Timeout(detail) => (Kind::Timeout, detail),
        Wit::LimitExceeded(detail) => (Kind::LimitExceeded, detail),
        Wit::Cancelled => return Error::cancelled(),
        Wit::Other(detail) => (Kind::Other, detail),
    };
    Error::of(
        kind,
        detail.code,
        detail.message,
        detail.retry_after_ms.map(Duration::from_millis),
    )
}

fn error_out(error: Error) -> wit::types::Error {
    use wit::types::Error as Wit;
    let retry_after_ms = error
        .retry_after()
        .map(|after| u64::try_from(after.as_millis()).unwrap_or(u64::MAX));
    let detail = wit::types::ErrorDetail {
        code: error.code().to_owned(),
        message: error.message().to_owned(),
        retry_after_ms,
    };
    match error.kind() {
        Kind::Denied => Wit::Denied(detail),
        Kind::InvalidInput => Wit::InvalidInput(detail),
        Kind::NotFound => Wit::NotFound(detail),
        Kind::Unavailable => Wit::Unavailable(detail),
        Kind::Timeout => Wit::Timeout(detail),
        Kind::LimitExceeded => Wit::LimitExceeded(detail),
        Kind::Cancelled => Wit::Cancelled,
        Kind::Other => Wit::Other(detail),
    }
}

fn message_out(message: &Message) -> wit::model::Message {
    let role = match message.role {
        Role::System => wit::model::Role::System,
        Role::User => wit::model::Role::User,
        Role::Assistant => wit::model::Role::Assistant,
        Role::Tool => wit::model::Role::Tool,
    };
    let parts = message.parts.iter().map(|part| match part {
        Part::Text(text) => wit::model::Part::Text(text.clone()),
        Part::Blob { mime, data } => wit::model::Part::Blob(wit::types::Blob {
            mime: mime.clone(),
            data: data.clone(),
        }),
        Part::ToolCall(call) => wit::model::Part::ToolCall(wit::model::ToolCall {
            id: call.id.clone(),
            name: call.name.clone(),
            arguments_json: call.arguments_json.clone(),
        }),
        Part::ToolResult { id, content, is_error } => wit::model::Part::ToolResult(wit::model::ToolResult {
            id: id.clone(),
            content: content.clone(),
            is_error: *is_error,
        }),
    });
    wit::model::Message {
        role,
        parts: parts.collect(),
    }
}

fn options_out(options: &Options) -> wit::model::Options {
    let tools = options.tools.iter().map(|tool| wit::model::ToolDef {
        name: tool.name.clone(),
        description: tool.description.clone(),
        schema_json: tool.schema.to_string(),
    });
    wit::model::Options {
        max_tokens: options.max_tokens,
        temperature: options.temperature,
        stop: options.stop.clone(),
        response_schema_json: options.response_schema.as_ref().map(ToString::to_string),
        tools: tools.collect(),
        extra: options
            .extra
            .iter()
            .map(|(key, value)| (key.clone(), value.to_string()))
            .collect(),
    }
}

fn call_in(call: wit::model::ToolCall) -> ToolCall {
    ToolCall {
        id: call.id,
        name: call.name,
        arguments_json: call.arguments_json,
    }
}

fn completion_in(done: wit::model::Completion) -> Completion {
    let role = match done.message.role {
        wit::model::Role::System => Role::System,
        wit::model::Role::User => Role::User,
        wit::model::Role::Assistant => Role::Assistant,
        wit::model::Role::Tool => Role::Tool,
    };
    let parts = done.message.parts.into_iter().map(|part| match part {
        wit::model::Part::Text(text) => Part::Text(text),
        wit::model::Part::Blob(blob) => Part::Blob {
            mime: blob.mime,
            data: blob.data,
        },
        wit::model::Part::ToolCall(call) => Part::ToolCall(call_in(call)),
        wit::model::Part::ToolResult(result) => Part::ToolResult {
            id: result.id,
            content: result.content,
            is_error: result.is_error,
        },
    });
    let finish = match done.finish {
        wit::model::Finish::Stop => Finish::Stop,
        wit::model::Finish::Length => Finish::Length,
        wit::model::Finish::ToolCalls => Finish::ToolCalls,
        wit::model::Finish::Filtered => Finish::Filtered,
        wit::model::Finish::Other => Finish::Other,
    };
    Completion {
        message: Message {
            role,
            parts: parts.collect(),
        },
        finish,
        usage: Usage {
            input_tokens: done.usage.input_tokens,
            output_tokens: done.usage.output_tokens,
            cached_tokens: done.usage.cached_tokens,
            reasoning_tokens: done.usage.reasoning_tokens,
            cost_nanousd: done.usage.cost_nanousd,
        },
        model: done.model,
        offline: done.offline,
        audit_id: done.audit_id,
    }
}

fn event_in(event: wit::model::Event) -> Event {
    match event {
        wit::model::Event::TextDelta(text) => Event::TextDelta(text),
        wit::model::Event::ToolCall(call) => Event::ToolCall(call_in(call)),
        wit::model::Event::Done(done) => Event::Done(Box::new(completion_in(done))),
    }
}
