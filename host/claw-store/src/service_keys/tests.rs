#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
use tempfile::TempDir;

use super::*;

const HOUR: Duration = Duration::from_secs(3_600);

fn store() -> (TempDir, KeyStore) {
    let directory = tempfile::tempdir().unwrap();
    let store = KeyStore::open(&directory.path().join("keys.db")).unwrap();
    (directory, store)
}

pub(super) fn scope(service: &str) -> KeyScope {
    KeyScope {
        service: service.to_owned(),
        ..KeyScope::default()
    }
}

fn all_bytes(directory: &Path) -> Vec<u8> {
    let files = std::fs::read_dir(directory).unwrap().flatten();
    files.flat_map(|file| std::fs::read(file.path()).unwrap()).collect()
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

#[test]
fn a_key_is_beyond_guessing_and_only_its_hash_is_kept() {
    let (directory, mut store) = store();
    let made = store.create(scope("billing")).unwrap();
    let text = made.secret.expose().to_owned();
    assert_eq!(text.len(), "claw_sk_".len() + 64, "{text}");
    let id = &made.record.scope.id;
    assert!(id.starts_with("key_") && id.len() == 20, "{id}");
    assert_ne!(store.create(scope("billing")).unwrap().secret.expose(), text);
    assert_eq!(secret::hash_of(&text), Some(made.secret.hash()));

    let kept = all_bytes(directory.path());
    assert!(holds(&kept, id) && holds(&kept, "billing"));
    assert!(!holds(&kept, &text) && !holds(&kept, text.strip_prefix("claw_sk_").unwrap()));
    for shown in [format!("{made:?}"), format!("{:?}", store.list().unwrap())] {
        assert!(!shown.contains("claw_sk_"), "{shown}");
    }
}

#[cfg(unix)]
#[test]
fn the_files_are_their_owners_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let (directory, mut store) = store();
    store.create(scope("billing")).unwrap();
    let mut seen = 0;
    for file in std::fs::read_dir(directory.path()).unwrap().flatten() {
        let mode = file.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{:?}", file.path());
        seen += 1;
    }
    assert!(seen >= 2, "the database and its log");
}

#[test]
fn what_is_kept_reads_back_in_another_process() {
    let (directory, mut store) = store();
    let wanted = KeyScope {
        uses: Some(vec!["summ*".into()]),
        skills: Some(vec!["pr-*".into()]),
        budget: Some("50usd/month".parse().unwrap()),
        rpm: Some(600),
        expires_at_us: Some(time::now_us() + 1_000_000_000),
        ..scope("billing")
    };
    let made = store.create(wanted.clone()).unwrap();
    let other = KeyStore::open(&directory.path().join("keys.db")).unwrap();
    let found = other.list().unwrap();
    assert_eq!(found, vec![made.record.clone()]);
    let expected = KeyScope {
        id: made.record.scope.id.clone(),
        ..wanted
    };
    assert_eq!(other.get(&expected.id).unwrap().scope, expected);
    assert_eq!(made.record.state(time::now_us()), KeyState::Active);
    assert_eq!(made.record.state(i64::MAX), KeyState::Expired);
}

#[test]
fn a_key_that_cannot_be_meant_is_not_made() {
    let (_directory, mut store) = store();
    assert!(matches!(store.create(scope("operator")), Err(KeyError::Scope(_))));
    assert!(matches!(store.create(scope("")), Err(KeyError::Scope(_))));
    for end in [i64::MIN, 0, time::now_us()] {
        let past = KeyScope {
            expires_at_us: Some(end),
            ..scope("billing")
        };
        assert!(matches!(store.create(past), Err(KeyError::Past)), "{end}");
    }
    assert_eq!(store.list().unwrap(), vec![]);
}

#[test]
fn there_is_an_end_to_how_many_keys_there_are() {
    let (_directory, mut store) = store();
    let id = store.create(scope("billing")).unwrap().record.scope.id;
    let fill = format!(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {MOST_KEYS} - 1)
         INSERT INTO service_keys(id, scope, created_at_us) SELECT 'key_' || i, '', 0 FROM n"
    );
    store.connection.execute_batch(&fill).unwrap();
    assert!(matches!(store.create(scope("billing")), Err(KeyError::Full)));
    store.revoke(&id).unwrap();
    assert!(store.create(scope("billing")).is_ok(), "a revoked one makes room");
}

#[test]
fn a_rotation_keeps_what_the_key_is() {
    let (_directory, mut store) = store();
    let made = store.create(scope("billing")).unwrap();
    let id = made.record.scope.id.clone();
    let again = store.rotate(&id, HOUR).unwrap();
    assert_ne!(made.secret.expose(), again.secret.expose());
    assert_eq!(
        (&again.record.scope, again.record.created_at_us),
        (&made.record.scope, made.record.created_at_us)
    );
    assert_eq!(again.record.state(time::now_us()), KeyState::Rotating);
    let until = again.record.overlap_until_us.unwrap();
    assert!(until > time::now_us() + 3_500_000_000 && until <= time::now_us() + 3_600_000_000);
    // A second rotation with a longer overlap does not give the oldest more time.
    let third = store.rotate(&id, HOUR * 24).unwrap();
    assert!(third.record.overlap_until_us.unwrap() > until);
    let first: i64 = store
        .connection
        .query_row(
            "SELECT until_us FROM key_secrets WHERE hash = ?1",
            [made.secret.hash()],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(first, until);
    // None at all: the others are gone at once.
    let last = store.rotate(&id, Duration::ZERO).unwrap();
    assert_eq!(last.record.state(time::now_us()), KeyState::Active);
    let count: i64 = store
        .connection
        .query_row("SELECT count(*) FROM key_secrets", [], |row| row.get(0))
        .unwrap();
    assert_eq!(count, 1);
    assert!(store.rotate(&id, Duration::MAX).is_ok(), "no overflow");
}

#[test]
fn what_is_over_stays_over_and_what_is_unknown_is_named() {
    let (_directory, mut store) = store();
    let id = store.create(scope("billing")).unwrap().record.scope.id;
    let revoked = store.revoke(&id).unwrap();
    assert_eq!(revoked.state(time::now_us()), KeyState::Revoked);
    assert_eq!(store.revoke(&id).unwrap(), revoked, "once is enough");
    let refused = store.rotate(&id, HOUR).unwrap_err();
    assert_eq!(refused.to_string(), format!("the key `{id}` was revoked"));

    let dying = store.create(scope("billing")).unwrap().record.scope;
    let expired = KeyScope {
        expires_at_us: Some(1),
        ..dying.clone()
    };
    let body = serde_json::to_string(&expired).unwrap();
    let update = "UPDATE service_keys SET scope = ?2 WHERE id = ?1";
    store.connection.execute(update, params![dying.id, body]).unwrap();
    let refused = store.rotate(&dying.id, HOUR).unwrap_err();
    assert!(refused.to_string().ends_with("has expired"), "{refused}");

    for wrong in ["", "key_nobody", "' OR 1=1 --", "key_\u{1b}[31m\0", &"x".repeat(1 << 20)] {
        let refused = [
            store.get(wrong).unwrap_err(),
            store.rotate(wrong, HOUR).unwrap_err(),
            store.revoke(wrong).unwrap_err(),
        ];
        for error in refused {
            let text = error.to_string();
            assert!(matches!(error, KeyError::Unknown { .. }), "{text}");
            assert!(text.len() < 128 && !text.contains('\u{1b}'), "{text}");
        }
    }
}

#[test]
fn a_row_that_cannot_be_understood_is_named_and_can_be_revoked() {
    let (_directory, mut store) = store();
    let id = store.create(scope("billing")).unwrap().record.scope.id;
    for bad in ["", "{", "[]", "{\"id\":\"key_other\",\"service\":\"a\"}", "{\"id\":3}"] {
        let update = "UPDATE service_keys SET scope = ?2 WHERE id = ?1";
        store.connection.execute(update, params![id, bad]).unwrap();
        let error = store.list().unwrap_err().to_string();
        assert!(error.contains(&id) && error.contains("claw key revoke"), "{error}");
    }
    store.revoke(&id).unwrap();
    assert_eq!(store.list().unwrap().len(), 1);
}

#[test]
fn foreign_and_later_files_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("keys.db");
    std::fs::write(&path, "not a database, but long enough to be read as one".repeat(40)).unwrap();
    assert!(matches!(KeyStore::open(&path), Err(StoreError::Foreign { .. })));
    let later = directory.path().join("later.db");
    let store = KeyStore::open(&later).unwrap();
    store.connection.execute_batch("PRAGMA user_version=2").unwrap();
    drop(store);
    assert!(matches!(
        KeyStore::open(&later),
        Err(StoreError::NewerFormat { found: 2, .. })
    ));
    let other = directory.path().join("other.db");
    Connection::open(&other).unwrap().execute_batch("CREATE TABLE a(b)").unwrap();
    assert!(matches!(KeyStore::open(&other), Err(StoreError::Foreign { .. })));
}

#[test]
fn many_at_once_make_their_keys_without_losing_one() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("keys.db");
    std::thread::scope(|scope_| {
        for _ in 0..4 {
            scope_.spawn(|| {
                let mut store = KeyStore::open(&path).unwrap();
                for _ in 0..5 {
                    store.create(scope("billing")).unwrap();
                }
            });
        }
    });
    assert_eq!(KeyStore::open(&path).unwrap().list().unwrap().len(), 20);
}
