//! A request's body as JSON: declared as such, bounded in size while it arrives, and in
//! time. Refuses what a page could send without asking first.

use std::fmt;

use axum::body::{Body, Bytes};
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use claw_core::errors::{Code, Fault};
use http_body_util::BodyExt as _;
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use tokio::sync::OwnedSemaphorePermit;

use crate::app::App;
use crate::gateway::Settings;
use crate::problem::{HttpCode, Refusal};

/// What one permit for request bodies stands for, in bytes.
pub(crate) const UNIT: usize = 4 << 10;

/// Room for a body, given back when its call is over.
pub(crate) type Room = OwnedSemaphorePermit;

/// The whole body as JSON, and the room that it takes while its call runs.
pub(crate) async fn json(app: &App, headers: &HeaderMap, body: Body) -> Result<(Value, Room), Refusal> {
    let settings = &app.gateway.settings;
    let bytes = bytes(settings, settings.body_limit_bytes, headers, body).await?;
    let room = room(app, bytes.len())?;
    match parse(headers, &bytes)? {
        Some(value) => Ok((value, room)),
        None => Err(empty()),
    }
}

/// The whole body of a model call, byte by byte and as one JSON object, and the room that it
/// takes. Images make these large.
pub(crate) async fn object(app: &App, headers: &HeaderMap, body: Body) -> Result<(Bytes, Value, Room), Refusal> {
    let settings = &app.gateway.settings;
    let bytes = bytes(settings, settings.model_body_limit_bytes, headers, body).await?;
    let room = room(app, bytes.len())?;
    match parse(headers, &bytes)? {
        Some(value @ Value::Object(_)) => Ok((bytes, value, room)),
        Some(_) => Err(Refusal::fault(Fault::new(
            Code::InvalidInput,
            "the body is not a JSON object",
        ))),
        None => Err(empty()),
    }
}

fn empty() -> Refusal {
    Refusal::new(HttpCode::MalformedJson, "the body is empty").hint("send a JSON object, `{}` at least")
}

fn room(app: &App, length: usize) -> Result<Room, Refusal> {
    let units = length.div_ceil(UNIT).max(1);
    let room = app
        .bodies
        .clone()
        .try_acquire_many_owned(u32::try_from(units).unwrap_or(u32::MAX));
    room.map_err(|_| {
        let fault = Fault::new(Code::Overloaded, "too many requests are being worked on");
        Refusal::fault(fault.retry_after_ms(1_000))
    })
}

/// The whole body as JSON, or nothing where it is empty.
pub(crate) async fn optional_json(settings: &Settings, headers: &HeaderMap, body: Body) -> Result<Option<Value>, Refusal> {
    parse(headers, &bytes(settings, settings.body_limit_bytes, headers, body).await?)
}

async fn bytes(settings: &Settings, limit: usize, headers: &HeaderMap, body: Body) -> Result<Bytes, Refusal> {
    let declared = headers.get(CONTENT_TYPE);
    if declared.is_some_and(|kind| !kind.to_str().is_ok_and(is_json)) {
        return Err(not_json("the body is declared as something else than JSON"));
    }
    if headers
        .get(CONTENT_ENCODING)
        .is_some_and(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity"))
    {
        return Err(not_json("the body is compressed").hint("send it as it is"));
    }
    let length = headers
        .get(CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if length.is_some_and(|length| length > limit as u64) {
        return Err(too_large(limit));
    }
    let collected = tokio::time::timeout(settings.body_timeout, collect(limit, body)).await;
    collected.map_err(|_| {
        let seconds = settings.body_timeout.as_secs_f64();
        Refusal::new(
            HttpCode::RequestTimeout,
            format!("the body did not arrive within {seconds} s"),
        )
    })?
}

fn parse(headers: &HeaderMap, bytes: &[u8]) -> Result<Option<Value>, Refusal> {
    if bytes.is_empty() {
        return Ok(None);
    }
    if !headers.contains_key(CONTENT_TYPE) {
        return Err(not_json("the request has no `content-type`"));
    }
    let parsed = serde_json::from_slice::<Once>(bytes);
    parsed.map(|once| Some(once.0)).map_err(|error| {
        let what = if error.is_data() { "cannot be taken" } else { "is not JSON" };
        Refusal::new(HttpCode::MalformedJson, format!("the body {what}: {error}"))
    })
}

/// A value in which no object has a field twice: one reader would take the first, another the
/// last, and policy must see what is sent.
struct Once(Value);

impl<'de> Deserialize<'de> for Once {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OnceVisitor).map(Once)
    }
}

struct OnceVisitor;

impl<'de> Visitor<'de> for OnceVisitor {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut all = Vec::new();
        while let Some(Once(item)) = items.next_element()? {
            all.push(item);
        }
        Ok(Value::Array(all))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Value, A::Error> {
        let mut all = Map::new();
        while let Some((name, Once(field))) = fields.next_entry::<String, Once>()? {
            if all.contains_key(&name) {
                let shown: String = name.chars().take(64).collect();
                return Err(serde::de::Error::custom(format!("the field `{shown}` is there twice")));
            }
            all.insert(name, field);
        }
        Ok(Value::Object(all))
    }
}

async fn collect(limit: usize, mut body: Body) -> Result<Bytes, Refusal> {
    let mut first = Bytes::new();
    let mut all = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Refusal::new(HttpCode::BadRequest, "the body ended before it was complete"))?;
        // Trailers say nothing here.
        let Ok(data) = frame.into_data() else { continue };
        if first.len().max(all.len()) + data.len() > limit {
            return Err(too_large(limit));
        }
        // Most bodies come in one piece, and are not copied.
        if first.is_empty() && all.is_empty() {
            first = data;
        } else {
            if all.is_empty() {
                all.extend_from_slice(&first);
            }
            all.extend_from_slice(&data);
        }
    }
    Ok(if all.is_empty() { first } else { Bytes::from(all) })
}

fn is_json(kind: &str) -> bool {
    let mut parts = kind.split(';').map(str::trim);
    let essence = parts.next().unwrap_or_default().to_ascii_lowercase();
    let subtype = essence.strip_prefix("application/").unwrap_or_default();
    let named = subtype == "json" || (subtype.len() > "+json".len() && subtype.ends_with("+json"));
    let utf8 = |value: &str| value.trim_matches('"').eq_ignore_ascii_case("utf-8");
    named
        && parts
            .filter_map(|part| part.split_once('='))
            .all(|(name, value)| !name.eq_ignore_ascii_case("charset") || utf8(value))
}

fn too_large(limit: usize) -> Refusal {
    let message = format!("the body is larger than {limit} bytes");
    Refusal::new(HttpCode::BodyTooLarge, message)
}

fn not_json(detail: &str) -> Refusal {
    Refusal::new(HttpCode::UnsupportedMediaType, detail).hint("send `content-type: application/json`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_that_is_there_twice_is_refused_at_any_depth() {
        let read = |text: &str| serde_json::from_str::<Once>(text).map(|once| once.0);
        for text in [
            r#"{"content":"jane@example.com","content":"hi"}"#,
            r#"[{"a":{"b":1,"\u0062":2}}]"#,
        ] {
            assert!(
                read(text).is_err_and(|error| error.to_string().contains("is there twice")),
                "{text}"
            );
        }
        let text = r#"{"a":[1,-2,0.1,null,true,"x",18446744073709551615],"b":{"a":1e300}}"#;
        assert_eq!(read(text).ok(), serde_json::from_str::<Value>(text).ok());
    }

    #[test]
    fn only_json_counts_as_json() {
        let check = |kind: &str, expected: bool| assert_eq!(is_json(kind), expected, "{kind:?}");
        check("application/json", true);
        check("Application/JSON; charset=\"UTF-8\"", true);
        check("application/vnd.claw+json;v=1", true);
        check("application/json; charset=utf-16", false);
        check("application/+json", false);
        check("text/plain", false);
        check("text/json", false);
        check("text/plain; application/json", false);
        check("application/jsonp", false);
        check("multipart/form-data; boundary=application/json", false);
        check("", false);
    }
}
