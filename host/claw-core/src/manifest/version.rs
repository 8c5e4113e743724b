//! The version of a skill: semver, or what can be made of it.

use semver::Version;

use super::node::Node;
use super::report::Report;
use super::{Code, fields};

/// Where a version may stand, best place first.
const PLACES: &[&[&str]] = &[
    &["version"],
    &["metadata", "version"],
    &["metadata", "openclaw", "version"],
    &["metadata", "claw", "version"],
];

/// The version, and whether the file names one.
pub(super) fn read(root: &Node, metadata: Option<&Node>, report: &mut Report) -> (Version, bool) {
    for place in PLACES {
        let entry = match place {
            [key] => root.get(key),
            [_, key] => metadata.and_then(|node| node.get(key)),
            [_, block, key] => metadata
                .and_then(|node| node.get(block))
                .and_then(|block| block.node.get(key)),
            _ => None,
        };
        let path = place.join(".");
        let Some(entry) = entry else { continue };
        let Some(text) = fields::text(entry, &path, report) else {
            continue;
        };
        return (parse(&text, entry.line, &path, report), true);
    }
    let message = "is missing; `0.0.0` is used";
    report.add(Code::VersionMissing, root.line, "version", message, "write `version: 1.0.0`");
    (Version::new(0, 0, 0), false)
}

fn parse(text: &str, line: usize, path: &str, report: &mut Report) -> Version {
    if let Ok(version) = Version::parse(text) {
        return version;
    }
    let version = nearest(text).unwrap_or(Version::new(0, 0, 0));
    let shown: String = text.chars().take(40).collect();
    let message = format!("`{shown}` is not a semantic version; `{version}` is used");
    report.add(
        Code::VersionNotSemver,
        line,
        path,
        message,
        &format!("write `version: {version}`"),
    );
    version
}

/// `v1.2.3`, `1.2` and `1` mean what they look like; a fourth number does not.
fn nearest(text: &str) -> Option<Version> {
    let text = text.trim_start_matches(['v', 'V', '=']).trim();
    let end = text.find(['-', '+']).unwrap_or(text.len());
    let (numbers, rest) = text.split_at_checked(end)?;
    let mut parts = Vec::new();
    for part in numbers.split('.') {
        parts.push(part.parse::<u64>().ok()?);
    }
    let (major, minor, patch) = match parts.as_slice() {
        [major] => (*major, 0, 0),
        [major, minor] => (*major, *minor, 0),
        [major, minor, patch] => (*major, *minor, *patch),
        _ => return None,
    };
    Version::parse(&format!("{major}.{minor}.{patch}{rest}")).ok()
}

#[cfg(test)]
mod tests;
