//! Answers kept by idempotency key, so that a call that is sent twice is made once. Refuses
//! to guess: what may have been executed is said to be so, never tried again.

mod desk;

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use claw_core::errors::{Code, Fault};
use claw_core::journal::Answer;
use claw_core::ports::{Claim, ClaimedKey, Idempotency, IdempotencyKey, Kept};
use tokio::sync::{Semaphore, oneshot};
use tokio::time::timeout_at;

use crate::error::StoreError;
use crate::key::{Hasher, HomeKey, Sealer};
use desk::{Command, Desk, Id, Known, Slip};

/// How many claims may be on their way to the store at once; more wait.
const CLAIMS: usize = 1_024;

/// How much is kept, and for how long.
#[derive(Clone, Debug)]
pub struct IdempotencyLimits {
    /// A key is forgotten this long after it was claimed.
    pub keep: Duration,
    /// The most keys at once. Beyond it new ones are refused with `overloaded`.
    pub max_keys: usize,
    /// The most keys of one caller, so that none uses up the room of all.
    pub max_keys_per_caller: usize,
    /// A longer answer is not kept: the key stays used, and a second call with it is told
    /// `idempotency.may_have_executed`.
    pub max_answer_bytes: usize,
}

impl Default for IdempotencyLimits {
    fn default() -> Self {
        let keep = Duration::from_secs(24 * 60 * 60);
        IdempotencyLimits {
            keep,
            max_keys: 100_000,
            max_keys_per_caller: 20_000,
            max_answer_bytes: 1 << 20,
        }
    }
}

/// The store. Its SQLite work is done on a thread of its own. A claim and an answer are on
/// the disk before the caller hears of them.
pub struct IdempotencyStore {
    commands: mpsc::Sender<Command>,
    claims: Semaphore,
    names: Hasher,
    requests: Hasher,
    sealer: Sealer,
    max_answer_bytes: usize,
    thread: Arc<Mutex<Option<JoinHandle<()>>>>,
}

impl IdempotencyStore {
    /// Opens or makes the store.
    ///
    /// # Errors
    /// [`StoreError::InUse`] where another process has it, and whatever makes the file unusable.
    pub fn open(path: &Path, key: &HomeKey) -> Result<Self, StoreError> {
        Self::open_with(path, key, IdempotencyLimits::default())
    }

    /// As [`IdempotencyStore::open`], with other limits.
    ///
    /// # Errors
    /// As [`IdempotencyStore::open`].
    pub fn open_with(path: &Path, key: &HomeKey, limits: IdempotencyLimits) -> Result<Self, StoreError> {
        let max_answer_bytes = limits.max_answer_bytes;
        let (commands, received) = mpsc::channel();
        let desk = Desk::open(path, limits, commands.clone())?;
        let thread = std::thread::Builder::new().name("idempotency".to_owned());
        let thread = thread.spawn(move || desk.run(&received)).map_err(StoreError::io(path))?;
        Ok(IdempotencyStore {
            commands,
            claims: Semaphore::new(CLAIMS),
            names: Hasher::new(key, "idempotency key v1"),
            requests: Hasher::new(key, "idempotency request v1"),
            sealer: Sealer::new(key, "idempotency answer v1"),
            max_answer_bytes,
            thread: Arc::new(Mutex::new(Some(thread))),
        })
    }

    /// Ends the thread. Keys that are held become `may_have_executed`. Waits for the disk.
    pub fn close(self) {
        drop(self);
    }

    /// What is known of a key by the deadline; `Err` where the store does not answer.
    async fn ask(&self, slip: Slip, deadline: Instant) -> Result<Known, Fault> {
        let late = |_| in_flight();
        // Given back when the desk has answered: that bounds the queue.
        let _permit = timeout_at(deadline.into(), self.claims.acquire())
            .await
            .map_err(late)?
            .map_err(|_| unusable())?;
        let (reply, answered) = oneshot::channel();
        self.commands.send(Command::Claim { slip, reply }).map_err(|_| unusable())?;
        timeout_at(deadline.into(), answered)
            .await
            .map_err(late)?
            .map_err(|_| unusable())
    }

    fn read(&self, id: &Id, sealed: &[u8]) -> Result<Result<Kept, Fault>, Fault> {
        let bytes = self.sealer.open(id, sealed).ok_or_else(unusable)?;
        let answer: Answer<Kept> = serde_json::from_slice(&bytes).map_err(|_| unusable())?;
        Ok(answer.into_result())
    }
}

impl Drop for IdempotencyStore {
    fn drop(&mut self) {
        // A desk that is gone needs no telling.
        let _ = self.commands.send(Command::Stop);
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the thread of the idempotency store panicked");
        }
    }
}

#[async_trait]
impl Idempotency for IdempotencyStore {
    async fn claim(&self, key: IdempotencyKey, request: &[u8], deadline: Instant) -> Result<Claim, Fault> {
        let id = self
            .names
            .hash_all(&[key.caller.as_bytes(), key.target.as_bytes(), key.key.as_bytes()]);
        let caller = self.names.hash_all(&[key.caller.as_bytes()]);
        let slip = Slip {
            id,
            caller,
            request: self.requests.hash(request),
        };
        loop {
            return Ok(match self.ask(slip, deadline).await? {
                Known::Fresh(mut held) => {
                    held.handed_over();
                    let sealer = self.sealer.clone();
                    Claim::Fresh(Box::new(Key {
                        held,
                        sealer,
                        max_answer_bytes: self.max_answer_bytes,
                    }))
                }
                Known::Answered(sealed) => Claim::Stored(self.read(&id, &sealed)?),
                Known::TooLarge(bytes) => Claim::Refused(too_large(bytes)),
                Known::OtherRequest => Claim::Refused(mismatch()),
                Known::Interrupted => Claim::Refused(may_have_executed()),
                Known::NoRoom => Claim::Refused(no_room()),
                Known::Running(ended) => match timeout_at(deadline.into(), ended).await {
                    // Ended, or its holder is gone: ask again what is known now.
                    Ok(_) => continue,
                    Err(_) => Claim::Refused(in_flight()),
                },
            });
        }
    }
}

/// A key that one call holds. Dropped, it stays claimed without an answer: the call may have
/// had its effects.
struct Key {
    held: desk::Held,
    sealer: Sealer,
    max_answer_bytes: usize,
}

#[async_trait]
impl ClaimedKey for Key {
    /// Failed answers are kept too. A call that was refused before it did anything is to be
    /// released instead.
    async fn store(self: Box<Self>, answer: &Result<Kept, Fault>) -> Result<(), Fault> {
        let Key {
            held,
            sealer,
            max_answer_bytes,
        } = *self;
        let bytes = serde_json::to_vec(&Answer::of(answer)).map_err(|_| unusable())?;
        let sealed = if bytes.len() > max_answer_bytes {
            None
        } else {
            sealer.seal(&held.id(), &bytes)
        };
        let (reply, stored) = oneshot::channel();
        held.store(sealed, bytes.len() as u64, reply).map_err(|_| unusable())?;
        stored.await.map_err(|_| unusable())
    }

    async fn release(self: Box<Self>) {
        let (reply, released) = oneshot::channel();
        if self.held.release(reply).is_ok() {
            // Where the store has failed, the key stays claimed, which is the safe side.
            let _ = released.await;
        }
    }
}

fn mismatch() -> Fault {
    Fault::new(
        Code::IdempotencyMismatch,
        "the idempotency key was used before with another request",
    )
    .hint("send the same request again, or use a new key")
}

fn in_flight() -> Fault {
    Fault::new(
        Code::IdempotencyInFlight,
        "a call with the same idempotency key is still running",
    )
    .hint("ask again with the same key; the answer is kept for 24 hours")
    .retry_after_ms(1_000)
}

fn may_have_executed() -> Fault {
    Fault::new(
        Code::IdempotencyMayHaveExecuted,
        "a call with the same idempotency key was interrupted and may have had its effects",
    )
    .hint("`claw audit query` shows how far it came; use a new key to make the call again")
}

fn too_large(bytes: u64) -> Fault {
    let message = format!("the call with this idempotency key was made, and its answer of {bytes} bytes was too long to be kept");
    Fault::new(Code::IdempotencyMayHaveExecuted, message).hint("use a new key to make the call again")
}

fn no_room() -> Fault {
    Fault::new(Code::Overloaded, "there is no room for another idempotency key")
        .hint("keys are kept for 24 hours; use fewer, or send the call without one")
        .retry_after_ms(60_000)
}

fn unusable() -> Fault {
    Fault::new(Code::Internal, "the store of idempotency keys cannot be used").hint("the gateway's log names the cause")
}

#[cfg(test)]
mod tests;
