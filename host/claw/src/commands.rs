//! One file a command, and the dispatch between them.

mod audit;
mod config;
mod gateway;
mod invoke;
mod models;
mod onboard;
pub mod skill;
mod times;
mod usage;

use anyhow::Result;

use crate::cli::{Cli, Command, Global};
use crate::exit::{Exit, Failed};
use crate::home::Home;
use crate::output;

/// What every command is run with.
#[derive(Clone, Debug)]
pub struct Environment {
    /// The home.
    pub home: Home,
    /// The gateway that was asked for, if one was.
    pub gateway: Option<String>,
}

impl Environment {
    fn new(global: &Global) -> Result<Self> {
        Ok(Environment {
            home: Home::find(global.home.clone())?,
            gateway: global.gateway.clone(),
        })
    }
}

/// Runs one command.
///
/// # Errors
/// What to tell the person at the terminal; [`crate::exit::of`] gives its code.
pub fn run(cli: Cli) -> Result<Exit> {
    // The one provider of TLS primitives; that another is installed already is no mistake.
    let _ = rustls::crypto::ring::default_provider().install_default();
    if matches!(cli.command, Command::Compile) {
        // The compiling child has no home, no environment, and next to no descriptors.
        return compile();
    }
    let environment = Environment::new(&cli.global)?;
    match cli.command {
        Command::Onboard(arguments) => onboard::run(&arguments, &environment),
        Command::Gateway(command) => gateway::run(command, &environment),
        Command::Skill(command) => skill::run(command, &environment),
        Command::Invoke(arguments) => invoke::run(&arguments, &environment),
        Command::Models(command) => models::run(command, &environment),
        Command::Usage(arguments) => usage::run(&arguments, &environment),
        Command::Audit(command) => audit::run(command, &environment),
        Command::Config(command) => config::run(command, &environment),
        Command::Token => {
            output::line(environment.home.token()?);
            Ok(Exit::Ok)
        }
        Command::Compile => compile(),
    }
}

fn compile() -> Result<Exit> {
    claw_engine::compile_stdin().map_err(|message| Failed::new(Exit::Unexpected, message))?;
    Ok(Exit::Ok)
}

/// A runtime for a command that waits for one thing after another.
fn runtime() -> Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_current_thread().enable_all().build()?)
}
