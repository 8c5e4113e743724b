//! What models cost and how much they can read, for those whom models.yaml gives neither: what
//! `prices.yaml` says, then the table that is shipped. Refuses to guess: a model that is in
//! neither has no price, which is not the price nought.

mod book;

use std::collections::HashMap;
use std::sync::LazyLock;

use claw_core::cost::{Price, PriceList};
use serde::Deserialize;

use crate::config::Provider;

pub use book::{PriceBook, PricesFile};

/// The table that is shipped; source and date stand in it.
const DATA: &str = include_str!("../data/prices.json");

static TABLES: LazyLock<Tables> = LazyLock::new(|| Tables::parse(DATA).unwrap_or_default());

/// Whom a price is looked up for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Priced<'a> {
    pub(crate) provider: Provider,
    /// Where the provider is.
    pub(crate) host: Option<&'a str>,
    pub(crate) model: &'a str,
    /// What it is sent stays on machines of the operator.
    pub(crate) local: bool,
}

impl Priced<'_> {
    /// What it costs, if that is known. The operator's own Ollama and the offline provider
    /// cost nothing.
    pub(crate) fn price(&self, book: &PriceBook) -> Option<Price> {
        let tables = &*TABLES;
        let maker = tables.maker(self);
        book.find(&[self.provider.as_str(), maker], self.model)
            .or_else(|| match self.provider {
                Provider::Offline => Some(Price::FREE),
                Provider::Ollama => self.local.then_some(Price::FREE),
                Provider::Anthropic | Provider::OpenAi | Provider::Gemini => {
                    tables.find(maker, self.model).map(|known| known.price)
                }
            })
    }

    /// How many tokens it can read and make together, if that is known.
    pub(crate) fn context_tokens(&self) -> Option<u64> {
        match self.provider {
            Provider::Offline | Provider::Ollama => None,
            Provider::Anthropic | Provider::OpenAi | Provider::Gemini => {
                TABLES.find(TABLES.maker(self), self.model)?.context_tokens
            }
        }
    }
}

/// The names that can stand before the slash in `prices.yaml`.
pub(crate) fn makers() -> Vec<&'static str> {
    let dialects = [Provider::Anthropic, Provider::OpenAi, Provider::Gemini, Provider::Ollama].map(Provider::as_str);
    let mut names: Vec<&'static str> = TABLES.names.iter().map(String::as_str).chain(dialects).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// What is known of one model.
#[derive(Clone, Copy, Debug)]
struct Known {
    price: Price,
    context_tokens: Option<u64>,
}

/// All tables, by the provider's name and the model's.
#[derive(Debug, Default)]
struct Tables {
    names: Vec<String>,
    by_host: HashMap<String, usize>,
    models: HashMap<(usize, String), Known>,
}

impl Tables {
    fn parse(text: &str) -> Option<Self> {
        let data: Data = serde_json::from_str(text).ok()?;
        let mut tables = Tables::default();
        for (place, table) in data.tables.into_iter().enumerate() {
            tables.names.push(table.provider);
            tables.by_host.extend(table.hosts.into_iter().map(|host| (host, place)));
            for row in table.models {
                let known = Known {
                    price: Price::try_new(&row.price).ok()?,
                    context_tokens: row.context_tokens,
                };
                tables.models.extend(row.names.into_iter().map(|name| ((place, name), known)));
            }
        }
        Some(tables)
    }

    /// Whose list counts: that of the host where it has one, else that of the dialect, since
    /// most other addresses are somebody's way to its maker.
    fn maker(&self, asked: &Priced<'_>) -> &str {
        let place = asked.host.and_then(|host| self.by_host.get(host));
        let name = place.and_then(|place| self.names.get(*place));
        name.map_or(asked.provider.as_str(), String::as_str)
    }

    fn find(&self, maker: &str, model: &str) -> Option<&Known> {
        let place = self.names.iter().position(|name| name == maker)?;
        self.models.get(&(place, model.to_owned()))
    }
}

/// The file's form. What stands in it beside this is for people.
#[derive(Deserialize)]
struct Data {
    tables: Vec<Table>,
}

#[derive(Deserialize)]
struct Table {
    provider: String,
    hosts: Vec<String>,
    models: Vec<Row>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    names: Vec<String>,
    context_tokens: Option<u64>,
    price: PriceList,
}

#[cfg(test)]
mod tests;
