//! A call of an official SDK, sent to one entry: byte by byte where the provider speaks the
//! caller's dialect, translated where it does not. Hands nothing on before an answer has
//! begun, and takes no torn stream for a whole one.

mod same;
mod sniff;
mod splice;
mod split;
mod translated;

use std::sync::Arc;

use claw_core::errors::{Code, Fault};
use claw_core::wire::{Api, WireAnswer, WireCall};

use crate::config::Provider;
use crate::exchange::{Bounds, Live};
use crate::models::route;

/// One call, into which about so many tokens go, with the attempts that the entry is given.
///
/// # Errors
/// A `model.*` code; those of a stream that has begun are its last item.
pub(crate) async fn call(live: &Arc<Live>, call: &WireCall, input_tokens: u64, bounds: &Bounds) -> Result<WireAnswer, Fault> {
    if call.request.api == Api::Responses && call.request.value.get("background") == Some(&serde_json::Value::Bool(true)) {
        let message = "`background`: an answer that is made after the call has ended is not served here";
        return Err(Fault::new(Code::ModelInvalidRequest, message)
            .hint("stream the answer, or give the call more time")
            .details(serde_json::json!({ "param": "background" })));
    }
    // Placeholders may be torn by the pieces of a stream, so it has to be understood.
    let must_read = call.request.stream && call.request.masked.is_some();
    let (headers, body) = if !must_read && speaks(live.entry.provider, call.request.api) {
        Box::pin(same::call(live, &call.request, input_tokens, bounds)).await?
    } else {
        (Vec::new(), Box::pin(translated::call(live, &call.request, bounds)).await?)
    };
    Ok(WireAnswer {
        route: route(live),
        headers,
        body,
    })
}

/// Whether a provider takes this body as it is.
pub(crate) fn speaks(provider: Provider, api: Api) -> bool {
    match (provider, api) {
        (Provider::OpenAi, Api::ChatCompletions | Api::Responses | Api::Embeddings)
        | (Provider::Anthropic, Api::Messages | Api::CountTokens) => true,
        (Provider::OpenAi, Api::Messages | Api::CountTokens)
        | (Provider::Anthropic, Api::ChatCompletions | Api::Responses | Api::Embeddings)
        | (Provider::Ollama | Provider::Gemini | Provider::Offline, _) => false,
    }
}

#[cfg(test)]
mod tests;
