#![expect(clippy::unwrap_used, clippy::panic, reason = "a test stops at what it did not expect")]

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use super::*;

mod fuzz;
mod manifests;

fn cases() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/skill-md")
}

/// Every folder of `testdata/skill-md` is a case: its SKILL.md, and in `expected.txt` what the
/// loader and the lint say of it. `BLESS=1 cargo test` writes the expectations anew.
#[test]
fn folders_are_read_as_expected() {
    let mut wrong = String::new();
    let mut count = 0;
    for file in check::find(&cases()) {
        count += 1;
        let folder = file.parent().unwrap();
        let got = describe(&file);
        let expected = folder.join("expected.txt");
        if std::env::var_os("BLESS").is_some() {
            fs::write(&expected, &got).unwrap();
        }
        let want = fs::read_to_string(&expected).unwrap_or_default();
        if got != want {
            let _ = writeln!(wrong, "== {}\n-- expected\n{want}\n-- got\n{got}", folder.display());
        }
    }
    assert!(count > 50, "only {count} cases were found");
    assert!(wrong.is_empty(), "{wrong}");
}

fn describe(file: &Path) -> String {
    let bytes = fs::read(file).unwrap();
    let folder = file.parent().unwrap();
    let name = folder.file_name().unwrap().to_str().unwrap();
    let origin = Origin::new(file.file_name().unwrap(), Some(name));
    let loaded = load(&bytes, &origin);
    let mut text = match &loaded.manifest {
        Some(manifest) => summary(manifest),
        None => "does not load\n".to_owned(),
    };
    let exists = |relative: &str| folder.join(relative).exists();
    let lint = lint(&bytes, &origin, Some(&exists));
    for (title, found) in [("load", &loaded.diagnostics), ("lint", &lint)] {
        let _ = writeln!(text, "\n{title}:");
        // The lint repeats what the loader says, at its own weight: without the words is enough.
        for one in found {
            let _ = match title {
                "load" => writeln!(text, "{one}"),
                _ => writeln!(text, "{}: {}[{}] {}", one.line, one.severity.as_str(), one.code.id(), one.key),
            };
        }
    }
    text
}

fn summary(manifest: &Manifest) -> String {
    let mut text = format!("{} {}: {:.80}\n", manifest.name, manifest.version, manifest.description);
    let mut line = |key: &str, value: String| {
        let _ = writeln!(text, "{key}: {value}");
    };
    line("requests", serde_json::to_string(&manifest.requests).unwrap());
    if manifest.requires != Requires::default() {
        line("requires", serde_json::to_string(&manifest.requires).unwrap());
    }
    for (key, schema) in [("inputs", &manifest.contract.inputs), ("outputs", &manifest.contract.outputs)] {
        if schema.is_declared() {
            line(key, schema.json().to_string());
        }
    }
    if !manifest.extra.is_empty() {
        line("extra", serde_json::to_string(&manifest.extra).unwrap());
    }
    text
}

#[test]
fn every_code_has_a_row_and_an_id_of_its_own() {
    let mut ids: Vec<&str> = Code::ALL.iter().map(|code| code.id()).collect();
    assert!(
        ids.iter()
            .all(|id| id.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'))
    );
    ids.sort_unstable();
    let all = ids.len();
    ids.dedup();
    assert_eq!(ids.len(), all, "two codes share an id");
    assert_eq!(
        Code::ALL.last(),
        Some(&Code::MoreFindings),
        "a code added to the enum belongs into the list as well"
    );
    let mut sorted = Code::ALL.to_vec();
    sorted.sort();
    assert_eq!(sorted, Code::ALL, "the list is in the order of the enum");
    assert_eq!(
        Code::ALL.len(),
        Code::MoreFindings as usize + 1,
        "a code is missing from the list"
    );
}

/// Whatever keeps a file from loading fails the lint too.
#[test]
fn the_lint_is_never_milder_than_the_loader() {
    for code in Code::ALL {
        assert!(code.on_load() <= code.on_lint(), "{}", code.id());
    }
}

#[test]
fn a_diagnostic_reads_as_file_line_key_and_hint() {
    let origin = Origin::of("skills/shout/SKILL.md");
    let loaded = load(b"---\nname: shout\ndescription: x\nversion: one\n---\n", &origin);
    let shown = loaded
        .diagnostics
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join("\n");
    let expected = "skills/shout/SKILL.md:4: warning[version-not-semver]: `version`: `one` is not a semantic version; \
                    `0.0.0` is used\n  hint: write `version: 0.0.0`";
    assert_eq!(shown, expected);
}

#[test]
fn a_file_that_does_not_load_says_all_that_is_wrong_with_it() {
    let text = "---\nname: x\nmetadata:\n  claw:\n    model: a\n    idempotent: perhaps\n---\n";
    let error = load(text.as_bytes(), &Origin::new("SKILL.md", None))
        .into_result()
        .unwrap_err();
    let lines: Vec<usize> = error
        .diagnostics
        .iter()
        .filter(|one| one.severity == Severity::Error)
        .map(|one| one.line)
        .collect();
    assert_eq!(lines, [5, 6]);
    assert!(
        error
            .to_string()
            .contains("SKILL.md:6: error[claw-type]: `metadata.claw.idempotent`"),
        "{error}"
    );
}

#[test]
fn findings_are_counted_not_piled_up() {
    let fields: String = (0..1_000).map(|at| format!("field{at}: x\nfield{at}: y\n")).collect();
    let loaded = load(
        format!("---\nname: many\n{fields}---\n").as_bytes(),
        &Origin::new("SKILL.md", None),
    );
    assert!(loaded.manifest.is_some());
    assert!(loaded.diagnostics.len() <= 201, "{}", loaded.diagnostics.len());
    let last = loaded.diagnostics.last().unwrap();
    assert_eq!(last.code, Code::MoreFindings, "{last}");
}

#[test]
fn sizes_are_bounded() {
    let origin = Origin::new("SKILL.md", None);
    let codes = |text: &[u8]| load(text, &origin).diagnostics.iter().map(|one| one.code).collect::<Vec<_>>();
    let large = vec![b'x'; (2 << 20) + 1];
    assert_eq!(codes(&large), [Code::FileTooLarge]);
    let front = format!("---\nname: x\nlong: {}\n---\n", "y".repeat(300 << 10));
    assert_eq!(codes(front.as_bytes()), [Code::FrontMatterTooLarge]);
    let nodes = format!("---\nname: x\nlong: [{}]\n---\n", "y,".repeat(30_000));
    assert_eq!(codes(nodes.as_bytes()), [Code::TooManyNodes]);
}
