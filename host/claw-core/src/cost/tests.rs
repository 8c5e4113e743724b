#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use super::*;

fn price(input: f64, output: f64, cached: Option<f64>, write: Option<f64>) -> Result<Price, BadPrice> {
    Price::try_new(&PriceList {
        input_usd_per_mtok: input,
        output_usd_per_mtok: output,
        cached_input_usd_per_mtok: cached,
        cache_write_usd_per_mtok: write,
        ..PriceList::default()
    })
}

fn tokens(input: u64, cached: u64, cache_written: u64, output: u64) -> Tokens {
    Tokens {
        input,
        cached,
        cache_written,
        output,
        ..Tokens::default()
    }
}

#[test]
fn a_million_tokens_cost_what_the_list_says() {
    let sonnet = price(3.0, 15.0, Some(0.3), Some(3.75)).unwrap();
    let dollars = |usd: f64| (usd * 1e9).round() as u64;
    let table = [
        (tokens(1_000_000, 0, 0, 0), 3.0),
        (tokens(0, 0, 0, 1_000_000), 15.0),
        (tokens(1_000_000, 1_000_000, 0, 0), 0.3),
        (tokens(1_000_000, 0, 1_000_000, 0), 3.75),
        (tokens(1_000_000, 500_000, 100_000, 2_000_000), 0.15 + 0.375 + 1.2 + 30.0),
    ];
    for (used, usd) in table {
        assert_eq!(sonnet.cost_nanousd(&used), dollars(usd), "{used:?}");
    }
}

#[test]
fn cached_tokens_cost_as_others_where_nothing_else_is_said() {
    let plain = price(2.0, 8.0, None, None).unwrap();
    assert_eq!(plain.cost_nanousd(&tokens(1000, 900, 50, 0)), 2_000_000);
    let free_cache = price(2.0, 8.0, Some(0.0), None).unwrap();
    assert_eq!(free_cache.cost_nanousd(&tokens(1000, 1000, 0, 0)), 0);
}

#[test]
fn a_fraction_of_a_nanodollar_is_rounded_up_once_per_call() {
    // 0.0001 USD per million tokens is 100 pico a token: a tenth of a nano.
    let cheap = price(0.0001, 0.0001, None, None).unwrap();
    for (count, nano) in [(0, 0), (1, 1), (10, 1), (11, 2)] {
        assert_eq!(cheap.cost_nanousd(&tokens(count, 0, 0, 0)), nano, "{count} tokens");
    }
    assert_eq!(
        cheap.cost_nanousd(&tokens(5, 0, 0, 5)),
        1,
        "the parts are added before they are rounded"
    );
    // Below half a picodollar a token the price itself is zero.
    assert_eq!(price(0.000_000_4, 0.0, None, None).unwrap(), Price::FREE);
}

#[test]
fn inexact_decimals_do_not_drift() {
    let mini = price(0.15, 0.6, Some(0.075), None).unwrap();
    assert_eq!(mini.cost_nanousd(&tokens(1_000_000, 0, 0, 0)), 150_000_000);
    assert_eq!(mini.cost_nanousd(&tokens(1_000_000, 1_000_000, 0, 0)), 75_000_000);
}

#[test]
fn absurd_counts_stay_at_the_top() {
    let dear = price(1_000_000.0, 1_000_000.0, None, None).unwrap();
    assert_eq!(dear.cost_nanousd(&tokens(u64::MAX, 0, 0, u64::MAX)), u64::MAX);
    assert_eq!(Price::FREE.cost_nanousd(&tokens(u64::MAX, u64::MAX, u64::MAX, u64::MAX)), 0);
}

#[test]
fn counts_that_contradict_each_other_do_not_underflow() {
    let plain = price(1.0, 1.0, Some(0.5), Some(2.0)).unwrap();
    // More cached than read: only what was read counts.
    assert_eq!(plain.cost_nanousd(&tokens(10, 25, 25, 0)), 5_000);
}

#[test]
fn what_is_no_price_is_refused_by_its_key() {
    for bad in [-0.01, f64::NAN, f64::INFINITY, 1e9] {
        assert_eq!(price(1.0, bad, None, None).unwrap_err().key, "output_usd_per_mtok");
        assert_eq!(price(1.0, 1.0, Some(bad), None).unwrap_err().key, "cached_input_usd_per_mtok");
    }
    let error = price(-1.0, 1.0, None, None).unwrap_err();
    assert_eq!(
        error.to_string(),
        "`input_usd_per_mtok` is -1, which is not between 0 and 1000000"
    );
}

#[test]
fn reasoning_hours_of_cache_and_images_have_prices_of_their_own() {
    let all = Price::try_new(&PriceList {
        input_usd_per_mtok: 4.0,
        output_usd_per_mtok: 20.0,
        reasoning_usd_per_mtok: Some(30.0),
        cached_input_usd_per_mtok: Some(0.2),
        cache_write_usd_per_mtok: Some(5.0),
        cache_write_1h_usd_per_mtok: Some(8.0),
        usd_per_image: Some(0.134),
        long_context: None,
    })
    .unwrap();
    let used = Tokens {
        input: 1_000,
        cached: 100,
        cache_written: 300,
        cache_written_1h: 200,
        output: 50,
        reasoning: 20,
        images: 2,
    };
    // 600 × 4 + 100 × 0.2 + 100 × 5 + 200 × 8 + 30 × 20 + 20 × 30 micro-dollars, and two images.
    assert_eq!(all.cost_nanousd(&used), 5_720_000 + 268_000_000);
    // Everything at its dearest: 1,000 × 8 + 50 × 30, and two images.
    assert_eq!(all.ceiling_nanousd(&used), 9_500_000 + 268_000_000);
    let contradictory = Tokens {
        cache_written_1h: 900,
        reasoning: 900,
        ..used
    };
    assert!(all.cost_nanousd(&contradictory) <= all.ceiling_nanousd(&contradictory));
}

#[test]
fn beyond_the_threshold_every_token_has_the_other_price() {
    let list = PriceList {
        input_usd_per_mtok: 2.5,
        output_usd_per_mtok: 15.0,
        long_context: Some(LongContext {
            above_tokens: 272_000,
            input_usd_per_mtok: 5.0,
            output_usd_per_mtok: 22.5,
            ..LongContext::default()
        }),
        ..PriceList::default()
    };
    let tiered = Price::try_new(&list).unwrap();
    assert_eq!(tiered.cost_nanousd(&tokens(272_000, 0, 0, 1_000)), 680_000_000 + 15_000_000);
    assert_eq!(tiered.cost_nanousd(&tokens(272_001, 0, 0, 1_000)), 1_360_005_000 + 22_500_000);
    let bad = PriceList {
        long_context: Some(LongContext {
            input_usd_per_mtok: -1.0,
            ..list.long_context.unwrap()
        }),
        ..list
    };
    assert_eq!(Price::try_new(&bad).unwrap_err().key, "input_usd_per_mtok");
    let bad = PriceList {
        usd_per_image: Some(f64::NAN),
        ..list
    };
    assert_eq!(Price::try_new(&bad).unwrap_err().key, "usd_per_image");
}

#[test]
fn no_way_of_counting_costs_more_than_the_ceiling() {
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = |below: u64| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed % below
    };
    for _ in 0..10_000 {
        let mut usd = || Some(next(1_000) as f64 / 10.0);
        let list = PriceList {
            input_usd_per_mtok: usd().unwrap(),
            output_usd_per_mtok: usd().unwrap(),
            reasoning_usd_per_mtok: usd(),
            cached_input_usd_per_mtok: usd(),
            cache_write_usd_per_mtok: usd(),
            cache_write_1h_usd_per_mtok: usd(),
            usd_per_image: usd(),
            long_context: None,
        };
        let used = Tokens {
            input: next(1_000),
            cached: next(1_000),
            cache_written: next(1_000),
            cache_written_1h: next(1_000),
            output: next(1_000),
            reasoning: next(1_000),
            images: next(3),
        };
        let price = Price::try_new(&list).unwrap();
        assert!(price.cost_nanousd(&used) <= price.ceiling_nanousd(&used), "{list:?} {used:?}");
    }
}
