//! One call as policies would be asked about it, and what they answer. Uses the decision that
//! the gateway uses, on the home's files; sends nothing and records nothing.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use claw_core::errors::Fault;
use claw_core::ids::{InvocationId, TraceParent};
use claw_core::keys::KeyScope;
use claw_core::model::{CompletionRequest, Message, Role};
use claw_core::pipeline::{Complete, explain};
use claw_core::policy::{Considered, Decided, Decision, ModelQuestion, PoliciesFile, Policy, Question, Texts, Why};
use claw_core::ports::{Effects, Models as _};
use claw_core::routing::{Kind, Wanted};
use claw_models::ProviderModels;
use serde::{Deserialize, Serialize};

use crate::config::Config;
use crate::exit::{Exit, Failed};

/// The most bytes of a file of policies or cases.
const MAX_FILE: u64 = 4 << 20;

/// A call.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Call {
    /// A model call, of this use.
    #[serde(default, rename = "use")]
    pub(super) use_name: Option<String>,
    /// Any other call.
    #[serde(default)]
    pub(super) capability: Option<String>,
    /// It would act outside.
    #[serde(default)]
    pub(super) act: bool,
    /// What a model would read.
    #[serde(default)]
    pub(super) text: String,
    /// The most tokens that are to come out.
    #[serde(default)]
    pub(super) max_tokens: Option<u32>,
    /// Who calls.
    #[serde(default = "operator")]
    pub(super) caller: String,
    /// The public id of its key.
    #[serde(default)]
    pub(super) key: Option<String>,
    /// The skill whose sandbox calls.
    #[serde(default)]
    pub(super) skill: Option<String>,
    /// When, in RFC 3339.
    #[serde(default)]
    pub(super) at: Option<String>,
}

fn operator() -> String {
    "operator".to_owned()
}

/// What policies make of a call.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Answer {
    /// `allow`, `deny`, `hold` or `unavailable`.
    pub(super) outcome: &'static str,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) error: Option<Fault>,
    /// The policies that apply.
    pub(super) policies: Vec<String>,
    /// Those that would, were they enforced.
    pub(super) reported: Vec<String>,
    /// The classes of data that were found.
    pub(super) found: Vec<String>,
    /// The entries of `models.yaml` that may serve it, in their order.
    pub(super) entries: Vec<String>,
    /// Only local providers may see it.
    pub(super) local_only: bool,
    /// The answer is a draft.
    pub(super) draft: bool,
    /// What a model would read, where something is taken out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) sent: Option<String>,
    /// What each rule makes of it.
    pub(super) rules: Vec<Considered>,
}

/// Policies, and the models that they are about.
pub(super) struct Bench {
    pub(super) file: PoliciesFile,
    policy: Policy,
    models: ProviderModels,
}

struct One<'a>(&'a CompletionRequest);

impl Texts for One<'_> {
    fn visit(&self, see: &mut dyn FnMut(&str)) {
        self.0.visit(see);
    }
}

impl Bench {
    /// The home's models, under its policies or others.
    ///
    /// # Errors
    /// A file that cannot be read, or has mistakes.
    pub(super) fn new(config: &Config, policies: Option<&Path>) -> Result<Bench> {
        let file = match policies {
            Some(path) => read(path)?,
            None => config.policies.clone(),
        };
        let policy = Policy::try_new(&file).map_err(|error| Failed::new(Exit::BadConfig, error.to_string()))?;
        // Whether there are keys is no question of policy, and no key is used.
        let variable = |name: &str| config.variable(name).or_else(|| Some("none".to_owned()));
        let models = ProviderModels::new(&config.models, &variable)?;
        Ok(Bench { file, policy, models })
    }

    /// What policies make of a call.
    ///
    /// # Errors
    /// The call is none.
    pub(super) fn ask(&self, call: &Call) -> Result<Answer> {
        let at_s = match &call.at {
            None => claw_core::policy::now_s(),
            Some(text) => {
                let at_us = claw_store::time::parse_rfc3339(text)
                    .ok_or_else(|| usage(format!("`at`: `{text}` is no time"), "write `2027-01-31T08:00:00Z`"))?;
                at_us.div_euclid(1_000_000)
            }
        };
        match (&call.use_name, &call.capability) {
            (Some(use_name), None) if !call.act => Ok(self.model(call, use_name, at_s)),
            (None, Some(capability)) if call.text.is_empty() && call.max_tokens.is_none() => {
                Ok(self.capability(call, capability, at_s))
            }
            _ => Err(usage(
                "a call is of a `use`, with a `text`, or of a `capability`, which may `act`".to_owned(),
                "write `{use: general, text: …}` or `{capability: exec.gh, act: true}`",
            )
            .into()),
        }
    }

    fn capability(&self, call: &Call, capability: &str, at_s: i64) -> Answer {
        let question = Question {
            effects: if call.act { Effects::Act } else { Effects::None },
            skill: call.skill.as_deref(),
            key: call.key.as_deref(),
            at_s,
            ..Question::new(&call.caller, capability)
        };
        let decided = self.policy.decide(&question);
        let rules = self
            .policy
            .consider(&question, None)
            .map(|(rules, _)| rules)
            .unwrap_or_default();
        let (decision, draft) = match &decided {
            Ok(Decided::Allowed(permit)) => (permit.decision().clone(), permit.draft()),
            Ok(Decided::Held(decision)) => (decision.clone(), true),
            Err(_) => (self.policy.decision().clone(), false),
        };
        Answer {
            outcome: Decided::word(&decided),
            policies: names(&decision.applied),
            reported: names(&decision.reported),
            found: Vec::new(),
            entries: Vec::new(),
            local_only: decision.local_only,
            draft,
            sent: None,
            rules,
            error: decided.err(),
        }
    }

    fn model(&self, call: &Call, use_name: &str, at_s: i64) -> Answer {
        let request = CompletionRequest {
            messages: vec![Message::text(Role::User, call.text.clone())],
            max_tokens: call.max_tokens,
            ..CompletionRequest::default()
        };
        let complete = Complete {
            admitted: false,
            id: InvocationId::generate(),
            parent: None,
            trace: TraceParent::generate(),
            caller: call.caller.clone(),
            key: call.key.as_ref().map(|id| {
                let scope = KeyScope {
                    id: id.clone(),
                    ..KeyScope::default()
                };
                scope.into()
            }),
            skill: call.skill.clone(),
            depth: 0,
            use_name: use_name.to_owned(),
            context: Vec::new(),
            deadline: Instant::now() + Duration::from_secs(1),
        };
        let question = Question {
            skill: call.skill.as_deref(),
            key: call.key.as_deref(),
            at_s,
            ..Question::new(&call.caller, "llm.inference")
        };
        let wanted = Wanted {
            name: use_name,
            kind: Kind::Completion,
            input_tokens: call.text.len().div_ceil(4) as u64,
            output_tokens: call.max_tokens.map(u64::from),
            answers: 1,
            fits_schema: false,
        };
        let considered = self.models.plan(&wanted).and_then(|plan| {
            let model = ModelQuestion {
                use_name,
                plan: &plan,
                texts: &One(&request),
            };
            self.policy.consider(&question, Some(&model))
        });
        let (mut rules, found) = considered.unwrap_or_default();
        let found = found.iter().map(ToString::to_string).collect();
        let explained = explain(&self.policy, &self.models, &complete, &request, at_s);
        if let Ok(explained) = &explained {
            // Some match only whoever a `route` leads to.
            let Decision { applied, reported, .. } = &explained.policy;
            let apply = |rule: &&mut Considered| applied.iter().chain(reported).any(|name| **name == *rule.policy);
            rules.iter_mut().filter(apply).for_each(|rule| rule.why = Why::Yes);
        }
        match explained {
            Ok(explained) => Answer {
                outcome: "allow",
                error: None,
                policies: names(&explained.policy.applied),
                reported: names(&explained.policy.reported),
                found,
                entries: explained
                    .plan
                    .candidates
                    .into_iter()
                    .map(|candidate| candidate.route.entry)
                    .collect(),
                local_only: explained.policy.local_only,
                draft: explained.draft,
                sent: explained.sent.map(|texts| texts.join("\n")),
                rules,
            },
            Err(fault) => Answer {
                outcome: Decided::word(&Err(fault.clone())),
                error: Some(fault),
                policies: names(&self.policy.decision().applied),
                reported: Vec::new(),
                found,
                entries: Vec::new(),
                local_only: false,
                draft: false,
                sent: None,
                rules,
            },
        }
    }
}

fn names(all: &[std::sync::Arc<str>]) -> Vec<String> {
    all.iter().map(ToString::to_string).collect()
}

fn usage(message: String, hint: &str) -> Failed {
    Failed::new(Exit::Usage, message).hint(hint)
}

/// A YAML file, whole and not too large.
///
/// # Errors
/// It cannot be read, or is not what it should be.
pub(super) fn read<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T> {
    let shown = path.display();
    let length = std::fs::metadata(path).with_context(|| format!("`{shown}`"))?.len();
    if length > MAX_FILE {
        return Err(Failed::new(Exit::BadConfig, format!("`{shown}` is longer than {MAX_FILE} bytes")).into());
    }
    let text = std::fs::read_to_string(path).with_context(|| format!("`{shown}`"))?;
    serde_yaml::from_str(&text).map_err(|error| Failed::new(Exit::BadConfig, format!("`{shown}`: {error}")).into())
}
