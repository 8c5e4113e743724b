//! A gateway of the program, as the benches run it.

use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::program::command;

/// A gateway of the program, for as long as it is measured.
pub(crate) struct Gateway {
    /// The process.
    pub(crate) child: Child,
    /// Host and port.
    pub(crate) address: String,
    /// The operator's token.
    pub(crate) token: String,
    /// From its start.
    pub(crate) ready: Duration,
}

impl Gateway {
    /// Starts one on a home, and waits until it listens.
    pub(crate) fn start(home: &Path, arguments: &[&str]) -> Self {
        let _ = std::fs::remove_file(home.join("gateway.json"));
        let began = Instant::now();
        let child = command(home)
            .args(["gateway", "run", "--listen", "127.0.0.1:0"])
            .args(arguments)
            .env("CLAW_LOG", "warn")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let running: Value = loop {
            if let Some(running) = std::fs::read(home.join("gateway.json"))
                .ok()
                .and_then(|text| serde_json::from_slice(&text).ok())
            {
                break running;
            }
            std::thread::sleep(Duration::from_millis(1));
        };
        let ready = began.elapsed();
        let address = running["url"].as_str().unwrap().trim_start_matches("http://").to_owned();
        let token = std::fs::read_to_string(home.join("state/operator.token"))
            .unwrap()
            .trim()
            .to_owned();
        Gateway {
            child,
            address,
            token,
            ready,
        }
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
