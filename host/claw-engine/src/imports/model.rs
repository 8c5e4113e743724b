//! `model`: completions, whole and event by event, and embeddings, through the door again.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use claw_core::errors::{Code, Fault};
use claw_core::ids::InvocationId;
use claw_core::model::{Completion, CompletionRequest, Finish, Message, ModelEvent, ModelStream, Part, Role, ToolCall, ToolDef};
use futures::{FutureExt as _, StreamExt as _};
use wasmtime::Result;
use wasmtime::component::Resource;

use crate::bindings::claw::skill::{model, types};
use crate::context::Context;

type Answer<T> = Result<std::result::Result<T, types::Error>>;

/// The most events of one `next`.
const MAX_EVENTS: usize = 256;
/// The most texts of one `embed`.
const MAX_TEXTS: usize = 2_048;
/// The most completions that one run reads at once.
const MAX_STREAMS: usize = 16;

/// A completion as it is made, on the host's side.
#[expect(unreachable_pub, reason = "the generated bindings export it from a private module")]
pub struct EventStream {
    events: ModelStream,
    id: InvocationId,
    over: bool,
}

impl model::Host for Context {
    async fn complete(
        &mut self,
        use_name: String,
        messages: Vec<model::Message>,
        options: model::Options,
    ) -> Answer<model::Completion> {
        self.count_call()?;
        let host = self.run.host.clone();
        let result = match request(messages, options) {
            Ok(request) => host.complete(&use_name, request).await,
            Err(fault) => Err(fault),
        };
        Ok(match result {
            Ok((done, id)) => Ok(completion(done, id)),
            Err(fault) => Err(self.issue(fault)),
        })
    }

    async fn complete_stream(
        &mut self,
        use_name: String,
        messages: Vec<model::Message>,
        options: model::Options,
    ) -> Answer<Resource<EventStream>> {
        self.count_call()?;
        if self.streams >= MAX_STREAMS {
            let message = format!("more than {MAX_STREAMS} completions are being read at once");
            return Ok(Err(self.issue(Fault::new(Code::LimitHandles, message))));
        }
        let host = self.run.host.clone();
        let result = match request(messages, options) {
            Ok(request) => host.complete_stream(&use_name, request).await,
            Err(fault) => Err(fault),
        };
        match result {
            Ok((events, id)) => {
                self.streams += 1;
                Ok(Ok(self.table.push(EventStream { events, id, over: false })?))
            }
            Err(fault) => Ok(Err(self.issue(fault))),
        }
    }

    async fn embed(&mut self, use_name: String, texts: Vec<String>) -> Answer<Vec<Vec<f32>>> {
        self.count_call()?;
        let host = self.run.host.clone();
        let result = if texts.len() > MAX_TEXTS {
            Err(Fault::new(
                Code::InvalidInput,
                format!("`embed` takes at most {MAX_TEXTS} texts a call"),
            ))
        } else {
            host.embed(&use_name, texts).await
        };
        Ok(result.map_err(|fault| self.issue(fault)))
    }
}

impl model::HostEventStream for Context {
    async fn next(&mut self, stream: Resource<EventStream>, max: u32) -> Answer<Option<Vec<model::Event>>> {
        self.count_call()?;
        let stream = self.table.get_mut(&stream)?;
        let max = (max as usize).clamp(1, MAX_EVENTS);
        let mut events = Vec::new();
        while !stream.over && events.len() < max {
            // Waits for the first one; takes of the others what is ready.
            let item = if events.is_empty() {
                stream.events.next().await
            } else {
                match stream.events.next().now_or_never() {
                    Some(item) => item,
                    None => break,
                }
            };
            match item {
                Some(Ok(ModelEvent::TextDelta(text))) => events.push(model::Event::TextDelta(text)),
                Some(Ok(ModelEvent::ToolCall(call))) => events.push(model::Event::ToolCall(tool_call(call))),
                Some(Ok(ModelEvent::Done(done))) => {
                    stream.over = true;
                    events.push(model::Event::Done(completion(*done, stream.id)));
                }
                Some(Err(fault)) => {
                    stream.over = true;
                    return Ok(Err(self.issue(fault)));
                }
                None => stream.over = true,
            }
        }
        Ok(Ok((!events.is_empty()).then_some(events)))
    }

    async fn drop(&mut self, stream: Resource<EventStream>) -> Result<()> {
        self.streams = self.streams.saturating_sub(1);
        self.table.delete(stream)?;
        Ok(())
    }
}

fn request(messages: Vec<model::Message>, options: model::Options) -> std::result::Result<CompletionRequest, Fault> {
    let json = |what: &str, text: &str| {
        serde_json::from_str(text).map_err(|error| Fault::new(Code::InvalidInput, format!("`{what}` is no JSON: {error}")))
    };
    let response_schema = options
        .response_schema_json
        .map(|text| json("response-schema-json", &text))
        .transpose()?;
    let tools = options.tools.into_iter().map(|tool| {
        let schema = json("schema-json", &tool.schema_json)?;
        Ok(ToolDef {
            name: tool.name,
            description: tool.description,
            schema,
        })
    });
    let extra = options.extra.into_iter().map(|(key, text)| {
        let value = json(&key, &text)?;
        Ok((key, value))
    });
    Ok(CompletionRequest {
        messages: messages.into_iter().map(message).collect(),
        max_tokens: options.max_tokens,
        temperature: options.temperature,
        stop: options.stop,
        response_schema,
        tools: tools.collect::<std::result::Result<_, Fault>>()?,
        extra: extra.collect::<std::result::Result<_, Fault>>()?,
        ..CompletionRequest::default()
    })
}

fn message(message: model::Message) -> Message {
    let role = match message.role {
        model::Role::System => Role::System,
        model::Role::User => Role::User,
        model::Role::Assistant => Role::Assistant,
        model::Role::Tool => Role::Tool,
    };
    let parts = message.parts.into_iter().map(|part| match part {
        model::Part::Text(text) => Part::Text { text },
        model::Part::Blob(blob) => Part::Blob {
            mime: blob.mime,
            data: STANDARD.encode(blob.data),
        },
        model::Part::ToolCall(call) => Part::ToolCall(ToolCall {
            id: call.id,
            name: call.name,
            arguments: call.arguments_json,
        }),
        model::Part::ToolResult(result) => Part::ToolResult {
            id: result.id,
            content: result.content,
            is_error: result.is_error,
        },
    });
    Message {
        role,
        parts: parts.collect(),
    }
}

fn tool_call(call: ToolCall) -> model::ToolCall {
    model::ToolCall {
        id: call.id,
        name: call.name,
        arguments_json: call.arguments,
    }
}

fn completion(done: Completion, id: InvocationId) -> model::Completion {
    let parts = done.message.parts.into_iter().map(|part| match part {
        // No model answers with an address of an image; one that did would be read as its text.
        Part::Text { text } | Part::Link { url: text } => model::Part::Text(text),
        Part::Blob { mime, data } => model::Part::Blob(types::Blob {
            mime,
            data: STANDARD.decode(data).unwrap_or_default(),
        }),
        Part::ToolCall(call) => model::Part::ToolCall(tool_call(call)),
        Part::ToolResult { id, content, is_error } => model::Part::ToolResult(model::ToolResult { id, content, is_error }),
    });
    let finish = match done.finish {
        Finish::Stop => model::Finish::Stop,
        Finish::Length => model::Finish::Length,
        Finish::ToolCalls => model::Finish::ToolCalls,
        Finish::Filtered => model::Finish::Filtered,
        Finish::Other => model::Finish::Other,
    };
    model::Completion {
        message: model::Message {
            role: model::Role::Assistant,
            parts: parts.collect(),
        },
        finish,
        usage: model::Usage {
            input_tokens: done.usage.input_tokens,
            output_tokens: done.usage.output_tokens,
            cached_tokens: done.usage.cached_tokens,
            reasoning_tokens: done.usage.reasoning_tokens,
            cost_nanousd: done.usage.cost_nanousd,
        },
        model: done.model,
        offline: done.offline,
        audit_id: id.to_string(),
    }
}
