//! Model providers behind [`claw_core::ports::Models`], as `models.yaml` names them. Refuses
//! redirects, proxies from the environment, unbounded answers, and to take a torn stream for
//! a whole one.

mod answer;
mod clients;
mod config;
mod context;
mod dialect;
mod exchange;
mod fault;
mod forward;
mod frames;
mod models;
mod offline;
mod prices;
mod retry;
mod router;
mod schema;
mod secret;
mod text;
mod translate;

#[cfg(test)]
mod testing;

pub use config::{
    Chosen, ConfigError, ConfigErrors, Grouped, Hedge, Limits, ModelEntry, ModelsFile, Prefer, Problem, Provider, TimeoutKeys,
};
pub use context::{ContextEntry, ContextFile, ContextProviders, SessionKeys};
pub use models::{ModelDescription, ProviderModels};
pub use prices::{PriceBook, PricesFile};
pub use secret::Secret;
