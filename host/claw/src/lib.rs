//! Words on the terminal, and wiring: everything that the program `claw` does with the
//! crates beside this one. `compose` is the one file that names concrete types.

pub mod cli;
pub mod client;
pub mod commands;
pub mod compose;
pub mod config;
pub mod contexts;
pub mod exit;
pub mod home;
pub mod output;
pub mod spans;
pub mod spending;
pub mod telemetry;
pub mod unpriced;
