//! Findings taken out of a text: for good, or by placeholders that are put back into the answer.

use std::collections::HashMap;
use std::fmt;

use super::Finding;

/// The text with every finding replaced by its class: `[EMAIL]`.
pub fn redact(text: &str, findings: &[Finding]) -> String {
    replaced(text, findings, |finding, _| {
        format!("[{}]", finding.class.as_str().to_uppercase())
    })
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
        replaced(text, findings, |finding, value| {
            if let Some(placeholder) = self.by_value.get(value) {
                return placeholder.clone();
            }
            let class: String = finding.class.as_str().to_uppercase().chars().take(48).collect();
            let count = self.counts.entry(class.clone()).or_default();
            let placeholder = loop {
                *count += 1;
                let placeholder = format!("[{class}_{count}]");
                // The caller's own words may look like one.
                if !text.contains(&placeholder) {
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
        let mut restorer = Restorer::new(self);
        let mut whole = restorer.push(text);
        whole.push_str(&restorer.end());
        whole
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
pub struct Restorer<'a> {
    vault: &'a Vault,
    held: String,
}

impl<'a> Restorer<'a> {
    /// For these placeholders.
    pub fn new(vault: &'a Vault) -> Self {
        Restorer {
            vault,
            held: String::new(),
        }
    }

    /// One more piece; gives what is sure.
    pub fn push(&mut self, piece: &str) -> String {
        self.held.push_str(piece);
        let mut sure = String::with_capacity(self.held.len());
        loop {
            let Some(open) = self.held.find('[') else {
                sure.push_str(&std::mem::take(&mut self.held));
                return sure;
            };
            sure.extend(self.held.drain(..open));
            match self.held.find(']') {
                Some(close) => {
                    let candidate = self.held.get(..=close).unwrap_or_default();
                    if let Some(value) = self.vault.by_placeholder.get(candidate) {
                        sure.push_str(value);
                        self.held.drain(..=close);
                    } else {
                        sure.extend(self.held.drain(..1));
                    }
                }
                None if self.may_be_one() => return sure,
                None => sure.extend(self.held.drain(..1)),
            }
        }
    }

    /// What is held can still become a placeholder.
    fn may_be_one(&self) -> bool {
        let rest = self.held.get(1..).unwrap_or_default();
        self.held.len() <= LONGEST
            && !rest.contains(['[', '\n'])
            && self.vault.by_placeholder.keys().any(|one| one.starts_with(&self.held))
    }

    /// The end: what was held back was none.
    pub fn end(&mut self) -> String {
        std::mem::take(&mut self.held)
    }
}
