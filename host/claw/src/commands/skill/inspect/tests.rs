#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use claw_core::manifest::{self, Origin};

use super::*;

const SKILL_MD: &str = "---\nname: demo\ndescription: Shows one.\nversion: 1.0.0\ninputs:\n  - text: string\n  - depth: integer?\nmetadata:\n  claw:\n    model: [general]\n    files:\n      - path: logs\n      - path: out\n        access: read-write\n    capabilities: [exec.git]\n---\n\n# Demo\n\n## Usage\n";

fn found(imports: &[&str]) -> Inspected {
    let manifest = manifest::load(SKILL_MD.as_bytes(), &Origin::new("SKILL.md", None))
        .manifest
        .unwrap();
    let packaged = claw_engine::package::Packaged {
        files: [("SKILL.md".to_owned(), SKILL_MD.into())].into(),
    };
    Inspected {
        manifest: manifest.into(),
        sha256: "ab".repeat(32),
        size: 4_096,
        imports: imports.iter().map(|import| (*import).to_owned()).collect(),
        packaged: packaged.into(),
    }
}

#[test]
fn what_it_can_do_is_what_it_imports_whatever_it_asks_for() {
    let requests = &found(&[]).manifest.requests;
    let table: [(&[&str], &[&str]); 4] = [
        (
            &["wasi:clocks/wall-clock@0.2.0", "claw:skill/types@0.1.0"],
            &["compute; nothing leaves the sandbox but its result and its log"],
        ),
        (&["claw:skill/model@0.1.0"], &["call models for `general`"]),
        (
            &["claw:skill/files@0.1.0"],
            &[
                "read its packaged files",
                "read files below `logs`",
                "read and write files below `out`",
            ],
        ),
        (
            &["claw:skill/nodes@0.1.0", "claw:skill/output@0.1.0"],
            &["use `exec.git`", "send its caller progress and partial results"],
        ),
    ];
    for (imports, expected) in table {
        let imports: Vec<String> = imports.iter().map(|import| (*import).to_owned()).collect();
        assert_eq!(abilities(&imports, requests), expected, "{imports:?}");
    }
}

#[test]
fn people_see_it_in_lines() {
    let text = as_text(&found(&["claw:skill/model@0.1.0"]), Path::new("demo.wasm"), Style::plain());
    let expected = format!(
        "demo@1.0.0\nShows one.\n\nfile      demo.wasm, 4096 bytes\nsha256    {}\ncan       call models for `general`\npackaged  SKILL.md ({} bytes)\nasks for  model general, files logs (read), files out (read-write), exec.git\nlimits    64 MiB, 60000 ms, 1024 KiB of output\ninputs    text: string, depth: integer?\noutputs   any object\nheadings  Demo\n          Usage\n",
        "ab".repeat(32),
        SKILL_MD.len(),
    );
    assert_eq!(text, expected);
}

#[test]
fn programs_see_all_of_it() {
    let json = as_json(&found(&["claw:skill/model@0.1.0"]), Path::new("demo.wasm"));
    for key in [
        "name",
        "version",
        "description",
        "file",
        "sha256",
        "size_bytes",
        "imports",
        "can",
        "requests",
        "limits",
        "inputs",
        "outputs",
        "files",
        "headings",
    ] {
        assert!(json.get(key).is_some_and(|value| !value.is_null()), "{key} in {json}");
    }
    assert_eq!(json.pointer("/files/0/path").unwrap(), "SKILL.md");
}

#[test]
fn a_name_that_is_nowhere_says_where_it_was_looked_for() {
    let scratch = tempfile::tempdir().unwrap();
    let environment = Environment {
        home: crate::home::Home::find(Some(scratch.path().to_owned())).unwrap(),
        gateway: None,
    };
    let error = find(Path::new("no-such-skill"), &environment).unwrap_err();
    assert_eq!(crate::exit::of(&error), Exit::Usage);
    assert!(error.to_string().starts_with("there is no file `no-such-skill`"), "{error}");
    std::fs::write(scratch.path().join("x.wasm"), "not wasm").unwrap();
    let error = run(
        &InspectArgs {
            file: scratch.path().join("x.wasm"),
            json: true,
        },
        &environment,
    )
    .unwrap_err();
    assert_eq!(crate::exit::of(&error), Exit::BuildFailed);
}
