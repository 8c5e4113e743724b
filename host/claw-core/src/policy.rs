//! `policies.yaml`, and the decision that every call needs. The only maker of a
//! [`Permit`]; a rule that cannot be meant is refused when it is loaded, never ignored.

mod explain;
mod redact;
mod rules;

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::draft::Approval;
use crate::errors::{Code, Fault};
use crate::grants::hex;
use crate::keys::matches;
use crate::model::ModelRoute;
use crate::pii::{BadPattern, Class, Detector, Finding, InspectFailed, Inspector, PiiSettings, unescaped};
use crate::ports::Effects;
use crate::routing::Plan;
use crate::span::Span;

pub use explain::{Considered, Why};
pub use redact::{Changed, Redaction};
use rules::{Compiled, OneOrMany, Verdict, compile};
pub use rules::{Then, When};

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

/// One entry of `policies.yaml`: a rule by its name, or what it is about and what is done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyEntry {
    /// Its name, as it appears in audit entries.
    pub name: String,
    /// What it demands, by name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<Rule>,
    /// Which calls it is about.
    #[serde(default, rename = "match", skip_serializing_if = "Option::is_none")]
    pub when: Option<When>,
    /// What is done with them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub then: Option<Then>,
    /// What a refused caller is told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Of the rule about personal data: the entry or use that serves such calls; `sensitive`
    /// where nothing is said.
    #[serde(default, rename = "use", skip_serializing_if = "Option::is_none")]
    pub use_name: Option<String>,
    /// `false`: written down, not enforced.
    #[serde(default)]
    pub enforce: bool,
}

impl PolicyEntry {
    /// The classes of data, and patterns of them, that it names.
    fn classes(&self) -> Vec<&str> {
        let matched = self
            .when
            .iter()
            .filter_map(|when| when.data.as_ref())
            .flat_map(OneOrMany::all);
        let taken_out = self.then.iter().flat_map(|then| match then {
            Then::Redact(classes) | Then::Mask(classes) => classes.as_slice(),
            _ => &[],
        });
        matched.chain(taken_out).map(String::as_str).collect()
    }
}

/// `policies.yaml`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PoliciesFile {
    /// The rules.
    #[serde(default)]
    pub policies: Vec<PolicyEntry>,
    /// What counts as personal data; all that is known where nothing is said.
    #[serde(default)]
    pub personal_data: PiiSettings,
    /// How long what waits for approval waits.
    #[serde(default)]
    pub drafts: DraftSettings,
}

/// `drafts` in `policies.yaml`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DraftSettings {
    /// A draft that nobody decided about ends after this; a week where nothing is said.
    #[serde(default = "week")]
    pub expire: Span,
}

fn week() -> Span {
    Span(std::time::Duration::from_secs(7 * 86_400))
}

impl Default for DraftSettings {
    fn default() -> Self {
        DraftSettings { expire: week() }
    }
}

/// The file demands what cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// Two entries of one name.
    #[error("policy `{0}` is there twice")]
    Duplicate(String),
    /// An entry that is neither a rule by name nor a match with an action, or both.
    #[error("policy `{0}`: give either `rule`, or `match` and `then`")]
    Shape(String),
    /// A key that means nothing for this rule.
    #[error("policy `{name}`: `{key}` means nothing here")]
    Needless {
        /// The policy's name.
        name: String,
        /// The key.
        key: &'static str,
    },
    /// A class of data that nothing is found of.
    #[error("policy `{name}`: there is no class of data `{class}`; there are {}", known.join(", "))]
    NoSuchClass {
        /// The policy's name.
        name: String,
        /// The class, or the pattern that no class fits.
        class: String,
        /// Those that there are.
        known: Vec<String>,
    },
    /// What counts as personal data cannot be meant.
    #[error("`personal_data`: {0}")]
    PersonalData(#[from] BadPattern),
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
    /// The call waits for approval by these policies.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub held_by: Vec<Arc<str>>,
    /// Somebody approved it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approved: Option<Approval>,
}

/// What becomes of a call of a skill or a capability.
#[derive(Debug)]
pub enum Decided {
    /// It may be made.
    Allowed(Permit),
    /// It would act, and waits for somebody's approval.
    Held(Decision),
}

/// The policies that are live.
#[derive(Clone, Debug)]
pub struct Policy {
    keep_bodies: bool,
    decision: Decision,
    rules: Arc<[Compiled]>,
    inspector: Arc<dyn Inspector>,
    drafts: DraftSettings,
}

impl Policy {
    /// The policies of a file.
    ///
    /// # Errors
    /// See [`PolicyError`].
    pub fn try_new(file: &PoliciesFile) -> Result<Self, PolicyError> {
        let detector = Detector::try_new(&file.personal_data)?;
        let known = file.personal_data.known();
        for entry in &file.policies {
            let named = entry.classes();
            let unknown = named.into_iter().find(|class| !known.iter().any(|one| matches(class, one)));
            if let Some(class) = unknown {
                return Err(PolicyError::NoSuchClass {
                    name: entry.name.clone(),
                    class: class.to_owned(),
                    known,
                });
            }
        }
        Policy::with_inspector(file, Arc::new(detector))
    }

    /// The policies of a file, with texts looked through by this.
    ///
    /// # Errors
    /// See [`PolicyError`].
    pub fn with_inspector(file: &PoliciesFile, inspector: Arc<dyn Inspector>) -> Result<Self, PolicyError> {
        let mut names = std::collections::BTreeSet::new();
        let mut rules = Vec::new();
        for entry in &file.policies {
            if !names.insert(entry.name.as_str()) {
                return Err(PolicyError::Duplicate(entry.name.clone()));
            }
            rules.extend(compile(entry)?);
        }
        let json = serde_json::to_vec(file).unwrap_or_default();
        let digest = hex(&Sha256::digest(json));
        let logs = |entry: &&PolicyEntry| entry.enforce && entry.rule == Some(Rule::LogAllRequestsAndResponses);
        let applied: Vec<Arc<str>> = file
            .policies
            .iter()
            .filter(logs)
            .map(|entry| entry.name.as_str().into())
            .collect();
        Ok(Policy {
            keep_bodies: !applied.is_empty(),
            decision: Decision {
                config: digest.get(..16).unwrap_or_default().into(),
                applied,
                ..Decision::default()
            },
            rules: rules.into(),
            inspector,
            drafts: file.drafts,
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

    /// How long what waits for approval waits.
    pub fn drafts(&self) -> DraftSettings {
        self.drafts
    }

    /// Decides about one call of a skill or a capability.
    ///
    /// # Errors
    /// [`Code::PolicyDenied`] with the policy's name, or [`Code::LimitDepth`].
    pub fn decide(&self, call: &Question<'_>) -> Result<Decided, Fault> {
        deep_enough(call)?;
        let mut verdict = Verdict::new(&self.decision);
        for rule in self.rules.iter().filter(|rule| !rule.when.is_about_models()) {
            if !verdict.over && rule.when.fits(call, None, &[]) {
                verdict.take(rule)?;
            }
        }
        if call.effects == Effects::Act && !verdict.held_by.is_empty() {
            match call.approval {
                Some(approval) => {
                    verdict.decision.approved = Some(approval.clone());
                    verdict.draft = false;
                }
                None => {
                    verdict.decision.held_by = verdict.held_by;
                    return Ok(Decided::Held(verdict.decision));
                }
            }
        }
        Ok(Decided::Allowed(self.permit_of(call, verdict)))
    }

    /// As [`Policy::decide`], for those who cannot keep what waits.
    ///
    /// # Errors
    /// The same, and [`Code::DraftHeld`].
    pub fn permit(&self, call: &Question<'_>) -> Result<Permit, Fault> {
        match self.decide(call)? {
            Decided::Allowed(permit) => Ok(permit),
            Decided::Held(_) => Err(Fault::new(
                Code::DraftHeld,
                format!("`{}` would act, and waits for approval", call.capability),
            )),
        }
    }

    /// Decides about one model call, before a byte of it leaves.
    ///
    /// # Errors
    /// As [`Policy::permit`], and [`Code::PolicyUnavailable`] where a rule has to look through
    /// the call and cannot.
    pub fn permit_model(&self, call: &Question<'_>, model: &ModelQuestion<'_>) -> Result<Permit, Fault> {
        deep_enough(call)?;
        self.permit_found(call, model, self.look_through(model.texts)?)
    }

    /// Decides anew about a call that a permit has sent to somebody else: rules about a provider,
    /// a model or a price bind whoever serves it in the end. What was found in it stands, and so
    /// does what was decided before.
    ///
    /// # Errors
    /// [`Code::PolicyDenied`].
    pub(crate) fn permit_rerouted(
        &self,
        call: &Question<'_>,
        model: &ModelQuestion<'_>,
        before: Permit,
    ) -> Result<Permit, Fault> {
        let mut permit = self.permit_found(call, model, before.decision.found)?;
        also(&mut permit.decision.applied, before.decision.applied);
        also(&mut permit.decision.reported, before.decision.reported);
        permit.decision.local_only |= before.decision.local_only;
        permit.refused.extend(before.refused);
        permit.redact = match (permit.redact, before.redact) {
            (Some(now), Some(before)) => Some(now.and(before)),
            (now, before) => now.or(before),
        };
        permit.draft |= before.draft;
        permit.served_by = before.served_by;
        Ok(permit)
    }

    fn permit_found(&self, call: &Question<'_>, model: &ModelQuestion<'_>, found: Vec<Class>) -> Result<Permit, Fault> {
        let mut verdict = Verdict::new(&self.decision);
        verdict.decision.found.clone_from(&found);
        for rule in self.rules.iter() {
            if !verdict.over && rule.when.fits(call, Some(model), &found) {
                verdict.take(rule)?;
            }
        }
        Ok(self.permit_of(call, verdict))
    }

    fn permit_of(&self, call: &Question<'_>, verdict: Verdict) -> Permit {
        let changes = !verdict.redact.is_empty() || !verdict.mask.is_empty();
        Permit {
            capability: call.capability.to_owned(),
            decision: verdict.decision,
            served_by: verdict.served_by,
            refused: verdict.refused,
            redact: changes.then(|| Redaction::new(self.inspector.clone(), verdict.redact, verdict.mask)),
            draft: verdict.draft,
            _made_by_policy: (),
        }
    }

    /// The classes of what is in the texts, where some rule asks for them. Where one that is
    /// enforced does, not knowing is a refusal.
    fn look_through(&self, texts: &dyn Texts) -> Result<Vec<Class>, Fault> {
        let mut asking = self.rules.iter().filter(|rule| rule.when.asks_for_data());
        let Some(first) = asking.next() else { return Ok(Vec::new()) };
        let enforced = first.enforce || asking.any(|rule| rule.enforce);
        let mut found = std::collections::BTreeSet::new();
        let mut failed = texts.unreadable().map(|what| InspectFailed(what.to_owned()));
        let mut look = |text: &str| match inspect(&*self.inspector, text) {
            Ok(findings) => found.extend(findings.into_iter().map(|finding| finding.class)),
            Err(why) => failed = Some(why),
        };
        texts.visit(&mut |text| {
            look(text);
            read_out(text, &mut look);
        });
        match failed {
            Some(why) if enforced => Err(Fault::new(Code::PolicyUnavailable, why.to_string())
                .hint("the call was not sent; shorten it, or take the rule about personal data out of policies.yaml")),
            Some(_) | None => Ok(found.into_iter().collect()),
        }
    }
}

/// Adds names that are not there yet.
fn also(names: &mut Vec<Arc<str>>, more: Vec<Arc<str>>) {
    for name in more {
        if !names.contains(&name) {
            names.push(name);
        }
    }
}

/// Shows a text as it is read once its escapes are undone, layer by layer: what JSON escapes is
/// hidden from the detector, and not from the model.
fn read_out(text: &str, see: &mut dyn FnMut(&str)) {
    let mut layer = unescaped(text);
    // Each layer halves the backslashes in a row; a text that would need more has no words left.
    for _ in 0..LAYERS {
        let Some(text) = layer else { return };
        see(&text);
        layer = unescaped(&text);
    }
}

/// So many layers of escapes are undone.
const LAYERS: usize = 16;

/// A detector that panics has failed like any other.
fn inspect(inspector: &dyn Inspector, text: &str) -> Result<Vec<Finding>, InspectFailed> {
    let looked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| inspector.inspect(text)));
    looked.unwrap_or_else(|_| Err(InspectFailed("the detector failed".to_owned())))
}

fn deep_enough(call: &Question<'_>) -> Result<(), Fault> {
    if call.depth > MAX_DEPTH {
        let message = format!("`{}` is called more than {MAX_DEPTH} calls deep", call.capability);
        return Err(Fault::new(Code::LimitDepth, message).hint("look for skills that invoke one another in a circle"));
    }
    Ok(())
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
    /// The public id of the key that was presented.
    pub key: Option<&'a str>,
    /// When, in seconds since 1970; [`now_s`].
    pub at_s: i64,
    /// Somebody approved it.
    pub approval: Option<&'a Approval>,
}

impl<'a> Question<'a> {
    /// A call from outside, made now, that only looks.
    pub fn new(caller: &'a str, capability: &'a str) -> Self {
        Question {
            caller,
            capability,
            effects: Effects::None,
            depth: 0,
            skill: None,
            key: None,
            at_s: now_s(),
            approval: None,
        }
    }
}

/// The time that a decision is made at, in seconds since 1970.
pub fn now_s() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    i64::try_from(since.map_or(0, |since| since.as_secs())).unwrap_or(i64::MAX)
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

    /// What of it is text to a model and not to us.
    fn unreadable(&self) -> Option<&'static str> {
        None
    }
}

/// The proof that policy allowed one call. Not to be cloned or made elsewhere; it does not
/// travel.
#[derive(Debug)]
pub struct Permit {
    capability: String,
    decision: Decision,
    served_by: Option<String>,
    refused: Vec<Compiled>,
    redact: Option<Redaction>,
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

    /// What is to be taken out of the call before it is sent.
    pub fn redaction(&self) -> Option<&Redaction> {
        self.redact.as_ref()
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
        match self.refused.iter().find(|rule| rule.when.fits_route(route)) {
            Some(rule) => Err(rule.refusal()),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
