//! The order in which candidates are tried, and the words for it.

use std::sync::Arc;

use claw_core::cost::Tokens;

use super::Names;
use crate::config::Prefer;
use crate::exchange::Live;
use crate::retry::Random;

/// The candidates of a name, each with the reason for its place.
pub(crate) fn of(entries: &[Arc<Live>], names: &Names, name: &str, tokens: &Tokens, random: &Random) -> Vec<(Arc<Live>, String)> {
    let Some(meaning) = names.find(name) else { return Vec::new() };
    let of = |places: &[usize]| -> Vec<Arc<Live>> { places.iter().filter_map(|place| entries.get(*place).cloned()).collect() };
    let (own, behind) = meaning
        .entries
        .split_at_checked(meaning.own)
        .unwrap_or((&meaning.entries, &[]));
    let own = of(own);
    let weighed = own.iter().any(|live| live.entry.weight.is_some());
    let mut ordered = match meaning.prefer {
        _ if own.len() == 1 => own
            .into_iter()
            .map(|live| (live, "the only one of its name".to_owned()))
            .collect(),
        Prefer::Weight if weighed => by_weight(own, random),
        Prefer::Order | Prefer::Weight => in_order(own),
        Prefer::Price => by_price(own, tokens),
        Prefer::Latency => by_latency(own),
    };
    ordered.extend(of(behind).into_iter().map(|live| (live, "a fallback".to_owned())));
    ordered
}

fn in_order(own: Vec<Arc<Live>>) -> Vec<(Arc<Live>, String)> {
    let numbered = own.into_iter().enumerate();
    numbered
        .map(|(place, live)| (live, format!("number {} in the file's order", place + 1)))
        .collect()
}

/// Drawn without putting back: the heavier, the likelier to be first. One without a weight
/// weighs 1; one that weighs 0 is drawn last.
fn by_weight(mut own: Vec<Arc<Live>>, random: &Random) -> Vec<(Arc<Live>, String)> {
    let weight = |live: &Arc<Live>| f64::from(live.entry.weight.unwrap_or(1));
    let whole: f64 = own.iter().map(weight).sum();
    let mut drawn = Vec::with_capacity(own.len());
    while !own.is_empty() {
        let left: f64 = own.iter().map(weight).sum();
        let mut at = random().clamp(0.0, 1.0) * left;
        let place = own.iter().position(|live| {
            at -= weight(live);
            at < 0.0
        });
        let live = own.remove(place.unwrap_or(0).min(own.len().saturating_sub(1)));
        let why = format!("weight {} of {whole}", weight(&live));
        drawn.push((live, why));
    }
    drawn
}

/// Unknown prices come last.
fn by_price(own: Vec<Arc<Live>>, tokens: &Tokens) -> Vec<(Arc<Live>, String)> {
    let cost = |live: &Arc<Live>| live.entry.price.map(|price| price.cost_nanousd(tokens));
    let mut priced: Vec<_> = own.into_iter().map(|live| (cost(&live), live)).collect();
    priced.sort_by_key(|(cost, _)| cost.unwrap_or(u64::MAX));
    let words = |(cost, live): (Option<u64>, Arc<Live>)| {
        let why = match cost {
            Some(cost) => format!("costs at most {:.6} USD", cost as f64 / 1e9),
            None => "its price is not known".to_owned(),
        };
        (live, why)
    };
    priced.into_iter().map(words).collect()
}

/// Those that were never seen come first, so that they are.
fn by_latency(own: Vec<Arc<Live>>) -> Vec<(Arc<Live>, String)> {
    let mut timed: Vec<_> = own.into_iter().map(|live| (live.load.latency(), live)).collect();
    timed.sort_by_key(|(mean, _)| mean.unwrap_or_default());
    let words = |(mean, live): (Option<std::time::Duration>, Arc<Live>)| {
        let why = match mean {
            Some(mean) => format!("begins to answer in {} ms", mean.as_millis()),
            None => "was not seen answering yet".to_owned(),
        };
        (live, why)
    };
    timed.into_iter().map(words).collect()
}
