//! What each rule makes of a call, for those who ask why. Decides nothing.

use serde::Serialize;

use super::{Class, Decided, ModelQuestion, Policy, Question, Then};
use crate::errors::{Code, Fault};

/// One rule, asked about one call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Considered {
    /// Its name.
    pub policy: String,
    /// It is enforced; else it is only written down.
    pub enforce: bool,
    /// What it does.
    pub then: Vec<Then>,
    /// What became of it.
    #[serde(flatten)]
    pub why: Why,
}

/// Whether a rule counts for a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "counts")]
pub enum Why {
    /// All that it says is so.
    Yes,
    /// This is not so.
    No {
        /// The key of its match.
        because: &'static str,
    },
    /// It speaks of what only model calls have.
    NotAModelCall,
    /// An earlier rule allowed the call.
    Allowed {
        /// Its name.
        by: String,
    },
}

impl Policy {
    /// What each rule makes of a call, in the file's order, and the classes of data that were
    /// found in it.
    ///
    /// # Errors
    /// [`Code::PolicyUnavailable`], where an enforced rule asks for personal data and the call
    /// cannot be looked through.
    pub fn consider(
        &self,
        call: &Question<'_>,
        model: Option<&ModelQuestion<'_>>,
    ) -> Result<(Vec<Considered>, Vec<Class>), Fault> {
        let found = match model {
            Some(model) => self.look_through(model.texts)?,
            None => Vec::new(),
        };
        let mut allowed_by = None;
        let mut all = Vec::new();
        for rule in self.rules.iter() {
            let why = if let Some(by) = &allowed_by {
                Why::Allowed { by: String::clone(by) }
            } else if model.is_none() && rule.when.is_about_models() {
                Why::NotAModelCall
            } else {
                match rule.when.misfit(call, model, &found) {
                    Some(because) => Why::No { because },
                    None => Why::Yes,
                }
            };
            if why == Why::Yes && rule.enforce && rule.then.contains(&Then::Allow) {
                allowed_by = Some(rule.name.to_string());
            }
            all.push(Considered {
                policy: rule.name.to_string(),
                enforce: rule.enforce,
                then: rule.then.clone(),
                why,
            });
        }
        Ok((all, found))
    }
}

impl Decided {
    /// The word for it.
    pub fn word(decided: &Result<Decided, Fault>) -> &'static str {
        match decided {
            Ok(Decided::Allowed(_)) => "allow",
            Ok(Decided::Held(_)) => "hold",
            Err(fault) if fault.code == Code::PolicyUnavailable => "unavailable",
            Err(_) => "deny",
        }
    }
}
