//! What a longer command says while it works: on standard error, one line a step. For JSON
//! the compiler's words are kept instead of shown.

use std::cell::RefCell;
use std::io::{self, BufRead as _, IsTerminal as _, Write as _};

use crate::output;

/// Who is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Audience {
    /// Somebody who watches: tools that we run speak for themselves, and questions can be asked.
    Terminal,
    /// A log.
    Log,
    /// A program: the compiler's words go into the report.
    Program,
}

/// The steps of one command.
#[derive(Debug)]
pub(super) struct Steps {
    audience: Audience,
    kept: RefCell<Vec<String>>,
}

impl Steps {
    /// For whoever is there.
    pub(super) fn new(json: bool) -> Self {
        let audience = match (json, io::stderr().is_terminal()) {
            (true, _) => Audience::Program,
            (false, true) => Audience::Terminal,
            (false, false) => Audience::Log,
        };
        Steps {
            audience,
            kept: RefCell::default(),
        }
    }

    /// Who is told.
    pub(super) fn audience(&self) -> Audience {
        self.audience
    }

    /// Says what is done now.
    pub(super) fn say(&self, text: impl AsRef<str>) {
        output::note(output::printable(text.as_ref()));
    }

    /// Keeps what a compiler said.
    pub(super) fn keep(&self, text: String) {
        self.kept.borrow_mut().push(text);
    }

    /// What compilers said.
    pub(super) fn take(&self) -> Vec<String> {
        self.kept.take()
    }

    /// Asks a question; `false` where nobody is there to answer.
    pub(super) fn confirm(&self, question: &str) -> bool {
        if self.audience != Audience::Terminal || !io::stdin().is_terminal() {
            return false;
        }
        let mut errors = io::stderr().lock();
        let _ = write!(errors, "{question} [y/N] ");
        let _ = errors.flush();
        let mut answer = String::new();
        let read = io::stdin().lock().read_line(&mut answer);
        read.is_ok() && matches!(answer.trim(), "y" | "Y" | "yes")
    }
}
