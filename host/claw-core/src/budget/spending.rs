//! What was spent, by who paid: for the latest day, the latest month, and in all. Small however
//! many calls there were, and enough to begin any budget from.

use std::collections::HashMap;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Payers, Period, Window};

/// Who pays for a call.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Payer {
    /// The caller's name.
    pub service: String,
    /// The id of its key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The skill whose sandbox made the call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skill: Option<String>,
    /// The model use that was named.
    pub model_use: String,
}

/// What one call cost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Charge {
    /// Who pays.
    pub payer: Payer,
    /// When the call began, in microseconds since 1970.
    pub at_us: i64,
    /// Billionths of a US dollar; `None` where no price is known.
    pub cost_nanousd: Option<u64>,
}

/// A sum over a window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sum {
    /// Billionths of a US dollar.
    pub nanousd: u64,
    /// Calls whose price is not known, and which are in no sum.
    pub unknown_calls: u64,
}

impl Sum {
    pub(super) fn add(&mut self, cost_nanousd: Option<u64>) {
        match cost_nanousd {
            Some(cost) => self.nanousd = self.nanousd.saturating_add(cost),
            None => self.unknown_calls = self.unknown_calls.saturating_add(1),
        }
    }
}

/// The periods of [`Sums`], in their order.
const PERIODS: [Period; 3] = [Period::Day, Period::Month, Period::Total];

/// The latest window of each period: where it begins, and what was spent in it.
type Sums = [(i64, Sum); 3];

const NOTHING: Sums = [(
    i64::MIN,
    Sum {
        nanousd: 0,
        unknown_calls: 0,
    },
); 3];

/// What was spent, by payer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spending(HashMap<Payer, Sums>);

impl Spending {
    /// Adds what a call cost. Of a window before the latest one of its payer, only what counts
    /// for longer is kept.
    pub fn add(&mut self, charge: &Charge) {
        let sums = match self.0.get_mut(&charge.payer) {
            Some(sums) => sums,
            None => self.0.entry(charge.payer.clone()).or_insert(NOTHING),
        };
        for ((begins, sum), period) in sums.iter_mut().zip(PERIODS) {
            let window = Window::of(period, charge.at_us);
            if window.begins_us > *begins {
                (*begins, *sum) = (window.begins_us, Sum::default());
            }
            if window.begins_us == *begins {
                sum.add(charge.cost_nanousd);
            }
        }
    }

    /// What those whom a budget is about spent in its window.
    pub fn of(&self, payers: &Payers, period: Period, window: &Window) -> Sum {
        let mut whole = Sum::default();
        for (_, sums) in self.0.iter().filter(|(payer, _)| payers.hold(payer)) {
            let found = sums.iter().zip(PERIODS).find(|(_, of)| *of == period);
            if let Some(((_, sum), _)) = found.filter(|((begins, _), _)| *begins == window.begins_us) {
                whole.nanousd = whole.nanousd.saturating_add(sum.nanousd);
                whole.unknown_calls = whole.unknown_calls.saturating_add(sum.unknown_calls);
            }
        }
        whole
    }
}

/// A line of the written form: the payer, and for each period where its window begins, what was
/// spent, and how many prices were unknown.
#[derive(Serialize, Deserialize)]
struct Line {
    #[serde(flatten)]
    payer: Payer,
    day: (i64, u64, u64),
    month: (i64, u64, u64),
    total: (u64, u64),
}

impl Serialize for Spending {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut lines: Vec<_> = self.0.iter().collect();
        lines.sort_by_key(|(payer, _)| *payer);
        serializer.collect_seq(lines.into_iter().map(|(payer, sums)| {
            let [day, month, (_, total)] = *sums;
            let dated = |(begins, sum): (i64, Sum)| (begins, sum.nanousd, sum.unknown_calls);
            Line {
                payer: payer.clone(),
                day: dated(day),
                month: dated(month),
                total: (total.nanousd, total.unknown_calls),
            }
        }))
    }
}

impl<'de> Deserialize<'de> for Spending {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let sum = |nanousd, unknown_calls| Sum { nanousd, unknown_calls };
        let lines = Vec::<Line>::deserialize(deserializer)?.into_iter();
        let read = lines.map(|line| {
            let dated = |(begins, nanousd, unknown)| (begins, sum(nanousd, unknown));
            let sums = [
                dated(line.day),
                dated(line.month),
                (i64::MIN, sum(line.total.0, line.total.1)),
            ];
            (line.payer, sums)
        });
        Ok(Spending(read.collect()))
    }
}
