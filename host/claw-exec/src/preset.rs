//! Rules that this program ships: what looking at a change needs, and nothing that acts.

use serde::{Deserialize, Serialize};

use crate::config::{RuleEffects, RuleEntry};

/// A shipped set of rules, `preset: git` in `capabilities.yaml`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Preset {
    /// Differences between two commits, and what commits say.
    Git,
    /// A pull request's files and its difference.
    Gh,
}

const GIT: &[&str] = &[
    "diff --raw --numstat --find-renames --end-of-options <range> --",
    "diff --patch --find-renames --end-of-options <range> --",
    "log --oneline --no-decorate --max-count=<int> --end-of-options <range> --",
    "show --no-patch --format=medium --end-of-options <rev> --",
];

const GH: &[&str] = &[
    "pr view <int> --repo <repo> --json additions,changedFiles,deletions,files",
    "pr diff <int> --repo <repo> --color never",
];

impl Preset {
    /// The rules for `git`.
    pub fn git() -> Vec<RuleEntry> {
        Preset::Git.rules()
    }

    /// The rules for `gh`.
    pub fn gh() -> Vec<RuleEntry> {
        Preset::Gh.rules()
    }

    /// The rules, none of which acts.
    pub fn rules(self) -> Vec<RuleEntry> {
        let forms = match self {
            Preset::Git => GIT,
            Preset::Gh => GH,
        };
        let rule = |form: &&str| RuleEntry {
            args: (*form).to_owned(),
            effects: RuleEffects::None,
            stdin: false,
        };
        forms.iter().map(rule).collect()
    }

    /// The command it is for.
    pub fn command(self) -> &'static str {
        match self {
            Preset::Git => "git",
            Preset::Gh => "gh",
        }
    }

    /// The environment variables that it passes on where they are set.
    pub(crate) fn env(self) -> &'static [&'static str] {
        match self {
            Preset::Git => &[],
            Preset::Gh => &["GH_TOKEN"],
        }
    }
}
