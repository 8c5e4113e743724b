//! Events that say the same, counted. Bounded: past the bound, new kinds of events are
//! counted together.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::event::Severity;
use crate::fold::Event;
use crate::mask;

/// How many groups are held while reading.
const MOST_HELD: usize = 5_000;
const LONGEST_SAMPLE: usize = 400;

/// Events that say the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Group {
    /// `fatal`, `error` or `warning`.
    pub level: &'static str,
    /// How many there are.
    pub count: u64,
    /// When the first was written, as it says; absent where none says it.
    pub first: Option<String>,
    /// When the last was written.
    pub last: Option<String>,
    /// The line of the first, from 1.
    pub first_line: u64,
    /// What they have in common.
    pub template: String,
    /// The first of them.
    pub sample: String,
    #[serde(skip)]
    severity: Severity,
}

/// What is not among the groups that are answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LeftOut {
    /// How many groups.
    pub groups: u64,
    /// How many events, those of no group included.
    pub events: u64,
}

/// All groups of a log.
#[derive(Debug, Default)]
pub struct Groups {
    held: BTreeMap<(Severity, String), Group>,
    levels: BTreeMap<&'static str, u64>,
    ungrouped: u64,
}

impl Groups {
    /// Counts one more event.
    pub fn add(&mut self, event: Event) {
        *self.levels.entry(event.severity.as_str()).or_default() += 1;
        if event.severity == Severity::Info {
            return;
        }
        let cause = event
            .cause
            .as_deref()
            .map(|cause| format!(" | {}", mask::template(cause)))
            .unwrap_or_default();
        let template = format!("{}{cause}", mask::template(&event.message));
        let key = (event.severity, template);
        if let Some(group) = self.held.get_mut(&key) {
            group.count += 1;
            group.last = event.time.or(group.last.take());
            return;
        }
        if self.held.len() >= MOST_HELD {
            self.ungrouped += 1;
            return;
        }
        let whole = match &event.cause {
            Some(cause) => format!("{} | {cause}", event.message),
            None => event.message,
        };
        let group = Group {
            level: event.severity.as_str(),
            count: 1,
            first: event.time.clone(),
            last: event.time,
            first_line: event.line,
            template: key.1.clone(),
            sample: cut(&whole),
            severity: event.severity,
        };
        self.held.insert(key, group);
    }

    /// Every level is there, also with none of it.
    pub fn finish(&mut self) {
        for level in [Severity::Fatal, Severity::Error, Severity::Warning, Severity::Info] {
            self.levels.entry(level.as_str()).or_default();
        }
    }

    /// How many events there are of each level.
    pub fn levels(&self) -> &BTreeMap<&'static str, u64> {
        &self.levels
    }

    /// How many events there are.
    pub fn events(&self) -> u64 {
        self.levels.values().sum()
    }

    /// The first groups, most severe and most frequent first, and what is left out.
    pub fn into_top(self, most: usize) -> (Vec<Group>, LeftOut) {
        let mut groups: Vec<Group> = self.held.into_values().collect();
        groups.sort_by(|one, other| {
            let order = |group: &Group| (group.severity, std::cmp::Reverse(group.count));
            order(one).cmp(&order(other)).then_with(|| one.template.cmp(&other.template))
        });
        let rest = groups.split_off(most.min(groups.len()));
        let events = rest.iter().map(|group| group.count).sum::<u64>() + self.ungrouped;
        (
            groups,
            LeftOut {
                groups: rest.len() as u64,
                events,
            },
        )
    }
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(LONGEST_SAMPLE) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests;
