//! Lines of a file of any size, one at a time and each bounded in length, so that neither a
//! large file nor a huge line fills the memory of an invocation.

use crate::Error;
use crate::files::Chunks;

/// How long a kept line may be in bytes, unless said otherwise.
pub(crate) const MAX_LINE_BYTES: usize = 64 << 10;

/// Lines of a file; see [`crate::files::read_lines`].
pub struct Lines {
    chunks: Chunks,
    chunk: Vec<u8>,
    at: usize,
    line: Vec<u8>,
    max_bytes: usize,
    number: u64,
}

/// One line, without its line end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line<'a> {
    /// From 1.
    pub number: u64,
    /// Its first bytes, at most as many as are kept.
    pub bytes: &'a [u8],
    /// How long it is in the file, in bytes.
    pub length: u64,
}

impl Line<'_> {
    /// The line as text; bytes that are no UTF-8 are replaced.
    pub fn text(&self) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(self.bytes)
    }

    /// The line is longer than what is kept of it.
    pub fn is_cut(&self) -> bool {
        self.length > self.bytes.len() as u64
    }
}

impl Lines {
    pub(crate) fn new(chunks: Chunks) -> Self {
        Lines {
            chunks,
            chunk: Vec::new(),
            at: 0,
            line: Vec::new(),
            max_bytes: MAX_LINE_BYTES,
            number: 0,
        }
    }

    /// Keeps this many bytes of a line, at least 1; 64 KiB unless said otherwise.
    #[must_use]
    pub fn max_line_bytes(mut self, bytes: usize) -> Self {
        self.max_bytes = bytes.max(1);
        self
    }

    /// The next line, or `None` at the end. `\n` and `\r\n` end a line; the last one needs
    /// no end.
    ///
    /// # Errors
    /// A `file.*` or `grant.*` code.
    pub fn next_line(&mut self) -> Result<Option<Line<'_>>, Error> {
        self.line.clear();
        let mut length = 0_u64;
        let mut last = 0_u8;
        let mut found = false;
        loop {
            let rest = self.chunk.get(self.at..).unwrap_or_default();
            if rest.is_empty() {
                self.at = 0;
                match self.chunks.next() {
                    Some(chunk) => self.chunk = chunk?,
                    None => {
                        self.chunk.clear();
                        break;
                    }
                }
                continue;
            }
            found = true;
            let end = rest.iter().position(|byte| *byte == b'\n');
            let piece = rest.get(..end.unwrap_or(rest.len())).unwrap_or_default();
            let room = self.max_bytes - self.line.len();
            self.line.extend_from_slice(piece.get(..room).unwrap_or(piece));
            length += piece.len() as u64;
            last = piece.last().copied().unwrap_or(last);
            self.at += piece.len();
            if end.is_some() {
                self.at += 1;
                break;
            }
        }
        if !found {
            return Ok(None);
        }
        if last == b'\r' {
            length -= 1;
            if self.line.len() as u64 > length {
                self.line.pop();
            }
        }
        self.number += 1;
        Ok(Some(Line {
            number: self.number,
            bytes: &self.line,
            length,
        }))
    }
}

impl Iterator for Lines {
    type Item = Result<String, Error>;

    /// The next line as text; bytes that are no UTF-8 are replaced.
    fn next(&mut self) -> Option<Self::Item> {
        match self.next_line() {
            Ok(line) => line.map(|line| Ok(line.text().into_owned())),
            Err(error) => Some(Err(error)),
        }
    }
}
