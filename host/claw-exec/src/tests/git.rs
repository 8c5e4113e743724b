use std::process::Command;

use super::*;

/// A repository of its own, made by git itself.
pub(super) struct Repository {
    pub(super) folder: tempfile::TempDir,
}

impl Repository {
    pub(super) fn new() -> Self {
        let repository = Repository {
            folder: tempfile::tempdir().unwrap(),
        };
        repository.git(&["init", "--quiet", "--initial-branch=main"]);
        repository.commit("a.txt", "one\n");
        repository.commit("a.txt", "one\ntwo\n");
        repository
    }

    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(super) fn git(&self, args: &[&str]) -> String {
        let output = Command::new("git")
            .args([
                "-c",
                "user.name=t",
                "-c",
                "user.email=t@example.com",
                "-c",
                "commit.gpgsign=false",
            ])
            .args(args)
            .current_dir(self.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("HOME", self.path())
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "git {args:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    pub(super) fn commit(&self, name: &str, text: &str) {
        std::fs::write(self.path().join(name), text).unwrap();
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--no-verify", "--message", name]);
    }

    pub(super) fn exec(&self) -> ExecCapabilities {
        load(&format!(
            "commands: {{git: {{preset: git, roots: {{main: {}}}}}}}",
            self.path().display()
        ))
    }
}

pub(super) const PATCH: [&str; 6] = ["diff", "--patch", "--find-renames", "--end-of-options", "HEAD~1..HEAD", "--"];

pub(super) fn all_shipped() -> Vec<Value> {
    vec![
        json!(PATCH),
        json!([
            "diff",
            "--raw",
            "--numstat",
            "--find-renames",
            "--end-of-options",
            "HEAD~1...HEAD",
            "--"
        ]),
        json!([
            "log",
            "--oneline",
            "--no-decorate",
            "--max-count=5",
            "--end-of-options",
            "HEAD~1..HEAD",
            "--"
        ]),
        json!(["show", "--no-patch", "--format=medium", "--end-of-options", "HEAD", "--"]),
    ]
}

#[tokio::test]
async fn shipped_rules_answer() {
    let repository = Repository::new();
    let exec = repository.exec();
    let patch = call(&exec, "exec.git", json!({"args": PATCH, "cwd": "main"})).await.unwrap();
    assert_eq!(patch["status"], json!(0), "{patch}");
    assert!(
        patch["stdout"].as_str().unwrap().ends_with("@@ -1 +1,2 @@\n one\n+two\n"),
        "{patch}"
    );
    let raw = call(&exec, "exec.git", json!({"args": all_shipped()[1], "cwd": "main"}))
        .await
        .unwrap();
    assert!(raw["stdout"].as_str().unwrap().ends_with("M\ta.txt\n1\t0\ta.txt\n"), "{raw}");
    for args in all_shipped() {
        let answer = call(&exec, "exec.git", json!({"args": args, "cwd": "main"})).await.unwrap();
        assert_eq!(answer["status"], json!(0), "{args}: {answer}");
    }
}

#[tokio::test]
async fn a_range_that_is_not_there_is_gits_own_error() {
    let repository = Repository::new();
    // Named like a file: still a revision.
    repository.commit("x..y", "file\n");
    let args = ["diff", "--patch", "--find-renames", "--end-of-options", "x..y", "--"];
    let answer = call(&repository.exec(), "exec.git", json!({"args": args, "cwd": "main"}))
        .await
        .unwrap();
    assert_eq!((&answer["status"], &answer["stdout"]), (&json!(128), &json!("")), "{answer}");
}

#[tokio::test]
async fn every_way_out_is_refused() {
    let repository = Repository::new();
    let exec = repository.exec();
    let capability = exec.find("exec.git").unwrap();
    let range = "HEAD~1..HEAD";
    for args in [
        json!(["-c", "alias.x=!sh", "x"]),
        json!(["-c", "core.pager=touch pwned", "log"]),
        json!(["-C", "/etc", "log"]),
        json!(["--git-dir=/tmp/x", "log"]),
        json!(["--exec-path=/tmp/x", "log"]),
        json!(["--upload-pack=touch pwned", "fetch"]),
        json!(["ls-remote", "--upload-pack=touch pwned", "."]),
        json!(["x"]),
        json!(["status"]),
        json!(["diff"]),
        json!(["diff", "--no-index", "/etc/passwd", "/dev/null"]),
        json!(["diff", "--output=pwned", range, "--"]),
        json!(["diff", "--ext-diff", range, "--"]),
        json!([
            "diff",
            "--patch",
            "--find-renames",
            "--end-of-options",
            "--output=pwned",
            "--"
        ]),
        json!([
            "diff",
            "--patch",
            "--find-renames",
            "--end-of-options",
            "a..--output=pwned",
            "--"
        ]),
        json!(["diff", "--patch", "--find-renames", "--end-of-options", "-O/etc/passwd", "--"]),
        json!(["diff", "--patch", "--find-renames", "--end-of-options", "HEAD", "--"]),
        json!([
            "diff",
            "--patch",
            "--find-renames",
            "--end-of-options",
            "HEAD:a..HEAD:b",
            "--"
        ]),
        json!([
            "diff",
            "--patch",
            "--find-renames",
            "--end-of-options",
            "a..b\n--output=pwned",
            "--"
        ]),
        json!([
            "diff",
            "--patch",
            "--find-renames",
            "--end-of-options",
            range,
            "--",
            "--output=pwned"
        ]),
        json!(["diff", "--patch", "--find-renames", "--end-of-options", range, "--", "../x"]),
        json!(["diff", "--patch", "--find-renames", range, "--"]),
        json!(["diff", "--patch", "--find-renames", "--end-of-options", range]),
        json!([
            "log",
            "--oneline",
            "--no-decorate",
            "--max-count=--output=x",
            "--end-of-options",
            range,
            "--"
        ]),
        json!([
            "log",
            "--oneline",
            "--no-decorate",
            "--max-count=-1",
            "--end-of-options",
            range,
            "--"
        ]),
        json!([
            "show",
            "--no-patch",
            "--format=medium",
            "--end-of-options",
            "--output=pwned",
            "--"
        ]),
        json!([
            "show",
            "--no-patch",
            "--format=medium",
            "--end-of-options",
            "HEAD:a.txt",
            "--"
        ]),
        json!(["show", "--no-patch", "--format=%G?", "--end-of-options", "HEAD", "--"]),
        json!([" diff"]),
        json!(["diff\n"]),
    ] {
        let input = Payload::Json(json!({"args": args, "cwd": "main"}));
        assert_eq!(code(capability.classify(&input)), Some(Code::ExecDenied), "{args}");
        let deadline = Instant::now() + Duration::from_secs(60);
        let result = capability
            .invoke(&permit("exec.git"), CapabilityCall { input, deadline })
            .await;
        assert_eq!(code(result), Some(Code::ExecDenied), "{args}");
    }
    assert!(!repository.path().join("pwned").exists());
}

#[tokio::test]
async fn a_root_is_needed_and_no_repository_above_it_is_meant() {
    let repository = Repository::new();
    std::fs::create_dir(repository.path().join("below")).unwrap();
    let below = repository.path().join("below");
    let exec = load(&format!(
        "commands: {{git: {{preset: git, roots: {{below: {}}}}}}}",
        below.display()
    ));
    let fault = call(&exec, "exec.git", json!({"args": PATCH})).await.unwrap_err();
    assert!(
        fault.code == Code::InvalidInput && fault.to_string().contains("`below`"),
        "{fault}"
    );
    let answer = call(&exec, "exec.git", json!({"args": PATCH, "cwd": "below"})).await.unwrap();
    assert_ne!(answer["status"], json!(0), "{answer}");
    assert!(!answer["stdout"].as_str().unwrap().contains("two"), "{answer}");
}
