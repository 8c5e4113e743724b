//! The ordered effects of one invocation. One structure, four uses: audit record, trace,
//! test cassette, replay. Bounded: past its bounds effects are counted, not kept.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use serde::{Deserialize, Serialize};

use crate::capability::Payload;
use crate::errors::Fault;
use crate::ids::InvocationId;
use crate::model::{Completion, CompletionRequest};

/// How grave a log line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// Every step.
    Trace,
    /// For its author.
    Debug,
    /// For its operator.
    Info,
    /// Something is off.
    Warn,
    /// Something failed.
    Error,
}

/// What happened.
#[expect(
    clippy::large_enum_variant,
    reason = "a journal holds few of the large ones, and is bounded"
)]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "effect", rename_all = "snake_case")]
pub enum Effect {
    /// The seed of all randomness of the invocation, 64 hex digits.
    Seed {
        /// 32 bytes, hex.
        seed: String,
    },
    /// A clock was read.
    Clock {
        /// `wall` (nanoseconds since 1970) or `monotonic` (nanoseconds since the start).
        clock: String,
        /// What it said.
        nanos: u64,
    },
    /// Clocks were read more often than the journal keeps: not replayable.
    ClockCap {
        /// How many reads were kept.
        kept: u32,
    },
    /// A model was called.
    Model {
        /// The use that the skill named.
        #[serde(rename = "use")]
        use_name: String,
        /// What was asked.
        request: CompletionRequest,
        /// It was asked for event by event.
        #[serde(default)]
        stream: bool,
        /// What came back.
        answer: Answer<Completion>,
        /// Its own audit entry.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        entry: Option<InvocationId>,
    },
    /// Texts were embedded.
    Embed {
        /// The use that the skill named.
        #[serde(rename = "use")]
        use_name: String,
        /// What was embedded.
        texts: Vec<String>,
        /// What came back.
        answer: Answer<Vec<Vec<f32>>>,
        /// Its own audit entry.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        entry: Option<InvocationId>,
    },
    /// A capability was invoked.
    Invoke {
        /// Its name.
        capability: String,
        /// What went in.
        input: Payload,
        /// What came out.
        answer: Answer<Payload>,
        /// Its own audit entry.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        entry: Option<InvocationId>,
    },
    /// A file was touched.
    File {
        /// `stat`, `read`, `list`, `write`, `make_directory`.
        op: String,
        /// As the guest wrote it.
        path: String,
        /// How many bytes or entries moved.
        size: u64,
        /// SHA-256 of the bytes, hex, where bytes moved.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sha256: Option<String>,
        /// It was refused or failed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        fault: Option<Fault>,
    },
    /// The skill logged, or wrote to its standard output (`stdout`) or error (`stderr`).
    Log {
        /// How grave.
        level: LogLevel,
        /// The words.
        message: String,
        /// One JSON object.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        fields: Option<serde_json::Value>,
        /// `log`, `stdout` or `stderr`.
        source: String,
    },
    /// Log lines were dropped.
    LogCap {
        /// How many.
        dropped: u64,
    },
    /// The skill told its caller how far it is.
    Progress {
        /// The words.
        message: String,
        /// 0 to 100.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        percent: Option<u8>,
    },
    /// What the instance used.
    Resources {
        /// The most memory it held at once, in bytes.
        peak_memory_bytes: u64,
        /// How many host calls it made.
        host_calls: u64,
        /// How many bytes it gave out, the result included.
        output_bytes: u64,
    },
    /// Effects that were not kept.
    Dropped {
        /// How many.
        effects: u64,
    },
}

/// What came back from a call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer<T> {
    /// The answer.
    Ok(T),
    /// The failure.
    Err(Fault),
}

impl<T: Clone> Answer<T> {
    /// The answer of a call that was just made.
    pub fn of(result: &Result<T, Fault>) -> Self {
        match result {
            Ok(value) => Answer::Ok(value.clone()),
            Err(fault) => Answer::Err(fault.clone()),
        }
    }

    /// The answer as the call would have given it.
    ///
    /// # Errors
    /// The recorded fault.
    pub fn into_result(self) -> Result<T, Fault> {
        match self {
            Answer::Ok(value) => Ok(value),
            Answer::Err(fault) => Err(fault),
        }
    }
}

/// One effect, and when it began and how long it took, in microseconds from the start.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// When it was over, in microseconds from the start of the invocation.
    #[serde(default)]
    pub at_us: u64,
    /// The effect.
    #[serde(flatten)]
    pub effect: Effect,
}

/// The most effects that a journal keeps.
pub const MAX_EFFECTS: usize = 10_000;
/// The most bytes of effects that a journal keeps, roughly.
pub const MAX_BYTES: usize = 4 << 20;

/// Collects the effects of one invocation, in their order. Shared by all of its imports.
#[derive(Debug)]
pub struct Recorder {
    started: Instant,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    lines: Vec<Line>,
    bytes: usize,
    dropped: u64,
    offline: bool,
    acted: bool,
}

impl Default for Recorder {
    fn default() -> Self {
        Recorder {
            started: Instant::now(),
            inner: Mutex::default(),
        }
    }
}

impl Recorder {
    /// An empty journal that begins now.
    pub fn new() -> Self {
        Recorder::default()
    }

    /// Adds an effect whose size is about `bytes`, or counts it where there is no room.
    pub fn push(&self, effect: Effect, bytes: usize) {
        let at_us = u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX);
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if let Effect::Model {
            answer: Answer::Ok(completion),
            ..
        } = &effect
        {
            inner.offline |= completion.offline;
        }
        let size = bytes.saturating_add(64);
        if inner.lines.len() >= MAX_EFFECTS || inner.bytes.saturating_add(size) > MAX_BYTES {
            inner.dropped += 1;
            return;
        }
        inner.bytes += size;
        inner.lines.push(Line { at_us, effect });
    }

    /// Says that something in here was made by the offline provider.
    pub fn mark_offline(&self) {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).offline = true;
    }

    /// Says that something outside may be changed from now on.
    pub fn mark_acted(&self) {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).acted = true;
    }

    /// Something outside may have been changed.
    pub fn has_acted(&self) -> bool {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).acted
    }

    /// Nothing has happened yet.
    pub fn is_empty(&self) -> bool {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.lines.is_empty() && inner.dropped == 0
    }

    /// Some answer in here was made by the offline provider.
    pub fn offline(&self) -> bool {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).offline
    }

    /// Takes all lines out, and a last one that says how many were dropped.
    pub fn take(&self) -> Vec<Line> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let mut lines = std::mem::take(&mut inner.lines);
        if inner.dropped > 0 {
            let at_us = lines.last().map_or(0, |line| line.at_us);
            lines.push(Line {
                at_us,
                effect: Effect::Dropped { effects: inner.dropped },
            });
        }
        lines
    }
}

/// Lines as JSON lines.
pub fn to_jsonl(lines: &[Line]) -> Vec<u8> {
    let mut text = Vec::new();
    for line in lines {
        if serde_json::to_writer(&mut text, line).is_ok() {
            text.push(b'\n');
        }
    }
    text
}
