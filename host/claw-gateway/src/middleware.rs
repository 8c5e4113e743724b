//! What every request passes, in this order, before a handler sees it. Loopback is hostile:
//! a web page, another user of the machine and a rebound name all reach it.
//!
//! 1. headers are few and small (431)
//! 2. no header that two readers could understand differently (400)
//! 3. `Host`, and the target's authority, name this gateway (421)
//! 4. `Origin` is allowed, and no browser calls from another site (403)
//! 5. no credential in the URL (400)
//! 6. no body where the method has none (400)
//! 7. the route is found; one that is not still asks for a credential (401, then 404 or 405)
//! 8. the credential is known (401, 429)
//! 9. an operator's route has an operator (403)
//! 10. the body is JSON, bounded in size and time (415, 413, 408, 400): [`crate::body`]
//!
//! Whatever the answer, it leaves with the security headers, is counted, and a panic on the
//! way is a 500 that says nothing.

use std::net::IpAddr;
use std::panic::AssertUnwindSafe;
use std::time::Instant;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::Router;
use claw_core::errors::Fault;
use futures::FutureExt as _;
use tower::Service as _;

use crate::app::{App, Shared};
use crate::endpoints::sdk;
use crate::problem::{self, HttpCode, Refusal};
use crate::routes::{Access, Route};

mod credentials;
mod headers;
mod sender;

pub(crate) use credentials::authenticate;

/// A check that needs no route.
type Check = fn(&App, &Request) -> Result<(), Refusal>;

/// Steps 1 to 6.
const CHECKS: [Check; 6] = [
    headers::are_bounded,
    headers::are_unambiguous,
    sender::names_this_host,
    sender::is_no_foreign_page,
    headers::have_no_token_beside_them,
    headers::announce_no_stray_body,
];

/// Where a request came from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(pub(crate) IpAddr);

/// The template of the route that answered, for the counters.
#[derive(Clone, Copy)]
struct Matched(&'static str);

/// Answers one request, whatever it is.
pub(crate) async fn answer(app: &App, mut router: Router, mut request: Request, peer: IpAddr) -> Response {
    let started = Instant::now();
    let method = name_of(request.method());
    request.extensions_mut().insert(Peer(peer));
    let mut response = match CHECKS.iter().try_for_each(|check| check(app, &request)) {
        Ok(()) => match AssertUnwindSafe(router.call(request)).catch_unwind().await {
            Ok(Ok(response)) => response,
            Err(_) => {
                tracing::error!(method, "a handler panicked");
                Refusal::fault(Fault::internal()).into_response()
            }
        },
        Err(refusal) => refusal.into_response(),
    };
    secure(response.headers_mut());
    let route = response
        .extensions_mut()
        .remove::<Matched>()
        .map_or("none", |matched| matched.0);
    let status = response.status().as_u16();
    app.metrics.request(route, method, status);
    tracing::debug!(method, route, status, micros = started.elapsed().as_micros(), "answered");
    response
}

/// Steps 8 and 9, for one route.
pub(crate) async fn admit(State((app, route)): State<(Shared, &'static Route)>, mut request: Request, next: Next) -> Response {
    let speaks = sdk::family(route.path, request.headers());
    let mut response = match enter(&app, route, &mut request) {
        Ok(()) => next.run(request).await,
        Err(refusal) => refusal.into_response(),
    };
    if let Some(family) = speaks {
        response = problem::in_words_of(family, response);
    }
    response.extensions_mut().insert(Matched(route.path));
    response
}

fn enter(app: &App, route: &Route, request: &mut Request) -> Result<(), Refusal> {
    if route.access == Access::Open {
        return Ok(());
    }
    let caller = authenticate(app, request)?;
    if route.access == Access::Operator && !caller.operator {
        let refusal = Refusal::new(HttpCode::Forbidden, format!("`{}` may not use this route", caller.subject));
        return Err(refusal.hint("use the operator's token: `claw token` prints it"));
    }
    request.extensions_mut().insert(caller);
    Ok(())
}

/// No page may read, frame, sniff or cache what is said here.
fn secure(headers: &mut HeaderMap) {
    const ALWAYS: [(HeaderName, HeaderValue); 5] = [
        (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (
            CONTENT_SECURITY_POLICY,
            HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"),
        ),
        (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        (
            HeaderName::from_static("cross-origin-resource-policy"),
            HeaderValue::from_static("same-origin"),
        ),
    ];
    for (name, value) in ALWAYS {
        headers.insert(name, value);
    }
}

/// The method as a label; a caller can make any other up.
fn name_of(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

/// The request of a hyper connection as handlers take it.
pub(crate) fn adopt(request: hyper::Request<hyper::body::Incoming>) -> Request {
    request.map(Body::new)
}
