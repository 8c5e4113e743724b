#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use super::*;

fn cost(provider: Provider, model: &str, local: bool, tokens: Tokens) -> Option<u64> {
    built_in(provider, model, local)?.cost_nanousd(&tokens)
}

#[test]
fn known_models_cost_what_the_list_says() {
    let million = Tokens {
        input: 100_000,
        output: 10_000,
        cached: 50_000,
        cache_written: 10_000,
    };
    // 40,000 × 3 + 50,000 × 0.3 + 10,000 × 3.75 + 10,000 × 15 USD per million.
    assert_eq!(
        cost(Provider::Anthropic, "claude-sonnet-4-20250514", false, million),
        Some(322_500_000)
    );
    // 50,000 × 2.5 + 50,000 × 1.25 + 10,000 × 10.
    let million = Tokens {
        cache_written: 0,
        ..million
    };
    assert_eq!(cost(Provider::OpenAi, "gpt-4o", false, million), Some(287_500_000));
}

#[test]
fn what_is_not_known_has_no_price() {
    let some = Tokens {
        input: 10,
        output: 10,
        ..Tokens::default()
    };
    assert_eq!(cost(Provider::OpenAi, "gpt-4o-of-somebody", false, some), None);
    assert_eq!(
        cost(Provider::Anthropic, "gpt-4o", false, some),
        None,
        "a name counts at its own provider only"
    );
    assert_eq!(cost(Provider::Ollama, "gpt-oss:120b-cloud", false, some), None);
    let long = Tokens { input: 200_001, ..some };
    assert_eq!(
        cost(Provider::Anthropic, "claude-sonnet-4-20250514", false, long),
        None,
        "beyond 200,000 the list has other prices"
    );
}

#[test]
fn the_operators_own_machines_cost_nothing() {
    let some = Tokens {
        input: 10,
        output: 10,
        ..Tokens::default()
    };
    assert_eq!(cost(Provider::Ollama, "llama4:8b", true, some), Some(0));
    assert_eq!(cost(Provider::Offline, "offline", true, some), Some(0));
}

#[test]
fn every_row_is_a_price_and_names_a_model_once() {
    let mut seen = std::collections::HashSet::new();
    for row in TABLE {
        for model in row.models {
            assert!(seen.insert(model), "{model} is there twice");
            assert!(built_in(row.provider, model, false).is_some(), "{model}");
        }
        let [input, _, cached, _] = row.usd_per_mtok;
        assert!(
            cached <= input,
            "{:?}: reading from a cache is never dearer",
            row.models.first().unwrap()
        );
    }
}
