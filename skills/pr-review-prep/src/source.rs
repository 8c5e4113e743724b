//! Where a change is read from: a pull request through `gh`, or a range of a checkout
//! through `git`. The argument vectors are those that the shipped rules allow.

use claw_skill::exec::{Command, ExecOutput};
use claw_skill::{Error, serde_json};

use crate::change::Change;
use crate::listing::PullRequest;
use crate::{Input, diff, listing};

/// A change that can be read.
#[derive(Debug, PartialEq, Eq)]
pub enum Source {
    /// A pull request.
    PullRequest {
        /// `owner/name`.
        repo: String,
        /// Its number.
        number: u64,
    },
    /// Two revisions.
    Range {
        /// The name of a checkout.
        root: String,
        /// `A..B` or `A...B`.
        range: String,
    },
}

impl Source {
    /// What the input names.
    ///
    /// # Errors
    /// `skill.input` where it names none or two, or where a value could not be one.
    pub fn of(input: &Input) -> Result<Self, Error> {
        let refused = |message: &str| Err(Error::invalid_input("input", message));
        match (input.pr_number, &input.range) {
            (Some(0), None) => refused("`pr_number` is 0; pull requests begin with 1"),
            (Some(number), None) => match input.repo.split_once('/') {
                Some((owner, name)) if is_slug(owner) && is_slug(name) => Ok(Source::PullRequest {
                    repo: input.repo.clone(),
                    number,
                }),
                _ => refused("`repo` is not `owner/name`"),
            },
            (None, Some(range)) => match range.split_once("..") {
                Some((from, to)) if !from.is_empty() && !to.is_empty() && !range.starts_with('-') => Ok(Source::Range {
                    root: input.repo.clone(),
                    range: range.clone(),
                }),
                _ => refused("`range` is not `A..B`"),
            },
            (None, None) | (Some(_), Some(_)) => refused("give exactly one of `pr_number` and `range`"),
        }
    }

    /// Reads it.
    ///
    /// # Errors
    /// Those of `exec.gh` and `exec.git`; `skill.gh` and `skill.git` where the command
    /// itself fails.
    pub fn read(&self) -> Result<Change, Error> {
        match self {
            Source::PullRequest { repo, number } => {
                let number = number.to_string();
                let view = Command::new("gh").args([
                    "pr",
                    "view",
                    &number,
                    "--repo",
                    repo,
                    "--json",
                    "additions,changedFiles,deletions,files",
                ]);
                let view = succeeded("gh", view.run()?)?;
                let listed: PullRequest = serde_json::from_str(&view.stdout)
                    .map_err(|error| Error::new("gh", format!("`gh pr view` answered what is no JSON: {error}")))?;
                let patch = Command::new("gh").args(["pr", "diff", &number, "--repo", repo, "--color", "never"]);
                let patch = succeeded("gh", patch.run()?)?;
                let changed = listed.changed_files;
                let mut change = Change::new(listed.into_files(), diff::parse(&patch.stdout), patch.truncated);
                change.truncated |= change.files.len() < changed;
                Ok(change)
            }
            Source::Range { root, range } => {
                let ask = |form: &[&str]| {
                    let args = form
                        .iter()
                        .copied()
                        .chain(["--find-renames", "--end-of-options", range, "--"]);
                    succeeded("git", Command::new("git").arg("diff").args(args).root(root).run()?)
                };
                let listed = ask(&["--raw", "--numstat"])?;
                let patch = ask(&["--patch"])?;
                let truncated = listed.truncated || patch.truncated;
                Ok(Change::new(
                    listing::git(&listed.stdout),
                    diff::parse(&patch.stdout),
                    truncated,
                ))
            }
        }
    }
}

/// A command that was stopped because it wrote too much did not fail.
fn succeeded(bin: &str, output: ExecOutput) -> Result<ExecOutput, Error> {
    if output.success() || output.truncated {
        return Ok(output);
    }
    let line = output
        .stderr
        .lines()
        .find(|line| !line.trim().is_empty())
        .unwrap_or("without a word");
    let line: String = line.chars().filter(|c| !c.is_control()).take(200).collect();
    Err(Error::not_found(
        bin,
        format!("`{bin}` ended with status {}: {line}", output.status),
    ))
}

fn is_slug(part: &str) -> bool {
    !part.is_empty()
        && !part.starts_with(['-', '.'])
        && part
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
}
