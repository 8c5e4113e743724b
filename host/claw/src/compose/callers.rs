//! Who may call the gateway of a home, and how often: its operator, and the services that have
//! a key.

use std::sync::Arc;
use std::time::Instant;

use anyhow::Result;
use claw_core::errors::Fault;
use claw_core::keys::{KeyScope, RateTable};
use claw_core::ports::{Budgets, Caller, Identity, Reservation, Spender, Unlimited};
use claw_gateway::{FirstOf, StaticTokens};
use claw_store::ServiceKeys;

use crate::home::Home;

/// Who may call.
///
/// # Errors
/// The home has no operator's token, or its keys cannot be read.
pub fn identity(home: &Home) -> Result<Arc<dyn Identity>> {
    let operator = Caller {
        subject: "operator".to_owned(),
        operator: true,
        key: None,
    };
    let operator = StaticTokens::new().with_token(&home.token()?, operator)?;
    let services = ServiceKeys::open(&home.keys())?;
    Ok(Arc::new(FirstOf::new(vec![Arc::new(operator), Arc::new(services)])))
}

/// The rates of keys; nobody has a budget.
#[derive(Debug, Default)]
pub(super) struct Rates(RateTable);

impl Budgets for Rates {
    fn admit(&self, key: &KeyScope) -> Result<(), Fault> {
        self.0.admit(key, Instant::now())
    }

    fn reserve(&self, spender: &Spender<'_>, ceiling_nanousd: Option<u64>) -> Result<Box<dyn Reservation>, Fault> {
        Unlimited.reserve(spender, ceiling_nanousd)
    }
}
