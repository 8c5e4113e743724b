//! `metadata.claw`: what the skill asks for. It decides what a guest may reach, so nothing
//! here is guessed: a value of a wrong form is an error.

use std::collections::BTreeMap;

use crate::grants::{Access, Limits, Requests};

use super::extra;
use super::node::{Entry, Kind, Node};
use super::report::Report;
use super::{Code, fields};

mod limits;

/// The block, read.
#[derive(Default)]
pub(super) struct Claw {
    pub(super) requests: Requests,
    pub(super) limits: Limits,
    pub(super) idempotent: bool,
    pub(super) config: BTreeMap<String, Option<String>>,
    pub(super) exactly_one_of: Vec<Group>,
}

/// Inputs of which a caller gives exactly one.
pub(super) struct Group {
    pub(super) line: usize,
    pub(super) names: Vec<String>,
}

/// Reads the block.
pub(super) fn read(block: &Entry, report: &mut Report) -> Claw {
    let mut claw = Claw::default();
    for entry in block.node.entries().unwrap_or_default() {
        let path = format!("metadata.claw.{}", entry.key);
        if entry.node.is_null() {
            continue;
        }
        match entry.key.as_str() {
            "model" => claw
                .requests
                .model
                .extend(names(entry, &path, Code::ModelUse, "general", report)),
            "capabilities" => {
                let names = names(entry, &path, Code::CapabilityName, "exec.gh", report);
                claw.requests.capabilities.extend(names);
            }
            "files" => claw.requests.files = files(entry, &path, report),
            "limits" => claw.limits = limits::read(entry, &path, report),
            "config" => claw.config = config(entry, &path, report),
            "exactly_one_of" => claw.exactly_one_of = groups(entry, &path, report),
            "idempotent" => match fields::flag(&entry.node) {
                Some(flag) => claw.idempotent = flag,
                None => wrong(&entry.node, &path, "`true` or `false`", "write `idempotent: true`", report),
            },
            key if extra::CLAW.contains(&key) => {}
            key => unknown(key, entry.line, &path, report),
        }
    }
    claw
}

fn unknown(key: &str, line: usize, path: &str, report: &mut Report) {
    let known = extra::CLAW
        .iter()
        .map(|key| format!("`{key}`"))
        .collect::<Vec<_>>()
        .join(", ");
    let message = format!(
        "`{}` is not a key of `metadata.claw`; it is left out",
        key.chars().take(40).collect::<String>()
    );
    report.add(Code::UnknownClawKey, line, path, message, &format!("the keys are {known}"));
}

fn wrong(node: &Node, path: &str, wanted: &str, hint: &str, report: &mut Report) {
    let message = format!("is {} where {wanted} belongs", node.kind_name());
    report.add(Code::ClawType, node.line, path, message, hint);
}

/// The items of a list, or nothing after an error.
fn items<'a>(entry: &'a Entry, path: &str, hint: &str, report: &mut Report) -> &'a [Node] {
    match &entry.node.kind {
        Kind::List(items) => items,
        Kind::Scalar(_) | Kind::Map(_) => {
            wrong(&entry.node, path, "a list", hint, report);
            &[]
        }
    }
}

fn names(entry: &Entry, path: &str, code: Code, example: &str, report: &mut Report) -> Vec<String> {
    let written = entry.node.as_text().filter(|text| is_name(text)).unwrap_or(example);
    let hint = format!("write `{}: [{written}]`", entry.key);
    let mut names = Vec::new();
    for item in items(entry, path, &hint, report) {
        match item.as_text().map(str::trim).filter(|_| !item.is_null()) {
            Some(text) if is_name(text) && !text.ends_with(':') => names.push(text.to_owned()),
            Some(text) => {
                let shown: String = text.chars().take(60).collect();
                let message = format!("`{shown}` is not a plain name");
                report.add(code, item.line, path, message, &format!("write a name such as `{example}`"));
            }
            None => wrong(item, path, "text", &hint, report),
        }
    }
    names
}

/// Letters, digits and the signs that names of capabilities are joined with.
fn is_name(text: &str) -> bool {
    let sign = |c: char| matches!(c, '.' | '_' | '-' | ':' | '@' | '+' | '/');
    text.len() <= 128
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || sign(c))
}

fn files(entry: &Entry, path: &str, report: &mut Report) -> BTreeMap<String, Access> {
    let hint = "write `- path: logs` and below it `access: read`";
    let mut files = BTreeMap::new();
    for item in items(entry, path, hint, report) {
        if item.entries().is_none() {
            wrong(item, path, "a map", hint, report);
            continue;
        }
        let Some(name) = item.get("path").filter(|entry| !entry.node.is_null()) else {
            report.add(Code::FilePath, item.line, path, "a file grant without `path`", hint);
            continue;
        };
        let name_path = format!("{path}.path");
        let Some(text) = name.node.as_text() else {
            wrong(&name.node, &name_path, "text", hint, report);
            continue;
        };
        if let Err(reason) = plain_path(text) {
            let shown: String = text.chars().take(60).collect();
            let message = format!("`{shown}` {reason}");
            let hint = "write a plain name such as `logs`; the operator says which directory it stands for";
            report.add(Code::FilePath, name.line, &name_path, message, hint);
            continue;
        }
        let Some(access) = access(item, path, report) else { continue };
        if files.insert(text.to_owned(), access).is_some() {
            let message = format!("`{text}` is asked for twice");
            report.add(
                Code::FilePath,
                name.line,
                &name_path,
                message,
                "write one entry for each path",
            );
        }
    }
    files
}

fn access(item: &Node, path: &str, report: &mut Report) -> Option<Access> {
    let Some(entry) = item.get("access").filter(|entry| !entry.node.is_null()) else {
        return Some(Access::Read);
    };
    match entry.node.as_text() {
        Some("read") => Some(Access::Read),
        Some("read-write") => Some(Access::ReadWrite),
        other => {
            let shown = other.map_or_else(
                || entry.node.kind_name().to_owned(),
                |text| format!("`{}`", text.chars().take(40).collect::<String>()),
            );
            let path = format!("{path}.access");
            let hint = "write `access: read` or `access: read-write`";
            report.add(Code::FileAccess, entry.line, &path, format!("{shown} is not an access"), hint);
            None
        }
    }
}

/// A name as a guest writes it: plain parts joined by `/`, and not the skill's own files.
fn plain_path(text: &str) -> Result<(), &'static str> {
    if text.is_empty() || text.len() > 128 {
        return Err("is empty or longer than 128 bytes");
    }
    if text.starts_with(['/', '~']) || text.contains(':') {
        return Err("is an absolute path");
    }
    if text.contains('\\') {
        return Err("holds a backslash");
    }
    for (at, part) in text.split('/').enumerate() {
        match part {
            "" | "." | ".." => return Err("holds an empty part, `.` or `..`"),
            "skill" if at == 0 => return Err("begins with `skill`, which is the name of the skill's own files"),
            part if part.trim() != part
                || part
                    .chars()
                    .any(|c| c.is_control() || matches!(c, '*' | '?' | '"' | '<' | '>' | '|' | '$' | '%')) =>
            {
                return Err("holds a character that names of directories do not have");
            }
            _ => {}
        }
    }
    Ok(())
}

fn config(entry: &Entry, path: &str, report: &mut Report) -> BTreeMap<String, Option<String>> {
    let hint = "write `config: [key]`, or `config:` and below it `key: default`";
    let mut config = BTreeMap::new();
    let mut put = |key: &str, default: Option<String>, line: usize, report: &mut Report| {
        if is_name(key) {
            config.insert(key.to_owned(), default);
        } else {
            let message = format!("`{}` is not a plain name", key.chars().take(60).collect::<String>());
            report.add(Code::ConfigKey, line, path, message, "write a key such as `team.name`");
        }
    };
    match &entry.node.kind {
        Kind::Scalar(_) => wrong(&entry.node, path, "a list or a map", hint, report),
        Kind::List(items) => {
            for item in items {
                match item.as_text() {
                    Some(key) => put(key.trim(), None, item.line, report),
                    None => wrong(item, path, "text", hint, report),
                }
            }
        }
        Kind::Map(entries) => {
            for entry in entries {
                let default = entry.node.as_text().map(str::to_owned);
                match default {
                    _ if entry.node.is_null() => put(&entry.key, None, entry.line, report),
                    Some(default) => put(&entry.key, Some(default), entry.line, report),
                    None => wrong(&entry.node, &format!("{path}.{}", entry.key), "text", hint, report),
                }
            }
        }
    }
    config
}

fn groups(entry: &Entry, path: &str, report: &mut Report) -> Vec<Group> {
    let hint = "write `exactly_one_of: [[one, other]]`";
    let mut groups = Vec::new();
    let lists = items(entry, path, hint, report);
    // `[one, other]` can only mean one group.
    let flat = !lists.is_empty() && lists.iter().all(|item| item.as_text().is_some());
    let whole = [&entry.node];
    let lists: Vec<&Node> = if flat { whole.to_vec() } else { lists.iter().collect() };
    for list in lists {
        let Kind::List(names) = &list.kind else {
            wrong(list, path, "a list of names", hint, report);
            continue;
        };
        let names: Option<Vec<String>> = names
            .iter()
            .map(|name| name.as_text().map(|text| text.trim().to_owned()))
            .collect();
        match names {
            Some(names) => groups.push(Group { line: list.line, names }),
            None => wrong(list, path, "a list of names", hint, report),
        }
    }
    groups
}
