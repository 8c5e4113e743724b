//! `policies.yaml`, and the decision that every call needs. The only maker of a
//! [`Permit`]; a rule that this version cannot enforce is refused when it is loaded, never
//! ignored.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::errors::{Code, Fault};
use crate::grants::hex;
use crate::model::ModelRoute;
use crate::pii::Class;
use crate::ports::Effects;
use crate::routing::Plan;

/// A rule by its name in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// Outputs are drafts, and what would act waits for approval.
    AllOutputsAreDrafts,
    /// What holds personal data goes to the entry `sensitive`, and nowhere else.
    IfContextContainsPiiUseSensitiveModel,
    /// Requests, answers and journals are kept, encrypted, not only hashed.
    LogAllRequestsAndResponses,
}

impl Rule {
    fn is_implemented(self) -> bool {
        match self {
            Rule::LogAllRequestsAndResponses => true,
            Rule::AllOutputsAreDrafts | Rule::IfContextContainsPiiUseSensitiveModel => false,
        }
    }
}

/// One entry of `policies.yaml`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyEntry {
    /// Its name, as it appears in audit entries.
    pub name: String,
    /// What it demands.
    pub rule: Rule,
    /// `false`: written down, not enforced.
    #[serde(default)]
    pub enforce: bool,
}

/// `policies.yaml`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PoliciesFile {
    /// The rules.
    #[serde(default)]
    pub policies: Vec<PolicyEntry>,
}

/// The file demands what this version cannot do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// An enforced rule that is not implemented.
    #[error("policy `{name}`: this version cannot enforce `{rule}`")]
    NotImplemented {
        /// The policy's name.
        name: String,
        /// The rule's name.
        rule: String,
    },
    /// Two entries of one name.
    #[error("policy `{0}` is there twice")]
    Duplicate(String),
}

/// What was decided about a call, as audit entries hold it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// The first 16 hex digits of the SHA-256 of the live policies.
    pub config: Arc<str>,
    /// The names of the policies that applied.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub applied: Vec<Arc<str>>,
    /// The policy that refused the call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub denied_by: Option<String>,
    /// The policies that would have done something, were they enforced.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reported: Vec<Arc<str>>,
    /// The classes of personal data and secrets that were found.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub found: Vec<Class>,
    /// Only providers that are marked local may see the call.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub local_only: bool,
}

/// The policies that are live.
#[derive(Clone, Debug)]
pub struct Policy {
    keep_bodies: bool,
    decision: Decision,
}

impl Policy {
    /// The policies of a file.
    ///
    /// # Errors
    /// See [`PolicyError`].
    pub fn try_new(file: &PoliciesFile) -> Result<Self, PolicyError> {
        let mut names = std::collections::BTreeSet::new();
        for entry in &file.policies {
            if !names.insert(entry.name.as_str()) {
                return Err(PolicyError::Duplicate(entry.name.clone()));
            }
            if entry.enforce && !entry.rule.is_implemented() {
                let rule = serde_json::to_value(entry.rule).ok();
                let rule = rule.as_ref().and_then(|value| value.as_str()).unwrap_or_default().to_owned();
                return Err(PolicyError::NotImplemented {
                    name: entry.name.clone(),
                    rule,
                });
            }
        }
        let enforced = || file.policies.iter().filter(|entry| entry.enforce);
        let json = serde_json::to_vec(file).unwrap_or_default();
        let digest = hex(&Sha256::digest(json));
        Ok(Policy {
            keep_bodies: enforced().any(|entry| entry.rule == Rule::LogAllRequestsAndResponses),
            decision: Decision {
                config: digest.get(..16).unwrap_or_default().into(),
                applied: enforced().map(|entry| entry.name.as_str().into()).collect(),
                ..Decision::default()
            },
        })
    }

    /// What would be written down about any call now.
    pub fn decision(&self) -> &Decision {
        &self.decision
    }

    /// Requests and answers are kept, not only hashed.
    pub fn keep_bodies(&self) -> bool {
        self.keep_bodies
    }

    /// Decides about one call of a skill or a capability.
    ///
    /// # Errors
    /// [`Code::PolicyDenied`] with the policy's name, or [`Code::LimitDepth`].
    pub fn permit(&self, call: &Question<'_>) -> Result<Permit, Fault> {
        if call.depth > MAX_DEPTH {
            let message = format!("`{}` is called more than {MAX_DEPTH} calls deep", call.capability);
            return Err(Fault::new(Code::LimitDepth, message).hint("look for skills that invoke one another in a circle"));
        }
        Ok(Permit {
            capability: call.capability.to_owned(),
            decision: self.decision.clone(),
            served_by: None,
            draft: false,
            _made_by_policy: (),
        })
    }

    /// Decides about one model call, before a byte of it leaves.
    ///
    /// # Errors
    /// As [`Policy::permit`], and [`Code::PolicyUnavailable`] where a rule has to look through
    /// the call and cannot.
    pub fn permit_model(&self, call: &Question<'_>, _model: &ModelQuestion<'_>) -> Result<Permit, Fault> {
        self.permit(call)
    }
}

/// How deep calls of calls may nest.
pub const MAX_DEPTH: u8 = 8;

/// What policy is asked.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// Who calls.
    pub caller: &'a str,
    /// What is called.
    pub capability: &'a str,
    /// Whether it would act outside.
    pub effects: Effects,
    /// How many calls lie above this one.
    pub depth: u8,
    /// The skill whose sandbox makes it.
    pub skill: Option<&'a str>,
}

/// What policy is asked about a model call, beside that.
#[derive(Clone, Copy)]
pub struct ModelQuestion<'a> {
    /// The use, alias, entry or model that was named.
    pub use_name: &'a str,
    /// Who would serve it.
    pub plan: &'a Plan,
    /// All that a model would read.
    pub texts: &'a dyn Texts,
}

/// The texts of a call, for those who must look through them.
pub trait Texts: Sync {
    /// Shows every text that a model would read.
    fn visit(&self, see: &mut dyn FnMut(&str));
}

/// The proof that policy allowed one call. Not to be cloned or made elsewhere; it does not
/// travel.
#[derive(Debug)]
pub struct Permit {
    capability: String,
    decision: Decision,
    served_by: Option<String>,
    draft: bool,
    _made_by_policy: (),
}

impl Permit {
    /// What was allowed.
    pub fn capability(&self) -> &str {
        &self.capability
    }

    /// What was decided, as it is written down.
    pub fn decision(&self) -> &Decision {
        &self.decision
    }

    /// The entry or use of `models.yaml` that has to serve the call, whatever its caller named.
    pub fn served_by(&self) -> Option<&str> {
        self.served_by.as_deref()
    }

    /// The answer is a draft.
    pub fn draft(&self) -> bool {
        self.draft
    }

    /// Whether this provider may see the call. Asked before every attempt.
    ///
    /// # Errors
    /// [`Code::PolicyDenied`].
    pub fn check(&self, route: &ModelRoute) -> Result<(), Fault> {
        if self.decision.local_only && !route.local {
            let message = format!(
                "the entry `{}` is not local, and the call may not leave this machine",
                route.entry
            );
            return Err(Fault::new(Code::PolicyDenied, message));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
