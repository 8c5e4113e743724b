//! Says once of each model that nobody knows what it costs.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use claw_core::observe::{Observation, Observer};

/// More models than this are not remembered, nor warned of.
const MOST: usize = 1_024;

/// The models that were warned of.
#[derive(Debug, Default)]
pub struct Unpriced(Mutex<HashSet<(String, String)>>);

impl Unpriced {
    /// Whether this is the first call of a model without a price.
    fn is_news(&self, provider: &str, model: &str) -> bool {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.len() < MOST && known.insert((provider.to_owned(), model.to_owned()))
    }
}

impl Observer for Unpriced {
    fn ended(&self, seen: Observation<'_>) {
        let (Some(usage), Some(_)) = (&seen.outcome.usage, &seen.intent.model_use) else {
            return;
        };
        // What was configured, not what an answer claims: a bounded set.
        let provider = seen.intent.provider.as_deref().unwrap_or_default();
        let model = seen.intent.model.as_deref().unwrap_or_default();
        if usage.cost_nanousd.is_none() && self.is_news(provider, model) {
            tracing::warn!(
                provider,
                model,
                "nobody knows what this model costs, and no budget counts it: give it a price in prices.yaml"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_model_is_news_once() {
        let unpriced = Unpriced::default();
        assert!(unpriced.is_news("openai", "a"));
        assert!(!unpriced.is_news("openai", "a"));
        assert!(unpriced.is_news("anthropic", "a"));
        for number in 0..MOST {
            unpriced.is_news("openai", &number.to_string());
        }
        assert!(!unpriced.is_news("openai", "one more"));
    }
}
