#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use super::*;
use claw_engine::package::PackageError;

#[test]
fn a_refused_component_ends_with_the_code_of_what_has_to_change() {
    let undeclared = LoadError::Undeclared {
        import: "claw:skill/model@0.1.0".to_owned(),
        key: "model",
        example: "[general]",
    };
    let table = [
        (undeclared, Exit::BadSkill, Some("model: [general]")),
        (LoadError::Manifest("no name".to_owned()), Exit::BadSkill, None),
        (LoadError::NoHandler, Exit::BuildFailed, Some("claw_skill::export!")),
        (LoadError::Package(PackageError::CoreModule), Exit::BuildFailed, None),
        (
            LoadError::Foreign {
                import: "wasi:http/types@0.2.0".to_owned(),
                why: "no",
            },
            Exit::BuildFailed,
            None,
        ),
    ];
    for (error, exit, hint) in table {
        let failed = refused("demo", &error);
        assert_eq!(failed.exit, exit, "{error}");
        assert!(failed.message.starts_with("the component of `demo`: "), "{}", failed.message);
        match hint {
            Some(hint) => assert!(
                failed.hint.as_ref().is_some_and(|text| text.contains(hint)),
                "{:?}",
                failed.hint
            ),
            None => assert_eq!(failed.hint, None),
        }
    }
}

#[test]
fn a_folder_without_rust_in_it_is_not_built() {
    let scratch = tempfile::tempdir().unwrap();
    std::fs::write(
        scratch.path().join("SKILL.md"),
        "---\nname: words\ndescription: Only words.\n---\n",
    )
    .unwrap();
    let environment = Environment {
        home: crate::home::Home::find(Some(scratch.path().join("home"))).unwrap(),
        gateway: None,
    };
    let folder = Folder::open(scratch.path()).unwrap();
    let error = build(&folder, Profile::Release, true, &environment, &Steps::new(true)).unwrap_err();
    assert_eq!(exit::of(&error), Exit::BuildFailed);
    assert!(error.to_string().contains("no Cargo.toml"), "{error}");
}

#[test]
fn a_component_is_written_whole_over_the_old_one() {
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("target/demo.wasm");
    write(&path, b"old and longer").unwrap();
    write(&path, b"new").unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), b"new");
    assert_eq!(std::fs::read_dir(scratch.path().join("target")).unwrap().count(), 1);
}
