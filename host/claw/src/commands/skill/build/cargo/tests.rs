#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use super::*;

#[test]
fn only_this_folders_component_is_taken() {
    let lines = [
        r#"{"reason":"compiler-artifact","manifest_path":"/other/Cargo.toml","filenames":["/t/other.wasm"]}"#,
        r#"{"reason":"compiler-artifact","manifest_path":"/skill/Cargo.toml","filenames":["/t/libdemo.rlib","/t/demo.wasm"],"fresh":true}"#,
        r#"{"reason":"compiler-artifact","manifest_path":"/skill/Cargo.toml","filenames":["/t/build-script-build"]}"#,
        r#"{"reason":"compiler-message","message":{"rendered":"error: no\n","level":"error"}}"#,
        r#"{"reason":"build-script-executed","out_dir":"/t"}"#,
        "a build script's own words",
        r#"{"reason":"build-finished","success":true}"#,
    ];
    let (mut made, steps) = (Made::default(), Steps::new(true));
    for line in lines {
        made.take_in(line, Path::new("/skill"), &steps);
    }
    assert_eq!(made.wasm.as_deref(), Some(Path::new("/t/demo.wasm")));
    assert_eq!(steps.take(), ["error: no\n"]);
}

#[test]
fn paths_of_this_machine_are_replaced_the_narrowest_last() {
    let order = Order {
        directory: Path::new("/build/a \"b\"/demo"),
        target: Path::new("/build/target"),
        profile: Profile::Release,
    };
    let remaps = remaps(&order, Path::new("/build/target/sdk-0/sdk/rust"));
    assert!(remaps.ends_with(&[
        "\"--remap-path-prefix=/build/target=/target\"".to_owned(),
        "\"--remap-path-prefix=/build/target/sdk-0=/claw\"".to_owned(),
        "\"--remap-path-prefix=/build/a \\\"b\\\"/demo=/skill\"".to_owned(),
    ]));
}

#[test]
fn text_becomes_a_string_of_toml() {
    assert_eq!(quoted("/a \"b\"\\c\u{1}é"), "\"/a \\\"b\\\"\\\\c\\u0001é\"");
}

#[test]
fn the_sdk_is_offered_to_those_who_name_it_alone() {
    let scratch = tempfile::tempdir().unwrap();
    let order = Order {
        directory: scratch.path(),
        target: scratch.path(),
        profile: Profile::Debug,
    };
    let has_patch = |audience| {
        let command = command(&order, Path::new("/sdk"), audience);
        command
            .get_args()
            .any(|argument| argument.to_string_lossy() == "patch.crates-io.claw-skill.path=\"/sdk\"")
    };
    fs::write(scratch.path().join("Cargo.toml"), "[dependencies]\nwit-bindgen = \"0.61\"\n").unwrap();
    assert!(!has_patch(Audience::Log));
    fs::write(scratch.path().join("Cargo.toml"), "[dependencies]\nclaw-skill = \"0.1\"\n").unwrap();
    assert!(has_patch(Audience::Log));
}

#[test]
fn flags_of_other_builds_do_not_reach_this_one() {
    let order = Order {
        directory: Path::new("/skill"),
        target: Path::new("/target"),
        profile: Profile::Release,
    };
    let command = command(&order, Path::new("/sdk"), Audience::Log);
    for name in FOREIGN {
        assert!(
            command.get_envs().any(|(key, value)| key == name && value.is_none()),
            "{name}"
        );
    }
    assert!(command.get_args().any(|argument| argument == "--release"));
}

#[test]
fn a_program_that_is_missing_says_where_to_get_it() {
    let error = not_there("cargo", &io::ErrorKind::NotFound.into());
    assert_eq!(crate::exit::of(&error), Exit::BuildFailed);
    assert!(error.to_string().starts_with("`cargo` is not installed"));
}

#[test]
fn one_build_at_a_time_writes_to_a_target_directory() {
    let scratch = tempfile::tempdir().unwrap();
    let steps = Steps::new(true);
    let held = lock(scratch.path(), &steps).unwrap();
    let other = fs::File::open(scratch.path().join("claw-build.lock")).unwrap();
    assert!(matches!(other.try_lock(), Err(fs::TryLockError::WouldBlock)));
    drop(held);
    assert!(other.try_lock().is_ok());
}
