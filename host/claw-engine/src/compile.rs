//! Compiling foreign bytes: in a child process of ourselves with limits on time, memory and
//! output, so that a component which breaks the compiler breaks nothing else.

use std::io::{Read as _, Write as _};
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, setrlimit};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};

use crate::engine::{self, Engine};
use crate::package::MAX_COMPONENT_BYTES;

/// How long a compilation may take.
const MAX_TIME: Duration = Duration::from_secs(120);
/// CPU seconds that the child may use.
const MAX_CPU_SECONDS: u64 = 240;
/// Address space of the child.
const MAX_CHILD_MEMORY: u64 = 6 << 30;
/// The most bytes of compiled code.
const MAX_ARTIFACT: u64 = 512 << 20;
/// The most bytes that the child may write to standard error.
const MAX_WORDS: u64 = 64 << 10;

/// Where compiling happens.
#[derive(Clone, Debug)]
pub enum Compiler {
    /// In a child process: this program with these arguments runs [`compile_stdin`].
    Child {
        /// The program.
        program: PathBuf,
        /// Its arguments.
        arguments: Vec<String>,
    },
    /// In this process, for benches and tests of components that are our own.
    InProcess,
}

/// The component could not be compiled.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("compiling failed: {reason}")]
pub struct CompileError {
    reason: String,
    passing: bool,
}

impl CompileError {
    fn new(reason: impl Into<String>) -> Self {
        CompileError {
            reason: reason.into(),
            passing: false,
        }
    }

    /// The compiling process could not be had, which says nothing of the component.
    fn passing(error: &std::io::Error) -> Self {
        CompileError {
            reason: format!("the compiling process: {error}"),
            passing: true,
        }
    }

    /// Trying again may do: the machine failed, not the component.
    pub(crate) fn is_passing(&self) -> bool {
        self.passing
    }
}

impl Compiler {
    /// Compiles a component for `engine`.
    pub(crate) async fn compile(&self, engine: &Engine, component: &[u8]) -> Result<Vec<u8>, CompileError> {
        match self {
            Compiler::InProcess => {
                let (engine, component) = (engine.clone(), component.to_owned());
                let work = move || engine.wasmtime().precompile_component(&component);
                match tokio::task::spawn_blocking(work).await {
                    Ok(Ok(artifact)) => Ok(artifact),
                    Ok(Err(error)) => Err(CompileError::new(format!("{error:#}"))),
                    Err(_) => Err(CompileError::new("the compiler panicked")),
                }
            }
            Compiler::Child { program, arguments } => {
                let work = in_child(program, arguments, component, MAX_ARTIFACT);
                let late = |_| Err(CompileError::new(format!("it took more than {} seconds", MAX_TIME.as_secs())));
                tokio::time::timeout(MAX_TIME, work).await.unwrap_or_else(late)
            }
        }
    }
}

async fn in_child(program: &PathBuf, arguments: &[String], component: &[u8], max_artifact: u64) -> Result<Vec<u8>, CompileError> {
    let failed = |error: std::io::Error| CompileError::passing(&error);
    let mut child = tokio::process::Command::new(program)
        .args(arguments)
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(failed)?;
    let (Some(mut input), Some(output), Some(errors)) = (child.stdin.take(), child.stdout.take(), child.stderr.take()) else {
        return Err(CompileError::new("the compiling process has no pipes"));
    };
    let feed = async move {
        // A child that refuses early closes its end; what it says then counts.
        let _ = input.write_all(component).await;
        drop(input);
        Ok(())
    };
    let artifact = capped(output, max_artifact, "code");
    let words = capped(errors, MAX_WORDS, "messages");
    // The first that fails ends the others: a child that nobody reads would never end by itself.
    let read = tokio::try_join!(feed, artifact, words);
    let ((), artifact, words) = match read {
        Ok(read) => read,
        Err(error) => {
            let _ = child.kill().await;
            return Err(error);
        }
    };
    let status = child.wait().await.map_err(failed)?;
    if !status.success() {
        let words = String::from_utf8_lossy(&words);
        let words = words.trim().trim_start_matches("error: ");
        return Err(CompileError::new(if words.is_empty() {
            format!("the compiling process ended with {status}")
        } else {
            words.to_owned()
        }));
    }
    Ok(artifact)
}

/// All that comes out of a pipe.
///
/// # Errors
/// As soon as there is more than `most` bytes.
async fn capped(pipe: impl AsyncRead + Unpin, most: u64, what: &str) -> Result<Vec<u8>, CompileError> {
    let mut bytes = Vec::new();
    let read = pipe.take(most.saturating_add(1)).read_to_end(&mut bytes).await;
    read.map_err(|error| CompileError::passing(&error))?;
    if bytes.len() as u64 > most {
        return Err(CompileError::new(format!(
            "the compiling process wrote more than {most} bytes of {what} and was ended"
        )));
    }
    Ok(bytes)
}

/// The whole life of a compiling child: limits itself, reads a component from standard
/// input, writes its code to standard output.
///
/// # Errors
/// What to write to standard error before ending with a failure.
pub fn compile_stdin() -> Result<(), String> {
    let limits = [
        (Resource::As, MAX_CHILD_MEMORY),
        (Resource::Cpu, MAX_CPU_SECONDS),
        (Resource::Core, 0),
        (Resource::Fsize, 0),
        (Resource::Nofile, 16),
    ];
    for (resource, value) in limits {
        let limit = Rlimit {
            current: Some(value),
            maximum: Some(value),
        };
        setrlimit(resource, limit).map_err(|error| format!("the limit on {resource:?} cannot be set: {error}"))?;
    }
    let mut component = Vec::new();
    let mut input = std::io::stdin().lock().take(MAX_COMPONENT_BYTES as u64 + 1);
    input.read_to_end(&mut component).map_err(|error| error.to_string())?;
    crate::package::read(&component).map_err(|error| error.to_string())?;
    let engine = wasmtime::Engine::new(&engine::config(None)).map_err(|error| format!("{error:#}"))?;
    let artifact = engine
        .precompile_component(&component)
        .map_err(|error| format!("{error:#}"))?;
    std::io::stdout()
        .lock()
        .write_all(&artifact)
        .map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests;
