#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use super::*;

fn rows(files: &[(&str, &str)]) -> Vec<Row> {
    let scratch = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = scratch.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let mut rows = check_paths(&[scratch.path().to_owned()]);
    for row in &mut rows {
        row.path = row.path.strip_prefix(scratch.path()).unwrap().to_owned();
    }
    rows
}

#[test]
fn each_file_has_a_line_its_findings_below_it_and_the_sum_at_the_end() {
    let rows = rows(&[
        (
            "good/SKILL.md",
            "---\nname: good\ndescription: Does good things. Use when good things are wanted.\nmetadata:\n  version: 1.0.0\n---\n\n# Good\n\nText.\n",
        ),
        (
            "bad/SKILL.md",
            "---\nname: bad\ndescription: Does bad things. Use when bad things are wanted.\nmetadata:\n  version: 1.0.0\n  claw:\n    idempotent: perhaps\n---\n\n# Bad\n",
        ),
    ]);
    let text = text(&rows, Style::plain());
    let lines: Vec<&str> = text.lines().collect();
    assert!(
        lines.first().unwrap().starts_with("fails  bad/SKILL.md  1 lint errors"),
        "{text}"
    );
    assert!(
        lines.get(1).unwrap().starts_with("  7: error[") && lines.get(1).unwrap().contains("`metadata.claw.idempotent`"),
        "{text}"
    );
    assert!(lines.contains(&"ok     good/SKILL.md"), "{text}");
    assert!(lines.last().unwrap().starts_with("2 files, 1 load;"), "{text}");
}

#[test]
fn a_file_that_loads_passes_unless_the_lint_counts() {
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("other");
    std::fs::create_dir(&path).unwrap();
    let check = |text: &str, strict| {
        std::fs::write(path.join("SKILL.md"), text).unwrap();
        run(CheckArgs {
            paths: vec![path.clone()],
            strict,
            json: true,
        })
        .unwrap()
    };
    let unnamed = "---\ndescription: Does things. Use when things are wanted.\n---\n";
    assert_eq!((check(unnamed, false), check(unnamed, true)), (Exit::Ok, Exit::BadSkill));
    let broken = "---\nname: other\nmetadata: {claw: 7}\n---\n";
    assert_eq!((check(broken, false), check(broken, true)), (Exit::BadSkill, Exit::BadSkill));
    let nothing = run(CheckArgs {
        paths: vec![scratch.path().join("none")],
        strict: false,
        json: true,
    })
    .unwrap();
    assert_eq!(nothing, Exit::BadSkill);
}
