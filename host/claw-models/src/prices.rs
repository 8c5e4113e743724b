//! List prices of a dozen well-known models, for those whom models.yaml gives no price.
//! Refuses to guess: a model that is not here, or a prompt beyond the flat part of its
//! list, has no price.

use claw_core::cost::{Price, PriceList, Tokens};

use crate::config::Provider;

/// A price, and how far it reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KnownPrice {
    price: Price,
    /// Beyond this many input tokens the list has other prices.
    flat_up_to: u64,
}

impl KnownPrice {
    pub(crate) fn flat(price: Price) -> Self {
        KnownPrice {
            price,
            flat_up_to: u64::MAX,
        }
    }

    /// In billionths of a US dollar; `None` where the list does not say.
    pub(crate) fn cost_nanousd(&self, tokens: &Tokens) -> Option<u64> {
        (tokens.input <= self.flat_up_to).then(|| self.price.cost_nanousd(tokens))
    }
}

/// What is known without being told: models on the operator's own Ollama and the offline
/// provider cost nothing.
pub(crate) fn built_in(provider: Provider, model: &str, local: bool) -> Option<KnownPrice> {
    match provider {
        Provider::Offline => return Some(KnownPrice::flat(Price::FREE)),
        Provider::Ollama => return local.then(|| KnownPrice::flat(Price::FREE)),
        Provider::Anthropic | Provider::OpenAi => {}
    }
    let row = TABLE
        .iter()
        .find(|row| row.provider == provider && row.models.contains(&model))?;
    let [input, output, cached, write] = row.usd_per_mtok;
    let list = PriceList {
        input_usd_per_mtok: input,
        output_usd_per_mtok: output,
        cached_input_usd_per_mtok: Some(cached),
        cache_write_usd_per_mtok: Some(write),
    };
    Price::try_new(&list).ok().map(|price| KnownPrice {
        price,
        flat_up_to: row.flat_up_to,
    })
}

struct Row {
    provider: Provider,
    models: &'static [&'static str],
    /// Input, output, input from the cache, input to the cache (for five minutes).
    usd_per_mtok: [f64; 4],
    flat_up_to: u64,
}

const fn row(provider: Provider, models: &'static [&'static str], usd_per_mtok: [f64; 4], flat_up_to: u64) -> Row {
    Row {
        provider,
        models,
        usd_per_mtok,
        flat_up_to,
    }
}

use Provider::{Anthropic, OpenAi};

const FLAT: u64 = u64::MAX;

/// The providers' public list prices as of 2026-11, in US dollars per million tokens.
const TABLE: &[Row] = &[
    row(
        Anthropic,
        &["claude-sonnet-4-20250514", "claude-sonnet-4-0"],
        [3.0, 15.0, 0.3, 3.75],
        200_000,
    ),
    row(
        Anthropic,
        &["claude-sonnet-4-5", "claude-sonnet-4-5-20250929", "claude-sonnet-4-6"],
        [3.0, 15.0, 0.3, 3.75],
        FLAT,
    ),
    row(Anthropic, &["claude-sonnet-5"], [2.0, 10.0, 0.2, 2.5], FLAT),
    row(Anthropic, &["claude-sonnet-5-5"], [2.0, 10.0, 0.1, 2.5], FLAT),
    row(
        Anthropic,
        &["claude-haiku-4-5", "claude-haiku-4-5-20251001"],
        [1.0, 5.0, 0.1, 1.25],
        FLAT,
    ),
    row(Anthropic, &["claude-haiku-5-5"], [0.1, 0.5, 0.01, 0.125], 100_000),
    row(
        Anthropic,
        &["claude-opus-4-5", "claude-opus-4-5-20251101", "claude-opus-5"],
        [5.0, 25.0, 0.5, 6.25],
        FLAT,
    ),
    row(Anthropic, &["claude-opus-5-5"], [4.0, 20.0, 0.2, 5.0], FLAT),
    row(
        OpenAi,
        &["gpt-4o", "gpt-4o-2024-08-06", "gpt-4o-2024-11-20"],
        [2.5, 10.0, 1.25, 2.5],
        FLAT,
    ),
    row(
        OpenAi,
        &["gpt-4o-mini", "gpt-4o-mini-2024-07-18"],
        [0.15, 0.6, 0.075, 0.15],
        FLAT,
    ),
    row(
        OpenAi,
        &["gpt-4.1", "gpt-4.1-2025-04-14", "o3", "o3-2025-04-16"],
        [2.0, 8.0, 0.5, 2.0],
        FLAT,
    ),
    row(
        OpenAi,
        &["gpt-4.1-mini", "gpt-4.1-mini-2025-04-14"],
        [0.4, 1.6, 0.1, 0.4],
        FLAT,
    ),
    row(OpenAi, &["gpt-5", "gpt-5-2025-08-07"], [1.25, 10.0, 0.125, 1.25], FLAT),
    row(
        OpenAi,
        &["gpt-5-mini", "gpt-5-mini-2025-08-07"],
        [0.25, 2.0, 0.025, 0.25],
        FLAT,
    ),
    row(
        OpenAi,
        &["gpt-5-nano", "gpt-5-nano-2025-08-07"],
        [0.05, 0.4, 0.005, 0.05],
        FLAT,
    ),
    row(
        OpenAi,
        &["gpt-5.4-mini", "gpt-5.4-mini-2026-03-17"],
        [0.75, 4.5, 0.075, 0.75],
        FLAT,
    ),
    row(OpenAi, &["gpt-5.4", "gpt-5.4-2026-03-05"], [2.5, 15.0, 0.25, 2.5], 272_000),
    row(OpenAi, &["gpt-6-sol"], [2.0, 10.0, 0.2, 2.5], 272_000),
    row(OpenAi, &["text-embedding-3-small"], [0.02, 0.0, 0.02, 0.02], FLAT),
    row(OpenAi, &["text-embedding-3-large"], [0.13, 0.0, 0.13, 0.13], FLAT),
];

#[cfg(test)]
mod tests;
