//! Commands of the operator's machines: `exec.<bin>`. No shell is involved, and arguments
//! that no rule of the operator allows are refused.

use serde::{Deserialize, Serialize};

use crate::{Error, nodes};

/// What a command wrote and how it ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExecOutput {
    /// The exit status; 0 is success. 128 and the signal's number where a signal ended it.
    pub status: i32,
    /// Standard output, as text.
    #[serde(default)]
    pub stdout: String,
    /// Standard error, as text.
    #[serde(default)]
    pub stderr: String,
    /// There was more output than the operator allows; the rest is missing.
    #[serde(default)]
    pub truncated: bool,
    /// Bytes that were no UTF-8 have been replaced.
    #[serde(default)]
    pub lossy: bool,
}

impl ExecOutput {
    /// The command ended with status 0.
    pub fn success(&self) -> bool {
        self.status == 0
    }
}

/// A command, put together piece by piece.
#[derive(Clone, Debug)]
pub struct Command {
    bin: String,
    input: Input,
}

#[derive(Clone, Debug, Default, Serialize)]
struct Input {
    args: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cwd: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stdin: Option<String>,
}

impl Command {
    /// `exec.<bin>`, without arguments.
    pub fn new(bin: impl Into<String>) -> Self {
        Command {
            bin: bin.into(),
            input: Input::default(),
        }
    }

    /// One more argument.
    #[must_use]
    pub fn arg(mut self, arg: impl Into<String>) -> Self {
        self.input.args.push(arg.into());
        self
    }

    /// More arguments.
    #[must_use]
    pub fn args<A: Into<String>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.input.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Where it runs: the *name* of a root that the operator configured, never a path.
    #[must_use]
    pub fn root(mut self, name: impl Into<String>) -> Self {
        self.input.cwd = Some(name.into());
        self
    }

    /// What it reads from standard input.
    #[must_use]
    pub fn stdin(mut self, text: impl Into<String>) -> Self {
        self.input.stdin = Some(text.into());
        self
    }

    /// Runs it and waits for it. A status other than 0 is no error here.
    ///
    /// # Errors
    /// `exec.denied`, `exec.not_installed`, `exec.timeout`, or a grant's.
    pub fn run(&self) -> Result<ExecOutput, Error> {
        nodes::invoke(&format!("exec.{}", self.bin), &self.input)?.json()
    }
}

/// Runs a command with these arguments and waits for it.
///
/// # Errors
/// As [`Command::run`].
pub fn run(bin: &str, args: &[&str]) -> Result<ExecOutput, Error> {
    Command::new(bin).args(args.iter().copied()).run()
}
