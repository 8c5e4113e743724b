//! Text from an HTTP GET. Values of callers are encoded, so that none of them can name another
//! host or path; the answer is bounded, and redirects are not followed.

use std::collections::BTreeMap;

use claw_core::errors::Fault;
use claw_core::pipeline::fill;
use http::HeaderMap;
use reqwest::Client;
use serde_json::Value;

use super::unavailable;
use crate::secret::Secret;
use crate::text::{clean, clip};

/// The most bytes of an answer.
const MAX_BYTES: usize = 1 << 20;

pub(super) async fn get(
    client: &Client,
    url: &str,
    headers: &HeaderMap,
    secrets: &[Secret],
    vars: &BTreeMap<String, Value>,
) -> Result<String, Fault> {
    let filled = fill(url, vars, &encoded)?;
    let failed = |error: &dyn std::fmt::Display| unavailable(clip(&clean(&error.to_string(), secrets), 200));
    let request = client.get(filled).headers(headers.clone());
    let mut response = request.send().await.map_err(|error| failed(&error.without_url()))?;
    let status = response.status();
    if !status.is_success() {
        return Err(unavailable(format!("the server answers with {}", status.as_u16())));
    }
    let mut body = Vec::new();
    while let Some(piece) = response.chunk().await.map_err(|error| failed(&error.without_url()))? {
        if body.len() + piece.len() > MAX_BYTES {
            return Err(unavailable(format!("the answer is larger than {MAX_BYTES} bytes")));
        }
        body.extend_from_slice(&piece);
    }
    String::from_utf8(body).map_err(|_| unavailable("the answer is not UTF-8 text"))
}

/// Every byte but letters, digits, `-`, `_`, `~` and a `.` that is not alone as `%XX`.
fn encoded(value: String) -> String {
    let only_dots = value.bytes().all(|b| b == b'.');
    value
        .bytes()
        .map(|b| match b {
            b'.' if !only_dots => ".".to_owned(),
            b if b.is_ascii_alphanumeric() || b"-_~".contains(&b) => char::from(b).to_string(),
            b => format!("%{b:02X}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_value_leaves_its_place() {
        let check = |value: &str, expected: &str| assert_eq!(encoded(value.to_owned()), expected);
        check("42", "42");
        check("a.b~c-d_e", "a.b~c-d_e");
        check("../admin?x=1#y", "..%2Fadmin%3Fx%3D1%23y");
        check("..", "%2E%2E");
        check("@evil.example", "%40evil.example");
        check("ü \r\n", "%C3%BC%20%0D%0A");
    }
}
