//! Times as people write them on the command line.

use anyhow::Result;
use claw_store::time::{now_us, parse_rfc3339};

use crate::exit::{Exit, Failed};

/// A time, or a span before now, in microseconds since 1970.
///
/// # Errors
/// It is neither.
pub(super) fn at_us(flag: &str, text: &str) -> Result<i64> {
    if let Some(span) = span_us(text) {
        return Ok(now_us().saturating_sub(span));
    }
    parse_rfc3339(text).ok_or_else(|| {
        Failed::new(Exit::Usage, format!("`{flag} {text}` is no time"))
            .hint("write `2026-01-31T08:00:00Z`, `2026-01-31`, or `15m`, `2h`, `7d`")
            .into()
    })
}

fn span_us(text: &str) -> Option<i64> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let seconds: i64 = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return None,
    };
    let number = number.parse::<i64>().ok().filter(|number| *number >= 0)?;
    number.checked_mul(seconds)?.checked_mul(1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_and_times_are_read_and_other_words_are_not() {
        assert_eq!(span_us("2h"), Some(7_200_000_000));
        assert_eq!(at_us("--since", "1970-01-02").ok(), Some(86_400_000_000));
        for text in ["", "d", "-1d", "1w", "yesterday", "2026-13-01", "9223372036854775807d", "é"] {
            assert!(at_us("--since", text).is_err(), "{text}");
        }
    }
}
