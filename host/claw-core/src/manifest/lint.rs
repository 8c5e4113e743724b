//! What only the lint says: rules that other readers of the format hold a file to, and habits
//! that make a skill easier to trust.

use super::metadata::{self, Blocks};
use super::read::{Front, Reading};
use super::report::Report;
use super::{Code, Manifest, contract, fields, openclaw, secrets};

mod links;

const BODY_LINES: usize = 500;
/// Shorter names occur in any text.
const MENTIONABLE: usize = 3;

/// Adds the lint's own findings to a reading.
pub(super) fn extend(reading: &mut Reading, exists: Option<&dyn Fn(&str) -> bool>) {
    let report = &mut reading.report;
    file_name(report);
    let Some(front) = &reading.front else { return };
    fields_beyond_spec(front, report);
    style(front, report);
    for (path, line) in secrets::find(&front.root) {
        let hint = "delete it, revoke it, and name an environment variable instead";
        report.add(Code::SecretInFrontMatter, line, &path, "looks like a key or a password", hint);
    }
    links::check(&front.links, exists, report);
    if let Some(manifest) = &reading.manifest {
        body(manifest, report);
        // Its findings are already in the report.
        let mut aside = Report::aside();
        let blocks = metadata::blocks(&front.root, &mut aside);
        old_name(&blocks, report);
        requests(manifest, &blocks, report);
        contract_habits(manifest, &blocks, report);
    }
}

fn file_name(report: &mut Report) {
    let name = report.file_name().to_owned();
    if name.eq_ignore_ascii_case("skill.md") && name != "SKILL.md" {
        report.add(
            Code::FileName,
            1,
            "",
            format!("the file is called `{name}`"),
            "rename it to `SKILL.md`",
        );
    }
}

fn fields_beyond_spec(front: &Front, report: &mut Report) {
    for entry in front.root.entries().unwrap_or_default() {
        let key = entry.key.as_str();
        if fields::SPEC_FIELDS.contains(&key) {
            continue;
        }
        let shown: String = key.chars().take(60).collect();
        let place = if matches!(key, "inputs" | "outputs" | "emoji" | "os") {
            "metadata.openclaw"
        } else {
            "metadata"
        };
        let hint = format!("write it below `{place}`, where every reader of the format takes it");
        if fields::HOST_FIELDS.contains(&key) {
            let message = "is not a field of the specification, though some hosts read it";
            report.add(Code::FieldBeyondSpec, entry.line, &shown, message, &hint);
        } else {
            report.add(
                Code::UnknownField,
                entry.line,
                &shown,
                "is not a field of the specification",
                &hint,
            );
        }
    }
}

fn style(front: &Front, report: &mut Report) {
    if let Some(line) = front.style.flow {
        let message = "`{}` or `[]` in the front matter; strict readers refuse them";
        report.add(
            Code::FlowStyle,
            line,
            "",
            message,
            "write lists with `- ` and maps below their key, or JSON in quotes",
        );
    }
    if let Some(line) = front.style.anchor_or_tag {
        let message = "an anchor, an alias or a tag; strict readers refuse them";
        report.add(
            Code::AnchorOrTag,
            line,
            "",
            message,
            "write the value out, or in quotes if it is text",
        );
    }
    if let Some(line) = front.style.uneven {
        let message = "maps beside each other are indented differently; strict readers refuse that";
        report.add(Code::UnevenIndentation, line, "", message, "indent every map by two blanks");
    }
    if let Some(at) = front.text.lines().position(|line| line.contains('\t')) {
        let message = "a tab in the front matter; strict readers refuse it";
        report.add(Code::TabInFrontMatter, front.line + at, "", message, "write a blank");
    }
    if let Some(at) = front.text.lines().position(|line| line.contains("---")) {
        let message = "`---` within the front matter; some readers take it for its end";
        report.add(
            Code::DashesInFrontMatter,
            front.line + at,
            "",
            message,
            "write a single dash, or an em dash",
        );
    }
}

fn body(manifest: &Manifest, report: &mut Report) {
    let lines = manifest.body.lines().count();
    if manifest.body.trim().is_empty() {
        let message = "nothing stands below the front matter";
        report.add(Code::BodyEmpty, manifest.body_line, "", message, "say how the skill is used");
    } else if lines > BODY_LINES {
        let message = format!("the body has {lines} lines, all of which are read whenever the skill is used");
        report.add(
            Code::BodyLong,
            manifest.body_line,
            "",
            message,
            "move details into files beside it, and link them",
        );
    }
}

fn old_name(blocks: &Blocks<'_>, report: &mut Report) {
    if let Some(block) = blocks.openclaw.filter(|block| block.key != "openclaw") {
        let path = format!("metadata.{}", block.key);
        report.add(
            Code::OldMetadataName,
            block.line,
            &path,
            "is an older name",
            "write `openclaw:`",
        );
    }
}

fn requests(manifest: &Manifest, blocks: &Blocks<'_>, report: &mut Report) {
    let Some(claw) = blocks.claw else { return };
    let mut aside = Report::aside();
    for capability in openclaw::capabilities(blocks, &manifest.requires.bins, &mut aside) {
        if !manifest.requests.capabilities.contains(&capability) {
            let message = format!("`{capability}` is not asked for, though `requires.bins` names the command");
            let hint = format!("write `capabilities: [{capability}]`, or take the command out of `requires.bins`");
            report.add(Code::BinNotRequested, claw.line, "metadata.claw.capabilities", message, &hint);
        }
    }
}

fn contract_habits(manifest: &Manifest, blocks: &Blocks<'_>, report: &mut Report) {
    let Some((path, entry)) = contract::find("inputs", blocks) else {
        return;
    };
    if !manifest.contract.outputs.is_declared() {
        let hint = "write `outputs:` beside it, with the parts of the answer";
        report.add(
            Code::OutputsMissing,
            entry.line,
            &path,
            "inputs are declared, outputs are not",
            hint,
        );
    }
    let properties = manifest
        .contract
        .inputs
        .json()
        .get("properties")
        .and_then(serde_json::Value::as_object);
    for name in properties.into_iter().flatten().map(|(name, _)| name) {
        if name.len() >= MENTIONABLE && !manifest.body.contains(name.as_str()) && !manifest.description.contains(name.as_str()) {
            let path = format!("{path}.{name}");
            report.add(
                Code::InputNotMentioned,
                entry.line,
                &path,
                "the body never names this input",
                "say what it is for",
            );
        }
    }
}
