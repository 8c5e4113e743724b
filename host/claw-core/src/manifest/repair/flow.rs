//! `{}` and `[]` values: where they end.

/// Follows brackets and quotes, character by character.
#[derive(Default)]
struct Scan {
    open: Vec<char>,
    quote: Option<char>,
    escaped: bool,
    in_word: bool,
}

enum Step {
    Inside,
    Closed,
    Unbalanced,
}

impl Scan {
    fn step(&mut self, c: char) -> Step {
        if let Some(sign) = self.quote {
            if self.escaped {
                self.escaped = false;
            } else if c == '\\' {
                self.escaped = true;
            } else if c == sign {
                self.quote = None;
            }
            return Step::Inside;
        }
        match c {
            // An apostrophe within a word opens nothing.
            '"' => self.quote = Some('"'),
            '\'' if !self.in_word => self.quote = Some('\''),
            '{' => self.open.push('}'),
            '[' => self.open.push(']'),
            '}' | ']' => {
                if self.open.pop() != Some(c) {
                    return Step::Unbalanced;
                }
                if self.open.is_empty() {
                    return Step::Closed;
                }
            }
            _ => {}
        }
        self.in_word = c.is_alphanumeric();
        Step::Inside
    }
}

/// Where the collection that begins `text` ends; `None` if its brackets never balance.
pub(super) fn balanced_end(text: &str) -> Option<usize> {
    let mut scan = Scan::default();
    for (at, c) in text.char_indices() {
        match scan.step(c) {
            Step::Inside => {}
            Step::Closed => return Some(at + 1),
            Step::Unbalanced => return None,
        }
    }
    None
}

/// How many of `lines` it takes until the collection that begins the first one ends. What it
/// looks at is taken from `budget`.
pub(super) fn lines_until_balanced<'a>(lines: impl Iterator<Item = &'a str>, budget: &mut usize) -> Option<usize> {
    let mut scan = Scan::default();
    for (at, line) in lines.enumerate() {
        *budget = budget.checked_sub(line.len() + 1)?;
        for c in line.chars().chain(['\n']) {
            match scan.step(c) {
                Step::Inside => {}
                Step::Closed => return Some(at + 1),
                Step::Unbalanced => return None,
            }
        }
    }
    None
}
