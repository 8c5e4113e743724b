//! What waits for approval, at the doors: held, approved, rejected. An approved call is made by
//! the host, after a decision of its own; the sandbox that proposed it is long gone.

use serde_json::{Value, json};

use super::{Invocation, OpenDoor};
use crate::capability::Target;
use crate::draft::{Approval, Draft, DraftId, DraftState, not_as_shown};
use crate::errors::{Code, Fault};
use crate::ids::InvocationId;
use crate::policy::Decision;
use crate::ports::{Drafts, DraftsWanted, Verdict};

/// The longest reason that is kept, in characters.
const LONGEST_REASON: usize = 1_000;

impl OpenDoor<'_> {
    fn drafts(&self) -> &dyn Drafts {
        &*self.collaborators().drafts
    }

    /// Keeps a call that would act until somebody approves it; gives what its caller is told.
    pub(super) async fn hold(&self, call: &Invocation, decision: &Decision, act: &Value) -> Fault {
        let id = DraftId::of(call.id);
        let capability = call.target.to_string();
        let created_us = call.id.unix_us();
        let expire = self.collaborators().policy.load().drafts().expire.0;
        let expires_us = created_us.saturating_add(i64::try_from(expire.as_micros()).unwrap_or(i64::MAX));
        let hash = Draft::hash_of(id, &capability, &call.input, act);
        let draft = Draft {
            id,
            state: DraftState::Pending,
            caller: call.caller.clone(),
            key: call.key.as_ref().map(|key| key.id.clone()),
            skill: call.skill.clone(),
            depth: call.depth,
            trace: call.trace.to_string(),
            capability: capability.clone(),
            input: call.input.clone(),
            act: act.clone(),
            hash: hash.clone(),
            policies: decision.held_by.clone(),
            created_us,
            expires_us,
            decided_by: None,
            decided_us: None,
            because: None,
            ran: None,
            output: None,
            fault: None,
        };
        if let Err(fault) = self.drafts().hold(draft).await {
            return fault;
        }
        Fault::new(
            Code::DraftHeld,
            format!("`{capability}` would act, and waits for approval as the draft `{id}`"),
        )
        .hint(format!(
            "`claw draft show {id}` says what it would do; an operator approves or rejects it"
        ))
        .details(json!({ "draft": id, "hash": hash, "policies": decision.held_by }))
    }

    /// One draft.
    ///
    /// # Errors
    /// [`Code::NotFound`], also where it is not this caller's.
    pub async fn draft(&self, id: DraftId, of: Option<&str>) -> Result<Draft, Fault> {
        let draft = self.drafts().get(id).await?;
        match of {
            Some(caller) if caller != draft.caller => Err(no_such(id)),
            Some(_) | None => Ok(draft),
        }
    }

    /// Drafts, newest first.
    ///
    /// # Errors
    /// They cannot be read.
    pub async fn list_drafts(&self, wanted: DraftsWanted) -> Result<Vec<Draft>, Fault> {
        self.drafts().list(wanted).await
    }

    /// Approves a draft and makes its call. `shown` is the hash of what the approver saw.
    ///
    /// # Errors
    /// [`Code::DraftClosed`] where it is decided already or is not what was shown,
    /// [`Code::PolicyDenied`] where the approver proposed it. What the call itself fails with is
    /// in the draft.
    pub async fn approve(&self, id: DraftId, shown: &str, by: &str) -> Result<Draft, Fault> {
        let draft = self.drafts().get(id).await?;
        draft.check_approver(by)?;
        draft.check_open(Some(shown), now_us())?;
        self.check_same(&draft)?;
        let draft = self.drafts().decide(id, verdict(by, true, None)).await?;
        let call = Invocation {
            id: InvocationId::generate(),
            parent: Some(id.invocation()),
            trace: draft.trace(),
            caller: draft.caller,
            key: None,
            skill: draft.skill,
            depth: draft.depth,
            target: Target::Capability(draft.capability),
            input: draft.input,
            deadline: None,
            idempotency_key: None,
            events: None,
            approval: Some(Approval {
                draft: id,
                by: by.to_owned(),
                hash: draft.hash,
            }),
        };
        let ran = call.id;
        let result = self.invoke(call).await.map(|output| output.payload);
        self.drafts().finish(id, ran, &result).await
    }

    /// Says no to a draft.
    ///
    /// # Errors
    /// [`Code::DraftClosed`] where it is decided already.
    pub async fn reject(&self, id: DraftId, by: &str, because: Option<String>) -> Result<Draft, Fault> {
        self.drafts().decide(id, verdict(by, false, because)).await
    }

    /// What would act now is what was shown: the program, its arguments and its directory.
    fn check_same(&self, draft: &Draft) -> Result<(), Fault> {
        let capability = self.collaborators().capabilities.find(&draft.capability);
        let capability = capability.ok_or_else(|| not_as_shown(draft.id))?;
        let act = capability.act(&draft.input)?;
        if Draft::hash_of(draft.id, &draft.capability, &draft.input, &act) == draft.hash {
            Ok(())
        } else {
            Err(not_as_shown(draft.id))
        }
    }
}

fn verdict(by: &str, approve: bool, because: Option<String>) -> Verdict {
    Verdict {
        by: by.to_owned(),
        at_us: now_us(),
        approve,
        because: because.map(|text| text.chars().take(LONGEST_REASON).collect()),
    }
}

fn no_such(id: DraftId) -> Fault {
    Fault::new(Code::NotFound, format!("no draft `{id}`")).hint("`claw draft list --all` shows those that there are")
}

fn now_us() -> i64 {
    InvocationId::generate().unix_us()
}
