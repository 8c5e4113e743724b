//! The port: one capability a command, all of them replaced at once when the file changes.

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use async_trait::async_trait;
use claw_core::capability::Payload;
use claw_core::errors::{Code, Fault};
use claw_core::policy::Permit;
use claw_core::ports::{Capabilities, Capability, CapabilityCall, Effects};
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::config::{CapabilitiesFile, ConfigErrors, Environment};
use crate::input::Input;
use crate::load::{Command, Loaded, Rule};
use crate::process::{self, Caps, Captured, NotEnded};
use crate::root::WorkingDirectory;
use crate::{call, git};

/// The commands of this machine, as `capabilities.yaml` allows them.
pub struct ExecCapabilities {
    live: ArcSwap<BTreeMap<String, Arc<Exec>>>,
}

impl ExecCapabilities {
    /// The commands of a file. `env` is where `PATH` and the variables that the file names
    /// are taken from; see [`crate::environment`].
    ///
    /// # Errors
    /// Everything in the file that cannot be. A command that is not installed is none of it.
    pub fn new(file: &CapabilitiesFile, env: &Environment) -> Result<Self, ConfigErrors> {
        Ok(ExecCapabilities {
            live: ArcSwap::from_pointee(offered(file, env)?),
        })
    }

    /// Puts another file in place, whole. Calls that run finish as they began.
    ///
    /// # Errors
    /// As [`ExecCapabilities::new`]; what was live stays live.
    pub fn replace(&self, file: &CapabilitiesFile, env: &Environment) -> Result<(), ConfigErrors> {
        self.live.store(Arc::new(offered(file, env)?));
        Ok(())
    }
}

fn offered(file: &CapabilitiesFile, env: &Environment) -> Result<BTreeMap<String, Arc<Exec>>, ConfigErrors> {
    let loaded = Loaded::check(file, env)?;
    let running = Arc::new(Semaphore::new(loaded.concurrency));
    let offer = |command: Command| {
        let name = format!("exec.{}", command.name);
        let exec = Exec {
            description: format!(
                "runs `{}` with the arguments that {} rules allow",
                command.name,
                command.rules.len()
            ),
            name: name.clone(),
            command,
            running: running.clone(),
        };
        (name, Arc::new(exec))
    };
    Ok(loaded.commands.into_values().map(offer).collect())
}

impl Capabilities for ExecCapabilities {
    fn find(&self, name: &str) -> Option<Arc<dyn Capability>> {
        let exec = self.live.load().get(name)?.clone();
        Some(exec)
    }

    fn list(&self) -> Vec<(String, String)> {
        self.live
            .load()
            .values()
            .map(|exec| (exec.name.clone(), exec.description.clone()))
            .collect()
    }
}

/// `exec.<bin>`.
struct Exec {
    name: String,
    description: String,
    command: Command,
    running: Arc<Semaphore>,
}

/// A call that a rule allows.
struct Allowed<'a> {
    input: Input,
    effects: Effects,
    root: Option<&'a std::path::PathBuf>,
}

#[async_trait]
impl Capability for Exec {
    fn name(&self) -> &str {
        &self.name
    }

    fn description(&self) -> &str {
        &self.description
    }

    fn classify(&self, input: &Payload) -> Result<Effects, Fault> {
        self.allowed(input).map(|allowed| allowed.effects)
    }

    async fn invoke(&self, permit: &Permit, call: CapabilityCall) -> Result<Payload, Fault> {
        if permit.capability() != self.name {
            tracing::error!(
                permit = permit.capability(),
                capability = self.name,
                "a permit for something else"
            );
            return Err(Fault::internal());
        }
        let Allowed { input, root, .. } = self.allowed(&call.input)?;
        let deadline = Instant::from_std(call.deadline);
        let slot = tokio::time::timeout_at(deadline, self.running.acquire()).await;
        let Ok(Ok(_slot)) = slot else {
            let hint = "raise `concurrency` in `capabilities.yaml`, or call less at once";
            return Err(Fault::new(Code::Overloaded, "too many commands are running already")
                .hint(hint)
                .retry_after_ms(1_000));
        };
        self.run(input, root.map(std::path::PathBuf::as_path), deadline).await
    }

    fn act(&self, input: &Payload) -> Result<Value, Fault> {
        let Allowed { input, root, .. } = self.allowed(input)?;
        let binary = self
            .command
            .binary
            .find(&self.command.name)
            .ok_or_else(|| self.not_installed())?;
        let args = self.arguments(root.map(std::path::PathBuf::as_path), input.args);
        Ok(json!({
            "program": binary.to_string_lossy(),
            "args": args.iter().map(|argument| argument.to_string()).collect::<Vec<_>>(),
            "directory": root.map(|root| root.to_string_lossy()),
            "stdin": input.stdin,
        }))
    }
}

impl Exec {
    fn allowed(&self, payload: &Payload) -> Result<Allowed<'_>, Fault> {
        let input = Input::read(&self.name, payload)?;
        let rule = self.rule(&input)?;
        if input.stdin.is_some() && !rule.stdin {
            let hint = format!(
                "set `stdin: true` on `{}` under `commands.{}.allow` in `capabilities.yaml`",
                rule.pattern, self.command.name
            );
            return Err(Fault::new(Code::ExecDenied, "the rule that allows these arguments takes no `stdin`").hint(hint));
        }
        let root = match &input.cwd {
            Some(name) => Some(self.command.roots.get(name).ok_or_else(|| self.no_root(name))?),
            None if self.command.is_git => {
                let message = format!("`{}` needs a `cwd`: the name of a root", self.name);
                return Err(Fault::new(Code::InvalidInput, message).hint(self.roots_hint()));
            }
            None => None,
        };
        Ok(Allowed {
            effects: rule.effects,
            input,
            root,
        })
    }

    fn rule(&self, input: &Input) -> Result<&Rule, Fault> {
        let rule = self.command.rules.iter().find(|rule| rule.pattern.matches(&input.args));
        rule.ok_or_else(|| {
            let message = format!(
                "no rule allows `{}` with these {} arguments",
                self.command.name,
                input.args.len()
            );
            let rules: Vec<String> = self.command.rules.iter().map(|rule| rule.pattern.to_string()).collect();
            let hint = format!("`commands.{}.allow` in `capabilities.yaml` says which are", self.command.name);
            Fault::new(Code::ExecDenied, message)
                .hint(hint)
                .details(json!({"allowed": rules}))
        })
    }

    fn no_root(&self, name: &str) -> Fault {
        let shown: String = name.chars().filter(|c| !c.is_control()).take(64).collect();
        Fault::new(Code::ExecDenied, format!("`{}` has no root called `{shown}`", self.name)).hint(self.roots_hint())
    }

    fn roots_hint(&self) -> String {
        let names: Vec<String> = self.command.roots.keys().map(|name| format!("`{name}`")).collect();
        let known = if names.is_empty() {
            "there is none".to_owned()
        } else {
            format!("there is {}", names.join(", "))
        };
        format!(
            "{known}; `commands.{}.roots` in `capabilities.yaml` names directories",
            self.command.name
        )
    }

    async fn run(&self, input: Input, root: Option<&std::path::Path>, deadline: Instant) -> Result<Payload, Fault> {
        let own = Instant::now() + self.command.timeout;
        let binary = self
            .command
            .binary
            .find(&self.command.name)
            .ok_or_else(|| self.not_installed())?;
        let home = tempfile::Builder::new()
            .prefix("claw-exec-")
            .tempdir()
            .map_err(|error| self.failed("an empty home", &error))?;
        let directory = match root {
            Some(root) => Some(WorkingDirectory::open(root).map_err(|error| self.moved(&error))?),
            None => None,
        };
        let args = self.arguments(root, input.args);
        let cwd = directory
            .as_ref()
            .map_or_else(|| home.path().to_owned(), WorkingDirectory::path);
        let process = call::command(&self.command, &binary, &args, (home.path(), &cwd, root));
        let caps = Caps {
            stdout: self.command.output_bytes,
            stderr: self.command.output_bytes.min(64 << 10),
        };
        let ended = process::run(process, input.stdin, caps, own.min(deadline))
            .await
            .map_err(|why| match why {
                NotEnded::Deadline if own <= deadline => self.too_slow(),
                NotEnded::Deadline => Fault::new(
                    Code::DeadlineExceeded,
                    format!("`{}` took longer than the call had", self.command.name),
                ),
                NotEnded::Start(error) if is_missing(&error) => self.not_installed(),
                NotEnded::Start(error) => self.failed("the start", &error),
                NotEnded::Wait(error) => self.failed("the wait", &error),
            })?;
        let truncated = ended.stdout.cut || ended.stderr.cut;
        let (stdout, lossy_out) = self.text(ended.stdout);
        let (stderr, lossy_err) = self.text(ended.stderr);
        let mut answer = json!({"status": ended.status, "stdout": stdout, "stderr": stderr, "truncated": truncated});
        if let (true, Some(answer)) = (lossy_out || lossy_err, answer.as_object_mut()) {
            answer.insert("lossy".to_owned(), json!(true));
        }
        Ok(Payload::Json(answer))
    }

    fn arguments(&self, root: Option<&std::path::Path>, args: Vec<String>) -> Vec<String> {
        match root.filter(|_| self.command.is_git) {
            Some(root) => git::arguments(root, &args),
            None => args,
        }
    }

    fn text(&self, captured: Captured) -> (String, bool) {
        let mut bytes = self.command.redactor.redact(captured.bytes, captured.cut);
        if captured.cut {
            // A character that the cut went through is no fault of the command's.
            let whole = bytes
                .utf8_chunks()
                .last()
                .filter(|chunk| chunk.invalid().len() < 4)
                .map_or(0, |chunk| chunk.invalid().len());
            bytes.truncate(bytes.len() - whole);
        }
        match String::from_utf8(bytes) {
            Ok(text) => (text, false),
            Err(error) => (String::from_utf8_lossy(error.as_bytes()).into_owned(), true),
        }
    }

    fn not_installed(&self) -> Fault {
        let name = &self.command.name;
        let message = format!("`{name}` is allowed and is not installed on this machine");
        Fault::new(Code::ExecNotInstalled, message).hint(call::how_to_install(name, &self.command.binary))
    }

    fn too_slow(&self) -> Fault {
        let (name, millis) = (&self.command.name, self.command.timeout.as_millis());
        Fault::new(
            Code::ExecTimeout,
            format!("`{name}` did not end within {millis} ms and was killed"),
        )
        .hint(format!(
            "raise `commands.{name}.timeout_ms` in `capabilities.yaml`, or ask for less"
        ))
    }

    fn moved(&self, error: &std::io::Error) -> Fault {
        tracing::warn!(capability = self.name, %error, "a root cannot be opened");
        Fault::new(Code::ExecDenied, "the directory that this root named is gone, or a link now").hint(format!(
            "put it back, or correct `commands.{}.roots` in `capabilities.yaml`",
            self.command.name
        ))
    }

    fn failed(&self, what: &str, error: &std::io::Error) -> Fault {
        tracing::error!(capability = self.name, %error, "{what} failed");
        Fault::internal()
    }
}

fn is_missing(error: &std::io::Error) -> bool {
    matches!(
        error.kind(),
        std::io::ErrorKind::NotFound | std::io::ErrorKind::PermissionDenied
    )
}
