#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use super::*;

#[test]
fn it_is_whole_and_finds_the_contract_beside_it() {
    let scratch = tempfile::tempdir().unwrap();
    let krate = unpack(scratch.path()).unwrap();
    assert!(krate.ends_with(CRATE));
    let manifest = fs::read_to_string(krate.join("Cargo.toml")).unwrap();
    assert!(manifest.contains("name = \"claw-skill\""));
    assert!(krate.join("src/lib.rs").is_file());
    assert!(krate.join("../../wit/world.wit").is_file());
    assert!(!krate.join("target").exists());
    assert_eq!(
        fs::read_dir(scratch.path()).unwrap().count(),
        1,
        "nothing half done is left behind"
    );
}

#[test]
fn it_is_unpacked_once_and_again_where_it_was_changed() {
    let scratch = tempfile::tempdir().unwrap();
    let krate = unpack(scratch.path()).unwrap();
    let place = scratch.path().join(format!("sdk-{}", hash()));
    let first = fs::metadata(&place).unwrap().ino();
    unpack(scratch.path()).unwrap();
    assert_eq!(fs::metadata(&place).unwrap().ino(), first);
    fs::write(krate.join("src/lib.rs"), "compile_error!(\"changed\");").unwrap();
    unpack(scratch.path()).unwrap();
    assert!(is_intact(&place));
    assert_eq!(fs::read_dir(scratch.path()).unwrap().count(), 1);
}

#[test]
fn a_link_in_its_place_is_not_followed() {
    let scratch = tempfile::tempdir().unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let real = elsewhere.path().join("sdk");
    put(elsewhere.path(), &real).unwrap();
    std::os::unix::fs::symlink(&real, scratch.path().join(format!("sdk-{}", hash()))).unwrap();
    assert!(!is_intact(&scratch.path().join(format!("sdk-{}", hash()))));
    fs::write(real.join("mine.txt"), "mine").unwrap();
    unpack(scratch.path()).unwrap();
    assert!(
        is_intact(&scratch.path().join(format!("sdk-{}", hash()))),
        "the link is replaced"
    );
    assert!(real.join("mine.txt").is_file(), "what the link pointed at is untouched");
}
