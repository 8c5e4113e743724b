//! Times as people write them on the command line: `90d`, `24h`, `2027-01-31`. Refuses what
//! could mean two things, and what is longer than can be counted.

use std::str::FromStr;

use claw_core::span::BadSpan;
use claw_store::time;

pub use claw_core::span::Span;

/// A time to come, in microseconds since 1970: after a [`Span`] from now, or an RFC 3339 time
/// or date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment(pub i64);

/// The text is no such time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadMoment {
    /// It is more than a hundred years.
    #[error("{0}")]
    Span(BadSpan),
    /// It is neither a span nor a time.
    #[error("write `90d` or `12h` for a time from now, or `2027-01-31T08:00:00Z`, or a date")]
    Form,
}

impl FromStr for Moment {
    type Err = BadMoment;

    fn from_str(text: &str) -> Result<Self, BadMoment> {
        match text.parse::<Span>() {
            Ok(Span(span)) => {
                let span_us = i64::try_from(span.as_micros()).map_err(|_| BadMoment::Span(BadSpan::TooLong))?;
                Ok(Moment(time::now_us().saturating_add(span_us)))
            }
            Err(BadSpan::TooLong) => Err(BadMoment::Span(BadSpan::TooLong)),
            Err(BadSpan::Form) => time::parse_rfc3339(text).map(Moment).ok_or(BadMoment::Form),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_spans_from_now_or_times() {
        let before_us = time::now_us();
        let at_us = "90d".parse::<Moment>().map_or(0, |moment| moment.0);
        let span_us = 90 * 86_400 * 1_000_000;
        assert!((before_us + span_us..=time::now_us() + span_us).contains(&at_us));
        assert_eq!("1970-01-02".parse(), Ok(Moment(86_400_000_000)));
        assert_eq!("1970-01-01T00:00:01+00:00".parse(), Ok(Moment(1_000_000)));
        for wrong in ["", "tomorrow", "2027-02-30", "2027", "90"] {
            assert_eq!(wrong.parse::<Moment>(), Err(BadMoment::Form), "{wrong}");
        }
        assert_eq!("99999999d".parse::<Moment>(), Err(BadMoment::Span(BadSpan::TooLong)));
    }
}
