//! Findings taken out of a text: for good, or by placeholders that are put back into the answer.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

use serde_json::Value;

use super::{Finding, json_within, map_texts};

/// The text with every finding replaced by its class: `[EMAIL]`.
pub fn redact(text: &str, findings: &[Finding]) -> String {
    replaced(text, findings, |finding, _| word(finding))
}

fn word(finding: &Finding) -> String {
    format!("[{}]", finding.class.as_str().to_uppercase())
}

fn replaced(text: &str, findings: &[Finding], mut with: impl FnMut(&Finding, &str) -> String) -> String {
    let mut whole = String::with_capacity(text.len());
    let mut at = 0;
    for finding in findings {
        whole.push_str(text.get(at..finding.start).unwrap_or_default());
        let value = text.get(finding.start..finding.end).unwrap_or_default();
        whole.push_str(&with(finding, value));
        at = finding.end;
    }
    whole.push_str(text.get(at..).unwrap_or_default());
    whole
}

/// What stands in brackets at the beginning of a text, brackets included, where it is short enough
/// for a placeholder.
fn closed(text: &str) -> Option<&str> {
    let close = text.bytes().take(LONGEST).position(|byte| byte == b']')?;
    text.get(..=close)
}

/// All that could be a placeholder.
fn bracketed(text: &str) -> HashSet<&str> {
    let opens = text.match_indices('[');
    opens.filter_map(|(open, _)| text.get(open..).and_then(closed)).collect()
}

/// What the placeholders of one call stand for. Never shows a value.
#[derive(Default)]
pub struct Vault {
    by_value: HashMap<String, String>,
    by_placeholder: HashMap<String, String>,
    counts: HashMap<String, usize>,
}

/// Placeholders are no longer than this, in bytes.
const LONGEST: usize = 96;

impl Vault {
    /// Nothing is masked yet.
    pub fn new() -> Self {
        Vault::default()
    }

    /// The text with every finding replaced by a placeholder, the same for the same value.
    pub fn mask(&mut self, text: &str, findings: &[Finding]) -> String {
        self.change(text, findings, &|_| false)
    }

    /// The same, but of those findings nothing is kept that are to go for good.
    pub fn change(&mut self, text: &str, findings: &[Finding], for_good: &dyn Fn(&Finding) -> bool) -> String {
        let own = bracketed(text);
        replaced(text, findings, |finding, value| {
            if for_good(finding) {
                return word(finding);
            }
            if let Some(placeholder) = self.by_value.get(value) {
                return placeholder.clone();
            }
            let class: String = finding.class.as_str().to_uppercase().chars().take(48).collect();
            let count = self.counts.entry(class.clone()).or_default();
            let placeholder = loop {
                *count += 1;
                let placeholder = format!("[{class}_{count}]");
                // The caller's own words may look like one.
                if !own.contains(placeholder.as_str()) {
                    break placeholder;
                }
            };
            self.by_value.insert(value.to_owned(), placeholder.clone());
            self.by_placeholder.insert(placeholder.clone(), value.to_owned());
            placeholder
        })
    }

    /// Nothing was masked.
    pub fn is_empty(&self) -> bool {
        self.by_placeholder.is_empty()
    }

    /// The text with its placeholders as they were.
    pub fn restore(&self, text: &str) -> String {
        let values: &dyn Fn(&str) -> String = match json_within(text) {
            // What was JSON stays so.
            Some(_) => &|value| {
                let quoted = Value::from(value).to_string();
                let bare = quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
                bare.unwrap_or_default().to_owned()
            },
            None => &str::to_owned,
        };
        let mut whole = String::with_capacity(text.len());
        let mut rest = text.to_owned();
        self.take_sure(&mut rest, &mut whole, values);
        whole.push_str(&rest);
        whole
    }

    /// The same for all texts of a JSON value.
    pub fn restore_value(&self, value: &mut Value) {
        map_texts(value, &mut |text| text.contains('[').then(|| self.restore(text)));
    }

    /// Moves what is sure from the front of `held`, restored; what may still become a placeholder
    /// stays.
    fn take_sure(&self, held: &mut String, sure: &mut String, values: &dyn Fn(&str) -> String) {
        let text = std::mem::take(held);
        let mut rest = text.as_str();
        while let Some((before, from)) = rest.find('[').and_then(|open| rest.split_at_checked(open)) {
            sure.push_str(before);
            let candidate = closed(from);
            if let Some(value) = candidate.and_then(|candidate| self.by_placeholder.get(candidate)) {
                sure.push_str(&values(value));
                rest = from.get(candidate.map_or(0, str::len)..).unwrap_or_default();
            } else if candidate.is_none() && self.may_be_one(from) {
                held.push_str(from);
                return;
            } else {
                sure.push('[');
                rest = from.get(1..).unwrap_or_default();
            }
        }
        sure.push_str(rest);
    }

    /// A finding in which something stands that was put there by us.
    pub fn is_ours(&self, text: &str, finding: &Finding) -> bool {
        let span = text.get(finding.start..finding.end).unwrap_or_default();
        span.contains(&word(finding)) || bracketed(span).iter().any(|one| self.by_placeholder.contains_key(*one))
    }

    /// What is held can still become a placeholder.
    fn may_be_one(&self, held: &str) -> bool {
        let rest = held.get(1..).unwrap_or_default();
        held.len() <= LONGEST && !rest.contains(['[', '\n']) && self.by_placeholder.keys().any(|one| one.starts_with(held))
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Vault({} values)", self.by_placeholder.len())
    }
}

/// Puts placeholders back in a text that comes in pieces. Holds back no more than could still
/// become one.
#[derive(Debug)]
pub struct Restorer {
    vault: Arc<Vault>,
    held: String,
}

impl Restorer {
    /// For these placeholders.
    pub fn new(vault: Arc<Vault>) -> Self {
        Restorer {
            vault,
            held: String::new(),
        }
    }

    /// One more piece; gives what is sure.
    pub fn push(&mut self, piece: &str) -> String {
        self.held.push_str(piece);
        let mut sure = String::with_capacity(self.held.len());
        self.vault.take_sure(&mut self.held, &mut sure, &str::to_owned);
        sure
    }

    /// The end: what was held back was none.
    pub fn end(&mut self) -> String {
        std::mem::take(&mut self.held)
    }
}
