//! Days, months and times of the Gregorian calendar in UTC, as plain numbers. Knows no zones
//! and no clock: it is told what time it is.

/// Microseconds of a day.
pub const DAY_US: i64 = 86_400_000_000;

/// Year, month and day of a count of days since 1970. Counted in eras of 400 years that begin
/// on 1 March, so that the leap day is the last of its year.
pub fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days.saturating_add(719_468);
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (era * 400 + year_of_era + i64::from(month <= 2), month, day)
}

/// Days since 1970 of a year, a month and a day.
pub fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let month = if month > 2 { month - 3 } else { month + 9 };
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + (153 * month + 2) / 5 + day - 1 - 719_468
}

/// `2026-01-31T09:08:07Z`, of microseconds since 1970.
pub fn rfc3339(at_us: i64) -> String {
    let (year, month, day) = civil(at_us.div_euclid(DAY_US));
    let seconds = at_us.rem_euclid(DAY_US) / 1_000_000;
    let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// `2026-01-31`, of microseconds since 1970.
pub fn date(at_us: i64) -> String {
    let (year, month, day) = civil(at_us.div_euclid(DAY_US));
    format!("{year:04}-{month:02}-{day:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_day_of_eight_centuries_reads_back() {
        let mut before = None;
        for day in days(1600, 1, 1)..days(2400, 1, 1) {
            let (year, month, of_month) = civil(day);
            assert_eq!(days(year, month, of_month), day);
            assert!(before < Some((year, month, of_month)));
            before = Some((year, month, of_month));
        }
        assert_eq!(civil(0), (1970, 1, 1));
        assert_eq!(civil(days(2028, 2, 29) + 1), (2028, 3, 1));
    }

    #[test]
    fn times_are_written_in_utc() {
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00Z");
        assert_eq!(rfc3339(-1), "1969-12-31T23:59:59Z");
        assert_eq!(rfc3339(1_769_850_487_999_999), "2026-01-31T09:08:07Z");
        assert_eq!(date(1_769_850_487_999_999), "2026-01-31");
        assert!(date(i64::MAX).ends_with("-01-10"), "{}", date(i64::MAX));
    }
}
