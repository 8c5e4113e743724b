#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use std::path::PathBuf;

use bytes::Bytes;
use claw_core::grants::{AllowedFiles, Requests};
use tempfile::TempDir;

use super::*;

fn files(grants: &[(&str, PathBuf, Access)]) -> Files {
    let mut set = Grants::default();
    for (name, path, access) in grants {
        set.files.insert(
            (*name).to_owned(),
            AllowedFiles {
                path: path.clone(),
                access: *access,
            },
        );
    }
    set.missing = Requests {
        files: [("later".to_owned(), Access::Read)].into(),
        ..Requests::default()
    };
    let packaged = Packaged {
        files: [("SKILL.md", "text"), ("docs/a.md", "a"), ("docs/deep/b.md", "b")]
            .map(|(path, text)| (path.to_owned(), Bytes::from(text)))
            .into(),
    };
    Files::new(Arc::new(set), Arc::new(packaged), Arc::new(Recorder::new()))
}

fn directory() -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir(directory.path().join("sub")).unwrap();
    std::fs::write(directory.path().join("sub/file"), "0123456789").unwrap();
    directory
}

#[test]
fn the_longest_granted_name_is_meant() {
    let (outer, inner) = (directory(), directory());
    std::fs::write(inner.path().join("only-here"), "x").unwrap();
    let files = files(&[
        ("a", outer.path().into(), Access::Read),
        ("a/b", inner.path().into(), Access::Read),
    ]);
    assert_eq!(files.read("a/b/only-here").unwrap(), b"x");
    assert_eq!(files.read("a/sub/file").unwrap(), b"0123456789");
    assert_eq!(files.read("ab/sub/file").unwrap_err().code, Code::GrantUndeclared);
}

#[test]
fn ranges_end_where_the_file_does() {
    let directory = directory();
    let files = files(&[("a", directory.path().into(), Access::Read)]);
    for (offset, length, expected) in [
        (0, 4, "0123"),
        (8, 100, "89"),
        (10, 5, ""),
        (u64::MAX >> 1, 5, ""),
        (3, 0, ""),
    ] {
        assert_eq!(
            files.read_range("a/sub/file", offset, length).unwrap(),
            expected.as_bytes(),
            "{offset}+{length}"
        );
    }
    for (offset, length, expected) in [(0, 2, "te"), (3, 9, "t"), (9, 9, ""), (u64::MAX, u32::MAX, "")] {
        assert_eq!(
            files.read_range("skill/SKILL.md", offset, length).unwrap(),
            expected.as_bytes(),
            "{offset}+{length}"
        );
    }
}

#[test]
fn a_file_of_the_limit_is_read_and_one_byte_more_is_not() {
    let directory = directory();
    let files = files(&[("a", directory.path().into(), Access::Read)]);
    let path = directory.path().join("big");
    std::fs::write(&path, vec![0; MAX_HOST_DATA]).unwrap();
    assert_eq!(files.read("a/big").unwrap().len(), MAX_HOST_DATA);
    std::fs::write(&path, vec![0; MAX_HOST_DATA + 1]).unwrap();
    assert_eq!(files.read("a/big").unwrap_err().code, Code::FileTooLarge);
}

#[test]
fn the_packaged_files_are_a_tree() {
    let files = files(&[]);
    let names = |path: &str| {
        files
            .list(path)
            .map(|found| found.into_iter().map(|entry| entry.name).collect::<Vec<_>>())
    };
    assert_eq!(names("skill").unwrap(), ["SKILL.md", "docs"]);
    assert_eq!(names("skill/docs").unwrap(), ["a.md", "deep"]);
    assert_eq!(names("skill/none").unwrap_err().code, Code::FileNotFound);
    assert_eq!(files.stat("skill/docs").unwrap().kind, Kind::Directory);
    assert_eq!(files.stat("skill/docs/a.md").unwrap().size, 1);
    assert_eq!(files.read("skill/docs").unwrap_err().code, Code::FileNotFound);
    assert_eq!(
        files.write("skill/new", b"", Mode::Create).unwrap_err().code,
        Code::GrantUndeclared
    );
}

#[test]
fn a_name_that_waits_for_its_grant_says_how_to_allow_it() {
    let fault = files(&[]).read("later/x").unwrap_err();
    assert_eq!(fault.code, Code::GrantMissing);
    assert!(fault.hint.unwrap().contains("--files later="));
}

#[test]
fn appending_replacing_and_creating_do_what_they_say() {
    let directory = directory();
    let files = files(&[("a", directory.path().into(), Access::ReadWrite)]);
    files.write("a/new", b"1", Mode::Create).unwrap();
    assert_eq!(files.write("a/new", b"2", Mode::Create).unwrap_err().code, Code::FileExists);
    files.write("a/new", b"2", Mode::Append).unwrap();
    assert_eq!(files.read("a/new").unwrap(), b"12");
    files.write("a/new", b"3", Mode::Replace).unwrap();
    assert_eq!(files.read("a/new").unwrap(), b"3");
    assert_eq!(files.write("a/sub", b"", Mode::Replace).unwrap_err().code, Code::FileIo);
    assert_eq!(
        files.write("a/none/file", b"", Mode::Replace).unwrap_err().code,
        Code::FileNotFound
    );
    assert_eq!(files.write("a", b"", Mode::Replace).unwrap_err().code, Code::FilePath);
    let left: Vec<_> = std::fs::read_dir(directory.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(left.len(), 2, "no partial file is left: {left:?}");
}

#[test]
fn a_granted_directory_that_has_gone_is_named() {
    let files = files(&[("a", "/nowhere/at/all".into(), Access::Read)]);
    let fault = files.read("a/x").unwrap_err();
    assert_eq!(
        (fault.code, fault.hint.as_deref()),
        (Code::FileIo, Some("`grants.yaml` names `/nowhere/at/all`"))
    );
}
