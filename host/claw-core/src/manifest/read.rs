//! From bytes to a manifest, one stage after the other; each says what it overlooked.

use crate::grants::{Limits, Requests};

use super::claw::Claw;
use super::metadata::{self, Blocks};
use super::node::{Kind, Node};
use super::report::Report;
use super::split::{self, Parts};
use super::yaml::{self, Failure, Finding, Parsed, Style};
use super::{Code, Manifest, Origin};
use super::{body, claw, contract, decode, extra, fields, name, openclaw, repair, salvage, version};

/// The most bytes of a file that are read.
pub(super) const FILE_BYTES: usize = 2 << 20;
const DESCRIPTION_CHARS: usize = 1_024;
const COMPATIBILITY_CHARS: usize = 500;

/// What is known of a file after reading it.
pub(super) struct Reading {
    pub(super) report: Report,
    pub(super) manifest: Option<Manifest>,
    pub(super) front: Option<Front>,
}

/// The front matter, for the lint.
pub(super) struct Front {
    pub(super) text: String,
    pub(super) line: usize,
    pub(super) root: Node,
    pub(super) style: Style,
    pub(super) links: Vec<body::Link>,
}

/// Reads a file as far as it goes.
pub(super) fn read(bytes: &[u8], origin: &Origin) -> Reading {
    let mut report = Report::new(origin);
    let read = stages(bytes, origin, &mut report);
    let (manifest, front) = read.unzip();
    Reading { report, manifest, front }
}

fn stages(bytes: &[u8], origin: &Origin, report: &mut Report) -> Option<(Manifest, Front)> {
    if bytes.len() > FILE_BYTES {
        let message = format!(
            "the file has {} KiB, at most {} are read",
            bytes.len() >> 10,
            FILE_BYTES >> 10
        );
        report.add(Code::FileTooLarge, 1, "", message, "move long texts into files beside it");
        return None;
    }
    let text = decode::decode(bytes, report);
    let parts = split::split(&text, report)?;
    let (mut root, style) = tree(&parts, report)?;
    metadata::expand(&mut root, report);
    let (manifest, links) = manifest(&root, &parts, origin, report);
    let front = Front {
        text: parts.front,
        line: parts.front_line,
        root,
        style,
        links,
    };
    Some((manifest, front))
}

/// The ladder: YAML as it stands, YAML with its lines repaired, lines on their own.
fn tree(parts: &Parts, report: &mut Report) -> Option<(Node, Style)> {
    let (text, line) = (parts.front.as_str(), parts.front_line);
    let syntax = match yaml::parse(text, line) {
        Ok(parsed) => match accept(parsed, report) {
            Ok(tree) => return Some(tree),
            Err(not_a_map) => not_a_map,
        },
        Err(Failure::Bound { code, line, message }) => return refuse(code, line, message, report),
        Err(Failure::Syntax { line, message }) => (line, format!("the front matter is not YAML: {message}")),
    };
    let (repaired, repairs) = repair::repair(text, line);
    match yaml::parse(&repaired, line) {
        Ok(parsed) if matches!(parsed.root.kind, Kind::Map(_)) => {
            report_all(repairs, report);
            return accept(parsed, report).ok();
        }
        Err(Failure::Bound { code, line, message }) => return refuse(code, line, message, report),
        Ok(_) | Err(Failure::Syntax { .. }) => {}
    }
    let (line, message) = syntax;
    match salvage::salvage(text, parts.front_line) {
        Some((root, findings)) => {
            let hint = "correct that line; until then the front matter is read line by line";
            report.add(Code::YamlSalvaged, line, "", message, hint);
            report_all(findings, report);
            Some((root, Style::default()))
        }
        None => {
            let hint = "write `name: …` and `description: …`, each on its own line";
            report.add(Code::FrontMatterNotAMap, line, "", message, hint);
            None
        }
    }
}

/// Takes a tree if it is a map; nothing at all is an empty map.
fn accept(parsed: Parsed, report: &mut Report) -> Result<(Node, Style), (usize, String)> {
    let Parsed { root, notes, style } = parsed;
    let root = match &root.kind {
        Kind::Map(_) => root,
        Kind::Scalar(_) if root.is_null() => {
            let hint = "write `name: …` and `description: …`";
            report.add(Code::FrontMatterEmpty, root.line, "", "the front matter is empty", hint);
            Node {
                line: root.line,
                kind: Kind::Map(Vec::new()),
            }
        }
        Kind::Scalar(_) | Kind::List(_) => {
            return Err((
                root.line,
                format!("the front matter is {} where `key: value` belongs", root.kind_name()),
            ));
        }
    };
    report_all(notes, report);
    Ok((root, style))
}

fn refuse<T>(code: Code, line: usize, message: String, report: &mut Report) -> Option<T> {
    report.add(code, line, "", message, "write the front matter out, and keep it short");
    None
}

fn report_all(findings: Vec<Finding>, report: &mut Report) {
    for Finding {
        code,
        line,
        key,
        message,
        hint,
    } in findings
    {
        report.add(code, line, &key, message, &hint);
    }
}

fn manifest(root: &Node, parts: &Parts, origin: &Origin, report: &mut Report) -> (Manifest, Vec<body::Link>) {
    let body = body::read(&parts.body, parts.body_line);
    let blocks = metadata::blocks(root, report);
    let name = name::read(root, origin, report);
    let description = description(root, body.first_paragraph, report);
    let (version, version_declared) = version::read(root, blocks.metadata, report);
    let open = openclaw::read(&blocks, report);
    let claw = blocks.claw.map(|block| claw::read(block, report));
    let requests_declared = claw.is_some();
    let claw = claw.unwrap_or_else(|| defaults(&blocks, &open.requires.bins, report));
    let contract = contract::read(&blocks, &claw.exactly_one_of, report);
    let manifest = Manifest {
        name,
        description,
        version,
        version_declared,
        license: top("license", root, report),
        compatibility: compatibility(root, report),
        allowed_tools: allowed_tools(root, report),
        homepage: top("homepage", root, report)
            .or(open.homepage)
            .or_else(|| from_metadata("homepage", &blocks)),
        emoji: open.emoji,
        os: open.os,
        always: open.always,
        requires: open.requires,
        primary_env: open.primary_env,
        install: open.install,
        requests: claw.requests,
        requests_declared,
        limits: claw.limits.capped_by(&Limits::CEILING),
        idempotent: claw.idempotent,
        config: claw.config,
        contract,
        extra: extra::of(root),
        body: parts.body.clone(),
        body_line: parts.body_line,
        headings: body.headings,
    };
    (manifest, body.links)
}

/// What a skill without `metadata.claw` asks for.
fn defaults(blocks: &Blocks<'_>, bins: &[String], report: &mut Report) -> Claw {
    let mut requests = Requests::default();
    requests.model.insert("general".to_owned());
    requests.capabilities.extend(openclaw::capabilities(blocks, bins, report));
    Claw {
        requests,
        ..Claw::default()
    }
}

fn top(key: &str, root: &Node, report: &mut Report) -> Option<String> {
    fields::text(root.get(key)?, key, report)
}

fn from_metadata(key: &str, blocks: &Blocks<'_>) -> Option<String> {
    let text = blocks.metadata?.get(key)?.node.as_text()?.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

fn description(root: &Node, first_paragraph: Option<String>, report: &mut Report) -> String {
    let Some(text) = top("description", root, report) else {
        let line = root.get("description").map_or(root.line, |entry| entry.line);
        // A description of a wrong form has been reported as that.
        if root.get("description").is_none_or(|entry| entry.node.as_text().is_some()) {
            let message = "is missing; the first paragraph is used";
            let hint = "write `description: what it does and when to use it`";
            report.add(Code::DescriptionMissing, line, "description", message, hint);
        }
        return first_paragraph.unwrap_or_default();
    };
    too_long(
        "description",
        &text,
        DESCRIPTION_CHARS,
        Code::DescriptionTooLong,
        root,
        report,
    );
    text
}

fn compatibility(root: &Node, report: &mut Report) -> Option<String> {
    let text = top("compatibility", root, report)?;
    too_long(
        "compatibility",
        &text,
        COMPATIBILITY_CHARS,
        Code::CompatibilityTooLong,
        root,
        report,
    );
    Some(text)
}

fn too_long(key: &str, text: &str, most: usize, code: Code, root: &Node, report: &mut Report) {
    let length = text.chars().count();
    if length > most {
        let line = root.get(key).map_or(root.line, |entry| entry.line);
        let message = format!("has {length} characters, at most {most} are allowed");
        report.add(code, line, key, message, "shorten it, and move the rest into the body");
    }
}

/// `Read, Bash(git:*)`, `Read Bash(git add *)` or a list.
fn allowed_tools(root: &Node, report: &mut Report) -> Vec<String> {
    let Some(entry) = root.get("allowed-tools") else {
        return Vec::new();
    };
    let Some(text) = entry.node.as_text().filter(|_| !entry.node.is_null()) else {
        return fields::texts(entry, "allowed-tools", report);
    };
    let mut tools = Vec::new();
    let mut tool = String::new();
    let mut open = 0usize;
    for c in text.chars() {
        match c {
            '(' => open += 1,
            ')' => open = open.saturating_sub(1),
            _ => {}
        }
        if open == 0 && (c.is_whitespace() || c == ',') {
            tools.extend(Some(std::mem::take(&mut tool)).filter(|tool| !tool.is_empty()));
        } else {
            tool.push(c);
        }
    }
    tools.extend(Some(tool).filter(|tool| !tool.is_empty()));
    tools
}
