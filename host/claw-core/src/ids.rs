//! Names of things that happen: invocation ids and W3C trace context. Refuses text that
//! is not one.

use std::fmt;
use std::str::FromStr;
use std::time::{SystemTime, UNIX_EPOCH};

use rand::RngExt as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const PREFIX: &str = "inv_";

/// The id of one invocation or one model call: 48 bits of Unix milliseconds, 80 random
/// bits, written as `inv_` and 26 Crockford base-32 characters that sort by time.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct InvocationId(u128);

impl InvocationId {
    /// A new id for now.
    pub fn generate() -> Self {
        let millis = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_millis());
        let random: u128 = rand::rng().random();
        InvocationId((millis << 80) | (random >> 48))
    }

    /// When it was generated, in microseconds since 1970 and whole milliseconds.
    pub fn unix_us(self) -> i64 {
        // 48 bits of milliseconds: their microseconds fit.
        i64::try_from(self.0 >> 80).unwrap_or(i64::MAX).saturating_mul(1_000)
    }

    /// The 16 bytes of the id, most significant first.
    pub fn to_bytes(self) -> [u8; 16] {
        self.0.to_be_bytes()
    }

    /// The id of these 16 bytes.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        InvocationId(u128::from_be_bytes(bytes))
    }
}

impl fmt::Display for InvocationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(PREFIX)?;
        for place in (0..26).rev() {
            let digit = (self.0 >> (place * 5)) & 31;
            let letter = ALPHABET.get(digit as usize).copied().unwrap_or(b'0');
            write!(f, "{}", char::from(letter))?;
        }
        Ok(())
    }
}

impl fmt::Debug for InvocationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text is not an id of this kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an invocation id: `inv_` and 26 characters of 0-9 a-z without i, l, o, u")]
pub struct NotAnId;

impl FromStr for InvocationId {
    type Err = NotAnId;

    fn from_str(text: &str) -> Result<Self, NotAnId> {
        let digits = text.strip_prefix(PREFIX).ok_or(NotAnId)?;
        if digits.len() != 26 || digits.as_bytes().first().is_none_or(|first| *first > b'7') {
            return Err(NotAnId);
        }
        digits
            .bytes()
            .try_fold(0u128, |value, byte| {
                let digit = ALPHABET.iter().position(|letter| *letter == byte).ok_or(NotAnId)?;
                Ok((value << 5) | digit as u128)
            })
            .map(InvocationId)
    }
}

impl Serialize for InvocationId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for InvocationId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// A W3C `traceparent`, version 00 (<https://www.w3.org/TR/trace-context/>).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceParent {
    trace: u128,
    span: u64,
    flags: u8,
    /// The span that this one is below, where it is known.
    parent: Option<u64>,
}

impl TraceParent {
    /// A new trace with a new span, sampled.
    pub fn generate() -> Self {
        let mut rng = rand::rng();
        TraceParent {
            trace: rng.random::<u128>() | 1,
            span: rng.random::<u64>() | 1,
            flags: 1,
            parent: None,
        }
    }

    /// The same trace, a new span.
    #[must_use]
    pub fn child(self) -> Self {
        TraceParent {
            span: rand::rng().random::<u64>() | 1,
            parent: Some(self.span),
            ..self
        }
    }

    /// The caller's trace continued, or a new one where the header is absent or broken,
    /// as the specification asks.
    pub fn continue_or_generate(header: Option<&str>) -> Self {
        header
            .and_then(|text| text.parse::<TraceParent>().ok())
            .map_or_else(Self::generate, Self::child)
    }

    /// The 32 hex digits that all spans of a trace share.
    pub fn trace_id(self) -> String {
        format!("{:032x}", self.trace)
    }

    /// The same as bytes, most significant first.
    pub fn trace_bytes(self) -> [u8; 16] {
        self.trace.to_be_bytes()
    }

    /// The span's id, most significant byte first.
    pub fn span_bytes(self) -> [u8; 8] {
        self.span.to_be_bytes()
    }

    /// The span that this one is below, where that is known.
    pub fn parent_bytes(self) -> Option<[u8; 8]> {
        self.parent.map(u64::to_be_bytes)
    }

    /// Whoever began the trace wants it recorded.
    pub fn is_sampled(self) -> bool {
        self.flags & 1 == 1
    }
}

impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{:032x}-{:016x}-{:02x}", self.trace, self.span, self.flags)
    }
}

/// The text is no `traceparent` of a version that can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a `traceparent`: `00-<32 hex>-<16 hex>-<2 hex>`")]
pub struct NotATraceParent;

impl FromStr for TraceParent {
    type Err = NotATraceParent;

    fn from_str(text: &str) -> Result<Self, NotATraceParent> {
        let mut parts = text.trim().split('-');
        let mut next = |length: usize| {
            parts
                .next()
                .filter(|part| part.len() == length)
                .filter(|part| part.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)))
                .ok_or(NotATraceParent)
        };
        let version = next(2)?;
        let trace = u128::from_str_radix(next(32)?, 16).map_err(|_| NotATraceParent)?;
        let span = u64::from_str_radix(next(16)?, 16).map_err(|_| NotATraceParent)?;
        let flags = u8::from_str_radix(next(2)?, 16).map_err(|_| NotATraceParent)?;
        let rest = parts.next().is_some();
        if version == "ff" || (version == "00" && rest) || trace == 0 || span == 0 {
            return Err(NotATraceParent);
        }
        Ok(TraceParent {
            trace,
            span,
            flags: flags & 1,
            parent: None,
        })
    }
}

#[cfg(test)]
mod tests;
