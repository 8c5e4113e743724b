//! One file a command, and the dispatch between them.

mod audit;
mod config;
mod draft;
mod gateway;
mod invoke;
mod key;
mod models;
mod onboard;
mod policy;
mod secret;
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
        Command::Policy(command) => policy::run(command, &environment),
        Command::Draft(command) => draft::run(command, &environment),
        Command::Key(command) => key::run(command, &environment),
        Command::Secret(command) => secret::run(command, &environment),
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

/// Refuses where there is no home, and where another machine's gateway is meant: what this is
/// about lies in the gateway's own home.
fn of_this_home(environment: &Environment, what: &str) -> Result<()> {
    let home = &environment.home;
    if !home.exists() {
        let message = format!("there is no home at `{}`", home.path().display());
        return Err(Failed::new(Exit::BadConfig, message)
            .hint("make one with `claw onboard --yes`")
            .into());
    }
    let Some(asked) = &environment.gateway else { return Ok(()) };
    let is_ours = home
        .running()
        .is_some_and(|running| running.url == asked.trim_end_matches('/'));
    if is_ours {
        return Ok(());
    }
    let message = format!(
        "the {what} of the gateway at {asked} lie in its home, and that is not `{}`",
        home.path().display()
    );
    Err(Failed::new(Exit::Usage, message)
        .hint("run this on its machine, with its `--home` and without `--gateway`")
        .into())
}

fn compile() -> Result<Exit> {
    claw_engine::compile_stdin().map_err(|message| Failed::new(Exit::Unexpected, message))?;
    Ok(Exit::Ok)
}

/// A runtime for a command that waits for one thing after another.
fn runtime() -> Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_current_thread().enable_all().build()?)
}
