//! Step 8: who calls. Failures of an address are counted, loopback included; a valid
//! credential always passes, so that nobody can lock the operator out by failing.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Instant;

use axum::extract::Request;
use axum::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue};
use claw_core::ports::Caller;

use super::Peer;
use crate::app::App;
use crate::problem::{HttpCode, Refusal};

/// What is longer is not looked at.
const LONGEST_TOKEN: usize = 1_024;

pub(crate) fn authenticate(app: &App, request: &Request) -> Result<Caller, Refusal> {
    let Some(presented) = presented(request.headers()) else {
        return Err(unauthorized("the request carries no token"));
    };
    let caller = presented
        .filter(|token| token.len() <= LONGEST_TOKEN)
        .and_then(|token| app.gateway.identity.authenticate(token));
    if let Some(caller) = caller {
        return Ok(caller);
    }
    app.metrics.auth_failure();
    let peer = request
        .extensions()
        .get::<Peer>()
        .map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.0);
    match app.failures.count(peer, Instant::now()) {
        Ok(()) => Err(unauthorized("the token is not known here")),
        Err(wait) => {
            let refusal = Refusal::new(HttpCode::TooManyFailures, "too many wrong tokens came from this address");
            Err(refusal.retry_after(wait).hint("`claw token` prints the operator's token"))
        }
    }
}

/// The token of either header: `None` where there is neither, `Some(None)` where it is
/// nothing that could be a token.
fn presented(headers: &HeaderMap) -> Option<Option<&str>> {
    if let Some(key) = headers.get("x-api-key") {
        return Some(key.to_str().ok());
    }
    let value = headers.get(AUTHORIZATION)?;
    let (scheme, token) = match value.to_str().ok().and_then(|text| text.split_once(' ')) {
        Some(parts) => parts,
        None => return Some(None),
    };
    Some(scheme.eq_ignore_ascii_case("bearer").then(|| token.trim()))
}

fn unauthorized(detail: &str) -> Refusal {
    Refusal::new(HttpCode::Unauthorized, detail)
        .hint("send `Authorization: Bearer …` or `x-api-key`; `claw token` prints the operator's token")
        .header(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"claw\""))
}
