//! The provider speaks another dialect: the request is read into our own words, asked in the
//! provider's, and the answer written in the caller's. What a model thinks, and arguments of a
//! tool before they are whole, are not handed on.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use claw_core::errors::{Code, Fault};
use claw_core::model::{Completion, Embeddings, ModelEvent, ModelStream};
use claw_core::pii::restored;
use claw_core::wire::{Api, WireBody, WireDone, WirePiece, WireRequest, WireStream};
use futures::StreamExt as _;
use serde_json::{Value, json};

use crate::answer::estimate_request;
use crate::config::Provider;
use crate::exchange::{self, Bounds, Live};
use crate::offline;
use crate::translate::{self, Asked, Writer};

/// One call, with the attempts that the entry is given.
pub(super) async fn call(live: &Arc<Live>, request: &WireRequest, bounds: &Bounds) -> Result<WireBody, Fault> {
    match request.api {
        Api::Embeddings => return embeddings(live, request, bounds).await,
        Api::CountTokens => return count(request),
        Api::ChatCompletions | Api::Responses | Api::Messages => {}
    }
    let asked = translate::request(request.api, &request.value)?;
    let writer = Writer::new(
        request.api,
        Asked {
            id: format!("{:024x}", rand::random::<u128>() >> 32),
            model: live.entry.model.clone(),
            created: SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map_or(0, |since| since.as_secs()),
            input_tokens: estimate_request(&asked),
            include_usage: request.value.pointer("/stream_options/include_usage") == Some(&Value::Bool(true)),
        },
    );
    let offline = live.entry.provider == Provider::Offline;
    if request.stream {
        let stream = if offline {
            bounds.offline(live, offline::stream(&asked))?
        } else {
            Box::pin(exchange::stream(live.clone(), asked, bounds)).await?
        };
        let stream = match &request.masked {
            Some(vault) => restored(stream, vault.clone()),
            None => stream,
        };
        return Ok(WireBody::Stream(written(stream, writer)));
    }
    let completion = if offline {
        bounds.offline_whole(live, offline::complete(&asked))?
    } else {
        Box::pin(exchange::complete(live, asked, bounds)).await?
    };
    let done = done(&completion, Bytes::new());
    Ok(WireBody::Whole(writer.whole(&completion), Box::new(done)))
}

fn done(completion: &Completion, last: Bytes) -> WireDone {
    WireDone {
        usage: completion.usage,
        finish: Some(completion.finish),
        model: completion.model.clone(),
        last,
    }
}

fn written(stream: ModelStream, writer: Writer) -> WireStream {
    Box::pin(futures::stream::unfold(Some((stream, writer)), |state| async move {
        let (mut stream, mut writer) = state?;
        Some(match stream.next().await {
            Some(Ok(ModelEvent::Done(completion))) => {
                let last = writer.end(&completion);
                (Ok(WirePiece::Done(Box::new(done(&completion, last)))), None)
            }
            Some(Ok(event)) => (Ok(WirePiece::Bytes(writer.piece(&event))), Some((stream, writer))),
            Some(Err(fault)) => (Err(fault), None),
            None => (
                Err(Fault::new(
                    Code::ModelBadAnswer,
                    "the provider's stream ended before its answer did",
                )),
                None,
            ),
        })
    }))
}

async fn embeddings(live: &Arc<Live>, request: &WireRequest, bounds: &Bounds) -> Result<WireBody, Fault> {
    let asked = translate::embedding_request(&request.value)?;
    let made: Embeddings = if live.entry.provider == Provider::Offline {
        bounds.offline(live, Ok(offline::embed(&asked.texts)))?
    } else {
        Box::pin(exchange::embed(live, &asked.texts, bounds)).await?
    };
    bounds.meter.used(made.usage);
    let done = WireDone {
        usage: made.usage,
        finish: None,
        model: made.model.clone(),
        last: Bytes::new(),
    };
    Ok(WireBody::Whole(
        translate::embedding_answer(&made, asked.base64),
        Box::new(done),
    ))
}

/// An estimate: these providers count nothing without answering.
fn count(request: &WireRequest) -> Result<WireBody, Fault> {
    let asked = translate::request(request.api, &request.value)?;
    let body = json!({ "input_tokens": estimate_request(&asked), "claw_estimated": true });
    let done = WireDone {
        usage: claw_core::model::Usage {
            cost_nanousd: Some(0),
            ..claw_core::model::Usage::default()
        },
        finish: None,
        model: String::new(),
        last: Bytes::new(),
    };
    Ok(WireBody::Whole(Bytes::from(body.to_string()), Box::new(done)))
}
