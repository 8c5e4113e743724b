//! `metadata.claw.limits`: numbers between one and the ceiling.

use crate::grants::Limits;

use super::super::Code;
use super::super::node::Entry;
use super::super::report::Report;
use super::wrong;

/// The limits, each held below its ceiling.
pub(super) fn read(entry: &Entry, path: &str, report: &mut Report) -> Limits {
    let mut limits = Limits::default();
    let Some(entries) = entry.node.entries() else {
        wrong(
            &entry.node,
            path,
            "a map",
            "write `limits:` and below it `memory_mb: 64`",
            report,
        );
        return limits;
    };
    for entry in entries {
        let path = format!("{path}.{}", entry.key);
        let mut within = |ceiling: u64| one(entry, &path, ceiling, report);
        match entry.key.as_str() {
            "memory_mb" => {
                if let Some(value) = within(u64::from(Limits::CEILING.memory_mb)) {
                    limits.memory_mb = u32::try_from(value).unwrap_or(Limits::CEILING.memory_mb);
                }
            }
            "timeout_ms" => {
                if let Some(value) = within(Limits::CEILING.timeout_ms) {
                    limits.timeout_ms = value;
                }
            }
            "output_kb" => {
                if let Some(value) = within(u64::from(Limits::CEILING.output_kb)) {
                    limits.output_kb = u32::try_from(value).unwrap_or(Limits::CEILING.output_kb);
                }
            }
            key => {
                let message = format!(
                    "`{}` is not a limit; it is left out",
                    key.chars().take(40).collect::<String>()
                );
                let hint = "the limits are `memory_mb`, `timeout_ms`, `output_kb`";
                report.add(Code::UnknownClawKey, entry.line, &path, message, hint);
            }
        }
    }
    limits
}

fn one(entry: &Entry, path: &str, ceiling: u64, report: &mut Report) -> Option<u64> {
    let text = entry.node.as_text().map(|text| text.replace('_', ""));
    let digits = text.filter(|text| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()));
    let Some(digits) = digits else {
        let hint = format!("write a whole number, such as `{}: {}`", entry.key, ceiling.min(64));
        wrong(&entry.node, path, "a whole number", &hint, report);
        return None;
    };
    match digits.parse::<u64>() {
        Ok(0) => {
            let hint = format!("write a number from 1 to {ceiling}");
            report.add(Code::LimitZero, entry.line, path, "is nothing at all", &hint);
            None
        }
        Ok(value) if value <= ceiling => Some(value),
        Ok(_) | Err(_) => {
            let message = format!("{digits} is above the ceiling; {ceiling} is used");
            report.add(
                Code::LimitAboveCeiling,
                entry.line,
                path,
                message,
                &format!("write at most {ceiling}"),
            );
            Some(ceiling)
        }
    }
}
