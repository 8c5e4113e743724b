//! Steps 1, 2, 5 and 6: bounds of the head, and everything in it that two readers could
//! understand differently or that should not be there at all.

use axum::extract::Request;
use axum::http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderName, ORIGIN, TRANSFER_ENCODING};
use axum::http::{HeaderValue, Method};

use crate::app::App;
use crate::problem::{HttpCode, Refusal};

/// The most headers of a request. The parser itself gives up at 100.
const MOST_HEADERS: usize = 64;
/// The most bytes of all names and values. The parser itself gives up at 64 KiB.
const MOST_BYTES: usize = 16 << 10;
/// The most bytes of a request target.
const MOST_TARGET_BYTES: usize = 8 << 10;

/// Headers that mean something only if they are there once.
const SINGLE: [HeaderName; 9] = [
    HOST,
    AUTHORIZATION,
    HeaderName::from_static("x-api-key"),
    CONTENT_LENGTH,
    CONTENT_TYPE,
    ORIGIN,
    HeaderName::from_static("sec-fetch-site"),
    HeaderName::from_static("idempotency-key"),
    HeaderName::from_static("claw-timeout-ms"),
];

/// Names of query parameters that hold a credential elsewhere.
const TOKEN_NAMES: [&str; 9] = [
    "token",
    "access_token",
    "auth_token",
    "api_key",
    "apikey",
    "api-key",
    "x-api-key",
    "authorization",
    "bearer",
];

pub(super) fn are_bounded(_: &App, request: &Request) -> Result<(), Refusal> {
    let headers = request.headers();
    if headers.len() > MOST_HEADERS {
        return Err(Refusal::new(
            HttpCode::HeadersTooLarge,
            format!("more than {MOST_HEADERS} headers"),
        ));
    }
    let bytes: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    if bytes > MOST_BYTES {
        return Err(Refusal::new(
            HttpCode::HeadersTooLarge,
            format!("headers of more than {} KiB", MOST_BYTES >> 10),
        ));
    }
    let target = request.uri().path_and_query().map_or(0, |target| target.as_str().len());
    if target > MOST_TARGET_BYTES {
        return Err(Refusal::new(
            HttpCode::HeadersTooLarge,
            format!("a target of more than {} KiB", MOST_TARGET_BYTES >> 10),
        ));
    }
    Ok(())
}

pub(super) fn are_unambiguous(_: &App, request: &Request) -> Result<(), Refusal> {
    let headers = request.headers();
    for name in &SINGLE {
        if headers.get_all(name).iter().nth(1).is_some() {
            return Err(
                Refusal::new(HttpCode::DuplicateHeader, format!("the header `{name}` is there twice")).hint("send it once"),
            );
        }
    }
    if headers.contains_key(AUTHORIZATION) && headers.contains_key("x-api-key") {
        let refusal = Refusal::new(HttpCode::DuplicateHeader, "both `authorization` and `x-api-key` are there");
        return Err(refusal.hint("send one of the two"));
    }
    Ok(())
}

pub(super) fn have_no_token_beside_them(_: &App, request: &Request) -> Result<(), Refusal> {
    let Some(query) = request.uri().query() else { return Ok(()) };
    for pair in query.split(['&', ';']) {
        let name = decoded(pair.split('=').next().unwrap_or_default());
        if TOKEN_NAMES.iter().any(|forbidden| name.eq_ignore_ascii_case(forbidden)) {
            // The name is one of ours; the value is never repeated.
            let refusal = Refusal::new(
                HttpCode::TokenInUrl,
                format!("the URL has the parameter `{}`", name.to_ascii_lowercase()),
            );
            return Err(refusal.hint("send `Authorization: Bearer …` or `x-api-key`, and replace the token that was in the URL"));
        }
    }
    Ok(())
}

pub(super) fn announce_no_stray_body(_: &App, request: &Request) -> Result<(), Refusal> {
    if !matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS) {
        return Ok(());
    }
    let empty = |length: &HeaderValue| length.as_bytes() == b"0";
    let headers = request.headers();
    if headers.contains_key(TRANSFER_ENCODING) || headers.get(CONTENT_LENGTH).is_some_and(|length| !empty(length)) {
        return Err(Refusal::new(
            HttpCode::BadRequest,
            format!("a {} has no body", request.method()),
        ));
    }
    Ok(())
}

/// `%74oken` as `token`. What is not valid stays as it is: it is no name that is looked for.
fn decoded(name: &str) -> String {
    let bytes = name.as_bytes();
    let mut plain = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((first, after)) = rest.split_first() {
        let escaped = after
            .get(..2)
            .filter(|_| *first == b'%')
            .and_then(|digits| std::str::from_utf8(digits).ok());
        match escaped.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                plain.push(byte);
                rest = after.get(2..).unwrap_or_default();
            }
            None => {
                plain.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&plain).into_owned()
}
