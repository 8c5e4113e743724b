//! OpenClaw's extension: what a skill wants around it. Read leniently; nothing of it is run.

use serde_json::Value;

use super::metadata::Blocks;
use super::node::{Entry, Numbers};
use super::report::Report;
use super::{Code, Requires, fields};

/// The block, read.
#[derive(Default)]
pub(super) struct OpenClaw {
    pub(super) requires: Requires,
    pub(super) os: Vec<String>,
    pub(super) always: bool,
    pub(super) primary_env: Option<String>,
    pub(super) install: Option<Value>,
    pub(super) emoji: Option<String>,
    pub(super) homepage: Option<String>,
}

/// Reads the block, if it is there.
pub(super) fn read(blocks: &Blocks<'_>, report: &mut Report) -> OpenClaw {
    let mut read = OpenClaw::default();
    let Some(block) = blocks.openclaw else { return read };
    for entry in block.node.entries().unwrap_or_default() {
        let path = format!("metadata.{}.{}", block.key, entry.key);
        match entry.key.as_str() {
            "requires" => read.requires = requires(entry, &path, report),
            "os" => read.os = fields::texts(entry, &path, report),
            "always" => read.always = fields::optional_flag(entry, &path, report),
            "primaryEnv" => read.primary_env = fields::text(entry, &path, report),
            "emoji" => read.emoji = fields::text(entry, &path, report),
            "homepage" => read.homepage = fields::text(entry, &path, report),
            "install" => {
                read.install = Some(entry.node.to_json(Numbers::Exact)).filter(|value| !value.is_null());
            }
            _ => {}
        }
    }
    read
}

fn requires(entry: &Entry, path: &str, report: &mut Report) -> Requires {
    let mut requires = Requires::default();
    let Some(entries) = entry.node.entries() else {
        if !entry.node.is_null() {
            fields::wrong(entry, path, "a map", "write `requires:` and below it `bins: [gh]`", report);
        }
        return requires;
    };
    for entry in entries {
        let path = format!("{path}.{}", entry.key);
        match entry.key.as_str() {
            "bins" => requires.bins = fields::texts(entry, &path, report),
            "anyBins" => requires.any_bins = fields::texts(entry, &path, report),
            "env" => requires.env = fields::texts(entry, &path, report),
            "config" => requires.config = fields::texts(entry, &path, report),
            _ => {}
        }
    }
    requires
}

/// Commands that a component cannot use: a shell runs other commands, and that is what grants are for.
const SHELLS: &[&str] = &["bash", "sh", "zsh", "dash", "fish", "ksh", "pwsh", "powershell", "cmd"];

/// The capabilities that `requires.bins` stands for.
pub(super) fn capabilities(blocks: &Blocks<'_>, bins: &[String], report: &mut Report) -> Vec<String> {
    let mut capabilities = Vec::new();
    for bin in bins.iter().filter(|bin| !SHELLS.contains(&bin.as_str())) {
        let usable = bin.len() <= 64
            && !bin.starts_with('-')
            && bin
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '+' | '-'));
        if usable {
            capabilities.push(format!("exec.{bin}"));
            continue;
        }
        let block = blocks.openclaw;
        let line = block.map_or(1, |block| block.node.get("requires").map_or(block.line, |entry| entry.line));
        let path = block.map_or_else(String::new, |block| format!("metadata.{}.requires.bins", block.key));
        let shown: String = bin.chars().take(40).collect();
        let message = format!("`{shown}` is not the name of a command; it is left out");
        report.add(
            Code::BinUnusable,
            line,
            &path,
            message,
            "write the bare name of the command, such as `gh`",
        );
    }
    capabilities
}
