//! Times as people write them on the command line: `90d`, `24h`, `2027-01-31`. Refuses what
//! could mean two things, and what is longer than can be counted.

use std::str::FromStr;
use std::time::Duration;

use claw_store::time;

/// A hundred years: longer spans are a mistake in the unit.
const LONGEST: Duration = Duration::from_secs(36_525 * 86_400);

/// A length of time: `30s`, `15m`, `24h`, `90d`, `12w`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span(pub Duration);

/// A time to come, in microseconds since 1970: after a [`Span`] from now, or an RFC 3339 time
/// or date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment(pub i64);

/// The text is no such time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadTime {
    /// It is no number with a unit.
    #[error("write a number and its unit, as in `30s`, `15m`, `24h`, `90d` or `12w`")]
    Span,
    /// It is more than a hundred years.
    #[error("that is more than a hundred years")]
    TooLong,
    /// It is neither a span nor a time.
    #[error("write `90d` or `12h` for a time from now, or `2027-01-31T08:00:00Z`, or a date")]
    Moment,
}

impl FromStr for Span {
    type Err = BadTime;

    fn from_str(text: &str) -> Result<Self, BadTime> {
        let unit = text.chars().last().ok_or(BadTime::Span)?;
        let number = text.strip_suffix(unit).unwrap_or_default();
        let seconds: u64 = match unit {
            's' => 1,
            'm' => 60,
            'h' => 3_600,
            'd' => 86_400,
            'w' => 7 * 86_400,
            _ => return Err(BadTime::Span),
        };
        if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(BadTime::Span);
        }
        let number: u64 = number.parse().map_err(|_| BadTime::TooLong)?;
        let span = Duration::from_secs(number.checked_mul(seconds).ok_or(BadTime::TooLong)?);
        if span > LONGEST {
            Err(BadTime::TooLong)
        } else {
            Ok(Span(span))
        }
    }
}

impl FromStr for Moment {
    type Err = BadTime;

    fn from_str(text: &str) -> Result<Self, BadTime> {
        match text.parse::<Span>() {
            Ok(Span(span)) => {
                let span_us = i64::try_from(span.as_micros()).map_err(|_| BadTime::TooLong)?;
                Ok(Moment(time::now_us().saturating_add(span_us)))
            }
            Err(BadTime::TooLong) => Err(BadTime::TooLong),
            Err(BadTime::Span | BadTime::Moment) => time::parse_rfc3339(text).map(Moment).ok_or(BadTime::Moment),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_have_a_number_and_a_unit() {
        let check = |text: &str, expected: Result<u64, BadTime>| {
            let found = text.parse::<Span>().map(|span| span.0.as_secs());
            assert_eq!(found, expected, "{text}");
        };
        check("0s", Ok(0));
        check("90d", Ok(90 * 86_400));
        check("24h", Ok(86_400));
        check("15m", Ok(900));
        check("2w", Ok(14 * 86_400));
        for wrong in [
            "", "d", "90", "9 0d", "-1d", "+1d", "1.5h", "1D", "90days", "٣d", "1e3s", "é", "1é",
        ] {
            check(wrong, Err(BadTime::Span));
        }
        check("36526d", Err(BadTime::TooLong));
        check("18446744073709551615w", Err(BadTime::TooLong));
        check(&format!("{}d", "9".repeat(10_000)), Err(BadTime::TooLong));
    }

    #[test]
    fn moments_are_spans_from_now_or_times() {
        let before_us = time::now_us();
        let at_us = "90d".parse::<Moment>().map_or(0, |moment| moment.0);
        let span_us = 90 * 86_400 * 1_000_000;
        assert!((before_us + span_us..=time::now_us() + span_us).contains(&at_us));
        assert_eq!("1970-01-02".parse(), Ok(Moment(86_400_000_000)));
        assert_eq!("1970-01-01T00:00:01+00:00".parse(), Ok(Moment(1_000_000)));
        for wrong in ["", "tomorrow", "2027-02-30", "2027", "90"] {
            assert_eq!(wrong.parse::<Moment>(), Err(BadTime::Moment), "{wrong}");
        }
        assert_eq!("99999999d".parse::<Moment>(), Err(BadTime::TooLong));
    }
}
