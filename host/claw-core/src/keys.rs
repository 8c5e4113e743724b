//! What a service's key allows. Decides only whether a name is within it; who holds a key, and
//! how much it may spend, is known elsewhere.

use serde::{Deserialize, Serialize};

use crate::budget::Limit;
use crate::capability::Target;
use crate::errors::{Code, Fault};

/// The scope of one key. A key that names uses or skills allows these and nothing else; one
/// that names neither allows every call.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyScope {
    /// The key's public id, such as `key_9k2…`. Never the key.
    pub id: String,
    /// The model uses, entries and models that it may name, as patterns where `*` stands for
    /// any text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uses: Option<Vec<String>>,
    /// The skills and capabilities that it may invoke, as patterns of the same kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skills: Option<Vec<String>>,
    /// How many requests a minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rpm: Option<u32>,
    /// What it may spend.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<Limit>,
}

impl KeyScope {
    /// May name this use, entry or model in a call of its own.
    ///
    /// # Errors
    /// [`Code::KeyScope`].
    pub fn check_use(&self, name: &str) -> Result<(), Fault> {
        self.check(
            self.uses.as_deref(),
            self.skills.is_some(),
            &[name],
            "the model use",
            "--uses",
            name,
        )
    }

    /// May invoke this in a call of its own. `llm.inference` is checked by the use it names.
    ///
    /// # Errors
    /// [`Code::KeyScope`].
    pub fn check_target(&self, target: &Target) -> Result<(), Fault> {
        let full = target.to_string();
        let names = match target {
            Target::Skill(skill) => vec![skill.name.as_str(), full.as_str()],
            Target::Capability(name) if name == "llm.inference" => return Ok(()),
            Target::Capability(name) => vec![name.as_str()],
        };
        self.check(
            self.skills.as_deref(),
            self.uses.is_some(),
            &names,
            "to invoke",
            "--skills",
            &full,
        )
    }

    fn check(
        &self,
        named: Option<&[String]>,
        names_others: bool,
        names: &[&str],
        what: &str,
        flag: &str,
        shown: &str,
    ) -> Result<(), Fault> {
        let allowed = match named {
            None => !names_others,
            Some(patterns) => patterns.iter().any(|pattern| names.iter().any(|name| matches(pattern, name))),
        };
        if allowed {
            return Ok(());
        }
        let shown: String = shown.chars().filter(|c| !c.is_control()).take(128).collect();
        Err(Fault::new(
            Code::KeyScope,
            format!("the key `{}` does not allow {what} `{shown}`", self.id),
        )
        .hint(format!("make a key with `claw key create … {flag} '{shown}'`")))
    }
}

/// Whether a name fits a pattern in which `*` stands for any text, also none.
pub fn matches(pattern: &str, name: &str) -> bool {
    let mut pieces = pattern.split('*');
    let Some(mut rest) = pieces.next().and_then(|first| name.strip_prefix(first)) else {
        return false;
    };
    let mut pieces = pieces.peekable();
    if pieces.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(piece) = pieces.next() {
        if pieces.peek().is_none() {
            return rest.ends_with(piece);
        }
        match rest.split_once(piece) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_text() {
        let check = |pattern: &str, name: &str, expected: bool| {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        };
        check("pr-*", "pr-review-prep", true);
        check("pr-*", "pr-", true);
        check("pr-*", "log-pr-", false);
        check("*", "", true);
        check("a*b*c", "a-b-c", true);
        check("a*b*c", "acb", false);
        check("*ab", "aab", true);
        check("a*a", "a", false);
        check("exact", "exact", true);
        check("exact", "exactly", false);
        check("", "", true);
        check("", "x", false);
    }

    #[test]
    fn a_key_that_names_one_kind_allows_nothing_of_the_other() {
        let key = |uses: Option<&[&str]>, skills: Option<&[&str]>| {
            let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
            KeyScope {
                id: "key_a".into(),
                uses: uses.map(owned),
                skills: skills.map(owned),
                ..KeyScope::default()
            }
        };
        let check = |key: &KeyScope, use_name: Option<bool>, skill: Option<bool>| {
            if let Some(expected) = use_name {
                assert_eq!(key.check_use("summarization").is_ok(), expected, "{key:?}");
            }
            if let Some(expected) = skill {
                let target = "skill:pr-review-prep@1.0.0".parse::<Target>();
                assert_eq!(
                    target.is_ok_and(|target| key.check_target(&target).is_ok()),
                    expected,
                    "{key:?}"
                );
            }
        };
        check(&key(None, None), Some(true), Some(true));
        check(&key(Some(&["summ*"]), None), Some(true), Some(false));
        check(&key(None, Some(&["pr-*"])), Some(false), Some(true));
        check(&key(Some(&[]), Some(&["log-*"])), Some(false), Some(false));
    }
}
