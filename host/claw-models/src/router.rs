//! Who serves a call: names to candidates in their order, who is passed over and why, and the
//! way from one to the next. Sends nothing to whom the permit does not allow it, and hands
//! nothing on to a second one once a first has begun to answer.

mod hedge;
mod load;
mod names;
mod order;

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use claw_core::cost::Tokens;
use claw_core::errors::{Code, Fault};
use claw_core::meter::Meter;
use claw_core::policy::Permit;
use claw_core::routing::{Candidate, Kind, PassedOver, Plan, Wanted};
use claw_core::wire::Api;
use futures::future::BoxFuture;

use crate::config::{Key, Provider};
use crate::exchange::{Bounds, Live};
use crate::fault::no_key;
use crate::models::route;
use crate::retry::Random;

use hedge::{By, Raced, Second, race};
pub(crate) use load::{Guard, Load, Loads};
pub(crate) use names::Names;

/// Where the caller does not say and the entry neither, an answer is taken to be at most so
/// long when its cost is set aside, in tokens.
const ANSWER: u64 = 4_096;

/// With another candidate behind it, an entry is not waited for longer than this.
const SHORT: Duration = Duration::from_secs(2);
/// Without one, as long as this.
const LONG: Duration = Duration::from_secs(60);

/// Why somebody is passed over: the words, and the fault if nobody is left.
struct Reason {
    why: String,
    fault: Fault,
}

/// The plan of a call over these entries.
///
/// # Errors
/// The most telling reason, where nobody can serve it.
pub(crate) fn plan(entries: &[Arc<Live>], names: &Names, wanted: &Wanted<'_>, random: &Random) -> Result<Plan, Fault> {
    let (now, clock) = (Instant::now(), unix_now());
    let mut plan = Plan {
        input_tokens: wanted.input_tokens,
        name: wanted.name.to_owned(),
        candidates: Vec::new(),
        passed_over: Vec::new(),
    };
    let mut faults = Vec::new();
    let tokens = Tokens {
        input: wanted.input_tokens,
        output: wanted.output_tokens.unwrap_or(ANSWER),
        ..Tokens::default()
    };
    for (live, why) in order::of(entries, names, wanted.name, &tokens, random) {
        match reason(&live, wanted, now, clock) {
            None => plan.candidates.push(Candidate {
                ceiling_nanousd: ceiling(&live, wanted),
                hedged: live.entry.hedge.is_some(),
                route: route(&live),
                why,
            }),
            Some(reason) => {
                plan.passed_over.push(PassedOver {
                    route: route(&live),
                    why: reason.why,
                });
                faults.push(reason.fault);
            }
        }
    }
    if plan.candidates.is_empty()
        && let Some(fault) = most_telling(faults)
    {
        return Err(fault);
    }
    Ok(plan)
}

fn unix_now() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    i64::try_from(since).unwrap_or(i64::MAX)
}

fn ceiling(live: &Live, wanted: &Wanted<'_>) -> Option<u64> {
    let output = wanted
        .output_tokens
        .or(live.entry.max_tokens.map(u64::from))
        .unwrap_or(ANSWER);
    let mut tokens = Tokens {
        input: wanted.input_tokens,
        output: output.saturating_mul(wanted.answers),
        ..Tokens::default()
    };
    if wanted.fits_schema {
        // A second round reads the first one's answer. Where bytes pass through there is none,
        // which is known only once policy has decided whether they may.
        tokens.input = tokens.input.saturating_mul(2).saturating_add(tokens.output);
        tokens.output = tokens.output.saturating_mul(2);
    }
    live.entry.price.map(|price| price.ceiling_nanousd(&tokens))
}

/// What keeps an entry from serving a call now.
fn reason(live: &Live, wanted: &Wanted<'_>, now: Instant, clock: i64) -> Option<Reason> {
    let entry = &live.entry;
    let passed = |why: String, fault: Fault| Some(Reason { why, fault });
    if let Key::Missing(what) = &entry.key {
        return passed(format!("it has no key: {what}"), no_key(entry, what));
    }
    if !can(entry.provider, wanted.kind) {
        let why = format!("the provider `{}` makes no embeddings", entry.provider);
        let fault = Fault::new(Code::ModelInvalidRequest, why.clone())
            .hint("let an entry of the provider `openai`, `gemini` or `ollama` serve this use in models.yaml");
        return passed(why, fault);
    }
    if !entry.windows.is_empty() && !entry.windows.iter().any(|window| window.is_open(clock)) {
        let windows: Vec<String> = entry.windows.iter().map(ToString::to_string).collect();
        let why = format!("it serves only {}", windows.join(" and "));
        let fault = Fault::new(Code::ModelUnavailable, format!("`{}` is closed now: {why}", entry.name));
        return passed(why, fault.hint("add a candidate without `windows` in models.yaml"));
    }
    let needed = wanted.input_tokens.saturating_add(wanted.output_tokens.unwrap_or(0));
    if let Some(window) = entry.context_tokens.filter(|window| needed > *window) {
        let why = format!("about {needed} tokens are more than its window of {window}");
        let fault = Fault::new(Code::ModelContextExceeded, format!("`{}`: {why}", entry.name));
        return passed(
            why,
            fault.hint("shorten the request, or add a candidate with a larger window in models.yaml"),
        );
    }
    let (why, wait) = live.load.full(now, wanted.input_tokens)?;
    let fault = Fault::new(Code::Overloaded, format!("`{}` takes no call now: {why}", entry.name));
    passed(
        why,
        fault.retry_after_ms(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX).max(1)),
    )
}

fn can(provider: Provider, kind: Kind) -> bool {
    match kind {
        Kind::Embedding | Kind::Wire(Api::Embeddings) => provider != Provider::Anthropic,
        Kind::Completion | Kind::Wire(Api::ChatCompletions | Api::Responses | Api::Messages | Api::CountTokens) => true,
    }
}

/// What passes by itself says when to come back; else the first reason says most.
fn most_telling(faults: Vec<Fault>) -> Option<Fault> {
    let soonest = faults.iter().filter(|fault| fault.code == Code::Overloaded);
    let soonest = soonest.min_by_key(|fault| fault.retry_after_ms).cloned();
    soonest.or_else(|| faults.into_iter().next())
}

/// What is done with one candidate.
pub(crate) type Step<'a, T> = &'a (dyn Fn(Arc<Live>, Bounds) -> BoxFuture<'a, Result<T, Fault>> + Send + Sync);

/// Tries the candidates of a plan, one after the other.
///
/// # Errors
/// The last candidate's fault; it says how many there were.
pub(crate) async fn follow<'a, T>(
    find: &(dyn Fn(&Candidate) -> Result<Arc<Live>, Fault> + Sync),
    permit: &Permit,
    plan: &Plan,
    bounds: &Bounds,
    input_tokens: u64,
    step: Step<'a, T>,
) -> Result<(T, Guard), Fault> {
    let mut last: Option<Fault> = None;
    let mut tried = 0u32;
    let mut window: Option<u64> = None;
    let mut next = 0;
    let within = |place: usize, meter: Arc<Meter>| Bounds {
        patience: if place + 1 < plan.candidates.len() { SHORT } else { LONG },
        meter,
        ..bounds.clone()
    };
    while let Some(candidate) = plan.candidates.get(next) {
        let place = next;
        next += 1;
        permit.check(&candidate.route)?;
        let live = match find(candidate) {
            Ok(live) => live,
            Err(fault) => {
                last = Some(fault);
                continue;
            }
        };
        // A longer window is what the one before lacked.
        let longer = live
            .entry
            .context_tokens
            .is_none_or(|own| window.is_none_or(|before| own > before));
        if window.is_some() && !longer {
            continue;
        }
        let guard = match live.load.enter(Instant::now(), input_tokens, bounds.meter.clone()) {
            Ok(guard) => guard,
            Err(fault) => {
                last = Some(fault);
                continue;
            }
        };
        tried += 1;
        let first = step(live.clone(), within(place, bounds.meter.clone()));
        let after = live.entry.hedge.and_then(|hedge| live.load.hedge_after(&hedge));
        let beside = || {
            if !live.load.may_hedge() {
                return None;
            }
            let Some((by, meter)) = beside(find, permit, plan, place + 1, input_tokens, &bounds.meter) else {
                live.load.no_hedge();
                return None;
            };
            let answer = step(by.live.clone(), within(by.place, meter.clone()));
            Some(Second { by, meter, answer })
        };
        let raced = match after {
            Some(after) => race(first, &bounds.meter, after, beside).await,
            None => Raced::First(first.await, None),
        };
        let failed = match raced {
            Raced::First(Ok(done), _) => {
                guard.answered();
                return Ok((done, guard));
            }
            Raced::Second(done, by) => {
                guard.outrun();
                by.guard.answered();
                return Ok((done, by.guard));
            }
            Raced::First(Err(fault), asked) => {
                let fault = in_time(fault, bounds);
                guard.failed(fault.code);
                if let Some(asked) = asked {
                    tried += 1;
                    next = asked + 1;
                }
                (fault, live)
            }
            Raced::Both(first, second, by) => {
                let (first, second) = (in_time(first, bounds), in_time(second, bounds));
                guard.failed(first.code);
                by.guard.failed(second.code);
                tried += 1;
                next = by.place + 1;
                (second, by.live)
            }
        };
        let (fault, live) = failed;
        if fault.code == Code::ModelContextExceeded {
            window = Some(live.entry.context_tokens.unwrap_or(0));
        }
        if !fails_over(fault.code) {
            return Err(fault);
        }
        if next < plan.candidates.len() {
            tracing::warn!(entry = %live.entry.name, code = %fault.code, "the next candidate is tried");
        }
        last = Some(fault);
    }
    let mut fault = last.unwrap_or_else(Fault::internal);
    if tried > 1 {
        fault.message = format!("{} (the last of {tried} candidates)", fault.message);
    }
    Err(fault)
}

/// Whoever is slower than the call's own deadline is not ill, and nobody else has time left.
fn in_time(mut fault: Fault, bounds: &Bounds) -> Fault {
    if fault.code == Code::ModelTimeout && Instant::now() >= bounds.deadline {
        fault.code = Code::DeadlineExceeded;
    }
    fault
}

/// The next candidate that may be asked beside another now, its place taken, and a meter for it.
fn beside(
    find: &(dyn Fn(&Candidate) -> Result<Arc<Live>, Fault> + Sync),
    permit: &Permit,
    plan: &Plan,
    from: usize,
    input_tokens: u64,
    own: &Meter,
) -> Option<(By, Arc<Meter>)> {
    for (place, candidate) in plan.candidates.iter().enumerate().skip(from) {
        // What one candidate may see, another may not.
        if permit.check(&candidate.route).is_err() {
            continue;
        }
        let Ok(live) = find(candidate) else { continue };
        let meter = Arc::new(own.beside());
        let Ok(guard) = live.load.enter(Instant::now(), input_tokens, meter.clone()) else {
            continue;
        };
        return Some((By { place, live, guard }, meter));
    }
    None
}

/// Whether another provider may do better.
fn fails_over(code: Code) -> bool {
    matches!(
        code,
        Code::ModelAuth
            | Code::ModelRateLimited
            | Code::ModelUnavailable
            | Code::ModelTimeout
            | Code::ModelBadAnswer
            | Code::ModelContextExceeded
            | Code::ModelUntranslatable
            | Code::Overloaded
    )
}

#[cfg(test)]
mod tests;
