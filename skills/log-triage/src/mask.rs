//! What a message says once everything that differs from one event to the next is taken out.

/// How long a template may be, in characters.
const LONGEST: usize = 240;

/// The message as a template: `user <n> not found at <path>`.
pub fn template(message: &str) -> String {
    let mut out = String::new();
    let mut rest = message;
    // A megabyte of message says nothing that its beginning does not.
    while let Some(first) = rest.chars().next().filter(|_| out.len() <= 4 * LONGEST) {
        rest = step(rest, first, &mut out);
    }
    match out.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", out.get(..end).unwrap_or_default()),
        None => out,
    }
}

/// Takes one piece off the front, and writes what it stands for.
fn step<'a>(rest: &'a str, first: char, out: &mut String) -> &'a str {
    if matches!(first, '"' | '\'' | '`')
        && !out.ends_with(char::is_alphanumeric)
        && let Some(after) = quoted(rest, first)
    {
        out.push(first);
        out.push('…');
        out.push(first);
        return after;
    }
    if is_break(first) {
        // Blanks count as one.
        if !(first.is_whitespace() && out.ends_with(' ')) {
            out.push(if first.is_whitespace() { ' ' } else { first });
        }
        return rest.get(first.len_utf8()..).unwrap_or_default();
    }
    let mut end = rest.find(is_break).unwrap_or(rest.len());
    if rest.get(..end).is_some_and(|word| word.contains("://")) {
        // A query is part of it.
        end = rest
            .find(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '`' | '<' | '>' | ')'))
            .unwrap_or(rest.len());
    }
    let (whole, after) = rest.split_at(end);
    let word = whole.trim_end_matches(['.', ':', '!', '?']);
    out.push_str(&masked(word));
    out.push_str(whole.get(word.len()..).unwrap_or_default());
    after
}

fn is_break(c: char) -> bool {
    c.is_whitespace()
        || matches!(
            c,
            ',' | ';' | '(' | ')' | '[' | ']' | '{' | '}' | '<' | '>' | '=' | '|' | '"' | '\'' | '`'
        )
}

/// What follows a quoted text that ends soon.
fn quoted(text: &str, quote: char) -> Option<&str> {
    const SOON: usize = 400;
    let inner = text.get(1..)?;
    let end = inner.char_indices().take(SOON).find(|(_, c)| *c == quote)?.0;
    let after = inner.get(end + 1..)?;
    // `it's` and `5' 6"` open nothing.
    (end > 0 && !after.starts_with(char::is_alphanumeric)).then_some(after)
}

fn masked(word: &str) -> String {
    let digits = word.bytes().filter(u8::is_ascii_digit).count();
    if word.contains("://") {
        return "<url>".to_owned();
    }
    if digits > 0 && is_uuid(word) {
        return "<uuid>".to_owned();
    }
    if digits > 0 && is_address(word) {
        return "<ip>".to_owned();
    }
    if is_email(word) {
        return "<email>".to_owned();
    }
    if is_path(word) {
        return "<path>".to_owned();
    }
    let hex = word.strip_prefix("0x").or_else(|| word.strip_prefix("0X"));
    let is_hex = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if hex.is_some_and(is_hex) || (word.len() >= 8 && digits > 0 && digits < word.len() && is_hex(word)) {
        return "<hex>".to_owned();
    }
    if digits > 0 { numbers(word) } else { word.to_owned() }
}

fn is_uuid(word: &str) -> bool {
    let mut parts = word.split('-');
    let fits = [8, 4, 4, 4, 12].iter().all(|length| {
        parts
            .next()
            .is_some_and(|part| part.len() == *length && part.bytes().all(|byte| byte.is_ascii_hexdigit()))
    });
    fits && parts.next().is_none()
}

/// IPv4 and IPv6, with or without a port.
fn is_address(word: &str) -> bool {
    let host = word
        .rsplit_once(':')
        .filter(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()))
        .map_or(word, |(host, _)| host);
    let four: Vec<&str> = host.split('.').collect();
    let is_four = four.len() == 4 && four.iter().all(|part| part.parse::<u8>().is_ok());
    let is_six = word.matches(':').count() >= 2 && word.parse::<std::net::Ipv6Addr>().is_ok();
    is_four || is_six
}

fn is_email(word: &str) -> bool {
    word.split_once('@')
        .is_some_and(|(name, host)| !name.is_empty() && host.contains('.') && !host.starts_with('.'))
}

fn is_path(word: &str) -> bool {
    let drive = word.get(1..3).is_some_and(|start| start == ":\\");
    let absolute = word.starts_with('/') && word.len() > 1;
    let relative =
        word.matches('/').count() >= 2 || (word.contains('/') && word.rsplit('/').next().is_some_and(|name| name.contains('.')));
    drive || absolute || relative || word.starts_with("~/")
}

/// Each run of digits, with its fraction and sign, becomes one place.
fn numbers(word: &str) -> String {
    let mut out = String::new();
    let mut rest = word;
    while let Some(first) = rest.chars().next() {
        if !first.is_ascii_digit() {
            out.push(first);
            rest = rest.get(first.len_utf8()..).unwrap_or_default();
            continue;
        }
        let end = rest
            .find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | ':' | '_')))
            .unwrap_or(rest.len());
        let run = rest.get(..end).unwrap_or_default().trim_end_matches(['.', ':', '_']);
        if out == "-" || out == "+" {
            out.clear();
        }
        out.push_str("<n>");
        rest = rest.get(run.len()..).unwrap_or_default();
    }
    out
}

#[cfg(test)]
mod tests;
