//! What goes in and comes out of a skill, held to what its SKILL.md declares: the same in
//! the gateway and in a test.

use serde_json::json;

use crate::capability::Payload;
use crate::errors::{Code, Fault};
use crate::manifest::{Manifest, Violation};

/// Whether an input fits what a skill declares.
///
/// # Errors
/// [`Code::InvalidInput`], with what does not fit.
pub fn check_input(manifest: &Manifest, input: &Payload) -> Result<(), Fault> {
    let Payload::Json(value) = input else {
        return if !manifest.contract.inputs.is_declared() {
            Ok(())
        } else {
            Err(Fault::new(
                Code::InvalidInput,
                format!("`{}` takes one JSON object", manifest.name),
            ))
        };
    };
    manifest.contract.inputs.validate(value).map_err(|violations| {
        let message = format!("the input does not fit `{}`: {}", manifest.name, in_words(&violations));
        Fault::new(Code::InvalidInput, message)
            .hint(format!("`claw skill inspect {}` shows its inputs", manifest.name))
            .details(json!({ "violations": violations }))
    })
}

/// Whether an answer fits what its skill declares.
///
/// # Errors
/// [`Code::SkillInvalidOutput`], with what does not fit.
pub fn check_output(manifest: &Manifest, payload: &Payload) -> Result<(), Fault> {
    if !manifest.contract.outputs.is_declared() {
        return Ok(());
    }
    let Payload::Json(value) = payload else {
        let message = format!("`{}` declares outputs and answered without JSON", manifest.name);
        return Err(Fault::new(Code::SkillInvalidOutput, message));
    };
    manifest.contract.outputs.validate(value).map_err(|violations| {
        let message = format!(
            "the answer of `{}` does not fit its outputs: {}",
            manifest.name,
            in_words(&violations)
        );
        Fault::new(Code::SkillInvalidOutput, message).details(json!({ "violations": violations }))
    })
}

fn in_words(violations: &[Violation]) -> String {
    let mut words: Vec<String> = violations.iter().take(3).map(ToString::to_string).collect();
    if violations.len() > words.len() {
        words.push(format!("and {} more", violations.len() - words.len()));
    }
    words.join("; ")
}
