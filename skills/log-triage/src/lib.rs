//! Sums up what went wrong in a log: code groups the events, a model writes the words. Holds
//! a bounded number of groups, however large the file is.

pub mod event;
pub mod fold;
pub mod group;
pub mod mask;
pub mod prompt;

use std::collections::BTreeMap;

use claw_skill::files::{self, Kind};
use claw_skill::log::{self, Level};
use claw_skill::{Context, Error, Skill, emit, progress, serde_json::json};
use serde::{Deserialize, Serialize};

use crate::fold::Fold;
use crate::group::{Group, Groups, LeftOut};

/// What is to be read.
#[derive(Debug, Deserialize)]
pub struct Input {
    /// Below the granted directory `logs`, with or without that name in front.
    pub path: String,
    /// How many groups to answer, 1 to 100.
    #[serde(default)]
    pub max_groups: Option<i64>,
}

/// What was in it.
#[derive(Debug, Serialize)]
pub struct Output {
    /// Markdown.
    pub summary: String,
    /// Most severe and most frequent first.
    pub groups: Vec<Group>,
    /// How many lines the file has.
    pub lines: u64,
    /// How many events they are, stack traces folded.
    pub events: u64,
    /// How many events of each level.
    pub levels: BTreeMap<&'static str, u64>,
    /// What is not among the groups.
    pub left_out: LeftOut,
}

/// The skill.
pub struct LogTriage;

const FOLDER: &str = "logs";
const DEFAULT_GROUPS: usize = 20;
const MOST_GROUPS: i64 = 100;
const LINE_BYTES: usize = 16 << 10;
/// How many lines lie between two words of progress.
const STEP: u64 = 200_000;

impl Skill for LogTriage {
    type Input = Input;
    type Output = Output;

    fn invoke(input: Input, _context: &Context) -> Result<Output, Error> {
        let most = match input.max_groups {
            None => DEFAULT_GROUPS,
            Some(count @ 1..=MOST_GROUPS) => usize::try_from(count).unwrap_or(DEFAULT_GROUPS),
            Some(_) => {
                return Err(Error::invalid_input(
                    "input",
                    format!("`max_groups` is not 1 to {MOST_GROUPS}"),
                ));
            }
        };
        let path = below(&input.path);
        let about = files::stat(&path)?;
        if about.kind != Kind::File {
            return Err(Error::invalid_input("input", "`path` names no file"));
        }
        progress("reading the log", 0)?;
        let (mut groups, lines) = read(&path, about.size)?;
        groups.finish();
        let (events, levels) = (groups.events(), groups.levels().clone());
        let (groups, left_out) = groups.into_top(most);
        log::with(
            Level::Info,
            "grouped the log",
            json!({"lines": lines, "events": events, "groups": groups.len()}),
        );
        let summary = if groups.is_empty() {
            format!("No errors or warnings in {lines} lines.")
        } else {
            progress(format!("summing up {} groups", groups.len()), 90)?;
            let answer = prompt::build(&groups, &left_out, lines, &levels).stream(|text| emit(text))?;
            answer.text().trim().to_owned()
        };
        if summary.is_empty() {
            return Err(Error::new("empty_answer", "the model answered without a word"));
        }
        Ok(Output {
            summary,
            groups,
            lines,
            events,
            levels,
            left_out,
        })
    }
}

/// The path as the host knows it. What it must not be, the host refuses.
fn below(path: &str) -> String {
    if path.split('/').next() == Some(FOLDER) {
        path.to_owned()
    } else {
        format!("{FOLDER}/{path}")
    }
}

fn read(path: &str, size: u64) -> Result<(Groups, u64), Error> {
    let mut groups = Groups::default();
    let mut fold = Fold::default();
    let mut lines = files::read_lines(path).max_line_bytes(LINE_BYTES);
    let (mut count, mut bytes) = (0_u64, 0_u64);
    while let Some(line) = lines.next_line()? {
        count = line.number;
        bytes += line.length + 1;
        if let Some(event) = fold.line(line.number, &line.text()) {
            groups.add(event);
        }
        if count.is_multiple_of(STEP) {
            let percent = bytes.min(size) * 90 / size.max(1);
            progress(format!("{count} lines"), u8::try_from(percent).ok())?;
        }
    }
    if let Some(event) = fold.end() {
        groups.add(event);
    }
    Ok((groups, count))
}

claw_skill::export!(LogTriage);
