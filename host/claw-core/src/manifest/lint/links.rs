//! Relative links: to something that is there, and that travels with the skill.

use super::super::Code;
use super::super::body::Link;
use super::super::report::Report;

/// Checks every relative link; without `exists` only those that leave the folder.
pub(super) fn check(links: &[Link], exists: Option<&dyn Fn(&str) -> bool>, report: &mut Report) {
    for link in links {
        let Some(path) = relative(&link.target) else { continue };
        let shown: String = link.target.chars().take(120).collect();
        let Some(path) = normal(&path) else {
            let message = format!("`{shown}` leaves the folder of the skill");
            report.add(
                Code::LinkOutsideSkill,
                link.line,
                "",
                message,
                "copy the file into the skill's folder",
            );
            continue;
        };
        if exists.is_some_and(|exists| !path.is_empty() && !exists(&path)) {
            let message = format!("`{shown}` is not there");
            report.add(Code::BrokenLink, link.line, "", message, "correct the link, or add the file");
        }
    }
}

/// The path of a link into the skill's folder, without its fragment; `None` for any other link.
fn relative(target: &str) -> Option<String> {
    let end = target.find(['#', '?']).unwrap_or(target.len());
    let path = target.get(..end)?;
    let scheme = path.split('/').next().is_some_and(|first| first.contains(':'));
    let placeholder = path.contains(['<', '>', '{', '}', '$', '*', '|', '\\']);
    if path.is_empty() || path.starts_with('/') || scheme || placeholder {
        return None;
    }
    Some(decoded(path))
}

/// `%20` and the like, where they stand for text.
fn decoded(path: &str) -> String {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let hex = after
            .get(..2)
            .filter(|_| byte == b'%')
            .and_then(|hex| std::str::from_utf8(hex).ok());
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(value) => {
                bytes.push(value);
                rest = after.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(byte);
                rest = after;
            }
        }
    }
    String::from_utf8(bytes).unwrap_or_else(|_| path.to_owned())
}

/// The path without `.` and `..`; `None` if it leaves the folder.
fn normal(path: &str) -> Option<String> {
    let mut parts = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests;
