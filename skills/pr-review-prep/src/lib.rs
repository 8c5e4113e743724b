//! Prepares the review of a change: code finds the risks, a model explains them. Nothing a
//! change contains can add, drop or alter a finding, and none of its text reaches the model.

pub mod change;
pub mod checks;
pub mod deps;
pub mod diff;
pub mod flag;
pub mod kinds;
pub mod listing;
pub mod paths;
pub mod prompt;
pub mod secrets;
pub mod source;

use claw_skill::log::{self, Level};
use claw_skill::{Context, Error, Skill, emit, progress, serde_json::json};
use serde::{Deserialize, Serialize};

use crate::flag::Flag;
use crate::source::Source;

/// What is to be reviewed.
#[derive(Debug, Deserialize)]
pub struct Input {
    /// `owner/name`, or the name of a checkout.
    pub repo: String,
    /// A pull request of it.
    #[serde(default)]
    pub pr_number: Option<u64>,
    /// Two revisions of it, `A..B`.
    #[serde(default)]
    pub range: Option<String>,
}

/// What the reviewer gets.
#[derive(Debug, Serialize)]
pub struct Output {
    /// One item for each flag.
    pub checklist: String,
    /// Most severe first.
    pub risk_flags: Vec<Flag>,
}

/// The skill.
pub struct PrReviewPrep;

impl Skill for PrReviewPrep {
    type Input = Input;
    type Output = Output;

    fn invoke(input: Input, _context: &Context) -> Result<Output, Error> {
        let source = Source::of(&input)?;
        progress("reading the change", 5)?;
        let change = source.read()?;
        progress(format!("checking {} files", change.files.len()), 30)?;
        let risk_flags = checks::run(&change);
        log::with(
            Level::Info,
            "checked the change",
            json!({"files": change.files.len(), "flags": risk_flags.len()}),
        );
        if change.files.is_empty() && risk_flags.is_empty() {
            return Ok(Output {
                checklist: "Nothing changed.".to_owned(),
                risk_flags,
            });
        }
        progress(format!("explaining {} findings", risk_flags.len()), 50)?;
        let answer = prompt::build(&change, &risk_flags).stream(|text| emit(text))?;
        let checklist = answer.text().trim().to_owned();
        if checklist.is_empty() {
            return Err(Error::new("empty_answer", "the model answered without a word"));
        }
        Ok(Output { checklist, risk_flags })
    }
}

claw_skill::export!(PrReviewPrep);
