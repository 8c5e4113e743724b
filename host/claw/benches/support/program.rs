//! The program that is measured, as the benches and the guests' builder run it.

use std::path::Path;
use std::process::Command;

pub(crate) fn claw() -> &'static str {
    env!("CARGO_BIN_EXE_claw")
}

/// The program with a home.
pub(crate) fn command(home: &Path) -> Command {
    let mut command = Command::new(claw());
    command.env("CLAW_HOME", home).env_remove("CLAW_GATEWAY");
    command
}

/// How a command ended.
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) err: String,
}

/// Runs a command to its end.
pub(crate) fn run(command: &mut Command) -> Ran {
    let output = command.output().unwrap();
    Ran {
        code: output.status.code().unwrap_or(-1),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}
