//! Placeholders for what a cassette must not hold: the same for the same text wherever it
//! stands, so that a replay sends what was recorded. A text that a skill sent before any
//! answer held it did not come from outside, and cannot be replaced.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;

use anyhow::Result;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use claw_core::journal::{Effect, Line};
use serde_json::Value;

use super::detect::{Class, Known, find};

/// What a case and its skill say themselves: an address that is written there anyway is no
/// secret of the recording.
pub(super) struct Context<'a> {
    /// The case's input.
    pub(super) input: &'a Value,
    /// The folder of its files.
    pub(super) files: &'a Path,
    /// The skill, with its packaged files and the texts in its code.
    pub(super) component: &'a [u8],
}

/// The calls, masked.
#[derive(Debug, Default)]
pub(super) struct Masked {
    /// The lines of the cassette.
    pub(super) lines: Vec<Line>,
    /// How many different texts of each kind were replaced.
    pub(super) counts: BTreeMap<&'static str, usize>,
    /// What could not be.
    pub(super) stuck: Vec<Stuck>,
    /// Data that is no text and was not looked into.
    pub(super) opaque: usize,
}

/// Something in a request that cannot be masked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stuck {
    class: Class,
    line: usize,
    call: String,
    place: String,
}

impl fmt::Display for Stuck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} in call {}, {}, at `{}`",
            self.class.as_str(),
            self.line,
            self.call,
            self.place
        )
    }
}

/// Masks the calls of a run.
///
/// # Errors
/// A call cannot be written as JSON and read again.
pub(super) fn mask(lines: Vec<Line>, known: &Known, context: &Context<'_>) -> Result<Masked> {
    let mut masked = Masked::default();
    let mut names = Names::default();
    let own = Own::of(context);
    let mut values = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        let mut value = serde_json::to_value(&line.effect)?;
        let call = title(&line.effect);
        for part in REQUEST {
            let Some(request) = value.get_mut(part) else { continue };
            each(request, &format!("/{part}"), &mut masked.opaque, &mut |place, text| {
                for (range, class) in find(text, known) {
                    let Some(hit) = text.get(range) else { continue };
                    if names.has(hit) || (!class.is_secret() && own.says(hit)) || !names.kept.insert(hit.to_owned()) {
                        continue;
                    }
                    masked.stuck.push(Stuck {
                        class,
                        line: index + 1,
                        call: call.clone(),
                        place: place.to_owned(),
                    });
                }
            });
        }
        if let Some(answer) = value.get_mut("answer") {
            each(answer, "/answer", &mut masked.opaque, &mut |_, text| {
                for (range, class) in find(text, known) {
                    let Some(hit) = text.get(range) else { continue };
                    if class.is_secret() || !own.says(hit) {
                        names.name(hit, class);
                    }
                }
            });
        }
        values.push(value);
    }
    masked.counts = names.counts();
    let by_length = names.by_length();
    for mut value in values {
        for part in REQUEST.iter().chain(&["answer"]) {
            let Some(part) = value.get_mut(*part) else { continue };
            each(part, "", &mut 0, &mut |_, text| {
                for (hit, name) in &by_length {
                    if text.contains(hit) {
                        *text = text.replace(hit, name);
                    }
                }
            });
        }
        masked.lines.push(Line {
            at_us: 0,
            effect: serde_json::from_value(value)?,
        });
    }
    Ok(masked)
}

/// The keys of what a skill sends, in a model, an embed and an invoke effect.
const REQUEST: [&str; 3] = ["request", "texts", "input"];

fn title(effect: &Effect) -> String {
    match effect {
        Effect::Model { use_name, .. } => format!("model `{use_name}`"),
        Effect::Embed { use_name, .. } => format!("embed `{use_name}`"),
        Effect::Invoke { capability, .. } => format!("invoke `{capability}`"),
        _ => String::new(),
    }
}

/// The placeholders of one recording.
#[derive(Default)]
struct Names {
    by_text: BTreeMap<String, (Class, String)>,
    next: BTreeMap<Class, usize>,
    /// Texts that stay, in answers too: half a replacement would break the replay.
    kept: BTreeSet<String>,
}

impl Names {
    fn has(&self, text: &str) -> bool {
        self.by_text.contains_key(text)
    }

    fn name(&mut self, text: &str, class: Class) {
        if self.has(text) || self.kept.contains(text) {
            return;
        }
        let next = self.next.entry(class).or_default();
        *next += 1;
        self.by_text
            .insert(text.to_owned(), (class, format!("«{}-{next}»", class.as_str())));
    }

    fn counts(&self) -> BTreeMap<&'static str, usize> {
        self.next.iter().map(|(class, count)| (class.as_str(), *count)).collect()
    }

    /// The longest text first, so that no part of one is replaced before the whole.
    fn by_length(&self) -> Vec<(&str, &str)> {
        let mut pairs: Vec<_> = self
            .by_text
            .iter()
            .map(|(text, (_, name))| (text.as_str(), name.as_str()))
            .collect();
        pairs.sort_by_key(|(text, _)| std::cmp::Reverse(text.len()));
        pairs
    }
}

/// The texts of a case and its skill.
struct Own {
    texts: Vec<Vec<u8>>,
}

impl Own {
    fn of(context: &Context<'_>) -> Self {
        let files = super::super::test::tree(context.files).unwrap_or_default().into_values();
        let input = std::iter::once(context.input.to_string().into_bytes());
        Own {
            texts: files.chain(input).chain([context.component.to_vec()]).collect(),
        }
    }

    fn says(&self, text: &str) -> bool {
        let text = text.as_bytes();
        self.texts
            .iter()
            .any(|own| own.windows(text.len().max(1)).any(|window| window == text))
    }
}

/// Shows every text of a value, keys and text inside base64 included, with its place.
fn each(value: &mut Value, place: &str, opaque: &mut usize, see: &mut dyn FnMut(&str, &mut String)) {
    match value {
        Value::String(text) => see(place, text),
        Value::Array(items) => {
            for (index, item) in items.iter_mut().enumerate() {
                each(item, &format!("{place}/{index}"), opaque, see);
            }
        }
        Value::Object(map) => {
            let is_blob = map.get("mime").is_some_and(Value::is_string) && map.get("data").is_some_and(Value::is_string);
            let mut seen = serde_json::Map::new();
            for (mut key, mut value) in std::mem::take(map) {
                let place = format!("{place}/{key}");
                if is_blob && key == "data" {
                    blob(&mut value, &place, opaque, see);
                } else {
                    each(&mut value, &place, opaque, see);
                }
                see(&place, &mut key);
                seen.insert(key, value);
            }
            *map = seen;
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn blob(value: &mut Value, place: &str, opaque: &mut usize, see: &mut dyn FnMut(&str, &mut String)) {
    let decoded = value.as_str().and_then(|text| STANDARD.decode(text).ok());
    let Some(mut text) = decoded.and_then(|bytes| String::from_utf8(bytes).ok()) else {
        *opaque += 1;
        return;
    };
    let before = text.clone();
    see(place, &mut text);
    if text != before {
        *value = STANDARD.encode(text).into();
    }
}

#[cfg(test)]
mod tests;
