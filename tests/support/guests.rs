//! The guests, built by the program under test, once for all tests of a checkout.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::{claw, root};

/// The component of a guest in `tests/guests`, or of a skill in `skills`.
pub(crate) fn component(name: &str) -> Vec<u8> {
    std::fs::read(built(name)).unwrap()
}

/// Where that component lies.
pub(crate) fn built(name: &str) -> PathBuf {
    let guest = root().join("tests/guests").join(name);
    let folder = if guest.exists() {
        guest
    } else {
        root().join("skills").join(name)
    };
    let wasm = folder.join("target").join(format!("{name}.wasm"));
    // Tests run in several processes: one builds, the others wait for it.
    let lock = root().join("target").join("guests.lock");
    let lock = File::create(&lock).unwrap();
    lock.lock().unwrap();
    let sources = [folder.clone(), root().join("sdk/rust"), root().join("wit")];
    let newest = sources.iter().map(|folder| newest(folder)).max().unwrap();
    let fresh = std::fs::metadata(&wasm)
        .and_then(|facts| facts.modified())
        .is_ok_and(|built| built >= newest);
    if !fresh {
        let home = root().join("target").join("guests-home");
        let ran = super::run(super::command(&home).arg("skill").arg("build").arg("--trust").arg(&folder));
        assert_eq!(ran.code, 0, "building {name} with {}:\n{}", claw(), ran.err);
    }
    wasm
}

fn newest(folder: &Path) -> SystemTime {
    let mut newest = SystemTime::UNIX_EPOCH;
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        if entry.file_name() == "target" || entry.file_name() == "test" {
            continue;
        }
        let facts = entry.metadata().unwrap();
        let time = if facts.is_dir() {
            self::newest(&entry.path())
        } else {
            facts.modified().unwrap()
        };
        newest = newest.max(time);
    }
    newest
}
