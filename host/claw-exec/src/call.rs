//! A process as it is about to be started: its environment from nothing, its directory, its
//! arguments. Inherits nothing.

use std::path::Path;

use crate::git;
use crate::load::{Binary, Command};

/// The process. `places` are its empty home, the directory it starts in, and the root that
/// this directory is, if it is one.
pub(crate) fn command(
    command: &Command,
    binary: &Path,
    args: &[String],
    (home, cwd, root): (&Path, &Path, Option<&Path>),
) -> tokio::process::Command {
    let mut process = tokio::process::Command::new(binary);
    process.args(args).current_dir(cwd).env_clear();
    process
        .env("HOME", home)
        .env("TMPDIR", home)
        .env("LANG", "C.UTF-8")
        .env("TERM", "dumb")
        .env("NO_COLOR", "1");
    for (name, value) in &command.env {
        process.env(name, value);
    }
    if command.is_git {
        process.envs(git::ENVIRONMENT.iter().copied());
        if let Some(above) = root.and_then(Path::parent) {
            // No repository above the root is meant.
            process.env("GIT_CEILING_DIRECTORIES", above);
        }
    }
    if command.name == "gh" {
        process
            .envs(git::environment_for_others())
            .env("GH_CONFIG_DIR", home)
            .env("GH_PROMPT_DISABLED", "1")
            .env("GH_NO_UPDATE_NOTIFIER", "1")
            .env("GH_PAGER", "cat");
    }
    process
}

/// What to do about a command that is not there.
pub(crate) fn how_to_install(name: &str, binary: &Binary) -> String {
    if let Binary::Fixed(path) = binary {
        return format!(
            "correct `commands.{name}.path` in `capabilities.yaml`: there is nothing to run at `{}`",
            path.display()
        );
    }
    match name {
        "gh" => {
            "install it from https://cli.github.com (`brew install gh`, `apt install gh`), or lend it from a node that has it"
                .to_owned()
        }
        "git" => "install it (`apt install git`, `brew install git`), or lend it from a node that has it".to_owned(),
        _ => format!("install it where `PATH` finds it, or set `commands.{name}.path` in `capabilities.yaml`"),
    }
}
