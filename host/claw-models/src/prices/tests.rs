#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may stop at the first surprise"
)]

use std::collections::HashSet;

use claw_core::cost::Tokens;

use super::*;

fn priced<'a>(provider: Provider, host: Option<&'a str>, model: &'a str) -> Priced<'a> {
    Priced {
        provider,
        host,
        model,
        local: false,
    }
}

fn cost(asked: Priced<'_>, tokens: Tokens) -> Option<u64> {
    Some(asked.price(&PriceBook::default())?.cost_nanousd(&tokens))
}

const SOME: Tokens = Tokens {
    input: 10,
    cached: 0,
    cache_written: 0,
    cache_written_1h: 0,
    output: 10,
    reasoning: 0,
    images: 0,
};

#[test]
fn known_models_cost_what_the_list_says() {
    let used = Tokens {
        input: 100_000,
        output: 10_000,
        cached: 50_000,
        cache_written: 10_000,
        cache_written_1h: 4_000,
        ..SOME
    };
    let sonnet = priced(Provider::Anthropic, Some("api.anthropic.com"), "claude-sonnet-4-20250514");
    // 40,000 × 3 + 50,000 × 0.3 + 6,000 × 3.75 + 4,000 × 6 + 10,000 × 15 USD per million.
    assert_eq!(cost(sonnet, used), Some(331_500_000));
    let long = Tokens {
        input: 200_001,
        ..Tokens::default()
    };
    assert_eq!(cost(sonnet, long), Some(1_200_006_000), "beyond 200,000 all of it costs 6");
    let plain = Tokens {
        cache_written: 0,
        ..used
    };
    // 50,000 × 2.5 + 50,000 × 1.25 + 10,000 × 10.
    assert_eq!(cost(priced(Provider::OpenAi, None, "gpt-4o"), plain), Some(287_500_000));
}

#[test]
fn what_is_not_known_has_no_price() {
    for (provider, host, model) in [
        (Provider::OpenAi, None, "gpt-4o-of-somebody"),
        (Provider::OpenAi, None, "GPT-4o"),
        (Provider::OpenAi, None, ""),
        (Provider::Anthropic, None, "gpt-4o"),
        (Provider::OpenAi, Some("api.deepseek.com"), "gpt-4o"),
        (Provider::OpenAi, Some("api.openai.com"), "deepseek-chat"),
        (Provider::Ollama, None, "gpt-oss:120b-cloud"),
    ] {
        assert_eq!(cost(priced(provider, host, model), SOME), None, "{host:?} {model}");
    }
    let embedding = priced(Provider::OpenAi, None, "text-embedding-3-small");
    assert_eq!(cost(embedding, SOME), Some(200));
}

#[test]
fn a_host_of_its_own_has_prices_of_its_own() {
    let deepseek = priced(Provider::OpenAi, Some("api.deepseek.com"), "deepseek-chat");
    assert!(cost(deepseek, SOME).is_some());
    let proxied = priced(Provider::OpenAi, Some("proxy.example"), "gpt-4o");
    assert_eq!(cost(proxied, SOME), cost(priced(Provider::OpenAi, None, "gpt-4o"), SOME));
}

#[test]
fn the_operators_own_machines_cost_nothing() {
    let own = |provider, model| Priced {
        local: true,
        ..priced(provider, Some("127.0.0.1"), model)
    };
    assert_eq!(cost(own(Provider::Ollama, "llama4:8b"), SOME), Some(0));
    assert_eq!(cost(own(Provider::Offline, "offline"), SOME), Some(0));
}

#[test]
fn windows_are_known_where_prices_are() {
    let window = |model| priced(Provider::OpenAi, None, model).context_tokens();
    assert_eq!(window("gpt-4o"), Some(128_000));
    assert_eq!(window("gpt-5"), Some(400_000));
    assert_eq!(window("nobody"), None);
}

#[test]
fn the_shipped_table_is_whole_and_names_a_model_once() {
    let data: Data = serde_json::from_str(DATA).unwrap();
    let mut seen = HashSet::new();
    for table in &data.tables {
        for row in &table.models {
            let price = &row.price;
            Price::try_new(price).unwrap();
            assert!(!row.names.is_empty());
            for name in &row.names {
                assert!(seen.insert((&table.provider, name)), "{name} is there twice");
            }
            let names = &row.names;
            let cached = price.cached_input_usd_per_mtok.unwrap_or(0.0);
            assert!(
                cached <= price.input_usd_per_mtok,
                "{names:?}: a cache is never dearer to read"
            );
            if let Some(long) = price.long_context {
                assert!(long.above_tokens < row.context_tokens.unwrap(), "{names:?}");
                assert!(long.input_usd_per_mtok >= price.input_usd_per_mtok, "{names:?}");
            }
        }
    }
    for maker in ["anthropic", "openai", "gemini"] {
        assert!(data.tables.iter().any(|table| table.provider == maker), "{maker}");
    }
    let raw: serde_json::Value = serde_json::from_str(DATA).unwrap();
    for table in raw["tables"].as_array().unwrap() {
        assert!(is_date(table["as_of"].as_str()), "{table:?}");
        assert!(table["source"].as_str().is_some_and(|source| source.starts_with("https://")));
    }
}

fn is_date(text: Option<&str>) -> bool {
    text.is_some_and(|text| text.len() == 10 && text.split('-').all(|part| part.parse::<u32>().is_ok()))
}

#[test]
fn a_damaged_table_is_none_at_all() {
    for text in ["", "[]", "{\"tables\": 3}", &DATA[..DATA.len() / 2]] {
        assert!(Tables::parse(text).is_none());
    }
}

fn book(yaml: &str) -> Result<PriceBook, String> {
    let file: PricesFile = serde_yaml::from_str(yaml).map_err(|error| error.to_string())?;
    PriceBook::try_new(&file).map_err(|errors| errors.to_string())
}

#[test]
fn the_file_goes_before_the_table() {
    let book = book(
        "prices:\n  openai/gpt-4o: {input_usd_per_mtok: 1, output_usd_per_mtok: 0}\n  \
         deepseek/mine: {input_usd_per_mtok: 2, output_usd_per_mtok: 0}\n  \
         openai/a/b: {input_usd_per_mtok: 3, output_usd_per_mtok: 0}\n  \
         ollama/big: {input_usd_per_mtok: 4, output_usd_per_mtok: 0}\n",
    )
    .unwrap();
    let check = |asked: Priced<'_>, expected: Option<u64>| {
        let found = asked.price(&book).map(|price| price.cost_nanousd(&SOME));
        assert_eq!(found, expected, "{asked:?}");
    };
    check(priced(Provider::OpenAi, None, "gpt-4o"), Some(10_000));
    check(priced(Provider::OpenAi, Some("api.deepseek.com"), "mine"), Some(20_000));
    check(priced(Provider::OpenAi, None, "mine"), None);
    check(priced(Provider::OpenAi, None, "a/b"), Some(30_000));
    let own = Priced {
        local: true,
        ..priced(Provider::Ollama, None, "big")
    };
    check(own, Some(40_000));
}

#[test]
fn what_is_wrong_with_the_file_is_named() {
    let list = "{input_usd_per_mtok: 1, output_usd_per_mtok: 1}";
    for (yaml, expected) in [
        (
            format!("prices: {{gpt-4o: {list}}}"),
            "`prices.gpt-4o`: write the provider and the model",
        ),
        (format!("prices: {{openai/: {list}}}"), "`prices.openai/`: write the provider"),
        (
            format!("prices: {{opnai/gpt-4o: {list}}}"),
            "`opnai` is no provider that has prices",
        ),
        (format!("price: {{openai/gpt-4o: {list}}}"), "unknown field `price`"),
        (
            "prices: {openai/x: {input_usd_per_mtok: 1}}".to_owned(),
            "missing field `output_usd_per_mtok`",
        ),
        (
            "prices: {openai/x: {input_usd_per_mtok: -1, output_usd_per_mtok: 1}}".to_owned(),
            "`prices.openai/x.input_usd_per_mtok`: `input_usd_per_mtok` is -1, which is not between 0 and 1000000",
        ),
        (
            "prices: {openai/x: {input_usd_per_mtok: .nan, output_usd_per_mtok: 1}}".to_owned(),
            "`input_usd_per_mtok` is NaN",
        ),
        (
            "prices: {openai/x: {input_usd_per_mtok: 1, output_usd_per_mtok: 1, free: yes}}".to_owned(),
            "unknown field `free`",
        ),
    ] {
        let found = book(&yaml).unwrap_err();
        assert!(found.contains(expected), "{yaml}: {found}");
    }
}
