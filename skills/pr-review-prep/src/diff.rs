//! Unified diffs, as git and GitHub write them. Every number in a hunk's header is counted
//! down, so that no line of a file can pass for a header. Refuses nothing: what it cannot
//! read it passes over.

use crate::change::{File, Line, Status};
use crate::paths;

/// The files of a diff, in its order.
pub fn parse(text: &str) -> Vec<File> {
    let mut parser = Parser::default();
    for line in text.split_terminator('\n') {
        parser.line(line);
    }
    parser.files
}

#[derive(Default)]
struct Parser {
    files: Vec<File>,
    hunk: Option<Hunk>,
    /// Inside the encoded bytes of a binary patch.
    in_binary: bool,
}

/// What a hunk still holds.
struct Hunk {
    /// How many columns of signs a line begins with: 1, or one a parent.
    columns: usize,
    /// How many lines are still to come, one number a parent.
    old: Vec<u64>,
    new: u64,
    /// The number of the next line of the new file.
    number: u64,
}

impl Parser {
    fn line(&mut self, line: &str) {
        if self.hunk.is_some() {
            if self.hunk_line(line) {
                return;
            }
            self.hunk = None;
        }
        if let Some(names) = line.strip_prefix("diff --git ") {
            self.begin(paths::both(names));
        } else if let Some(name) = line
            .strip_prefix("diff --cc ")
            .or_else(|| line.strip_prefix("diff --combined "))
        {
            self.begin(Some(paths::unquote(name)));
        } else if self.in_binary {
            // Ends with an empty line, and the next header is seen above.
            self.in_binary = !line.is_empty();
        } else {
            self.header(line);
        }
    }

    fn begin(&mut self, path: Option<String>) {
        self.in_binary = false;
        self.files.push(File {
            path: path.unwrap_or_default(),
            ..File::default()
        });
    }

    fn header(&mut self, line: &str) {
        if let Some(numbers) = line.strip_prefix('@') {
            self.hunk = hunk(numbers);
            return;
        }
        // `---` without `diff` before it: a plain patch.
        if self.files.is_empty() && line.starts_with("--- ") {
            self.begin(None);
        }
        let Some(file) = self.files.last_mut() else { return };
        let line = line.strip_suffix('\r').unwrap_or(line);
        if let Some(name) = line.strip_prefix("--- ") {
            if file.path.is_empty() {
                file.path = paths::side(name).unwrap_or_default();
            }
        } else if let Some(name) = line.strip_prefix("+++ ") {
            match paths::side(name) {
                Some(path) => file.path = path,
                None => file.status = Status::Deleted,
            }
        } else if let Some(name) = line.strip_prefix("rename from ").or_else(|| line.strip_prefix("copy from ")) {
            file.status = if line.starts_with('r') {
                Status::Renamed
            } else {
                Status::Copied
            };
            file.old_path = Some(paths::unquote(name));
        } else if let Some(name) = line.strip_prefix("rename to ").or_else(|| line.strip_prefix("copy to ")) {
            file.path = paths::unquote(name);
        } else if let Some(mode) = line.strip_prefix("new file mode ") {
            (file.status, file.new_mode) = (Status::Added, octal(mode));
        } else if let Some(mode) = line.strip_prefix("deleted file mode ") {
            (file.status, file.old_mode) = (Status::Deleted, octal(mode));
        } else if let Some(mode) = line.strip_prefix("old mode ") {
            file.old_mode = octal(mode);
        } else if let Some(mode) = line.strip_prefix("new mode ") {
            file.new_mode = octal(mode);
        } else if let Some(index) = line.strip_prefix("index ") {
            // `index a..b 100644`: the mode of both.
            if let Some((_, mode)) = index.split_once(' ').filter(|_| file.old_mode == 0 && file.new_mode == 0) {
                (file.old_mode, file.new_mode) = (octal(mode), octal(mode));
            }
        } else if line.starts_with("Binary files ") {
            file.binary = true;
        } else if line == "GIT binary patch" {
            (file.binary, self.in_binary) = (true, true);
        }
    }

    /// Whether it was a line of the hunk.
    fn hunk_line(&mut self, line: &str) -> bool {
        let (Some(hunk), Some(file)) = (self.hunk.as_mut(), self.files.last_mut()) else {
            return false;
        };
        if line.starts_with('\\') {
            return true;
        }
        if hunk.new == 0 && hunk.old.iter().all(|left| *left == 0) {
            return false;
        }
        // Some tools drop the space of an empty line.
        let signs = if line.is_empty() || line == "\r" { " " } else { line };
        let signs: Vec<char> = signs.chars().take(hunk.columns).collect();
        if !signs.iter().all(|sign| matches!(sign, ' ' | '+' | '-')) {
            return false;
        }
        let removed = signs.contains(&'-');
        let added = !removed && signs.contains(&'+');
        for (at, left) in hunk.old.iter_mut().enumerate() {
            // A line is in a parent unless its column says that the result has it anew.
            let here = signs.get(at).copied().unwrap_or(' ');
            if here == '-' || (here == ' ' && !removed) {
                *left = left.saturating_sub(1);
            }
        }
        let text = line.get(hunk.columns..).unwrap_or_default();
        let text = text.strip_suffix('\r').unwrap_or(text);
        if removed {
            file.deleted += 1;
            file.removed.push(text.to_owned());
            return true;
        }
        if added {
            file.added += 1;
            file.lines.push(Line {
                number: hunk.number,
                text: text.to_owned(),
            });
        }
        hunk.new = hunk.new.saturating_sub(1);
        hunk.number = hunk.number.saturating_add(1);
        true
    }
}

/// `@ -1,2 +3,4 @@` and `@@ -1,2 -1,2 +3,4 @@@`, their first `@` taken off.
fn hunk(rest: &str) -> Option<Hunk> {
    let columns = rest.chars().take_while(|c| *c == '@').count();
    let ranges = rest.get(columns..)?.strip_prefix(' ')?;
    let mut old = Vec::new();
    for range in ranges.split(' ') {
        if let Some(range) = range.strip_prefix('-') {
            old.push(numbers(range)?.1);
        } else {
            let (number, new) = numbers(range.strip_prefix('+')?)?;
            return (old.len() == columns && columns > 0).then_some(Hunk {
                columns,
                old,
                new,
                number,
            });
        }
    }
    None
}

fn numbers(range: &str) -> Option<(u64, u64)> {
    match range.split_once(',') {
        Some((start, count)) => Some((start.parse().ok()?, count.parse().ok()?)),
        None => Some((range.parse().ok()?, 1)),
    }
}

fn octal(mode: &str) -> u32 {
    u32::from_str_radix(mode.trim(), 8).unwrap_or_default()
}

#[cfg(test)]
mod tests;
