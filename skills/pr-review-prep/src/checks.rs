//! The checks. Each looks at the change and answers at most one flag; all of them run, in
//! any order, and the answer is sorted.

use crate::change::{Change, File, SUBMODULE, SYMLINK, Status};
use crate::flag::{Flag, Severity};
use crate::kinds::{self, Kinds};
use crate::{deps, secrets};

const LARGE_LINES: u64 = 1_000;
const LARGE_FILES: usize = 50;

/// A change, with what each of its files is.
struct Seen<'a> {
    change: &'a Change,
    files: Vec<(&'a File, Kinds)>,
}

type Check = fn(&Seen<'_>) -> Option<Flag>;

const CHECKS: &[Check] = &[
    secret_added,
    bidi_control_added,
    auth,
    migration,
    truncated,
    infrastructure,
    symlink,
    tests_deleted,
    ci,
    config,
    container,
    dependency_added,
    thin_tests,
    large,
    lock_alone,
    manifest_alone,
    permission,
    submodule,
    binary,
    lock,
    vendored,
];

/// All findings, most severe first.
pub fn run(change: &Change) -> Vec<Flag> {
    let kinds = |file: &File| {
        let mut kinds = kinds::of(&file.path);
        // What moved out of such a folder concerns it as well.
        if let Some(old) = &file.old_path {
            let old = kinds::of(old);
            (kinds.auth, kinds.migration, kinds.config) = (
                kinds.auth | old.auth,
                kinds.migration | old.migration,
                kinds.config | old.config,
            );
        }
        kinds
    };
    let seen = Seen {
        change,
        files: change.files.iter().map(|file| (file, kinds(file))).collect(),
    };
    let mut flags: Vec<Flag> = CHECKS.iter().filter_map(|check| check(&seen)).collect();
    flags.sort_by_key(|flag| (flag.severity, flag.id));
    flags
}

impl<'a> Seen<'a> {
    /// The paths of the files that are so; `None` where there is none.
    fn paths(&self, is: impl Fn(&File, &Kinds) -> bool) -> Option<Vec<&'a str>> {
        let found: Vec<&str> = self
            .files
            .iter()
            .filter(|(file, kinds)| is(file, kinds))
            .map(|(file, _)| file.path.as_str())
            .collect();
        (!found.is_empty()).then_some(found)
    }

    fn has(&self, path: &str) -> bool {
        self.files.iter().any(|(file, _)| file.path == path)
    }
}

fn secret_added(seen: &Seen<'_>) -> Option<Flag> {
    let mut found = Vec::new();
    for (file, kinds) in &seen.files {
        for line in &file.lines {
            // Hashes of a lock file are long and random, and assigned to `integrity` at worst.
            match secrets::kind_in(&line.text) {
                Some("assigned secret") if kinds.lock => {}
                Some(kind) => found.push((file.path.as_str(), line.number, kind)),
                None => {}
            }
        }
    }
    let files: Vec<&str> = found.iter().map(|(path, _, _)| *path).collect();
    let detail = "revoke what was committed, also in the history, and load it from the environment or a secret store";
    (!files.is_empty()).then(|| {
        let evidence = found.iter().map(|(path, number, kind)| format!("{path}:{number}: {kind}"));
        Flag::new(
            "secret-added",
            Severity::Critical,
            "What looks like a secret was added",
            detail,
        )
        .files(files)
        .evidence(evidence)
    })
}

fn bidi_control_added(seen: &Seen<'_>) -> Option<Flag> {
    let hidden = |c: char| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let lines = |file: &'_ File| {
        file.lines
            .iter()
            .filter(|line| line.text.contains(hidden))
            .map(|line| line.number)
            .collect::<Vec<_>>()
    };
    let files = seen.paths(|file, _| !lines(file).is_empty())?;
    let evidence = seen
        .files
        .iter()
        .flat_map(|(file, _)| lines(file).into_iter().map(|line| format!("{}:{line}", file.path)));
    let detail = "read these lines in an editor that shows control characters: they are displayed in another order than they run";
    Some(
        Flag::new(
            "bidi-control-added",
            Severity::High,
            "Invisible control characters were added",
            detail,
        )
        .files(files)
        .evidence(evidence),
    )
}

fn auth(seen: &Seen<'_>) -> Option<Flag> {
    let files = seen.paths(|_, kinds| kinds.auth)?;
    Some(
        Flag::new(
            "auth-change",
            Severity::High,
            "Authentication or permission code changed",
            "requires security review",
        )
        .files(files),
    )
}

fn migration(seen: &Seen<'_>) -> Option<Flag> {
    let files = seen.paths(|_, kinds| kinds.migration)?;
    let detail = "verify that a rollback plan exists and that the old version runs on the new schema";
    Some(Flag::new("db-migration", Severity::High, "Database migrations changed", detail).files(files))
}

fn truncated(seen: &Seen<'_>) -> Option<Flag> {
    let detail = "split the change, or raise the output limit of the command: lines beyond it were not checked";
    seen.change.truncated.then(|| {
        Flag::new(
            "diff-truncated",
            Severity::High,
            "Not all of the change could be read",
            detail,
        )
    })
}

fn infrastructure(seen: &Seen<'_>) -> Option<Flag> {
    let files = seen.paths(|_, kinds| kinds.infrastructure)?;
    let detail = "look at the plan that it makes, and at who may reach what afterwards";
    Some(
        Flag::new(
            "infrastructure-change",
            Severity::High,
            "Infrastructure definitions changed",
            detail,
        )
        .files(files),
    )
}

fn symlink(seen: &Seen<'_>) -> Option<Flag> {
    let files = seen.paths(|file, _| file.new_mode == SYMLINK && file.old_mode != SYMLINK)?;
    let detail = "check where each link leads: it is followed by builds and by readers";
    Some(Flag::new("symlink-added", Severity::High, "Links were added", detail).files(files))
}

fn tests_deleted(seen: &Seen<'_>) -> Option<Flag> {
    let files = seen.paths(|file, kinds| kinds.test && file.status == Status::Deleted)?;
    let detail = "check that what they covered is gone too, or covered elsewhere";
    Some(Flag::new("tests-deleted", Severity::High, "Tests were deleted", detail).files(files))
}

fn ci(seen: &Seen<'_>) -> Option<Flag> {
    let files = seen.paths(|_, kinds| kinds.ci)?;
    let detail = "check which secrets the pipeline reaches, who can start it, and that no check was taken out";
    Some(Flag::new("ci-change", Severity::Medium, "Pipeline definitions changed", detail).files(files))
}

fn config(seen: &Seen<'_>) -> Option<Flag> {
    let files = seen.paths(|_, kinds| kinds.config)?;
    Some(
        Flag::new(
            "config-change",
            Severity::Medium,
            "Application configuration changed",
            "review environment variable overrides",
        )
        .files(files),
    )
}

fn container(seen: &Seen<'_>) -> Option<Flag> {
    let files = seen.paths(|_, kinds| kinds.container)?;
    let detail = "check base images, the user it runs as, and what is exposed";
    Some(Flag::new("container-change", Severity::Medium, "Container definitions changed", detail).files(files))
}

fn dependency_added(seen: &Seen<'_>) -> Option<Flag> {
    let added = |file: &File, kinds: &Kinds| if kinds.manifest { deps::added(file) } else { Vec::new() };
    let files = seen.paths(|file, kinds| !added(file, kinds).is_empty())?;
    let evidence = seen
        .files
        .iter()
        .flat_map(|(file, kinds)| added(file, kinds).into_iter().map(|name| format!("{}: {name}", file.path)));
    let detail = "check the source, the licence and who maintains each new dependency";
    Some(
        Flag::new("dependency-added", Severity::Medium, "Dependencies were added", detail)
            .files(files)
            .evidence(evidence),
    )
}

/// Rust keeps tests in the file that they test.
fn inline_tests(file: &File) -> u64 {
    if !file.path.ends_with(".rs") {
        return 0;
    }
    let is_mark = |text: &str| text.contains("#[cfg(test)]") || text.contains("#[test]") || text.contains("::test]");
    let first = file.lines.iter().position(|line| is_mark(&line.text));
    first.map_or(0, |first| (file.lines.len() - first) as u64)
}

fn thin_tests(seen: &Seen<'_>) -> Option<Flag> {
    let (mut code, mut tests) = (0, 0);
    for (file, kinds) in &seen.files {
        if kinds.test {
            tests += file.added;
        } else if kinds.code {
            let inline = inline_tests(file).min(file.added);
            tests += inline;
            code += file.added - inline;
        }
    }
    let files = seen.paths(|file, kinds| kinds.code && file.added > 0)?;
    let detail = format!("{code} lines of code and {tests} lines of tests were added; consider adding tests");
    (tests < code / 3).then(|| {
        Flag::new(
            "insufficient-test-coverage",
            Severity::Medium,
            "Few tests for the added code",
            detail,
        )
        .files(files)
    })
}

fn large(seen: &Seen<'_>) -> Option<Flag> {
    let counted = seen.files.iter().filter(|(_, kinds)| !kinds.lock && !kinds.vendored);
    let (files, lines) = counted.fold((0, 0), |(files, lines), (file, _)| {
        (files + 1, lines + file.added + file.deleted)
    });
    let detail = format!("{lines} lines in {files} files, without lock files and vendored code; consider splitting it");
    (lines > LARGE_LINES || files > LARGE_FILES).then(|| Flag::new("large-diff", Severity::Medium, "The change is large", detail))
}

fn beside(folder: &str, name: &str) -> String {
    if folder.is_empty() {
        name.to_owned()
    } else {
        format!("{folder}/{name}")
    }
}

/// The folders above, the file's own first.
fn above(folder: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(folder), |folder| {
        folder
            .rsplit_once('/')
            .map(|(above, _)| above)
            .or_else(|| (!folder.is_empty()).then_some(""))
    })
}

fn lock_alone(seen: &Seen<'_>) -> Option<Flag> {
    let alone = |file: &File| {
        let (folder, name) = kinds::split(&file.path);
        // A lock file pins manifests beside it and, in a workspace, below it.
        let below = |path: &str| {
            let (there, manifest) = kinds::split(path);
            kinds::manifests_of(name).contains(&manifest) && above(there).any(|above| above == folder)
        };
        file.status != Status::Deleted && !seen.files.iter().any(|(other, _)| below(&other.path))
    };
    let files = seen.paths(|file, kinds| kinds.lock && !kinds.vendored && alone(file))?;
    let detail = "check what was resolved anew and why: its manifest did not change";
    Some(
        Flag::new(
            "lockfile-without-manifest",
            Severity::Medium,
            "A lock file changed alone",
            detail,
        )
        .files(files),
    )
}

fn manifest_alone(seen: &Seen<'_>) -> Option<Flag> {
    let alone = |file: &File| {
        let (folder, name) = kinds::split(&file.path);
        let mut locks = kinds::locks_of(name).peekable();
        locks.peek().is_some() && !locks.any(|lock| above(folder).any(|folder| seen.has(&beside(folder, lock))))
    };
    let files = seen.paths(|file, kinds| kinds.manifest && !deps::added(file).is_empty() && alone(file))?;
    let detail = "check whether the lock file should have changed too";
    Some(
        Flag::new(
            "manifest-without-lockfile",
            Severity::Medium,
            "Dependencies changed without their lock file",
            detail,
        )
        .files(files),
    )
}

fn permission(seen: &Seen<'_>) -> Option<Flag> {
    const EXECUTABLE: u32 = 0o100_755;
    let changed =
        |file: &File| file.old_mode != 0 && file.new_mode != 0 && (file.old_mode == EXECUTABLE) != (file.new_mode == EXECUTABLE);
    let files = seen.paths(|file, _| changed(file) && ![file.old_mode, file.new_mode].contains(&SYMLINK))?;
    let detail = "check that these are, or are no longer, meant to be run";
    Some(Flag::new("permission-change", Severity::Medium, "The executable bit changed", detail).files(files))
}

fn submodule(seen: &Seen<'_>) -> Option<Flag> {
    let files = seen.paths(|file, _| file.new_mode == SUBMODULE || file.old_mode == SUBMODULE)?;
    let detail = "review what came with the other commit: it is not part of this change";
    Some(Flag::new("submodule-change", Severity::Medium, "Submodules changed", detail).files(files))
}

fn binary(seen: &Seen<'_>) -> Option<Flag> {
    let files = seen.paths(|file, _| file.binary && file.status != Status::Deleted)?;
    let detail = "check where each came from and whether it belongs here: its content cannot be reviewed";
    Some(Flag::new("binary-change", Severity::Low, "Binary files changed", detail).files(files))
}

fn lock(seen: &Seen<'_>) -> Option<Flag> {
    let files = seen.paths(|_, kinds| kinds.lock)?;
    Some(
        Flag::new(
            "lockfile-change",
            Severity::Low,
            "Lock files changed",
            "check that sources and versions are the expected ones",
        )
        .files(files),
    )
}

fn vendored(seen: &Seen<'_>) -> Option<Flag> {
    let files = seen.paths(|_, kinds| kinds.vendored)?;
    let detail = "compare with where it comes from: it was left out of the other checks of paths";
    Some(Flag::new("vendored-change", Severity::Low, "Vendored or generated code changed", detail).files(files))
}

#[cfg(test)]
mod tests;
