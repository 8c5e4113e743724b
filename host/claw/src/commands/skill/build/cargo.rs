//! Cargo, run on a skill's folder: for `wasm32-wasip2`, with the SDK that this program
//! carries, and without paths of this machine in what comes out.

use std::fs;
use std::io::{self, BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use serde::Deserialize;

use super::sdk;
use crate::commands::skill::steps::{Audience, Steps};
use crate::exit::{Exit, Failed};

const TARGET: &str = "wasm32-wasip2";
const ADD_TARGET: [&str; 4] = ["rustup", "target", "add", TARGET];
/// How long another build may hold the shared target directory.
const MAX_LOCK_WAIT: Duration = Duration::from_secs(600);
/// Flags and wrappers meant for other builds than this one.
const FOREIGN: [&str; 6] = [
    "RUSTFLAGS",
    "CARGO_ENCODED_RUSTFLAGS",
    "CARGO_BUILD_RUSTFLAGS",
    "CARGO_BUILD_TARGET",
    "CARGO_TARGET_WASM32_WASIP2_RUSTFLAGS",
    "RUSTC_WORKSPACE_WRAPPER",
];

/// How a skill is compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::commands::skill) enum Profile {
    /// Optimised.
    Release,
    /// Fast.
    Debug,
}

/// What to compile, and where.
#[derive(Debug)]
pub(super) struct Order<'a> {
    /// The skill's folder, links resolved.
    pub(super) directory: &'a Path,
    /// Where cargo keeps what it makes.
    pub(super) target: &'a Path,
    /// How.
    pub(super) profile: Profile,
}

/// The bytes of the component that cargo makes of a folder, without its package.
///
/// # Errors
/// Cargo or the target is missing, or the skill does not compile; rustc's words have been shown.
pub(super) fn compile(order: &Order<'_>, steps: &Steps) -> Result<Vec<u8>> {
    ensure_target(order.directory, steps)?;
    let _lock = lock(order.target, steps)?;
    let sdk = sdk::unpack(order.target)?;
    let mut child = command(order, &sdk, steps.audience())
        .spawn()
        .map_err(|error| not_there("cargo", &error))?;
    let mut made = Made::default();
    if let Some(stdout) = child.stdout.take() {
        for line in BufReader::new(stdout).lines() {
            made.take_in(&line.context("cannot read what cargo says")?, order.directory, steps);
        }
    }
    let status = child.wait().context("cargo cannot be waited for")?;
    if !status.success() {
        let message = format!("`{}` does not compile: cargo ended with {status}", order.directory.display());
        return Err(Failed::new(Exit::BuildFailed, message).into());
    }
    let Some(wasm) = made.wasm else {
        let message = format!("cargo made no `.wasm` of `{}`", order.directory.display());
        return Err(Failed::new(Exit::BuildFailed, message)
            .hint("write `crate-type = [\"cdylib\"]` below `[lib]` in its Cargo.toml")
            .into());
    };
    // Under the lock: another skill's crate may have the same name.
    fs::read(&wasm).with_context(|| format!("cannot read `{}`", wasm.display()))
}

fn command(order: &Order<'_>, sdk: &Path, audience: Audience) -> Command {
    let mut cargo = Command::new("cargo");
    cargo.args(["build", "--lib", "--target", TARGET]);
    if order.profile == Profile::Release {
        cargo.arg("--release");
    }
    cargo.arg("--manifest-path").arg(order.directory.join("Cargo.toml"));
    cargo.arg("--target-dir").arg(order.target);
    match audience {
        Audience::Terminal => cargo.arg("--message-format=json-render-diagnostics"),
        Audience::Log => cargo.args(["--quiet", "--message-format=json-render-diagnostics"]),
        Audience::Program => cargo.args(["--quiet", "--message-format=json"]),
    };
    if names_sdk(order.directory) {
        cargo
            .arg("--config")
            .arg(format!("patch.crates-io.claw-skill.path={}", quoted(&sdk.to_string_lossy())));
    }
    cargo
        .arg("--config")
        .arg(format!("target.{TARGET}.rustflags=[{}]", remaps(order, sdk).join(",")));
    for name in FOREIGN {
        cargo.env_remove(name);
    }
    // Its own `rust-toolchain.toml` and `.cargo/config.toml` count, wherever we are called from.
    cargo.current_dir(order.directory).stdin(Stdio::null()).stdout(Stdio::piped());
    cargo
}

/// A patch that nothing uses would be a warning.
fn names_sdk(directory: &Path) -> bool {
    fs::read_to_string(directory.join("Cargo.toml")).is_ok_and(|text| text.contains("claw-skill"))
}

/// The flags that replace paths of this machine. The last prefix that fits is the one that
/// counts, so the wider ones come first.
fn remaps(order: &Order<'_>, sdk: &Path) -> Vec<String> {
    let home = std::env::var_os("HOME").map(PathBuf::from);
    let cargo_home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let cargo_home = cargo_home.or_else(|| home.as_ref().map(|home| home.join(".cargo")));
    let prefixes = [
        (home, "/home"),
        (cargo_home, "/cargo"),
        (Some(order.target.to_owned()), "/target"),
        (sdk.parent().and_then(Path::parent).map(Path::to_owned), "/claw"),
        (Some(order.directory.to_owned()), "/skill"),
    ];
    let prefixes = prefixes.into_iter().filter_map(|(path, name)| Some((path?, name)));
    prefixes
        .filter(|(path, _)| path.is_absolute() && path.parent().is_some())
        .map(|(path, name)| quoted(&format!("--remap-path-prefix={}={name}", path.display())))
        .collect()
}

/// A basic string of TOML.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() => quoted.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// What cargo says that it made.
#[derive(Default)]
struct Made {
    wasm: Option<PathBuf>,
}

#[derive(Deserialize)]
#[serde(tag = "reason", rename_all = "kebab-case")]
enum Said {
    CompilerArtifact {
        manifest_path: PathBuf,
        filenames: Vec<PathBuf>,
    },
    CompilerMessage {
        message: Words,
    },
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct Words {
    rendered: Option<String>,
}

impl Made {
    fn take_in(&mut self, line: &str, directory: &Path, steps: &Steps) {
        match serde_json::from_str(line) {
            Ok(Said::CompilerArtifact {
                manifest_path,
                filenames,
            }) if manifest_path.parent() == Some(directory) => {
                let wasm = filenames
                    .into_iter()
                    .find(|path| path.extension().is_some_and(|end| end == "wasm"));
                self.wasm = wasm.or(self.wasm.take());
            }
            Ok(Said::CompilerMessage { message }) => message.rendered.into_iter().for_each(|text| steps.keep(text)),
            // A build script's own words come on other lines, which are no JSON of cargo's.
            Ok(Said::CompilerArtifact { .. } | Said::Other) | Err(_) => {}
        }
    }
}

/// Makes sure that the standard library for wasm is there.
fn ensure_target(directory: &Path, steps: &Steps) -> Result<()> {
    let asked = Command::new("rustc")
        .args(["--print", "target-libdir", "--target", TARGET])
        .current_dir(directory)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| not_there("rustc", &error))?;
    if !asked.status.success() {
        let words = String::from_utf8_lossy(&asked.stderr);
        let message = format!(
            "`rustc` does not run here: {}",
            words.trim().chars().take(2_000).collect::<String>()
        );
        return Err(Failed::new(Exit::BuildFailed, message).into());
    }
    let libraries = PathBuf::from(String::from_utf8_lossy(&asked.stdout).trim());
    if libraries.is_dir() {
        return Ok(());
    }
    let add = ADD_TARGET.join(" ");
    let missing = || Failed::new(Exit::BuildFailed, format!("rustc has no target `{TARGET}`")).hint(format!("run `{add}`"));
    if !steps.confirm(&format!("rustc has no target `{TARGET}`; run `{add}` now?")) {
        return Err(missing().into());
    }
    let [rustup, arguments @ ..] = ADD_TARGET;
    let status = Command::new(rustup)
        .args(arguments)
        .current_dir(directory)
        .status()
        .map_err(|error| not_there("rustup", &error))?;
    if status.success() { Ok(()) } else { Err(missing().into()) }
}

fn not_there(program: &str, error: &io::Error) -> anyhow::Error {
    match error.kind() {
        io::ErrorKind::NotFound => Failed::new(
            Exit::BuildFailed,
            format!("`{program}` is not installed, or not on the `PATH`"),
        )
        .hint("install Rust from https://rustup.rs, then open a new shell")
        .into(),
        _ => Failed::new(Exit::BuildFailed, format!("`{program}` cannot be run: {error}")).into(),
    }
}

/// Held while a build writes below the shared directory and its result is read.
fn lock(target: &Path, steps: &Steps) -> Result<fs::File> {
    let failed = || format!("cannot lock `{}`", target.display());
    fs::create_dir_all(target).with_context(failed)?;
    let file = fs::OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(target.join("claw-build.lock"))
        .with_context(failed)?;
    let until = Instant::now() + MAX_LOCK_WAIT;
    let mut told = false;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(fs::TryLockError::Error(error)) => return Err(error).with_context(failed),
            Err(fs::TryLockError::WouldBlock) if Instant::now() >= until => {
                let message = format!(
                    "another build has held `{}` for {} seconds",
                    target.display(),
                    MAX_LOCK_WAIT.as_secs()
                );
                return Err(Failed::new(Exit::BuildFailed, message).hint("look for it with `ps`").into());
            }
            Err(fs::TryLockError::WouldBlock) => {
                if !told {
                    steps.say("waiting for another build");
                    told = true;
                }
                std::thread::sleep(Duration::from_millis(100));
            }
        }
    }
}

#[cfg(test)]
mod tests;
