use super::*;
use crate::{diff, listing};

fn flags(patch: &str) -> Vec<Flag> {
    run(&Change::new(Vec::new(), diff::parse(patch), false))
}

fn ids(patch: &str) -> Vec<&'static str> {
    flags(patch).iter().map(|flag| flag.id).collect()
}

fn file(path: &str, lines: &[&str]) -> String {
    let lines: String = lines.iter().map(|line| format!("+{line}\n")).collect();
    let count = lines.lines().count();
    format!("diff --git a/{path} b/{path}\n--- a/{path}\n+++ b/{path}\n@@ -0,0 +1,{count} @@\n{lines}")
}

#[test]
fn an_empty_change_has_no_flag() {
    assert_eq!(ids(""), Vec::<&str>::new());
}

#[test]
fn flags_are_sorted_and_name_each_file_once() {
    let patch = [
        file("src/auth.rs", &["x"]),
        file("db/migrate/1.sql", &["x"]),
        file("application.yml", &["x"]),
        file("a/Cargo.lock", &["x"]),
    ]
    .concat();
    assert_eq!(
        ids(&patch),
        [
            "auth-change",
            "db-migration",
            "config-change",
            "lockfile-without-manifest",
            "lockfile-change"
        ]
    );
    assert_eq!(
        flags(&format!("{patch}{patch}")).first().map(|flag| flag.files.clone()),
        Some(vec!["src/auth.rs".to_owned()])
    );
}

#[test]
fn tests_are_thin_below_a_third() {
    let code = |count: usize| file("src/a.py", &vec!["x"; count]);
    let tests = |count: usize| file("tests/test_a.py", &vec!["x"; count]);
    assert_eq!(ids(&[code(30), tests(9)].concat()), ["insufficient-test-coverage"]);
    assert_eq!(ids(&[code(30), tests(10)].concat()), Vec::<&str>::new());
    assert_eq!(ids(&code(2)), Vec::<&str>::new());
    assert_eq!(ids(&file("README.md", &["x"; 100])), Vec::<&str>::new());
    let inline = ["fn a() {", "}", "x", "#[cfg(test)]", "mod tests {", "}"];
    assert_eq!(ids(&file("src/a.rs", &inline)), Vec::<&str>::new());
}

#[test]
fn a_secret_is_named_by_place_and_kind_alone() {
    let secret = ["q7Xn2Lr9", "Tz4Kw8Pv"].concat();
    let found = flags(&file("src/a.py", &["x", &format!("api_key = \"{secret}\"")]));
    let evidence: Vec<String> = found.iter().flat_map(|flag| flag.evidence.clone()).collect();
    assert_eq!(evidence, ["src/a.py:2: assigned secret"]);
    assert!(!claw_skill::serde_json::json!(found).to_string().contains(&secret));
}

#[test]
fn a_secret_that_is_removed_is_none() {
    let patch = "diff --git a/a b/a\n@@ -1 +0,0 @@\n-DB_PASSWORD=tR4nsF0rm3r-9x2Lq7\n";
    assert_eq!(ids(patch), Vec::<&str>::new());
}

#[test]
fn locks_and_manifests_belong_together() {
    let lock = file("Cargo.lock", &["x"]);
    let manifest = file("crates/a/Cargo.toml", &["rand = \"0.9\""]);
    assert_eq!(
        ids(&[lock.clone(), manifest.clone()].concat()),
        ["dependency-added", "lockfile-change"]
    );
    assert_eq!(ids(&lock), ["lockfile-without-manifest", "lockfile-change"]);
    assert_eq!(ids(&manifest), ["dependency-added", "manifest-without-lockfile"]);
    let own = ["edition = \"2024\"", "license.workspace = true", "publish.workspace = true", "lints.workspace = true"];
    assert_eq!(ids(&file("crates/a/Cargo.toml", &own)), Vec::<&str>::new());
}

#[test]
fn modes_links_submodules_and_binaries() {
    assert_eq!(
        ids("diff --git a/run b/run\nold mode 100644\nnew mode 100755\n"),
        ["permission-change"]
    );
    assert_eq!(
        ids("diff --git a/l b/l\nnew file mode 120000\n@@ -0,0 +1 @@\n+/etc/passwd\n"),
        ["symlink-added"]
    );
    assert_eq!(
        ids("diff --git a/m b/m\nnew file mode 160000\n@@ -0,0 +1 @@\n+Subproject commit 1\n"),
        ["submodule-change"]
    );
    assert_eq!(
        ids("diff --git a/p b/p\nBinary files a/p and b/p differ\n"),
        ["binary-change"]
    );
    // A file that became a link comes as two.
    let both = "diff --git a/l b/l\ndeleted file mode 100644\n@@ -1 +0,0 @@\n-x\ndiff --git a/l b/l\nnew file mode 120000\n@@ -0,0 +1 @@\n+x\n";
    assert_eq!(ids(both), ["symlink-added"]);
}

#[test]
fn hidden_direction_marks_are_seen() {
    let found = flags(&file("a.py", &["x", "if admin:\u{202e} # not"]));
    assert_eq!(
        found.first().map(|flag| (flag.id, flag.evidence.clone())),
        Some(("bidi-control-added", vec!["a.py:2".to_owned()]))
    );
}

#[test]
fn size_leaves_locks_and_vendored_code_out() {
    assert_eq!(ids(&file("vendor/a.go", &["x"; 2_000])), ["vendored-change"]);
    let found = flags(&file("docs/a.txt", &["x"; 1_001]));
    assert_eq!(found.iter().map(|flag| flag.id).collect::<Vec<_>>(), ["large-diff"]);
    assert!(found.iter().all(|flag| flag.detail.starts_with("1001 lines in 1 files")));
    let many: String = (0..51).map(|at| file(&format!("docs/{at}.txt"), &["x"])).collect();
    assert_eq!(ids(&many), ["large-diff"]);
}

#[test]
fn a_list_knows_more_than_a_cut_difference() {
    let listed =
        listing::git(":100644 100644 1 2 M\ta.txt\n:100644 000000 1 2 D\ttests/a_test.go\n5\t5\ta.txt\n0\t9\ttests/a_test.go\n");
    let change = Change::new(listed, diff::parse("diff --git a/a.txt b/a.txt\n@@ -1,5 +1,5 @@\n+o"), true);
    let ids: Vec<&str> = run(&change).iter().map(|flag| flag.id).collect();
    assert_eq!((ids, change.lines()), (vec!["diff-truncated", "tests-deleted"], (5, 14)));
}

#[test]
fn files_and_evidence_are_bounded() {
    let lines: Vec<String> = (10..90).map(|at| format!("api_key = \"q7Xn2Lr9Tz4Kw8{at}\"")).collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let found = flags(&file("a.py", &lines));
    assert_eq!(
        found.first().map(|flag| (flag.evidence.len(), flag.evidence.last().cloned())),
        Some((21, Some("and 60 more".to_owned())))
    );
    let many: String = (0..60).map(|at| file(&format!("auth/{at:02}.rb"), &["x"])).collect();
    let found = flags(&many);
    let auth = found.iter().find(|flag| flag.id == "auth-change");
    assert_eq!(auth.map(|flag| (flag.files.len(), flag.more_files)), Some((50, 10)));
}
