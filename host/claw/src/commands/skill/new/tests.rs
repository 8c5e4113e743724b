#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use claw_core::manifest::{self, Origin};

use super::*;
use crate::cli::Language;

fn make(name: &str, path: &Path) -> Result<Exit> {
    run(&NewArgs {
        name: name.to_owned(),
        lang: Language::Rust,
        path: Some(path.to_owned()),
    })
}

#[test]
fn what_it_makes_loads_and_has_nothing_for_the_lint_to_say() {
    let scratch = tempfile::tempdir().unwrap();
    for name in ["log-triage", "3d-print", "a"] {
        let folder = scratch.path().join(name);
        assert_eq!(make(name, &folder).unwrap(), Exit::Ok);
        let bytes = fs::read(folder.join("SKILL.md")).unwrap();
        let origin = Origin::of(folder.join("SKILL.md"));
        let loaded = manifest::load(&bytes, &origin);
        assert!(loaded.diagnostics.is_empty(), "{:?}", loaded.diagnostics);
        let manifest = loaded.manifest.unwrap();
        assert_eq!(manifest.name, name);
        assert!(manifest.contract.inputs.is_declared() && manifest.contract.outputs.is_declared());
        let exists = |path: &str| folder.join(path).exists();
        let lint = manifest::lint(&bytes, &origin, Some(&exists));
        assert!(lint.is_empty(), "{lint:?}");
        for (path, _) in TEMPLATE {
            let text = fs::read_to_string(folder.join(path)).unwrap();
            assert!(!text.contains("{{"), "{path}");
        }
    }
    let cargo = fs::read_to_string(scratch.path().join("3d-print/Cargo.toml")).unwrap();
    assert!(
        cargo.contains("name = \"skill-3d-print\""),
        "a package's name begins with a letter"
    );
}

#[test]
fn names_that_no_skill_may_have_are_refused() {
    let scratch = tempfile::tempdir().unwrap();
    let long = "a".repeat(65);
    let table = [
        ("Log Triage", Some("`log-triage`")),
        ("-a", Some("`a`")),
        ("a--b", Some("`a-b`")),
        ("../escape", Some("`escape`")),
        ("é", None),
        ("", None),
        (&long, None),
    ];
    for (name, better) in table {
        let error = make(name, &scratch.path().join("x")).unwrap_err();
        assert_eq!(crate::exit::of(&error), Exit::Usage, "{name}");
        let hint = error.downcast_ref::<Failed>().unwrap().hint.clone().unwrap();
        match better {
            Some(better) => assert!(hint.ends_with(better), "{name}: {hint}"),
            None => assert!(hint.ends_with("at most 64"), "{name}: {hint}"),
        }
        assert!(!scratch.path().join("x").exists());
    }
}

#[test]
fn a_folder_that_holds_something_is_left_alone_and_an_empty_one_is_taken() {
    let scratch = tempfile::tempdir().unwrap();
    fs::write(scratch.path().join("mine.txt"), "mine").unwrap();
    let error = make("demo", scratch.path()).unwrap_err();
    assert!(error.to_string().ends_with("holds something"), "{error}");
    assert_eq!(fs::read_dir(scratch.path()).unwrap().count(), 1);
    fs::remove_file(scratch.path().join("mine.txt")).unwrap();
    assert_eq!(make("demo", scratch.path()).unwrap(), Exit::Ok);
}
