//! The one file that names concrete types: a home's files and stores become a host with two
//! doors. Refuses to start on a configuration with mistakes; afterwards keeps the last good one.

mod callers;
mod keyring;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result};
use arc_swap::ArcSwap;
use claw_core::audit::Level;
use claw_core::budget::Ledger;
use claw_core::errors::{Code, Fault};
use claw_core::grants::GrantBook;
use claw_core::observe::{Observed, Observer};
use claw_core::pipeline::{Completer, Doors, Invoker};
use claw_core::policy::Policy;
use claw_core::ports::AuditLog;
use claw_engine::{Catalog, Compiler, Engine, EngineSettings, Loader, WatchSettings, Watcher};
use claw_exec::ExecCapabilities;
use claw_gateway::CallMetrics;
use claw_models::{ContextProviders, ProviderModels};
use claw_store::{DraftStore, HomeKey, IdempotencyStore, Journal, JournalOptions, Sessions};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::config::{self, Config, Mistakes};
use crate::contexts::HomeContexts;
use crate::exit::Failed;
use crate::home::Home;
use crate::spending::Spending;
use crate::telemetry::Traces;
use crate::unpriced::Unpriced;

pub use callers::identity;
pub use keyring::{HomeKeys, shown};

/// How a host is put together.
#[derive(Clone, Debug)]
pub struct HostSettings {
    /// Where skills are compiled.
    pub compiler: Compiler,
    /// The engine's.
    pub engine: EngineSettings,
    /// How durable the intent of a model call is.
    pub audit_models: Level,
    /// How durable the intent of a skill's invocation is.
    pub audit_skills: Level,
    /// How the skills directory is watched.
    pub watch: WatchSettings,
    /// Traces are sent where the environment says.
    pub traces: bool,
}

impl HostSettings {
    /// Compiling in a child process of this program.
    ///
    /// # Errors
    /// This program cannot be found again.
    pub fn standard() -> Result<Self> {
        let program = std::env::current_exe().context("cannot find this program again")?;
        Ok(HostSettings {
            compiler: child_compiler(program),
            engine: EngineSettings::default(),
            audit_models: Level::Power,
            audit_skills: Level::Process,
            watch: WatchSettings::default(),
            traces: false,
        })
    }
}

/// The compiler that runs `program` as a compiling child.
pub fn child_compiler(program: PathBuf) -> Compiler {
    Compiler::Child {
        program,
        arguments: vec!["__compile".to_owned()],
    }
}

/// A host: both doors, and all that stands behind them.
pub struct Host {
    /// Both doors.
    pub doors: Arc<Doors>,
    /// The live skills.
    pub catalog: Arc<Catalog>,
    /// The live commands.
    pub capabilities: Arc<ExecCapabilities>,
    /// What loads components.
    pub loader: Loader,
    /// What model calls took, used and cost.
    pub calls: CallMetrics,
    /// What model calls can be given beside their own words.
    pub contexts: Arc<HomeContexts>,
    live: Arc<LiveConfig>,
    spending: Arc<Spending>,
    traces: Option<Arc<Traces>>,
    journal: Journal,
    home: Home,
    settings: HostSettings,
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
}

/// The configuration in force, and where it is put in force.
pub struct LiveConfig {
    home: Home,
    policy: Arc<ArcSwap<Policy>>,
    models: Arc<ProviderModels>,
    context: Arc<ContextProviders>,
    capabilities: Arc<ExecCapabilities>,
    catalog: Arc<Catalog>,
    ledger: Arc<Ledger>,
    /// What the files looked like before they were first read.
    first_seen: Signatures,
    /// The files that say nothing in what is in force; held while they are read again, by
    /// one reader at a time.
    silent: Mutex<BTreeSet<&'static str>>,
    refused: Mutex<Option<Mistakes>>,
}

impl Host {
    /// The host of a home, with its own audit journal, which it holds alone.
    ///
    /// # Errors
    /// A configuration with mistakes, or a store that cannot be opened.
    pub fn open(home: &Home, settings: HostSettings) -> Result<Host> {
        let journal = home.journal();
        Host::open_on(home, settings, &journal, Some(home.join("audit.log")))
    }

    /// A host for one recorded run, beside a gateway that may be running: the same files, and
    /// a journal of its own.
    ///
    /// # Errors
    /// As [`Host::open`].
    pub fn open_for_record(home: &Home) -> Result<Host> {
        let journal = home.state().join("record.db");
        Host::open_on(home, HostSettings::standard()?, &journal, None)
    }

    fn open_on(home: &Home, settings: HostSettings, journal: &Path, mirror: Option<PathBuf>) -> Result<Host> {
        let idempotency = journal.with_extension("idempotency.db");
        let sessions = journal.with_extension("sessions.db");
        let drafts = journal.with_extension("drafts.db");
        let first_seen = signatures(home);
        let config = config::load(home).map_err(Failed::from)?;
        let key = HomeKey::load_or_create(&home.key())?;
        let options = JournalOptions {
            mirror,
            ..JournalOptions::default()
        };
        let path = journal;
        let (journal, recovered) = Journal::open_with(path, &key, options)?;
        if !recovered.interrupted.is_empty() {
            tracing::warn!(
                calls = recovered.interrupted.len(),
                "calls of an earlier run were cut off, and are closed as interrupted"
            );
        }
        if let Some(truncated) = &recovered.truncated {
            tracing::error!(why = truncated.why, "the audit journal is shorter than it was");
        }
        let idempotency = IdempotencyStore::open(&idempotency, &key)?;
        let drafts = DraftStore::open(&drafts, &key)?;

        let engine = Engine::new(&settings.engine)?;
        let cache = home.state().join("cache");
        let loader = Loader::new(&engine, settings.compiler.clone(), Some((&cache, key.derive("artifacts"))))?;
        let catalog = Arc::new(Catalog::new(Arc::new(config.grants.clone())));
        let models = Arc::new(ProviderModels::new(&config.models, &|name: &str| config.variable(name))?);
        let capabilities = Arc::new(ExecCapabilities::new(&config.capabilities, &claw_exec::environment())?);
        let context = Arc::new(ContextProviders::new(&config.context, &|name: &str| config.variable(name))?);
        let contexts = Arc::new(HomeContexts {
            providers: context.clone(),
            sessions: Sessions::open(&sessions, &key)?,
        });
        let policy = Arc::new(ArcSwap::from_pointee(Policy::try_new(&config.policies)?));

        // What was cut off is closed by now, and counts.
        let spending = Arc::new(Spending::open(path, &key)?);
        let ledger = Arc::new(spending.ledger(config.budgets.budgets()?));

        let calls = CallMetrics::new();
        let mut observers: Vec<Arc<dyn Observer>> = vec![Arc::new(calls.clone()), Arc::new(Unpriced::default())];
        let traces = settings.traces.then(Traces::from_environment).flatten().map(Arc::new);
        if let Some(traces) = &traces {
            observers.push(traces.clone());
        }
        let audit: Arc<dyn AuditLog> = Arc::new(Observed::new(Arc::new(journal.clone()), observers));
        let completer = Completer {
            audit: audit.clone(),
            policy: policy.clone(),
            models: models.clone(),
            budgets: ledger.clone(),
            level: settings.audit_models,
        };
        let invoker = Invoker {
            audit,
            policy: policy.clone(),
            skills: catalog.clone(),
            capabilities: capabilities.clone(),
            idempotency: Arc::new(idempotency),
            drafts: Arc::new(drafts),
            level: settings.audit_skills,
        };
        let live = LiveConfig {
            home: home.clone(),
            policy,
            models,
            context,
            capabilities: capabilities.clone(),
            catalog: catalog.clone(),
            ledger,
            first_seen,
            silent: Mutex::new(config.silent),
            refused: Mutex::default(),
        };
        Ok(Host {
            doors: Doors::new(completer, invoker),
            catalog,
            capabilities,
            loader,
            calls,
            contexts,
            live: Arc::new(live),
            spending,
            traces,
            journal,
            home: home.clone(),
            settings,
            stop: watch::Sender::new(false),
            tasks: Vec::new(),
        })
    }

    /// Loads the skills that lie in the home, and from now on keeps up with its files.
    pub async fn start(&mut self) {
        let skills = self.home.skills();
        let mut watcher = Watcher::new(
            &skills,
            self.catalog.clone(),
            self.loader.clone(),
            self.settings.watch.clone(),
        );
        watcher.load_all().await;
        self.tasks.push(tokio::spawn(watcher.run(self.stop.subscribe())));
        self.tasks
            .push(tokio::spawn(follow(self.live.clone(), self.stop.subscribe())));
        self.tasks
            .push(tokio::spawn(keep(self.spending.clone(), self.stop.subscribe())));
    }

    /// The configuration in force.
    pub fn live(&self) -> Arc<LiveConfig> {
        self.live.clone()
    }

    /// Whether calls can be audited.
    pub fn journal_works(&self) -> impl Fn() -> bool + Send + Sync + 'static {
        let journal = self.journal.clone();
        move || journal.failure().is_none()
    }

    /// Ends the tasks and closes the journal.
    ///
    /// # Errors
    /// The journal had failed.
    pub async fn close(self) -> Result<()> {
        let _ = self.stop.send(true);
        for task in self.tasks {
            // A task that panicked has said so; there is nothing more to do for it.
            let _ = task.await;
        }
        drop(self.doors);
        let journal = self.journal;
        let spending = self.spending;
        let traces = self.traces;
        tokio::task::spawn_blocking(move || {
            let closed = journal.close();
            if let Some(traces) = traces {
                traces.close();
            }
            spending.keep();
            closed
        })
        .await??;
        Ok(())
    }
}

impl LiveConfig {
    /// Reads all files again and puts them in force, whole or not at all.
    ///
    /// # Errors
    /// The mistakes; what was in force stays in force.
    pub fn reload(&self) -> Result<(), Mistakes> {
        let mut silent = self.silent.lock().unwrap_or_else(PoisonError::into_inner);
        let result = self.read_again(&silent).and_then(|config| {
            self.put_in_force(&config)?;
            *silent = config.silent;
            Ok(())
        });
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        match &result {
            Ok(()) => {
                let policy = self.policy.load().decision().config.clone();
                let again = refused.take().is_some();
                tracing::info!(%policy, again, "the configuration was read again and is in force");
            }
            Err(mistakes) => {
                if refused.as_ref() != Some(mistakes) {
                    tracing::error!(%mistakes, "the configuration has mistakes, the last good one stays in force");
                }
                *refused = Some(mistakes.clone());
            }
        }
        result
    }

    fn read_again(&self, silent_before: &BTreeSet<&'static str>) -> Result<Config, Mistakes> {
        let config = config::load(&self.home)?;
        config.check_after(silent_before, &self.home)?;
        Ok(config)
    }

    fn put_in_force(&self, config: &Config) -> Result<(), Mistakes> {
        let mistake = |file: &str, message: String| {
            Mistakes(vec![config::Mistake {
                file: file.to_owned(),
                line: None,
                message,
            }])
        };
        let policy = Policy::try_new(&config.policies).map_err(|error| mistake("policies.yaml", error.to_string()))?;
        let budgets = config
            .budgets
            .budgets()
            .map_err(|errors| mistake("budgets.yaml", errors.to_string()))?;
        // Everything that can fail comes before the first change. The commands go first: what
        // they are checked against lies on the disk and may change in between; what models are
        // checked against does not.
        ProviderModels::new(&config.models, &|name: &str| config.variable(name))
            .map_err(|errors| mistake("models.yaml", errors.to_string()))?;
        self.capabilities
            .replace(&config.capabilities, &claw_exec::environment())
            .map_err(|errors| mistake("capabilities.yaml", errors.to_string()))?;
        self.context
            .replace(&config.context, &|name: &str| config.variable(name))
            .map_err(|errors| mistake("context.yaml", errors.to_string()))?;
        self.models
            .replace(&config.models, &|name: &str| config.variable(name))
            .map_err(|errors| mistake("models.yaml", errors.to_string()))?;
        self.policy.store(Arc::new(policy));
        self.ledger.replace(budgets, claw_store::time::now_us());
        self.catalog.replace_grants(Arc::new(config.grants.clone()));
        Ok(())
    }

    /// What keeps the files from being in force, if something does.
    pub fn mistakes(&self) -> Option<Mistakes> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// How often what was spent is written down: so much of the journal a start reads again.
const KEEP: Duration = Duration::from_secs(300);

/// Writes down what was spent, until told to stop.
async fn keep(spending: Arc<Spending>, mut stop: watch::Receiver<bool>) {
    while !*stop.borrow() {
        tokio::select! {
            _ = stop.changed() => {}
            () = tokio::time::sleep(KEEP) => {
                let spending = spending.clone();
                // What fails is logged by `keep` itself.
                let _ = tokio::task::spawn_blocking(move || spending.keep()).await;
            }
        }
    }
}

/// How often the config files are looked at.
const LOOK: Duration = Duration::from_millis(250);

/// Puts changed files in force until told to stop, once they have been left alone for one
/// look: a file that is being written is empty or cut off for a moment.
async fn follow(live: Arc<LiveConfig>, mut stop: watch::Receiver<bool>) {
    let mut seen = live.first_seen.clone();
    let mut changed = false;
    while !*stop.borrow() {
        tokio::select! {
            _ = stop.changed() => {}
            () = tokio::time::sleep(LOOK) => {
                let now = signatures(&live.home);
                if now != seen {
                    seen = now;
                    changed = true;
                } else if changed {
                    changed = false;
                    let live = live.clone();
                    // The outcome is logged and kept by `reload` itself.
                    let _ = tokio::task::spawn_blocking(move || live.reload()).await;
                }
            }
        }
    }
}

/// Of each file, what changes when it is written; last, the secrets that files name.
type Signatures = Vec<Option<(u64, u64, i64, i64)>>;

fn signatures(home: &Home) -> Signatures {
    use std::os::unix::fs::MetadataExt as _;
    let of = |path: PathBuf| {
        let metadata = std::fs::metadata(path).ok()?;
        Some((metadata.ino(), metadata.len(), metadata.ctime(), metadata.ctime_nsec()))
    };
    let files = config::FILES.iter().map(|(_, file)| home.join(file));
    files.chain([home.secrets()]).map(of).collect()
}

/// What an operator may ask of the process behind the door.
pub struct Operations {
    live: Arc<LiveConfig>,
    works: Box<dyn Fn() -> bool + Send + Sync>,
}

impl Operations {
    /// Those of a host.
    pub fn of(host: &Host) -> Self {
        Operations {
            live: host.live(),
            works: Box::new(host.journal_works()),
        }
    }
}

#[async_trait::async_trait]
impl claw_gateway::Operations for Operations {
    fn ready(&self) -> bool {
        (self.works)()
    }

    async fn reload(&self) -> Result<serde_json::Value, Fault> {
        let live = self.live.clone();
        let reloaded = tokio::task::spawn_blocking(move || live.reload())
            .await
            .map_err(|_| Fault::internal())?;
        match reloaded {
            Ok(()) => Ok(serde_json::json!({ "reloaded": true })),
            Err(mistakes) => Err(Fault::new(
                Code::InvalidInput,
                "the configuration has mistakes, the last good one stays in force",
            )
            .details(serde_json::json!({ "mistakes": mistakes.0 }))),
        }
    }
}

/// The grants of a home, for commands that work without a gateway.
///
/// # Errors
/// `grants.yaml` has mistakes.
pub fn grants(home: &Home) -> Result<GrantBook> {
    Ok(config::load(home).map_err(Failed::from)?.grants)
}

#[cfg(test)]
mod tests;
