//! Lines to events: a stack trace belongs to the line above it, and gives it the name of
//! what was thrown.

use std::borrow::Cow;

use crate::event::{self, Head, Severity, is_exception};

/// Some lines that belong together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// How grave it is.
    pub severity: Severity,
    /// When, as its first line says it.
    pub time: Option<String>,
    /// Its first line, from 1.
    pub line: u64,
    /// What its first line says.
    pub message: String,
    /// What was thrown, where a trace says it and the first line does not.
    pub cause: Option<String>,
}

/// Puts lines together, one after the other.
#[derive(Default)]
pub struct Fold {
    open: Option<Event>,
    /// What kind of trace the lines are in.
    trace: Trace,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Trace {
    /// In none.
    #[default]
    None,
    /// In Python's, whose last line is not indented.
    Python,
    /// In Go's, which ends with an unindented line that is no frame.
    Go,
    /// After Rust's first line, which the message follows.
    Rust,
}

impl Fold {
    /// One more line; the event before it, where that is over.
    pub fn line(&mut self, number: u64, line: &str) -> Option<Event> {
        let line = plain(line);
        let line = line.trim_end();
        if line.trim_start().is_empty() {
            return None;
        }
        if self.continues(line) {
            return None;
        }
        let head = event::parse(line);
        if !head.is_marked && self.belongs(line) {
            return None;
        }
        self.trace = match line {
            line if line.ends_with("Traceback (most recent call last):") => Trace::Python,
            line if line.starts_with("thread '") && line.contains("panicked at") && line.ends_with(':') => Trace::Rust,
            line if line.starts_with("goroutine ") || line.starts_with("panic: ") => Trace::Go,
            _ => Trace::None,
        };
        self.begin(number, head)
    }

    /// The last event.
    pub fn end(&mut self) -> Option<Event> {
        self.open.take()
    }

    fn begin(&mut self, number: u64, head: Head) -> Option<Event> {
        let Head {
            severity, time, message, ..
        } = head;
        self.open.replace(Event {
            severity,
            time,
            line: number,
            message,
            cause: None,
        })
    }

    /// Whether the line goes on with the trace that the one before it is in.
    fn continues(&mut self, line: &str) -> bool {
        let Some(open) = &mut self.open else { return false };
        let indented = line.starts_with([' ', '\t']);
        match self.trace {
            Trace::None => false,
            Trace::Python if indented => true,
            Trace::Python => {
                self.trace = Trace::None;
                // `ValueError: …`, which says more than the line that announced the trace.
                let is_last = is_exception(line)
                    || line
                        .split(':')
                        .next()
                        .is_some_and(|name| !name.contains(' ') && name.contains('.'));
                if is_last {
                    open.cause = Some(line.to_owned());
                }
                is_last
            }
            Trace::Go => {
                let is_frame = line.ends_with(')')
                    || line.starts_with("created by ")
                    || line.starts_with("goroutine ")
                    || line.starts_with("[signal ");
                let goes_on = indented || is_frame || line.starts_with("exit status ");
                if !goes_on {
                    self.trace = Trace::None;
                }
                goes_on
            }
            Trace::Rust => {
                self.trace = Trace::None;
                let is_message = !event::parse(line).is_marked;
                if is_message {
                    open.cause = Some(line.to_owned());
                }
                is_message
            }
        }
    }

    /// Whether a line without time and level is part of what stands above it.
    fn belongs(&mut self, line: &str) -> bool {
        let Some(open) = &mut self.open else { return false };
        let start = line.trim_start();
        let frames = [
            "at ",
            "... ",
            "Caused by: ",
            "Suppressed: ",
            "--- End of ",
            "note: run with ",
            "stack backtrace:",
            "During handling of",
            "The above exception",
        ];
        if line.starts_with([' ', '\t']) || frames.iter().any(|frame| start.starts_with(frame)) {
            if let Some(root) = start.strip_prefix("Caused by: ") {
                open.cause = Some(root.to_owned());
            }
            return true;
        }
        if start.starts_with("Traceback (most recent call last):") && open.severity <= Severity::Warning {
            self.trace = Trace::Python;
            return true;
        }
        if start.starts_with("goroutine ") && open.severity <= Severity::Error {
            self.trace = Trace::Go;
            return true;
        }
        // The first line of a Java trace, below the line that logged it.
        let is_thrown =
            is_exception(start) && open.severity <= Severity::Warning && open.cause.is_none() && !is_exception(&open.message);
        if is_thrown {
            open.cause = Some(start.to_owned());
        }
        is_thrown
    }
}

/// The line without colour codes and other controls.
fn plain(line: &str) -> Cow<'_, str> {
    if !line.contains(|c: char| c.is_control() && c != '\t') {
        return Cow::Borrowed(line);
    }
    let mut text = String::with_capacity(line.len());
    let mut signs = line.chars().peekable();
    while let Some(sign) = signs.next() {
        if sign == '\u{1b}' && signs.next_if_eq(&'[').is_some() {
            // Up to its last letter: `\e[1;31m`.
            while signs.next().is_some_and(|sign| !('@'..='~').contains(&sign)) {}
        } else if sign == '\t' || !sign.is_control() {
            text.push(sign);
        }
    }
    Cow::Owned(text)
}

#[cfg(test)]
mod tests;
