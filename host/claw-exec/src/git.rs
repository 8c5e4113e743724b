//! git, in a checkout that may be hostile: its own configuration can name programs for
//! nearly everything. Only subcommands that leave the work tree alone can be allowed, and
//! what their configuration could run is switched off.

use std::path::Path;

use crate::pattern::{Pattern, Place, Word};

/// Subcommands that read objects and refs alone. Everything that looks at or writes the
/// work tree runs the filters that the checkout's configuration names, and no option
/// switches those off.
const READERS: &[&str] = &[
    "cat-file",
    "diff",
    "diff-tree",
    "for-each-ref",
    "log",
    "ls-tree",
    "merge-base",
    "name-rev",
    "rev-list",
    "rev-parse",
    "show",
];

/// Options that write, run or reach what lies outside the checkout.
const REFUSED: &[&str] = &[
    "--attr-source",
    "--config-env",
    "--exec",
    "--exec-path",
    "--ext-diff",
    "--filters",
    "--git-dir",
    "--namespace",
    "--no-index",
    "--open-files-in-pager",
    "--output",
    "--receive-pack",
    "--show-signature",
    "--stdin",
    "--submodule",
    "--super-prefix",
    "--textconv",
    "--upload-pack",
    "--work-tree",
];

/// Configuration that a checkout could set to run a program, or to change what output
/// looks like. The command line wins over the checkout.
const SETTINGS: &[&str] = &[
    "color.diff=false",
    "color.ui=false",
    "core.alternateRefsCommand=false",
    "core.askPass=false",
    "core.attributesFile=/dev/null",
    "core.editor=false",
    "core.fsmonitor=false",
    "core.hooksPath=/dev/null",
    "core.pager=cat",
    "core.quotePath=true",
    "core.sshCommand=false",
    "credential.helper=",
    "diff.algorithm=default",
    "diff.colorMoved=no",
    "diff.context=3",
    "diff.dstPrefix=b/",
    "diff.ignoreSubmodules=none",
    "diff.interHunkContext=0",
    "diff.mnemonicPrefix=false",
    "diff.noprefix=false",
    "diff.orderFile=/dev/null",
    "diff.relative=false",
    "diff.srcPrefix=a/",
    "diff.submodule=short",
    "diff.suppressBlankEmpty=false",
    "diff.wsErrorHighlight=none",
    "format.pretty=medium",
    "gpg.openpgp.program=false",
    "gpg.program=false",
    "gpg.ssh.program=false",
    "gpg.x509.program=false",
    "log.mailmap=false",
    "log.showSignature=false",
    "protocol.allow=never",
];

/// Environment that git reads beside its configuration.
pub(crate) const ENVIRONMENT: &[(&str, &str)] = &[
    ("GIT_ALLOW_PROTOCOL", "none"),
    ("GIT_ATTR_NOSYSTEM", "1"),
    ("GIT_CONFIG_GLOBAL", "/dev/null"),
    ("GIT_CONFIG_NOSYSTEM", "1"),
    ("GIT_CONFIG_SYSTEM", "/dev/null"),
    ("GIT_GRAFT_FILE", "/dev/null"),
    ("GIT_LITERAL_PATHSPECS", "1"),
    ("GIT_NO_LAZY_FETCH", "1"),
    ("GIT_NO_REPLACE_OBJECTS", "1"),
    ("GIT_OPTIONAL_LOCKS", "0"),
    ("GIT_PAGER", "cat"),
    ("GIT_TERMINAL_PROMPT", "0"),
];

/// The same for commands that run git themselves, as `gh` does: all but what would keep
/// them from the network.
pub(crate) fn environment_for_others() -> Vec<(String, String)> {
    let kept = |name: &str| !matches!(name, "GIT_ALLOW_PROTOCOL" | "GIT_NO_LAZY_FETCH" | "GIT_LITERAL_PATHSPECS");
    let plain = ENVIRONMENT.iter().filter(|(name, _)| kept(name));
    let mut all: Vec<(String, String)> = plain.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let settings = SETTINGS.iter().filter_map(|setting| setting.split_once('='));
    let settings = settings.filter(|(key, _)| !matches!(*key, "protocol.allow" | "core.sshCommand"));
    let mut count = 0_usize;
    for (key, value) in settings {
        all.push((format!("GIT_CONFIG_KEY_{count}"), key.to_owned()));
        all.push((format!("GIT_CONFIG_VALUE_{count}"), value.to_owned()));
        count += 1;
    }
    all.push(("GIT_CONFIG_COUNT".to_owned(), count.to_string()));
    all
}

/// Why a rule cannot be one for git.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum GitRuleError {
    #[error("begins with no subcommand that can be allowed: {}", READERS.join(", "))]
    Subcommand,
    #[error("`{0}` runs a program or leaves the checkout")]
    Option(String),
    #[error("a `diff` without `<range>` reads the work tree, and runs the filters that the checkout names")]
    NoRange,
    #[error("a revision without a later `--` could be read as a path")]
    NoSeparator,
}

/// Whether the operator's rule keeps to what can be made safe.
pub(crate) fn check(pattern: &Pattern) -> Result<(), GitRuleError> {
    let words = pattern.words();
    let Some(Word::Literal(subcommand)) = words.first().filter(|word| is_reader(word)) else {
        return Err(GitRuleError::Subcommand);
    };
    for word in words {
        let text = match word {
            Word::Literal(text) | Word::Option(text, _) => text,
            Word::Place(_) => continue,
        };
        if is_refused(text) {
            return Err(GitRuleError::Option(text.clone()));
        }
    }
    let at = |wanted: &Word| words.iter().position(|word| word == wanted);
    let separator = at(&Word::Literal("--".to_owned()));
    let place = |place: Place| at(&Word::Place(place));
    if subcommand == "diff"
        && !matches!((place(Place::Range), separator), (Some(range), before) if before.is_none_or(|at| range < at))
    {
        return Err(GitRuleError::NoRange);
    }
    let takes_paths = matches!(subcommand.as_str(), "diff" | "log" | "rev-list" | "show");
    let takes_revision = pattern.is_free() || place(Place::Rev).is_some() || place(Place::Range).is_some();
    if takes_paths && takes_revision && separator.is_none() {
        return Err(GitRuleError::NoSeparator);
    }
    Ok(())
}

fn is_reader(word: &Word) -> bool {
    matches!(word, Word::Literal(text) if READERS.contains(&text.as_str()))
}

fn is_refused(text: &str) -> bool {
    let name = text.split('=').next().unwrap_or_default();
    // git takes any unambiguous beginning of a long option.
    let begins = name.len() > 3 && name.starts_with("--") && REFUSED.iter().any(|refused| refused.starts_with(name));
    begins || text.contains("%G") || text.starts_with("-O")
}

/// The whole argument vector: what switches programs off, then the caller's arguments.
pub(crate) fn arguments(root: &Path, args: &[String]) -> Vec<String> {
    let mut all = vec!["--no-pager".to_owned()];
    for setting in SETTINGS {
        all.extend(["-c".to_owned(), (*setting).to_owned()]);
    }
    // The operator named this directory, whoever owns it.
    all.extend(["-c".to_owned(), format!("safe.directory={}", root.display())]);
    let (subcommand, rest) = args.split_first().map_or(("", args), |(first, rest)| (first.as_str(), rest));
    all.push(subcommand.to_owned());
    let injected: &[&str] = match subcommand {
        "diff" => &["--no-ext-diff", "--no-textconv", "--no-color", "--submodule=short"],
        "diff-tree" => &["--no-ext-diff", "--no-textconv", "--no-color"],
        "log" | "show" => &[
            "--no-ext-diff",
            "--no-textconv",
            "--no-color",
            "--submodule=short",
            "--no-show-signature",
            "--no-notes",
        ],
        _ => &[],
    };
    all.extend(injected.iter().map(|option| (*option).to_owned()));
    all.extend(rest.iter().cloned());
    all
}
