//! What a skill asks for and what it gets: the declared requests, the operator's
//! allowances, and their intersection. Refuses nothing by itself; it only answers
//! "is this in the set", and names the grant when it is not.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use semver::Version;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// What a skill may do below a granted directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Access {
    /// Read and list.
    Read,
    /// Read, list, create, replace.
    ReadWrite,
}

impl Access {
    /// The word used in SKILL.md and `grants.yaml`.
    pub fn as_str(self) -> &'static str {
        match self {
            Access::Read => "read",
            Access::ReadWrite => "read-write",
        }
    }
}

/// The resources one invocation may use. Every field has a ceiling that the host enforces.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// All linear memories of the instance together, in MiB.
    pub memory_mb: u32,
    /// Wall-clock time of one invocation, host calls included, in milliseconds.
    pub timeout_ms: u64,
    /// The result and everything emitted, together, in KiB.
    pub output_kb: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            memory_mb: 64,
            timeout_ms: 60_000,
            output_kb: 1_024,
        }
    }
}

impl Limits {
    /// The most that any skill can ask for.
    pub const CEILING: Limits = Limits {
        memory_mb: 1_024,
        timeout_ms: 3_600_000,
        output_kb: 65_536,
    };

    /// Each field of `self`, held below the same field of `other`.
    #[must_use]
    pub fn capped_by(&self, other: &Limits) -> Limits {
        Limits {
            memory_mb: self.memory_mb.min(other.memory_mb),
            timeout_ms: self.timeout_ms.min(other.timeout_ms),
            output_kb: self.output_kb.min(other.output_kb),
        }
    }
}

/// What a SKILL.md asks for: `metadata.claw`, or the defaults where that is absent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Requests {
    /// Model uses, such as `summarization`. Never a provider, never a model name.
    #[serde(default)]
    pub model: BTreeSet<String>,
    /// Names of directories, as the guest writes them: `logs` in `logs/app.log`.
    #[serde(default)]
    pub files: BTreeMap<String, Access>,
    /// Capabilities, such as `exec.gh`, `skill:log-triage`, `vector.search`.
    #[serde(default)]
    pub capabilities: BTreeSet<String>,
}

impl Requests {
    /// Nothing outside the sandbox is asked for.
    pub fn is_empty(&self) -> bool {
        self.model.is_empty() && self.files.is_empty() && self.capabilities.is_empty()
    }

    /// A digest of the set, hex SHA-256 over its canonical JSON: an operator's
    /// allowance is pinned to it, so that a version that asks for more waits.
    pub fn digest(&self) -> String {
        let json = serde_json::to_vec(self).unwrap_or_default();
        hex(&Sha256::digest(json))
    }

    /// `true` if everything asked for here is also asked for in `other`.
    pub fn is_subset_of(&self, other: &Requests) -> bool {
        self.model.is_subset(&other.model)
            && self.capabilities.is_subset(&other.capabilities)
            && self
                .files
                .iter()
                .all(|(name, access)| other.files.get(name).is_some_and(|had| had >= access))
    }
}

/// What the operator allows one skill, from `grants.yaml`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Allowance {
    /// Model uses that the skill may name.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub model: BTreeSet<String>,
    /// Guest name → the directory of this machine it stands for.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub files: BTreeMap<String, AllowedFiles>,
    /// Capabilities that the skill may invoke.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub capabilities: BTreeSet<String>,
    /// The version that a bare name means.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pin: Option<String>,
}

/// One directory of this machine, and what may be done below it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AllowedFiles {
    /// An absolute path of this machine.
    pub path: PathBuf,
    /// What may be done below it.
    pub access: Access,
}

/// `grants.yaml`: skill name → what it is allowed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GrantBook {
    /// One allowance a skill.
    #[serde(default)]
    pub grants: BTreeMap<String, Allowance>,
}

impl GrantBook {
    /// What `requests` of the skill `name` come to under this book.
    pub fn intersect(&self, name: &str, requests: &Requests) -> Grants {
        let none = Allowance::default();
        let allowed = self.grants.get(name).unwrap_or(&none);
        let mut grants = Grants::default();
        for item in &requests.model {
            let set = if allowed.model.contains(item) {
                &mut grants.model
            } else {
                &mut grants.missing.model
            };
            set.insert(item.clone());
        }
        for item in &requests.capabilities {
            let granted = allowed.capabilities.contains(item);
            let set = if granted {
                &mut grants.capabilities
            } else {
                &mut grants.missing.capabilities
            };
            set.insert(item.clone());
        }
        for (file, wanted) in &requests.files {
            match allowed.files.get(file) {
                Some(dir) if dir.access >= *wanted => {
                    let dir = AllowedFiles {
                        path: dir.path.clone(),
                        access: *wanted,
                    };
                    grants.files.insert(file.clone(), dir);
                }
                Some(_) | None => {
                    grants.missing.files.insert(file.clone(), *wanted);
                }
            }
        }
        grants
    }

    /// Which of these versions of a skill its bare name means, lowest first and each with
    /// whether all that it asks for is allowed: the pinned one alone; without a pin the highest
    /// that is allowed all, else the highest. `None`: none, or the pinned one is not there.
    pub fn meant<'v, I>(&self, name: &str, mut versions: I) -> Option<&'v Version>
    where
        I: DoubleEndedIterator<Item = (&'v Version, bool)> + Clone,
    {
        if let Some(pin) = self.pin(name) {
            return versions
                .map(|(version, _)| version)
                .find(|version| version.to_string() == pin);
        }
        let allowed = versions.clone().rev().find(|(_, complete)| *complete);
        allowed.or_else(|| versions.next_back()).map(|(version, _)| version)
    }

    /// The pinned version of a skill, if the operator pinned one.
    pub fn pin(&self, name: &str) -> Option<&str> {
        self.grants.get(name)?.pin.as_deref()
    }
}

/// Declared ∩ allowed: all that exists for a guest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grants {
    /// Model uses that calls may name.
    pub model: BTreeSet<String>,
    /// Guest name → directory of this machine.
    pub files: BTreeMap<String, AllowedFiles>,
    /// Capabilities that calls may name.
    pub capabilities: BTreeSet<String>,
    /// Declared, but not allowed: what `claw skill allow` would add.
    pub missing: Requests,
}

impl Grants {
    /// Everything that was asked for is allowed.
    pub fn is_complete(&self) -> bool {
        self.missing.is_empty()
    }
}

/// Lower-case hex of any bytes.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        use std::fmt::Write as _;
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests;
