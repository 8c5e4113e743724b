//! The state of one running instance: what it may reach, what it has used, and where its
//! effects go. Made for one run and dropped with it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use claw_core::errors::{Code, Fault};
use claw_core::journal::{Effect, LogLevel};
use claw_core::ports::Run;
use wasmtime::component::ResourceTable;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

use crate::bindings::claw::skill::types;
use crate::files::Files;
use crate::limits::{MAX_HANDLES, MAX_HOST_CALLS, Memory};
use crate::package::Packaged;
use crate::stdio::LogBudget;
use crate::world;

/// A limit that was hit where no error can be returned at once; the next epoch ends the run.
pub(crate) type Flooded = Arc<AtomicBool>;

/// The state of one running instance.
pub(crate) struct Context {
    pub(crate) wasi: WasiCtx,
    pub(crate) table: ResourceTable,
    pub(crate) memory: Memory,
    pub(crate) run: Run,
    pub(crate) files: Files,
    pub(crate) logs: LogBudget,
    pub(crate) host_calls: u64,
    pub(crate) streams: usize,
    pub(crate) output_bytes: u64,
    pub(crate) output_limit: u64,
    flooded: Flooded,
    tripped: Option<Fault>,
    issued: Vec<Fault>,
}

/// The most faults that are remembered for a guest to hand on.
const MAX_ISSUED: usize = 16;

impl Context {
    pub(crate) fn new(run: Run, packaged: Arc<Packaged>) -> Self {
        let flooded = Flooded::default();
        let logs = LogBudget::new(run.journal.clone(), flooded.clone());
        let wasi = world::wasi(&run, &logs, &flooded);
        let mut table = ResourceTable::new();
        table.set_max_capacity(MAX_HANDLES);
        Context {
            wasi,
            table,
            memory: Memory::new((run.limits.memory_mb as usize) << 20),
            files: Files::new(run.grants.clone(), packaged, run.journal.clone()),
            logs,
            host_calls: 0,
            streams: 0,
            output_bytes: 0,
            output_limit: u64::from(run.limits.output_kb) << 10,
            flooded,
            tripped: None,
            issued: Vec::new(),
            run,
        }
    }

    /// Counts a call of an import.
    ///
    /// # Errors
    /// A trap, once the limit is passed.
    pub(crate) fn count_call(&mut self) -> wasmtime::Result<()> {
        self.host_calls += 1;
        if self.host_calls > MAX_HOST_CALLS {
            return Err(self.trip(too_many_calls()));
        }
        Ok(())
    }

    /// Counts bytes that go to the caller.
    ///
    /// # Errors
    /// [`Code::LimitOutput`].
    pub(crate) fn count_output(&mut self, bytes: usize) -> Result<(), Fault> {
        self.output_bytes = self.output_bytes.saturating_add(bytes as u64);
        if self.output_bytes > self.output_limit {
            return Err(output_limit(self.output_limit));
        }
        Ok(())
    }

    /// Ends the run with this fault: the error is a trap for the guest.
    pub(crate) fn trip(&mut self, fault: Fault) -> wasmtime::Error {
        let error = wasmtime::format_err!("{fault}");
        self.tripped.get_or_insert(fault);
        error
    }

    /// The run has hit a limit that ends it.
    pub(crate) fn is_flooded(&self) -> bool {
        self.flooded.load(Ordering::Relaxed)
    }

    /// What ended the run, if a limit did.
    pub(crate) fn tripped(&self) -> Option<Fault> {
        let flood = || self.is_flooded().then(flood);
        self.tripped.clone().or_else(flood).or_else(|| self.memory.tripped().cloned())
    }

    /// A fault as the guest sees it, remembered in case the guest hands it on.
    pub(crate) fn issue(&mut self, fault: Fault) -> types::Error {
        if self.issued.len() < MAX_ISSUED {
            self.issued.push(fault.clone());
        }
        to_guest(fault)
    }

    /// The host's own fault that a guest handed on, if it is one.
    pub(crate) fn issued(&self, code: &str) -> Option<Fault> {
        self.issued.iter().rev().find(|fault| fault.code.as_str() == code).cloned()
    }

    /// Writes the last effects of the run.
    pub(crate) fn finish(&self) {
        self.logs.finish();
        let resources = Effect::Resources {
            peak_memory_bytes: self.memory.peak() as u64,
            host_calls: self.host_calls,
            output_bytes: self.output_bytes,
        };
        self.run.journal.push(resources, 64);
    }

    pub(crate) fn time_left_ms(&self) -> u64 {
        let left = self.run.deadline.saturating_duration_since(Instant::now());
        u64::try_from(left.as_millis()).unwrap_or(u64::MAX)
    }

    pub(crate) fn log(&self, level: LogLevel, message: String, fields: Option<String>) {
        self.logs.write(level, message, fields, "log");
    }
}

impl WasiView for Context {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView {
            ctx: &mut self.wasi,
            table: &mut self.table,
        }
    }
}

fn too_many_calls() -> Fault {
    Fault::new(
        Code::LimitHostCalls,
        format!("the skill made more than {MAX_HOST_CALLS} host calls"),
    )
}

/// The limit that clocks, log lines and standard streams end a run with.
fn flood() -> Fault {
    Fault::new(
        Code::LimitHostCalls,
        "the skill flooded its host with calls: log lines, output lines or clock reads",
    )
}

pub(crate) fn output_limit(limit: u64) -> Fault {
    Fault::new(
        Code::LimitOutput,
        format!("the skill gave out more than its {} KiB", limit >> 10),
    )
    .hint("raise `metadata.claw.limits.output_kb` in its SKILL.md")
}

/// A fault as a case of the contract's `error`.
pub(crate) fn to_guest(fault: Fault) -> types::Error {
    let code = fault.code;
    let message = match &fault.hint {
        Some(hint) => format!("{} ({hint})", fault.message),
        None => fault.message,
    };
    let detail = types::ErrorDetail {
        code: code.as_str().to_owned(),
        message,
        retry_after_ms: fault.retry_after_ms,
    };
    match code {
        Code::PolicyDenied
        | Code::DraftHeld
        | Code::DraftClosed
        | Code::KeyScope
        | Code::GrantMissing
        | Code::GrantUndeclared
        | Code::ExecDenied
        | Code::FilePath
        | Code::ModelAuth => types::Error::Denied(detail),
        Code::InvalidInput
        | Code::ModelInvalidRequest
        | Code::ModelUntranslatable
        | Code::ModelContextExceeded
        | Code::FileExists => types::Error::InvalidInput(detail),
        Code::NotFound | Code::FileNotFound | Code::ModelNotConfigured => types::Error::NotFound(detail),
        Code::Overloaded
        | Code::AuditUnavailable
        | Code::PolicyUnavailable
        | Code::ContextUnavailable
        | Code::KeyRateLimited
        | Code::ModelRateLimited
        | Code::ModelUnavailable
        | Code::ExecNotInstalled
        | Code::IdempotencyInFlight => types::Error::Unavailable(detail),
        Code::DeadlineExceeded | Code::ModelTimeout | Code::ExecTimeout => types::Error::Timeout(detail),
        Code::LimitMemory
        | Code::LimitTable
        | Code::LimitStack
        | Code::LimitOutput
        | Code::LimitHandles
        | Code::LimitHostCalls
        | Code::LimitHostData
        | Code::LimitDepth
        | Code::BudgetExceeded
        | Code::FileTooLarge => types::Error::LimitExceeded(detail),
        Code::Cancelled => types::Error::Cancelled,
        Code::SkillError
        | Code::SkillTrap
        | Code::SkillInvalidOutput
        | Code::IdempotencyMismatch
        | Code::IdempotencyMayHaveExecuted
        | Code::ModelBadAnswer
        | Code::ModelSchemaMismatch
        | Code::FileIo
        | Code::Internal => types::Error::Other(detail),
    }
}
