//! What a provider's failure means in our words, in one place. Never repeats a key, and
//! never more than a line of what the provider said.

use std::time::Duration;

use claw_core::errors::{Code, Fault};
use serde_json::Value;

use crate::config::{Entry, Key, Provider};
use crate::text::{clean, clip};

/// A failed attempt.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Failure {
    pub(crate) fault: Fault,
    pub(crate) retry: Retry,
    /// The provider had taken the call on, and may have it on its bill.
    pub(crate) taken_on: bool,
}

/// Whether a failed attempt may be repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Retry {
    /// It would fail again.
    Never,
    /// It may work at once, with another key.
    Now,
    /// It may work later; after this long, if the provider said.
    After(Option<Duration>),
}

impl Failure {
    /// A failure that no repetition mends.
    pub(crate) fn last(fault: Fault) -> Self {
        Failure {
            fault,
            retry: Retry::Never,
            taken_on: false,
        }
    }
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        Failure::last(fault)
    }
}

/// What the provider says about its failure.
#[derive(Clone, Debug, Default)]
pub(crate) struct Said {
    pub(crate) message: String,
    /// Its own `type`, `code` and `param`, for those who branch on them.
    pub(crate) fields: Vec<(&'static str, String)>,
    /// The provider's own word for it, such as `overloaded_error`.
    pub(crate) kind: Option<String>,
    /// When to try again, where the body says.
    pub(crate) after: Option<Duration>,
}

impl Said {
    /// What an error's body or event says, in any of the shapes in use:
    /// `{"error": {"message", "type", "code"}}`, `{"error": "…"}`, `{"message": "…"}`,
    /// `{"detail": …}`, or text.
    pub(crate) fn read(body: &str) -> Said {
        serde_json::from_str::<Value>(body).map_or_else(
            |_| Said {
                message: body.to_owned(),
                ..Said::default()
            },
            |value| Said::from_json(&value),
        )
    }

    pub(crate) fn from_json(value: &Value) -> Said {
        // Some answer with a list of one.
        let value = value.get(0).unwrap_or(value);
        let error = value.get("error").filter(|error| !error.is_null()).unwrap_or(value);
        let text = |value: &Value| match value {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        };
        let field = |name: &str| error.get(name).and_then(text);
        let detail = || {
            value
                .get("detail")
                .map(|detail| text(detail).unwrap_or_else(|| detail.to_string()))
        };
        let message = text(error)
            .or_else(|| field("message"))
            .or_else(detail)
            .unwrap_or_else(|| error.to_string());
        // `code` is the sharper word where both are there (`context_length_exceeded`).
        let kind = reason(error)
            .or_else(|| field("code").filter(|code| code != "null"))
            .or_else(|| field("type"));
        let fields = ["type", "code", "param", "status"]
            .into_iter()
            .filter_map(|key| Some((key, error.get(key)?.as_str()?.to_owned())))
            .collect();
        Said {
            message,
            fields,
            kind,
            after: retry_delay(error),
        }
    }
}

/// The detail of a Google error of this type (<https://google.aip.dev/193>).
fn detail<'a>(error: &'a Value, kind: &str) -> Option<&'a Value> {
    let details = error.get("details")?.as_array()?;
    details.iter().find(|detail| {
        let named = detail.get("@type").and_then(Value::as_str);
        named.is_some_and(|named| named.ends_with(kind))
    })
}

/// Google's sharper word: a bad key is a plain 400.
fn reason(error: &Value) -> Option<String> {
    let reason = detail(error, "google.rpc.ErrorInfo")?.get("reason")?.as_str()?;
    (reason == "API_KEY_INVALID").then(|| reason.to_owned())
}

/// `34.4s`.
fn retry_delay(error: &Value) -> Option<Duration> {
    let delay = detail(error, "google.rpc.RetryInfo")?.get("retryDelay")?.as_str()?;
    let seconds: f64 = delay.strip_suffix('s')?.parse().ok()?;
    Duration::try_from_secs_f64(seconds).ok()
}

/// The failure behind an HTTP status.
pub(crate) fn from_status(entry: &Entry, status: u16, said: &Said, after: Option<Duration>) -> Failure {
    let (code, again) = meaning(status, said);
    let after = after.or(said.after);
    let words = clean(&said.message, &entry.secrets);
    let mut fault = Fault::new(code, describe(entry, code, status, &words));
    if let Some(hint) = hint(entry, code, status) {
        fault = fault.hint(hint);
    }
    let mut details = serde_json::Map::new();
    details.insert("upstream_status".to_owned(), status.into());
    for (key, text) in &said.fields {
        details.insert((*key).to_owned(), clip(&clean(text, &entry.secrets), 128).into());
    }
    fault = fault.details(Value::Object(details));
    if let Some(after) = after.filter(|_| again || code == Code::ModelRateLimited) {
        fault = fault.retry_after_ms(u64::try_from(after.as_millis()).unwrap_or(u64::MAX));
    }
    Failure {
        fault,
        retry: if again { Retry::After(after) } else { Retry::Never },
        taken_on: false,
    }
}

/// The failure behind an error event under HTTP 200.
pub(crate) fn from_event(entry: &Entry, value: &Value) -> Failure {
    let said = Said::from_json(value);
    let status = said.kind.as_deref().map_or(500, status_of_kind);
    from_status(entry, status, &said, None)
}

/// The one place that says what a status means, and whether to try again.
fn meaning(status: u16, said: &Said) -> (Code, bool) {
    match status {
        401 | 403 => (Code::ModelAuth, false),
        400 if said.kind.as_deref() == Some("API_KEY_INVALID") => (Code::ModelAuth, false),
        400 | 413 | 422 if is_about_context(said) => (Code::ModelContextExceeded, false),
        408 => (Code::ModelTimeout, true),
        409 => (Code::ModelUnavailable, true),
        // A quota that is used up does not refill while a call waits.
        429 => (Code::ModelRateLimited, said.kind.as_deref() != Some("insufficient_quota")),
        402 => (Code::ModelUnavailable, false),
        400..=499 => (Code::ModelInvalidRequest, false),
        500.. => (Code::ModelUnavailable, true),
        // A redirect, which is never followed, or no final answer at all.
        0..=399 => (Code::ModelBadAnswer, false),
    }
}

/// The status that a provider would have sent with its word for an error, had it not sent
/// 200 already.
fn status_of_kind(kind: &str) -> u16 {
    match kind {
        "authentication_error" | "invalid_api_key" => 401,
        "billing_error" => 402,
        "permission_error" => 403,
        "not_found_error" | "model_not_found" => 404,
        "request_too_large" => 413,
        "rate_limit_error" | "rate_limit_exceeded" | "insufficient_quota" | "rate_limit" => 429,
        "invalid_request_error" | "invalid_request" | "context_length_exceeded" | "invalid_prompt" => 400,
        "timeout_error" => 504,
        "overloaded_error" => 529,
        "api_error" | "server_error" | "internal_error" => 500,
        other => other
            .parse()
            .ok()
            .filter(|status| (400..=599).contains(status))
            .unwrap_or(500),
    }
}

fn is_about_context(said: &Said) -> bool {
    if said.kind.as_deref() == Some("context_length_exceeded") {
        return true;
    }
    let message = said.message.to_lowercase();
    const SIGNS: &[&str] = &[
        "maximum context length",
        "context length",
        "context_length",
        "context window",
        "context size",
        "prompt is too long",
        "exceed context limit",
        "input is too long",
        "too many tokens",
        "exceeds the maximum number of tokens",
    ];
    SIGNS.iter().any(|sign| message.contains(sign))
}

fn describe(entry: &Entry, code: Code, status: u16, words: &str) -> String {
    let what = match code {
        Code::ModelAuth => "refuses the key",
        Code::ModelRateLimited => "limits the rate",
        Code::ModelContextExceeded => "says that the request is longer than the model's context",
        Code::ModelInvalidRequest => "refuses the request",
        Code::ModelTimeout => "timed out",
        Code::ModelBadAnswer if (300..400).contains(&status) => "answers with a redirect, which is not followed",
        Code::ModelBadAnswer => "answers with an unexpected status",
        _ => "fails",
    };
    let provider = entry.provider;
    let words = if words.is_empty() {
        String::new()
    } else {
        format!(": {words}")
    };
    format!("the provider `{provider}` {what} ({status}){words}")
}

fn hint(entry: &Entry, code: Code, status: u16) -> Option<String> {
    let Entry { name, model, .. } = entry;
    match code {
        Code::ModelAuth => Some(match &entry.key {
            Key::Missing(what) => what.clone(),
            Key::Set(_) | Key::Needless => format!("check `models.{name}.api_key` in models.yaml, or the variable it comes from"),
        }),
        Code::ModelInvalidRequest if status == 404 && entry.provider == Provider::Ollama => Some(format!(
            "run `ollama pull {model}`, or check `models.{name}.model` in models.yaml"
        )),
        Code::ModelInvalidRequest if status == 404 => Some(format!(
            "check `models.{name}.model` and `models.{name}.base_url` in models.yaml"
        )),
        Code::ModelBadAnswer => Some(format!("check `models.{name}.base_url` in models.yaml")),
        _ => None,
    }
}

/// No key, and none can be sent.
pub(crate) fn no_key(entry: &Entry, what: &str) -> Fault {
    Fault::new(
        Code::ModelAuth,
        format!("no key for the provider `{}` of the entry `{}`", entry.provider, entry.name),
    )
    .hint(what)
}

/// The connection failed before a status came.
pub(crate) fn not_reached(entry: &Entry, why: &str) -> Failure {
    let fault = Fault::new(
        Code::ModelUnavailable,
        format!("the provider `{}` cannot be reached: {why}", entry.provider),
    )
    .hint(format!(
        "check `models.{}.base_url` in models.yaml, and that the provider is running",
        entry.name
    ));
    Failure {
        fault,
        retry: Retry::After(None),
        taken_on: false,
    }
}

/// The provider answered, and the connection broke before it had said anything of use. It may
/// have done the work; another try may do better.
pub(crate) fn broken(entry: &Entry, why: &str) -> Failure {
    Failure {
        taken_on: true,
        ..not_reached(entry, why)
    }
}

/// The provider took too long; `key` is the timeout that was hit, if one of the entry's.
pub(crate) fn too_slow(entry: &Entry, waited: Duration, key: Option<&str>) -> Failure {
    let provider = entry.provider;
    let fault = match key {
        Some(key) => Fault::new(
            Code::ModelTimeout,
            format!("the provider `{provider}` sent nothing for {} ms", waited.as_millis()),
        )
        .hint(format!("raise `models.{}.timeouts.{key}` in models.yaml", entry.name)),
        None => Fault::new(
            Code::ModelTimeout,
            format!("the provider `{provider}` took longer than the call had"),
        ),
    };
    Failure {
        taken_on: true,
        ..Failure::last(fault)
    }
}

/// What came is not an answer.
pub(crate) fn bad_answer(entry: &Entry, why: &str) -> Failure {
    Failure {
        taken_on: true,
        ..Failure::last(Fault::new(
            Code::ModelBadAnswer,
            format!("the answer of the provider `{}` {why}", entry.provider),
        ))
    }
}

#[cfg(test)]
mod tests;
