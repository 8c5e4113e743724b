//! An amount of money, and how often it is there anew. Written `50usd/month`; refuses what is no
//! amount. Days and months are those of UTC.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::cost::dollars;

const DAY: i64 = 86_400;

/// How often a budget begins anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Period {
    /// At midnight, UTC.
    Day,
    /// On the first of a month, UTC.
    Month,
    /// Never.
    Total,
}

/// A limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// Billionths of a US dollar.
    pub limit_nanousd: u64,
    /// How often.
    pub per: Period,
}

/// It is no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("write an amount as `50usd/month`, `1.50usd/day` or `200usd`: at most nine places behind the point")]
pub struct BadLimit;

impl FromStr for Limit {
    type Err = BadLimit;

    fn from_str(text: &str) -> Result<Self, BadLimit> {
        let (amount, per) = match text.trim().split_once('/') {
            Some((amount, "day")) => (amount, Period::Day),
            Some((amount, "month")) => (amount, Period::Month),
            Some((amount, "total")) => (amount, Period::Total),
            None => (text.trim(), Period::Total),
            Some(_) => return Err(BadLimit),
        };
        let digits = amount.strip_suffix("usd").or(amount.strip_prefix('$')).ok_or(BadLimit)?;
        let (whole, places) = digits.split_once('.').unwrap_or((digits, ""));
        let is_number = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
        if whole.is_empty() || places.len() > 9 || !is_number(whole) || !is_number(places) || digits.ends_with('.') {
            return Err(BadLimit);
        }
        let nanos: u64 = format!("{places:0<9}").parse().map_err(|_| BadLimit)?;
        let whole: u64 = whole.parse().map_err(|_| BadLimit)?;
        let limit_nanousd = whole
            .checked_mul(1_000_000_000)
            .and_then(|whole| whole.checked_add(nanos))
            .ok_or(BadLimit)?;
        Ok(Limit { limit_nanousd, per })
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let amount = dollars(self.limit_nanousd);
        let per = match self.per {
            Period::Day => "/day",
            Period::Month => "/month",
            Period::Total => "",
        };
        write!(f, "{}usd{per}", amount.trim_start_matches('$'))
    }
}

impl Serialize for Limit {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Limit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl Period {
    /// The first day of the window that runs, since 1970, and when the next begins, in Unix
    /// seconds.
    pub(super) fn window(self, unix_seconds: i64) -> (i64, Option<i64>) {
        let today = day(unix_seconds);
        match self {
            Period::Day => (today, Some((today + 1) * DAY)),
            Period::Month => {
                let (year, month, _) = date(today);
                let next = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
                (days_before(year, month), Some(days_before(next.0, next.1) * DAY))
            }
            Period::Total => (i64::MIN, None),
        }
    }
}

/// The day of a time, since 1970.
pub(super) fn day(unix_seconds: i64) -> i64 {
    unix_seconds.div_euclid(DAY)
}

/// Date and time of day, to the minute.
pub(super) fn shown(unix_seconds: i64) -> String {
    let (year, month, day) = date(day(unix_seconds));
    let minutes = unix_seconds.rem_euclid(DAY) / 60;
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02}", minutes / 60, minutes % 60)
}

/// The first day of the month in which a time lies, in Unix seconds.
pub fn month_begins(unix_seconds: i64) -> i64 {
    Period::Month.window(unix_seconds).0 * DAY
}

/// Year, month and day of a day since 1970, in the Gregorian calendar: the years of 400, 100, 4
/// and 1 that have passed since 0000-03-01 are taken off in turn.
fn date(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

/// The days from 1970 to the first of a month.
fn days_before(year: i64, month: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let shifted = if month > 2 { month - 3 } else { month + 9 };
    let of_year = (153 * shifted + 2) / 5;
    let of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + of_year;
    era * 146_097 + of_era - 719_468
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
    use super::*;

    #[test]
    fn limits_read_and_show_alike() {
        let check = |text: &str, nanos: u64, per: Period, shown: &str| {
            let limit: Limit = text.parse().unwrap();
            assert_eq!(
                (limit.limit_nanousd, limit.per, limit.to_string().as_str()),
                (nanos, per, shown),
                "{text}"
            );
            assert_eq!(limit.to_string().parse(), Ok(limit));
        };
        check("50usd/month", 50_000_000_000, Period::Month, "50.00usd/month");
        check("1.50usd/day", 1_500_000_000, Period::Day, "1.50usd/day");
        check("$0.000000001", 1, Period::Total, "0.000000001usd");
        check(" 200usd ", 200_000_000_000, Period::Total, "200.00usd");
        for bad in [
            "",
            "50",
            "usd",
            "-1usd",
            "1e3usd",
            "nanusd",
            "1.usd",
            ".5usd",
            "1usd/week",
            "1usd/",
            "99999999999usd",
            "1.0000000001usd",
            "1 usd",
        ] {
            assert_eq!(bad.parse::<Limit>(), Err(BadLimit), "{bad}");
        }
    }

    #[test]
    fn windows_are_those_of_the_calendar() {
        // 2026-11-27 17:50 UTC.
        let now = 1_795_801_800;
        assert_eq!(shown(now), "2026-11-27 17:50");
        let (first, next) = Period::Month.window(now);
        assert_eq!(
            (shown(first * DAY), shown(next.unwrap())),
            ("2026-11-01 00:00".into(), "2026-12-01 00:00".into())
        );
        let (first, next) = Period::Day.window(now);
        assert_eq!(
            (shown(first * DAY), shown(next.unwrap())),
            ("2026-11-27 00:00".into(), "2026-11-28 00:00".into())
        );
        let december = Period::Month.window(now + 20 * DAY);
        assert_eq!(shown(december.1.unwrap()), "2027-01-01 00:00");
        for days in (-800_000..800_000).step_by(97) {
            let (year, month, day) = date(days);
            assert_eq!(days_before(year, month) + day - 1, days);
        }
        assert_eq!(shown(951_782_400), "2000-02-29 00:00");
    }
}
