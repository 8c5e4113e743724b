//! The windows in which budgets begin anew: days and months of UTC's calendar.

use super::Period;

const DAY: i64 = 86_400;

impl Period {
    /// The first day of the window that runs, since 1970, and when the next begins, in Unix
    /// seconds.
    pub(super) fn window(self, unix_seconds: i64) -> (i64, i64) {
        let today = day(unix_seconds);
        match self {
            Period::Day => (today, (today + 1) * DAY),
            Period::Month => {
                let (year, month, _) = date(today);
                let next = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
                (days_before(year, month), days_before(next.0, next.1) * DAY)
            }
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
    use super::*;

    #[test]
    fn windows_are_those_of_the_calendar() {
        // 2026-11-27 17:50 UTC.
        let now = 1_795_801_800;
        assert_eq!(shown(now), "2026-11-27 17:50");
        let (first, next) = Period::Month.window(now);
        assert_eq!(
            (shown(first * DAY), shown(next)),
            ("2026-11-01 00:00".into(), "2026-12-01 00:00".into())
        );
        let (first, next) = Period::Day.window(now);
        assert_eq!(
            (shown(first * DAY), shown(next)),
            ("2026-11-27 00:00".into(), "2026-11-28 00:00".into())
        );
        assert_eq!(shown(Period::Month.window(now + 20 * DAY).1), "2027-01-01 00:00");
        for days in (-800_000..800_000).step_by(97) {
            let (year, month, day) = date(days);
            assert_eq!(days_before(year, month) + day - 1, days);
        }
        assert_eq!(shown(951_782_400), "2000-02-29 00:00");
    }
}
