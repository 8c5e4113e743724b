//! Everything that needs the whole program: the real binary, real components, real files.
//! One binary, so that it is linked once; what is asserted is what was answered, never how
//! long it took.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test may stop at the first surprise"
)]

mod support;

mod architecture;
mod cli;
mod doors;
mod drafts;
mod examples;
mod faults;
mod hostile;
mod hot_drop;
mod keys;
mod killed;
mod policy;
mod sdks;
mod telemetry;
mod tls;
mod usage;
