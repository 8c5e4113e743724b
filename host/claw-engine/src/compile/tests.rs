#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use super::*;

async fn shell(script: &str, most: u64) -> Result<Vec<u8>, CompileError> {
    let arguments = ["-c".to_owned(), script.to_owned()];
    // As long as a real one may take: a child that is not ended at its cap ends this too, in other words.
    let program = PathBuf::from("/bin/sh");
    let work = in_child(&program, &arguments, b"component", most);
    tokio::time::timeout(Duration::from_secs(30), work)
        .await
        .unwrap_or_else(|_| Err(CompileError::new("it was waited for")))
}

#[tokio::test]
async fn a_child_that_never_stops_writing_is_ended_at_its_cap() {
    for (script, what) in [
        ("while :; do echo flood; done", "1000 bytes of code"),
        ("while :; do echo flood >&2; done", "65536 bytes of messages"),
    ] {
        let error = shell(script, 1_000).await.unwrap_err();
        assert!(error.to_string().contains(what), "{error}");
        assert!(!error.is_passing());
    }
}

#[tokio::test]
async fn what_a_child_writes_below_its_cap_is_the_artifact() {
    assert_eq!(shell("printf artifact", 8).await.unwrap(), b"artifact");
    let error = shell("printf artifact", 7).await.unwrap_err();
    assert!(error.to_string().contains("more than 7 bytes of code"), "{error}");
}

#[tokio::test]
async fn a_child_that_refuses_says_why() {
    let refused = shell("echo 'error: no good' >&2; exit 1", 8).await.unwrap_err();
    assert_eq!(refused.to_string(), "compiling failed: no good");
    let silent = shell("exit 3", 8).await.unwrap_err();
    assert!(silent.to_string().contains("exit status: 3"), "{silent}");
}

#[tokio::test]
async fn a_child_that_cannot_be_started_says_nothing_of_the_component() {
    let error = in_child(&PathBuf::from("/nowhere/claw"), &[], b"component", 8)
        .await
        .unwrap_err();
    assert!(error.is_passing(), "{error}");
}
