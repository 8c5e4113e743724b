use super::*;

#[test]
fn times_are_written_as_rfc_3339() {
    let check = |at_us: i64, expected: &str| {
        assert_eq!(rfc3339(at_us), expected);
        assert_eq!(parse_rfc3339(expected), Some(at_us.div_euclid(1_000) * 1_000));
    };
    check(0, "1970-01-01T00:00:00.000Z");
    check(1_769_850_487_123_999, "2026-01-31T09:08:07.123Z");
    check(951_782_400_000_000, "2000-02-29T00:00:00.000Z");
    check(4_107_542_399_999_000, "2100-02-28T23:59:59.999Z");
    check(-1_000, "1969-12-31T23:59:59.999Z");
}

#[test]
fn all_days_of_some_centuries_read_back() {
    for day in -100_000..100_000 {
        let (year, month, date) = civil(day);
        assert_eq!(days(year, month, date), day);
        assert!((1..=12).contains(&month) && (1..=31).contains(&date));
    }
}

#[test]
fn other_spellings_are_read() {
    let check = |text: &str, expected: &str| assert_eq!(parse_rfc3339(text).map(rfc3339).as_deref(), Some(expected), "{text}");
    check("2026-01-31", "2026-01-31T00:00:00.000Z");
    check("2026-01-31T09:08:07Z", "2026-01-31T09:08:07.000Z");
    check("2026-01-31 09:08:07.1z", "2026-01-31T09:08:07.100Z");
    check("2026-01-31T09:08:07.123456789+02:30", "2026-01-31T06:38:07.123Z");
    check("2026-01-31T23:08:07-01:00", "2026-02-01T00:08:07.000Z");
}

#[test]
fn other_text_is_no_time() {
    for text in [
        "",
        "now",
        "2026",
        "2026-13-01",
        "2026-02-29",
        "2026-01-31T",
        "2026-01-31T09:08Z",
        "2026-01-31T24:00:00Z",
        "2026-01-31T09:08:07",
        "2026-01-31T09:08:07.Z",
        "2026-01-31T09:08:07+2:30",
        "2026-01-31T09:08:07+25:00",
        "2026-01-31T09:08:07Zulu",
        "２０２６-01-31",
        "2026-01-3é",
        "+026-01-31",
    ] {
        assert_eq!(parse_rfc3339(text), None, "{text:?}");
    }
}
