//! The examples, as their README tells a reader to run them.

use std::process::Command;

use crate::support::{claw, root};

#[test]
fn the_first_invoke_reviews_a_real_range_and_shows_its_trail() {
    let output = Command::new("sh")
        .arg(root().join("examples/01-first-invoke/run.sh"))
        .env("CLAW", claw())
        .env_remove("CLAW_HOME")
        .env_remove("CLAW_GATEWAY")
        .output()
        .unwrap();
    let (out, err) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(output.status.success(), "{out}\n{err}");
    for expected in [
        "checklist:",
        "- [ ]",
        "risk_flags:",
        "exec.git",
        "llm.inference",
        "skill:pr-review-prep@1.2.0",
        "whole",
    ] {
        assert!(out.contains(expected), "no {expected:?} in:\n{out}\n{err}");
    }
}
