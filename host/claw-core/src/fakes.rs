//! In-memory stand-ins for the ports whose real ones need a disk or a network, for tests
//! of decisions. Nothing here is reachable from the product's wiring.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use futures::FutureExt as _;

use crate::audit::{Intent, Outcome, Status};
use crate::capability::Payload;
use crate::draft::{Draft, DraftId};
use crate::errors::{Code, Fault};
use crate::ids::InvocationId;
use crate::model::{Completion, CompletionRequest, ModelStream};
use crate::ports::{
    self, AuditLog, Begun, Capabilities, Capability, Claim, ClaimedKey, Drafts, DraftsWanted, HostCalls, Idempotency,
    IdempotencyKey, OutcomeSlot, Recorded, Reply, Verdict,
};

/// A journal in memory. With `broken`, every write fails.
#[derive(Clone, Debug, Default)]
pub struct MemoryAudit {
    rows: Arc<Mutex<HashMap<InvocationId, Entry>>>,
    broken: Arc<std::sync::atomic::AtomicBool>,
}

type Entry = (Intent, Option<Outcome>);

impl MemoryAudit {
    /// From now on nothing can be written.
    pub fn break_now(&self) {
        self.broken.store(true, std::sync::atomic::Ordering::SeqCst);
    }

    /// All entries, oldest first.
    pub fn entries(&self) -> Vec<Entry> {
        let rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        let mut entries: Vec<_> = rows.values().cloned().collect();
        entries.sort_by_key(|(intent, _)| intent.id);
        entries
    }

    /// How the entry ended, if it did.
    pub fn status(&self, id: InvocationId) -> Option<Status> {
        let rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        rows.get(&id)?.1.as_ref().map(|outcome| outcome.status)
    }

    fn written(&self) -> Recorded {
        let broken = self.broken.load(std::sync::atomic::Ordering::SeqCst);
        let fault = || Fault::new(Code::AuditUnavailable, "the audit journal cannot be written");
        async move { if broken { Err(fault()) } else { Ok(()) } }.boxed()
    }
}

impl AuditLog for MemoryAudit {
    fn begin(&self, intent: Intent) -> Result<Begun, Fault> {
        let id = intent.id;
        self.rows
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(id, (intent, None));
        Ok(Begun {
            recorded: self.written(),
            slot: Box::new(MemorySlot { audit: self.clone(), id }),
        })
    }
}

struct MemorySlot {
    audit: MemoryAudit,
    id: InvocationId,
}

impl OutcomeSlot for MemorySlot {
    fn finish(self: Box<Self>, outcome: Outcome) -> Recorded {
        let mut rows = self.audit.rows.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(row) = rows.get_mut(&self.id) {
            row.1 = Some(outcome);
        }
        drop(rows);
        self.audit.written()
    }
}

/// A host without capabilities.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoCapabilities;

impl Capabilities for NoCapabilities {
    fn find(&self, _name: &str) -> Option<Arc<dyn Capability>> {
        None
    }

    fn list(&self) -> Vec<(String, String)> {
        Vec::new()
    }
}

/// Refuses every call that would leave a sandbox.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoHost;

fn nothing_here<T>() -> Result<T, Fault> {
    Err(Fault::new(Code::GrantUndeclared, "nothing outside the sandbox here"))
}

#[async_trait]
impl HostCalls for NoHost {
    async fn complete(&self, _use: &str, _request: CompletionRequest) -> Result<(Completion, InvocationId), Fault> {
        nothing_here()
    }

    async fn complete_stream(&self, _use: &str, _request: CompletionRequest) -> Result<(ModelStream, InvocationId), Fault> {
        nothing_here()
    }

    async fn embed(&self, _use: &str, _texts: Vec<String>) -> Result<Vec<Vec<f32>>, Fault> {
        nothing_here()
    }

    async fn invoke(&self, _capability: &str, _input: Payload) -> Result<Reply, Fault> {
        nothing_here()
    }
}

/// Idempotency keys in memory, without a deadline for what is in flight.
#[derive(Clone, Debug, Default)]
pub struct MemoryIdempotency {
    keys: Arc<Mutex<HashMap<IdempotencyKey, Kept>>>,
}

#[derive(Clone, Debug)]
struct Kept {
    request: Vec<u8>,
    answer: Option<Result<ports::Kept, Fault>>,
}

#[async_trait]
impl Idempotency for MemoryIdempotency {
    async fn claim(&self, key: IdempotencyKey, request: &[u8], deadline: Instant) -> Result<Claim, Fault> {
        loop {
            {
                let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
                match keys.get(&key) {
                    None => {
                        keys.insert(
                            key.clone(),
                            Kept {
                                request: request.to_vec(),
                                answer: None,
                            },
                        );
                        return Ok(Claim::Fresh(Box::new(MemoryClaim {
                            keys: self.keys.clone(),
                            key,
                        })));
                    }
                    Some(kept) if kept.request != request => {
                        let message = "the idempotency key was used before with another request";
                        return Ok(Claim::Refused(Fault::new(Code::IdempotencyMismatch, message)));
                    }
                    Some(Kept {
                        answer: Some(answer), ..
                    }) => return Ok(Claim::Stored(answer.clone())),
                    Some(_) if Instant::now() >= deadline => {
                        let message = "a call with the same idempotency key is still running";
                        return Ok(Claim::Refused(Fault::new(Code::IdempotencyInFlight, message)));
                    }
                    Some(_) => {}
                }
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

struct MemoryClaim {
    keys: Arc<Mutex<HashMap<IdempotencyKey, Kept>>>,
    key: IdempotencyKey,
}

#[async_trait]
impl ClaimedKey for MemoryClaim {
    async fn store(self: Box<Self>, answer: &Result<ports::Kept, Fault>) -> Result<(), Fault> {
        if let Some(kept) = self.keys.lock().unwrap_or_else(PoisonError::into_inner).get_mut(&self.key) {
            kept.answer = Some(answer.clone());
        }
        Ok(())
    }

    async fn release(self: Box<Self>) {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.key);
    }
}

/// Drafts in memory.
#[derive(Debug, Default)]
pub struct MemoryDrafts(Mutex<Vec<Draft>>);

impl MemoryDrafts {
    /// With one draft to begin with.
    pub fn with(draft: Draft) -> Self {
        MemoryDrafts(Mutex::new(vec![draft]))
    }

    fn change(&self, id: DraftId, change: impl FnOnce(&mut Draft) -> Result<(), Fault>) -> Result<Draft, Fault> {
        let mut drafts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let draft = drafts.iter_mut().find(|draft| draft.id == id);
        let draft = draft.ok_or_else(|| Fault::new(Code::NotFound, format!("no draft `{id}`")))?;
        change(draft)?;
        Ok(draft.clone())
    }
}

#[async_trait]
impl Drafts for MemoryDrafts {
    async fn hold(&self, draft: Draft) -> Result<(), Fault> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(draft);
        Ok(())
    }

    async fn get(&self, id: DraftId) -> Result<Draft, Fault> {
        self.change(id, |_| Ok(()))
    }

    async fn list(&self, wanted: DraftsWanted) -> Result<Vec<Draft>, Fault> {
        let drafts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let fits = |draft: &&Draft| {
            wanted.caller.as_ref().is_none_or(|caller| *caller == draft.caller)
                && wanted.state.is_none_or(|state| state == draft.state)
        };
        Ok(drafts.iter().rev().filter(fits).take(wanted.most).cloned().collect())
    }

    async fn decide(&self, id: DraftId, verdict: Verdict) -> Result<Draft, Fault> {
        self.change(id, |draft| {
            draft.check_open(None, verdict.at_us)?;
            draft.decided(&verdict);
            Ok(())
        })
    }

    async fn finish(&self, id: DraftId, ran: InvocationId, result: &Result<Payload, Fault>) -> Result<Draft, Fault> {
        self.change(id, |draft| {
            draft.finished(ran, result);
            Ok(())
        })
    }
}
