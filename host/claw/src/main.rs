//! The program: parse, dispatch, say what went wrong, end with a documented code.

use std::process::ExitCode;

use clap::Parser as _;
use claw::cli::Cli;
use claw::{commands, exit, output};
use mimalloc::MiMalloc;

/// What a thread of the gateway allocates, a writer of the journal frees; the C library's own
/// allocator has them wait for one another (decision 0019).
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    exit::on_panic();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return exit::from_clap(&error),
    };
    match commands::run(cli) {
        Ok(code) => code.into(),
        Err(error) => {
            output::failure(&error);
            exit::of(&error).into()
        }
    }
}
