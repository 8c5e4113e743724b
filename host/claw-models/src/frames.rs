//! Bytes to events, wherever they are cut: server-sent events, and JSON lines. Refuses
//! what is not UTF-8 and events beyond a bound.

use std::collections::VecDeque;

/// The longest event or line, in bytes. Tool calls may come whole in one.
const MAX_FRAME: usize = 8 * 1024 * 1024;

/// One event of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    /// The event is called `error`.
    pub(crate) is_error: bool,
    /// Its data.
    pub(crate) data: String,
}

/// Why a stream cannot be read on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BadFrame {
    TooLong,
    NotUtf8,
}

impl BadFrame {
    pub(crate) fn words(self) -> &'static str {
        match self {
            BadFrame::TooLong => "holds an event that is too long",
            BadFrame::NotUtf8 => "is not UTF-8",
        }
    }
}

/// Puts events together from pieces of a stream.
#[derive(Debug)]
pub(crate) struct Framer {
    kind: Kind,
    line: Vec<u8>,
    /// The last byte was a CR: an LF that follows belongs to it.
    after_cr: bool,
    /// Nothing has come yet that could not be a byte order mark.
    at_start: bool,
    event: String,
    data: Option<String>,
    ready: VecDeque<Frame>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    ServerSentEvents,
    JsonLines,
}

impl Framer {
    /// For `text/event-stream`.
    pub(crate) fn server_sent_events() -> Self {
        Framer::new(Kind::ServerSentEvents)
    }

    /// For one JSON value a line.
    pub(crate) fn json_lines() -> Self {
        Framer::new(Kind::JsonLines)
    }

    fn new(kind: Kind) -> Self {
        let (line, event, ready) = (Vec::new(), String::new(), VecDeque::new());
        Framer {
            kind,
            line,
            after_cr: false,
            at_start: true,
            event,
            data: None,
            ready,
        }
    }

    /// More of the stream. Whole events are then in [`Framer::next_frame`].
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Result<(), BadFrame> {
        let mut rest = bytes;
        while !rest.is_empty() {
            if std::mem::take(&mut self.after_cr)
                && let Some(after) = rest.strip_prefix(b"\n")
            {
                rest = after;
                continue;
            }
            let end = rest.iter().position(|b| matches!(b, b'\n' | b'\r'));
            let (piece, ending) = rest.split_at(end.unwrap_or(rest.len()));
            if self.line.len() + piece.len() > MAX_FRAME {
                return Err(BadFrame::TooLong);
            }
            self.line.extend_from_slice(piece);
            match ending.split_first() {
                Some((ending, after)) => {
                    self.after_cr = *ending == b'\r';
                    self.end_line()?;
                    rest = after;
                }
                None => break,
            }
        }
        Ok(())
    }

    /// The stream is over. An event without its empty line still counts: whether the
    /// answer is whole is for its own terminator to say.
    pub(crate) fn end(&mut self) -> Result<(), BadFrame> {
        if !self.line.is_empty() {
            self.end_line()?;
        }
        self.dispatch();
        Ok(())
    }

    /// The next whole event.
    pub(crate) fn next_frame(&mut self) -> Option<Frame> {
        self.ready.pop_front()
    }

    fn end_line(&mut self) -> Result<(), BadFrame> {
        let bytes = std::mem::take(&mut self.line);
        let line = std::str::from_utf8(&bytes).map_err(|_| BadFrame::NotUtf8)?;
        let line = if std::mem::take(&mut self.at_start) {
            line.strip_prefix('\u{feff}').unwrap_or(line)
        } else {
            line
        };
        let result = match self.kind {
            Kind::ServerSentEvents => self.field(line),
            Kind::JsonLines => {
                if !line.trim().is_empty() {
                    self.ready.push_back(Frame {
                        is_error: false,
                        data: line.to_owned(),
                    });
                }
                Ok(())
            }
        };
        self.line = bytes;
        self.line.clear();
        result
    }

    fn field(&mut self, line: &str) -> Result<(), BadFrame> {
        if line.is_empty() {
            self.dispatch();
            return Ok(());
        }
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match (name, &mut self.data) {
            ("event", _) => value.clone_into(&mut self.event),
            ("data", Some(data)) if data.len() + value.len() >= MAX_FRAME => return Err(BadFrame::TooLong),
            ("data", Some(data)) => {
                data.push('\n');
                data.push_str(value);
            }
            ("data", data @ None) => *data = Some(value.to_owned()),
            // Comments (an empty name), `id`, `retry`, and what is unknown.
            _ => {}
        }
        Ok(())
    }

    fn dispatch(&mut self) {
        let is_error = self.event == "error";
        self.event.clear();
        if let Some(data) = self.data.take() {
            self.ready.push_back(Frame { is_error, data });
        }
    }
}

#[cfg(test)]
mod tests;
