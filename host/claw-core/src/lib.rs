//! The vocabulary and the decisions of Claw, pure: what a skill, a grant, a permit and a
//! journal are, and the two doors that every call goes through. No wasmtime, no HTTP, no
//! SQLite here; whoever does I/O stands behind a trait of [`ports`].

pub mod audit;
pub mod backoff;
pub mod budget;
pub mod calendar;
pub mod capability;
pub mod context;
pub mod cost;
pub mod draft;
pub mod errors;
pub mod fakes;
pub mod grants;
pub mod ids;
pub mod journal;
pub mod keys;
pub mod manifest;
pub mod meter;
pub mod model;
pub mod observe;
pub mod pii;
pub mod pipeline;
pub mod policy;
pub mod ports;
pub mod routing;
pub mod span;
pub mod usual;
pub mod wire;
