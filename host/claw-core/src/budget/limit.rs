//! An amount of money for each day or month, as people write it: `50usd/month`. Refuses signs,
//! exponents, more than nine decimals, and what does not fit.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Billionths of a US dollar in one.
const NANO: u64 = 1_000_000_000;
/// Decimals of a billionth.
const MOST_DECIMALS: usize = 9;

/// After what a budget begins anew, in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Period {
    /// At midnight.
    Day,
    /// At midnight before the first of a month.
    Month,
    /// Never.
    Total,
}

impl Period {
    /// The word in files and on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Period::Day => "day",
            Period::Month => "month",
            Period::Total => "total",
        }
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How much may be spent in each period. Nought is a limit too: what costs nothing may go on.
/// In files it is text: `50usd/month`, `12.50usd/day`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Limit {
    /// The amount, in billionths of a US dollar.
    pub limit_nanousd: u64,
    /// For how long it is.
    pub per: Period,
}

/// An amount of money; in files text: `0.50usd`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Usd(u64);

impl Usd {
    /// In billionths of a US dollar.
    pub fn nanousd(self) -> u64 {
        self.0
    }
}

impl TryFrom<String> for Usd {
    type Error = BadLimit;

    fn try_from(text: String) -> Result<Self, BadLimit> {
        amount_nanousd(&text).map(Usd)
    }
}

impl From<Usd> for String {
    fn from(amount: Usd) -> Self {
        usd(amount.0)
    }
}

/// The text is no amount for a period.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadLimit {
    /// There is no `/`, or something else than a period follows it.
    #[error("say for how long, as in `50usd/month` or `2usd/day`")]
    Period,
    /// It does not end in the currency.
    #[error("amounts are in US dollars, as in `50usd/month`")]
    Currency,
    /// It is no plain number of digits with an optional point between them.
    #[error("the amount is digits, with a point if need be, as in `12.50usd/month`")]
    Amount,
    /// There are more decimals than a billionth of a dollar has.
    #[error("the amount has more than {MOST_DECIMALS} decimals")]
    Decimals,
    /// It is more than can be counted.
    #[error("the amount is more than can be counted (about 18 billion dollars)")]
    TooMuch,
}

impl FromStr for Limit {
    type Err = BadLimit;

    fn from_str(text: &str) -> Result<Self, BadLimit> {
        let (amount, per) = text.split_once('/').ok_or(BadLimit::Period)?;
        let per = match per {
            "day" => Period::Day,
            "month" => Period::Month,
            "total" => Period::Total,
            _ => return Err(BadLimit::Period),
        };
        Ok(Limit {
            limit_nanousd: amount_nanousd(amount)?,
            per,
        })
    }
}

/// `12.50usd` in billionths.
pub(super) fn amount_nanousd(text: &str) -> Result<u64, BadLimit> {
    let amount = text
        .strip_suffix("usd")
        .or_else(|| text.strip_suffix("USD"))
        .ok_or(BadLimit::Currency)?;
    nanousd(amount)
}

fn nanousd(amount: &str) -> Result<u64, BadLimit> {
    let (whole, decimals) = amount.split_once('.').unwrap_or((amount, "0"));
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_digits(whole) || !is_digits(decimals) {
        return Err(BadLimit::Amount);
    }
    if decimals.len() > MOST_DECIMALS {
        return Err(BadLimit::Decimals);
    }
    let fraction: u64 = format!("{decimals:0<MOST_DECIMALS$}").parse().map_err(|_| BadLimit::Amount)?;
    let whole: u64 = whole.parse().map_err(|_| BadLimit::TooMuch)?;
    whole
        .checked_mul(NANO)
        .and_then(|nano| nano.checked_add(fraction))
        .ok_or(BadLimit::TooMuch)
}

/// An amount as people write it: `12.50usd`, with no more decimals than it has.
pub fn usd(nanousd: u64) -> String {
    let (whole, fraction) = (nanousd / NANO, nanousd % NANO);
    if fraction == 0 {
        return format!("{whole}usd");
    }
    // Cents are written as people write them.
    let decimals = format!("{fraction:09}");
    let short = decimals.trim_end_matches('0');
    format!("{whole}.{short:0<2}usd")
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", usd(self.limit_nanousd), self.per)
    }
}

impl TryFrom<String> for Limit {
    type Error = BadLimit;

    fn try_from(text: String) -> Result<Self, BadLimit> {
        text.parse()
    }
}

impl From<Limit> for String {
    fn from(limit: Limit) -> String {
        limit.to_string()
    }
}

#[cfg(test)]
mod tests;
