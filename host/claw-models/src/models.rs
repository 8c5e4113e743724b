//! The providers as one port. Refuses a route that the live configuration no longer holds.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use async_trait::async_trait;
use claw_core::errors::{Code, Fault};
use claw_core::meter::Meter;
use claw_core::model::{Completion, Embeddings, ModelRoute, ModelStream};
use claw_core::policy::Permit;
use claw_core::ports::{EmbedCall, ModelCall, Models};
use claw_core::routing::{Candidate, ModelListing, NameKind, Plan, Wanted};
use claw_core::wire::WireBody;
use claw_core::wire::{WireAnswer, WireCall};
use futures::{FutureExt as _, Stream, StreamExt as _};
use serde::Serialize;

use crate::answer::{estimate, estimate_request};
use crate::clients::Clients;
use crate::config::{ConfigErrors, Key, ModelsFile, Problem, Provider, resolve};
use crate::exchange::{self, Bounds, Live};
use crate::forward;
use crate::offline;
use crate::retry::Random;
use crate::router::{self, Guard, Loads, Names, Step};
use crate::text::clip;

/// The most texts that one call turns into vectors.
const MAX_TEXTS: usize = 2048;

/// The providers of `models.yaml`. The configuration is a snapshot that can be replaced
/// at any time; calls that are under way end with the one they began with.
pub struct ProviderModels {
    live: ArcSwap<Snapshot>,
    clients: Clients,
    loads: Loads,
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
    names: Names,
}

impl ProviderModels {
    /// The providers of this file; `env` looks environment variables up.
    ///
    /// # Errors
    /// Everything that is wrong with the file. A missing key is not: calls that need it
    /// fail, and say what to set.
    pub fn new(file: &ModelsFile, env: &dyn Fn(&str) -> Option<String>) -> Result<Self, ConfigErrors> {
        let clients = Clients::try_new().map_err(|error| ConfigErrors::one("models", Problem::NoClient(error.to_string())))?;
        let loads = Loads::default();
        let snapshot = Snapshot::try_new(file, env, &clients, &loads)?;
        Ok(ProviderModels {
            live: ArcSwap::from_pointee(snapshot),
            clients,
            loads,
            random: Arc::new(rand::random::<f64>),
        })
    }

    /// Puts another file in force for all calls that begin from now on.
    ///
    /// # Errors
    /// As [`ProviderModels::new`]; what was in force before stays.
    pub fn replace(&self, file: &ModelsFile, env: &dyn Fn(&str) -> Option<String>) -> Result<(), ConfigErrors> {
        self.live
            .store(Arc::new(Snapshot::try_new(file, env, &self.clients, &self.loads)?));
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
            answers: 1,
            fits_schema: false,
        })
    }

    #[cfg(test)]
    pub(crate) fn routed(&self, name: &str) -> Result<ModelRoute, Fault> {
        Ok(self.planned(name)?.candidates.swap_remove(0).route)
    }

    #[cfg(test)]
    #[expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
    pub(crate) fn live_of(&self, name: &str) -> Arc<Live> {
        let snapshot = self.live.load();
        snapshot.entries.iter().find(|live| live.entry.name == name).cloned().unwrap()
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
        let found = snapshot.entries.iter().find(|live| live.entry.name == route.entry);
        found.filter(|live| self::route(live) == *route).cloned().ok_or_else(|| {
            let message = format!(
                "the entry `{}` of models.yaml changed while the call was under way",
                route.entry
            );
            Fault::new(Code::ModelUnavailable, message).hint("try again")
        })
    }

    fn bounds(&self, deadline: Instant, meter: Arc<Meter>) -> Bounds {
        Bounds {
            deadline,
            random: self.random.clone(),
            meter,
            patience: Duration::ZERO,
        }
    }

    async fn follow<'a, T>(
        &self,
        permit: &Permit,
        plan: &Plan,
        bounds: &Bounds,
        input_tokens: u64,
        step: Step<'a, T>,
    ) -> Result<(T, Guard), Fault> {
        let find = |candidate: &Candidate| self.entry(&candidate.route);
        router::follow(&find, permit, plan, bounds, input_tokens, step).await
    }
}

#[async_trait]
impl Models for ProviderModels {
    fn plan(&self, wanted: &Wanted<'_>) -> Result<Plan, Fault> {
        let snapshot = self.live.load();
        if snapshot.names.find(wanted.name).is_none() {
            return Err(snapshot.not_configured(wanted.name));
        }
        router::plan(&snapshot.entries, &snapshot.names, wanted, &self.random)
    }

    fn list(&self) -> Vec<ModelListing> {
        let snapshot = self.live.load();
        snapshot.names.list(&snapshot.entries)
    }

    async fn complete(&self, permit: &Permit, plan: &Plan, call: ModelCall) -> Result<Completion, Fault> {
        let bounds = self.bounds(call.deadline, call.meter);
        let request = Arc::new(call.request);
        let input_tokens = estimate_request(&request);
        let step = |live: Arc<Live>, bounds: Bounds| {
            let request = request.clone();
            async move {
                match live.entry.provider {
                    Provider::Offline => bounds.offline_whole(&live, offline::complete(&request)),
                    Provider::Anthropic | Provider::OpenAi | Provider::Ollama | Provider::Gemini => {
                        exchange::complete(&live, (*request).clone(), &bounds).await
                    }
                }
            }
            .boxed()
        };
        let (done, _guard) = self.follow(permit, plan, &bounds, input_tokens, &step).await?;
        Ok(done)
    }

    async fn stream(&self, permit: &Permit, plan: &Plan, call: ModelCall) -> Result<ModelStream, Fault> {
        let bounds = self.bounds(call.deadline, call.meter);
        let request = Arc::new(call.request);
        let step = |live: Arc<Live>, bounds: Bounds| {
            let request = request.clone();
            async move {
                match live.entry.provider {
                    Provider::Offline => bounds.offline(&live, offline::stream(&request)),
                    Provider::Anthropic | Provider::OpenAi | Provider::Ollama | Provider::Gemini => {
                        exchange::stream(live, (*request).clone(), &bounds).await
                    }
                }
            }
            .boxed()
        };
        let (stream, guard) = self.follow(permit, plan, &bounds, estimate_request(&request), &step).await?;
        Ok(Box::pin(held(stream, guard)))
    }

    async fn embed(&self, permit: &Permit, plan: &Plan, call: EmbedCall) -> Result<Embeddings, Fault> {
        if call.texts.len() > MAX_TEXTS {
            let message = format!("{} texts are more than the {MAX_TEXTS} of one call", call.texts.len());
            return Err(Fault::new(Code::ModelInvalidRequest, message).hint("split them into several calls"));
        }
        let bounds = self.bounds(call.deadline, call.meter);
        let texts = Arc::new(call.texts);
        let step = |live: Arc<Live>, bounds: Bounds| {
            let texts = texts.clone();
            async move {
                match live.entry.provider {
                    Provider::Offline => bounds.offline(&live, Ok(offline::embed(&texts))),
                    Provider::Anthropic | Provider::OpenAi | Provider::Ollama | Provider::Gemini => {
                        exchange::embed(&live, &texts, &bounds).await
                    }
                }
            }
            .boxed()
        };
        let input_tokens = texts.iter().map(|text| estimate(text)).sum();
        let (made, _guard) = self.follow(permit, plan, &bounds, input_tokens, &step).await?;
        bounds.meter.used(made.usage);
        Ok(made)
    }

    async fn forward(&self, permit: &Permit, plan: &Plan, call: WireCall) -> Result<WireAnswer, Fault> {
        let bounds = self.bounds(call.deadline, call.meter.clone());
        let input_tokens = plan.input_tokens;
        let call = Arc::new(call);
        let step = |live: Arc<Live>, bounds: Bounds| {
            let call = call.clone();
            async move { forward::call(&live, &call, input_tokens, &bounds).await }.boxed()
        };
        let (mut answer, guard) = self.follow(permit, plan, &bounds, input_tokens, &step).await?;
        if let WireBody::Stream(stream) = answer.body {
            answer.body = WireBody::Stream(Box::pin(held(stream, guard)));
        }
        Ok(answer)
    }
}

/// The stream, with its place at the entry held until it ends or is dropped.
fn held<S: Stream + Unpin + Send>(stream: S, guard: Guard) -> impl Stream<Item = S::Item> + Send {
    stream.inspect(move |_| {
        let _held = &guard;
    })
}

impl fmt::Debug for ProviderModels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.describe()).finish()
    }
}

impl Snapshot {
    fn try_new(
        file: &ModelsFile,
        env: &dyn Fn(&str) -> Option<String>,
        clients: &Clients,
        loads: &Loads,
    ) -> Result<Self, ConfigErrors> {
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
            let keys = match &entry.key {
                Key::Set(keys) => keys.len(),
                Key::Needless | Key::Missing(_) => 0,
            };
            let load = loads.of(&entry, keys);
            entries.push(Arc::new(Live { entry, client, load }));
        }
        let names = Names::of(file, &entries);
        Ok(Snapshot { entries, names })
    }

    fn not_configured(&self, use_name: &str) -> Fault {
        let listed = self.names.list(&self.entries);
        let uses: Vec<&str> = listed
            .iter()
            .filter(|listing| listing.kind != NameKind::Model)
            .map(|listing| listing.name.as_str())
            .collect();
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

pub(crate) fn route(live: &Live) -> ModelRoute {
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
