//! Front matter and body. The library of the field splits them; this file finds out on which
//! lines they stand, and says why there is nothing to split.

use gray_matter::engine::Engine;
use gray_matter::{Matter, Pod};

use super::Code;
use super::report::Report;

/// The most bytes of front matter that are read.
pub(super) const FRONT_MATTER_BYTES: usize = 256 << 10;

/// The two parts of a file, and the lines on which they begin.
pub(super) struct Parts {
    pub(super) front: String,
    pub(super) front_line: usize,
    pub(super) body: String,
    pub(super) body_line: usize,
}

/// The splitter's engine: it reads nothing, since what it would drop is what we want to keep.
struct Unread;

impl Engine for Unread {
    fn parse(_content: &str) -> gray_matter::Result<Pod> {
        Ok(Pod::Null)
    }
}

/// Splits `text`; `None` after an error that the report holds.
pub(super) fn split(text: &str, report: &mut Report) -> Option<Parts> {
    let start = text.trim_start_matches(['\n', ' ', '\t', '\u{feff}', '\u{a0}']);
    if start.trim().is_empty() {
        let hint = "begin with `---`, `name: …`, `description: …`, `---`";
        report.add(Code::FileEmpty, 1, "", "the file is empty", hint);
        return None;
    }
    let before = text.get(..text.len() - start.len()).unwrap_or_default();
    let opening_line = 1 + before.matches('\n').count();
    let (opening, _) = start.split_once('\n').unwrap_or((start, ""));
    let language = match opening.trim_end().strip_prefix("---") {
        Some(language) if matches!(language.trim(), "" | "yaml" | "yml" | "json") => language.trim(),
        _ => {
            no_front_matter(text, opening_line, report);
            return None;
        }
    };
    if opening_line > 1 || !before.is_empty() {
        let message = "the front matter does not begin on the first line";
        report.add(Code::LeadingBlankLines, 1, "", message, "delete what stands before `---`");
    }
    if !language.is_empty() {
        let message = format!("the front matter begins with `{}`", opening.trim_end());
        report.add(Code::FrontMatterDelimiter, opening_line, "", message, "write a line `---`");
    }
    let normal = format!("---\n{}", start.split_once('\n').map_or("", |(_, rest)| rest));
    cut(&normal, opening_line, report)
}

/// Cuts a text whose first line is `---`.
fn cut(text: &str, opening_line: usize, report: &mut Report) -> Option<Parts> {
    let mut matter: Matter<Unread> = Matter::new();
    if !text.lines().skip(1).any(|line| line.trim_end() == "---") {
        match other_end(text) {
            Some((line, end)) => {
                let message = format!("the front matter ends with `{end}`");
                let hint = "write a line `---` there";
                report.add(Code::FrontMatterDelimiter, opening_line + line, "", message, hint);
                matter.close_delimiter = Some(end);
            }
            None => {
                not_closed(text, opening_line, report);
                return None;
            }
        }
    }
    let close = matter.close_delimiter.clone().unwrap_or_else(|| "---".to_owned());
    let entity = match matter.parse::<Pod>(text) {
        Ok(entity) => entity,
        Err(_) => {
            not_closed(text, opening_line, report);
            return None;
        }
    };
    // The splitter trims the front matter and with it the indentation of its first key, which
    // YAML needs: take the whole lines from the text instead.
    let is_end = |line: &str| line.trim_end() == "---" || line.trim_end() == close;
    let front: Vec<&str> = text.lines().skip(1).take_while(|line| !is_end(line)).collect();
    if let Some(again) = opened_twice(text, &front) {
        let line = opening_line + front.len() + 1;
        let message = "the front matter is opened twice";
        report.add(Code::FrontMatterDelimiter, line, "", message, "delete this line `---`");
        return cut(again, line, report);
    }
    let skipped = entity
        .matter
        .lines()
        .next()
        .map_or(0, |first| front.iter().take_while(|line| line.trim() != first.trim()).count());
    let front_line = opening_line + 1 + skipped;
    let lines = front.len();
    let front = front.get(skipped..).unwrap_or_default().join("\n");
    if front.len() > FRONT_MATTER_BYTES {
        let message = format!(
            "the front matter has {} KiB, at most {} are read",
            front.len() >> 10,
            FRONT_MATTER_BYTES >> 10
        );
        report.add(
            Code::FrontMatterTooLarge,
            opening_line,
            "",
            message,
            "move long texts into the body",
        );
        return None;
    }
    let after = text.lines().skip(lines + 2);
    let blank = after.take_while(|line| line.is_empty()).count();
    let body_line = opening_line + lines + 2 + blank;
    let front = printable(front, front_line, report);
    Some(Parts {
        front,
        front_line,
        body: entity.content,
        body_line,
    })
}

/// The text from the second `---` on, where nothing stands between the first two and what
/// follows is plainly the front matter.
fn opened_twice<'a>(text: &'a str, front: &[&str]) -> Option<&'a str> {
    if !front.iter().all(|line| line.trim().is_empty()) {
        return None;
    }
    let (at, _) = text.match_indices('\n').nth(front.len())?;
    let again = text.get(at + 1..)?;
    let mut below = again.lines().skip(1);
    let first = below.find(|line| !line.trim().is_empty())?;
    let field = first.starts_with("name:") || first.starts_with("description:");
    (field && below.any(|line| line.trim_end() == "---")).then_some(again)
}

/// Another line that ends a front matter without a second `---`: YAML's own `...`.
fn other_end(text: &str) -> Option<(usize, String)> {
    let mut lines = text.lines().enumerate().skip(1);
    lines
        .find(|(_, line)| line.trim_end() == "...")
        .map(|(at, line)| (at, line.trim_end().to_owned()))
}

fn no_front_matter(text: &str, line: usize, report: &mut Report) {
    let later = text.lines().position(|line| line.trim_end() == "---");
    let hint = match later {
        Some(at) if text.starts_with("+++") => format!("write YAML between two lines `---`, not TOML (line {})", at + 1),
        Some(at) => format!("move the `---` of line {} to the first line", at + 1),
        None => "begin the file with `---`, `name: …`, `description: …`, `---`".to_owned(),
    };
    report.add(Code::NoFrontMatter, line, "", "the file has no front matter", &hint);
}

fn not_closed(text: &str, opening_line: usize, report: &mut Report) {
    let looks_like_yaml = |line: &&str| {
        let line = line.trim_end();
        line.is_empty() || line.starts_with([' ', '\t', '-', '#', '}', ']']) || line.contains(':')
    };
    let mut last = opening_line;
    for (at, line) in text.lines().enumerate().skip(1).take_while(|(_, line)| looks_like_yaml(line)) {
        if line.starts_with("# ") {
            break;
        }
        if !line.trim().is_empty() {
            last = opening_line + at;
        }
    }
    let hint = format!("add a line `---` after line {last}");
    report.add(
        Code::FrontMatterNotClosed,
        opening_line,
        "",
        "the front matter is not closed",
        &hint,
    );
}

/// YAML knows few control characters; the others become blanks, so that one stray byte does
/// not cost the whole file.
fn printable(front: String, front_line: usize, report: &mut Report) -> String {
    let odd = |c: char| (c.is_control() && !matches!(c, '\n' | '\t')) || matches!(c, '\u{feff}' | '\u{fffe}' | '\u{ffff}');
    let Some(at) = front.find(odd) else { return front };
    let line = front_line + front.get(..at).map_or(0, |before| before.matches('\n').count());
    let message = "the front matter holds a control character";
    report.add(Code::ControlCharacter, line, "", message, "delete the character");
    front.replace(odd, " ")
}
