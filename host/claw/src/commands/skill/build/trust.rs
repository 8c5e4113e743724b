//! Whose folder it is. Building runs what the folder says with the user's rights, so the
//! folder has to be theirs: owned by them, writable by nobody else, and below the current
//! directory, their `HOME`, or a git checkout that they own.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::exit::{Exit, Failed};

/// What is known of who asks.
struct Asker {
    user: u32,
    group: u32,
    /// Folders below which everything of theirs is trusted.
    roots: Vec<PathBuf>,
}

/// Refuses a folder that is not the user's own.
///
/// # Errors
/// Why it is not theirs, and that `--trust` builds it all the same.
pub(super) fn check(folder: &Path) -> Result<()> {
    let here = std::env::current_dir().ok();
    let home = std::env::var_os("HOME").filter(|home| !home.is_empty()).map(PathBuf::from);
    let roots = here
        .into_iter()
        .chain(home)
        .filter_map(|path| path.canonicalize().ok())
        .collect();
    let asker = Asker {
        user: rustix::process::geteuid().as_raw(),
        group: rustix::process::getegid().as_raw(),
        roots,
    };
    match why_not(folder, &asker) {
        None => Ok(()),
        Some(why) => {
            let message = format!(
                "building `{}` would run its build scripts and macros with your rights, and {why}",
                folder.display()
            );
            Err(Failed::new(Exit::Refused, message)
                .hint("look at it, then build it with `--trust`")
                .into())
        }
    }
}

fn why_not(folder: &Path, asker: &Asker) -> Option<String> {
    for path in [
        folder.to_owned(),
        folder.join("Cargo.toml"),
        folder.join("src"),
        folder.join("build.rs"),
    ] {
        let Ok(facts) = fs::metadata(&path) else { continue };
        if facts.uid() != asker.user {
            return Some(format!("`{}` belongs to another user", path.display()));
        }
        // A group of one's own is how many systems set users up; any other group is others.
        let by_group = facts.mode() & 0o020 != 0 && facts.gid() != asker.group;
        if facts.mode() & 0o002 != 0 || by_group {
            return Some(format!("others may write to `{}`", path.display()));
        }
    }
    let below_root = asker
        .roots
        .iter()
        .any(|root| folder.starts_with(root) && root.parent().is_some());
    let in_checkout = || {
        let git = folder.ancestors().map(|above| above.join(".git")).find(|git| git.exists());
        git.is_some_and(|git| fs::metadata(git).is_ok_and(|facts| facts.uid() == asker.user))
    };
    if below_root || asker.roots.iter().any(|root| root == folder) || in_checkout() {
        return None;
    }
    Some("it lies neither below the current directory, nor below your home, nor in a git checkout of yours".to_owned())
}

#[cfg(test)]
mod tests;
