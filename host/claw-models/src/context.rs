//! `context.yaml`: what model calls can be given beside their own words, and the part of it
//! that lies in files or behind an HTTP GET. Follows no link out of a directory and no
//! redirect, and reads nothing without a bound.

mod config;
mod files;
mod get;

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use claw_core::errors::{Code, Fault};
use claw_core::pipeline::ContextSource;
use serde_json::Value;

use crate::clients::Clients;
use crate::config::{ConfigErrors, Problem};

pub use config::{ContextEntry, ContextFile, SessionKeys};
use config::{Entry, Place};

/// The entries of `context.yaml`. A snapshot that can be replaced at any time.
pub struct ContextProviders {
    live: ArcSwap<Live>,
    clients: Clients,
}

struct Live {
    entries: BTreeMap<String, Arc<Entry>>,
    session: SessionKeys,
}

impl ContextProviders {
    /// The providers of this file; `env` looks environment variables up.
    ///
    /// # Errors
    /// Everything that is wrong with the file.
    pub fn new(file: &ContextFile, env: &dyn Fn(&str) -> Option<String>) -> Result<Self, ConfigErrors> {
        let clients = Clients::try_new().map_err(|error| ConfigErrors::one("context", Problem::NoClient(error.to_string())))?;
        Ok(ContextProviders {
            live: ArcSwap::from_pointee(live(file, env)?),
            clients,
        })
    }

    /// Puts another file in force.
    ///
    /// # Errors
    /// As [`ContextProviders::new`]; what was in force before stays.
    pub fn replace(&self, file: &ContextFile, env: &dyn Fn(&str) -> Option<String>) -> Result<(), ConfigErrors> {
        self.live.store(Arc::new(live(file, env)?));
        Ok(())
    }

    /// What the file says about sessions.
    pub fn session(&self) -> SessionKeys {
        self.live.load().session
    }

    /// The entry of this name.
    ///
    /// # Errors
    /// [`Code::ContextUnavailable`], naming those that there are.
    pub fn find(&self, name: &str) -> Result<ContextSource, Fault> {
        self.entry(name).map(|entry| entry.source.clone())
    }

    fn entry(&self, name: &str) -> Result<Arc<Entry>, Fault> {
        let live = self.live.load();
        live.entries.get(name).cloned().ok_or_else(|| {
            let names: Vec<&str> = live.entries.keys().map(String::as_str).collect();
            let there = if names.is_empty() {
                "it has none".to_owned()
            } else {
                format!("it has `{}`", names.join("`, `"))
            };
            Fault::new(
                Code::ContextUnavailable,
                format!("context.yaml has no context `{name}`; {there}"),
            )
            .hint(format!("add `{name}` to context.yaml"))
        })
    }

    /// The text of an entry that lies in files or behind an HTTP GET.
    ///
    /// # Errors
    /// [`Code::ContextUnavailable`].
    pub async fn fetch(&self, name: &str, vars: &BTreeMap<String, Value>) -> Result<String, Fault> {
        let entry = self.entry(name)?;
        match &entry.place {
            Place::Files { path, pattern } => {
                let (path, pattern) = (path.clone(), pattern.clone());
                let read = tokio::task::spawn_blocking(move || files::read(&path, pattern.as_deref()));
                read.await.map_err(|_| Fault::internal())?
            }
            Place::Get { url, headers, secrets } => {
                let client = self.clients.get(entry.source.timeout).map_err(|_| Fault::internal())?;
                get::get(&client, url, headers, secrets, vars).await
            }
            Place::Invoked => Err(Fault::internal()),
        }
    }
}

fn live(file: &ContextFile, env: &dyn Fn(&str) -> Option<String>) -> Result<Live, ConfigErrors> {
    Ok(Live {
        entries: config::resolve(file, env)?,
        session: file.session,
    })
}

fn unavailable(why: impl Into<String>) -> Fault {
    Fault::new(Code::ContextUnavailable, why)
}

#[cfg(test)]
mod tests;
