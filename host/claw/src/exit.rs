//! The codes that the program ends with. Stable: scripts branch on them.

use std::process::ExitCode;

/// How the program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// It did what was asked.
    Ok = 0,
    /// Something unexpected failed.
    Unexpected = 1,
    /// The command line is wrong.
    Usage = 2,
    /// There is nothing to test.
    NothingToTest = 4,
    /// A config file is wrong.
    BadConfig = 64,
    /// A SKILL.md does not load, or fails the lint.
    BadSkill = 65,
    /// No gateway answers.
    Unreachable = 69,
    /// The program panicked.
    Panicked = 70,
    /// Policy, a grant or a missing token refused it.
    Refused = 77,
    /// A skill's test failed.
    TestFailed = 100,
    /// A skill's build failed.
    BuildFailed = 101,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit as u8)
    }
}

/// An error that ends the program with a code of its own.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Failed {
    /// The code.
    pub exit: Exit,
    /// What failed: a lower-case fragment.
    pub message: String,
    /// What to change or run.
    pub hint: Option<String>,
}

impl Failed {
    /// A failure with this code.
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Failed {
            exit,
            message: message.into(),
            hint: None,
        }
    }

    /// With what to change or run.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// The code that an error ends the program with.
pub fn of(error: &anyhow::Error) -> Exit {
    error
        .chain()
        .find_map(|cause| cause.downcast_ref::<Failed>())
        .map_or(Exit::Unexpected, |failed| failed.exit)
}

/// Prints what clap has to say, help included, and ends as it asks.
pub fn from_clap(error: &clap::Error) -> ExitCode {
    let _ = error.print();
    if error.use_stderr() {
        Exit::Usage.into()
    } else {
        Exit::Ok.into()
    }
}

/// A panic ends the program with its own code, after the usual message. A panic on a task or
/// thread of the gateway ends that task alone.
pub fn on_panic() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        before(info);
        if std::thread::current().name() == Some("main") {
            std::process::exit(Exit::Panicked as i32);
        }
    }));
}
