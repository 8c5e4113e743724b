//! The real server on a port of its own, with the real doors over fakes of everything
//! behind them. Every test ends with `Door::close`, which looks at what was left behind.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may stop at the first surprise"
)]

mod fakes;
mod invoking;
mod limits;
mod listing;
mod raw;
mod sdk;
mod security;
mod stopping;
mod streaming;
mod support;
