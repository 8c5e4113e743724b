#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use claw_core::capability::Payload;
use std::path::PathBuf;

use futures::FutureExt as _;
use tempfile::TempDir;

use super::*;
use crate::testing::tamper;

struct Home {
    folder: TempDir,
}

impl Home {
    fn new() -> Self {
        Home {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("idempotency.db")
    }

    fn open(&self) -> IdempotencyStore {
        self.open_with(IdempotencyLimits::default())
    }

    fn open_with(&self, limits: IdempotencyLimits) -> IdempotencyStore {
        IdempotencyStore::open_with(&self.path(), &HomeKey::from_bytes([7; 32]), limits).unwrap()
    }
}

fn key(key: &str) -> IdempotencyKey {
    IdempotencyKey {
        caller: "ci".to_owned(),
        target: "pr-review-prep@1.0.0".to_owned(),
        key: key.to_owned(),
    }
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(30)
}

fn kept(payload: Payload) -> Result<Kept, Fault> {
    Ok(Kept { payload, offline: false })
}

fn text(text: &str) -> Result<Kept, Fault> {
    kept(Payload::Text(text.to_owned()))
}

async fn fresh(store: &IdempotencyStore, name: &str) -> Box<dyn ClaimedKey> {
    match store.claim(key(name), b"request", soon()).await.unwrap() {
        Claim::Fresh(held) => held,
        Claim::Stored(answer) => unreachable!("stored: {answer:?}"),
        Claim::Refused(fault) => unreachable!("refused: {fault}"),
    }
}

async fn stored(store: &IdempotencyStore, name: &str) -> Result<Kept, Fault> {
    match store.claim(key(name), b"request", soon()).await.unwrap() {
        Claim::Stored(answer) => answer,
        Claim::Fresh(_) => unreachable!("fresh"),
        Claim::Refused(fault) => unreachable!("refused: {fault}"),
    }
}

async fn refused(store: &IdempotencyStore, key: IdempotencyKey, request: &[u8], deadline: Instant) -> Fault {
    match store.claim(key, request, deadline).await.unwrap() {
        Claim::Refused(fault) => fault,
        Claim::Fresh(_) => unreachable!("fresh"),
        Claim::Stored(answer) => unreachable!("stored: {answer:?}"),
    }
}

#[tokio::test]
async fn an_answer_is_kept_over_restarts_for_the_same_request_only() {
    let home = Home::new();
    let store = home.open();
    let json = Payload::Json(serde_json::json!({"b": [1, 2.5, null], "a": "ü"}));
    let answer = Ok(Kept {
        payload: json,
        offline: true,
    });
    fresh(&store, "k").await.store(&answer).await.unwrap();
    assert_eq!(stored(&store, "k").await, answer);
    store.close();
    let store = home.open();
    assert_eq!(stored(&store, "k").await, answer);
    let fault = refused(&store, key("k"), b"another request", soon()).await;
    assert_eq!((fault.code, fault.hint.is_some()), (Code::IdempotencyMismatch, true));
    for other in [
        IdempotencyKey {
            caller: "bot".to_owned(),
            ..key("k")
        },
        IdempotencyKey {
            target: "pr-review-prep@1.0.1".to_owned(),
            ..key("k")
        },
        IdempotencyKey {
            caller: "c".to_owned(),
            target: "ipr-review-prep@1.0.0".to_owned(),
            ..key("k")
        },
    ] {
        assert!(matches!(
            store.claim(other, b"request", soon()).await.unwrap(),
            Claim::Fresh(_)
        ));
    }
}

#[tokio::test]
async fn failures_and_bytes_are_answers_too() {
    let home = Home::new();
    let store = home.open();
    let fault = Fault::new(Code::SkillError, "no such repository")
        .hint("look")
        .details(serde_json::json!({"code": "x"}));
    let bytes = kept(Payload::Bytes {
        mime: "image/png".to_owned(),
        data: vec![0, 255].into(),
    });
    for (name, answer) in [("fault", Err(fault)), ("bytes", bytes)] {
        fresh(&store, name).await.store(&answer).await.unwrap();
        assert_eq!(stored(&store, name).await, answer);
    }
}

#[tokio::test]
async fn a_released_key_can_be_claimed_again() {
    let home = Home::new();
    let store = home.open();
    fresh(&store, "k").await.release().await;
    fresh(&store, "k").await.store(&text("second time")).await.unwrap();
    assert_eq!(stored(&store, "k").await, text("second time"));
}

#[tokio::test]
async fn a_held_key_is_waited_for() {
    let home = Home::new();
    let store = home.open();
    let held = fresh(&store, "k").await;
    let mut waiting: Vec<_> = (0..3).map(|_| stored(&store, "k").boxed()).collect();
    for waiter in &mut waiting {
        assert!(waiter.now_or_never().is_none());
    }
    let once = text("once");
    let (kept, answers) = tokio::join!(held.store(&once), futures::future::join_all(waiting));
    kept.unwrap();
    assert_eq!(answers, vec![text("once"); 3]);
    // Released, the next one in line makes the call, and the others wait for that.
    let held = fresh(&store, "r").await;
    let ((), next) = tokio::join!(held.release(), fresh(&store, "r"));
    drop(next);
}

#[tokio::test]
async fn waiting_ends_at_the_deadline() {
    let home = Home::new();
    let store = home.open();
    let held = fresh(&store, "k").await;
    for _ in 0..3 {
        let fault = refused(&store, key("k"), b"request", Instant::now() + Duration::from_millis(20)).await;
        assert_eq!((fault.code, fault.retry_after_ms), (Code::IdempotencyInFlight, Some(1_000)));
    }
    assert_eq!(
        refused(&store, key("k"), b"other", soon()).await.code,
        Code::IdempotencyMismatch,
        "that needs no waiting"
    );
    let past = store.claim(key("new"), b"request", Instant::now()).await;
    assert!(past.is_err() || matches!(past, Ok(Claim::Refused(_) | Claim::Fresh(_))));
    held.store(&text("done")).await.unwrap();
    assert_eq!(stored(&store, "k").await, text("done"));
}

#[tokio::test]
async fn a_caller_that_hangs_up_leaves_the_key_used() {
    let home = Home::new();
    let store = home.open();
    let held = fresh(&store, "k").await;
    let (fault, ()) = tokio::join!(refused(&store, key("k"), b"request", soon()), async { drop(held) });
    assert_eq!(fault.code, Code::IdempotencyMayHaveExecuted, "also for whoever waited");
    store.close();
    assert_eq!(
        refused(&home.open(), key("k"), b"request", soon()).await.code,
        Code::IdempotencyMayHaveExecuted
    );
}

#[tokio::test]
async fn what_was_held_at_a_crash_may_have_been_executed() {
    let home = Home::new();
    let store = home.open();
    let held = fresh(&store, "k").await;
    store.close();
    let store = home.open();
    let fault = refused(&store, key("k"), b"request", soon()).await;
    assert_eq!((fault.code, fault.hint.is_some()), (Code::IdempotencyMayHaveExecuted, true));
    assert_eq!(
        refused(&store, key("k"), b"other", soon()).await.code,
        Code::IdempotencyMismatch
    );
    assert_eq!(held.store(&text("too late")).await.unwrap_err().code, Code::Internal);
}

#[tokio::test]
async fn a_claim_that_nobody_received_frees_its_key() {
    let home = Home::new();
    let store = home.open();
    // Asked, and gone before the answer could be seen.
    assert!(store.claim(key("k"), b"request", soon()).now_or_never().is_none());
    fresh(&store, "k").await.store(&text("mine")).await.unwrap();
    assert_eq!(stored(&store, "k").await, text("mine"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_at_once_one_makes_the_call() {
    let home = Home::new();
    let store = Arc::new(home.open());
    let made = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let tasks: Vec<_> = (0..64)
        .map(|task| {
            let (store, made) = (store.clone(), made.clone());
            tokio::spawn(async move {
                let name = format!("k{}", task % 4);
                match store.claim(key(&name), b"request", soon()).await.unwrap() {
                    Claim::Fresh(held) => {
                        made.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                        tokio::task::yield_now().await;
                        held.store(&text(&name)).await.unwrap();
                    }
                    Claim::Stored(answer) => assert_eq!(answer, text(&name)),
                    Claim::Refused(fault) => unreachable!("{fault}"),
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(made.load(std::sync::atomic::Ordering::Relaxed), 4);
}

#[tokio::test]
async fn an_answer_beyond_the_limit_leaves_the_key_used() {
    let home = Home::new();
    let store = home.open_with(IdempotencyLimits {
        max_answer_bytes: 100,
        ..IdempotencyLimits::default()
    });
    fresh(&store, "fits").await.store(&text(&"x".repeat(50))).await.unwrap();
    assert_eq!(stored(&store, "fits").await, text(&"x".repeat(50)));
    fresh(&store, "k").await.store(&text(&"x".repeat(200))).await.unwrap();
    let fault = refused(&store, key("k"), b"request", soon()).await;
    assert_eq!(fault.code, Code::IdempotencyMayHaveExecuted);
    assert!(
        fault.message.contains("was made, and its answer of 2") && fault.message.contains("too long"),
        "{fault}"
    );
}

#[tokio::test]
async fn a_full_store_refuses_new_keys_and_knows_the_old_ones() {
    let home = Home::new();
    let store = home.open_with(IdempotencyLimits {
        max_keys: 4,
        max_keys_per_caller: 3,
        ..IdempotencyLimits::default()
    });
    for name in ["a", "b", "c"] {
        fresh(&store, name).await.store(&text(name)).await.unwrap();
    }
    let fault = refused(&store, key("d"), b"request", soon()).await;
    assert_eq!((fault.code, fault.retry_after_ms.is_some()), (Code::Overloaded, true));
    assert_eq!(stored(&store, "a").await, text("a"));
    let other = |caller: &str| IdempotencyKey {
        caller: caller.to_owned(),
        ..key("k")
    };
    let Claim::Fresh(held) = store.claim(other("bot"), b"request", soon()).await.unwrap() else {
        unreachable!()
    };
    assert_eq!(
        refused(&store, other("third"), b"request", soon()).await.code,
        Code::Overloaded,
        "full for all"
    );
    held.release().await;
    assert!(
        matches!(
            store.claim(other("third"), b"request", soon()).await.unwrap(),
            Claim::Fresh(_)
        ),
        "there is room again"
    );
    // The counts are those of the disk after a restart.
    store.close();
    let store = home.open_with(IdempotencyLimits {
        max_keys_per_caller: 3,
        ..IdempotencyLimits::default()
    });
    assert_eq!(refused(&store, key("d"), b"request", soon()).await.code, Code::Overloaded);
}

#[tokio::test]
async fn keys_are_forgotten_when_their_time_is_over_but_not_while_held() {
    let home = Home::new();
    let store = home.open_with(IdempotencyLimits {
        keep: Duration::ZERO,
        max_keys: 2,
        ..IdempotencyLimits::default()
    });
    fresh(&store, "k").await.store(&text("old")).await.unwrap();
    let held = fresh(&store, "k").await;
    let fault = refused(&store, key("k"), b"request", Instant::now() + Duration::from_millis(20)).await;
    assert_eq!(fault.code, Code::IdempotencyInFlight, "the second time it is held");
    held.store(&text("new")).await.unwrap();
    store.close();
    tamper(&home.path(), "UPDATE keys SET claimed_at_us = 0");
    let store = home.open();
    let rows: i64 = rusqlite::Connection::open(home.path())
        .unwrap()
        .query_row("SELECT count(*) FROM keys", [], |row| row.get(0))
        .unwrap();
    assert_eq!(rows, 0, "what is older than a day is gone at the start");
    drop(fresh(&store, "k").await);
}

#[tokio::test]
async fn answers_are_unreadable_on_the_disk() {
    let home = Home::new();
    let store = home.open();
    fresh(&store, "zanzibar").await.store(&text("zanzibar")).await.unwrap();
    for file in std::fs::read_dir(home.folder.path()).unwrap() {
        let path = file.unwrap().path();
        let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&path).unwrap().permissions());
        assert_eq!(mode & 0o077, 0, "{}", path.display());
        assert!(
            !std::fs::read(&path).unwrap().windows(8).any(|window| window == b"zanzibar"),
            "{}",
            path.display()
        );
    }
    store.close();
    // An answer that is moved under another key does not open.
    let store = home.open();
    fresh(&store, "other").await.store(&text("x")).await.unwrap();
    store.close();
    tamper(
        &home.path(),
        "UPDATE keys SET answer = (SELECT answer FROM keys ORDER BY rowid DESC LIMIT 1)",
    );
    let store = home.open();
    let fault = store
        .claim(key("zanzibar"), b"request", soon())
        .await
        .map(|_| ())
        .unwrap_err();
    assert_eq!(fault.code, Code::Internal);
    assert_eq!(stored(&store, "other").await, text("x"));
}

#[tokio::test]
async fn a_store_that_failed_answers_nothing_more() {
    let home = Home::new();
    let store = home.open();
    let held = fresh(&store, "k").await;
    tamper(&home.path(), "DROP TABLE keys");
    assert_eq!(held.store(&text("lost")).await.unwrap_err().code, Code::Internal);
    for name in ["k", "new"] {
        let fault = store.claim(key(name), b"request", soon()).await.map(|_| ()).unwrap_err();
        assert_eq!(
            (fault.code, fault.message.as_str()),
            (Code::Internal, "the store of idempotency keys cannot be used")
        );
    }
}

#[test]
fn a_second_process_and_other_files_are_refused() {
    let home = Home::new();
    let key = HomeKey::from_bytes([7; 32]);
    let store = home.open();
    let refused = IdempotencyStore::open(&home.path(), &key).map(|_| ()).unwrap_err();
    assert!(matches!(refused, StoreError::InUse { .. }), "{refused}");
    drop(store);
    let other = Home::new();
    std::fs::write(other.path(), "no database".repeat(100)).unwrap();
    let refused = IdempotencyStore::open(&other.path(), &key).map(|_| ()).unwrap_err();
    assert!(matches!(refused, StoreError::Foreign { .. }), "{refused}");
}
