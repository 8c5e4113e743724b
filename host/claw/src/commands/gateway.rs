//! `claw gateway run|status|stop`.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use claw_core::audit::Level;
use claw_gateway::{Gateway, Settings};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

use super::Environment;
use crate::cli::{AuditLevel, GatewayCommand, RunArgs};
use crate::client::{self, Client};
use crate::compose::{self, HomeKeys, Host, HostSettings, Operations};
use crate::config::{self, Exec};
use crate::exit::{Exit, Failed};
use crate::home::Running;
use crate::output;

/// Runs the command.
///
/// # Errors
/// See each of them.
pub(super) fn run(command: GatewayCommand, environment: &Environment) -> Result<Exit> {
    match command {
        GatewayCommand::Run(arguments) => {
            log_to_stderr(arguments.log_json);
            let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
            runtime.block_on(serve(&arguments, environment))
        }
        GatewayCommand::Status { json } => super::runtime()?.block_on(status(json, environment)),
        GatewayCommand::Stop => super::runtime()?.block_on(stop(environment)),
    }
}

fn log_to_stderr(as_json: bool) {
    let filter = EnvFilter::try_from_env("CLAW_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let colour = output::Style::stderr().is_coloured();
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(colour);
    // A second subscriber in one process is a test's; the first one stays.
    let _ = if as_json {
        log.json().try_init()
    } else {
        log.with_target(false).try_init()
    };
}

async fn serve(arguments: &RunArgs, environment: &Environment) -> Result<Exit> {
    let started = Instant::now();
    if !arguments.listen.ip().is_loopback() {
        let message = format!("`--listen {}`: tokens would cross the network unencrypted", arguments.listen);
        return Err(Failed::new(Exit::BadConfig, message)
            .hint("this version serves this machine alone; listen on 127.0.0.1 and put a TLS proxy with `--allow-host` in front")
            .into());
    }
    let max_connections = connections(raise_open_files());
    let home = &environment.home;
    let first = super::onboard::set_up(home, &Exec::default())?;
    if !first.is_empty() {
        tracing::info!(home = %home.path().display(), "a new home was set up");
    }
    let lock = home.lock()?;
    let listener = TcpListener::bind(arguments.listen).await.map_err(|error| {
        Failed::new(Exit::Unexpected, format!("cannot listen on {}: {error}", arguments.listen))
            .hint("another program has the port: stop it, or use `--listen 127.0.0.1:0`")
    })?;
    let address = listener.local_addr().context("the socket has no address")?;

    let level = |level| match level {
        AuditLevel::Process => Level::Process,
        AuditLevel::Power => Level::Power,
    };
    let settings = HostSettings {
        audit_models: level(arguments.audit_models),
        audit_skills: level(arguments.audit_skills),
        traces: true,
        ..HostSettings::standard()?
    };
    let mut host = Host::open(home, settings)?;
    host.start().await;
    let gateway = Gateway {
        doors: host.doors.clone(),
        skills: host.catalog.clone(),
        capabilities: host.capabilities.clone(),
        identity: compose::identity(home)?,
        operations: std::sync::Arc::new(Operations::of(&host)),
        keys: std::sync::Arc::new(HomeKeys::of(home)),
        calls: host.calls.clone(),
        contexts: host.contexts.clone(),
        settings: Settings {
            allowed_hosts: arguments.allow_host.clone(),
            allowed_origins: arguments.allow_origin.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            max_connections,
            ..Settings::default()
        },
    };
    let url = format!("http://{address}");
    lock.announce(&Running {
        url: url.clone(),
        pid: std::process::id(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    })?;
    tracing::info!(url, ready_ms = started.elapsed().as_millis(), "ready");
    claw_gateway::serve(listener, gateway, stopped()).await?;
    host.close().await?;
    drop(lock);
    tracing::info!("stopped");
    Ok(Exit::Ok)
}

/// As many descriptors as a gateway ever needs; commands that it runs are given them too,
/// and some look at each.
const MAX_OPEN_FILES: u64 = 65_536;
/// The most connections at once, however many descriptors there are.
const MAX_CONNECTIONS: u64 = 8192;

/// Raises the bound on open files towards what this process may have, and gives what it is
/// afterwards.
fn raise_open_files() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    let (Some(soft), hard) = (limit.current, limit.maximum) else {
        return u64::MAX;
    };
    let wanted = hard.unwrap_or(u64::MAX).min(MAX_OPEN_FILES);
    if wanted <= soft {
        return soft;
    }
    let raised = Rlimit {
        current: Some(wanted),
        maximum: hard,
    };
    match setrlimit(Resource::Nofile, raised) {
        Ok(()) => wanted,
        Err(error) => {
            tracing::warn!(%error, soft, wanted, "the bound on open files stays as it is");
            soft
        }
    }
}

/// How many connections leave half of the descriptors to everything else.
fn connections(open_files: u64) -> usize {
    usize::try_from((open_files / 2).clamp(1, MAX_CONNECTIONS)).unwrap_or(1)
}

/// Resolves when this process is asked to end.
async fn stopped() {
    let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate())) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}

async fn status(as_json: bool, environment: &Environment) -> Result<Exit> {
    let running = environment.home.running();
    let url = client::url(environment);
    let ready = match &url {
        Some(_) => match Client::connect(environment) {
            Ok(client) => client.get("/v1/skills").await.map_err(|error| format!("{error:#}")),
            Err(error) => Err(format!("{error:#}")),
        },
        None => Err("no gateway runs on this home".to_owned()),
    };
    let mistakes = config::load(&environment.home).err();
    let report = json!({
        "running": ready.is_ok(),
        "url": url,
        "pid": running.as_ref().map(|running| running.pid),
        "version": running.as_ref().map(|running| &running.version),
        "home": environment.home.path(),
        "skills": ready.as_ref().ok().and_then(|answer| answer.get("skills")).and_then(Value::as_array).map(Vec::len),
        "config_mistakes": mistakes.as_ref().map(|mistakes| &mistakes.0),
        "error": ready.as_ref().err(),
    });
    let exit = if ready.is_ok() { Exit::Ok } else { Exit::Unreachable };
    if as_json {
        output::json(&report);
        return Ok(exit);
    }
    match ready {
        Ok(answer) => {
            let skills = answer.get("skills").and_then(Value::as_array).map_or(0, Vec::len);
            let pid = running.map_or_else(String::new, |running| {
                format!(", pid {}, version {}", running.pid, running.version)
            });
            output::line(format!("running at {}{pid}, {skills} skills", url.unwrap_or_default()));
        }
        Err(error) => output::line(format!("not running: {error}")),
    }
    if let Some(mistakes) = mistakes {
        output::line(format!(
            "the configuration has mistakes, the last good one is in force:\n{mistakes}"
        ));
    }
    Ok(exit)
}

/// How long `stop` waits for the gateway to be gone.
const STOP_WAIT: Duration = Duration::from_secs(30);

async fn stop(environment: &Environment) -> Result<Exit> {
    let client = Client::connect(environment)?;
    client.post("/v1/admin/shutdown", &json!({}), &[]).await?;
    let until = Instant::now() + STOP_WAIT;
    while environment.gateway.is_none() && environment.home.running().is_some() {
        if Instant::now() > until {
            return Err(Failed::new(Exit::Unexpected, "the gateway was told to stop and is still there").into());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    output::note(format!("stopped {}", client.url()));
    Ok(Exit::Ok)
}

#[cfg(test)]
mod tests;
