#![expect(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

use super::*;

const GOOD: &str = "---\nname: good\ndescription: x\nmetadata:\n  version: 1.0.0\n---\nAsk.\n";

fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

#[test]
fn every_skill_below_a_path_has_a_row() {
    let root = tempfile::tempdir().unwrap();
    write(&root.path().join("a/good/SKILL.md"), GOOD);
    write(&root.path().join("b/skill.md"), "---\ndescription: x\n---\nAsk.\n");
    write(&root.path().join("c/SKILL.md"), "no front matter");
    write(&root.path().join("node_modules/d/SKILL.md"), GOOD);
    write(&root.path().join("README.md"), GOOD);
    let rows = check_paths(&[root.path().to_owned(), root.path().join("none")]);
    let seen: Vec<_> = rows.iter().map(|row| (row.name.as_str(), row.loads, row.passes())).collect();
    assert_eq!(
        seen,
        [
            ("good", true, true),
            ("b", true, false),
            ("", false, false),
            ("", false, false)
        ]
    );
    let [good, ..] = rows.as_slice() else {
        unreachable!("four rows")
    };
    assert_eq!((good.lint.as_slice(), good.warnings), ([].as_slice(), 0));
}

#[cfg(unix)]
#[test]
fn links_to_folders_are_not_followed() {
    let root = tempfile::tempdir().unwrap();
    write(&root.path().join("good/SKILL.md"), GOOD);
    std::os::unix::fs::symlink(root.path(), root.path().join("good/loop")).unwrap();
    assert_eq!(find(root.path()), [root.path().join("good/SKILL.md")]);
}

#[test]
fn a_row_is_json() {
    let root = tempfile::tempdir().unwrap();
    let file = root.path().join("good/SKILL.md");
    write(&file, "---\nname: other\ndescription: x\nversion: 1.0.0\n---\nAsk.\n");
    let row = serde_json::to_value(check_file(&file)).unwrap();
    let first = row.pointer("/lint/0").unwrap();
    assert_eq!(first.get("code").unwrap(), "name-differs-from-folder");
    assert_eq!(first.get("severity").unwrap(), "error");
    assert_eq!(first.get("line").unwrap(), 2);
    assert_eq!(row.get("loads").unwrap(), true);
}
