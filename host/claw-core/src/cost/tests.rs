#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use super::*;

fn price(input: f64, output: f64, cached: Option<f64>, write: Option<f64>) -> Result<Price, BadPrice> {
    Price::try_new(&PriceList {
        input_usd_per_mtok: input,
        output_usd_per_mtok: output,
        cached_input_usd_per_mtok: cached,
        cache_write_usd_per_mtok: write,
    })
}

fn tokens(input: u64, cached: u64, cache_written: u64, output: u64) -> Tokens {
    Tokens {
        input,
        cached,
        cache_written,
        output,
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
