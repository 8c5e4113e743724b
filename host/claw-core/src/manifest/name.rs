//! The name of a skill: what the file says if it can be used, else the folder's.

use super::node::Node;
use super::report::Report;
use super::{Code, Origin, fields};

const MOST: usize = 64;

/// `[a-z0-9]+(-[a-z0-9]+)*`, at most 64 characters.
pub(super) fn is_valid(name: &str) -> bool {
    name.len() <= MOST && is_well_formed(name)
}

fn is_well_formed(name: &str) -> bool {
    let small = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    name.split('-').all(small)
}

/// The nearest valid name; `None` where nothing of `text` can be used.
pub(super) fn slug(text: &str) -> Option<String> {
    let mut slug = String::new();
    for c in text.chars() {
        if slug.len() >= MOST {
            break;
        }
        match c.to_ascii_lowercase() {
            c @ ('a'..='z' | '0'..='9') => slug.push(c),
            _ if slug.is_empty() || slug.ends_with('-') => {}
            _ => slug.push('-'),
        }
    }
    let slug = slug.trim_end_matches('-');
    (!slug.is_empty()).then(|| slug.to_owned())
}

/// The name to use, with what is wrong about the one in the file.
pub(super) fn read(root: &Node, origin: &Origin, report: &mut Report) -> String {
    let folder = origin.folder.as_deref();
    let written = root.get("name").and_then(|entry| {
        let text = fields::text(entry, "name", report)?;
        Some((text, entry.line))
    });
    let from_folder = folder.and_then(slug);
    let Some((text, line)) = written else {
        let name = from_folder.unwrap_or_else(|| "skill".to_owned());
        let line = root.get("name").map_or(root.line, |entry| entry.line);
        // A name of a wrong form has been reported as that.
        if root.get("name").is_none_or(|entry| entry.node.as_text().is_some()) {
            let message = format!("is missing; the skill is called `{name}`");
            report.add(Code::NameMissing, line, "name", message, &format!("write `name: {name}`"));
        }
        return name;
    };
    let length = text.chars().count();
    if is_valid(&text) {
        if let Some(folder) = folder.filter(|folder| *folder != text) {
            let message = format!("is `{text}` in a folder called `{folder}`");
            let hint = format!(
                "rename the folder to `{text}`, or write `name: {}`",
                slug(folder).unwrap_or_default()
            );
            report.add(Code::NameDiffersFromFolder, line, "name", message, &hint);
        }
        return text;
    }
    let name = from_folder.or_else(|| slug(&text)).unwrap_or_else(|| "skill".to_owned());
    let hint = format!("write `name: {name}`");
    if length > MOST {
        let message = format!("has {length} characters, at most {MOST} are allowed; the skill is called `{name}`");
        report.add(Code::NameTooLong, line, "name", message, &hint);
    }
    if !is_well_formed(&text) {
        let shown: String = text.chars().take(80).collect();
        let message = format!("`{shown}` is not small letters and digits joined by single hyphens; the skill is called `{name}`");
        report.add(Code::NameInvalid, line, "name", message, &hint);
    }
    name
}

#[cfg(test)]
mod tests;
