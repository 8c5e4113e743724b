//! Every refusal as RFC 9457 `application/problem+json`. Says what is wrong and what to
//! change; never a credential, a body, or the cause of a fault of the gateway itself.

use std::time::Duration;

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use claw_core::errors::{Code, Fault};
use claw_core::ids::InvocationId;
use claw_core::wire::{Family, errors};
use serde::Serialize;
use utoipa::ToSchema;

mod status;

pub use status::{HttpCode, status_of};

/// A problem as it is sent.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(title = "Problem")]
pub(crate) struct Problem {
    /// `urn:claw:error:` and the code.
    #[serde(rename = "type")]
    kind: String,
    /// What the code means.
    title: &'static str,
    /// The HTTP status.
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    /// What is wrong with this call.
    detail: String,
    /// A stable code to branch on.
    code: &'static str,
    /// What to change or run.
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
    /// The invocation, where there was one: its entry is in the audit journal.
    #[serde(skip_serializing_if = "Option::is_none")]
    invocation_id: Option<String>,
    /// When the same call may be tried again, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after_ms: Option<u64>,
    /// Where the input does not fit: a JSON Pointer and words for each place.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<Object>>)]
    errors: Option<serde_json::Value>,
    /// More for programs, such as the skill's own code.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    details: Option<serde_json::Value>,
}

/// A refusal, and the headers that belong to it.
#[derive(Debug)]
pub(crate) struct Refusal {
    problem: Box<Problem>,
    /// What the call failed with, for those who say it in another shape.
    fault: Option<Box<Fault>>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Refusal {
    /// A refusal of the door itself.
    pub(crate) fn new(code: HttpCode, detail: impl Into<String>) -> Self {
        let (text, status, title) = code.facts();
        Refusal::of(text, status, title, detail.into())
    }

    /// A call that failed.
    pub(crate) fn fault(fault: Fault) -> Self {
        // Whoever made the fault may have put a cause into it; the caller learns the fixed sentence.
        let fault = if fault.code == Code::Internal {
            Fault::internal()
        } else {
            fault
        };
        let status = status_of(&fault);
        let whole = Box::new(fault.clone());
        let mut refusal = Refusal::of(fault.code.as_str(), status, fault.code.meaning().trim(), fault.message);
        refusal.fault = Some(whole);
        refusal.problem.hint = fault.hint;
        if let Some(mut details) = fault.details.map(|details| *details) {
            match details.get_mut("violations") {
                Some(violations) => refusal.problem.errors = Some(violations.take()),
                None => refusal.problem.details = Some(details),
            }
        }
        match fault.retry_after_ms {
            Some(millis) => refusal.retry_after(Duration::from_millis(millis)),
            None if matches!(status, StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS) => {
                refusal.header(RETRY_AFTER, HeaderValue::from_static("1"))
            }
            None => refusal,
        }
    }

    fn of(code: &'static str, status: StatusCode, title: &'static str, detail: String) -> Self {
        let problem = Problem {
            kind: format!("urn:claw:error:{code}"),
            title,
            status: status.as_u16(),
            detail,
            code,
            hint: None,
            invocation_id: None,
            retry_after_ms: None,
            errors: None,
            details: None,
        };
        Refusal {
            problem: Box::new(problem),
            fault: None,
            headers: Vec::new(),
        }
    }

    /// With what to change or run.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.problem.hint = Some(hint.into());
        self
    }

    /// With the invocation that failed.
    pub(crate) fn invocation(mut self, id: InvocationId) -> Self {
        self.problem.invocation_id = Some(id.to_string());
        self
    }

    /// With the time after which to try again, in the body and, in whole seconds, as a header.
    pub(crate) fn retry_after(mut self, wait: Duration) -> Self {
        let millis = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX).max(1);
        self.problem.retry_after_ms = Some(millis);
        self.header(RETRY_AFTER, HeaderValue::from(millis.div_ceil(1_000)))
    }

    /// With a header.
    pub(crate) fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// The problem object alone, for an event of a stream.
    pub(crate) fn problem(&self) -> &Problem {
        &self.problem
    }

    /// The whole response as bytes, for a connection that speaks HTTP no more.
    pub(crate) fn raw(&self) -> Vec<u8> {
        let status = self.status();
        let body = serde_json::to_vec(&self.problem).unwrap_or_default();
        let mut bytes = format!(
            "HTTP/1.1 {} {}\r\n",
            status.as_u16(),
            status.canonical_reason().unwrap_or_default()
        )
        .into_bytes();
        for (name, value) in &self.headers {
            bytes.extend_from_slice(name.as_str().as_bytes());
            bytes.extend_from_slice(b": ");
            bytes.extend_from_slice(value.as_bytes());
            bytes.extend_from_slice(b"\r\n");
        }
        let rest = format!(
            "content-type: {PROBLEM_JSON}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
            body.len()
        );
        bytes.extend_from_slice(rest.as_bytes());
        bytes.extend_from_slice(&body);
        bytes
    }

    fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

/// The media type of a problem.
pub(crate) const PROBLEM_JSON: &str = "application/problem+json";

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let body = serde_json::to_vec(&self.problem).unwrap_or_default();
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = self.status();
        response
            .headers_mut()
            .insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        for (name, value) in self.headers {
            response.headers_mut().insert(name, value);
        }
        let refused = Refused {
            problem: self.problem,
            fault: self.fault,
        };
        response.extensions_mut().insert(std::sync::Arc::new(refused));
        response
    }
}

/// What a response refuses, left with it for whoever says it in another shape.
struct Refused {
    problem: Box<Problem>,
    fault: Option<Box<Fault>>,
}

/// A refusal as a family of SDKs expects it; any other response as it is.
pub(crate) fn in_words_of(family: Family, mut response: Response) -> Response {
    let Some(refused) = response.extensions_mut().remove::<std::sync::Arc<Refused>>() else {
        return response;
    };
    let problem = &refused.problem;
    let fault = refused.fault.as_deref();
    let status = fault.map_or(problem.status, errors::status);
    let words = match (fault, &problem.hint) {
        (Some(fault), _) => errors::words(fault),
        (None, Some(hint)) => format!("{} (hint: {hint})", problem.detail),
        (None, None) => problem.detail.clone(),
    };
    let request_id = problem.invocation_id.as_deref();
    let body = errors::body(family, status, problem.code, &words, fault, request_id);
    let (mut parts, _) = response.into_parts();
    parts.status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    parts
        .headers
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let named = match family {
        Family::OpenAi => "x-request-id",
        Family::Anthropic => "request-id",
    };
    if let Some(id) = request_id.and_then(|id| HeaderValue::from_str(id).ok()) {
        parts.headers.insert(HeaderName::from_static(named), id);
    }
    Response::from_parts(parts, Body::from(body.to_string()))
}

#[cfg(test)]
mod tests;
