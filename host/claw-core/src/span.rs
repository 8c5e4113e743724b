//! Lengths of time as people write them: `30s`, `24h`, `90d`. Refuses what could mean two
//! things, and what is longer than can be counted.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A hundred years: longer spans are a mistake in the unit.
const LONGEST: Duration = Duration::from_secs(36_525 * 86_400);

/// Units, in seconds; larger ones first.
const UNITS: [(char, u64); 5] = [('w', 7 * 86_400), ('d', 86_400), ('h', 3_600), ('m', 60), ('s', 1)];

/// A length of time: `30s`, `15m`, `24h`, `90d`, `12w`. In files it is text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Span(pub Duration);

/// The text is no length of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadSpan {
    /// It is no number with a unit.
    #[error("write a number and its unit, as in `30s`, `15m`, `24h`, `90d` or `12w`")]
    Form,
    /// It is more than a hundred years.
    #[error("that is more than a hundred years")]
    TooLong,
}

impl FromStr for Span {
    type Err = BadSpan;

    fn from_str(text: &str) -> Result<Self, BadSpan> {
        let unit = text.chars().last().ok_or(BadSpan::Form)?;
        let number = text.strip_suffix(unit).unwrap_or_default();
        let found = UNITS.iter().find(|(letter, _)| *letter == unit);
        let (_, seconds) = found.ok_or(BadSpan::Form)?;
        if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(BadSpan::Form);
        }
        let number: u64 = number.parse().map_err(|_| BadSpan::TooLong)?;
        let span = Duration::from_secs(number.checked_mul(*seconds).ok_or(BadSpan::TooLong)?);
        if span > LONGEST {
            Err(BadSpan::TooLong)
        } else {
            Ok(Span(span))
        }
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        let whole = UNITS
            .iter()
            .find(|(_, unit)| seconds >= *unit && seconds.is_multiple_of(*unit));
        match whole {
            Some((letter, unit)) => write!(f, "{}{letter}", seconds / unit),
            None => f.write_str("0s"),
        }
    }
}

impl TryFrom<String> for Span {
    type Error = BadSpan;

    fn try_from(text: String) -> Result<Self, BadSpan> {
        text.parse()
    }
}

impl From<Span> for String {
    fn from(span: Span) -> Self {
        span.to_string()
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
    use super::*;

    #[test]
    fn spans_read_back_in_their_largest_whole_unit() {
        for (text, shown) in [("90d", "90d"), ("14d", "2w"), ("60m", "1h"), ("90s", "90s"), ("0h", "0s")] {
            assert_eq!(text.parse::<Span>().unwrap().to_string(), shown, "{text}");
        }
    }

    #[test]
    fn what_could_mean_two_things_is_refused() {
        for text in [
            "", "d", "90", "9 0d", "-1d", "+1d", "1.5h", "1D", "90days", "٣d", "1e3s", "é", "1é",
        ] {
            assert_eq!(text.parse::<Span>(), Err(BadSpan::Form), "{text}");
        }
        for text in ["36526d", "99999999999999999999s", "18446744073709551615w"] {
            assert_eq!(text.parse::<Span>(), Err(BadSpan::TooLong), "{text}");
        }
    }
}
