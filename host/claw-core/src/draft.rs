//! What would act outside and waits for somebody's approval. An approval is bound to the hash
//! of exactly what was shown; nobody approves what it proposed itself.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::capability::Payload;
use crate::errors::{Code, Fault};
use crate::grants::hex;
use crate::ids::{InvocationId, NotAnId, TraceParent};
use crate::ports::Verdict;

const PREFIX: &str = "drf_";

/// The id of one draft: that of the invocation that was held, written with `drf_`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DraftId(InvocationId);

impl DraftId {
    /// The draft of this invocation.
    pub fn of(invocation: InvocationId) -> Self {
        DraftId(invocation)
    }

    /// The invocation that was held.
    pub fn invocation(self) -> InvocationId {
        self.0
    }
}

impl fmt::Display for DraftId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id = self.0.to_string();
        write!(f, "{PREFIX}{}", id.trim_start_matches("inv_"))
    }
}

impl fmt::Debug for DraftId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for DraftId {
    type Err = NotAnId;

    fn from_str(text: &str) -> Result<Self, NotAnId> {
        let digits = text.strip_prefix(PREFIX).ok_or(NotAnId)?;
        format!("inv_{digits}").parse().map(DraftId)
    }
}

impl Serialize for DraftId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for DraftId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// How a draft stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DraftState {
    /// It waits.
    Pending,
    /// It was approved, and runs.
    Running,
    /// It ran, and did what it says.
    Done,
    /// It was approved and failed, or policy refused it then.
    Failed,
    /// It was running when the host was killed, and may have had its effects.
    Interrupted,
    /// Somebody said no.
    Rejected,
    /// Nobody decided in time.
    Expired,
}

impl DraftState {
    /// All of them.
    pub const ALL: [DraftState; 7] = [
        DraftState::Pending,
        DraftState::Running,
        DraftState::Done,
        DraftState::Failed,
        DraftState::Interrupted,
        DraftState::Rejected,
        DraftState::Expired,
    ];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            DraftState::Pending => "pending",
            DraftState::Running => "running",
            DraftState::Done => "done",
            DraftState::Failed => "failed",
            DraftState::Interrupted => "interrupted",
            DraftState::Rejected => "rejected",
            DraftState::Expired => "expired",
        }
    }
}

impl FromStr for DraftState {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let state = DraftState::ALL.into_iter().find(|state| state.as_str() == text);
        state.ok_or_else(|| {
            let all: Vec<&str> = DraftState::ALL.iter().map(|state| state.as_str()).collect();
            format!("a state is one of {}", all.join(", "))
        })
    }
}

/// A call that would act, as it was held.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Draft {
    /// Its id.
    pub id: DraftId,
    /// How it stands.
    pub state: DraftState,
    /// Who called.
    pub caller: String,
    /// The public id of the key that was presented, where there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The skill whose sandbox proposed it; absent, its caller did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skill: Option<String>,
    /// How many calls lay above it.
    pub depth: u8,
    /// Its trace, as a W3C `traceparent`.
    pub trace: String,
    /// What would be called.
    pub capability: String,
    /// With what.
    pub input: Payload,
    /// What that comes to on this host: the program, its arguments, the directory.
    pub act: Value,
    /// SHA-256 over the draft's id, capability, input and `act`, hex. An approval names it.
    pub hash: String,
    /// The policies that hold it.
    #[serde(default)]
    pub policies: Vec<Arc<str>>,
    /// When it was proposed, in microseconds since 1970.
    pub created_us: i64,
    /// When it ends undecided.
    pub expires_us: i64,
    /// Who decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided_by: Option<String>,
    /// When.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided_us: Option<i64>,
    /// Why it was rejected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub because: Option<String>,
    /// The invocation that ran it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ran: Option<InvocationId>,
    /// What that answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<Payload>,
    /// What that failed with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<Fault>,
}

impl Draft {
    /// Binds an approval to exactly this.
    pub fn hash_of(id: DraftId, capability: &str, input: &Payload, act: &Value) -> String {
        let mut hasher = Sha256::new();
        hasher.update(b"claw draft v1");
        let input = serde_json::to_vec(input).unwrap_or_default();
        let act = serde_json::to_vec(act).unwrap_or_default();
        for part in [id.to_string().as_bytes(), capability.as_bytes(), &input, &act] {
            // The length first, so that no two lists of parts read the same.
            hasher.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            hasher.update(part);
        }
        hex(&hasher.finalize())
    }

    /// How it stands at a time: who waits beyond its end has expired.
    pub fn state_at(&self, now_us: i64) -> DraftState {
        match self.state {
            DraftState::Pending if now_us >= self.expires_us => DraftState::Expired,
            state => state,
        }
    }

    /// Somebody decided about it.
    pub fn decided(&mut self, verdict: &Verdict) {
        self.state = if verdict.approve {
            DraftState::Running
        } else {
            DraftState::Rejected
        };
        self.decided_by = Some(verdict.by.clone());
        self.decided_us = Some(verdict.at_us);
        self.because.clone_from(&verdict.because);
    }

    /// It ran.
    pub fn finished(&mut self, ran: InvocationId, result: &Result<Payload, Fault>) {
        self.ran = Some(ran);
        self.state = match result {
            Ok(output) => {
                self.output = Some(output.clone());
                DraftState::Done
            }
            Err(fault) => {
                self.fault = Some(fault.clone());
                DraftState::Failed
            }
        };
    }

    /// The trace of the call that was held, or a new one.
    pub fn trace(&self) -> TraceParent {
        TraceParent::continue_or_generate(Some(&self.trace))
    }

    /// Whether somebody may decide about it. A skill's proposal is for whoever approves; what a
    /// caller proposed itself is for everybody else.
    ///
    /// # Errors
    /// [`Code::PolicyDenied`].
    pub fn check_approver(&self, approver: &str) -> Result<(), Fault> {
        if self.skill.is_none() && self.caller == approver {
            return Err(Fault::new(
                Code::PolicyDenied,
                format!("`{}` was proposed by `{approver}` itself, which cannot approve it", self.id),
            )
            .hint("have somebody else approve it: `claw key create --service NAME --approves` makes them a key"));
        }
        Ok(())
    }

    /// Whether it can still be decided, as it was shown.
    ///
    /// # Errors
    /// [`Code::DraftClosed`].
    pub fn check_open(&self, shown: Option<&str>, now_us: i64) -> Result<(), Fault> {
        let state = self.state_at(now_us);
        if state != DraftState::Pending {
            let message = format!("the draft `{}` is {} already", self.id, state.as_str());
            return Err(Fault::new(Code::DraftClosed, message).hint("have its caller propose it again"));
        }
        match shown {
            Some(hash) if hash != self.hash => Err(not_as_shown(self.id)),
            Some(_) | None => Ok(()),
        }
    }
}

/// What would act is not what an approval was about.
pub fn not_as_shown(id: DraftId) -> Fault {
    Fault::new(
        Code::DraftClosed,
        format!("what the draft `{id}` would do now is not what was shown"),
    )
    .hint(format!("look again with `claw draft show {id}`, or reject it"))
}

/// The proof that somebody approved one call, for the decision about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// The draft.
    pub draft: DraftId,
    /// Who approved it.
    pub by: String,
    /// The hash of what was approved.
    pub hash: String,
}

#[cfg(test)]
mod tests;
