//! The span that a budget counts over.

use super::Period;
use crate::calendar::{DAY_US, civil, days};

/// A span of time, in microseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Window {
    /// Its first instant.
    pub begins_us: i64,
    /// The first instant after it; `None` where it never ends.
    pub ends_us: Option<i64>,
}

impl Window {
    /// The window of a period that holds this time.
    pub fn of(period: Period, at_us: i64) -> Self {
        let day = at_us.div_euclid(DAY_US);
        let (first, next) = match period {
            Period::Day => (day, day + 1),
            Period::Month => {
                let (year, month, _) = civil(day);
                let next = if month == 12 {
                    days(year + 1, 1, 1)
                } else {
                    days(year, month + 1, 1)
                };
                (days(year, month, 1), next)
            }
            Period::Total => {
                return Window {
                    begins_us: i64::MIN,
                    ends_us: None,
                };
            }
        };
        Window {
            begins_us: first.saturating_mul(DAY_US),
            ends_us: Some(next.saturating_mul(DAY_US)),
        }
    }

    /// This time is in it.
    pub fn holds(&self, at_us: i64) -> bool {
        at_us >= self.begins_us && self.ends_us.is_none_or(|ends| at_us < ends)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calendar::rfc3339;

    #[test]
    fn windows_follow_the_calendar() {
        let check = |period, at: i64, begins: &str, ends: &str| {
            let window = Window::of(period, at);
            assert_eq!(rfc3339(window.begins_us), begins);
            assert_eq!(window.ends_us.map(rfc3339).as_deref(), Some(ends));
            assert!(window.holds(at) && !window.holds(window.begins_us - 1));
            assert!(window.ends_us.is_some_and(|end| !window.holds(end) && window.holds(end - 1)));
        };
        let at = |year, month, day| days(year, month, day) * DAY_US;
        check(
            Period::Day,
            at(2028, 2, 29) + 5,
            "2028-02-29T00:00:00Z",
            "2028-03-01T00:00:00Z",
        );
        check(Period::Month, at(2028, 2, 29), "2028-02-01T00:00:00Z", "2028-03-01T00:00:00Z");
        check(
            Period::Month,
            at(2026, 12, 31),
            "2026-12-01T00:00:00Z",
            "2027-01-01T00:00:00Z",
        );
        check(
            Period::Month,
            at(2027, 1, 1) - 1,
            "2026-12-01T00:00:00Z",
            "2027-01-01T00:00:00Z",
        );
        check(Period::Day, -1, "1969-12-31T00:00:00Z", "1970-01-01T00:00:00Z");
    }

    #[test]
    fn the_whole_has_neither_beginning_nor_end() {
        let window = Window::of(Period::Total, 0);
        assert!(window.holds(i64::MIN) && window.holds(i64::MAX));
        assert_eq!(window, Window::of(Period::Total, 1_800_000_000_000_000));
    }
}
