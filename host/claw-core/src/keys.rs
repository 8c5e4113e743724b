//! What a service's key allows. Decides only whether a name is within it, and how often it may
//! come; who holds a key, and what it has spent, is known elsewhere.

mod rate;

use serde::{Deserialize, Serialize};

use crate::budget::Limit;
use crate::capability::Target;
use crate::errors::{Code, Fault};

pub use rate::{Bucket, RateTable};

/// The highest rate of a key, in requests a minute. Whoever wants more wants none.
pub const MOST_RPM: u32 = 1_000_000;
/// The longest name of a service.
const LONGEST_SERVICE: usize = 64;
/// The most patterns of one kind.
const MOST_PATTERNS: usize = 64;
/// The longest pattern.
const LONGEST_PATTERN: usize = 128;
/// Names that audit entries hold for somebody else.
const RESERVED: [&str; 5] = ["operator", "local", "gateway", "system", "anonymous"];

/// The scope of one key. A key that names uses or skills allows these and nothing else; one
/// that names neither allows every call.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyScope {
    /// The key's public id, such as `key_9k2…`. Never the key.
    pub id: String,
    /// The service that holds it, which is the caller's name in audit entries.
    #[serde(default)]
    pub service: String,
    /// The model uses, entries and models that it may name, as patterns where `*` stands for
    /// any text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uses: Option<Vec<String>>,
    /// The skills and capabilities that it may invoke, as patterns of the same kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skills: Option<Vec<String>>,
    /// What its calls may cost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<Limit>,
    /// How many requests it may make a minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rpm: Option<u32>,
    /// When it ends, in microseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at_us: Option<i64>,
    /// It may see all drafts, and approve or reject those that its service did not propose.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub approves: bool,
}

impl KeyScope {
    /// Whether all that is in it can be meant: names that can be names, and a rate that is one.
    ///
    /// # Errors
    /// [`Code::InvalidInput`], naming what is wrong.
    pub fn validate(&self) -> Result<(), Fault> {
        check_service(&self.service)?;
        check_patterns("--uses", self.uses.as_deref())?;
        check_patterns("--skills", self.skills.as_deref())?;
        if self.rpm.is_some_and(|rpm| !(1..=MOST_RPM).contains(&rpm)) {
            return Err(invalid(format!("a rate is 1 to {MOST_RPM} requests a minute")).hint("leave `--rpm` out for none"));
        }
        Ok(())
    }

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

fn check_service(name: &str) -> Result<(), Fault> {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_' | b'.');
    if !(1..=LONGEST_SERVICE).contains(&name.len()) || !name.bytes().all(allowed) {
        return Err(invalid(format!(
            "a service's name is 1 to {LONGEST_SERVICE} of a-z, 0-9, `-`, `_` and `.`"
        )));
    }
    if RESERVED.contains(&name) {
        return Err(invalid(format!("`{name}` stands for somebody else in audit entries")).hint("name the service otherwise"));
    }
    Ok(())
}

fn check_patterns(flag: &str, patterns: Option<&[String]>) -> Result<(), Fault> {
    let patterns = patterns.unwrap_or_default();
    let is_pattern = |text: &String| {
        (1..=LONGEST_PATTERN).contains(&text.len()) && !text.chars().any(|c| c.is_control() || c.is_whitespace() || c == ',')
    };
    if patterns.len() > MOST_PATTERNS {
        return Err(invalid(format!("`{flag}` takes at most {MOST_PATTERNS} patterns")));
    }
    if !patterns.iter().all(is_pattern) {
        return Err(invalid(format!(
            "a pattern of `{flag}` has 1 to {LONGEST_PATTERN} bytes and no blanks"
        ))
        .hint(format!("write `{flag} 'pr-*,log-triage'`")));
    }
    Ok(())
}

fn invalid(message: String) -> Fault {
    Fault::new(Code::InvalidInput, message)
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
mod tests;
