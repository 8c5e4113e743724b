//! Several keys for one provider: used in turn, and one that was refused or limited is left
//! alone for a while. A state machine without a clock.

use std::time::{Duration, Instant};

/// The longest that a key is left alone, whatever its provider says.
const COLD_AT_MOST: Duration = Duration::from_secs(3_600);

/// The keys of one entry, by their places.
#[derive(Clone, Debug)]
pub struct KeyPool {
    cold_until: Vec<Option<Instant>>,
    next: usize,
}

impl KeyPool {
    /// So many keys, all of them good.
    pub fn new(keys: usize) -> Self {
        KeyPool {
            cold_until: vec![None; keys],
            next: 0,
        }
    }

    /// The place of the key that is to be used now. Where all are cold, the one that is warm
    /// again first: a call that fails says more than one that is not made.
    pub fn choose(&mut self, now: Instant) -> Option<usize> {
        let count = self.cold_until.len();
        let turns = (0..count).map(|turn| (self.next + turn) % count.max(1));
        let place = turns.min_by_key(|place| match self.cold_until.get(*place).copied().flatten() {
            Some(until) if until > now => Some(until),
            _ => None,
        })?;
        self.next = (place + 1) % count;
        Some(place)
    }

    /// Leaves a key alone for so long.
    pub fn cool(&mut self, place: usize, now: Instant, wait: Duration) {
        let until = now + wait.min(COLD_AT_MOST);
        if let Some(cold) = self.cold_until.get_mut(place) {
            *cold = Some(cold.map_or(until, |before| before.max(until)));
        }
    }

    /// A key works.
    pub fn warm(&mut self, place: usize) {
        if let Some(cold) = self.cold_until.get_mut(place) {
            *cold = None;
        }
    }

    /// Some other key can be used now.
    pub fn has_other(&self, place: usize, now: Instant) -> bool {
        let warm = |until: &Option<Instant>| until.is_none_or(|until| until <= now);
        let mut others = self.cold_until.iter().enumerate().filter(|(other, _)| *other != place);
        others.any(|(_, until)| warm(until))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_take_turns_and_cold_ones_are_passed_over() {
        let (now, minute) = (Instant::now(), Duration::from_secs(60));
        let mut pool = KeyPool::new(3);
        let turns: Vec<_> = (0..4).filter_map(|_| pool.choose(now)).collect();
        assert_eq!(turns, [0, 1, 2, 0]);
        pool.cool(1, now, minute);
        let turns: Vec<_> = (0..4).filter_map(|_| pool.choose(now)).collect();
        assert_eq!(turns, [2, 0, 2, 0]);
        assert!(pool.has_other(0, now));
        pool.cool(2, now, 2 * minute);
        assert!(!pool.has_other(0, now));
        pool.cool(0, now, 3 * minute);
        assert_eq!(pool.choose(now), Some(1), "the one that is warm again first");
        pool.cool(0, now, Duration::MAX);
        assert!(pool.has_other(1, now + 2 * COLD_AT_MOST));
        pool.warm(0);
        assert_eq!(pool.choose(now), Some(0));
        assert_eq!(pool.choose(now + 2 * minute), Some(1));
        assert_eq!(KeyPool::new(0).choose(now), None);
        assert_eq!(KeyPool::new(1).choose(now), Some(0));
    }
}
