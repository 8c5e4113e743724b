//! The skills directory of a running gateway: dropped, replaced, broken and removed files.

use std::os::unix::fs::symlink;

use serde_json::{Value, json};

use crate::support::guests::{built, component};
use crate::support::{TestGateway, claw_on};

fn state<'a>(skills: &'a [Value], file: &str) -> Option<&'a str> {
    skills
        .iter()
        .find(|skill| skill["file"] == json!(file))
        .and_then(|skill| skill["state"].as_str())
}

#[tokio::test]
async fn a_dropped_file_is_live_and_a_removed_one_goes_away() {
    let gateway = TestGateway::with(&[]).await;
    let skills = gateway.home().join("skills");
    assert_eq!(gateway.invoke("echo", json!({})).await.status, 404);

    std::fs::copy(built("echo"), skills.join("echo.wasm")).unwrap();
    gateway.until_listed(|skills| state(skills, "echo.wasm").is_some()).await;
    assert_eq!(
        gateway.invoke("echo", json!({ "a": 1 })).await.body["output"],
        json!({ "a": 1 })
    );
    assert_eq!(gateway.invoke("echo@1.0.0", json!({})).await.status, 200);
    let missing = gateway.invoke("echo@9.9.9", json!({})).await;
    assert_eq!((missing.status, missing.code()), (404, "not_found"));

    std::fs::remove_file(skills.join("echo.wasm")).unwrap();
    gateway.until_listed(<[Value]>::is_empty).await;
    assert_eq!(gateway.invoke("echo", json!({})).await.status, 404);
}

#[tokio::test]
async fn a_file_that_is_written_slowly_is_loaded_when_it_is_whole() {
    use std::io::Write as _;
    let gateway = TestGateway::with(&[]).await;
    let bytes = component("echo");
    let mut file = std::fs::File::create(gateway.home().join("skills/echo.wasm")).unwrap();
    for piece in bytes.chunks(bytes.len() / 8 + 1) {
        file.write_all(piece).unwrap();
        file.flush().unwrap();
        tokio::time::sleep(std::time::Duration::from_millis(60)).await;
    }
    drop(file);
    gateway
        .until_listed(|skills| state(skills, "echo.wasm") == Some("needs_grant") || state(skills, "echo.wasm") == Some("live"))
        .await;
    assert_eq!(gateway.invoke("echo", json!({})).await.status, 200);
}

#[tokio::test]
async fn what_is_no_skill_is_refused_with_a_reason_and_what_was_live_stays() {
    let gateway = TestGateway::with(&["echo"]).await;
    let skills = gateway.home().join("skills");
    let outside = gateway.home().join("outside.wasm");
    std::fs::copy(built("echo"), &outside).unwrap();
    std::fs::write(skills.join("text.wasm"), "not wasm").unwrap();
    std::fs::write(skills.join("native.wasm"), b"\x7fELF\x02\x01\x01\0\0\0\0\0").unwrap();
    std::fs::write(skills.join("empty.wasm"), "").unwrap();
    std::fs::write(skills.join("module.wasm"), b"\0asm\x01\0\0\0").unwrap();
    std::fs::write(skills.join("cut.wasm"), &component("echo")[..5_000]).unwrap();
    std::fs::create_dir(skills.join("folder.wasm")).unwrap();
    symlink(&outside, skills.join("link.wasm")).unwrap();
    // The live file is overwritten with something broken.
    std::fs::write(skills.join("echo.wasm"), "broken").unwrap();

    let files = ["text", "native", "empty", "module", "cut", "folder", "link", "echo"].map(|name| format!("{name}.wasm"));
    let listed = gateway
        .until_listed(|skills| {
            files.iter().all(|file| {
                skills
                    .iter()
                    .any(|skill| skill["file"] == json!(file) && skill["state"] == json!("refused"))
            })
        })
        .await;
    for file in &files {
        let refused = listed
            .iter()
            .find(|skill| skill["file"] == json!(file) && skill["state"] == json!("refused"))
            .unwrap();
        assert!(
            refused["reason"].as_str().is_some_and(|reason| !reason.is_empty()),
            "{refused}"
        );
        assert!(gateway.log().contains(file.as_str()), "{file} is not in the log");
    }
    assert_eq!(
        gateway.invoke("echo", json!({ "still": "here" })).await.body["output"],
        json!({ "still": "here" })
    );
    let shown = gateway.claw(&["skill", "list"]);
    assert!(shown.out.contains("native code"), "{}", shown.out);
}

#[tokio::test]
async fn the_same_version_with_other_code_is_refused() {
    let gateway = TestGateway::with(&["echo"]).await;
    let mut other = component("echo");
    other.extend_from_slice(b"\0\x05\x04note");
    std::fs::write(gateway.home().join("skills/other.wasm"), &other).unwrap();
    let listed = gateway.until_listed(|skills| state(skills, "other.wasm").is_some()).await;
    assert_eq!(state(&listed, "other.wasm"), Some("refused"));
    assert_eq!(state(&listed, "echo.wasm"), Some("live"));
    assert_eq!(gateway.invoke("echo", json!({})).await.status, 200);
}

#[tokio::test]
async fn what_was_refused_for_another_file_is_live_once_that_one_has_gone() {
    let gateway = TestGateway::with(&["echo"]).await;
    let skills = gateway.home().join("skills");
    let mut other = component("echo");
    other.extend_from_slice(b"\0\x05\x04note");
    std::fs::write(skills.join("echo-b.wasm"), &other).unwrap();
    gateway
        .until_listed(|skills| state(skills, "echo-b.wasm") == Some("refused"))
        .await;

    // Removed.
    std::fs::remove_file(skills.join("echo.wasm")).unwrap();
    gateway
        .until_listed(|skills| state(skills, "echo-b.wasm") == Some("live"))
        .await;
    assert_eq!(gateway.invoke("echo@1.0.0", json!({})).await.status, 200);

    // Replaced with another version.
    std::fs::copy(built("echo"), skills.join("echo.wasm")).unwrap();
    gateway
        .until_listed(|skills| state(skills, "echo.wasm") == Some("refused"))
        .await;
    std::fs::write(skills.join("echo-b.wasm"), echo("2.0.0", "")).unwrap();
    gateway
        .until_listed(|skills| state(skills, "echo.wasm") == Some("live") && state(skills, "echo-b.wasm") == Some("live"))
        .await;
    assert_eq!(
        gateway.invoke("echo@1.0.0", json!({})).await.body["skill"],
        json!("echo@1.0.0")
    );
}

#[tokio::test]
async fn a_name_pinned_to_what_is_not_live_means_nothing_else() {
    let gateway = TestGateway::prepared(&["echo"], |home| {
        std::fs::write(home.join("skills/echo-2.wasm"), echo("2.0.0", "")).unwrap();
    })
    .await;
    assert_eq!(claw_on(gateway.home(), &["skill", "allow", "echo", "--pin", "1.0.0"]).code, 0);
    gateway
        .until_listed(|skills| {
            skills
                .iter()
                .any(|skill| skill["version"] == json!("1.0.0") && skill["default"] == json!(true))
        })
        .await;

    std::fs::remove_file(gateway.home().join("skills/echo.wasm")).unwrap();
    let listed = gateway.until_listed(|skills| state(skills, "echo.wasm").is_none()).await;
    assert_eq!(state(&listed, "echo-2.wasm"), Some("live"));
    assert!(listed.iter().all(|skill| skill["default"] == json!(false)), "{listed:?}");
    let answer = gateway.invoke("echo", json!({})).await;
    assert_eq!((answer.status, answer.code()), (404, "not_found"));
    let said = answer.body.to_string();
    for part in [
        "`echo` is pinned to `1.0.0`",
        "claw skill allow echo --pin",
        "grants.yaml",
        "`2.0.0`",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert_eq!(gateway.invoke("echo@2.0.0", json!({})).await.status, 200);
}

#[tokio::test]
async fn a_call_in_flight_finishes_on_what_it_began_with() {
    let gateway = TestGateway::with(&["hostile"]).await;
    let call = gateway.invoke("hostile", json!({ "mode": "sleep", "count": 1_500 }));
    let remove = async {
        // Removed only once the call is in the journal, so that it is certainly under way.
        let until = std::time::Instant::now() + crate::support::gateway::PATIENCE;
        while gateway.verified()["open"] == json!(0) {
            assert!(std::time::Instant::now() < until);
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        std::fs::remove_file(gateway.home().join("skills/hostile.wasm")).unwrap();
        gateway.until_listed(<[Value]>::is_empty).await;
        assert_eq!(gateway.invoke("hostile", json!({ "mode": "ok" })).await.status, 404);
    };
    let (answer, ()) = tokio::join!(call, remove);
    assert_eq!(answer.status, 200, "{answer:?}");
}

/// The echo guest as another version, with `more` in its SKILL.md.
fn echo(version: &str, more: &str) -> Vec<u8> {
    let text = std::fs::read_to_string(crate::support::root().join("tests/guests/echo/SKILL.md")).unwrap();
    let text = text.replace("version: 1.0.0", &format!("version: {version}"));
    let text = text.replace("    idempotent: true", &format!("    idempotent: true\n{more}"));
    claw_engine::package::embed(&component("echo"), &[("SKILL.md".to_owned(), text.into_bytes())].into()).unwrap()
}

#[tokio::test]
async fn a_version_that_asks_for_more_waits_and_the_bare_name_stays() {
    let gateway = TestGateway::with(&["echo"]).await;
    let skills = gateway.home().join("skills");
    std::fs::write(skills.join("echo-2.wasm"), echo("2.0.0", "    model: [general]")).unwrap();
    let listed = gateway.until_listed(|skills| state(skills, "echo-2.wasm").is_some()).await;
    assert_eq!(state(&listed, "echo-2.wasm"), Some("needs_grant"));
    assert_eq!(gateway.invoke("echo", json!({})).await.body["skill"], json!("echo@1.0.0"));
    assert_eq!(
        gateway.invoke("echo@2.0.0", json!({})).await.body["skill"],
        json!("echo@2.0.0")
    );

    // Allowed, the higher version is what the name means.
    assert_eq!(
        claw_on(gateway.home(), &["skill", "allow", "echo", "--model", "general"]).code,
        0
    );
    gateway
        .until_listed(|skills| state(skills, "echo-2.wasm") == Some("live"))
        .await;
    assert_eq!(gateway.invoke("echo", json!({})).await.body["skill"], json!("echo@2.0.0"));

    // Pinned, the lower one is, whatever comes.
    assert_eq!(claw_on(gateway.home(), &["skill", "allow", "echo", "--pin", "1.0.0"]).code, 0);
    std::fs::write(skills.join("echo-3.wasm"), echo("3.0.0", "")).unwrap();
    gateway
        .until_listed(|skills| {
            skills
                .iter()
                .any(|skill| skill["version"] == json!("1.0.0") && skill["default"] == json!(true))
        })
        .await;
    gateway.until_listed(|skills| state(skills, "echo-3.wasm").is_some()).await;
    assert_eq!(gateway.invoke("echo", json!({})).await.body["skill"], json!("echo@1.0.0"));
}
