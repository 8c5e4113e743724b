//! What tokens cost, in integer billionths of a dollar. Refuses to guess: an unknown price is unknown.
//!
//! Prices are written by people in dollars per million tokens, and are turned once, when
//! they are loaded, into whole *picodollars per token* (1 USD / 1 M tokens = 1,000,000
//! pico), rounded half away from zero. A call is added up in picodollars, exactly, and
//! rounded *up* once at the end to nanodollars, so that what costs anything never counts
//! as nothing. Sums beyond `u64` stay at `u64::MAX`.

use serde::{Deserialize, Serialize};

/// Picodollars per token in one dollar per million tokens.
const PICO_PER_MTOK_DOLLAR: f64 = 1_000_000.0;

/// Picodollars in a nanodollar.
const PICO_PER_NANO: u128 = 1_000;

/// The dearest price that is taken for meant: a million dollars per million tokens.
const MAX_USD_PER_MTOK: f64 = 1_000_000.0;

/// Prices as people write them: US dollars per million tokens.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PriceList {
    /// Of a token read.
    pub input_usd_per_mtok: f64,
    /// Of a token made.
    pub output_usd_per_mtok: f64,
    /// Of a token read from the provider's cache. Absent: as any token read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cached_input_usd_per_mtok: Option<f64>,
    /// Of a token written to the provider's cache. Absent: as any token read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_write_usd_per_mtok: Option<f64>,
}

/// A price that is no price.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("`{key}` is {value}, which is not between 0 and 1000000")]
pub struct BadPrice {
    /// The key of [`PriceList`].
    pub key: &'static str,
    /// What stands there.
    pub value: f64,
}

/// Prices of one model, in picodollars per token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Price {
    input: u64,
    output: u64,
    cached_input: u64,
    cache_write: u64,
}

/// What a call used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tokens {
    /// Read, those of the next two included.
    pub input: u64,
    /// Of the input, read from the provider's cache.
    pub cached: u64,
    /// Of the input, written to the provider's cache.
    pub cache_written: u64,
    /// Made, reasoning included.
    pub output: u64,
}

impl Price {
    /// What runs on machines of the operator.
    pub const FREE: Price = Price {
        input: 0,
        output: 0,
        cached_input: 0,
        cache_write: 0,
    };

    /// Prices per token from prices per million.
    ///
    /// # Errors
    /// The key of a price that is negative, not a number, or absurd.
    pub fn try_new(list: &PriceList) -> Result<Self, BadPrice> {
        let input = per_token("input_usd_per_mtok", list.input_usd_per_mtok)?;
        let output = per_token("output_usd_per_mtok", list.output_usd_per_mtok)?;
        let or_input = |key, value: Option<f64>| value.map_or(Ok(input), |value| per_token(key, value));
        let cached_input = or_input("cached_input_usd_per_mtok", list.cached_input_usd_per_mtok)?;
        let cache_write = or_input("cache_write_usd_per_mtok", list.cache_write_usd_per_mtok)?;
        Ok(Price {
            input,
            output,
            cached_input,
            cache_write,
        })
    }

    /// What these tokens cost, in billionths of a US dollar, rounded up.
    pub fn cost_nanousd(&self, tokens: &Tokens) -> u64 {
        let cached = tokens.cached.min(tokens.input);
        let written = tokens.cache_written.min(tokens.input - cached);
        let plain = tokens.input - cached - written;
        // Four products of two u64 can pass u128 only together, so the sum saturates.
        let pico = [
            (plain, self.input),
            (cached, self.cached_input),
            (written, self.cache_write),
            (tokens.output, self.output),
        ]
        .into_iter()
        .fold(0u128, |sum, (count, price)| {
            sum.saturating_add(u128::from(count) * u128::from(price))
        });
        u64::try_from(pico.div_ceil(PICO_PER_NANO)).unwrap_or(u64::MAX)
    }
}

/// An amount in US dollars, exact, with at least two places: `$0.000042`.
pub fn dollars(nanousd: u64) -> String {
    let (whole, nanos) = (nanousd / 1_000_000_000, nanousd % 1_000_000_000);
    let places = format!("{nanos:09}");
    let places = places.trim_end_matches('0');
    format!("${whole}.{places:0<2}")
}

fn per_token(key: &'static str, value: f64) -> Result<u64, BadPrice> {
    if !(0.0..=MAX_USD_PER_MTOK).contains(&value) {
        return Err(BadPrice { key, value });
    }
    // At most 1e12: exact in an `f64`, and far from the end of a `u64`.
    Ok((value * PICO_PER_MTOK_DOLLAR).round() as u64)
}

#[cfg(test)]
mod tests;
