//! The HTTP door of the gateway: who may knock, what is answered, and how it stops.
//! Decides nothing about calls themselves; every one of them goes through the doors of
//! `claw-core`, where it is permitted and recorded.

mod app;
mod body;
mod endpoints;
mod failures;
mod gateway;
mod identity;
mod metrics;
mod middleware;
mod openapi;
mod problem;
mod routes;
mod server;

pub use gateway::{FailureLimit, Gateway, Operations, Settings};
pub use identity::{FirstOf, StaticTokens, WeakToken};
pub use metrics::CallMetrics;
pub use problem::{HttpCode, status_of};
pub use routes::{Access, ROUTES, Route};
pub use server::serve;

/// The OpenAPI 3.1 description of every route, as JSON.
pub fn openapi_json(version: &str) -> String {
    openapi::document(version)
}

#[cfg(test)]
mod tests;
