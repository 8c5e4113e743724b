//! What a guest can call, one file an interface. Everything that leaves the sandbox goes
//! through [`claw_core::ports::HostCalls`]; files are the one thing done here.

mod files;
pub(crate) mod model;
mod nodes;
pub(crate) mod payload;
mod words;

use wasmtime::Result;
use wasmtime::component::{HasSelf, Linker};
use wasmtime_wasi::WasiView as _;
use wasmtime_wasi::cli::{WasiCli, WasiCliView as _};
use wasmtime_wasi::p2::bindings::{cli, random};
use wasmtime_wasi::random::WasiRandom;

use crate::bindings::Skill;
use crate::context::Context;

/// Links the contract, and of WASI what is harmless: clocks, randomness, streams, the
/// standard streams, and an environment that is empty.
pub(crate) fn add_to_linker(linker: &mut Linker<Context>) -> Result<()> {
    wasmtime_wasi::p2::add_to_linker_proxy_interfaces_async(linker)?;
    cli::environment::add_to_linker::<Context, WasiCli>(linker, Context::cli)?;
    cli::exit::add_to_linker::<Context, WasiCli>(linker, Context::cli)?;
    cli::terminal_input::add_to_linker::<Context, WasiCli>(linker, Context::cli)?;
    cli::terminal_output::add_to_linker::<Context, WasiCli>(linker, Context::cli)?;
    cli::terminal_stdin::add_to_linker::<Context, WasiCli>(linker, Context::cli)?;
    cli::terminal_stdout::add_to_linker::<Context, WasiCli>(linker, Context::cli)?;
    cli::terminal_stderr::add_to_linker::<Context, WasiCli>(linker, Context::cli)?;
    random::insecure::add_to_linker::<Context, WasiRandom>(linker, |context| context.ctx().ctx.random())?;
    random::insecure_seed::add_to_linker::<Context, WasiRandom>(linker, |context| context.ctx().ctx.random())?;
    Skill::add_to_linker::<_, HasSelf<Context>>(linker, |context| context)
}
