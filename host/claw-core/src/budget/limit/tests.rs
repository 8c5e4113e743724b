#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
use super::*;

#[test]
fn amounts_are_read_to_the_billionth_and_written_as_people_do() {
    let check = |text: &str, limit_nanousd: u64, per: Period, written: &str| {
        let limit: Limit = text.parse().unwrap();
        assert_eq!(limit, Limit { limit_nanousd, per }, "{text}");
        assert_eq!(limit.to_string(), written, "{text}");
        assert_eq!(written.parse(), Ok(limit), "{text}");
        let json = serde_json::to_string(&limit).unwrap();
        assert_eq!(serde_json::from_str::<Limit>(&json).unwrap(), limit, "{json}");
    };
    check("50usd/month", 50_000_000_000, Period::Month, "50usd/month");
    check("3usd/total", 3_000_000_000, Period::Total, "3usd/total");
    check("12.5USD/day", 12_500_000_000, Period::Day, "12.50usd/day");
    check("12.50usd/day", 12_500_000_000, Period::Day, "12.50usd/day");
    check("0.000000001usd/day", 1, Period::Day, "0.000000001usd/day");
    check("0usd/month", 0, Period::Month, "0usd/month");
    check("007usd/month", 7_000_000_000, Period::Month, "7usd/month");
    check(
        "18446744073.709551615usd/month",
        u64::MAX,
        Period::Month,
        "18446744073.709551615usd/month",
    );
}

#[test]
fn what_is_no_amount_is_refused_for_what_it_is() {
    let check = |text: &str, expected: BadLimit| assert_eq!(text.parse::<Limit>(), Err(expected), "{text}");
    check("", BadLimit::Period);
    check("50usd", BadLimit::Period);
    check("50usd/", BadLimit::Period);
    check("50usd/week", BadLimit::Period);
    check("50usd/month/day", BadLimit::Period);
    check("50usd/Month", BadLimit::Period);
    check("50/month", BadLimit::Currency);
    check("50eur/month", BadLimit::Currency);
    check("$50/month", BadLimit::Currency);
    for amount in [
        "", "-1", "+1", "NaN", "nan", "inf", "1e3", "1,000", "1.", ".5", "1.2.3", " 1", "1 ", "٣", "0x10",
    ] {
        check(&format!("{amount}usd/month"), BadLimit::Amount);
    }
    check("1.0000000001usd/month", BadLimit::Decimals);
    check("18446744073.709551616usd/month", BadLimit::TooMuch);
    check("18446744074usd/month", BadLimit::TooMuch);
    check(&format!("{}usd/month", "9".repeat(100_000)), BadLimit::TooMuch);
    assert!(serde_json::from_str::<Limit>("50").is_err());
    assert!(serde_json::from_str::<Limit>("\"-1usd/day\"").is_err());
}
