//! A stream of server-sent events cut into whole events, byte by byte as they came, with what
//! each of them says beside it. Refuses events beyond a bound.

use bytes::{Bytes, BytesMut};

/// The longest event, in bytes.
const MAX_EVENT: usize = 8 << 20;

/// One event.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Event {
    /// As it came, its empty line included.
    pub(super) raw: Bytes,
    /// Its data lines, joined; empty for a comment.
    pub(super) data: String,
    /// It is called `error`.
    pub(super) is_error: bool,
}

/// Cuts a stream.
#[derive(Debug, Default)]
pub(super) struct Splitter {
    pending: BytesMut,
    /// Up to here no event ends.
    searched: usize,
}

/// An event is longer than the bound, or not UTF-8.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BadEvent {
    TooLong,
    NotUtf8,
}

impl BadEvent {
    pub(super) fn words(self) -> &'static str {
        match self {
            BadEvent::TooLong => "holds an event that is too long",
            BadEvent::NotUtf8 => "is not UTF-8",
        }
    }
}

impl Splitter {
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.pending.extend_from_slice(bytes);
    }

    /// The next whole event.
    pub(super) fn next_event(&mut self) -> Result<Option<Event>, BadEvent> {
        match self.end_of_event() {
            Some(end) => {
                self.searched = 0;
                read(self.pending.split_to(end).freeze()).map(Some)
            }
            None if self.pending.len() > MAX_EVENT => Err(BadEvent::TooLong),
            None => Ok(None),
        }
    }

    /// The stream is over: what is left counts as an event too.
    pub(super) fn rest(&mut self) -> Result<Option<Event>, BadEvent> {
        self.searched = 0;
        let rest = self.pending.split().freeze();
        if rest.is_empty() { Ok(None) } else { read(rest).map(Some) }
    }

    /// Past the first empty line. Lines end with LF, CR LF or CR.
    fn end_of_event(&mut self) -> Option<usize> {
        let text = &self.pending;
        let mut at = self.searched;
        while let Some(offset) = text
            .get(at..)
            .and_then(|rest| rest.iter().position(|b| matches!(b, b'\n' | b'\r')))
        {
            let first = at + offset;
            let after = past_line_end(text, first)?;
            let second = *text.get(after)?;
            if matches!(second, b'\n' | b'\r') {
                return past_line_end(text, after);
            }
            at = after;
            self.searched = first.saturating_sub(1);
        }
        // Where no line ends, none of it has to be looked at again.
        self.searched = text.len().saturating_sub(1);
        None
    }
}

/// Past the end of a line at `at`; nothing where a CR is the last byte, since an LF may follow.
fn past_line_end(text: &[u8], at: usize) -> Option<usize> {
    match (text.get(at)?, text.get(at + 1)) {
        (b'\r', Some(b'\n')) => Some(at + 2),
        (b'\r', None) => None,
        _ => Some(at + 1),
    }
}

fn read(raw: Bytes) -> Result<Event, BadEvent> {
    let text = std::str::from_utf8(&raw).map_err(|_| BadEvent::NotUtf8)?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let (mut data, mut is_error) = (String::new(), false);
    for line in text.split(['\n', '\r']) {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match name {
            "data" if data.is_empty() => data.push_str(value),
            "data" => {
                data.push('\n');
                data.push_str(value);
            }
            "event" => is_error = value == "error",
            _ => {}
        }
    }
    Ok(Event { raw, data, is_error })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
    use super::*;

    fn split(text: &[u8], cut: usize) -> (Vec<String>, Vec<u8>) {
        let mut splitter = Splitter::default();
        let (mut data, mut raw) = (Vec::new(), Vec::new());
        for piece in text.chunks(cut.max(1)) {
            splitter.push(piece);
            while let Some(event) = splitter.next_event().unwrap() {
                data.push(event.data);
                raw.extend_from_slice(&event.raw);
            }
        }
        if let Some(event) = splitter.rest().unwrap() {
            data.push(event.data);
            raw.extend_from_slice(&event.raw);
        }
        (data, raw)
    }

    #[test]
    fn events_are_whole_wherever_they_are_cut_and_lose_no_byte() {
        for text in [
            "data: a\n\nevent: x\ndata: b\ndata: c\n\n: ping\n\ndata:d\n\n",
            "data: a\r\n\r\nevent: x\r\ndata: b\r\ndata: c\r\n\r\n: ping\r\n\r\ndata:d\r\n\r\n",
            "data: a\r\revent: x\rdata: b\rdata: c\r\r: ping\r\rdata:d\r\r",
        ] {
            for cut in 1..text.len() {
                let (data, raw) = split(text.as_bytes(), cut);
                assert_eq!(raw, text.as_bytes(), "cut {cut}");
                let said: Vec<&str> = data.iter().map(String::as_str).filter(|data| !data.is_empty()).collect();
                assert_eq!(said, ["a", "b\nc", "d"], "cut {cut}");
            }
        }
    }

    #[test]
    fn what_is_no_event_is_refused() {
        let mut splitter = Splitter::default();
        splitter.push(b"data: \xff\n\n");
        assert_eq!(splitter.next_event(), Err(BadEvent::NotUtf8));
        let mut splitter = Splitter::default();
        splitter.push(&vec![b'x'; MAX_EVENT + 1]);
        assert_eq!(splitter.next_event(), Err(BadEvent::TooLong));
    }

    #[test]
    fn errors_are_known_by_their_name() {
        let mut splitter = Splitter::default();
        splitter.push(b"event: error\ndata: {}\n\n");
        assert!(splitter.next_event().unwrap().unwrap().is_error);
    }
}
