#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use super::*;

fn set(scratch: &Path) -> (Folder, PathBuf) {
    let files = [
        ("SKILL.md", "---\nname: demo\ndescription: Shows one.\n---\n"),
        ("Cargo.toml", "[package]\nname = \"demo\"\n"),
        ("Cargo.lock", "version = 4\n"),
        ("src/lib.rs", "// code\n"),
        ("rules.md", "rules\n"),
        ("test/fixtures/a.json", "{}"),
        ("target/demo.wasm", "component"),
    ];
    for (path, text) in files {
        let path = scratch.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let folder = Folder::open(scratch).unwrap();
    let component = folder.component();
    write(&component, &inputs(&folder), &folder.path, &digest(b"component"));
    (folder, component)
}

#[test]
fn a_change_of_any_input_or_of_the_component_makes_it_stale() {
    let changes = [
        ("SKILL.md", "---\nname: demo\ndescription: Another.\n---\n", false),
        ("Cargo.toml", "[package]\nname = \"other\"\n", false),
        ("Cargo.lock", "version = 5\n", false),
        ("src/lib.rs", "// other code\n", false),
        ("src/new.rs", "", false),
        ("rules.md", "other rules\n", false),
        ("build.rs", "fn main() {}", false),
        ("target/demo.wasm", "another", false),
        ("target/demo.build.json", "{}", false),
        ("test/fixtures/a.json", "{\"a\": 1}", true),
        ("src/lib.rs", "// code\n", true),
    ];
    for (path, text, fresh) in changes {
        let scratch = tempfile::tempdir().unwrap();
        let (folder, component) = set(scratch.path());
        assert!(is_fresh(&folder, &component), "before {path}");
        fs::write(scratch.path().join(path), text).unwrap();
        let folder = Folder::open(scratch.path()).unwrap();
        assert_eq!(is_fresh(&folder, &component), fresh, "{path}");
    }
}

#[test]
fn crates_outside_the_folder_are_left_to_cargo() {
    let scratch = tempfile::tempdir().unwrap();
    let (folder, component) = set(scratch.path());
    fs::write(
        scratch.path().join("Cargo.toml"),
        "[dependencies]\nshared = { path = \"../shared\" }\n",
    )
    .unwrap();
    write(&component, &inputs(&folder), &folder.path, &digest(b"component"));
    assert!(!is_fresh(&folder, &component));
}

#[test]
fn what_was_never_built_is_stale() {
    let scratch = tempfile::tempdir().unwrap();
    let (folder, component) = set(scratch.path());
    fs::remove_file(&component).unwrap();
    assert!(!is_fresh(&folder, &component));
}
