//! Two candidates at once, where the first is slow to begin: the first answer counts, the other
//! is hung up on, and what it may have used stands on the call's meter.

use std::sync::Arc;
use std::time::{Duration, Instant};

use claw_core::errors::Fault;
use claw_core::meter::Meter;
use futures::future::{BoxFuture, Either, select};

use super::{Guard, fails_over};
use crate::exchange::Live;

/// An attempt that is made beside another, on a meter of its own.
pub(super) struct Second<'a, T> {
    pub(super) by: By,
    pub(super) meter: Arc<Meter>,
    pub(super) answer: BoxFuture<'a, Result<T, Fault>>,
}

/// Who makes it.
pub(super) struct By {
    /// Its place in the plan.
    pub(super) place: usize,
    pub(super) live: Arc<Live>,
    pub(super) guard: Guard,
}

/// How a race ended.
pub(super) enum Raced<T> {
    /// The first one's answer or its failure, and the place of the second one, where that was
    /// asked and has failed.
    First(Result<T, Fault>, Option<usize>),
    /// The second one's answer.
    Second(T, By),
    /// The first one failed, and then the second.
    Both(Fault, Fault, By),
}

/// Waits for the first attempt, and after a while begins the second one as well, if there is one
/// to begin.
pub(super) async fn race<'a, T>(
    first: BoxFuture<'a, Result<T, Fault>>,
    meter: &Arc<Meter>,
    after: Duration,
    begin: impl FnOnce() -> Option<Second<'a, T>>,
) -> Raced<T> {
    let began = Instant::now();
    let first = match select(first, Box::pin(tokio::time::sleep(after))).await {
        Either::Left((done, _)) => return Raced::First(done, None),
        Either::Right(((), first)) => first,
    };
    let Some(Second { by, meter: own, answer }) = begin() else {
        return Raced::First(first.await, None);
    };
    let second_began = Instant::now();
    tracing::debug!(entry = %by.live.entry.name, "an answer is slow to begin: the next candidate is asked as well");
    match select(first, answer).await {
        Either::Left((Err(failed), answer)) if fails_over(failed.code) => {
            // From now on it is the call's attempt, also for who hangs up while it runs.
            meter.won_by(&own, began.elapsed());
            match answer.await {
                Ok(done) => Raced::Second(done, by),
                Err(fault) => Raced::Both(failed, fault, by),
            }
        }
        Either::Left((done, answer)) => {
            drop(answer);
            meter.lost(&own, second_began.elapsed());
            by.guard.outrun();
            Raced::First(done, None)
        }
        Either::Right((Ok(done), first)) => {
            drop(first);
            meter.won_by(&own, began.elapsed());
            Raced::Second(done, by)
        }
        Either::Right((Err(fault), first)) => {
            meter.lost(&own, second_began.elapsed());
            by.guard.failed(fault.code);
            Raced::First(first.await, Some(by.place))
        }
    }
}
