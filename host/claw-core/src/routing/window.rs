//! Times of the day and days of the week in which somebody may serve: "local at night". Times
//! are those of a fixed offset from UTC, so that a window means the same on every machine.

use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Minutes of a day.
const DAY: i64 = 24 * 60;

/// Hours of a day, written `22:00-06:00`; over midnight where they end before they begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hours {
    from: i64,
    to: i64,
}

/// A day of the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Day {
    /// Monday.
    Mon,
    /// Tuesday.
    Tue,
    /// Wednesday.
    Wed,
    /// Thursday.
    Thu,
    /// Friday.
    Fri,
    /// Saturday.
    Sat,
    /// Sunday.
    Sun,
}

const DAYS: [Day; 7] = [Day::Mon, Day::Tue, Day::Wed, Day::Thu, Day::Fri, Day::Sat, Day::Sun];

/// An offset from UTC, written `+02:00` or `-05:30`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Offset(i64);

/// One window.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// Which hours; all of them where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hours: Option<Hours>,
    /// On which days the window begins; every day where nothing is said.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub days: Vec<Day>,
    /// Whose clock; UTC where nothing is said.
    #[serde(default, skip_serializing_if = "Offset::is_utc")]
    pub utc_offset: Offset,
}

impl Window {
    /// It is open at this Unix time.
    pub fn is_open(&self, unix_seconds: i64) -> bool {
        let minutes = unix_seconds.div_euclid(60) + self.utc_offset.0;
        let (day, minute) = (minutes.div_euclid(DAY), minutes.rem_euclid(DAY));
        let Some(hours) = self.hours else {
            return self.has(day);
        };
        if hours.from <= hours.to {
            return self.has(day) && (hours.from..hours.to).contains(&minute);
        }
        // Over midnight: the early hours belong to the day before.
        (minute >= hours.from && self.has(day)) || (minute < hours.to && self.has(day - 1))
    }

    fn has(&self, day: i64) -> bool {
        // 1970-01-01 was a Thursday.
        let of_week = usize::try_from((day + 3).rem_euclid(7)).unwrap_or_default();
        self.days.is_empty() || DAYS.get(of_week).is_some_and(|day| self.days.contains(day))
    }
}

impl std::fmt::Display for Window {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.hours {
            Some(hours) => write!(f, "{hours}")?,
            None => f.write_str("all day")?,
        }
        for (place, day) in self.days.iter().enumerate() {
            let word = format!("{day:?}").to_lowercase();
            write!(f, "{}{word}", if place == 0 { " on " } else { ", " })?;
        }
        if !self.utc_offset.is_utc() {
            write!(f, " (UTC{})", self.utc_offset)?;
        }
        Ok(())
    }
}

/// It is no time of this form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("write hours as `22:00-06:00` and an offset as `+02:00`")]
pub struct BadTime;

fn clock(text: &str) -> Result<i64, BadTime> {
    let (hour, minute) = text.split_once(':').ok_or(BadTime)?;
    let digits = |text: &str| text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit());
    if !digits(hour) || !digits(minute) {
        return Err(BadTime);
    }
    let (hour, minute): (i64, i64) = (hour.parse().map_err(|_| BadTime)?, minute.parse().map_err(|_| BadTime)?);
    if hour > 24 || minute > 59 || hour * 60 + minute > DAY {
        return Err(BadTime);
    }
    Ok(hour * 60 + minute)
}

impl FromStr for Hours {
    type Err = BadTime;

    fn from_str(text: &str) -> Result<Self, BadTime> {
        let (from, to) = text.split_once('-').ok_or(BadTime)?;
        let (from, to) = (clock(from.trim())?, clock(to.trim())?);
        if from == to { Err(BadTime) } else { Ok(Hours { from, to }) }
    }
}

impl std::fmt::Display for Hours {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (from, to) = (self.from, self.to);
        write!(f, "{:02}:{:02}-{:02}:{:02}", from / 60, from % 60, to / 60, to % 60)
    }
}

impl Offset {
    fn is_utc(&self) -> bool {
        self.0 == 0
    }
}

impl FromStr for Offset {
    type Err = BadTime;

    fn from_str(text: &str) -> Result<Self, BadTime> {
        let (sign, rest) = match (text.strip_prefix('+'), text.strip_prefix('-')) {
            (Some(rest), _) => (1, rest),
            (None, Some(rest)) => (-1, rest),
            (None, None) => return Err(BadTime),
        };
        let minutes = clock(rest)?;
        if minutes > 14 * 60 {
            Err(BadTime)
        } else {
            Ok(Offset(sign * minutes))
        }
    }
}

impl std::fmt::Display for Offset {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let sign = if self.0 < 0 { '-' } else { '+' };
        write!(f, "{sign}{:02}:{:02}", self.0.abs() / 60, self.0.abs() % 60)
    }
}

macro_rules! as_text {
    ($kind:ty) => {
        impl Serialize for $kind {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $kind {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

as_text!(Hours);
as_text!(Offset);

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
    use super::*;

    /// 2026-11-27 is a Friday; this is its midnight, UTC.
    const FRIDAY: i64 = 1_795_737_600;

    fn open(window: &str, minutes: i64) -> bool {
        let window: Window = serde_json::from_str(window).unwrap();
        window.is_open(FRIDAY + minutes * 60)
    }

    #[test]
    fn hours_end_where_they_say() {
        let day = r#"{"hours": "09:00-17:30"}"#;
        for (minutes, expected) in [(539, false), (540, true), (1_049, true), (1_050, false)] {
            assert_eq!(open(day, minutes), expected, "{minutes}");
        }
        assert!(open("{}", 0));
    }

    #[test]
    fn a_night_belongs_to_the_day_on_which_it_begins() {
        let night = r#"{"hours": "22:00-06:00", "days": ["fri"]}"#;
        for (hour, expected) in [
            (1, false),
            (21, false),
            (22, true),
            (24 + 5, true),
            (24 + 6, false),
            (24 + 22, false),
        ] {
            assert_eq!(open(night, hour * 60), expected, "{hour}");
        }
        let weekend = r#"{"days": ["sat", "sun"]}"#;
        assert_eq!((open(weekend, 0), open(weekend, 24 * 60)), (false, true));
    }

    #[test]
    fn an_offset_moves_the_clock() {
        let there = r#"{"hours": "22:00-23:00", "utc_offset": "+02:00"}"#;
        assert_eq!((open(there, 20 * 60), open(there, 22 * 60)), (true, false));
        let shown: Window = serde_json::from_str(there).unwrap();
        assert_eq!(shown.to_string(), "22:00-23:00 (UTC+02:00)");
        assert_eq!(
            serde_json::to_string(&shown).unwrap().replace(' ', ""),
            there.replace(' ', "")
        );
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "9-17",
            "9:00-17:00",
            "25:00-26:00",
            "10:60-11:00",
            "24:01-01:00",
            "10:00-10:00",
            "10:00",
        ] {
            assert!(text.parse::<Hours>().is_err(), "{text}");
        }
        for text in ["", "02:00", "+2", "+15:00", "UTC"] {
            assert!(text.parse::<Offset>().is_err(), "{text}");
        }
        assert!("00:00-24:00".parse::<Hours>().is_ok());
    }
}
