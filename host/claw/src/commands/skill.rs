//! `claw skill …`: one file a command. Nothing here decides what a skill may do; that is
//! its SKILL.md and `grants.yaml`.

mod allow;
mod build;
mod check;
mod component;
mod folder;
mod inspect;
mod list;
mod new;
mod record;
mod steps;
mod test;

use anyhow::Result;

use super::Environment;
use crate::cli::SkillCommand;
use crate::exit::Exit;

/// Runs one of the commands.
///
/// # Errors
/// What to tell the person at the terminal.
pub fn run(command: SkillCommand, environment: &Environment) -> Result<Exit> {
    match command {
        SkillCommand::New(args) => new::run(&args),
        SkillCommand::Check(args) => check::run(args),
        SkillCommand::Build(args) => build::run(&args, environment),
        SkillCommand::Test(args) => test::run(&args, environment),
        SkillCommand::Record(args) => record::run(&args, environment),
        SkillCommand::List { json } => list::run(json, environment),
        SkillCommand::Inspect(args) => inspect::run(&args, environment),
        SkillCommand::Allow(args) => allow::run(&args, environment),
    }
}

/// A runtime for one command.
fn runtime() -> Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?)
}
