//! The keys of a home, for the operator's routes. Each call opens the store for itself: they are
//! rare, and a command may be writing too.

use std::path::PathBuf;
use std::time::Duration;

use claw_core::errors::{Code, Fault};
use claw_core::keys::KeyScope;
use claw_gateway::NewKey;
use claw_store::{KeyError, KeyStore, Made, time};
use serde_json::{Value, json};

use crate::home::Home;

/// The keys of a home.
pub struct HomeKeys {
    path: PathBuf,
}

impl HomeKeys {
    /// Those of this home.
    pub fn of(home: &Home) -> Self {
        HomeKeys { path: home.keys() }
    }

    async fn with(&self, work: impl FnOnce(&mut KeyStore) -> Result<Value, KeyError> + Send + 'static) -> Result<Value, Fault> {
        let path = self.path.clone();
        let worked = tokio::task::spawn_blocking(move || work(&mut KeyStore::open(&path)?)).await;
        worked.map_err(|_| Fault::internal())?.map_err(fault)
    }
}

#[async_trait::async_trait]
impl claw_gateway::Keys for HomeKeys {
    async fn list(&self) -> Result<Value, Fault> {
        self.with(|store| {
            let now_us = time::now_us();
            let keys: Vec<_> = store.list()?.iter().map(|record| record.view(now_us)).collect();
            Ok(json!({ "keys": keys }))
        })
        .await
    }

    async fn create(&self, wanted: NewKey) -> Result<Value, Fault> {
        let scope = scope(wanted)?;
        self.with(|store| store.create(scope).map(|made| shown(&made))).await
    }

    async fn rotate(&self, id: String, overlap: Duration) -> Result<Value, Fault> {
        self.with(move |store| store.rotate(&id, overlap).map(|made| shown(&made)))
            .await
    }

    async fn revoke(&self, id: String) -> Result<Value, Fault> {
        self.with(move |store| store.revoke(&id).map(|record| json!(record.view(time::now_us()))))
            .await
    }
}

fn scope(wanted: NewKey) -> Result<KeyScope, Fault> {
    let invalid = |message: String| Fault::new(Code::InvalidInput, message);
    let budget = wanted.budget.map(|text| {
        let limit = text.parse();
        limit.map_err(|error: claw_core::budget::BadLimit| invalid(format!("`budget`: {error}")))
    });
    let expires = wanted.expires_at.map(|text| {
        time::parse_rfc3339(&text)
            .ok_or_else(|| invalid("`expires_at` is no time".to_owned()).hint("write `2027-01-31T08:00:00Z`"))
    });
    Ok(KeyScope {
        id: String::new(),
        service: wanted.service,
        uses: wanted.uses,
        skills: wanted.skills,
        budget: budget.transpose()?,
        rpm: wanted.rpm,
        expires_at_us: expires.transpose()?,
        approves: wanted.approves,
    })
}

/// A key that was just made, with its secret, which is shown this once.
pub fn shown(made: &Made) -> Value {
    let mut view = json!(made.record.view(time::now_us()));
    if let Value::Object(view) = &mut view {
        view.insert("key".to_owned(), json!(made.secret.expose()));
    }
    view
}

fn fault(error: KeyError) -> Fault {
    let message = error.to_string();
    match error {
        KeyError::Unknown { .. } => Fault::new(Code::NotFound, message).hint("`GET /v1/admin/keys` lists them"),
        KeyError::Ended { .. } => Fault::new(Code::InvalidInput, message).hint("make another"),
        KeyError::Scope(fault) => fault,
        KeyError::Past => Fault::new(Code::InvalidInput, message),
        KeyError::Full => Fault::new(Code::InvalidInput, message).hint("revoke some first"),
        KeyError::Store(error) => {
            tracing::error!(%error, "the keys of services cannot be managed");
            Fault::internal()
        }
    }
}
