//! The engine that cases run in: the one that the gateway runs, with compiling in a child
//! process and what was compiled kept below the home, where there is one.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use claw_engine::{Engine, EngineSettings, Loaded, Loader};
use claw_store::HomeKey;

use crate::commands::Environment;
use crate::commands::skill::{build, component};
use crate::compose::child_compiler;

/// An engine, and a loader for it.
pub(in crate::commands::skill) struct Sandbox {
    loader: Loader,
}

/// A sandbox for a few cases at a time.
///
/// # Errors
/// This machine cannot run compiled wasm, or the home's cache cannot be used.
pub(in crate::commands::skill) fn sandbox(environment: &Environment) -> Result<Sandbox> {
    let engine = Engine::new(&EngineSettings {
        places: 4,
        pooling: false,
    })?;
    let program = std::env::current_exe().context("where this program lies is not known")?;
    let home = &environment.home;
    let key = if home.exists() {
        Some(HomeKey::load_or_create(&home.state().join("home.key"))?.derive("artifacts"))
    } else {
        None
    };
    // What the gateway has compiled is not compiled again, and the other way round.
    let directory = home.state().join("cache");
    let cache = key.map(|key| (directory.as_path(), key));
    let loader = Loader::new(&engine, child_compiler(program), cache).context("the cache of compiled skills")?;
    Ok(Sandbox { loader })
}

impl Sandbox {
    /// A component, ready to run.
    ///
    /// # Errors
    /// Why it was refused.
    pub(in crate::commands::skill) async fn load(&self, name: &str, path: &Path) -> Result<Arc<Loaded>> {
        let bytes = component::read(path).with_context(|| format!("cannot read `{}`", path.display()))?;
        Ok(self.loader.load(&bytes).await.map_err(|error| build::refused(name, &error))?)
    }
}
