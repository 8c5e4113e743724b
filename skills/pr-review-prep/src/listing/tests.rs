#![expect(clippy::indexing_slicing, reason = "a test may stop at the first surprise")]

use super::*;

#[test]
fn statuses_and_counts_go_together() {
    let text = ":100644 100755 1 2 M\ta\n:100644 100644 1 2 R090\told\t\"n\\303\\244w\"\n:000000 120000 0 2 A\tlink\n:100644 000000 1 0 D\tgone\n:000000 100644 0 1 A\tp.png\n3\t1\ta\n0\t0\told => \"n\\303\\244w\"\n1\t0\tlink\n0\t7\tgone\n-\t-\tp.png\n";
    let files = git(text);
    let brief: Vec<_> = files
        .iter()
        .map(|file| (file.path.as_str(), file.status, file.added, file.deleted))
        .collect();
    assert_eq!(
        brief,
        [
            ("a", Status::Modified, 3, 1),
            ("näw", Status::Renamed, 0, 0),
            ("link", Status::Added, 1, 0),
            ("gone", Status::Deleted, 0, 7),
            ("p.png", Status::Added, 0, 0),
        ]
    );
    assert_eq!(
        (files[0].new_mode, files[1].old_path.as_deref(), files[4].binary),
        (0o100_755, Some("old"), true)
    );
}

#[test]
fn broken_lists_are_read_as_far_as_they_go() {
    for text in ["", ":", ":1 2", ":100644 100644 1 2 M", ":x y z w M\ta", "-\t-", "1\t2"] {
        assert_eq!(git(text), [], "{text:?}");
    }
    assert_eq!(git(":100644 100644 1 2 M\ta\n")[0].added, 0);
}
