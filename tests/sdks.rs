//! The official SDKs of OpenAI and Anthropic, in Python and JavaScript, unmodified, against the
//! gateway with three kinds of provider behind it: every SDK on every kind.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::upstream::Upstream;
use crate::support::{Ran, TestGateway, root, run};

/// Where the SDKs are installed; once, as long as what is wanted stays the same.
fn installed(name: &str, wanted: &Path, install: impl FnOnce(&Path)) -> PathBuf {
    let wanted = std::fs::read_to_string(wanted).unwrap();
    let folder = root().join("target/sdk").join(name);
    let stamp = folder.join("installed");
    if std::fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return folder;
    }
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    install(&folder);
    std::fs::write(stamp, wanted).unwrap();
    folder
}

fn succeeds(command: &mut Command) -> Ran {
    let ran = run(command);
    assert_eq!(ran.code, 0, "{command:?}\n{}\n{}", ran.out, ran.err);
    ran
}

async fn gateway() -> (Upstream, TestGateway) {
    let upstream = Upstream::start().await;
    let models = upstream.models();
    let gateway = TestGateway::prepared(&[], |home| std::fs::write(home.join("models.yaml"), models).unwrap()).await;
    (upstream, gateway)
}

/// The whole command in a thread that may wait.
async fn suite(gateway: &TestGateway, mut command: Command) -> Ran {
    command.env("CLAW_URL", gateway.url()).env("CLAW_KEY", gateway.token());
    tokio::task::spawn_blocking(move || succeeds(&mut command)).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_python_sdks_find_what_they_expect() {
    let folder = root().join("tests/sdk/python");
    let requirements = folder.join("requirements.txt");
    let venv = installed("python", &requirements, |venv| {
        succeeds(Command::new("python3").args(["-m", "venv"]).arg(venv));
        let pip = venv.join("bin/pip");
        succeeds(
            Command::new(pip)
                .args(["install", "--quiet", "--disable-pip-version-check", "-r"])
                .arg(&requirements),
        );
    });
    let (upstream, gateway) = gateway().await;
    let mut command = Command::new(venv.join("bin/python"));
    command
        .arg(folder.join("suite.py"))
        .current_dir(&folder)
        .env("PYTHONDONTWRITEBYTECODE", "1");
    let ran = suite(&gateway, command).await;
    assert!(ran.err.contains("Ran 2") && ran.err.contains("OK"), "{}", ran.err);
    let seen = upstream.seen();
    assert!(
        seen.iter()
            .any(|seen| seen.headers.get("anthropic-beta").is_some_and(|beta| beta == "beta-1"))
    );
    assert!(
        seen.iter().all(|seen| !seen
            .headers
            .iter()
            .any(|(_, value)| value.as_bytes() == gateway.token().as_bytes())),
        "a caller's token went to a provider"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_javascript_sdks_find_what_they_expect() {
    let folder = root().join("tests/sdk/node");
    let lock = folder.join("package-lock.json");
    let installed = installed("node", &lock, |into| {
        for file in ["package.json", "package-lock.json"] {
            std::fs::copy(folder.join(file), into.join(file)).unwrap();
        }
        succeeds(
            Command::new("npm")
                .args(["ci", "--silent", "--no-audit", "--no-fund"])
                .current_dir(into),
        );
    });
    std::fs::copy(folder.join("suite.test.mjs"), installed.join("suite.test.mjs")).unwrap();
    let (upstream, gateway) = gateway().await;
    let mut command = Command::new("node");
    command.args(["--test", "suite.test.mjs"]).current_dir(&installed);
    let ran = suite(&gateway, command).await;
    assert!(ran.out.contains("# pass 26") || ran.out.contains("pass 26"), "{}", ran.out);
    let until = std::time::Instant::now() + crate::support::gateway::PATIENCE;
    while upstream.hung_up() == 0 {
        assert!(
            std::time::Instant::now() < until,
            "the stream that was left was read to its end"
        );
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}
