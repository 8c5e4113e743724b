//! The capabilities as the gateway calls them, over real processes.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may stop at the first surprise"
)]

use std::path::Path;
use std::time::{Duration, Instant};

use claw_core::capability::Payload;
use claw_core::errors::{Code, Fault};
use claw_core::policy::{Permit, PoliciesFile, Policy, Question};
use claw_core::ports::{Capabilities as _, CapabilityCall, Effects};
use serde_json::{Value, json};

use crate::{CapabilitiesFile, ConfigErrors, Environment, ExecCapabilities, environment};

mod config;
mod git;
mod hostile;
mod process;

fn try_load(yaml: &str, env: &Environment) -> Result<ExecCapabilities, ConfigErrors> {
    let file: CapabilitiesFile = serde_yaml::from_str(yaml).unwrap();
    ExecCapabilities::new(&file, env)
}

fn load(yaml: &str) -> ExecCapabilities {
    try_load(yaml, &environment()).unwrap_or_else(|errors| panic!("{errors}"))
}

fn permit(capability: &str) -> Permit {
    let policy = Policy::try_new(&PoliciesFile::default()).unwrap();
    policy.permit(&Question::new("test", capability)).unwrap()
}

async fn call_until(exec: &ExecCapabilities, name: &str, input: Value, deadline: Instant) -> Result<Value, Fault> {
    let capability = exec.find(name).unwrap();
    let input = Payload::Json(input);
    match capability.invoke(&permit(name), CapabilityCall { input, deadline }).await? {
        Payload::Json(value) => Ok(value),
        other => panic!("{other:?}"),
    }
}

async fn call(exec: &ExecCapabilities, name: &str, input: Value) -> Result<Value, Fault> {
    call_until(exec, name, input, Instant::now() + Duration::from_secs(120)).await
}

fn code<T>(result: Result<T, Fault>) -> Option<Code> {
    result.err().map(|fault| fault.code)
}

/// A program that is this script, and the file that offers it with one rule.
fn script(folder: &Path, text: &str) -> String {
    use std::os::unix::fs::PermissionsExt as _;
    let path = folder.join("tool");
    std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    format!(
        "commands:\n  tool:\n    path: {}\n    allow: [{{args: '**', effects: none}}]\n",
        path.display()
    )
}
