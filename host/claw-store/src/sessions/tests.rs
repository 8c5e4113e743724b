#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use claw_core::model::Role;

use super::*;
use crate::testing::Home;

fn turn(role: Role, text: &str) -> Turn {
    Turn {
        role,
        text: text.to_owned(),
    }
}

fn open(home: &Home) -> Sessions {
    Sessions::open(&home.file("sessions.db"), &home.key).unwrap()
}

async fn texts(sessions: &Sessions, caller: &str, session: &str, limits: SessionLimits) -> Vec<String> {
    let turns = sessions.turns(caller, session, limits).await.unwrap();
    turns.into_iter().map(|turn| turn.text).collect()
}

#[tokio::test]
async fn a_session_is_its_callers_alone_and_outlives_the_process() {
    let home = Home::new();
    let limits = SessionLimits::default();
    let sessions = open(&home);
    let said = vec![turn(Role::User, "q"), turn(Role::Assistant, "a")];
    sessions.remember("ann", "s", said, limits).await.unwrap();
    drop(sessions);
    let sessions = open(&home);
    assert_eq!(texts(&sessions, "ann", "s", limits).await, ["q", "a"]);
    for (caller, session) in [("bob", "s"), ("ann", "t"), ("an", "ns")] {
        assert!(
            texts(&sessions, caller, session, limits).await.is_empty(),
            "{caller} {session}"
        );
    }
}

#[tokio::test]
async fn what_was_said_is_sealed_on_the_disk() {
    let home = Home::new();
    let sessions = open(&home);
    let said = vec![turn(Role::User, "a-secret-that-is-easy-to-find")];
    sessions
        .remember("ann", "session-name", said, SessionLimits::default())
        .await
        .unwrap();
    drop(sessions);
    for file in std::fs::read_dir(home.folder.path()).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        let found = |text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
        assert!(!found("easy-to-find") && !found("session-name"));
    }
    let other = HomeKey::from_bytes([9; 32]);
    let sessions = Sessions::open(&home.file("sessions.db"), &other).unwrap();
    assert!(
        texts(&sessions, "ann", "session-name", SessionLimits::default())
            .await
            .is_empty()
    );
}

#[tokio::test]
async fn limits_are_kept() {
    let home = Home::new();
    let sessions = open(&home);
    let limits = SessionLimits {
        max_turns: 3,
        max_turn_bytes: 5,
        ..SessionLimits::default()
    };
    for text in ["1", "2", "3", "4", "füß-long"] {
        sessions
            .remember("ann", "s", vec![turn(Role::User, text)], limits)
            .await
            .unwrap();
    }
    assert_eq!(texts(&sessions, "ann", "s", limits).await, ["3", "4", "füß"]);
    let id = sessions.inner.id("ann", "s");
    let later = now_s() + i64::try_from(limits.keep.as_secs()).unwrap() + 1;
    assert!(sessions.inner.read(&id, limits, later).unwrap().is_empty());
    sessions.inner.add(&id, vec![turn(Role::User, "new")], limits, later).unwrap();
    let kept: i64 = {
        let connection = sessions.inner.connection.lock().unwrap();
        connection
            .query_row("SELECT count(*) FROM turns", [], |row| row.get(0))
            .unwrap()
    };
    assert_eq!(kept, 1, "what is too old is gone from the disk");
}

#[test]
fn a_file_of_something_else_is_refused() {
    let home = Home::new();
    std::fs::write(
        home.file("sessions.db"),
        "not a database, but long enough to look like none of them at all",
    )
    .unwrap();
    assert!(matches!(
        Sessions::open(&home.file("sessions.db"), &home.key),
        Err(StoreError::Foreign { .. } | StoreError::Sqlite { .. })
    ));
}
