//! One invocation: a new store and instance, one call, both dropped. Every way it can end
//! has its own code; a guest that traps is never resumed.

use std::sync::Arc;
use std::time::Instant;

use claw_core::capability::Payload;
use claw_core::errors::{Code, Fault};
use claw_core::ports::Run;
use serde_json::json;
use wasmtime::component::ResourceTableError;
use wasmtime::{PoolConcurrencyLimitError, Store, Trap, UpdateDeadline, WasmBacktrace};

use crate::bindings::SkillPre;
use crate::bindings::claw::skill::types;
use crate::bindings::exports::claw::skill::handler::Request;
use crate::context::{Context, output_limit};
use crate::engine::{Engine, no_place};
use crate::imports::payload;
use crate::limits::{MAX_HANDLES, MAX_HOST_DATA};
use crate::package::Packaged;

/// Runs a linked component once.
///
/// # Errors
/// See [`claw_core::ports::Component::run`].
pub(crate) async fn run(
    engine: &Engine,
    linked: &SkillPre<Context>,
    packaged: Arc<Packaged>,
    run: Run,
) -> Result<Payload, Fault> {
    let deadline = run.deadline;
    let _place = engine.place(deadline).await?;
    let request = Request {
        input: payload::to_guest(run.input.clone()),
        idempotency_key: run.idempotency_key.clone(),
    };
    let mut store = store(engine, Context::new(run, packaged));
    let mut instantiated = false;
    let call = async {
        let instance = linked.instantiate_async(&mut store).await?;
        instantiated = true;
        instance.claw_skill_handler().call_invoke(&mut store, &request).await
    };
    let called = tokio::time::timeout_at(deadline.into(), call).await;
    let context = store.data_mut();
    let result = match called {
        Ok(Ok(Ok(output))) => accept(context, output),
        Ok(Ok(Err(error))) => Err(from_guest(context, error)),
        Ok(Err(error)) => Err(from_trap(context, &error, instantiated)),
        Err(_) => Err(too_late()),
    };
    store.data().finish();
    result
}

fn store(engine: &Engine, context: Context) -> Store<Context> {
    // The result crosses as one host call would; one page more than the limit lets a result
    // that is just too large be named as that.
    let carried = MAX_HOST_DATA
        .max(usize::try_from(context.output_limit).unwrap_or(usize::MAX))
        .saturating_add(64 << 10);
    let mut store = Store::new(engine.wasmtime(), context);
    store.limiter(|context| &mut context.memory);
    store.set_hostcall_fuel(carried);
    store.set_max_component_handles(MAX_HANDLES);
    store.set_epoch_deadline(1);
    store.epoch_deadline_callback(|store| {
        let context = store.data();
        if context.is_flooded() || Instant::now() >= context.run.deadline {
            return Ok(UpdateDeadline::Interrupt);
        }
        Ok(UpdateDeadline::Yield(1))
    });
    store
}

fn too_late() -> Fault {
    Fault::new(Code::DeadlineExceeded, "the skill took longer than the call had")
        .hint("raise `metadata.claw.limits.timeout_ms` in its SKILL.md, or the call's own timeout")
}

/// The result, if it is no larger than allowed and is what it says it is.
fn accept(context: &mut Context, output: types::Payload) -> Result<Payload, Fault> {
    let size = match &output {
        types::Payload::Json(text) | types::Payload::Text(text) => text.len(),
        types::Payload::Bytes(blob) => blob.data.len(),
    };
    context.count_output(size)?;
    payload::from_guest(output)
        .map_err(|fault| Fault::new(Code::SkillInvalidOutput, format!("the skill's answer: {}", fault.message)))
}

/// An error that the guest returned: one of the host's own that it hands on, or its own.
fn from_guest(context: &Context, error: types::Error) -> Fault {
    let (kind, detail) = match error {
        types::Error::Denied(detail) => ("denied", detail),
        types::Error::InvalidInput(detail) => ("invalid_input", detail),
        types::Error::NotFound(detail) => ("not_found", detail),
        types::Error::Unavailable(detail) => ("unavailable", detail),
        types::Error::Timeout(detail) => ("timeout", detail),
        types::Error::LimitExceeded(detail) => ("limit_exceeded", detail),
        types::Error::Other(detail) => ("other", detail),
        types::Error::Cancelled => return Fault::new(Code::Cancelled, "the skill stopped because its caller has gone"),
    };
    if let Some(fault) = context.issued(&detail.code) {
        return fault;
    }
    let message: String = detail.message.chars().filter(|c| !c.is_control()).take(1_000).collect();
    let code: String = detail.code.chars().filter(|c| !c.is_control()).take(128).collect();
    let mut fault = Fault::new(Code::SkillError, message).details(json!({ "kind": kind, "code": code }));
    fault.retry_after_ms = detail.retry_after_ms;
    fault
}

/// What made the guest stop in the middle.
fn from_trap(context: &Context, error: &wasmtime::Error, instantiated: bool) -> Fault {
    let denied = context.memory.tripped();
    let ended = context.tripped().filter(|fault| Some(fault) != denied);
    if let Some(fault) = ended.or_else(|| limit(denied, error, instantiated)) {
        return fault;
    }
    let text = format!("{error:#}");
    if matches!(error.downcast_ref::<ResourceTableError>(), Some(ResourceTableError::Full)) || text.contains("too many handles") {
        return Fault::new(Code::LimitHandles, format!("the skill holds more than {MAX_HANDLES} handles"));
    }
    if text.contains("fuel allocated for hostcalls") {
        // With a backtrace the guest was in the middle of a host call; without, it had returned.
        return if error.downcast_ref::<WasmBacktrace>().is_none() {
            output_limit(context.output_limit)
        } else {
            let carried = (context.output_limit >> 10).max(MAX_HOST_DATA as u64 >> 10);
            Fault::new(Code::LimitHostData, format!("one host call carried more than {carried} KiB"))
        };
    }
    let reason = match error.downcast_ref::<Trap>() {
        Some(trap) => trap.to_string().trim_start_matches("wasm trap: ").to_owned(),
        None => first_line(&error.root_cause().to_string()),
    };
    let words = context.logs.last_words();
    let fault = Fault::new(Code::SkillTrap, format!("the skill trapped: {reason}"));
    let fault = fault.hint("`claw audit show` on the invocation has what it wrote to standard error");
    if words.is_empty() {
        fault
    } else {
        fault.details(json!({ "stderr": words }))
    }
}

/// The limit that this error stands for. Memory that was `denied` ended the guest only where
/// it gave up by itself, or never began: one that went on without it fails for its own reasons.
fn limit(denied: Option<&Fault>, error: &wasmtime::Error, instantiated: bool) -> Option<Fault> {
    if error.is::<PoolConcurrencyLimitError>() {
        return Some(no_place());
    }
    match error.downcast_ref::<Trap>() {
        Some(Trap::Interrupt) => Some(too_late()),
        Some(Trap::StackOverflow) => Some(Fault::new(Code::LimitStack, "the skill's calls nest deeper than its stack")),
        Some(Trap::UnreachableCodeReached) => denied.cloned(),
        _ if !instantiated => denied.cloned(),
        _ => None,
    }
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().chars().take(300).collect()
}

#[cfg(test)]
mod tests;
