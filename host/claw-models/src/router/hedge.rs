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

/// While two attempts run: whoever hangs up on both has both to pay for.
struct Both<'a> {
    meter: &'a Arc<Meter>,
    second: Arc<Meter>,
    began: Instant,
    run: bool,
}

impl Both<'_> {
    /// The second one has lost.
    fn lost(mut self) {
        self.end();
    }

    /// The second one has won, or is waited for alone; the first began then.
    fn won(mut self, first_began: Instant) {
        self.run = false;
        self.meter.won_by(&self.second, first_began.elapsed());
    }

    fn end(&mut self) {
        if std::mem::take(&mut self.run) {
            self.meter.lost(&self.second, self.began.elapsed());
        }
    }
}

impl Drop for Both<'_> {
    fn drop(&mut self) {
        self.end();
    }
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
    let both = Both {
        meter,
        second: own,
        began: Instant::now(),
        run: true,
    };
    tracing::debug!(entry = %by.live.entry.name, "an answer is slow to begin: the next candidate is asked as well");
    match select(first, answer).await {
        Either::Left((Err(failed), answer)) if fails_over(failed.code) => {
            // From now on it is the call's attempt, also for who hangs up while it runs.
            both.won(began);
            match answer.await {
                Ok(done) => Raced::Second(done, by),
                Err(fault) => Raced::Both(failed, fault, by),
            }
        }
        Either::Left((done, answer)) => {
            drop(answer);
            both.lost();
            by.guard.outrun();
            Raced::First(done, None)
        }
        Either::Right((Ok(done), first)) => {
            drop(first);
            both.won(began);
            Raced::Second(done, by)
        }
        Either::Right((Err(fault), first)) => {
            both.lost();
            by.guard.failed(fault.code);
            Raced::First(first.await, Some(by.place))
        }
    }
}
