//! Where a guest's words go: its log lines, its standard output and error, line by line
//! into the journal, under one bound. Never to this process's own.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};

use crate::context::Flooded;
use bytes::Bytes;
use claw_core::journal::{Effect, LogLevel, Recorder};
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};

/// The most log lines that one invocation may write.
const MAX_LINES: u64 = 1_000;
/// The most times that one invocation may say something before it counts as a flood.
const MAX_CALLS: u64 = 100_000;
/// The most bytes of all of its log lines.
const MAX_BYTES: usize = 256 << 10;
/// The most bytes of one line; the rest of it is cut off.
const MAX_LINE: usize = 8 << 10;

/// How many lines of standard error are remembered for the message of a trap.
const LAST_WORDS: usize = 4;

/// The bound that all words of one run share.
#[derive(Clone)]
pub(crate) struct LogBudget {
    journal: Arc<Recorder>,
    used: Arc<Mutex<Used>>,
    flooded: Flooded,
}

#[derive(Debug, Default)]
struct Used {
    calls: u64,
    lines: u64,
    bytes: usize,
    dropped: u64,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    last_errors: VecDeque<String>,
}

/// Which of the two standard streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stream {
    Out,
    Err,
}

impl LogBudget {
    pub(crate) fn new(journal: Arc<Recorder>, flooded: Flooded) -> Self {
        LogBudget {
            journal,
            used: Arc::default(),
            flooded,
        }
    }

    /// Writes one line, or counts it where there is no room.
    pub(crate) fn write(&self, level: LogLevel, mut message: String, fields: Option<String>, source: &str) {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        self.count(&mut used);
        if message.len() > MAX_LINE {
            let cut = message.floor_char_boundary(MAX_LINE);
            message.truncate(cut);
            message.push('…');
        }
        let fields = fields.filter(|text| text.len() <= MAX_LINE);
        let size = message.len() + fields.as_ref().map_or(0, String::len);
        if used.lines >= MAX_LINES || used.bytes + size > MAX_BYTES {
            used.dropped += 1;
            return;
        }
        used.lines += 1;
        used.bytes += size;
        let fields = fields.map(|text| serde_json::from_str(&text).unwrap_or(serde_json::Value::String(text)));
        self.journal.push(
            Effect::Log {
                level,
                message,
                fields,
                source: source.to_owned(),
            },
            size,
        );
    }

    /// Counts a call that says something; past the limit the run is ended.
    fn count(&self, used: &mut Used) {
        used.calls += 1;
        if used.calls > MAX_CALLS {
            self.flooded.store(true, Ordering::Relaxed);
        }
    }

    /// Takes bytes of a standard stream; every complete line is written.
    fn take(&self, stream: Stream, bytes: &[u8]) {
        let mut lines = Vec::new();
        {
            let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
            self.count(&mut used);
            let pending = match stream {
                Stream::Out => &mut used.stdout,
                Stream::Err => &mut used.stderr,
            };
            for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
                let room = MAX_LINE.saturating_add(4).saturating_sub(pending.len());
                pending.extend_from_slice(piece.get(..piece.len().min(room)).unwrap_or_default());
                if piece.ends_with(b"\n") {
                    lines.push(std::mem::take(pending));
                }
            }
        }
        for line in lines {
            self.line(stream, &line);
        }
    }

    fn line(&self, stream: Stream, line: &[u8]) {
        let text = String::from_utf8_lossy(line);
        if stream == Stream::Err {
            let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
            if used.last_errors.len() == LAST_WORDS {
                used.last_errors.pop_front();
            }
            used.last_errors.push_back(text.trim_end().chars().take(300).collect());
        }
        let (level, source) = match stream {
            Stream::Out => (LogLevel::Info, "stdout"),
            Stream::Err => (LogLevel::Warn, "stderr"),
        };
        self.write(level, text.trim_end_matches(['\r', '\n']).to_owned(), None, source);
    }

    /// Writes what is left without a line end, and how many lines were dropped.
    pub(crate) fn finish(&self) {
        let (out, err) = {
            let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
            (std::mem::take(&mut used.stdout), std::mem::take(&mut used.stderr))
        };
        for (stream, rest) in [(Stream::Out, out), (Stream::Err, err)] {
            if !rest.is_empty() {
                self.line(stream, &rest);
            }
        }
        let dropped = self.used.lock().unwrap_or_else(PoisonError::into_inner).dropped;
        if dropped > 0 {
            self.journal.push(Effect::LogCap { dropped }, 16);
        }
    }

    /// The last lines on standard error, for the message of a trap.
    pub(crate) fn last_words(&self) -> Vec<String> {
        let used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        used.last_errors.iter().filter(|line| !line.is_empty()).cloned().collect()
    }

    /// A standard stream that ends here.
    pub(crate) fn stream(&self, stream: Stream) -> Captured {
        Captured {
            logs: self.clone(),
            stream,
        }
    }
}

/// A standard stream of a guest.
#[derive(Clone)]
pub(crate) struct Captured {
    logs: LogBudget,
    stream: Stream,
}

impl IsTerminal for Captured {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Captured {
    fn async_stream(&self) -> Box<dyn tokio::io::AsyncWrite + Send + Sync> {
        // Only WASI 0.3 asks for this one, and no guest is linked to it.
        Box::new(tokio::io::sink())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

#[async_trait::async_trait]
impl Pollable for Captured {
    async fn ready(&mut self) {}
}

impl OutputStream for Captured {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.logs.take(self.stream, &bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(64 << 10)
    }
}
