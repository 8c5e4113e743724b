//! The dialects of the providers: our request in their words, their answer in ours. Refuses
//! to drop what a dialect cannot say.

mod anthropic;
mod fold;
mod gemini;
mod ollama;
mod openai;
mod parts;

use claw_core::errors::{Code, Fault};
use claw_core::model::CompletionRequest;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use reqwest::Url;
use serde_json::{Map, Value, json};

use crate::answer::{Answer, Counts};
use crate::config::{Entry, Key, Provider};
use crate::fault::no_key;
use crate::frames::Framer;
use crate::schema::Shape;
use crate::secret::Secret;

pub(crate) use anthropic::{finish as anthropic_finish, read_usage as anthropic_usage};
pub(crate) use fold::{Broken, Fold, Folding};
pub(crate) use openai::{finish as openai_finish, read_usage as openai_usage};

/// A request, ready to be sent.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

/// Vectors as a provider sent them.
#[derive(Debug, PartialEq)]
pub(crate) struct Vectors {
    pub(crate) vectors: Vec<Vec<f32>>,
    pub(crate) counts: Counts,
    pub(crate) model: Option<String>,
}

/// Whether this provider takes response schemas of objects only.
pub(crate) fn takes_objects_only(provider: Provider) -> bool {
    match provider {
        Provider::Anthropic | Provider::OpenAi => true,
        Provider::Ollama | Provider::Gemini | Provider::Offline => false,
    }
}

/// The request for a completion.
///
/// # Errors
/// [`Code::ModelInvalidRequest`] for what the dialect cannot say, [`Code::ModelAuth`]
/// without a key.
pub(crate) fn completion(
    entry: &Entry,
    request: &CompletionRequest,
    shape: Option<&Shape>,
    stream: bool,
) -> Result<Outgoing, Fault> {
    let (path, mut body) = match entry.provider {
        Provider::Anthropic => ("v1/messages".to_owned(), anthropic::body(entry, request, shape)?),
        Provider::OpenAi => ("chat/completions".to_owned(), openai::body(entry, request, shape, stream)?),
        Provider::Ollama => ("api/chat".to_owned(), ollama::body(entry, request, shape)?),
        Provider::Gemini => {
            let what = if stream { "streamGenerateContent" } else { "generateContent" };
            (gemini::path(entry, what), gemini::body(entry, request, shape)?)
        }
        Provider::Offline => return Err(Fault::internal()),
    };
    match entry.provider {
        Provider::Ollama => drop(body.insert("stream".to_owned(), json!(stream))),
        Provider::Anthropic | Provider::OpenAi if stream => drop(body.insert("stream".to_owned(), json!(true))),
        Provider::Anthropic | Provider::OpenAi | Provider::Gemini | Provider::Offline => {}
    }
    let extra = match entry.provider {
        Provider::Ollama => ollama::take_options(&mut body, &request.extra)?,
        Provider::Gemini => gemini::take_options(&mut body, &request.extra)?,
        Provider::Anthropic | Provider::OpenAi | Provider::Offline => request.extra.clone(),
    };
    add_extra(&mut body, extra)?;
    let mut outgoing = outgoing(entry, &path, body)?;
    if stream && entry.provider == Provider::Gemini {
        outgoing.url.query_pairs_mut().append_pair("alt", "sse");
    }
    Ok(outgoing)
}

/// The request for vectors.
///
/// # Errors
/// As [`completion`].
pub(crate) fn embedding(entry: &Entry, texts: &[String]) -> Result<Outgoing, Fault> {
    let path = match entry.provider {
        Provider::OpenAi => "embeddings",
        Provider::Ollama => "api/embed",
        Provider::Gemini => {
            let path = gemini::path(entry, "batchEmbedContents");
            return outgoing(entry, &path, gemini::embedding(entry, texts));
        }
        Provider::Anthropic | Provider::Offline => {
            return Err(Fault::new(
                Code::ModelInvalidRequest,
                format!("the provider `{}` makes no embeddings", entry.provider),
            )
            .hint("let an entry of the provider `openai`, `gemini` or `ollama` serve this use in models.yaml"));
        }
    };
    let mut body = Map::new();
    body.insert("model".to_owned(), json!(entry.model));
    body.insert("input".to_owned(), json!(texts));
    outgoing(entry, path, body)
}

/// A whole answer, in the provider's words.
pub(crate) fn answer(provider: Provider, body: &Value) -> Result<Answer, Broken> {
    if let Some(error) = body.get("error").filter(|error| !error.is_null()) {
        return Err(Broken::Said(json!({ "error": error })));
    }
    match provider {
        Provider::Anthropic => anthropic::answer(body),
        Provider::OpenAi => openai::answer(body),
        Provider::Ollama => ollama::answer(body),
        Provider::Gemini => gemini::answer(body),
        Provider::Offline => Err(Broken::Bad("comes from no provider".to_owned())),
    }
}

/// Vectors, in the provider's words.
pub(crate) fn vectors(provider: Provider, body: &Value, count: usize) -> Result<Vectors, Broken> {
    if let Some(error) = body.get("error").filter(|error| !error.is_null()) {
        return Err(Broken::Said(json!({ "error": error })));
    }
    let found = match provider {
        Provider::OpenAi => openai::vectors(body),
        Provider::Ollama => ollama::vectors(body),
        Provider::Gemini => gemini::vectors(body),
        Provider::Anthropic | Provider::Offline => None,
    };
    let found = found.ok_or_else(|| Broken::Bad("holds no vectors".to_owned()))?;
    let width = found.vectors.first().map_or(0, Vec::len);
    let same = found
        .vectors
        .iter()
        .all(|vector| vector.len() == width && vector.iter().all(|x| x.is_finite()));
    if found.vectors.len() != count || !same || (count > 0 && width == 0) {
        return Err(Broken::Bad(format!(
            "holds other vectors than one of the same length for each of {count} texts"
        )));
    }
    Ok(found)
}

/// What reads a stream in the provider's words.
pub(crate) fn reader(provider: Provider) -> (Framer, Box<dyn Fold>) {
    match provider {
        Provider::Anthropic => (Framer::server_sent_events(), Box::new(anthropic::Stream::default())),
        Provider::OpenAi | Provider::Offline => (Framer::server_sent_events(), Box::new(openai::Stream::default())),
        Provider::Ollama => (Framer::json_lines(), Box::new(ollama::Stream)),
        Provider::Gemini => (Framer::server_sent_events(), Box::new(gemini::Stream)),
    }
}

fn outgoing(entry: &Entry, path: &str, body: Map<String, Value>) -> Result<Outgoing, Fault> {
    let base = entry.base_url.clone().ok_or_else(Fault::internal)?;
    let mut url = join(base, path);
    if !entry.query.is_empty() {
        url.query_pairs_mut().extend_pairs(&entry.query);
    }
    Ok(Outgoing {
        url,
        headers: headers(entry)?,
        body: Value::Object(body),
    })
}

/// Where a request of the provider's own dialect goes, and its headers.
///
/// # Errors
/// [`Code::ModelAuth`] without a key.
pub(crate) fn raw(entry: &Entry, path: &str) -> Result<Outgoing, Fault> {
    outgoing(entry, path, Map::new())
}

/// The address below the base; a version that both name stands there once.
fn join(mut base: Url, path: &str) -> Url {
    let own = base.path().trim_end_matches('/').to_owned();
    let version = path.split_once('/');
    let path = match version {
        Some((version @ ("v1" | "v1beta"), rest)) if own.ends_with(&format!("/{version}")) => rest,
        _ => path,
    };
    base.set_path(&format!("{own}/{path}"));
    base
}

/// All headers but the one that carries the key, which is chosen for each attempt.
fn headers(entry: &Entry) -> Result<HeaderMap, Fault> {
    let mut headers = entry.headers.clone();
    if entry.provider == Provider::Anthropic && !headers.contains_key("anthropic-version") {
        headers.insert("anthropic-version", HeaderValue::from_static("2023-06-01"));
    }
    match &entry.key {
        Key::Needless | Key::Set(_) => Ok(headers),
        Key::Missing(what) => Err(no_key(entry, what)),
    }
}

/// The header that carries this key.
///
/// # Errors
/// The key cannot be sent; the configuration refuses such keys.
pub(crate) fn key_header(entry: &Entry, secret: &Secret) -> Result<(HeaderName, HeaderValue), Fault> {
    let usual = match entry.provider {
        Provider::Anthropic => HeaderName::from_static("x-api-key"),
        Provider::Gemini => HeaderName::from_static("x-goog-api-key"),
        Provider::OpenAi | Provider::Ollama | Provider::Offline => header::AUTHORIZATION,
    };
    let name = entry.key_header.clone().unwrap_or(usual);
    let value = if name == header::AUTHORIZATION {
        format!("Bearer {}", secret.expose())
    } else {
        secret.expose().to_owned()
    };
    let mut value = HeaderValue::try_from(value).map_err(|_| Fault::internal())?;
    value.set_sensitive(true);
    Ok((name, value))
}

/// Keys that only [`CompletionRequest`] itself decides, in any dialect, and `n`, since an
/// answer here is one.
const OURS: &[&str] = &[
    "model",
    "messages",
    "system",
    "stream",
    "stream_options",
    "tools",
    "max_tokens",
    "max_completion_tokens",
    "temperature",
    "stop",
    "stop_sequences",
    "response_format",
    "format",
    "n",
    "contents",
    "systemInstruction",
    "toolConfig",
];

fn add_extra(body: &mut Map<String, Value>, extra: Map<String, Value>) -> Result<(), Fault> {
    for (key, value) in extra {
        if OURS.contains(&key.as_str()) || body.contains_key(&key) {
            return Err(not_free(&key));
        }
        body.insert(key, value);
    }
    Ok(())
}

/// The refusal of a knob that the request decides.
fn not_free(key: &str) -> Fault {
    let key = crate::text::clip(key, 64);
    invalid(format!("the knob `{key}` is not free: the request itself decides it"))
}

/// The fault of a request that a dialect cannot say.
fn invalid(message: impl Into<String>) -> Fault {
    Fault::new(Code::ModelInvalidRequest, message)
}

#[cfg(test)]
mod tests;
