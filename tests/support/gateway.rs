//! A real gateway: the program under test, on a home of its own, on a port of its own.

use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{Ran, claw_on, command, guests, run};

/// A key that must never be seen outside: it stands in the environment of every gateway.
pub(crate) const CANARY: &str = "sk-canary-5fd2c1e09b7a4c6d8e3f";

/// How long anything is waited for before a test gives up.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A gateway that runs, until it is dropped.
pub(crate) struct TestGateway {
    child: Option<Child>,
    home: TempDir,
    url: String,
    token: String,
    http: reqwest::Client,
    environment: Vec<(String, String)>,
}

/// An answer of the gateway.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The status.
    pub(crate) status: u16,
    /// The headers.
    pub(crate) headers: reqwest::header::HeaderMap,
    /// The body as JSON, or as a string where it is none.
    pub(crate) body: Value,
}

impl Answer {
    /// The code of a problem.
    pub(crate) fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or_else(|| panic!("no problem: {self:?}"))
    }
}

impl TestGateway {
    /// A gateway on a fresh home with these guests granted all they ask for but files.
    pub(crate) async fn with(guests: &[&str]) -> Self {
        Self::prepared(guests, |_| {}).await
    }

    /// The same, with the home made ready by `prepare` before the gateway starts.
    pub(crate) async fn prepared(guests: &[&str], prepare: impl FnOnce(&Path)) -> Self {
        Self::in_environment(guests, &[], prepare).await
    }

    /// The same, with these variables set beside the usual ones.
    pub(crate) async fn in_environment(guests: &[&str], environment: &[(&str, &str)], prepare: impl FnOnce(&Path)) -> Self {
        let home = tempfile::tempdir().unwrap();
        let onboarded = claw_on(home.path(), &["onboard", "--yes"]);
        assert_eq!(onboarded.code, 0, "{}", onboarded.err);
        for guest in guests {
            std::fs::copy(guests::built(guest), home.path().join("skills").join(format!("{guest}.wasm"))).unwrap();
        }
        prepare(home.path());
        for guest in guests {
            let allowed = claw_on(home.path(), &["skill", "allow", guest, "--all"]);
            assert_eq!(allowed.code, 0, "{}", allowed.err);
        }
        let mut gateway = Self::stopped(home);
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        gateway.environment = environment.iter().map(owned).collect();
        gateway.start().await;
        gateway
    }

    fn stopped(home: TempDir) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let token = std::fs::read_to_string(home.path().join("state/operator.token"))
            .unwrap()
            .trim()
            .to_owned();
        TestGateway {
            child: None,
            home,
            url: String::new(),
            token,
            http,
            environment: Vec::new(),
        }
    }

    /// Starts the gateway on its home, and waits until it is ready.
    pub(crate) async fn start(&mut self) {
        let log = std::fs::File::options()
            .append(true)
            .create(true)
            .open(self.log_path())
            .unwrap();
        let child = command(self.home.path())
            .args(["gateway", "run", "--listen", "127.0.0.1:0"])
            .env("OPENAI_API_KEY", CANARY)
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let pid = child.id();
        self.child = Some(child);
        let found = self.home.path().join("gateway.json");
        let until = Instant::now() + PATIENCE;
        loop {
            let running: Option<Value> = std::fs::read(&found).ok().and_then(|text| serde_json::from_slice(&text).ok());
            if let Some(running) = running.filter(|running| running["pid"] == json!(pid)) {
                self.url = running["url"].as_str().unwrap().to_owned();
                return;
            }
            let ended = self.child.as_mut().unwrap().try_wait().unwrap();
            assert!(
                ended.is_none() && Instant::now() < until,
                "the gateway did not start: {ended:?}\n{}",
                self.log()
            );
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Kills the gateway as a power cut would, but for the disk.
    pub(crate) fn kill(&mut self) {
        let mut child = self.child.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Where it is.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// The operator's token.
    pub(crate) fn token(&self) -> &str {
        &self.token
    }

    /// Its home.
    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }

    /// What it logged.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.log_path()).unwrap_or_default()
    }

    fn log_path(&self) -> std::path::PathBuf {
        self.home.path().join("gateway.log")
    }

    /// Runs `claw` on its home.
    pub(crate) fn claw(&self, arguments: &[&str]) -> Ran {
        claw_on(self.home.path(), arguments)
    }

    /// A request with the operator's token.
    pub(crate) fn request(&self, method: reqwest::Method, path: &str) -> reqwest::RequestBuilder {
        self.http
            .request(method, format!("{}{path}", self.url))
            .bearer_auth(&self.token)
            .timeout(PATIENCE)
    }

    /// Sends a request that was made with [`TestGateway::request`].
    pub(crate) async fn send(&self, request: reqwest::RequestBuilder) -> Answer {
        let answer = request.send().await.unwrap();
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let text = answer.text().await.unwrap();
        assert!(!text.contains(CANARY), "a provider key left the gateway");
        let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
        Answer { status, headers, body }
    }

    /// Invokes a skill.
    pub(crate) async fn invoke(&self, skill: &str, input: Value) -> Answer {
        let request = self
            .request(reqwest::Method::POST, &format!("/v1/skills/{skill}/invoke"))
            .json(&input);
        self.send(request).await
    }

    /// Gets a page.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(self.request(reqwest::Method::GET, path)).await
    }

    /// Waits until `claw skill list` shows what is wanted.
    pub(crate) async fn until_listed(&self, wanted: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        let until = Instant::now() + PATIENCE;
        loop {
            let answer = self.get("/v1/skills").await;
            let skills = answer.body["skills"]
                .as_array()
                .cloned()
                .unwrap_or_else(|| panic!("{answer:?}"));
            if wanted(&skills) {
                return skills;
            }
            assert!(Instant::now() < until, "it never came: {skills:#?}\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// The journal as `claw audit verify` sees it.
    pub(crate) fn verified(&self) -> Value {
        let ran = self.claw(&["audit", "verify", "--json"]);
        serde_json::from_str(&ran.out).unwrap_or_else(|_| panic!("{ran:?}"))
    }
}

impl Drop for TestGateway {
    fn drop(&mut self) {
        let Some(mut child) = self.child.take() else { return };
        let stopped = run(command(self.home.path()).args(["gateway", "stop"]));
        if stopped.code != 0 {
            let _ = child.kill();
        }
        let _ = child.wait();
        if std::thread::panicking() {
            eprintln!("{}", self.log());
            return;
        }
        assert_eq!(stopped.code, 0, "{}", stopped.err);
        let verified = self.verified();
        assert_eq!((&verified["ok"], &verified["open"]), (&json!(true), &json!(0)), "{verified}");
        let log = self.log();
        assert!(!log.contains(CANARY) && !log.contains(&self.token), "a key is in the log");
        assert!(!log.contains("panicked"), "{log}");
        let mirror = std::fs::read_to_string(self.home.path().join("audit.log")).unwrap_or_default();
        assert!(
            !mirror.contains(CANARY) && !mirror.contains(&self.token),
            "a key is in the audit log"
        );
    }
}
