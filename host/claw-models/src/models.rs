//! The providers as one port. Refuses a route that the live configuration no longer holds.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use arc_swap::ArcSwap;
use async_trait::async_trait;
use claw_core::cost::Tokens;
use claw_core::errors::{Code, Fault};
use claw_core::model::{Completion, Embeddings, ModelRoute, ModelStream};
use claw_core::policy::Permit;
use claw_core::ports::{EmbedCall, ModelCall, Models};
use claw_core::routing::{Candidate, ModelListing, NameKind, Plan, Wanted};
use claw_core::wire::{WireAnswer, WireCall};
use serde::Serialize;

use crate::clients::Clients;
use crate::config::{ConfigErrors, Key, ModelsFile, Problem, Provider, resolve};
use crate::exchange::{self, Bounds, Live};
use crate::offline;
use crate::retry::Random;
use crate::text::clip;

/// The most texts that one call turns into vectors.
const MAX_TEXTS: usize = 2048;

/// The providers of `models.yaml`. The configuration is a snapshot that can be replaced
/// at any time; calls that are under way end with the one they began with.
pub struct ProviderModels {
    live: ArcSwap<Snapshot>,
    clients: Clients,
    random: Random,
}

/// One entry, for listings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ModelDescription {
    /// Its name.
    pub entry: String,
    /// The provider's name.
    pub provider: &'static str,
    /// The model's name at the provider.
    pub model: String,
    /// What it is used for.
    pub uses: Vec<String>,
    /// What it is sent stays on machines of the operator.
    pub local: bool,
    /// Where the provider is; `offline` is nowhere.
    pub base_url: Option<String>,
    /// It has a key.
    pub key_set: bool,
    /// It needs a key that it does not have: what to set.
    pub key_missing: Option<String>,
    /// What a call costs is known.
    pub price_known: bool,
}

struct Snapshot {
    entries: Vec<Arc<Live>>,
    by_name: HashMap<String, usize>,
}

impl ProviderModels {
    /// The providers of this file; `env` looks environment variables up.
    ///
    /// # Errors
    /// Everything that is wrong with the file. A missing key is not: calls that need it
    /// fail, and say what to set.
    pub fn new(file: &ModelsFile, env: &dyn Fn(&str) -> Option<String>) -> Result<Self, ConfigErrors> {
        let clients = Clients::try_new().map_err(|error| ConfigErrors::one("models", Problem::NoClient(error.to_string())))?;
        let snapshot = Snapshot::try_new(file, env, &clients)?;
        Ok(ProviderModels {
            live: ArcSwap::from_pointee(snapshot),
            clients,
            random: Arc::new(rand::random::<f64>),
        })
    }

    /// Puts another file in force for all calls that begin from now on.
    ///
    /// # Errors
    /// As [`ProviderModels::new`]; what was in force before stays.
    pub fn replace(&self, file: &ModelsFile, env: &dyn Fn(&str) -> Option<String>) -> Result<(), ConfigErrors> {
        self.live.store(Arc::new(Snapshot::try_new(file, env, &self.clients)?));
        Ok(())
    }

    /// All entries, in the file's order.
    pub fn describe(&self) -> Vec<ModelDescription> {
        self.live.load().entries.iter().map(|live| describe(live)).collect()
    }

    #[cfg(test)]
    pub(crate) fn planned(&self, name: &str) -> Result<Plan, Fault> {
        self.plan(&Wanted {
            name,
            kind: claw_core::routing::Kind::Completion,
            input_tokens: 0,
            output_tokens: None,
        })
    }

    #[cfg(test)]
    pub(crate) fn routed(&self, name: &str) -> Result<ModelRoute, Fault> {
        Ok(self.planned(name)?.candidates.swap_remove(0).route)
    }

    /// With these random numbers between attempts.
    #[cfg(test)]
    pub(crate) fn with_random(mut self, random: Random) -> Self {
        self.random = random;
        self
    }

    /// The entry of a route, if it is still what the route says: a call that was allowed
    /// because its model is local must not reach one that is not.
    fn entry(&self, route: &ModelRoute) -> Result<Arc<Live>, Fault> {
        let snapshot = self.live.load();
        let found = snapshot
            .by_name
            .get(&route.entry)
            .and_then(|place| snapshot.entries.get(*place));
        found.filter(|live| self::route(live) == *route).cloned().ok_or_else(|| {
            let message = format!(
                "the entry `{}` of models.yaml changed while the call was under way",
                route.entry
            );
            Fault::new(Code::ModelUnavailable, message).hint("try again")
        })
    }

    fn first(&self, permit: &Permit, plan: &Plan) -> Result<Arc<Live>, Fault> {
        let first = plan.candidates.first().ok_or_else(Fault::internal)?;
        permit.check(&first.route)?;
        self.entry(&first.route)
    }

    fn bounds(&self, deadline: Instant) -> Bounds {
        Bounds {
            deadline,
            random: self.random.clone(),
        }
    }
}

#[async_trait]
impl Models for ProviderModels {
    fn plan(&self, wanted: &Wanted<'_>) -> Result<Plan, Fault> {
        let snapshot = self.live.load();
        let found = snapshot
            .by_name
            .get(wanted.name)
            .and_then(|place| snapshot.entries.get(*place));
        let live = found.ok_or_else(|| snapshot.not_configured(wanted.name))?;
        let tokens = Tokens {
            input: wanted.input_tokens,
            output: wanted.output_tokens.unwrap_or(0),
            ..Tokens::default()
        };
        Ok(Plan {
            name: wanted.name.to_owned(),
            candidates: vec![Candidate {
                route: route(live),
                why: "the only one".to_owned(),
                ceiling_nanousd: live.entry.price.and_then(|price| price.cost_nanousd(&tokens)),
            }],
            passed_over: Vec::new(),
        })
    }

    fn list(&self) -> Vec<ModelListing> {
        let snapshot = self.live.load();
        let entry = |live: &Arc<Live>| ModelListing {
            name: live.entry.name.clone(),
            kind: NameKind::Entry,
            route: route(live),
            context_tokens: None,
        };
        snapshot.entries.iter().map(entry).collect()
    }

    async fn complete(&self, permit: &Permit, plan: &Plan, call: ModelCall) -> Result<Completion, Fault> {
        let live = self.first(permit, plan)?;
        match live.entry.provider {
            Provider::Offline => offline::complete(&call.request),
            Provider::Anthropic | Provider::OpenAi | Provider::Ollama => {
                Box::pin(exchange::complete(&live, call.request, &self.bounds(call.deadline))).await
            }
        }
    }

    async fn stream(&self, permit: &Permit, plan: &Plan, call: ModelCall) -> Result<ModelStream, Fault> {
        let live = self.first(permit, plan)?;
        match live.entry.provider {
            Provider::Offline => offline::stream(&call.request),
            Provider::Anthropic | Provider::OpenAi | Provider::Ollama => {
                Box::pin(exchange::stream(live, call.request, &self.bounds(call.deadline))).await
            }
        }
    }

    async fn embed(&self, permit: &Permit, plan: &Plan, call: EmbedCall) -> Result<Embeddings, Fault> {
        let live = self.first(permit, plan)?;
        let texts = call.texts;
        if texts.len() > MAX_TEXTS {
            let message = format!("{} texts are more than the {MAX_TEXTS} of one call", texts.len());
            return Err(Fault::new(Code::ModelInvalidRequest, message).hint("split them into several calls"));
        }
        match live.entry.provider {
            Provider::Offline => Ok(offline::embed(&texts)),
            Provider::Anthropic | Provider::OpenAi | Provider::Ollama => {
                Box::pin(exchange::embed(&live, &texts, &self.bounds(call.deadline))).await
            }
        }
    }

    async fn forward(&self, permit: &Permit, plan: &Plan, _call: WireCall) -> Result<WireAnswer, Fault> {
        self.first(permit, plan)?;
        Err(Fault::new(Code::ModelUntranslatable, "this call cannot be forwarded"))
    }
}

impl fmt::Debug for ProviderModels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.describe()).finish()
    }
}

impl Snapshot {
    fn try_new(file: &ModelsFile, env: &dyn Fn(&str) -> Option<String>, clients: &Clients) -> Result<Self, ConfigErrors> {
        let mut entries = Vec::new();
        for entry in resolve(file, env)? {
            let client = clients.get(entry.timeouts.connect).map_err(|error| {
                ConfigErrors::one(
                    format!("models.{}", entry.name),
                    Problem::NoClient(error.without_url().to_string()),
                )
            })?;
            if entry.sends_key_in_clear() {
                tracing::warn!(entry = %entry.name, "the key of a model crosses the network unencrypted: use https");
            }
            entries.push(Arc::new(Live { entry, client }));
        }
        let mut by_name = HashMap::new();
        // The first to take a name keeps it: entries before uses before models, each in
        // the file's order.
        let places = || entries.iter().map(|live| &live.entry).enumerate();
        let names = places().map(|(place, entry)| (&entry.name, place));
        let uses = places().flat_map(|(place, entry)| entry.uses.iter().map(move |name| (name, place)));
        let models = places().map(|(place, entry)| (&entry.model, place));
        for (name, place) in names.chain(uses).chain(models) {
            by_name.entry(name.clone()).or_insert(place);
        }
        Ok(Snapshot { entries, by_name })
    }

    fn not_configured(&self, use_name: &str) -> Fault {
        let mut uses: Vec<&str> = Vec::new();
        for live in &self.entries {
            uses.push(&live.entry.name);
            uses.extend(live.entry.uses.iter().map(String::as_str));
        }
        let there = if uses.is_empty() {
            "it has no entry".to_owned()
        } else {
            format!("it serves `{}`", uses.join("`, `"))
        };
        let name = clip(&use_name.chars().filter(|c| !c.is_control()).collect::<String>(), 128);
        Fault::new(
            Code::ModelNotConfigured,
            format!("no entry of models.yaml serves `{name}`; {there}"),
        )
        .hint(format!("add `{name}` to `use_for` of an entry in models.yaml"))
    }
}

fn route(live: &Live) -> ModelRoute {
    ModelRoute {
        entry: live.entry.name.clone(),
        provider: live.entry.provider.as_str().to_owned(),
        model: live.entry.model.clone(),
        local: live.entry.local,
        offline: live.entry.provider == Provider::Offline,
    }
}

fn describe(live: &Live) -> ModelDescription {
    let entry = &live.entry;
    let (key_set, key_missing) = match &entry.key {
        Key::Set(_) => (true, None),
        Key::Missing(what) => (false, Some(what.clone())),
        Key::Needless => (false, None),
    };
    ModelDescription {
        entry: entry.name.clone(),
        provider: entry.provider.as_str(),
        model: entry.model.clone(),
        uses: entry.uses.clone(),
        local: entry.local,
        base_url: entry
            .base_url
            .as_ref()
            .map(|url| url.as_str().trim_end_matches('/').to_owned()),
        key_set,
        key_missing,
        price_known: entry.price.is_some(),
    }
}

#[cfg(test)]
mod tests;
