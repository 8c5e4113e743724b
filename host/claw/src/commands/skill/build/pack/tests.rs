#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use super::*;

fn folder(files: &[(&str, &[u8])]) -> (tempfile::TempDir, Folder) {
    let scratch = tempfile::tempdir().unwrap();
    let top = scratch.path().join("demo");
    fs::create_dir(&top).unwrap();
    fs::write(top.join("SKILL.md"), "---\nname: demo\ndescription: Shows one.\n---\n").unwrap();
    for (path, bytes) in files {
        let path = top.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    let folder = Folder::open(&top).unwrap();
    (scratch, folder)
}

#[test]
fn sources_tests_outputs_and_hidden_files_stay_out() {
    let (_scratch, folder) = folder(&[
        ("rules.md", b"rules"),
        ("data/words.txt", b"words"),
        ("data/src/kept.txt", b"kept"),
        ("data/target/out", b""),
        ("data/node_modules/out", b""),
        ("data/.env", b"SECRET=1"),
        ("data/old.WASM", b""),
        ("src/lib.rs", b""),
        ("test/fixtures/a.json", b"{}"),
        ("tests/a.rs", b""),
        ("target/demo.wasm", b""),
        ("node_modules/x/index.js", b""),
        (".git/config", b""),
        (".gitignore", b""),
        ("Cargo.toml", b""),
        ("Cargo.lock", b""),
        ("build.rs", b""),
        ("rust-toolchain.toml", b""),
    ]);
    let packed = collect(&folder).unwrap();
    let names: Vec<&str> = packed.files.keys().map(String::as_str).collect();
    assert_eq!(names, ["SKILL.md", "data/src/kept.txt", "data/words.txt", "rules.md"]);
    assert!(packed.skipped.is_empty());
}

#[test]
fn links_are_left_out_and_named() {
    let (_scratch, folder) = folder(&[("real.txt", b"x")]);
    std::os::unix::fs::symlink("/etc/passwd", folder.path.join("link.txt")).unwrap();
    std::os::unix::fs::symlink("/etc", folder.path.join("etc")).unwrap();
    let packed = collect(&folder).unwrap();
    assert_eq!(packed.skipped, ["etc", "link.txt"]);
    assert!(!packed.files.contains_key("link.txt"));
}

#[test]
fn a_manifest_in_small_letters_is_packaged_under_its_own_name_once() {
    let (_scratch, folder) = folder(&[]);
    fs::rename(folder.path.join("SKILL.md"), folder.path.join("skill.md")).unwrap();
    let folder = Folder::open(&folder.path).unwrap();
    let names: Vec<String> = collect(&folder).unwrap().files.into_keys().collect();
    assert_eq!(names, ["SKILL.md"]);
}

#[test]
fn too_much_is_refused_and_named() {
    let (_scratch, large) = folder(&[("large.bin", &vec![0; MAX_PACKAGED_BYTES])]);
    let error = collect(&large).unwrap_err().to_string();
    assert!(error.starts_with("`large.bin` is one too many"), "{error}");
    let (_scratch, many) = folder(&[]);
    for number in 0..MAX_PACKAGED_FILES {
        fs::write(many.path.join(format!("{number:04}")), "").unwrap();
    }
    let error = collect(&many).unwrap_err().to_string();
    assert!(error.starts_with("`0999` is one too many"), "{error}");
    let (_scratch, deep) = folder(&[]);
    fs::create_dir_all(deep.path.join("d/".repeat(MAX_DEPTH + 2))).unwrap();
    assert!(collect(&deep).unwrap_err().to_string().ends_with("folders deep"));
}
