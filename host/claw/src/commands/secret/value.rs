//! Where a secret's value comes from: a pipe, or a terminal that does not show it. Nothing else.

use std::io::{self, BufRead as _, IsTerminal as _, Read};

use anyhow::{Context as _, Result};
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

use crate::exit::{Exit, Failed};
use crate::output;

/// More than any value may have, so that a longer one is seen to be too long.
const MOST_BYTES: u64 = 64 << 10;

/// The value that is piped in, without the line break at its end.
pub(super) fn from_stdin() -> Result<String> {
    if io::stdin().is_terminal() {
        return Err(
            Failed::new(Exit::Usage, "standard input is a terminal, which would show the value")
                .hint("pipe it in, or leave `--value-stdin` out to be asked for it")
                .into(),
        );
    }
    text(io::stdin().lock())
}

/// The value that the person at the terminal types.
pub(super) fn asked(name: &str) -> Result<String> {
    let stdin = io::stdin();
    if !stdin.is_terminal() {
        return Err(Failed::new(Exit::Usage, "there is no terminal to ask for the value")
            .hint(format!(
                "pipe it: `… | claw secret set {} --value-stdin`",
                output::printable(name)
            ))
            .into());
    }
    let mut line = String::new();
    let hidden = Hidden::new().context("the terminal cannot be kept from showing what is typed")?;
    output::piece(&format!("value of `{}` (not shown): ", output::printable(name)));
    let read = stdin.lock().take(MOST_BYTES).read_line(&mut line);
    drop(hidden);
    output::piece("\n");
    read.context("the value cannot be read")?;
    Ok(without_end(line))
}

fn text(mut from: impl Read) -> Result<String> {
    let mut bytes = Vec::new();
    from.by_ref()
        .take(MOST_BYTES)
        .read_to_end(&mut bytes)
        .context("the value cannot be read")?;
    // The error of the conversion would carry the bytes.
    let text = String::from_utf8(bytes).map_err(|_| Failed::new(Exit::Usage, "the value is not UTF-8 text"))?;
    Ok(without_end(text))
}

fn without_end(mut text: String) -> String {
    let end = text
        .strip_suffix('\n')
        .map_or(text.len(), |front| front.strip_suffix('\r').unwrap_or(front).len());
    text.truncate(end);
    text
}

/// A terminal that shows nothing of what is typed, until this is dropped.
struct Hidden(Termios);

impl Hidden {
    fn new() -> io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO);
        tcsetattr(io::stdin(), OptionalActions::Flush, &silent)?;
        Ok(Hidden(before))
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        // The terminal has gone: there is nothing to put right.
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_break_at_the_end_is_not_part_of_the_value() {
        let check = |given: &[u8], expected: Option<&str>| {
            assert_eq!(text(given).ok().as_deref(), expected, "{given:?}");
        };
        check(b"sk-x", Some("sk-x"));
        check(b"sk-x\n", Some("sk-x"));
        check(b"sk-x\r\n", Some("sk-x"));
        check(b"sk-x\n\n", Some("sk-x\n"));
        check(b" a b ", Some(" a b "));
        check(b"", Some(""));
        check(b"\xff\xfe", None);
        let long = text(io::repeat(b'x')).unwrap_or_default();
        assert_eq!(long.len() as u64, MOST_BYTES, "an endless pipe is not read to its end");
        let error = text(b"canary\xff".as_slice()).map_err(|error| format!("{error:?}"));
        assert!(error.is_err_and(|error| !error.contains("canary") && !error.contains("99, 97")));
    }
}
