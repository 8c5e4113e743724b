//! Every way a call can fail, as one closed list of stable codes. Each edge (HTTP, exit
//! code, the guest's contract, the audit row) maps [`Code`] in one exhaustive match, so
//! that a new code breaks the build where it must be thought about.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $name:ident = $text:literal,)+) => {
        /// A stable error code. Texts are never renamed or reused.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum Code {
            $($(#[doc = $doc])+ #[serde(rename = $text)] $name,)+
        }

        impl Code {
            /// All codes, in the order of this file.
            pub const ALL: &[Code] = &[$(Code::$name,)+];

            /// The code as it stands in answers, rows and logs.
            pub fn as_str(self) -> &'static str {
                match self { $(Code::$name => $text,)+ }
            }

            /// What it means, in a sentence, for the reference page.
            pub fn meaning(self) -> &'static str {
                match self { $(Code::$name => concat!($($doc),+),)+ }
            }
        }
    };
}

codes! {
    /// The input does not fit the declared inputs, or is not what the endpoint takes.
    InvalidInput = "invalid_input",
    /// Nothing of this name and version is there: no skill, capability or key.
    NotFound = "not_found",
    /// A policy refuses the call.
    PolicyDenied = "policy.denied",
    /// A rule needs to look through the call and could not, so nothing is done.
    PolicyUnavailable = "policy.unavailable",
    /// The call would act, and waits for somebody's approval.
    DraftHeld = "draft.held",
    /// The draft was approved, rejected or has expired already, or is not what was shown.
    DraftClosed = "draft.closed",
    /// The service's key does not allow this.
    KeyScope = "key.scope",
    /// The service's key has made as many requests as it may for now.
    KeyRateLimited = "key.rate_limited",
    /// A budget is used up; the message says which, and when it begins anew.
    BudgetExceeded = "budget.exceeded",
    /// A context that the call names could not be gathered.
    ContextUnavailable = "context.unavailable",
    /// The skill declares it, and the operator has not allowed it.
    GrantMissing = "grant.missing",
    /// The skill uses what its own SKILL.md does not declare.
    GrantUndeclared = "grant.undeclared",
    /// The skill itself answered with an error of its own.
    SkillError = "skill.error",
    /// The skill's code trapped: a panic, an unreachable, an out-of-bounds access.
    SkillTrap = "skill.trap",
    /// The skill's result does not fit its declared outputs, or is not JSON.
    SkillInvalidOutput = "skill.invalid_output",
    /// The deadline of the call passed.
    DeadlineExceeded = "deadline_exceeded",
    /// The skill asked for more memory than its limit.
    LimitMemory = "limit.memory",
    /// The skill asked for a larger table than its limit.
    LimitTable = "limit.table",
    /// The skill's calls nest deeper than its stack.
    LimitStack = "limit.stack",
    /// The result and everything emitted are larger than the output limit.
    LimitOutput = "limit.output",
    /// The skill holds more handles than its limit.
    LimitHandles = "limit.handles",
    /// The skill made more host calls than its limit.
    LimitHostCalls = "limit.host_calls",
    /// One host call would carry more data than its limit.
    LimitHostData = "limit.host_data",
    /// Calls of calls nest deeper than allowed.
    LimitDepth = "limit.depth",
    /// The caller has gone.
    Cancelled = "cancelled",
    /// Too much is running already; `retry_after_ms` says when to come back.
    Overloaded = "overloaded",
    /// The audit journal cannot be written, so nothing is done.
    AuditUnavailable = "audit.unavailable",
    /// The idempotency key was used before with another request.
    IdempotencyMismatch = "idempotency.mismatch",
    /// A call with the same idempotency key is still running.
    IdempotencyInFlight = "idempotency.in_flight",
    /// A call with the same idempotency key was interrupted; it may have had its effects.
    IdempotencyMayHaveExecuted = "idempotency.may_have_executed",
    /// No entry of `models.yaml` serves this use or model.
    ModelNotConfigured = "model.not_configured",
    /// The provider refuses the key, or none is set.
    ModelAuth = "model.auth",
    /// The provider limits the rate, beyond the retries.
    ModelRateLimited = "model.rate_limited",
    /// The provider cannot be reached or fails, beyond the retries.
    ModelUnavailable = "model.unavailable",
    /// The provider took longer than the call had.
    ModelTimeout = "model.timeout",
    /// The provider refuses the request itself.
    ModelInvalidRequest = "model.invalid_request",
    /// The request is longer than the model's context.
    ModelContextExceeded = "model.context_exceeded",
    /// The request holds something that the provider's dialect has no word for.
    ModelUntranslatable = "model.untranslatable",
    /// The provider's answer cannot be understood.
    ModelBadAnswer = "model.bad_answer",
    /// The model's answer does not fit the schema that was asked for.
    ModelSchemaMismatch = "model.schema_mismatch",
    /// No rule of the operator allows this command with these arguments.
    ExecDenied = "exec.denied",
    /// The command is allowed and is not installed on this machine.
    ExecNotInstalled = "exec.not_installed",
    /// The command did not end in its time and was killed.
    ExecTimeout = "exec.timeout",
    /// The path is not one below a granted name.
    FilePath = "file.path",
    /// No such file or directory.
    FileNotFound = "file.not_found",
    /// The file exists already.
    FileExists = "file.exists",
    /// The file is too large for one call.
    FileTooLarge = "file.too_large",
    /// The operating system refused or failed.
    FileIo = "file.io",
    /// A fault of the host. The cause is in its log, under the invocation's id.
    Internal = "internal",
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A failed call: a code for programs, words for people.
///
/// `message` is a lower-case fragment without a full stop and holds no key and no body.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fault {
    /// What went wrong.
    pub code: Code,
    /// The same, in words.
    pub message: String,
    /// What to change or run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// When to try again, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
    /// More for programs: schema violations, or the skill's own code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<Box<serde_json::Value>>,
}

impl Fault {
    /// A fault of this code, in these words.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Fault {
            code,
            message: message.into(),
            hint: None,
            retry_after_ms: None,
            details: None,
        }
    }

    /// With what to change or run.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// With the time after which to try again.
    #[must_use]
    pub fn retry_after_ms(mut self, millis: u64) -> Self {
        self.retry_after_ms = Some(millis);
        self
    }

    /// With more for programs.
    #[must_use]
    pub fn details(mut self, details: serde_json::Value) -> Self {
        self.details = Some(Box::new(details));
        self
    }

    /// A fault of the host itself; the caller learns no more than that.
    pub fn internal() -> Self {
        Fault::new(Code::Internal, "the gateway failed").hint("its log names the cause under this invocation's id")
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)?;
        match &self.hint {
            Some(hint) => write!(f, "\nhint: {hint}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Fault {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_read_back() {
        let mut seen = std::collections::BTreeSet::new();
        for code in Code::ALL {
            assert!(seen.insert(code.as_str()), "{code} is used twice");
            let read: Result<Code, _> = serde_json::from_value(serde_json::json!(code.as_str()));
            assert_eq!(read.ok(), Some(*code));
        }
    }
}
