//! Foreign text made fit for an error message: no control characters, no keys, not long.

use crate::secret::Secret;

/// The longest piece of a provider's words that an error repeats, in characters.
const MAX_CHARS: usize = 300;

/// A provider's words, fit to be repeated. Control and invisible characters go first, so
/// that a key split by them is still found; keys go next, so that none is cut in two.
pub(crate) fn clean(text: &str, secrets: &[Secret]) -> String {
    let visible: String = text
        .chars()
        .map(|c| if c.is_whitespace() { ' ' } else { c })
        .filter(|c| !is_hidden(*c))
        .collect();
    clip(&redact(visible, secrets), MAX_CHARS)
}

/// At most this many characters, and `…` where some are missing.
pub(crate) fn clip(text: &str, max_chars: usize) -> String {
    let text = text.trim();
    match text.char_indices().nth(max_chars) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default().trim_end()),
        None => text.to_owned(),
    }
}

fn redact(text: String, secrets: &[Secret]) -> String {
    secrets
        .iter()
        .map(Secret::expose)
        .filter(|secret| !secret.is_empty())
        .fold(text, |text, secret| {
            if text.contains(secret) {
                text.replace(secret, "[key]")
            } else {
                text
            }
        })
}

/// Control characters, and those that reorder or hide text on a terminal.
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests;
