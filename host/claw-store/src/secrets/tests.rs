#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
use tempfile::TempDir;

use super::*;

const CANARY: &str = "sk-canary-secret-7f3a9c1e5b8d2046";

fn store() -> (TempDir, SecretStore) {
    let directory = tempfile::tempdir().unwrap();
    let store = SecretStore::new(&directory.path().join("secrets.sealed"), &key(7));
    (directory, store)
}

fn key(byte: u8) -> HomeKey {
    HomeKey::from_bytes([byte; 32])
}

#[test]
fn what_is_set_is_found_replaced_and_forgotten() {
    let (directory, store) = store();
    assert_eq!(store.load().unwrap().names().count(), 0, "no file: no secrets");
    assert_eq!(store.set("openai", "one").unwrap(), None);
    let first = store.load().unwrap().names().next().unwrap().1;
    assert_eq!(store.set("openai", "two").unwrap(), Some(first));
    assert!(store.rotate("openai", "three").unwrap() >= first);
    store.set("anthropic-prod.2", "ключ with blanks").unwrap();
    let again = SecretStore::new(&directory.path().join("secrets.sealed"), &key(7));
    let found = again.load().unwrap();
    assert_eq!(found.get("openai"), Some("three"));
    assert_eq!(found.get("anthropic-prod.2"), Some("ключ with blanks"));
    assert_eq!(found.get("nobody"), None);
    let names: Vec<&str> = found.names().map(|(name, _)| name).collect();
    assert_eq!(names, ["anthropic-prod.2", "openai"]);
    store.remove("openai").unwrap();
    assert_eq!(store.load().unwrap().get("openai"), None);
    assert!(matches!(store.remove("openai"), Err(SecretError::Unknown { .. })));
    assert!(matches!(store.rotate("openai", "x"), Err(SecretError::Unknown { .. })));
    assert_eq!(found.get("openai"), Some("three"), "what was read stays as it was");
}

#[test]
fn neither_name_nor_value_can_be_read_on_the_disk_or_in_debug_output() {
    let (directory, store) = store();
    store.set("openai", CANARY).unwrap();
    let mut seen = 0;
    for file in std::fs::read_dir(directory.path()).unwrap().flatten() {
        let bytes = std::fs::read(file.path()).unwrap();
        for text in [CANARY, "openai"] {
            assert!(
                !bytes.windows(text.len()).any(|window| window == text.as_bytes()),
                "{:?}",
                file.path()
            );
        }
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        }
        seen += 1;
    }
    assert_eq!(seen, 2, "the file and its lock");
    let shown = format!("{:?}", store.load().unwrap());
    assert!(!shown.contains(CANARY) && shown.contains("openai"), "{shown}");
}

#[test]
fn names_and_values_that_cannot_be_used_are_refused_without_being_repeated() {
    let (_directory, store) = store();
    for name in ["", "a b", "a}b", "ключ", "../x", "a\n", "${x}", &"n".repeat(65)] {
        assert!(matches!(store.set(name, "x"), Err(SecretError::Name)), "{name:?}");
    }
    let check = |value: &str, expected: &str| {
        let error = store.set("good", value).unwrap_err().to_string();
        assert!(error.contains(expected) && !error.contains("canary"), "{error}");
    };
    check("", "empty");
    check(&format!("{CANARY}\n"), "control");
    check(&format!("{CANARY}\0"), "control");
    check(&"canary".repeat(MAX_VALUE), "more than");
    store.set("good", &"v".repeat(MAX_VALUE)).unwrap();
    let text = store.remove("key\u{1b}[31m").unwrap_err().to_string();
    assert!(!text.contains('\u{1b}'), "{text}");
}

#[test]
fn a_file_that_was_changed_truncated_or_sealed_by_another_home_is_not_believed() {
    let (directory, store) = store();
    let path = directory.path().join("secrets.sealed");
    store.set("openai", CANARY).unwrap();
    let good = std::fs::read(&path).unwrap();
    let other = SecretStore::new(&path, &key(8));
    assert!(matches!(other.load(), Err(StoreError::Sealed { .. })));
    assert!(other.set("x", "y").is_err(), "nothing is written over what cannot be read");
    assert_eq!(std::fs::read(&path).unwrap(), good);
    for length in 0..good.len() {
        std::fs::write(&path, good.get(..length).unwrap()).unwrap();
        assert!(store.load().is_err(), "{length}");
    }
    for place in 0..good.len() {
        let mut bad = good.clone();
        *bad.get_mut(place).unwrap() ^= 1;
        std::fs::write(&path, bad).unwrap();
        let error = store.load().unwrap_err().to_string();
        assert!(!error.contains("canary"), "{error}");
    }
    std::fs::write(&path, [good.as_slice(), b"x"].concat()).unwrap();
    assert!(matches!(store.load(), Err(StoreError::Sealed { .. })));
    std::fs::write(&path, good).unwrap();
    assert_eq!(store.load().unwrap().get("openai"), Some(CANARY));
}

#[test]
fn foreign_later_and_huge_files_are_named_for_what_they_are() {
    let (directory, store) = store();
    let path = directory.path().join("secrets.sealed");
    let check = |bytes: &[u8], expected: fn(&StoreError) -> bool| {
        std::fs::write(&path, bytes).unwrap();
        let error = store.load().unwrap_err();
        assert!(expected(&error), "{error}");
    };
    check(b"claw-secrets 2\nxxxx", |error| {
        matches!(error, StoreError::NewerFormat { found: 2, .. })
    });
    check(b"claw-secrets 0\nxxxx", |error| matches!(error, StoreError::Foreign { .. }));
    check(b"claw-secrets 99999999999999999999\nx", |error| {
        matches!(error, StoreError::Foreign { .. })
    });
    check(b"OPENAI_API_KEY=x\n", |error| matches!(error, StoreError::Foreign { .. }));
    check(b"\n", |error| matches!(error, StoreError::Foreign { .. }));
    check(b"\xff\xfe\n", |error| matches!(error, StoreError::Foreign { .. }));
    check(b"claw-secrets 1\n", |error| matches!(error, StoreError::Sealed { .. }));
    std::fs::File::create(&path).unwrap().set_len(MAX_FILE + 5).unwrap();
    assert!(matches!(store.load(), Err(StoreError::Foreign { .. })));
    std::fs::remove_file(&path).unwrap();
    std::fs::create_dir(&path).unwrap();
    assert!(matches!(store.load(), Err(StoreError::Io { .. })));
}

#[test]
fn two_that_write_at_once_lose_nothing() {
    let (_directory, store) = store();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let store = &store;
            scope.spawn(move || {
                for number in 0..5 {
                    store.set(&format!("s{thread}-{number}"), "x").unwrap();
                }
            });
        }
    });
    assert_eq!(store.load().unwrap().names().count(), 20);
}
