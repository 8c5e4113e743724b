//! Steps 3 and 4: a name that was rebound to this address, and pages of other sites.

use axum::extract::Request;
use axum::http::header::{HOST, HeaderName, ORIGIN};

use crate::app::App;
use crate::problem::{HttpCode, Refusal};

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

pub(super) fn names_this_host(app: &App, request: &Request) -> Result<(), Refusal> {
    let known = |text: &str| app.hosts.iter().any(|host| host.eq_ignore_ascii_case(text));
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok());
    let Some(host) = host else {
        return Err(Refusal::new(
            HttpCode::BadHost,
            "the request has no `host` header that can be read",
        ));
    };
    let target = request.uri().authority().map(axum::http::uri::Authority::as_str);
    if !known(host) || target.is_some_and(|target| !known(target)) {
        let refusal = Refusal::new(
            HttpCode::BadHost,
            "the request names a host that this gateway does not answer for",
        );
        return Err(refusal.hint("call it by its own address and port, or add the name to the gateway's allowed hosts"));
    }
    Ok(())
}

pub(super) fn is_no_foreign_page(app: &App, request: &Request) -> Result<(), Refusal> {
    let headers = request.headers();
    if let Some(origin) = headers.get(ORIGIN) {
        let allowed = &app.gateway.settings.allowed_origins;
        // `null` is every sandboxed page and every file, whoever configured what.
        if origin == "null" || !allowed.iter().any(|known| known.as_bytes() == origin.as_bytes()) {
            let refusal = Refusal::new(HttpCode::BadOrigin, "the page's origin may not call this gateway");
            return Err(
                refusal.hint("call from a program; for a page behind a proxy of yours start the gateway with `--allow-origin`")
            );
        }
    }
    // `same-site` is another port of the same machine as well.
    match headers.get(SEC_FETCH_SITE).map(|site| site.as_bytes()) {
        None | Some(b"same-origin" | b"none") => Ok(()),
        Some(_) => Err(Refusal::new(
            HttpCode::BadOrigin,
            "the request comes from a page of another site",
        )),
    }
}
