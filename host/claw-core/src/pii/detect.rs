//! Looks through a text by the rules and by the operator's own patterns. Linear in the text;
//! refuses texts beyond a bound rather than to look at half of them.

use std::collections::BTreeSet;

use regex::{Regex, RegexBuilder};
use serde::{Deserialize, Serialize};

use super::rules::{CLASSES, Needs, RULES, Rule};
use super::{Class, Finding, InspectFailed, Inspector};

/// The longest text, in bytes.
const MAX_TEXT: usize = 64 << 20;
/// How far a word may be from the span that it speaks of, in bytes.
const NEAR: usize = 48;
/// The most memory that one pattern of the operator's may take, in bytes.
const MAX_PATTERN: usize = 1 << 20;

/// What is looked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PiiSettings {
    /// Built-in classes; all of them where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub classes: Option<Vec<Class>>,
    /// Classes of the operator's own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub custom: Vec<CustomPattern>,
    /// Texts that are no finding, such as a public address.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allow: Vec<String>,
}

impl PiiSettings {
    /// The names of all classes that there are, the operator's own among them.
    pub fn known(&self) -> Vec<String> {
        let custom = self.custom.iter().map(|custom| custom.name.clone());
        CLASSES.iter().map(Class::to_string).chain(custom).collect()
    }
}

/// A class of the operator's own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CustomPattern {
    /// Its name.
    pub name: String,
    /// A regular expression.
    pub pattern: String,
}

/// The settings cannot be meant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadPattern {
    /// No built-in class has this name.
    #[error("there is no class `{0}`; there are {list}", list = CLASSES.map(|class| format!("`{class}`")).join(", "))]
    UnknownClass(Class),
    /// The pattern is none, is too large, or matches everywhere.
    #[error("the pattern of `{name}` cannot be used: {why}")]
    Pattern {
        /// The class.
        name: String,
        /// Why.
        why: String,
    },
}

/// The detector.
#[derive(Debug)]
pub struct Detector {
    classes: BTreeSet<Class>,
    custom: Vec<(Class, Regex)>,
    allow: Vec<String>,
}

impl Detector {
    /// A detector of these.
    ///
    /// # Errors
    /// See [`BadPattern`].
    pub fn try_new(settings: &PiiSettings) -> Result<Self, BadPattern> {
        let classes = match &settings.classes {
            None => CLASSES.into_iter().collect(),
            Some(classes) => {
                if let Some(unknown) = classes.iter().find(|class| !CLASSES.contains(class)) {
                    return Err(BadPattern::UnknownClass(unknown.clone()));
                }
                classes.iter().cloned().collect()
            }
        };
        let custom = settings.custom.iter().map(|custom| {
            let bad = |why: String| BadPattern::Pattern {
                name: custom.name.clone(),
                why,
            };
            let built = RegexBuilder::new(&custom.pattern).size_limit(MAX_PATTERN).build();
            let pattern = built.map_err(|error| bad(error.to_string().lines().last().unwrap_or_default().to_owned()))?;
            if custom.name.is_empty() || pattern.is_match("") {
                return Err(bad("it needs a name, and must match at least one character".to_owned()));
            }
            Ok((Class::custom(custom.name.clone()), pattern))
        });
        Ok(Detector {
            custom: custom.collect::<Result<_, _>>()?,
            allow: settings.allow.iter().map(|text| text.to_lowercase()).collect(),
            classes,
        })
    }

    fn rule(&self, rule: &Rule, text: &str, found: &mut Vec<Finding>) {
        for captures in rule.pattern.captures_iter(text) {
            let Some(span) = captures.name("value").or(captures.get(0)) else {
                continue;
            };
            if !(rule.check)(&bare(span.as_str())) || is_part_of_more(text, span.start(), span.end(), &rule.class) {
                continue;
            }
            if let Some(words) = rule.near
                && !words.is_match(around(text, span.start(), span.end()))
            {
                continue;
            }
            found.push(Finding {
                class: rule.class.clone(),
                start: span.start(),
                end: span.end(),
            });
        }
    }
}

impl Inspector for Detector {
    fn inspect(&self, text: &str) -> Result<Vec<Finding>, InspectFailed> {
        if text.len() > MAX_TEXT {
            return Err(InspectFailed(format!("it is longer than {MAX_TEXT} bytes")));
        }
        let plain = Plain::of(text);
        let seen = plain.text(text);
        let digits = seen.bytes().filter(u8::is_ascii_digit).count();
        let (at, colon) = (seen.contains('@'), seen.contains(':'));
        let mut found = Vec::new();
        for rule in RULES.iter().filter(|rule| self.classes.contains(&rule.class)) {
            let worth = match rule.needs {
                Needs::At => at,
                Needs::Digits(least) => digits >= least,
                Needs::Colon => colon,
                Needs::Nothing => true,
            };
            if worth {
                self.rule(rule, seen, &mut found);
            }
        }
        for (class, pattern) in &self.custom {
            found.extend(pattern.find_iter(seen).filter(|span| !span.is_empty()).map(|span| Finding {
                class: class.clone(),
                start: span.start(),
                end: span.end(),
            }));
        }
        found.retain(|finding| {
            let value = seen.get(finding.start..finding.end).unwrap_or_default().to_lowercase();
            !self.allow.contains(&value)
        });
        let mut found = apart(found);
        for finding in &mut found {
            (finding.start, finding.end) = (plain.back(finding.start), plain.back(finding.end));
        }
        Ok(found)
    }
}

/// Letters and digits alone, in capitals; but for addresses, which need their separators.
fn bare(span: &str) -> String {
    if span.contains(':') || span.matches('.').count() == 3 && span.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
        return span.to_owned();
    }
    if span.starts_with("bc1") || span.len() > 24 && span.bytes().any(|b| b.is_ascii_lowercase()) && !span.contains(' ') {
        return if iban_like(span) {
            span.to_ascii_uppercase()
        } else {
            span.to_owned()
        };
    }
    span.chars()
        .filter(|c| c.is_alphanumeric())
        .map(|c| c.to_ascii_uppercase())
        .collect()
}

fn iban_like(span: &str) -> bool {
    let bytes = span.as_bytes();
    let letters = bytes.iter().take(2).all(u8::is_ascii_alphabetic);
    letters && bytes.iter().skip(2).take(2).all(u8::is_ascii_digit)
}

/// A number that goes on beyond the span is another one: a version, a decimal, a longer id.
fn is_part_of_more(text: &str, start: usize, end: usize, class: &Class) -> bool {
    let name = class.as_str();
    if matches!(name, "secret" | "email" | "crypto_address") {
        return false;
    }
    let bytes = text.as_bytes();
    let digit = |place: Option<usize>| place.and_then(|place| bytes.get(place)).is_some_and(u8::is_ascii_digit);
    let joined = |place: Option<usize>| {
        place
            .and_then(|place| bytes.get(place))
            .is_some_and(|b| matches!(b, b'.' | b'-' | b'_' | b'/'))
    };
    let before = joined(start.checked_sub(1)) && digit(start.checked_sub(2));
    let after = joined(Some(end)) && digit(Some(end + 1));
    let version = name == "ip" && {
        let head = bytes.get(start.saturating_sub(SHORTLY)..start).unwrap_or_default();
        let word = head.trim_ascii_end().to_ascii_lowercase();
        matches!(head.last(), Some(b'v' | b'V')) || word.ends_with(b"version")
    };
    let in_uuid = name != "ip" && before | after && start > 0 && bytes.get(start - 1) == Some(&b'-');
    before || after || version || in_uuid
}

/// The word before a span is looked for in so many bytes.
const SHORTLY: usize = 24;

/// The text shortly before and after a span, on its own line or the one before.
fn around(text: &str, start: usize, end: usize) -> &str {
    let mut from = start.saturating_sub(NEAR);
    while !text.is_char_boundary(from) {
        from -= 1;
    }
    let mut to = (end + NEAR / 2).min(text.len());
    while !text.is_char_boundary(to) {
        to += 1;
    }
    text.get(from..to).unwrap_or_default()
}

/// In order, and none in another: the one that was found first by the surer rule counts.
fn apart(found: Vec<Finding>) -> Vec<Finding> {
    let mut kept: Vec<Finding> = Vec::with_capacity(found.len());
    let mut taken = std::collections::BTreeMap::<usize, usize>::new();
    for finding in found {
        let before = taken.range(..finding.end).next_back();
        if before.is_some_and(|(_, end)| *end > finding.start) {
            continue;
        }
        taken.insert(finding.start, finding.end);
        kept.push(finding);
    }
    kept.sort_by_key(|finding| finding.start);
    kept
}

/// A text with every decimal digit as an ASCII one, and without marks that are not seen: neither
/// hides a number. Keeps the way back.
struct Plain {
    changed: Option<(String, Vec<usize>)>,
}

impl Plain {
    fn of(text: &str) -> Self {
        if text.is_ascii() || !text.chars().any(|c| is_unseen(c) || digit_of(c).is_some()) {
            return Plain { changed: None };
        }
        let mut plain = String::with_capacity(text.len());
        let mut places = Vec::with_capacity(text.len() + 1);
        for (place, c) in text.char_indices() {
            if is_unseen(c) {
                continue;
            }
            let shown = digit_of(c).unwrap_or(c);
            plain.push(shown);
            places.extend(std::iter::repeat_n(place, shown.len_utf8()));
        }
        places.push(text.len());
        Plain {
            changed: Some((plain, places)),
        }
    }

    fn text<'a>(&'a self, text: &'a str) -> &'a str {
        self.changed.as_ref().map_or(text, |(plain, _)| plain)
    }

    /// Where a place of the plain text is in the text itself.
    fn back(&self, place: usize) -> usize {
        match &self.changed {
            None => place,
            Some((_, places)) => places.get(place).or(places.last()).copied().unwrap_or(place),
        }
    }
}

fn is_unseen(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2060}'..='\u{2064}' | '\u{feff}' | '\u{180e}' | '\u{34f}')
}

/// The ASCII digit of a decimal digit of another script: full-width ones, and the scripts whose
/// digits are in common use.
fn digit_of(c: char) -> Option<char> {
    const ZEROS: [u32; 14] = [
        0xff10, 0x660, 0x6f0, 0x966, 0x9e6, 0xa66, 0xae6, 0xb66, 0xbe6, 0xc66, 0xe50, 0xed0, 0x1040, 0x17e0,
    ];
    let code = u32::from(c);
    let value = ZEROS
        .iter()
        .find_map(|zero| code.checked_sub(*zero).filter(|value| *value < 10))?;
    char::from_digit(value, 10)
}
