//! Which of several that can do the same is given a call: of two that are drawn, the one that
//! would be done sooner. Pure: it is told how each stands, and draws with the numbers it is
//! given. Gives nothing to who is away, drains, is full or left alone, and says why.

use std::time::Duration;

use serde::Serialize;

/// Whether somebody can be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reach {
    /// It can.
    Live,
    /// It was silent for a while; it is given work only where nobody is live.
    Suspect,
    /// It cannot.
    Away,
}

/// How one that could do a call stands.
#[derive(Clone, Copy, Debug)]
pub struct Standing {
    /// Whether it can be reached.
    pub reach: Reach,
    /// It finishes what it has and takes no more.
    pub draining: bool,
    /// It failed too often lately.
    pub left_alone: bool,
    /// Calls that it has from us.
    pub outstanding: u32,
    /// How many it takes at once.
    pub most: u32,
    /// How long its calls take lately; nothing where none was made.
    pub latency: Option<Duration>,
}

/// Why somebody is not given a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Passed {
    /// It cannot be reached.
    Away,
    /// It was silent for a while, and others were not.
    Suspect,
    /// It takes no more calls.
    Draining,
    /// It failed too often lately.
    LeftAlone,
    /// It has as many as it takes.
    Full,
}

/// What becomes of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Dispatch {
    /// This one is given it.
    To(usize),
    /// All that could take it are full: it may wait, or come back after about this long.
    Full(Duration),
    /// Nobody can take it; of each, why.
    Nobody(Vec<Passed>),
}

/// Where nothing is known yet of how long calls take.
const UNKNOWN: Duration = Duration::from_millis(10);

/// The shortest time after which to come back.
const SOON: Duration = Duration::from_millis(50);

/// The longest.
const LATER: Duration = Duration::from_secs(30);

impl Standing {
    /// Why it is not given a call, looked at by itself.
    pub fn passed(&self) -> Option<Passed> {
        match self.reach {
            Reach::Away => Some(Passed::Away),
            _ if self.draining || self.most == 0 => Some(Passed::Draining),
            _ if self.left_alone => Some(Passed::LeftAlone),
            _ if self.outstanding >= self.most => Some(Passed::Full),
            Reach::Live | Reach::Suspect => None,
        }
    }

    /// When it would be done with one more, as far as that is known.
    fn done_in(&self, unknown: Duration) -> u128 {
        let latency = self.latency.unwrap_or(unknown).max(Duration::from_micros(1));
        latency.as_nanos() * (u128::from(self.outstanding) + 1)
    }
}

/// Gives a call to one of those that can do it. `draw(n)` is drawn evenly from `0..n`.
pub fn dispatch(all: &[Standing], draw: &mut dyn FnMut(usize) -> usize) -> Dispatch {
    let able = |reach: Reach| -> Vec<(usize, &Standing)> {
        let fits = |(_, one): &(usize, &Standing)| one.reach == reach && one.passed().is_none();
        all.iter().enumerate().filter(fits).collect()
    };
    let mut free = able(Reach::Live);
    if free.is_empty() {
        free = able(Reach::Suspect);
    }
    // Of whom nothing is known yet counts as the quickest that is known: it is given work, and
    // not all of it, since what it has then counts.
    let known = free.iter().filter_map(|(_, one)| one.latency).min();
    let unknown = known.unwrap_or(UNKNOWN);
    let drawn = |at: usize| free.get(at % free.len().max(1)).copied();
    let Some(first) = drawn(draw(free.len().max(1))) else {
        return nobody(all);
    };
    let Some(second) = (free.len() > 1).then(|| draw(free.len() - 1)).and_then(|at| {
        // Another than the first.
        let others = free.iter().filter(|(place, _)| *place != first.0);
        others.copied().nth(at)
    }) else {
        return Dispatch::To(first.0);
    };
    let sooner = if second.1.done_in(unknown) < first.1.done_in(unknown) {
        second
    } else {
        first
    };
    Dispatch::To(sooner.0)
}

fn nobody(all: &[Standing]) -> Dispatch {
    let passed: Vec<Passed> = all.iter().map(|one| one.passed().unwrap_or(Passed::Suspect)).collect();
    let full = all.iter().zip(&passed).filter(|(_, why)| **why == Passed::Full);
    // The next place is free once the first of what is under way is done.
    let wait = full
        .map(|(one, _)| one.latency.unwrap_or(UNKNOWN) / one.outstanding.max(1))
        .min();
    match wait {
        Some(wait) => Dispatch::Full(wait.clamp(SOON, LATER)),
        None => Dispatch::Nobody(passed),
    }
}

/// Whether a call that was lost on its way is made elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterLoss {
    /// It is.
    Elsewhere,
    /// It is not; it may have been made.
    MayHaveBeenMade,
    /// It is not; it was surely not made, and nobody else is left or the budget of retries is
    /// spent.
    NotMade,
}

/// What to do with a call that was lost. One that was surely not made, or that does no more when
/// it is made twice, goes elsewhere while the budget allows.
pub fn after_loss(surely_not_made: bool, idempotent: bool, others: bool, within_budget: bool) -> AfterLoss {
    let may = surely_not_made || idempotent;
    if may && others && within_budget {
        AfterLoss::Elsewhere
    } else if surely_not_made {
        AfterLoss::NotMade
    } else {
        AfterLoss::MayHaveBeenMade
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::indexing_slicing, reason = "a test may stop at the first surprise")]

    use super::*;

    const FREE: Standing = Standing {
        reach: Reach::Live,
        draining: false,
        left_alone: false,
        outstanding: 0,
        most: 16,
        latency: Some(Duration::from_millis(20)),
    };

    /// Numbers that are the same for the same seed.
    struct Dice(u64);

    impl Dice {
        fn below(&mut self, n: usize) -> usize {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            usize::try_from(self.0 >> 16).unwrap_or(0) % n.max(1)
        }
    }

    #[test]
    fn who_would_be_done_sooner_is_given_the_call() {
        let slow = Standing {
            latency: Some(Duration::from_millis(200)),
            ..FREE
        };
        let busy = Standing { outstanding: 12, ..FREE };
        for (all, wanted) in [([FREE, slow], 0), ([slow, FREE], 1), ([busy, FREE], 1), ([slow, busy], 0)] {
            for seed in 1..50 {
                let mut dice = Dice(seed);
                let given = dispatch(&all, &mut |n| dice.below(n));
                assert_eq!(given, Dispatch::To(wanted), "{all:?}");
            }
        }
    }

    #[test]
    fn who_cannot_take_it_is_passed_over_and_named() {
        let away = Standing {
            reach: Reach::Away,
            ..FREE
        };
        let suspect = Standing {
            reach: Reach::Suspect,
            ..FREE
        };
        let draining = Standing { draining: true, ..FREE };
        let alone = Standing {
            left_alone: true,
            ..FREE
        };
        let full = Standing { outstanding: 16, ..FREE };
        let given = |all: &[Standing]| dispatch(all, &mut |n| n - 1);
        assert_eq!(given(&[away, draining, alone, FREE, full, suspect]), Dispatch::To(3));
        assert_eq!(given(&[away, suspect]), Dispatch::To(1), "better than nobody");
        let nobody = Dispatch::Nobody(vec![Passed::Away, Passed::Draining, Passed::LeftAlone]);
        assert_eq!(given(&[away, draining, alone]), nobody);
        assert_eq!(given(&[away, full]), Dispatch::Full(SOON));
        assert_eq!(given(&[]), Dispatch::Nobody(Vec::new()));
        let none_taken = Standing { most: 0, ..FREE };
        assert_eq!(
            given(&[none_taken]),
            Dispatch::Nobody(vec![Passed::Draining]),
            "it will never have room"
        );
    }

    #[test]
    fn what_was_lost_is_never_made_twice_where_that_matters() {
        for bits in 0..16_u8 {
            let [surely, idempotent, others, budget] = [1, 2, 4, 8].map(|bit| bits & bit != 0);
            let what = after_loss(surely, idempotent, others, budget);
            assert!(what != AfterLoss::Elsewhere || surely || idempotent, "{bits:b}");
            assert_eq!(
                what == AfterLoss::Elsewhere,
                (surely || idempotent) && others && budget,
                "{bits:b}"
            );
            assert!(what != AfterLoss::NotMade || surely, "{bits:b}");
        }
    }

    /// A simulated minute of a fleet: machines of different speed that come, go, drain and fill
    /// up. Whoever is given a call can take it; while somebody can, nobody is refused; and who is
    /// quicker gets more.
    #[test]
    fn a_fleet_is_given_what_it_can_take() {
        for seed in 1..=10_000_u64 {
            let mut dice = Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
            let count = 1 + dice.below(8);
            let speeds: Vec<u64> = (0..count).map(|_| 5 + dice.below(100) as u64).collect();
            let mut fleet: Vec<Standing> = (0..count)
                .map(|_| Standing {
                    latency: None,
                    most: 1 + u32::try_from(dice.below(4)).unwrap_or(0),
                    ..FREE
                })
                .collect();
            let mut ends: Vec<(u64, usize)> = Vec::new();
            for now in (0..400).step_by(3) {
                ends.retain(|(end, place)| {
                    let over = *end <= now;
                    if over {
                        fleet[*place].outstanding -= 1;
                        fleet[*place].latency = Some(Duration::from_millis(speeds[*place]));
                    }
                    !over
                });
                let one = dice.below(count);
                match dice.below(20) {
                    0 => fleet[one].reach = Reach::Away,
                    1 => fleet[one].reach = Reach::Suspect,
                    2 => fleet[one].draining ^= true,
                    3 => fleet[one].left_alone ^= true,
                    4..8 => fleet[one].reach = Reach::Live,
                    _ => {}
                }
                let able = fleet.iter().any(|one| one.passed().is_none());
                match dispatch(&fleet, &mut |n| dice.below(n)) {
                    Dispatch::To(place) => {
                        let given = &mut fleet[place];
                        assert_eq!(given.passed(), None, "seed {seed} at {now}");
                        let live = given.reach == Reach::Live;
                        given.outstanding += 1;
                        ends.push((now + speeds[place], place));
                        let better = fleet.iter().any(|one| one.reach == Reach::Live && one.passed().is_none());
                        assert!(live || !better, "seed {seed} at {now}: a live one was there");
                    }
                    Dispatch::Full(wait) => {
                        assert!(!able && wait >= SOON && wait <= LATER, "seed {seed} at {now}");
                    }
                    Dispatch::Nobody(passed) => {
                        assert!(!able && passed.len() == count, "seed {seed} at {now}");
                        assert!(!passed.contains(&Passed::Full), "seed {seed} at {now}: it could wait");
                    }
                }
            }
        }
    }

    #[test]
    fn the_quicker_of_two_gets_more_and_the_newcomer_not_all() {
        let mut dice = Dice(7);
        let mut given = [0_u32; 3];
        let mut fleet = [FREE; 3];
        fleet[1].latency = Some(Duration::from_millis(80));
        fleet[2].latency = None;
        for round in 0..3_000 {
            if let Dispatch::To(place) = dispatch(&fleet, &mut |n| dice.below(n)) {
                given[place] += 1;
                fleet[place].outstanding += 1;
            }
            // Each is done at its own pace; the newcomer, of whom nothing is known, is as slow as the slow one.
            for (place, pace) in [(0, 2), (1, 8), (2, 8)] {
                if round % pace == 0 {
                    fleet[place].outstanding = fleet[place].outstanding.saturating_sub(1);
                }
            }
        }
        assert!(given[0] > 2 * given[1], "{given:?}");
        assert!(given[2] < given[0] && given[2] > 0, "{given:?}");
    }
}
