//! What a rule is about and what it does. Every rule that fits counts, in the file's order; a
//! refusal counts whatever the others say, and of several routes the first.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Decision, ModelQuestion, PolicyEntry, PolicyError, Question, Rule};
use crate::errors::{Code, Fault};
use crate::keys::matches;
use crate::model::ModelRoute;
use crate::pii::Class;

/// Which calls a rule is about: those that fit all that is said. In texts `*` stands for any
/// text; of several, one has to fit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct When {
    /// Who calls.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caller: Option<OneOrMany>,
    /// The skill whose sandbox calls.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skill: Option<OneOrMany>,
    /// What is called: `exec.*`, `skill:pr-*`, `llm.inference`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capability: Option<OneOrMany>,
    /// The use, alias, entry or model that was named.
    #[serde(default, rename = "use", skip_serializing_if = "Option::is_none")]
    pub use_name: Option<OneOrMany>,
    /// Of who would serve it: the model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<OneOrMany>,
    /// Of who would serve it: the provider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<OneOrMany>,
    /// Classes of personal data and secrets that are in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<OneOrMany>,
}

/// One pattern, or several.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum OneOrMany {
    /// One.
    One(String),
    /// Several.
    Many(Vec<String>),
}

impl OneOrMany {
    fn fits(&self, value: &str) -> bool {
        match self {
            OneOrMany::One(pattern) => matches(pattern, value),
            OneOrMany::Many(patterns) => patterns.iter().any(|pattern| matches(pattern, value)),
        }
    }
}

/// What a rule does; in the file a word, or a map of one key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Written", into = "Written")]
pub enum Then {
    /// The call is refused. Where the rule names a provider or a model, only these are: others
    /// of the call's candidates may still serve it.
    Deny,
    /// Only providers that are marked local may see the call.
    LocalOnly,
    /// This use or entry serves it, whatever was named.
    Route(String),
    /// What is of these classes is taken out before the call is sent, for good.
    Redact(Vec<String>),
    /// Nothing but that it is written down.
    Report,
}

/// How the file has it; YAML would want a tag for an enum.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(
    untagged,
    expecting = "expected deny, local_only, report, {route: USE} or {redact: [CLASS]}"
)]
enum Written {
    Word(Word),
    Route(RouteTo),
    Redact(TakeOut),
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Word {
    Deny,
    LocalOnly,
    Report,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RouteTo {
    route: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TakeOut {
    redact: Vec<String>,
}

impl From<Written> for Then {
    fn from(written: Written) -> Self {
        match written {
            Written::Word(Word::Deny) => Then::Deny,
            Written::Word(Word::LocalOnly) => Then::LocalOnly,
            Written::Word(Word::Report) => Then::Report,
            Written::Route(RouteTo { route }) => Then::Route(route),
            Written::Redact(TakeOut { redact }) => Then::Redact(redact),
        }
    }
}

impl From<Then> for Written {
    fn from(then: Then) -> Self {
        match then {
            Then::Deny => Written::Word(Word::Deny),
            Then::LocalOnly => Written::Word(Word::LocalOnly),
            Then::Report => Written::Word(Word::Report),
            Then::Route(route) => Written::Route(RouteTo { route }),
            Then::Redact(redact) => Written::Redact(TakeOut { redact }),
        }
    }
}

impl When {
    pub(super) fn asks_for_data(&self) -> bool {
        self.data.is_some()
    }

    /// It speaks of what only model calls have.
    pub(super) fn is_about_models(&self) -> bool {
        self.use_name.is_some() || self.model.is_some() || self.provider.is_some() || self.data.is_some()
    }

    fn names_routes(&self) -> bool {
        self.model.is_some() || self.provider.is_some()
    }

    pub(super) fn fits(&self, call: &Question<'_>, model: Option<&ModelQuestion<'_>>, found: &[Class]) -> bool {
        let fit = |wanted: &Option<OneOrMany>, value: Option<&str>| {
            wanted
                .as_ref()
                .is_none_or(|wanted| value.is_some_and(|value| wanted.fits(value)))
        };
        fit(&self.caller, Some(call.caller))
            && fit(&self.skill, call.skill)
            && fit(&self.capability, Some(call.capability))
            && fit(&self.use_name, model.map(|model| model.use_name))
            && self
                .data
                .as_ref()
                .is_none_or(|wanted| found.iter().any(|class| wanted.fits(class.as_str())))
            && (!self.names_routes()
                || model.is_some_and(|model| {
                    model
                        .plan
                        .candidates
                        .iter()
                        .any(|candidate| self.fits_route(&candidate.route))
                }))
    }

    pub(super) fn fits_route(&self, route: &ModelRoute) -> bool {
        let fit = |wanted: &Option<OneOrMany>, value: &str| wanted.as_ref().is_none_or(|wanted| wanted.fits(value));
        fit(&self.model, &route.model) && fit(&self.provider, &route.provider)
    }
}

/// A rule, ready to be asked.
#[derive(Clone, Debug)]
pub(super) struct Compiled {
    name: Arc<str>,
    pub(super) enforce: bool,
    pub(super) when: When,
    then: Vec<Then>,
    message: Option<String>,
}

impl Compiled {
    pub(super) fn refusal(&self) -> Fault {
        let message = match &self.message {
            Some(message) => format!("policy `{}`: {message}", self.name),
            None => format!("the policy `{}` refuses this call", self.name),
        };
        Fault::new(Code::PolicyDenied, message).hint("`claw models explain` says what policies decide about a call")
    }
}

/// The rules of one entry; none, where it is about nothing that is decided here.
///
/// # Errors
/// See [`PolicyError`].
pub(super) fn compile(entry: &PolicyEntry) -> Result<Option<Compiled>, PolicyError> {
    let name = || entry.name.clone();
    let of = |when: When, then: Vec<Then>| Compiled {
        name: entry.name.as_str().into(),
        enforce: entry.enforce,
        when,
        then,
        message: entry.message.clone(),
    };
    let needless = |key: &'static str| Err(PolicyError::Needless { name: name(), key });
    match (entry.rule, &entry.when, &entry.then) {
        (None, Some(when), Some(then)) if entry.use_name.is_none() => Ok(Some(of(when.clone(), vec![then.clone()]))),
        (None, Some(_), Some(_)) => needless("use"),
        (Some(rule), None, None) => {
            if entry.enforce && !rule.is_implemented() {
                let rule = serde_json::to_value(rule).ok();
                let rule = rule.as_ref().and_then(|value| value.as_str()).unwrap_or_default().to_owned();
                return Err(PolicyError::NotImplemented { name: name(), rule });
            }
            match rule {
                Rule::IfContextContainsPiiUseSensitiveModel => {
                    let when = When {
                        data: Some(OneOrMany::One("*".to_owned())),
                        ..When::default()
                    };
                    let sensitive = entry.use_name.clone().unwrap_or_else(|| "sensitive".to_owned());
                    Ok(Some(of(when, vec![Then::LocalOnly, Then::Route(sensitive)])))
                }
                Rule::AllOutputsAreDrafts | Rule::LogAllRequestsAndResponses if entry.use_name.is_some() => needless("use"),
                Rule::AllOutputsAreDrafts | Rule::LogAllRequestsAndResponses => Ok(None),
            }
        }
        _ => Err(PolicyError::Shape(name())),
    }
}

/// What the rules that fit a call come to.
pub(super) struct Verdict {
    pub(super) decision: Decision,
    pub(super) served_by: Option<String>,
    pub(super) refused: Vec<Compiled>,
    pub(super) redact: Vec<String>,
}

impl Verdict {
    pub(super) fn new(live: &Decision) -> Self {
        Verdict {
            decision: live.clone(),
            served_by: None,
            refused: Vec::new(),
            redact: Vec::new(),
        }
    }

    /// One more rule that fits.
    ///
    /// # Errors
    /// [`Code::PolicyDenied`] where it refuses the call.
    pub(super) fn take(&mut self, rule: &Compiled) -> Result<(), Fault> {
        if !rule.enforce {
            self.decision.reported.push(rule.name.clone());
            return Ok(());
        }
        self.decision.applied.push(rule.name.clone());
        for then in &rule.then {
            match then {
                Then::Deny if rule.when.names_routes() => self.refused.push(rule.clone()),
                Then::Deny => return Err(rule.refusal()),
                Then::LocalOnly => self.decision.local_only = true,
                Then::Route(name) => drop(self.served_by.get_or_insert_with(|| name.clone())),
                Then::Redact(classes) => self.redact.extend(classes.iter().cloned()),
                Then::Report => {}
            }
        }
        Ok(())
    }
}
