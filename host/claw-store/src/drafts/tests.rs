#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use claw_core::ids::TraceParent;
use serde_json::json;

use super::*;
use crate::testing::Home;

fn open(home: &Home) -> DraftStore {
    DraftStore::open(&home.file("drafts.db"), &home.key).unwrap()
}

fn draft(caller: &str, expires_us: i64) -> Draft {
    let id = DraftId::of(InvocationId::generate());
    let input = Payload::Json(json!({"args": ["easy-to-find"]}));
    Draft {
        id,
        state: DraftState::Pending,
        caller: caller.to_owned(),
        key: None,
        skill: None,
        depth: 0,
        trace: TraceParent::generate().to_string(),
        capability: "exec.git".to_owned(),
        hash: Draft::hash_of(id, "exec.git", &input, &json!(1)),
        input,
        act: json!(1),
        policies: Vec::new(),
        created_us: time::now_us(),
        expires_us,
        decided_by: None,
        decided_us: None,
        because: None,
        ran: None,
        output: None,
        fault: None,
    }
}

fn later() -> i64 {
    time::now_us() + 60_000_000
}

fn says(approve: bool) -> Verdict {
    Verdict {
        by: "operator".to_owned(),
        at_us: time::now_us(),
        approve,
        because: None,
    }
}

async fn held(store: &DraftStore, draft: Draft) -> DraftId {
    let id = draft.id;
    store.hold(draft).await.unwrap();
    id
}

async fn ids(store: &DraftStore, caller: Option<&str>, state: Option<DraftState>) -> Vec<DraftId> {
    let wanted = DraftsWanted {
        caller: caller.map(str::to_owned),
        state,
        most: 100,
    };
    store.list(wanted).await.unwrap().into_iter().map(|draft| draft.id).collect()
}

#[tokio::test]
async fn a_draft_outlives_the_process_and_is_sealed() {
    let home = Home::new();
    let store = open(&home);
    let wanted = draft("secret-caller", later());
    let id = held(&store, wanted.clone()).await;
    drop(store);
    for file in std::fs::read_dir(home.folder.path()).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        let found = |text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
        assert!(!found("easy-to-find") && !found("secret-caller"));
    }
    assert_eq!(open(&home).get(id).await.unwrap(), wanted);
    let other = DraftStore::open(&home.file("drafts.db"), &HomeKey::from_bytes([9; 32])).unwrap();
    assert_eq!(other.get(id).await.unwrap_err().code, Code::NotFound);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_decisions_one_counts() {
    let home = Home::new();
    let store = open(&home);
    let id = held(&store, draft("a", later())).await;
    let all = (0..16).map(|place| {
        let store = store.clone();
        tokio::spawn(async move { store.decide(id, says(place % 2 == 0)).await })
    });
    let all: Vec<_> = futures::future::join_all(all).await;
    let (won, lost): (Vec<_>, Vec<_>) = all.into_iter().map(Result::unwrap).partition(Result::is_ok);
    assert_eq!(won.len(), 1);
    assert!(lost.into_iter().all(|lost| lost.unwrap_err().code == Code::DraftClosed));
}

#[tokio::test]
async fn what_ran_says_what_became_of_it_and_what_was_cut_off_too() {
    let home = Home::new();
    let store = open(&home);
    let (done, failed, cut) = (draft("a", later()), draft("a", later()), draft("a", later()));
    let (done, failed, cut) = (held(&store, done).await, held(&store, failed).await, held(&store, cut).await);
    for id in [done, failed, cut] {
        store.decide(id, says(true)).await.unwrap();
    }
    let ran = InvocationId::generate();
    store.finish(done, ran, &Ok(Payload::Json(json!(7)))).await.unwrap();
    store
        .finish(failed, ran, &Err(Fault::new(Code::ExecDenied, "no")))
        .await
        .unwrap();
    drop(store);
    let store = open(&home);
    let done = store.get(done).await.unwrap();
    assert_eq!(
        (done.state, done.output, done.ran),
        (DraftState::Done, Some(Payload::Json(json!(7))), Some(ran))
    );
    let failed = store.get(failed).await.unwrap();
    assert_eq!(
        (failed.state, failed.fault.unwrap().code),
        (DraftState::Failed, Code::ExecDenied)
    );
    assert_eq!(store.get(cut).await.unwrap().state, DraftState::Interrupted);
    assert_eq!(store.decide(cut, says(true)).await.unwrap_err().code, Code::DraftClosed);
}

#[tokio::test]
async fn what_nobody_decided_about_expires() {
    let home = Home::new();
    let store = open(&home);
    let over = held(&store, draft("a", time::now_us() - 1)).await;
    let waits = held(&store, draft("a", later())).await;
    let other = held(&store, draft("b", later())).await;
    assert_eq!(store.get(over).await.unwrap().state, DraftState::Expired);
    assert_eq!(store.decide(over, says(true)).await.unwrap_err().code, Code::DraftClosed);
    assert_eq!(ids(&store, Some("a"), Some(DraftState::Pending)).await, [waits]);
    assert_eq!(ids(&store, None, Some(DraftState::Expired)).await, [over]);
    let mut all = ids(&store, None, None).await;
    all.sort();
    let mut expected = vec![over, waits, other];
    expected.sort();
    assert_eq!(all, expected);
}

#[tokio::test]
async fn no_caller_uses_up_the_room_of_all() {
    let home = Home::new();
    let limits = DraftLimits {
        max_pending: 3,
        max_pending_per_caller: 2,
        ..DraftLimits::default()
    };
    let store = DraftStore::open_with(&home.file("drafts.db"), &home.key, limits).unwrap();
    let first = held(&store, draft("a", later())).await;
    held(&store, draft("a", later())).await;
    assert_eq!(store.hold(draft("a", later())).await.unwrap_err().code, Code::Overloaded);
    held(&store, draft("b", later())).await;
    assert_eq!(store.hold(draft("b", later())).await.unwrap_err().code, Code::Overloaded);
    store.decide(first, says(false)).await.unwrap();
    held(&store, draft("b", later())).await;
}
