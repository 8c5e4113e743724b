//! A checklist of a prompt's findings, one item each, in their own words. Refuses to invent
//! an item.

use super::json::{findings, is_finding_key};
use super::outline::{List, Prompt};

/// Words by which a list's lead says that it lists findings.
const LEADS: &[&str] = &[
    "finding",
    "flag",
    "issue",
    "risk",
    "problem",
    "warning",
    "violation",
    "concern",
    "alert",
    "todo",
    "to-do",
    "task",
    "change",
    "recommend",
    "error",
];

/// Words by which it says that it lists orders.
const ORDERS: &[&str] = &[
    "rule",
    "instruction",
    "guideline",
    "requirement",
    "format",
    "constraint",
    "style",
];

/// The checklist.
pub(super) fn write(prompt: &Prompt) -> String {
    let items = items(prompt);
    if items.is_empty() {
        return "The prompt lists no findings, neither as a list nor as JSON, so there is nothing to tick.".to_owned();
    }
    let lines: Vec<String> = items.iter().map(|item| format!("- [ ] {item}")).collect();
    lines.join("\n")
}

/// The findings: those in JSON, and those in lists whose lead names findings; failing
/// both, every list item that is no order.
pub(super) fn items(prompt: &Prompt) -> Vec<String> {
    let mut found = findings(&prompt.values);
    found.extend(of_lists(prompt, |list| is_finding_key(&list.lead) || leads(list, LEADS)));
    if found.is_empty() {
        found.extend(of_lists(prompt, |list| !leads(list, ORDERS)));
    }
    let mut seen = std::collections::HashSet::new();
    found.retain(|item| seen.insert(item.clone()));
    found
}

fn of_lists(prompt: &Prompt, wanted: impl Fn(&List) -> bool) -> impl Iterator<Item = String> {
    prompt
        .outline
        .lists
        .iter()
        .filter(move |list| wanted(list))
        .flat_map(|list| list.items.iter().cloned())
}

fn leads(list: &List, words: &[&str]) -> bool {
    let lead = list.lead.to_lowercase();
    words.iter().any(|word| lead.contains(word))
}
