//! Whether a figure is far from its own history: by the median and the median absolute
//! deviation, which a few odd windows do not move. Says nothing of a short history.

/// Fewer windows are no history.
pub const LEAST_WINDOWS: usize = 6;

/// What makes a median absolute deviation comparable to a standard deviation, where figures are
/// normal: 1 / Φ⁻¹(3/4), in ten-thousandths.
const TO_DEVIATION: u128 = 14_826;

/// So many deviations from the median are far.
const FAR: u128 = 6;

/// What is usual.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usual {
    /// The figure in the middle.
    pub median: u64,
    /// The middle of the distances from it.
    pub deviation: u64,
    /// Of how many windows.
    pub windows: usize,
}

impl Usual {
    /// What a history says, if it is long enough to say anything.
    pub fn of(history: &[u64]) -> Option<Self> {
        if history.len() < LEAST_WINDOWS {
            return None;
        }
        let median = median(history.iter().copied())?;
        let deviation = self::median(history.iter().map(|figure| figure.abs_diff(median)))?;
        Some(Usual {
            median,
            deviation,
            windows: history.len(),
        })
    }

    /// A figure is far above: by more than six deviations, where one is at least a tenth of the
    /// median and at least `least`.
    pub fn is_far_above(&self, figure: u64, least: u64) -> bool {
        let deviation = u128::from(self.deviation) * TO_DEVIATION / 10_000;
        let deviation = deviation.max(u128::from(self.median / 10)).max(u128::from(least));
        u128::from(figure) > u128::from(self.median) + deviation * FAR
    }
}

/// The figure in the middle; of an even number, half-way between the two.
fn median(figures: impl Iterator<Item = u64>) -> Option<u64> {
    let mut figures: Vec<u64> = figures.collect();
    figures.sort_unstable();
    let upper = figures.get(figures.len() / 2).copied()?;
    let lower = figures.get(figures.len().saturating_sub(1) / 2).copied()?;
    Some(lower + (upper - lower) / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_far_is_told_from_what_only_varies() {
        let check = |history: &[u64], figure: u64, expected: bool| {
            let far = Usual::of(history).is_some_and(|usual| usual.is_far_above(figure, 2));
            assert_eq!(far, expected, "{figure} after {history:?}");
        };
        let steady = [37, 40, 35, 36, 38, 37, 39, 36];
        check(&steady, 412, true);
        check(&steady, 45, false);
        check(&steady, 0, false);
        check(&steady[..5], 412, false);
        check(&[37; 24], 38, false);
        check(&[37; 24], 56, true);
        check(&[0; 24], 12, false);
        check(&[0; 24], 13, true);
        check(&[10, 400, 20, 380, 15, 410, 12, 390], 420, false);
        // A spike in the history hides no second one.
        check(&[37, 36, 5_000, 38, 37, 35, 36, 37], 412, true);
        check(&[u64::MAX; 8], u64::MAX, false);
        check(&[], 1, false);
    }

    #[test]
    fn the_middle_is_one_of_the_figures() {
        let usual = Usual::of(&[4, 1, 3, 2, 6, 5]).unwrap_or(Usual {
            median: 0,
            deviation: 0,
            windows: 0,
        });
        assert_eq!((usual.median, usual.deviation, usual.windows), (3, 1, 6));
    }
}
