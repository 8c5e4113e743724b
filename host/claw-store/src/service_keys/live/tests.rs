#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
use claw_core::keys::KeyScope;
use tempfile::TempDir;

use super::super::tests::scope;
use super::super::{KeyStore, Made};
use super::*;

const NEVER: Duration = Duration::from_secs(86_400);

struct Bench {
    _directory: TempDir,
    path: PathBuf,
    store: KeyStore,
    live: ServiceKeys,
}

fn bench() -> Bench {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("keys.db");
    Bench {
        store: KeyStore::open(&path).unwrap(),
        live: ServiceKeys::open_with(&path, NEVER).unwrap(),
        path,
        _directory: directory,
    }
}

impl Bench {
    /// As the first request after a quiet moment sees it.
    fn knows(&self, presented: &str) -> Option<Caller> {
        self.live.looked_us.store(0, Ordering::Release);
        self.live.authenticate(presented)
    }

    fn make(&mut self) -> Made {
        self.store.create(scope("billing")).unwrap()
    }
}

#[test]
fn a_key_that_another_process_makes_works_at_the_next_request() {
    let mut bench = bench();
    let made = bench.make();
    let caller = bench.knows(made.secret.expose()).unwrap();
    assert_eq!((caller.subject.as_str(), caller.operator), ("billing", false));
    assert_eq!(caller.key.as_deref(), Some(&made.record.scope));
    assert!(!format!("{caller:?}").contains("claw_sk_"));
    let again = ServiceKeys::open_with(&bench.path, NEVER).unwrap();
    assert_eq!(again.authenticate(made.secret.expose()), Some(caller), "after a restart");
}

#[test]
fn what_is_nearly_a_key_is_none() {
    let mut bench = bench();
    let made = bench.make();
    let good = made.secret.expose();
    let id = &made.record.scope.id;
    for wrong in [
        "",
        "claw_sk_",
        id,
        &good[..good.len() - 1],
        &good[1..],
        &format!("{good}0"),
        &format!(" {good}"),
        &format!("{good}\n"),
        &good.to_uppercase(),
        &good.replace("claw_sk_", "claw_op_"),
        &format!("claw_sk_{}", "0".repeat(64)),
        &format!("claw_sk_{}", "é".repeat(32)),
        &"x".repeat(1 << 20),
        "\0\u{202e}😀",
    ] {
        assert_eq!(bench.knows(wrong), None, "{:.80}", wrong);
    }
    // Every other last digit is another key.
    let (front, last) = good.split_at(good.len() - 1);
    for digit in "0123456789abcdef".chars().filter(|digit| digit.to_string() != last) {
        assert_eq!(bench.knows(&format!("{front}{digit}")), None);
    }
    assert!(bench.knows(good).is_some());
}

#[test]
fn a_hash_whose_first_half_is_right_is_not_enough() {
    let mut bench = bench();
    let made = bench.make();
    let good = made.secret.expose();
    assert!(bench.knows(good).is_some());
    let mut hash = secret::hash_of(good).unwrap();
    *hash.last_mut().unwrap() ^= 1;
    let other = rusqlite::Connection::open(&bench.path).unwrap();
    other.execute("UPDATE key_secrets SET hash = ?1", [hash]).unwrap();
    assert_eq!(bench.knows(good), None);
}

#[test]
fn a_revoked_key_ends_and_its_siblings_do_not() {
    let mut bench = bench();
    let (one, two) = (bench.make(), bench.make());
    assert!(bench.knows(one.secret.expose()).is_some());
    bench.store.revoke(&one.record.scope.id).unwrap();
    assert_eq!(bench.knows(one.secret.expose()), None);
    assert!(bench.knows(two.secret.expose()).is_some());
}

#[test]
fn both_secrets_work_during_the_overlap_and_the_old_one_ends_by_itself() {
    let mut bench = bench();
    let old = bench.make();
    let id = old.record.scope.id.clone();
    let new = bench.store.rotate(&id, Duration::from_secs(3_600)).unwrap();
    let callers = [&old, &new].map(|made| bench.knows(made.secret.expose()).unwrap());
    assert_eq!(callers.first(), callers.last(), "they are one key");
    // Its time passes without anybody changing a row.
    let other = rusqlite::Connection::open(&bench.path).unwrap();
    let soon = "UPDATE key_secrets SET until_us = ?1 WHERE until_us IS NOT NULL";
    other.execute(soon, [time::now_us() + 30_000_000]).unwrap();
    assert!(bench.knows(old.secret.expose()).is_some());
    other.execute(soon, [time::now_us() - 1]).unwrap();
    assert_eq!(bench.knows(old.secret.expose()), None);
    assert!(bench.knows(new.secret.expose()).is_some());
}

#[test]
fn a_key_ends_at_its_time_without_a_change_on_the_disk() {
    let mut bench = bench();
    let end = time::now_us() + 60_000_000;
    let dying = KeyScope {
        expires_at_us: Some(end),
        ..scope("billing")
    };
    let made = bench.store.create(dying).unwrap();
    let new = bench.store.rotate(&made.record.scope.id, NEVER).unwrap();
    for made in [&made, &new] {
        let check = |now_us: i64, expected: bool| {
            let found = bench.live.authenticate_at(made.secret.expose(), now_us);
            assert_eq!(found.is_some(), expected, "{}", now_us - end);
        };
        check(end - 1, true);
        check(end, false);
        check(i64::MAX, false);
        check(end - 1, true);
    }
}

#[test]
fn a_look_is_made_once_in_ten_milliseconds_however_many_ask() {
    let mut bench = bench();
    let made = bench.make();
    assert!(bench.knows(made.secret.expose()).is_some());
    let looked = bench.live.looked_us.load(Ordering::Acquire);
    let until = bench.live.started + Duration::from_micros(looked) + LOOK_EVERY;
    while Instant::now() + Duration::from_millis(1) < until {
        let _ = bench.live.authenticate(made.secret.expose());
        let seen = bench.live.looked_us.load(Ordering::Acquire);
        assert!(seen == looked || Instant::now() >= until, "looked too early");
    }
}

#[test]
fn a_store_that_cannot_be_read_knows_nobody_until_it_can() {
    let mut bench = bench();
    let made = bench.make();
    assert!(bench.knows(made.secret.expose()).is_some());
    let other = rusqlite::Connection::open(&bench.path).unwrap();
    other.execute_batch("ALTER TABLE key_secrets RENAME TO gone").unwrap();
    assert_eq!(bench.knows(made.secret.expose()), None);
    assert_eq!(bench.knows(made.secret.expose()), None);
    other.execute_batch("ALTER TABLE gone RENAME TO key_secrets").unwrap();
    assert!(bench.knows(made.secret.expose()).is_some());
    // Another file in its place is not mixed with this one's log.
    std::fs::rename(&bench.path, bench.path.with_extension("moved")).unwrap();
    assert_eq!(bench.knows(made.secret.expose()), None);
    std::fs::rename(bench.path.with_extension("moved"), &bench.path).unwrap();
    assert!(bench.knows(made.secret.expose()).is_some());
}

#[test]
fn one_bad_row_refuses_one_key() {
    let mut bench = bench();
    let (one, two) = (bench.make(), bench.make());
    let other = rusqlite::Connection::open(&bench.path).unwrap();
    let update = "UPDATE service_keys SET scope = '{\"id\":\"x\"' WHERE id = ?1";
    other.execute(update, [&one.record.scope.id]).unwrap();
    assert_eq!(bench.knows(one.secret.expose()), None);
    assert!(bench.knows(two.secret.expose()).is_some());
}

#[test]
fn the_last_use_is_written_down_at_the_end_also_of_a_key_that_was_revoked() {
    let mut bench = bench();
    let (one, two, idle) = (bench.make(), bench.make(), bench.make());
    let before_us = time::now_us();
    for made in [&one, &two] {
        assert!(bench.knows(made.secret.expose()).is_some());
    }
    bench.store.revoke(&one.record.scope.id).unwrap();
    assert_eq!(bench.knows(one.secret.expose()), None);
    let Bench { store, live, .. } = bench;
    drop(live);
    let used = |made: &Made| store.get(&made.record.scope.id).unwrap().last_used_at_us;
    assert!(used(&one) >= Some(before_us) && used(&two) >= Some(before_us));
    assert_eq!(used(&idle), None);
}

#[test]
fn uses_are_written_down_while_the_gateway_runs() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("keys.db");
    let mut store = KeyStore::open(&path).unwrap();
    let made = store.create(scope("billing")).unwrap();
    let live = ServiceKeys::open_with(&path, Duration::from_millis(5)).unwrap();
    assert!(live.authenticate(made.secret.expose()).is_some());
    let until = Instant::now() + Duration::from_secs(60);
    while store.get(&made.record.scope.id).unwrap().last_used_at_us.is_none() {
        assert!(Instant::now() < until, "it is never written");
        std::thread::sleep(Duration::from_millis(2));
    }
    assert!(
        live.authenticate(made.secret.expose()).is_some(),
        "its own writing changes nothing"
    );
}

#[test]
fn a_new_key_works_at_once_whoever_else_is_looking() {
    let mut bench = bench();
    for _ in 0..50 {
        let made = bench.make();
        let presented = made.secret.expose();
        let start = std::sync::Barrier::new(8);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    start.wait();
                    assert!(bench.live.authenticate(presented).is_some(), "it was refused to one of them");
                });
            }
        });
    }
}
