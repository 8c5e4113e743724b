//! `prices.yaml`: prices that go before the shipped ones. Refuses a name without a provider,
//! one of a provider that is not known, and what is no price.

use std::collections::{BTreeMap, HashMap};

use claw_core::cost::{Price, PriceList};
use serde::{Deserialize, Serialize};

use super::makers;
use crate::config::{ConfigError, ConfigErrors, Problem};

/// `prices.yaml`, by `provider/model`: the provider is one of models.yaml, or a host that has a
/// list of its own, such as `deepseek`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PricesFile {
    /// The prices.
    #[serde(default)]
    pub prices: BTreeMap<String, PriceList>,
}

/// The prices of a `prices.yaml`, checked.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PriceBook(HashMap<String, Price>);

impl PriceBook {
    /// The prices of a file.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn try_new(file: &PricesFile) -> Result<Self, ConfigErrors> {
        let mut errors = Vec::new();
        let mut prices = HashMap::new();
        let shown = |name: &str| name.chars().filter(|c| !c.is_control()).take(128).collect::<String>();
        for (name, list) in &file.prices {
            let mut wrong = |key: &str, problem| {
                let path = format!("prices.{}{key}", shown(name));
                errors.push(ConfigError { path, problem });
            };
            match name.split_once('/') {
                Some((maker, model)) if !model.is_empty() && makers().contains(&maker) => {}
                Some((maker, model)) if !model.is_empty() => {
                    let (maker, known) = (shown(maker), makers().join("`, `"));
                    wrong("", Problem::NoMaker { maker, known });
                }
                Some(_) | None => wrong("", Problem::NoModelName),
            }
            match Price::try_new(list) {
                Ok(price) => drop(prices.insert(name.clone(), price)),
                Err(bad) => wrong(&format!(".{}", bad.key), Problem::BadPrice(bad)),
            }
        }
        if errors.is_empty() {
            Ok(PriceBook(prices))
        } else {
            Err(ConfigErrors(errors))
        }
    }

    /// The price of a model under the first of these names of its provider that has one.
    pub(super) fn find(&self, makers: &[&str], model: &str) -> Option<Price> {
        if self.0.is_empty() {
            return None;
        }
        makers
            .iter()
            .find_map(|maker| self.0.get(&format!("{maker}/{model}")).copied())
    }
}
