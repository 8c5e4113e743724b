//! What the tests stand on: a real gateway on a home of its own, guests that are built once,
//! and a client. A gateway that is dropped is stopped, and its journal is checked: whole, and
//! no entry left open.

pub(crate) mod gateway;
pub(crate) mod guests;
pub(crate) mod upstream;

pub(crate) use gateway::TestGateway;

use std::path::Path;
use std::process::Command;

/// The program under test.
pub(crate) fn claw() -> &'static str {
    env!("CARGO_BIN_EXE_claw")
}

/// The checkout.
pub(crate) fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

/// The program with a home, and nothing of this machine's own settings.
pub(crate) fn command(home: &Path) -> Command {
    let mut command = Command::new(claw());
    for name in [
        "CLAW_GATEWAY",
        "CLAW_TOKEN",
        "CLAW_LOG",
        "ANTHROPIC_API_KEY",
        "OPENAI_API_KEY",
    ] {
        command.env_remove(name);
    }
    command.env("CLAW_HOME", home).env("NO_COLOR", "1");
    command
}

/// What a command printed, and how it ended.
#[derive(Debug)]
pub(crate) struct Ran {
    /// Standard output.
    pub(crate) out: String,
    /// Standard error.
    pub(crate) err: String,
    /// The exit code.
    pub(crate) code: i32,
}

/// Runs a command to its end.
pub(crate) fn run(command: &mut Command) -> Ran {
    let output = command.output().unwrap();
    Ran {
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
        code: output.status.code().unwrap_or(-1),
    }
}

/// Runs `claw` with these arguments on a home.
pub(crate) fn claw_on(home: &Path, arguments: &[&str]) -> Ran {
    run(command(home).args(arguments))
}
