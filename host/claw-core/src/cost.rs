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

/// Picodollars in a dollar.
const PICO_PER_DOLLAR: f64 = 1e12;

/// The dearest image that is taken for meant.
const MAX_USD_PER_IMAGE: f64 = 10_000.0;

/// Prices as people write them: US dollars per million tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PriceList {
    /// Of a token read.
    pub input_usd_per_mtok: f64,
    /// Of a token made.
    pub output_usd_per_mtok: f64,
    /// Of a token made while reasoning. Absent: as any token made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning_usd_per_mtok: Option<f64>,
    /// Of a token read from the provider's cache. Absent: as any token read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cached_input_usd_per_mtok: Option<f64>,
    /// Of a token written to the provider's cache, for five minutes where it sells several
    /// spans. Absent: as any token read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_write_usd_per_mtok: Option<f64>,
    /// Of a token written to the provider's cache for an hour. Absent: as for five minutes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_write_1h_usd_per_mtok: Option<f64>,
    /// Of an image, in US dollars each. Absent: nothing beyond its tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usd_per_image: Option<f64>,
    /// What a whole call costs whose input is longer than a threshold. Absent: as any other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub long_context: Option<LongContext>,
}

/// Prices of a call that reads more than a threshold, for all of its tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LongContext {
    /// The most input tokens that the other prices reach to.
    pub above_tokens: u64,
    /// As in [`PriceList`], and so the others.
    pub input_usd_per_mtok: f64,
    /// Of a token made.
    pub output_usd_per_mtok: f64,
    /// Of a token made while reasoning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning_usd_per_mtok: Option<f64>,
    /// Of a token read from the provider's cache.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cached_input_usd_per_mtok: Option<f64>,
    /// Of a token written to the provider's cache.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_write_usd_per_mtok: Option<f64>,
    /// Of a token written to the provider's cache for an hour.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_write_1h_usd_per_mtok: Option<f64>,
}

/// A price that is no price.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("`{key}` is {value}, which is not between 0 and {most}")]
pub struct BadPrice {
    /// The key of [`PriceList`].
    pub key: &'static str,
    /// What stands there.
    pub value: f64,
    /// The most that is taken for meant.
    pub most: f64,
}

/// Prices of one model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Price {
    flat: Rates,
    /// Beyond so many input tokens, these.
    long: Option<(u64, Rates)>,
    /// Picodollars of an image.
    image: u64,
}

/// Picodollars per token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Rates {
    input: u64,
    output: u64,
    reasoning: u64,
    cached_input: u64,
    cache_write: u64,
    cache_write_1h: u64,
}

/// What a call used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tokens {
    /// Read, those of the next three included.
    pub input: u64,
    /// Of the input, read from the provider's cache.
    pub cached: u64,
    /// Of the input, written to the provider's cache, for however long.
    pub cache_written: u64,
    /// Of those written, for an hour.
    pub cache_written_1h: u64,
    /// Made, reasoning included.
    pub output: u64,
    /// Of the output, spent on reasoning.
    pub reasoning: u64,
    /// Images that are priced apart.
    pub images: u64,
}

impl Price {
    /// What runs on machines of the operator.
    pub const FREE: Price = Price {
        flat: Rates {
            input: 0,
            output: 0,
            reasoning: 0,
            cached_input: 0,
            cache_write: 0,
            cache_write_1h: 0,
        },
        long: None,
        image: 0,
    };

    /// Prices per token from prices per million.
    ///
    /// # Errors
    /// The key of a price that is negative, not a number, or absurd.
    pub fn try_new(list: &PriceList) -> Result<Self, BadPrice> {
        let flat = LongContext {
            above_tokens: 0,
            input_usd_per_mtok: list.input_usd_per_mtok,
            output_usd_per_mtok: list.output_usd_per_mtok,
            reasoning_usd_per_mtok: list.reasoning_usd_per_mtok,
            cached_input_usd_per_mtok: list.cached_input_usd_per_mtok,
            cache_write_usd_per_mtok: list.cache_write_usd_per_mtok,
            cache_write_1h_usd_per_mtok: list.cache_write_1h_usd_per_mtok,
        };
        let long = list.long_context.as_ref();
        Ok(Price {
            flat: Rates::try_new(&flat)?,
            long: long
                .map(|long| Rates::try_new(long).map(|rates| (long.above_tokens, rates)))
                .transpose()?,
            image: pico(
                "usd_per_image",
                list.usd_per_image.unwrap_or(0.0),
                MAX_USD_PER_IMAGE,
                PICO_PER_DOLLAR,
            )?,
        })
    }

    /// What these tokens cost, in billionths of a US dollar, rounded up.
    pub fn cost_nanousd(&self, tokens: &Tokens) -> u64 {
        let rates = self.rates(tokens.input);
        let cached = tokens.cached.min(tokens.input);
        let written = tokens.cache_written.min(tokens.input - cached);
        let for_an_hour = tokens.cache_written_1h.min(written);
        let reasoning = tokens.reasoning.min(tokens.output);
        let plain = tokens.input - cached - written;
        total([
            (plain, rates.input),
            (cached, rates.cached_input),
            (written - for_an_hour, rates.cache_write),
            (for_an_hour, rates.cache_write_1h),
            (tokens.output - reasoning, rates.output),
            (reasoning, rates.reasoning),
            (tokens.images, self.image),
        ])
    }

    /// The most that so many tokens can cost, however the provider's cache and the model's
    /// reasoning are counted. Exact where all tokens of a kind have one price.
    pub fn ceiling_nanousd(&self, tokens: &Tokens) -> u64 {
        let rates = self.rates(tokens.input);
        let input = [rates.input, rates.cached_input, rates.cache_write, rates.cache_write_1h];
        total([
            (tokens.input, input.into_iter().fold(0, u64::max)),
            (tokens.output, rates.output.max(rates.reasoning)),
            (tokens.images, self.image),
        ])
    }

    fn rates(&self, input: u64) -> &Rates {
        match &self.long {
            Some((above, rates)) if input > *above => rates,
            Some(_) | None => &self.flat,
        }
    }
}

impl Rates {
    fn try_new(list: &LongContext) -> Result<Self, BadPrice> {
        let or = |key, value: Option<f64>, other| value.map_or(Ok(other), |value| per_token(key, value));
        let input = per_token("input_usd_per_mtok", list.input_usd_per_mtok)?;
        let output = per_token("output_usd_per_mtok", list.output_usd_per_mtok)?;
        let cache_write = or("cache_write_usd_per_mtok", list.cache_write_usd_per_mtok, input)?;
        Ok(Rates {
            input,
            output,
            reasoning: or("reasoning_usd_per_mtok", list.reasoning_usd_per_mtok, output)?,
            cached_input: or("cached_input_usd_per_mtok", list.cached_input_usd_per_mtok, input)?,
            cache_write,
            cache_write_1h: or("cache_write_1h_usd_per_mtok", list.cache_write_1h_usd_per_mtok, cache_write)?,
        })
    }
}

/// Counts times prices in picodollars, as billionths of a dollar, rounded up.
fn total<const N: usize>(parts: [(u64, u64); N]) -> u64 {
    // Several products of two u64 can pass u128 only together, so the sum saturates.
    let pico = parts.into_iter().fold(0u128, |sum, (count, price)| {
        sum.saturating_add(u128::from(count) * u128::from(price))
    });
    u64::try_from(pico.div_ceil(PICO_PER_NANO)).unwrap_or(u64::MAX)
}

/// An amount in US dollars, exact, with at least two places: `$0.000042`.
pub fn dollars(nanousd: u64) -> String {
    let (whole, nanos) = (nanousd / 1_000_000_000, nanousd % 1_000_000_000);
    let places = format!("{nanos:09}");
    let places = places.trim_end_matches('0');
    format!("${whole}.{places:0<2}")
}

fn per_token(key: &'static str, value: f64) -> Result<u64, BadPrice> {
    pico(key, value, MAX_USD_PER_MTOK, PICO_PER_MTOK_DOLLAR)
}

fn pico(key: &'static str, value: f64, most: f64, per_dollar: f64) -> Result<u64, BadPrice> {
    if !(0.0..=most).contains(&value) {
        return Err(BadPrice { key, value, most });
    }
    // At most 1e16: exact enough in an `f64`, and far from the end of a `u64`.
    Ok((value * per_dollar).round() as u64)
}

#[cfg(test)]
mod tests;
