#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may stop at the first surprise"
)]

use super::*;

fn only(text: &str) -> File {
    let files = parse(text);
    assert_eq!(files.len(), 1, "{files:?}");
    files.into_iter().next().unwrap()
}

fn texts(file: &File) -> Vec<&str> {
    file.lines.iter().map(|line| line.text.as_str()).collect()
}

#[test]
fn a_plain_change_is_counted_and_numbered() {
    let file = only(
        "diff --git a/src/a.rs b/src/a.rs\nindex 1..2 100644\n--- a/src/a.rs\n+++ b/src/a.rs\n@@ -1,3 +1,4 @@ fn x\n one\n-two\n+zwei\n+drei\n three\n@@ -10 +11 @@\n-ten\n+zehn\n",
    );
    assert_eq!(
        (file.path.as_str(), file.status, file.added, file.deleted),
        ("src/a.rs", Status::Modified, 3, 2)
    );
    assert_eq!(file.lines.iter().map(|line| line.number).collect::<Vec<_>>(), [2, 3, 11]);
    assert_eq!(
        (texts(&file), file.removed.clone()),
        (vec!["zwei", "drei", "zehn"], vec!["two".to_owned(), "ten".to_owned()])
    );
}

#[test]
fn lines_that_look_like_headers_are_lines() {
    let file = only(
        "diff --git a/a.sql b/a.sql\n--- a/a.sql\n+++ b/a.sql\n@@ -1,2 +1,5 @@\n--- a comment\n+++ b/evil\n+diff --git a/x b/y\n+@@ -1 +1 @@\n+rename to evil\n+new file mode 120000\n context\n",
    );
    assert_eq!(
        (file.path.as_str(), file.added, file.deleted, file.new_mode),
        ("a.sql", 5, 1, 0)
    );
    assert_eq!(texts(&file)[1], "diff --git a/x b/y");
}

#[test]
fn names_come_from_whichever_line_has_them() {
    for (text, path, old, status) in [
        ("diff --git a/x y b/x y\nnew file mode 100644\n", "x y", None, Status::Added),
        (
            "diff --git a/x b/x\ndeleted file mode 100755\n--- a/x\n+++ /dev/null\n@@ -1 +0,0 @@\n-x\n",
            "x",
            None,
            Status::Deleted,
        ),
        (
            "diff --git a/a b/c d\nsimilarity index 90%\nrename from a\nrename to c d\n",
            "c d",
            Some("a"),
            Status::Renamed,
        ),
        ("diff --git a/a b/b\ncopy from a\ncopy to b\n", "b", Some("a"), Status::Copied),
        ("diff --git \"a/\\303\\244\" \"b/\\303\\244\"\n", "ä", None, Status::Modified),
        (
            "diff --git a/x \"b/\\\"q\\\"\\tz\"\nrename from x\nrename to \"\\\"q\\\"\\tz\"\n",
            "\"q\"\\x09z",
            Some("x"),
            Status::Renamed,
        ),
        ("diff --git \"a/\\377\" \"b/\\377\"\n", "\\xff", None, Status::Modified),
        ("diff --git a/x b/x\n--- a/x\t\n+++ b/x\t\n", "x", None, Status::Modified),
        (
            "--- a/plain\n+++ b/plain\n@@ -0,0 +1 @@\n+x\n",
            "plain",
            None,
            Status::Modified,
        ),
    ] {
        let file = only(text);
        assert_eq!(
            (file.path.as_str(), file.old_path.as_deref(), file.status),
            (path, old, status),
            "{text}"
        );
    }
}

#[test]
fn modes_binaries_and_submodules_are_seen() {
    let file = only("diff --git a/run b/run\nold mode 100644\nnew mode 100755\n");
    assert_eq!((file.old_mode, file.new_mode), (0o100_644, 0o100_755));
    assert!(only("diff --git a/p b/p\nBinary files a/p and b/p differ\n").binary);
    let files = parse(
        "diff --git a/p b/p\nGIT binary patch\nliteral 9\nQcmZ?\n+++ b/evil\n\nliteral 0\nHcmV?d00001\n\ndiff --git a/q b/q\n",
    );
    assert_eq!(
        files.iter().map(|file| (file.path.as_str(), file.binary)).collect::<Vec<_>>(),
        [("p", true), ("q", false)]
    );
    let file = only(
        "diff --git a/m b/m\nindex 1..2 160000\n--- a/m\n+++ b/m\n@@ -1 +1 @@\n-Subproject commit 1\n+Subproject commit 2\n",
    );
    assert_eq!((file.new_mode, file.added), (0o160_000, 1));
}

#[test]
fn ends_without_a_newline_and_carriage_returns_are_no_lines() {
    let file = only(
        "diff --git a/a b/a\r\n--- a/a\r\n+++ b/a\r\n@@ -1 +1 @@\n-a\r\n\\ No newline at end of file\n+b\r\n\\ No newline at end of file\n",
    );
    assert_eq!((file.path.as_str(), texts(&file), file.deleted), ("a", vec!["b"], 1));
}

#[test]
fn combined_diffs_count_what_no_parent_had() {
    let file = only(
        "diff --cc a.rs\nindex 1,2..3\n--- a/a.rs\n+++ b/a.rs\n@@@ -1,2 -1,2 +1,3 @@@\n  same\n- ours\n -theirs\n++both\n +one\n",
    );
    assert_eq!((texts(&file), file.deleted), (vec!["both", "one"], 2));
}

#[test]
fn what_is_cut_or_broken_is_read_as_far_as_it_goes() {
    let file = only("diff --git a/a b/a\n--- a/a\n+++ b/a\n@@ -1,9 +1,9 @@\n one\n+tw");
    assert_eq!((texts(&file), file.added), (vec!["tw"], 1));
    for text in [
        "",
        "\n\n",
        "no diff",
        "@@ -1 +1 @@\n+x\n",
        "diff --git \n",
        "diff --git \"a/\\\n@@ -1,99999999999999999999 +1 @@\n+x\n",
        "diff --cc \n@@@@ -1 +1 @@@@\n",
    ] {
        let _ = parse(text);
    }
    // A header that lies about its length ends with the first line that can be none of it.
    let files = parse("diff --git a/a b/a\n@@ -1,99 +1,99 @@\n+x\ndiff --git a/b b/b\n@@ -0,0 +1 @@\n+y\n");
    assert_eq!(
        files.iter().map(|file| (file.path.as_str(), file.added)).collect::<Vec<_>>(),
        [("a", 1), ("b", 1)]
    );
}

#[test]
fn a_line_of_a_megabyte_is_a_line() {
    let long = "ä".repeat(500_000);
    let file = only(&format!("diff --git a/a b/a\n@@ -0,0 +1,2 @@\n+{long}\n+x\n"));
    assert_eq!((file.lines[0].text.len(), texts(&file)[1]), (1_000_000, "x"));
}
