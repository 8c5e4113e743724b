//! Whether the other end of a link is there. Pure: it is told what happened and what time it is,
//! and says what to do. With work under way it asks every second and gives up after five; without,
//! every five and after fifteen; a socket that closes is an end at once.

use std::time::{Duration, Instant};

/// How long nothing is heard before a state changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    /// Until the other end is asked.
    pub ask: Duration,
    /// Until it is suspect, and gets no new work while others could take it.
    pub suspect: Duration,
    /// Until it is dead.
    pub dead: Duration,
}

/// With work under way.
pub const BUSY: Times = Times {
    ask: Duration::from_secs(1),
    suspect: Duration::from_secs(2),
    dead: Duration::from_secs(5),
};

/// Without.
pub const IDLE: Times = Times {
    ask: Duration::from_secs(5),
    suspect: Duration::from_secs(8),
    dead: Duration::from_secs(15),
};

/// How an end of a link stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It was heard of lately.
    Live,
    /// It was not.
    Suspect,
    /// It was not for too long, or its link has closed. Nothing brings this link back.
    Dead,
}

/// What to do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Nothing before this time.
    Wait(Instant),
    /// Send a ping.
    Ping,
    /// Close the link, and call what is under way lost.
    GiveUp,
}

/// One end of a link, as the other sees it.
#[derive(Clone, Debug)]
pub struct Liveness {
    heard: Instant,
    asked: Option<Instant>,
    in_flight: usize,
    /// Since when there is work under way, or none.
    turned: Instant,
    /// When it is looked at next.
    due: Instant,
    closed: bool,
}

impl Liveness {
    /// A link that has just begun.
    pub fn new(now: Instant) -> Self {
        Liveness {
            heard: now,
            asked: None,
            in_flight: 0,
            turned: now,
            due: now,
            closed: false,
        }
    }

    /// Something came from the other end: an answer, bytes, a pong, a frame.
    pub fn heard(&mut self, now: Instant) {
        if now >= self.heard {
            self.heard = now;
            self.asked = None;
        }
    }

    /// A call was sent.
    pub fn began(&mut self, now: Instant) {
        if self.in_flight == 0 {
            self.turned = now;
        }
        self.in_flight += 1;
    }

    /// A call is over.
    pub fn ended(&mut self, now: Instant) {
        self.in_flight = self.in_flight.saturating_sub(1);
        if self.in_flight == 0 {
            self.turned = now;
        }
    }

    /// The socket has closed.
    pub fn closed(&mut self) {
        self.closed = true;
    }

    /// How many calls are under way.
    pub fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// Since when the silence counts: a link that was idle may have been silent for long, which
    /// says nothing about the work that it was just given.
    fn silent_since(&self) -> Instant {
        if self.in_flight > 0 {
            self.heard.max(self.turned)
        } else {
            self.heard
        }
    }

    fn times(&self) -> Times {
        if self.in_flight > 0 { BUSY } else { IDLE }
    }

    /// How it stands.
    pub fn state(&self, now: Instant) -> State {
        let silence = now.saturating_duration_since(self.silent_since());
        let times = self.times();
        // An idle link that is silent stays as bad as it was when it is given work.
        let whole = now.saturating_duration_since(self.heard);
        if self.closed || silence >= times.dead || whole >= IDLE.dead {
            State::Dead
        } else if silence >= times.suspect || whole >= IDLE.suspect {
            State::Suspect
        } else {
            State::Live
        }
    }

    /// What to do, and when to ask again. Silence while this end itself did not look (it was
    /// stopped, or its machine slept) says nothing about the other, whose words may wait unread.
    pub fn act(&mut self, now: Instant) -> Act {
        let overslept = now.saturating_duration_since(self.due);
        if overslept > BUSY.ask {
            self.heard = (self.heard + overslept).min(now);
            self.turned = (self.turned + overslept).min(now);
            self.asked = None;
        }
        let act = self.look(now);
        self.due = match act {
            Act::Wait(until) => until,
            Act::Ping | Act::GiveUp => now,
        };
        act
    }

    fn look(&mut self, now: Instant) -> Act {
        if self.state(now) == State::Dead {
            return Act::GiveUp;
        }
        let times = self.times();
        let since = self.silent_since();
        let due = self.asked.unwrap_or(since).max(since) + times.ask;
        if now >= due {
            self.asked = Some(now);
            return Act::Ping;
        }
        Act::Wait(due.min(since + times.dead).min(self.heard + IDLE.dead))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(began: Instant, millis: u64) -> Instant {
        began + Duration::from_millis(millis)
    }

    /// Lets time pass to each moment that is asked for; gives when pings left and when it ended.
    fn silence(mut link: Liveness, began: Instant) -> (Vec<u128>, u128) {
        let (mut now, mut pings) = (began, Vec::new());
        loop {
            match link.act(now) {
                Act::Ping => pings.push(now.duration_since(began).as_millis()),
                Act::Wait(until) => {
                    assert!(until > now, "it would spin");
                    now = until;
                }
                Act::GiveUp => return (pings, now.duration_since(began).as_millis()),
            }
        }
    }

    #[test]
    fn silence_ends_a_link_sooner_where_there_is_work() {
        let began = Instant::now();
        assert_eq!(silence(Liveness::new(began), began), (vec![5_000, 10_000], 15_000));
        let mut busy = Liveness::new(began);
        busy.began(began);
        assert_eq!(silence(busy, began), (vec![1_000, 2_000, 3_000, 4_000], 5_000));
    }

    #[test]
    fn work_for_a_link_that_was_idle_begins_a_new_silence_within_the_old_bound() {
        let began = Instant::now();
        let mut link = Liveness::new(began);
        link.began(after(began, 4_900));
        assert_eq!(link.state(after(began, 6_000)), State::Live);
        assert_eq!(link.state(after(began, 7_000)), State::Suspect);
        assert_eq!(link.state(after(began, 9_900)), State::Dead);
        let mut late = Liveness::new(began);
        late.began(after(began, 14_000));
        assert_eq!(late.state(after(began, 14_001)), State::Suspect);
        assert_eq!(late.state(after(began, 15_000)), State::Dead);
    }

    #[test]
    fn who_is_heard_of_lives_and_who_has_closed_does_not() {
        let began = Instant::now();
        let mut link = Liveness::new(began);
        link.began(began);
        for second in 1..60 {
            link.heard(after(began, second * 1_000));
            assert_eq!(link.state(after(began, second * 1_000 + 999)), State::Live);
        }
        link.ended(after(began, 59_000));
        assert_eq!((link.in_flight(), link.state(after(began, 66_000))), (0, State::Live));
        link.closed();
        assert_eq!(link.state(after(began, 59_001)), State::Dead);
        assert_eq!(link.act(after(began, 59_001)), Act::GiveUp);
    }

    #[test]
    fn who_slept_does_not_call_the_other_dead() {
        let began = Instant::now();
        let mut link = Liveness::new(began);
        link.began(began);
        assert_eq!(link.act(began), Act::Wait(after(began, 1_000)));
        assert_eq!(link.act(after(began, 1_000)), Act::Ping);
        assert_eq!(link.act(after(began, 1_000)), Act::Wait(after(began, 2_000)));
        // A minute passes in which this end is stopped.
        let woke = after(began, 62_000);
        assert!(matches!(link.act(woke), Act::Ping), "it asks before it gives up");
        assert!(matches!(link.act(woke), Act::Wait(_)));
        // And what is really silent ends all the same, sooner than a new link would.
        assert!(silence(link, woke).1 <= 4_000);
    }

    /// Whatever happens in whichever order: a link is dead once nothing was heard for the longest
    /// time, never before the shortest, pings leave no closer than a second apart, and a dead one
    /// stays dead for as long as nothing is heard.
    #[test]
    fn any_order_of_events_keeps_the_bounds() {
        for seed in 0_u64..20_000 {
            let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
            let mut draw = |below: u64| {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                state % below
            };
            let began = Instant::now();
            let (mut now, mut next, mut heard, mut last_ping) = (began, began, began, None::<Instant>);
            let mut link = Liveness::new(began);
            for _ in 0..60 {
                // As its driver does, it is looked at when it wants to be, or when something happens.
                now = (now + Duration::from_millis(draw(4_000))).min(next);
                match draw(5) {
                    0 => {
                        link.heard(now);
                        heard = now;
                    }
                    1 => link.began(now),
                    2 => link.ended(now),
                    _ => {}
                }
                let silence = now.duration_since(heard);
                let how = link.state(now);
                assert!(silence < IDLE.dead || how == State::Dead, "seed {seed}: {silence:?} {how:?}");
                assert!(silence >= BUSY.dead || how != State::Dead, "seed {seed}: {silence:?} {how:?}");
                match link.act(now) {
                    Act::Ping => {
                        let apart = last_ping.map(|last| now.duration_since(last));
                        assert!(apart.is_none_or(|apart| apart >= BUSY.ask), "seed {seed}: {apart:?}");
                        (last_ping, next) = (Some(now), now + BUSY.ask);
                    }
                    Act::Wait(until) => {
                        assert!(until > now, "seed {seed}: it would spin");
                        next = until;
                    }
                    Act::GiveUp => {
                        assert_eq!(how, State::Dead, "seed {seed}");
                        break;
                    }
                }
            }
        }
    }
}
