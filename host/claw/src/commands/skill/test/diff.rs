//! What differs between two texts, for people and for reports.

use std::time::Duration;

use similar::{ChangeTag, TextDiff};

use crate::output::{Style, printable};

/// Longer differences are cut: the first lines are what is read.
const MAX_LINES: usize = 200;
const CONTEXT: usize = 3;

/// What was expected and what was there instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pair {
    /// The words over the left side.
    pub(super) left: &'static str,
    /// The words over the right side.
    pub(super) right: &'static str,
    /// The expected text.
    pub(super) expected: String,
    /// The text that was there.
    pub(super) got: String,
}

impl Pair {
    /// A unified difference, with the lines of each side marked and coloured.
    pub(super) fn render(&self, style: Style) -> String {
        let mut lines = vec![
            style.red(&format!("--- {}", self.left)),
            style.green(&format!("+++ {}", self.right)),
        ];
        let diff = TextDiff::configure()
            .timeout(Duration::from_secs(1))
            .diff_lines(&self.expected, &self.got);
        for hunk in diff.unified_diff().context_radius(CONTEXT).iter_hunks() {
            lines.push(style.dim(&hunk.header().to_string()));
            for change in hunk.iter_changes() {
                let text = printable(change.value().trim_end_matches('\n'));
                lines.push(match change.tag() {
                    ChangeTag::Delete => style.red(&format!("-{text}")),
                    ChangeTag::Insert => style.green(&format!("+{text}")),
                    ChangeTag::Equal => format!(" {text}"),
                });
            }
        }
        if lines.len() > MAX_LINES {
            let more = lines.len() - MAX_LINES;
            lines.truncate(MAX_LINES);
            lines.push(format!("… {more} more lines"));
        }
        lines.join("\n")
    }
}

/// How alike two texts are, 0 to 1.
pub(super) fn likeness(one: &str, other: &str) -> f32 {
    TextDiff::configure()
        .timeout(Duration::from_millis(200))
        .diff_lines(one, other)
        .ratio()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(expected: &str, got: &str) -> Pair {
        Pair {
            left: "expected",
            right: "got",
            expected: expected.to_owned(),
            got: got.to_owned(),
        }
    }

    #[test]
    fn the_lines_that_differ_stand_below_one_another() {
        let text = pair("{\n  \"a\": 1,\n  \"b\": 2\n}\n", "{\n  \"a\": 1,\n  \"b\": 3\n}\n").render(Style::plain());
        assert_eq!(
            text,
            "--- expected\n+++ got\n@@ -1,4 +1,4 @@\n {\n   \"a\": 1,\n-  \"b\": 2\n+  \"b\": 3\n }"
        );
    }

    #[test]
    fn what_a_skill_wrote_cannot_move_the_cursor() {
        assert!(!pair("a\n", "\x1b[2Ja\n").render(Style::plain()).contains('\x1b'));
    }

    #[test]
    fn a_long_difference_is_cut() {
        let got: String = (0..5_000).map(|number| format!("{number}\n")).collect();
        let text = pair("", &got).render(Style::plain());
        assert_eq!(text.lines().count(), MAX_LINES + 1);
        assert!(text.ends_with("more lines"));
    }
}
