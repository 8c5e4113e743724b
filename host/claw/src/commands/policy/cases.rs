//! Cases of policies: calls, and what has to be made of them. A case that expects nothing is a
//! mistake, and one that expects what cannot be is too.

use serde::Deserialize;
use serde_json::{Value, json};

use super::asked::{Answer, Bench, Call};
use anyhow::Result;

/// A file of cases.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CasesFile {
    /// The cases.
    pub(super) cases: Vec<Case>,
}

/// One case.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Case {
    /// What it shows.
    pub(super) name: String,
    /// The call.
    pub(super) call: Call,
    /// What is to be made of it.
    pub(super) expect: Expected,
}

/// What is to be made of a call: all that is said has to be so.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Expected {
    outcome: Option<Outcome>,
    /// Exactly these, in any order.
    policies: Option<Vec<String>>,
    reported: Option<Vec<String>>,
    found: Option<Vec<String>>,
    /// Exactly these, in this order.
    entries: Option<Vec<String>>,
    local_only: Option<bool>,
    draft: Option<bool>,
    sent: Option<String>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Outcome {
    Allow,
    Deny,
    Hold,
    Unavailable,
}

impl Outcome {
    fn as_str(self) -> &'static str {
        match self {
            Outcome::Allow => "allow",
            Outcome::Deny => "deny",
            Outcome::Hold => "hold",
            Outcome::Unavailable => "unavailable",
        }
    }
}

impl Expected {
    /// Everything that is not as expected, in words.
    pub(super) fn differs(&self, answer: &Answer) -> Vec<String> {
        let mut wrong = Vec::new();
        let mut check = |key: &str, expected: Option<Value>, found: Value| {
            if let Some(expected) = expected
                && expected != found
            {
                wrong.push(format!("`{key}` is {found}, not {expected}"));
            }
        };
        let set = |names: &[String]| {
            let mut names = names.to_vec();
            names.sort();
            names.dedup();
            json!(names)
        };
        let asked = |names: &Option<Vec<String>>| names.as_deref().map(set);
        check("outcome", self.outcome.map(|it| json!(it.as_str())), json!(answer.outcome));
        check("policies", asked(&self.policies), set(&answer.policies));
        check("reported", asked(&self.reported), set(&answer.reported));
        check("found", asked(&self.found), set(&answer.found));
        check("entries", self.entries.as_ref().map(|it| json!(it)), json!(answer.entries));
        check("local_only", self.local_only.map(Value::from), json!(answer.local_only));
        check("draft", self.draft.map(Value::from), json!(answer.draft));
        check("sent", self.sent.clone().map(Value::from), json!(answer.sent));
        wrong
    }

    fn says_nothing(&self) -> bool {
        self.outcome.is_none()
            && self.policies.is_none()
            && self.reported.is_none()
            && self.found.is_none()
            && self.entries.is_none()
            && self.local_only.is_none()
            && self.draft.is_none()
            && self.sent.is_none()
    }
}

impl Case {
    /// Runs it; gives what is not as expected.
    ///
    /// # Errors
    /// The case is none.
    pub(super) fn run(&self, bench: &Bench) -> Result<Vec<String>> {
        if self.expect.says_nothing() {
            return Ok(vec!["it expects nothing: say `expect: {outcome: allow}`".to_owned()]);
        }
        Ok(self.expect.differs(&bench.ask(&self.call)?))
    }
}
