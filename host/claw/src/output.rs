//! What people see: data on standard output, everything else on standard error, colour only
//! on a terminal that wants it.

use std::io::{self, IsTerminal as _, Write as _};

use crate::exit::Failed;

/// Writes one line of data.
pub fn line(text: impl AsRef<str>) {
    // A reader that has gone, such as `head`, is no error of ours.
    let _ = writeln!(io::stdout().lock(), "{}", text.as_ref());
}

/// Writes bytes of data as they are.
pub fn raw(bytes: &[u8]) {
    let mut out = io::stdout().lock();
    let _ = out.write_all(bytes);
    let _ = out.flush();
}

/// Writes a value as JSON.
pub fn json<T: serde::Serialize>(value: &T) {
    line(serde_json::to_string_pretty(value).unwrap_or_default());
}

/// Tells the person at the terminal something that is no data.
pub fn note(text: impl AsRef<str>) {
    let _ = writeln!(io::stderr().lock(), "{}", text.as_ref());
}

/// Writes a piece of text for the person at the terminal, without ending the line.
pub fn piece(text: &str) {
    let mut err = io::stderr().lock();
    let _ = err.write_all(text.as_bytes());
    let _ = err.flush();
}

/// Says what failed, and what to do about it.
pub fn failure(error: &anyhow::Error) {
    let mark = Style::stderr().red("error");
    note(format!("{mark}: {error:#}"));
    let hint = error
        .chain()
        .find_map(|cause| cause.downcast_ref::<Failed>())
        .and_then(|failed| failed.hint.as_ref());
    if let Some(hint) = hint {
        note(format!("hint: {hint}"));
    }
}

/// Colour, or none.
#[derive(Clone, Copy, Debug)]
pub struct Style {
    colour: bool,
}

impl Style {
    /// For standard output.
    pub fn stdout() -> Self {
        Style {
            colour: wanted(io::stdout().is_terminal()),
        }
    }

    /// For standard error.
    pub fn stderr() -> Self {
        Style {
            colour: wanted(io::stderr().is_terminal()),
        }
    }

    /// Always plain.
    pub fn plain() -> Self {
        Style { colour: false }
    }

    /// Colour is wanted.
    pub fn is_coloured(self) -> bool {
        self.colour
    }

    fn paint(self, code: &str, text: &str) -> String {
        if self.colour {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }

    /// For failures.
    pub fn red(self, text: &str) -> String {
        self.paint("31", text)
    }

    /// For what is well.
    pub fn green(self, text: &str) -> String {
        self.paint("32", text)
    }

    /// For what needs a look.
    pub fn yellow(self, text: &str) -> String {
        self.paint("33", text)
    }

    /// For what matters less.
    pub fn dim(self, text: &str) -> String {
        self.paint("2", text)
    }

    /// For headings.
    pub fn bold(self, text: &str) -> String {
        self.paint("1", text)
    }
}

fn wanted(terminal: bool) -> bool {
    let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    (terminal && !set("NO_COLOR") && std::env::var_os("TERM").is_none_or(|term| term != "dumb")) || set("CLICOLOR_FORCE")
}

/// Text that came from elsewhere, safe to show on a terminal: control characters are
/// replaced, so that nothing moves the cursor or sets a colour.
pub fn printable(text: &str) -> String {
    text.chars()
        .map(|c| {
            if c.is_control() && c != '\n' && c != '\t' {
                '\u{fffd}'
            } else {
                c
            }
        })
        .collect()
}

/// Rows in columns, the last one as wide as it is.
pub fn table(head: &[&str], rows: &[Vec<String>], style: Style) -> String {
    let mut widths: Vec<usize> = head.iter().map(|cell| cell.chars().count()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(printable(cell).chars().count());
        }
    }
    let mut text = String::new();
    let mut push = |cells: &mut dyn Iterator<Item = String>, last: usize| {
        for (place, (cell, width)) in cells.zip(&widths).enumerate() {
            let pad = if place == last {
                0
            } else {
                width.saturating_sub(cell.chars().count()) + 2
            };
            text.push_str(&cell);
            text.extend(std::iter::repeat_n(' ', pad));
        }
        text.truncate(text.trim_end_matches(' ').len());
        text.push('\n');
    };
    let last = head.len().saturating_sub(1);
    push(&mut head.iter().map(|cell| (*cell).to_owned()), last);
    for row in rows {
        push(&mut row.iter().map(|cell| printable(cell)), last);
    }
    match text.split_once('\n') {
        Some((first, rest)) => format!("{}\n{rest}", style.bold(first)),
        None => text,
    }
}
