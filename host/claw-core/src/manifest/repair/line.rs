//! One line of front matter, looked at by hand.

use super::super::fields::KNOWN_FIELDS;

/// A line that holds `key: value` or `- value`.
pub(super) struct KeyLine {
    /// Everything before the value, with the blank.
    pub(super) start: String,
    /// The column of the key, or of the item's dash.
    pub(super) column: usize,
    /// Empty for an item of a list.
    pub(super) key: String,
    pub(super) value: String,
}

impl KeyLine {
    pub(super) fn read(line: &str) -> Option<KeyLine> {
        let mut column = indent(line);
        let mut rest = line.get(column..)?;
        let mut dash = None;
        while let Some(item) = rest.strip_prefix("- ") {
            dash = Some(column);
            let inner = item.trim_start();
            column += 2 + item.len() - inner.len();
            rest = inner;
        }
        if let Some((key, value_at)) = key_of(rest) {
            let value = rest.get(value_at..)?;
            let trimmed = value.trim_start();
            let start = format!("{} ", line.get(..column + value_at)?.trim_end());
            return Some(KeyLine {
                start,
                column,
                key,
                value: trimmed.trim_end().to_owned(),
            });
        }
        let start = line.get(..column)?.to_owned();
        dash.map(|dash| KeyLine {
            start,
            column: dash,
            key: String::new(),
            value: rest.trim_end().to_owned(),
        })
    }
}

/// The key at the beginning of `text`, and where its value begins.
fn key_of(text: &str) -> Option<(String, usize)> {
    let first = text.chars().next()?;
    if matches!(first, '"' | '\'') {
        let end = quoted_end(text, first)?;
        let after = text.get(end..)?;
        let colon = after.len() - after.trim_start().len();
        let after_colon = after.get(colon..)?.strip_prefix(':')?;
        let ends = after_colon.is_empty() || after_colon.starts_with([' ', '\t']);
        return ends.then(|| (text.get(1..end - 1).unwrap_or_default().to_owned(), end + colon + 1));
    }
    if matches!(
        first,
        '[' | '{' | '&' | '*' | '!' | '|' | '>' | '%' | '@' | '`' | '#' | ',' | ']' | '}'
    ) {
        return None;
    }
    let colon = text.match_indices(':').map(|(at, _)| at).find(|&at| {
        let after = text.get(at + 1..).unwrap_or_default();
        after.is_empty() || after.starts_with([' ', '\t'])
    })?;
    let key = text.get(..colon)?.trim_end();
    let plain = !key.is_empty() && key.len() <= 100 && !key.contains(['"', '{', '[', ',']) && !key.contains(" #");
    plain.then(|| (key.to_owned(), colon + 1))
}

/// `name:foo` of a known field, with its blank.
pub(super) fn space_after_colon(line: &str) -> Option<String> {
    let (key, value) = line.split_once(':')?;
    let known = KNOWN_FIELDS.contains(&key);
    let glued = value.chars().next().is_some_and(|c| !c.is_whitespace());
    (known && glued).then(|| format!("{key}: {value}"))
}

/// The number of blanks that a line begins with.
pub(super) fn indent(line: &str) -> usize {
    line.len() - line.trim_start_matches(' ').len()
}

/// `|`, `>`, `|-`, `>2+`, each perhaps with a comment.
pub(super) fn is_block_header(value: &str) -> bool {
    let Some(rest) = value.strip_prefix(['|', '>']) else {
        return false;
    };
    let after = rest.trim_start_matches(|c: char| matches!(c, '+' | '-') || c.is_ascii_digit());
    let signs = rest.len() - after.len();
    signs <= 2 && (after.trim().is_empty() || after.trim_start().starts_with('#') && after.starts_with(' '))
}

/// Where the quoted text that begins `text` ends: after its closing quote.
pub(super) fn quoted_end(text: &str, quote: char) -> Option<usize> {
    let mut chars = text.char_indices().skip(1).peekable();
    while let Some((at, c)) = chars.next() {
        if c == '\\' && quote == '"' {
            chars.next();
        } else if c == quote {
            if quote == '\'' && chars.next_if(|(_, next)| *next == '\'').is_some() {
                continue;
            }
            return Some(at + 1);
        }
    }
    None
}

/// `text` as one double-quoted YAML scalar.
pub(super) fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => {
                quoted.push('\\');
                quoted.push(c);
            }
            c if c.is_control() => quoted.push(' '),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}
