//! `claw secret`, from the pipe to the provider.

use std::io::Write as _;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::json;

use super::{ask, is_seen_nowhere, made};
use crate::support::gateway::PATIENCE;
use crate::support::upstream::{KEY, Upstream};
use crate::support::{Ran, TestGateway, claw_on, command};

const STALE: &str = "sk-stale-0b6e2f9d71c34a58";

/// Runs `claw secret …` with this on its standard input.
fn piped(home: &Path, arguments: &[&str], input: &[u8]) -> Ran {
    let mut child = command(home)
        .arg("secret")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A command that refuses does not read, and may have gone.
    let _ = child.stdin.take().unwrap().write_all(input);
    let output = child.wait_with_output().unwrap();
    Ran {
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
        code: output.status.code().unwrap(),
    }
}

#[tokio::test]
async fn a_provider_s_key_is_changed_without_a_restart_and_seen_nowhere() {
    let upstream = Upstream::start().await;
    let mut key = None;
    let gateway = TestGateway::prepared(&[], |home| {
        let models = upstream.models().replace(KEY, "'${secret:openai-prod}'");
        assert!(models.contains("secret:openai-prod") && !models.contains(KEY));
        std::fs::write(home.join("models.yaml"), models).unwrap();
        let ran = piped(
            home,
            &["set", "openai-prod", "--value-stdin"],
            format!("{STALE}\n").as_bytes(),
        );
        assert_eq!(ran.code, 0, "{ran:?}");
        assert!(!format!("{ran:?}").contains(STALE), "{ran:?}");
        key = Some(made(&["create", "--service", "billing"], home));
    })
    .await;
    let key = key.unwrap();
    let answer = ask(&gateway, &key.text, "gpt-test").await;
    assert_eq!(answer.code(), "model.auth", "{answer:?}");
    let sent = upstream.seen().pop().unwrap();
    assert_eq!(
        sent.headers["authorization"],
        format!("Bearer {STALE}"),
        "the value and nothing else"
    );
    assert_eq!(
        (sent.path.as_str(), &sent.body["model"]),
        ("/v1/chat/completions", &json!("gpt-up"))
    );
    let raw = String::from_utf8(sent.raw.to_vec()).unwrap();
    assert!(!raw.contains(STALE) && !raw.contains(&key.text), "{raw}");

    let ran = piped(gateway.home(), &["rotate", "openai-prod", "--value-stdin"], KEY.as_bytes());
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.err.contains("models.gpt-test"), "{ran:?}");
    let until = Instant::now() + PATIENCE;
    while ask(&gateway, &key.text, "gpt-test").await.status != 200 {
        assert!(Instant::now() < until, "the new value is never used");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let list = gateway.claw(&["secret", "list"]).out + &gateway.claw(&["secret", "list", "--json"]).out;
    assert!(list.contains("openai-prod") && list.contains("models.claude-test"), "{list}");
    is_seen_nowhere(&gateway, &[KEY, STALE, &key.text], &list).await;

    // Without it the entry has no key, and says which command gives it one.
    let refused = claw_on(gateway.home(), &["secret", "rm", "openai-prod"]);
    assert_eq!(refused.code, 2, "{refused:?}");
    assert!(
        refused.err.contains("models.gpt-test") && refused.err.contains("--force"),
        "{refused:?}"
    );
    assert_eq!(claw_on(gateway.home(), &["secret", "rm", "openai-prod", "--force"]).code, 0);
    let checked = claw_on(gateway.home(), &["config", "check"]);
    assert!(checked.out.contains("claw secret set openai-prod"), "{checked:?}");
    while ask(&gateway, &key.text, "gpt-test").await.status == 200 {
        assert!(Instant::now() < until, "the old value is used for ever");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_store_that_does_not_open_keeps_the_last_good_values() {
    let upstream = Upstream::start().await;
    let gateway = TestGateway::prepared(&[], |home| {
        let models = upstream.models().replace(KEY, "'${secret:up}'");
        std::fs::write(home.join("models.yaml"), models).unwrap();
        assert_eq!(piped(home, &["set", "up", "--value-stdin"], KEY.as_bytes()).code, 0);
    })
    .await;
    let key = made(&["create", "--service", "billing"], gateway.home());
    std::fs::write(gateway.home().join("state/secrets.sealed"), "claw-secrets 1\nforged").unwrap();
    let until = Instant::now() + PATIENCE;
    while !gateway.log().contains("the last good one stays in force") {
        assert!(Instant::now() < until, "{}", gateway.log());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(ask(&gateway, &key.text, "gpt-test").await.status, 200);
    let checked = claw_on(gateway.home(), &["config", "check"]);
    assert_eq!(checked.code, 64, "{checked:?}");
    assert!(
        checked.out.contains("secrets.sealed") && checked.out.contains("does not open"),
        "{checked:?}"
    );
}

#[test]
fn a_value_is_never_taken_from_the_command_line_and_never_repeated() {
    let directory = tempfile::tempdir().unwrap();
    let home = directory.path();
    assert_eq!(claw_on(home, &["onboard", "--yes"]).code, 0);
    for arguments in [
        &["set", "openai", STALE][..],
        &["set", "openai", STALE, "more"],
        &["set", "openai", "--value", STALE],
        &["set", "openai", &format!("--value={STALE}")],
        &["set", "openai", STALE, "--value-stdin"],
        &["set", &STALE.repeat(2)],
        &["rotate", "openai", STALE],
    ] {
        let ran = piped(home, arguments, b"");
        assert_eq!(ran.code, 2, "{arguments:?}: {ran:?}");
        assert!(
            !ran.err.contains("stale") && !ran.out.contains("stale"),
            "{arguments:?}: {ran:?}"
        );
        assert!(ran.err.contains("not taken from the command line"), "{arguments:?}: {ran:?}");
    }
    let check = |arguments: &[&str], input: &[u8], expected: &str| {
        let ran = piped(home, arguments, input);
        assert_eq!(ran.code, 2, "{arguments:?}: {ran:?}");
        assert!(
            ran.err.contains(expected) && !ran.err.contains("stale"),
            "{arguments:?}: {ran:?}"
        );
    };
    check(&["set", "openai"], STALE.as_bytes(), "--value-stdin");
    check(&["set", "openai", "--value-stdin"], b"", "empty");
    check(&["set", "openai", "--value-stdin"], b"\n", "empty");
    check(&["set", "openai", "--value-stdin"], b"stale\xff", "UTF-8");
    check(
        &["set", "openai", "--value-stdin"],
        format!("{STALE}\n{STALE}\n").as_bytes(),
        "line break",
    );
    check(
        &["set", "openai", "--value-stdin"],
        &vec![b'x'; 1 << 20],
        "more than 16384 bytes",
    );
    check(&["set", "../x", "--value-stdin"], STALE.as_bytes(), "a secret's name");
    check(&["rotate", "nobody", "--value-stdin"], STALE.as_bytes(), "claw secret list");
    check(&["rm", "nobody"], b"", "claw secret list");
    assert!(!home.join("state/secrets.sealed").exists(), "nothing was kept");
}
