//! A checkout whose own configuration names programs wherever git would run one. Each is
//! first shown to run by plain git, so that a change of git cannot make the test hollow.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;

use super::git::{Repository, all_shipped};
use super::*;

/// A repository with one file of the type `evil`, and a program that leaves a mark.
struct Hostile {
    repository: Repository,
    outside: tempfile::TempDir,
}

impl Hostile {
    fn new() -> Self {
        let hostile = Hostile {
            repository: Repository::new(),
            outside: tempfile::tempdir().unwrap(),
        };
        let program = hostile.program();
        std::fs::write(
            &program,
            format!(
                "#!/bin/sh\ntouch '{}'\ncat \"$1\" 2>/dev/null\nexit 0\n",
                hostile.mark().display()
            ),
        )
        .unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        hostile.repository.commit(".gitattributes", "*.bin diff=evil filter=evil\n");
        hostile.repository.commit("x.bin", "one\n");
        hostile.repository.commit("x.bin", "two\n");
        hostile
    }

    fn program(&self) -> PathBuf {
        self.outside.path().join("program")
    }

    fn mark(&self) -> PathBuf {
        self.outside.path().join("pwned")
    }

    fn set(&self, key: &str, value: &str) {
        self.repository.git(&["config", "--local", key, value]);
    }

    /// Plain git with these arguments leaves the mark; it is wiped again.
    fn is_live(&self, args: &[&str]) -> bool {
        let _ = Command::new("git")
            .args(args)
            .current_dir(self.repository.path())
            .env("GIT_PAGER_IN_USE", "0")
            .output()
            .unwrap();
        let live = self.mark().exists();
        let _ = std::fs::remove_file(self.mark());
        live
    }

    async fn run_all(&self) {
        let exec = self.repository.exec();
        for args in all_shipped() {
            let answer = call(&exec, "exec.git", json!({"args": args, "cwd": "main"})).await.unwrap();
            assert!(!self.mark().exists(), "{args} ran the program: {answer}");
            assert_eq!(answer["status"], json!(0), "{args}: {answer}");
        }
    }
}

#[tokio::test]
async fn programs_named_by_the_checkout_do_not_run() {
    let range = ["diff", "HEAD~1..HEAD"];
    let show = ["show", "--no-patch", "HEAD"];
    for (key, args) in [
        ("diff.evil.textconv", &range[..]),
        ("diff.evil.command", &range),
        ("diff.external", &range),
        ("core.fsmonitor", &["status"]),
    ] {
        let hostile = Hostile::new();
        hostile.set(key, &hostile.program().display().to_string());
        assert!(hostile.is_live(args), "`{key}` runs under plain git");
        hostile.run_all().await;
    }
    for key in ["gpg.program", "gpg.openpgp.program"] {
        let hostile = Hostile::new();
        sign(&hostile.repository);
        hostile.set(key, &hostile.program().display().to_string());
        hostile.set("log.showSignature", "true");
        assert!(hostile.is_live(&show), "`{key}` runs under plain git");
        hostile.run_all().await;
    }
}

/// Gives the last commit a signature, which nobody has to believe.
fn sign(repository: &Repository) {
    let commit = repository.git(&["cat-file", "commit", "HEAD"]);
    let signature = "gpgsig -----BEGIN PGP SIGNATURE-----\n \n x\n -----END PGP SIGNATURE-----\n";
    let signed = commit.replacen("\n\n", &format!("\n{signature}\n"), 1);
    std::fs::write(repository.path().join(".git/signed"), signed).unwrap();
    let id = repository.git(&["hash-object", "-t", "commit", "-w", ".git/signed"]);
    repository.git(&["update-ref", "HEAD", id.trim()]);
}

#[tokio::test]
async fn filters_hooks_pagers_and_aliases_do_not_run() {
    let hostile = Hostile::new();
    let program = hostile.program().display().to_string();
    for key in [
        "filter.evil.clean",
        "filter.evil.smudge",
        "filter.evil.process",
        "core.pager",
        "core.editor",
        "core.sshCommand",
        "core.askPass",
    ] {
        hostile.set(key, &program);
    }
    for name in ["diff", "log", "show", "x"] {
        hostile.set(&format!("alias.{name}"), &format!("!{program}"));
        hostile.set(&format!("pager.{name}"), &program);
    }
    hostile.set("color.ui", "always");
    hostile.set("format.pretty", "%G? %h");
    hostile.set("diff.noprefix", "true");
    for hook in [
        "post-index-change",
        "post-checkout",
        "fsmonitor-watchman",
        "reference-transaction",
    ] {
        let path = hostile.repository.path().join(".git/hooks").join(hook);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::copy(hostile.program(), path).unwrap();
    }
    std::fs::write(hostile.repository.path().join("x.bin"), "changed in the work tree\n").unwrap();
    assert!(hostile.is_live(&["x"]), "the alias runs under plain git");
    assert!(hostile.is_live(&["diff", "HEAD"]), "the filter runs under plain git");
    hostile.run_all().await;
    let patch = call(
        &hostile.repository.exec(),
        "exec.git",
        json!({"args": all_shipped()[0], "cwd": "main"}),
    )
    .await
    .unwrap();
    let text = patch["stdout"].as_str().unwrap();
    assert!(
        text.starts_with("diff --git a/x.bin b/x.bin\n") && !text.contains('\u{1b}'),
        "{text}"
    );
}

#[tokio::test]
async fn a_missing_object_is_not_fetched() {
    let hostile = Hostile::new();
    let blob = hostile.repository.git(&["rev-parse", "HEAD:x.bin"]);
    let (first, rest) = blob.trim().split_at(2);
    std::fs::remove_file(hostile.repository.path().join(".git/objects").join(first).join(rest)).unwrap();
    hostile.set("core.repositoryformatversion", "1");
    hostile.set("extensions.partialClone", "origin");
    hostile.set("remote.origin.promisor", "true");
    hostile.set("remote.origin.url", &format!("ext::{}", hostile.program().display()));
    hostile.set("protocol.ext.allow", "always");
    assert!(hostile.is_live(&["diff", "HEAD~1..HEAD"]), "the remote runs under plain git");
    let answer = call(
        &hostile.repository.exec(),
        "exec.git",
        json!({"args": all_shipped()[0], "cwd": "main"}),
    )
    .await
    .unwrap();
    assert_eq!((hostile.mark().exists(), &answer["status"]), (false, &json!(128)), "{answer}");
}

#[tokio::test]
async fn a_submodules_own_configuration_is_not_asked() {
    let hostile = Hostile::new();
    let inner = hostile.repository.path().join("inner");
    std::fs::create_dir(&inner).unwrap();
    let git = |args: &[&str]| {
        let all = [&["-C", "inner", "-c", "user.name=t", "-c", "user.email=t@example.com"], args].concat();
        hostile.repository.git(&all)
    };
    git(&["init", "--quiet"]);
    std::fs::write(inner.join("y.bin"), "one\n").unwrap();
    std::fs::write(inner.join(".gitattributes"), "*.bin diff=evil\n").unwrap();
    git(&["add", "--all"]);
    git(&["commit", "--quiet", "--message", "one"]);
    hostile.repository.commit("z", "with the submodule\n");
    std::fs::write(inner.join("y.bin"), "two\n").unwrap();
    git(&["commit", "--quiet", "--all", "--message", "two"]);
    hostile.repository.commit("z", "with the submodule, moved\n");
    git(&["config", "diff.evil.command", &hostile.program().display().to_string()]);
    hostile.set("diff.submodule", "diff");
    assert!(
        hostile.is_live(&["diff", "HEAD~1..HEAD"]),
        "the submodule's driver runs under plain git"
    );
    hostile.run_all().await;
}

#[tokio::test]
async fn replaced_objects_do_not_change_what_is_seen() {
    let hostile = Hostile::new();
    let seen = |exec: ExecCapabilities| async move {
        let answer = call(&exec, "exec.git", json!({"args": all_shipped()[0], "cwd": "main"}))
            .await
            .unwrap();
        answer["stdout"].as_str().unwrap().to_owned()
    };
    let before = seen(hostile.repository.exec()).await;
    hostile.repository.git(&["replace", "HEAD", "HEAD~1"]);
    assert_eq!(seen(hostile.repository.exec()).await, before);
    assert!(before.contains("+two"), "{before}");
}

#[tokio::test]
async fn what_gh_asks_git_runs_nothing_either() {
    let hostile = Hostile::new();
    hostile.set("core.fsmonitor", &hostile.program().display().to_string());
    // Stands in for `gh`, which asks git about the directory that it is started in.
    let gh = hostile.outside.path().join("gh");
    std::fs::write(&gh, "#!/bin/sh\nexec git status --short\n").unwrap();
    std::fs::set_permissions(&gh, std::fs::Permissions::from_mode(0o755)).unwrap();
    let root = hostile.repository.path().display();
    let exec = load(&format!(
        "commands: {{gh: {{path: {}, preset: gh, roots: {{main: {root}}}}}}}",
        gh.display()
    ));
    assert!(hostile.is_live(&["status"]), "the monitor runs under plain git");
    let args = json!(["pr", "diff", "7", "--repo", "acme/web", "--color", "never"]);
    let answer = call(&exec, "exec.gh", json!({"args": args, "cwd": "main"})).await.unwrap();
    assert!(answer["status"] == json!(0) && !hostile.mark().exists(), "{answer}");
}
