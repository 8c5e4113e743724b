//! The second attempt at YAML: lines that people and other tools write and YAML refuses are
//! rewritten to what they plainly mean. Line numbers stay as they are.

use std::collections::HashSet;

use super::Code;
use super::node::Numbers;
use super::yaml::{self, Finding};

mod flow;
mod line;

use line::KeyLine;

/// Every bracket that is opened costs a look ahead; this bounds all of them together.
const LOOK_AHEAD_BYTES: usize = 4 << 20;

/// The repaired text, and what was done to it.
pub(super) fn repair(text: &str, first_line: usize) -> (String, Vec<Finding>) {
    let mut repairer = Repairer {
        lines: text.split('\n').map(str::to_owned).collect(),
        marks: text
            .split_whitespace()
            .filter(|word| word.starts_with(['&', '*']))
            .map(str::to_owned)
            .collect(),
        budget: LOOK_AHEAD_BYTES,
        first_line,
        findings: Vec::new(),
    };
    repairer.indentation();
    let mut at = 0;
    while at < repairer.lines.len() {
        at = repairer.value_at(at).max(at + 1);
    }
    (repairer.lines.join("\n"), repairer.findings)
}

struct Repairer {
    lines: Vec<String>,
    /// The words that may be anchors or aliases.
    marks: HashSet<String>,
    /// How many bytes may still be looked at in search of closing brackets.
    budget: usize,
    first_line: usize,
    findings: Vec<Finding>,
}

/// What to do with a value.
enum Verdict {
    Keep,
    /// Write this text in quotes.
    Quote(String),
    /// Write this on the line as it is.
    Write(String),
    /// Indent the lines below the first.
    Indent,
}

impl Repairer {
    /// Tabs and other blanks at the beginning of lines become spaces.
    fn indentation(&mut self) {
        let mut first = None;
        for (at, line) in self.lines.iter_mut().enumerate() {
            let rest = line.trim_start();
            let lead = line.get(..line.len() - rest.len()).unwrap_or_default();
            if lead.chars().all(|c| c == ' ') {
                continue;
            }
            // A line of nothing but blanks needs no finding.
            if !rest.is_empty() {
                first.get_or_insert(at);
            }
            *line = format!("{}{rest}", lead.replace('\t', "  ").replace(|c| c != ' ', " "));
        }
        if let Some(at) = first {
            self.find(
                Code::TabIndent,
                at,
                "",
                "a tab or another odd blank indents this line",
                "indent with spaces",
            );
        }
    }

    /// Looks at the value that begins on line `at`; answers the line after it.
    fn value_at(&mut self, at: usize) -> usize {
        let Some(line) = self.lines.get(at) else { return at + 1 };
        if line.trim().is_empty() || line.trim_start().starts_with('#') {
            return at + 1;
        }
        if let Some(spaced) = line::space_after_colon(line) {
            let key = spaced.split(':').next().unwrap_or_default().trim().to_owned();
            let hint = format!("write `{key}: …` with a blank after the colon");
            self.set(at, spaced);
            self.find(Code::SpaceAfterColon, at, &key, "has no blank after its colon", &hint);
        }
        let Some(key) = self.lines.get(at).and_then(|line| KeyLine::read(line)) else {
            return at + 1;
        };
        if key.value.is_empty() || key.value.starts_with('#') {
            return self.bracket_below(at, &key);
        }
        if line::is_block_header(&key.value) {
            return self.end_of_block(at, key.column);
        }
        let end = self.end_of_value(at, &key);
        let below: Vec<String> = self.lines.get(at + 1..end).unwrap_or_default().to_vec();
        let verdict = self.judge(&key, &below);
        self.apply(at, end, &key, verdict);
        end
    }

    /// A `{` or `[` that begins below its key.
    fn bracket_below(&mut self, at: usize, key: &KeyLine) -> usize {
        let below = self.lines.iter().enumerate().skip(at + 1);
        let Some((start, line)) = below.into_iter().find(|(_, line)| !line.trim().is_empty()) else {
            return at + 1;
        };
        if !line.trim_start().starts_with(['{', '[']) {
            return at + 1;
        }
        let Some(count) = flow::lines_until_balanced(self.lines.iter().skip(start).map(String::as_str), &mut self.budget) else {
            return at + 1;
        };
        let end = start + count;
        let inside: Vec<String> = self.lines.get(start..end).unwrap_or_default().to_vec();
        let (first, below) = inside
            .split_first()
            .map_or(("", &[][..]), |(first, below)| (first.as_str(), below));
        let Some(verdict) = judge_flow(first.trim_start(), below, key.column) else {
            return at + 1;
        };
        let verdict = match verdict {
            Verdict::Keep if line::indent(first) <= key.column => Verdict::Indent,
            verdict => verdict,
        };
        self.apply(at, end, key, verdict);
        end
    }

    fn end_of_block(&self, at: usize, column: usize) -> usize {
        let belongs = |line: &&String| line.trim().is_empty() || line::indent(line) > column;
        at + 1 + self.lines.iter().skip(at + 1).take_while(belongs).count()
    }

    fn end_of_value(&mut self, at: usize, key: &KeyLine) -> usize {
        if key.value.starts_with(['{', '[']) {
            let below = self.lines.iter().skip(at + 1).map(String::as_str);
            let lines = std::iter::once(key.value.as_str()).chain(below);
            return at + flow::lines_until_balanced(lines, &mut self.budget).unwrap_or(1);
        }
        let below = || self.lines.iter().skip(at + 1);
        let quote = key.value.chars().next().filter(|c| matches!(c, '"' | '\''));
        if let Some(quote) = quote
            && line::quoted_end(&key.value, quote).is_none()
        {
            let inside = below().take_while(|line| line::indent(line) > key.column || KeyLine::read(line).is_none());
            if let Some(more) = inside.clone().position(|line| line.trim_end().ends_with(quote)) {
                return at + 2 + more;
            }
        }
        let mut end = self.end_of_block(at, key.column);
        while end > at + 1 && self.lines.get(end - 1).is_some_and(|line| line.trim().is_empty()) {
            end -= 1;
        }
        end
    }

    fn judge(&self, key: &KeyLine, below: &[String]) -> Verdict {
        let value = key.value.as_str();
        let joined = || {
            let lines = std::iter::once(value).chain(below.iter().map(|line| line.trim()));
            lines.filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
        };
        let first = value.chars().next().unwrap_or(' ');
        let rest = value.get(first.len_utf8()..).unwrap_or_default();
        let word = rest.split_whitespace().next().unwrap_or_default();
        let names = |sign: char| !word.is_empty() && self.marks.contains(&format!("{sign}{word}"));
        match first {
            '"' | '\'' => judge_quoted(&joined(), first, below, key.column),
            '{' | '[' => judge_flow(value, below, key.column).unwrap_or_else(|| Verdict::Quote(joined())),
            '*' if rest == word && names('&') => Verdict::Keep,
            '&' if names('*') => Verdict::Keep,
            '!' if rest.starts_with('!') => Verdict::Keep,
            '*' | '&' | '!' | '|' | '>' | '%' | '@' | '`' | ',' | ']' | '}' => Verdict::Quote(joined()),
            '?' | '-' | ':' if rest.is_empty() || rest.starts_with(' ') => Verdict::Quote(joined()),
            _ => {
                let text = joined();
                let comment_inside = !below.is_empty() && text.contains(" #");
                let colon = text.contains(": ") || text.contains(":\t") || text.ends_with(':');
                if colon || comment_inside {
                    Verdict::Quote(text)
                } else {
                    Verdict::Keep
                }
            }
        }
    }

    fn apply(&mut self, at: usize, end: usize, key: &KeyLine, verdict: Verdict) {
        let start = key.start.clone();
        match verdict {
            Verdict::Keep => {}
            Verdict::Quote(text) => {
                let shown: String = text.chars().take(40).collect();
                let more = if shown.len() < text.len() { "…" } else { "" };
                let quoted = line::quote(&format!("{shown}{more}"));
                let hint = match key.key.as_str() {
                    "" => format!("write `- {quoted}`"),
                    name => format!("write `{name}: {quoted}`"),
                };
                self.find(
                    Code::UnquotedValue,
                    at,
                    &key.key,
                    "YAML can only read this value in quotes",
                    &hint,
                );
                self.write(at, end, format!("{start}{}", line::quote(&text)));
            }
            Verdict::Write(text) => {
                self.find_flow(at, &key.key);
                self.write(at, end, format!("{start}{text}"));
            }
            Verdict::Indent => {
                self.find_flow(at, &key.key);
                let indent = " ".repeat(key.column + 2);
                for line in self.lines.iter_mut().take(end).skip(at + 1) {
                    *line = format!("{indent}{}", line.trim());
                }
            }
        }
    }

    fn find_flow(&mut self, at: usize, key: &str) {
        let hint = "indent every line below the first, and write it as JSON";
        self.find(Code::FlowRepaired, at, key, "YAML cannot read this value as it stands", hint);
    }

    fn write(&mut self, at: usize, end: usize, text: String) {
        self.set(at, text);
        for line in self.lines.iter_mut().take(end).skip(at + 1) {
            line.clear();
        }
    }

    fn set(&mut self, at: usize, text: String) {
        if let Some(line) = self.lines.get_mut(at) {
            *line = text;
        }
    }

    fn find(&mut self, code: Code, at: usize, key: &str, message: &str, hint: &str) {
        let (key, message, hint) = (key.to_owned(), message.to_owned(), hint.to_owned());
        self.findings.push(Finding {
            code,
            line: self.first_line + at,
            key,
            message,
            hint,
        });
    }
}

/// A value that begins with a quote: it may end early, never end, or hold escapes that YAML lacks.
fn judge_quoted(text: &str, quote: char, below: &[String], column: usize) -> Verdict {
    let Some(end) = line::quoted_end(text, quote) else {
        return Verdict::Quote(text.to_owned());
    };
    let after = text.get(end..).unwrap_or_default();
    if after.trim().is_empty() || after.starts_with(" #") {
        if yaml::parse(text, 1).is_err() {
            let inner = text.get(1..end - 1).unwrap_or_default();
            return Verdict::Quote(inner.to_owned());
        }
        let indented = below.iter().all(|line| line.trim().is_empty() || line::indent(line) > column);
        return if indented {
            Verdict::Keep
        } else {
            Verdict::Write(text.to_owned())
        };
    }
    // `"He said "hi" there"`: the outer pair is the one that was meant.
    let outer = text.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote));
    Verdict::Quote(outer.unwrap_or(text).to_owned())
}

/// A value that begins with a bracket; `None` if it is no collection at all.
fn judge_flow(value: &str, below: &[String], column: usize) -> Option<Verdict> {
    let lines = std::iter::once(value).chain(below.iter().map(String::as_str));
    let text = lines.collect::<Vec<_>>().join("\n");
    let end = flow::balanced_end(&text)?;
    let after = text.get(end..).unwrap_or_default();
    if !(after.trim().is_empty() || after.starts_with(" #")) {
        return None;
    }
    let flow = text.get(..end).unwrap_or_default();
    if yaml::parse(&indented(flow), 1).is_ok() {
        let in_place = below.iter().all(|line| line.trim().is_empty() || line::indent(line) > column);
        return Some(if in_place { Verdict::Keep } else { Verdict::Indent });
    }
    // What YAML refuses may still be JSON5, with comments and all.
    let json = super::relaxed::parse(flow, 1)?.to_json(Numbers::Exact);
    Some(Verdict::Write(json.to_string()))
}

fn indented(flow: &str) -> String {
    flow.lines().map(str::trim).collect::<Vec<_>>().join("\n  ")
}

#[cfg(test)]
mod tests;
