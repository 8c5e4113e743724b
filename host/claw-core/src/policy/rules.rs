//! What a rule is about and what it does. Every rule that fits counts, in the file's order; a
//! refusal counts whatever the others say, and of several routes the first.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Decision, ModelQuestion, PolicyEntry, PolicyError, Question, Rule};
use crate::budget::Usd;
use crate::errors::{Code, Fault};
use crate::keys::matches;
use crate::model::ModelRoute;
use crate::pii::Class;
use crate::routing::Window;

/// Which calls a rule is about: those that fit all that is said. In texts `*` stands for any
/// text; of several, one has to fit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct When {
    /// Who calls.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caller: Option<OneOrMany>,
    /// The public id of the key that was presented.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<OneOrMany>,
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
    /// A model call can cost more than this at most, or nobody knows what it costs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_over: Option<Usd>,
    /// It is made within this time of the day or week.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<Window>,
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
    /// All of them.
    pub(super) fn all(&self) -> &[String] {
        match self {
            OneOrMany::One(one) => std::slice::from_ref(one),
            OneOrMany::Many(many) => many,
        }
    }

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
    /// What is of these classes is sent as placeholders, and put back into the answer.
    Mask(Vec<String>),
    /// The rules that follow are not asked about the call.
    Allow,
    /// A call that would act outside waits for somebody's approval.
    RequireApproval,
    /// The same, and every answer is marked as a draft.
    Draft,
    /// Nothing but that it is written down.
    Report,
}

/// How the file has it; YAML would want a tag for an enum.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(
    untagged,
    expecting = "expected allow, deny, local_only, require_approval, draft, report, {route: USE}, {redact: [CLASS]} or {mask: [CLASS]}"
)]
enum Written {
    Word(Word),
    Route(RouteTo),
    Redact(TakeOut),
    Mask(Cover),
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Word {
    Allow,
    Deny,
    LocalOnly,
    RequireApproval,
    Draft,
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

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Cover {
    mask: Vec<String>,
}

impl From<Written> for Then {
    fn from(written: Written) -> Self {
        match written {
            Written::Word(Word::Allow) => Then::Allow,
            Written::Word(Word::Deny) => Then::Deny,
            Written::Word(Word::LocalOnly) => Then::LocalOnly,
            Written::Word(Word::RequireApproval) => Then::RequireApproval,
            Written::Word(Word::Draft) => Then::Draft,
            Written::Word(Word::Report) => Then::Report,
            Written::Route(RouteTo { route }) => Then::Route(route),
            Written::Redact(TakeOut { redact }) => Then::Redact(redact),
            Written::Mask(Cover { mask }) => Then::Mask(mask),
        }
    }
}

impl From<Then> for Written {
    fn from(then: Then) -> Self {
        match then {
            Then::Allow => Written::Word(Word::Allow),
            Then::Deny => Written::Word(Word::Deny),
            Then::LocalOnly => Written::Word(Word::LocalOnly),
            Then::RequireApproval => Written::Word(Word::RequireApproval),
            Then::Draft => Written::Word(Word::Draft),
            Then::Report => Written::Word(Word::Report),
            Then::Route(route) => Written::Route(RouteTo { route }),
            Then::Redact(redact) => Written::Redact(TakeOut { redact }),
            Then::Mask(mask) => Written::Mask(Cover { mask }),
        }
    }
}

impl When {
    pub(super) fn asks_for_data(&self) -> bool {
        self.data.is_some()
    }

    /// It speaks of what only model calls have.
    pub(super) fn is_about_models(&self) -> bool {
        self.use_name.is_some() || self.names_routes() || self.data.is_some() || self.cost_over.is_some()
    }

    fn names_routes(&self) -> bool {
        self.model.is_some() || self.provider.is_some()
    }

    pub(super) fn fits(&self, call: &Question<'_>, model: Option<&ModelQuestion<'_>>, found: &[Class]) -> bool {
        self.misfit(call, model, found).is_none()
    }

    /// The first thing that it says and that is not so of a call.
    pub(super) fn misfit(&self, call: &Question<'_>, model: Option<&ModelQuestion<'_>>, found: &[Class]) -> Option<&'static str> {
        let fit = |wanted: &Option<OneOrMany>, value: Option<&str>| {
            wanted
                .as_ref()
                .is_none_or(|wanted| value.is_some_and(|value| wanted.fits(value)))
        };
        let holds = |wanted: &OneOrMany| found.iter().any(|class| wanted.fits(class.as_str()));
        let costs = |over: &Usd| {
            model.is_some_and(|model| {
                model.plan.price_unknown() || model.plan.ceiling_nanousd().is_none_or(|most| most > over.nanousd())
            })
        };
        let routed = || {
            model.is_some_and(|model| {
                let mut routes = model.plan.candidates.iter().map(|candidate| &candidate.route);
                routes.any(|route| self.fits_route(route))
            })
        };
        let said = [
            ("caller", fit(&self.caller, Some(call.caller))),
            ("key", fit(&self.key, call.key)),
            ("skill", fit(&self.skill, call.skill)),
            ("capability", fit(&self.capability, Some(call.capability))),
            ("time", self.time.as_ref().is_none_or(|window| window.is_open(call.at_s))),
            ("use", fit(&self.use_name, model.map(|model| model.use_name))),
            ("data", self.data.as_ref().is_none_or(holds)),
            ("cost_over", self.cost_over.as_ref().is_none_or(costs)),
            ("model or provider", !self.names_routes() || routed()),
        ];
        said.iter().find(|(_, fits)| !fits).map(|(key, _)| *key)
    }

    pub(super) fn fits_route(&self, route: &ModelRoute) -> bool {
        let fit = |wanted: &Option<OneOrMany>, value: &str| wanted.as_ref().is_none_or(|wanted| wanted.fits(value));
        fit(&self.model, &route.model) && fit(&self.provider, &route.provider)
    }
}

/// A rule, ready to be asked.
#[derive(Clone, Debug)]
pub(super) struct Compiled {
    pub(super) name: Arc<str>,
    pub(super) enforce: bool,
    pub(super) when: When,
    pub(super) then: Vec<Then>,
    message: Option<String>,
}

impl Compiled {
    pub(super) fn refusal(&self) -> Fault {
        let message = match &self.message {
            Some(message) => format!("policy `{}`: {message}", self.name),
            None => format!("the policy `{}` refuses this call", self.name),
        };
        Fault::new(Code::PolicyDenied, message).hint("`claw policy explain` says what each policy makes of a call")
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
        (None, Some(_), Some(_)) if entry.use_name.is_some() => needless("use"),
        (None, Some(when), Some(then)) => {
            if let Some(key) = senseless(when, then) {
                return needless(key);
            }
            Ok(Some(of(when.clone(), vec![then.clone()])))
        }
        (Some(rule), None, None) => match rule {
            Rule::IfContextContainsPiiUseSensitiveModel => {
                let when = When {
                    data: Some(OneOrMany::One("*".to_owned())),
                    ..When::default()
                };
                let sensitive = entry.use_name.clone().unwrap_or_else(|| "sensitive".to_owned());
                Ok(Some(of(when, vec![Then::LocalOnly, Then::Route(sensitive)])))
            }
            Rule::AllOutputsAreDrafts | Rule::LogAllRequestsAndResponses if entry.use_name.is_some() => needless("use"),
            Rule::AllOutputsAreDrafts => Ok(Some(of(When::default(), vec![Then::Draft]))),
            Rule::LogAllRequestsAndResponses => Ok(None),
        },
        _ => Err(PolicyError::Shape(name())),
    }
}

/// A key of a match that says nothing together with what is done.
fn senseless(when: &When, then: &Then) -> Option<&'static str> {
    match then {
        // Who serves a call is not known before it is served, so one candidate cannot free a
        // call of the rules for all the others.
        Then::Allow if when.model.is_some() => Some("model"),
        Then::Allow if when.provider.is_some() => Some("provider"),
        // What waits for approval is never a model call.
        Then::RequireApproval if when.is_about_models() => Some("require_approval"),
        _ => None,
    }
}

/// What the rules that fit a call come to.
pub(super) struct Verdict {
    pub(super) decision: Decision,
    pub(super) served_by: Option<String>,
    pub(super) refused: Vec<Compiled>,
    pub(super) redact: Vec<String>,
    pub(super) mask: Vec<String>,
    /// The policies by which what acts waits.
    pub(super) held_by: Vec<Arc<str>>,
    pub(super) draft: bool,
    /// A rule that allows it has spoken.
    pub(super) over: bool,
}

impl Verdict {
    pub(super) fn new(live: &Decision) -> Self {
        Verdict {
            decision: live.clone(),
            served_by: None,
            refused: Vec::new(),
            redact: Vec::new(),
            mask: Vec::new(),
            held_by: Vec::new(),
            draft: false,
            over: false,
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
                Then::Mask(classes) => self.mask.extend(classes.iter().cloned()),
                Then::Allow => self.over = true,
                Then::RequireApproval => self.held_by.push(rule.name.clone()),
                Then::Draft => {
                    self.held_by.push(rule.name.clone());
                    self.draft = true;
                }
                Then::Report => {}
            }
        }
        Ok(())
    }
}
