//! What a caller asks about its call in headers: a deadline, an idempotency key, its trace,
//! and a stream. Refuses values that it cannot keep to.

use std::time::{Duration, Instant};

use axum::http::header::ACCEPT;
use axum::http::{HeaderMap, HeaderValue};
use claw_core::ids::TraceParent;

use crate::gateway::Settings;
use crate::problem::{HttpCode, Refusal};

/// The wishes of a caller.
#[derive(Debug)]
pub(in crate::endpoints) struct Asked {
    pub(in crate::endpoints) trace: TraceParent,
    pub(in crate::endpoints) deadline: Option<Instant>,
    pub(super) idempotency_key: Option<String>,
    pub(super) stream: bool,
}

impl Asked {
    pub(in crate::endpoints) fn from_headers(settings: &Settings, headers: &HeaderMap) -> Result<Self, Refusal> {
        Ok(Asked {
            trace: trace(headers),
            deadline: timeout(settings, headers)?.and_then(|timeout| Instant::now().checked_add(timeout)),
            idempotency_key: headers.get("idempotency-key").map(idempotency_key).transpose()?,
            stream: headers.get_all(ACCEPT).iter().any(wants_events),
        })
    }
}

/// Two `traceparent` headers are none, as the specification asks.
fn trace(headers: &HeaderMap) -> TraceParent {
    let mut given = headers.get_all("traceparent").iter();
    let one = match (given.next(), given.next()) {
        (Some(one), None) => one.to_str().ok(),
        _ => None,
    };
    TraceParent::continue_or_generate(one)
}

fn timeout(settings: &Settings, headers: &HeaderMap) -> Result<Option<Duration>, Refusal> {
    let Some(value) = headers.get("claw-timeout-ms") else {
        return Ok(settings.default_timeout.map(|timeout| timeout.min(settings.max_timeout)));
    };
    let digits = value
        .to_str()
        .ok()
        .filter(|text| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()));
    let millis = digits
        .and_then(|text| text.parse::<u64>().ok())
        .filter(|millis| *millis > 0)
        .ok_or_else(|| {
            Refusal::new(
                HttpCode::BadHeader,
                "`claw-timeout-ms` wants a whole number of milliseconds, at least 1",
            )
        })?;
    Ok(Some(Duration::from_millis(millis).min(settings.max_timeout)))
}

fn idempotency_key(value: &HeaderValue) -> Result<String, Refusal> {
    let visible = |text: &&str| (1..=255).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
    value.to_str().ok().filter(visible).map(str::to_owned).ok_or_else(|| {
        Refusal::new(
            HttpCode::BadHeader,
            "`idempotency-key` wants 1 to 255 visible ASCII characters, without spaces",
        )
    })
}

fn wants_events(accept: &HeaderValue) -> bool {
    let kinds = accept.to_str().unwrap_or_default().split(',');
    kinds
        .filter_map(|kind| kind.split(';').next())
        .any(|kind| kind.trim().eq_ignore_ascii_case("text/event-stream"))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
            .collect()
    }

    fn asked(pairs: &[(&'static str, &str)]) -> Result<Asked, Refusal> {
        Asked::from_headers(&Settings::default(), &headers(pairs))
    }

    #[test]
    fn timeouts_are_bounded_and_checked() {
        let settings = Settings {
            max_timeout: Duration::from_secs(10),
            ..Settings::default()
        };
        let check = |value: &str, expected: Option<u64>| {
            let read = timeout(&settings, &headers(&[("claw-timeout-ms", value)]));
            let expected = expected.map(|millis| Some(Duration::from_millis(millis)));
            assert_eq!(read.ok(), expected, "{value:?}");
        };
        check("1", Some(1));
        check("1500", Some(1_500));
        check("10001", Some(10_000));
        check("18446744073709551615", Some(10_000));
        for wrong in ["0", "-1", "+1", "1.5", "1s", "0x10", "18446744073709551616"] {
            check(wrong, None);
        }
        assert_eq!(timeout(&settings, &headers(&[])).unwrap(), None);
        let settings = Settings {
            default_timeout: Some(Duration::from_secs(60)),
            ..settings
        };
        assert_eq!(timeout(&settings, &headers(&[])).unwrap(), Some(Duration::from_secs(10)));
    }

    #[test]
    fn keys_are_visible_ascii() {
        let check = |value: &str, good: bool| {
            let read = asked(&[("idempotency-key", value)])
                .ok()
                .and_then(|asked| asked.idempotency_key);
            assert_eq!(read.as_deref(), good.then_some(value), "{value:?}");
        };
        check("a", true);
        check("\"8e03978e-40d5-43dd-bc93-6894a57f9324\"", true);
        check(&"k".repeat(255), true);
        check(&"k".repeat(256), false);
        check("", false);
        check("a b", false);
        check("schlüssel", false);
    }

    #[test]
    fn a_stream_is_asked_for_by_its_media_type() {
        let check = |accept: &str, expected: bool| assert_eq!(asked(&[("accept", accept)]).unwrap().stream, expected, "{accept}");
        check("text/event-stream", true);
        check("application/json;q=0.5, Text/Event-Stream", true);
        check("application/json", false);
        check("*/*", false);
        assert!(!asked(&[]).unwrap().stream);
    }

    #[test]
    fn a_trace_goes_on_only_from_one_good_header() {
        let given = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let id = "0af7651916cd43dd8448eb211c80319c";
        assert_eq!(asked(&[("traceparent", given)]).unwrap().trace.trace_id(), id);
        assert_ne!(
            asked(&[("traceparent", given), ("traceparent", given)])
                .unwrap()
                .trace
                .trace_id(),
            id
        );
        assert_ne!(asked(&[("traceparent", &given[1..])]).unwrap().trace.trace_id(), id);
    }
}
