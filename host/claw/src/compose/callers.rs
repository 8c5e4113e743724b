//! Who may call the gateway of a home: its operator, and the services that have a key.

use std::sync::Arc;

use anyhow::Result;
use claw_core::ports::{Caller, Identity};
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
