//! The functions that the rest of the crate calls, answered by the [`Host`] of this thread.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::time::Duration;

use serde_json::Value;

use super::{Host, cassette, files as store, refused, wire};
use crate::context::Caller;
use crate::error::Error;
use crate::files::{Entry, WriteMode};
use crate::log::Level;
use crate::model::{Completion, Event, Message, Options};
use crate::nodes::{Payload, Reply};

thread_local! {
    static HOST: RefCell<Option<Host>> = const { RefCell::new(None) };
}

impl Host {
    pub(crate) fn install(self) {
        HOST.with_borrow_mut(|host| *host = Some(self));
    }

    pub(crate) fn uninstall() -> Host {
        HOST.with_borrow_mut(Option::take).unwrap_or_default()
    }
}

fn with<T>(call: impl FnOnce(&mut Host) -> T) -> Option<T> {
    HOST.with_borrow_mut(|host| host.as_mut().map(call))
}

fn within<T>(what: &str, call: impl FnOnce(&mut Host) -> Result<T, Error>) -> Result<T, Error> {
    with(call).unwrap_or_else(|| Err(refused(format!("{what} outside `testing::Host::invoke`"))))
}

pub(crate) fn invocation_id() -> String {
    "00000000-0000-7000-8000-000000000000".to_owned()
}

pub(crate) fn caller() -> Caller {
    Caller {
        subject: "test".to_owned(),
        traceparent: "00-00000000000000000000000000000001-0000000000000001-00".to_owned(),
    }
}

pub(crate) fn remaining() -> Duration {
    Duration::from_secs(60)
}

pub(crate) fn is_cancelled() -> bool {
    false
}

pub(crate) fn config(key: &str) -> Option<String> {
    with(|host| host.config.get(key).cloned()).flatten()
}

pub(crate) fn log(level: Level, message: &str, _fields: Option<&str>) {
    let _ = with(|host| host.seen.logs.push((level, message.to_owned())));
}

pub(crate) fn progress(message: &str, percent: Option<u8>) -> Result<(), Error> {
    let _ = with(|host| host.seen.progress.push((message.to_owned(), percent)));
    Ok(())
}

pub(crate) fn emit(chunk: &str) -> Result<(), Error> {
    let _ = with(|host| host.seen.emitted.push(chunk.to_owned()));
    Ok(())
}

pub(crate) fn invoke(capability: &str, input: Payload) -> Result<Reply, Error> {
    within("a capability call", |host| {
        let input = wire::payload_out(&input);
        let answer = host.cassette.play("invoke", "capability", capability, "input", &input);
        let answer = answer.ok_or_else(|| refused(format!("`{capability}` with {input}")))?;
        let output = wire::payload_in(&cassette::into_result(answer)?)?;
        Ok(Reply {
            output,
            node: "local".to_owned(),
            duration: Duration::ZERO,
        })
    })
}

pub(crate) fn complete(use_name: &str, messages: &[Message], options: &Options) -> Result<Completion, Error> {
    ask(use_name, &wire::request(messages, options), false)
}

fn ask(use_name: &str, request: &Value, stream: bool) -> Result<Completion, Error> {
    within("a model call", |host| {
        let mut answer = host.cassette.play("model", "use", use_name, "request", request);
        if answer.is_none() && host.answerer.is_some() {
            answer = host.cassette.refit_failure(use_name, request);
        }
        if let (None, Some(answerer)) = (&answer, host.answerer) {
            let made = wire::answered(&answerer(request));
            host.cassette.add_model(use_name, request, stream, &made);
            answer = Some(made);
        }
        let answer = answer.ok_or_else(|| refused(format!("the model use `{use_name}` with {request}")))?;
        wire::completion(&cassette::into_result(answer)?)
    })
}

pub(crate) struct EventStream(VecDeque<Event>);

pub(crate) fn complete_stream(use_name: &str, messages: &[Message], options: &Options) -> Result<EventStream, Error> {
    let done = ask(use_name, &wire::request(messages, options), true)?;
    let mut events: VecDeque<Event> = done
        .text()
        .split_inclusive(' ')
        .map(|word| Event::TextDelta(word.to_owned()))
        .collect();
    events.extend(done.tool_calls().cloned().map(Event::ToolCall));
    events.push_back(Event::Done(Box::new(done)));
    Ok(EventStream(events))
}

impl EventStream {
    pub(crate) fn next(&mut self, max: u32) -> Result<Option<Vec<Event>>, Error> {
        let count = (max.max(1) as usize).min(self.0.len());
        if count == 0 {
            Ok(None)
        } else {
            Ok(Some(self.0.drain(..count).collect()))
        }
    }
}

pub(crate) fn embed(use_name: &str, texts: &[String]) -> Result<Vec<Vec<f32>>, Error> {
    within("an embedding", |host| {
        let texts = Value::from(texts.to_vec());
        let answer = host.cassette.play("embed", "use", use_name, "texts", &texts);
        let answer = answer.ok_or_else(|| refused(format!("the model use `{use_name}` for {texts}")))?;
        Ok(serde_json::from_value(cassette::into_result(answer)?)?)
    })
}

pub(crate) fn stat(path: &str) -> Result<Entry, Error> {
    within("a file", |host| store::stat(host, path))
}

pub(crate) fn read(path: &str) -> Result<Vec<u8>, Error> {
    within("a file", |host| store::read(host, path))
}

pub(crate) fn read_range(path: &str, offset: u64, length: u32) -> Result<Vec<u8>, Error> {
    within("a file", |host| store::read_range(host, path, offset, length))
}

pub(crate) fn list(path: &str) -> Result<Vec<Entry>, Error> {
    within("a file", |host| store::list(host, path))
}

pub(crate) fn write(path: &str, data: &[u8], mode: WriteMode) -> Result<(), Error> {
    within("a file", |host| store::write(host, path, data, mode))
}

pub(crate) fn make_directory(path: &str) -> Result<(), Error> {
    within("a file", |host| store::make_directory(host, path))
}
