//! Names of capabilities and of skills, what goes in and comes out of them. Refuses
//! names that could not be written in a path, a log line or a YAML key.

use std::fmt;
use std::str::FromStr;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// What goes in and comes out of a skill or a capability.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Payload {
    /// One JSON value.
    Json(serde_json::Value),
    /// Plain text.
    Text(String),
    /// Anything else, and what it is.
    Bytes {
        /// A media type.
        mime: String,
        /// The bytes, base64 in JSON.
        #[serde(with = "base64_bytes")]
        data: Bytes,
    },
}

impl Payload {
    /// The payload as the bytes that audit hashes and keeps.
    pub fn to_bytes(&self) -> Bytes {
        match self {
            Payload::Json(value) => Bytes::from(serde_json::to_vec(value).unwrap_or_default()),
            Payload::Text(text) => Bytes::from(text.clone()),
            Payload::Bytes { data, .. } => data.clone(),
        }
    }

    /// The payload as JSON: text becomes a string, bytes become base64 with their type.
    pub fn to_json(&self) -> serde_json::Value {
        match self {
            Payload::Json(value) => value.clone(),
            Payload::Text(text) => serde_json::Value::String(text.clone()),
            Payload::Bytes { .. } => serde_json::to_value(self).unwrap_or_default(),
        }
    }
}

mod base64_bytes {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use bytes::Bytes;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(data: &Bytes, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(data))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Bytes, D::Error> {
        let text = String::deserialize(deserializer)?;
        STANDARD.decode(text).map(Bytes::from).map_err(serde::de::Error::custom)
    }
}

/// `name` or `name@version`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SkillRef {
    /// The skill's name.
    pub name: String,
    /// Exactly this version; absent, the pinned one, else the highest that is granted.
    pub version: Option<String>,
}

/// The thing that a call names.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    /// `skill:<name>[@version]`, or a bare skill reference where only skills are meant.
    Skill(SkillRef),
    /// Any other capability: `exec.gh`, `llm.inference`, `vector.search`.
    Capability(String),
}

impl fmt::Display for SkillRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.version {
            Some(version) => write!(f, "{}@{version}", self.name),
            None => f.write_str(&self.name),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Target::Skill(skill) => write!(f, "skill:{skill}"),
            Target::Capability(name) => f.write_str(name),
        }
    }
}

/// The text names no skill or capability.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a name: letters, digits, `-`, `_` and `.`, at most 128, then perhaps `@version`")]
pub struct NotAName(String);

fn is_name(text: &str) -> bool {
    let mut chars = text.chars();
    text.len() <= 128
        && chars.next().is_some_and(char::is_alphanumeric)
        && chars.all(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | '.'))
}

fn is_version(text: &str) -> bool {
    (1..=128).contains(&text.len())
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '+' | '.'))
}

impl FromStr for SkillRef {
    type Err = NotAName;

    fn from_str(text: &str) -> Result<Self, NotAName> {
        let shown = || NotAName(text.chars().take(160).collect());
        let (name, version) = match text.split_once('@') {
            Some((name, version)) => (name, Some(version)),
            None => (text, None),
        };
        if !is_name(name) || version.is_some_and(|version| !is_version(version)) {
            return Err(shown());
        }
        Ok(SkillRef {
            name: name.to_owned(),
            version: version.map(str::to_owned),
        })
    }
}

impl FromStr for Target {
    type Err = NotAName;

    fn from_str(text: &str) -> Result<Self, NotAName> {
        match text.strip_prefix("skill:") {
            Some(skill) => skill.parse().map(Target::Skill),
            None if is_name(text) => Ok(Target::Capability(text.to_owned())),
            None => Err(NotAName(text.chars().take(160).collect())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back_as_written() {
        for text in [
            "skill:pr-review-prep",
            "skill:pr-review-prep@1.2.0-rc.1+b",
            "exec.gh",
            "llm.inference",
        ] {
            assert_eq!(text.parse::<Target>().map(|target| target.to_string()).as_deref(), Ok(text));
        }
    }

    #[test]
    fn other_text_is_no_name() {
        for text in [
            "",
            "skill:",
            "../etc",
            "a/b",
            "a b",
            "-a",
            "a@",
            "a@1/2",
            "skill:a@1@2",
            "a\0",
        ] {
            assert!(text.parse::<Target>().is_err() || text.contains('@'), "{text:?}");
            assert!(
                text.strip_prefix("skill:").unwrap_or(text).parse::<SkillRef>().is_err(),
                "{text:?}"
            );
        }
    }
}
