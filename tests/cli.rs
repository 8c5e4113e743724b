//! The program on the terminal: what it says, and the code it ends with.

use serde_json::{Value, json};

use crate::support::{TestGateway, claw_on, command, guests, run};

#[test]
fn exit_codes_are_what_is_documented() {
    let directory = tempfile::tempdir().unwrap();
    let home = directory.path().join("home");
    let check = |arguments: &[&str], code: i32| {
        let ran = claw_on(&home, arguments);
        assert_eq!(ran.code, code, "{arguments:?}: {ran:?}");
        ran
    };
    check(&["--help"], 0);
    check(&["--version"], 0);
    check(&["no-such-command"], 2);
    check(&["gateway", "status"], 69);
    check(&["invoke", "echo"], 69);
    check(&["gateway", "stop"], 69);
    let ran = check(&["config", "check"], 64);
    assert!(ran.err.contains("claw onboard --yes"), "{ran:?}");
    check(&["token"], 64);
    check(&["onboard", "--yes"], 0);
    check(&["config", "check"], 0);
    check(&["token"], 0);
    check(&["config", "show", "nothing"], 2);
    check(&["gateway", "run", "--listen", "0.0.0.0:0"], 64);
    check(&["audit", "tail"], 1);

    let bad = directory.path().join("bad");
    std::fs::create_dir(&bad).unwrap();
    std::fs::write(bad.join("SKILL.md"), "no front matter").unwrap();
    check(&["skill", "check", bad.to_str().unwrap()], 65);
    check(&["skill", "build", bad.to_str().unwrap()], 65);
    std::fs::write(
        home.join("policies.yaml"),
        "policies: [{name: a, rule: all_outputs_are_drafts, use: x, enforce: true}]",
    )
    .unwrap();
    check(&["config", "check"], 64);
}

#[test]
fn a_component_says_what_it_can_do() {
    let directory = tempfile::tempdir().unwrap();
    let wasm = guests::built("hostile");
    let ran = claw_on(directory.path(), &["skill", "inspect", wasm.to_str().unwrap(), "--json"]);
    let inspected: Value = serde_json::from_str(&ran.out).unwrap_or_else(|_| panic!("{ran:?}"));
    assert_eq!(inspected["name"], json!("hostile"));
    let text = ran.out;
    for expected in [
        "claw:skill/model",
        "claw:skill/files",
        "claw:skill/nodes",
        "exec.git",
        "general",
    ] {
        assert!(text.contains(expected), "no {expected} in {text}");
    }
}

#[test]
fn imports_beyond_what_is_declared_are_refused_by_name() {
    let directory = tempfile::tempdir().unwrap();
    let bare = "---\nname: hostile\ndescription: x\nversion: 1.0.0\nmetadata: {claw: {idempotent: true}}\n---\n";
    let bytes =
        claw_engine::package::embed(&guests::component("hostile"), &[("SKILL.md".to_owned(), bare.into())].into()).unwrap();
    let file = directory.path().join("hostile.wasm");
    std::fs::write(&file, bytes).unwrap();
    let ran = claw_on(directory.path(), &["skill", "inspect", file.to_str().unwrap()]);
    assert_ne!(ran.code, 0, "{ran:?}");
    assert!(
        ran.err.contains("claw:skill/model@0.1.0") && ran.err.contains("metadata.claw.model"),
        "{ran:?}"
    );
}

#[test]
fn a_new_skill_builds_and_passes_its_tests_outside_any_checkout() {
    let directory = tempfile::tempdir().unwrap();
    let home = directory.path().join("home");
    let claw = |arguments: &[&str]| run(command(&home).current_dir(directory.path()).args(arguments));
    let made = claw(&["skill", "new", "greeter"]);
    assert_eq!(made.code, 0, "{made:?}");
    let folder = directory.path().join("greeter");
    let tested = claw(&["skill", "test", "greeter"]);
    assert_eq!(tested.code, 0, "{tested:?}");
    let again = claw(&["skill", "new", "greeter"]);
    assert_eq!(again.code, 2, "{again:?}");

    // An expectation that does not hold fails, and is written anew when that is asked for.
    let expected = std::fs::read_dir(folder.join("test/expected"))
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    std::fs::write(&expected, "{}").unwrap();
    let failed = claw(&["skill", "test", "greeter", "--json"]);
    assert_eq!(failed.code, 100, "{failed:?}");
    let report: Value = serde_json::from_str(&failed.out).unwrap();
    assert_eq!(report["failed"], json!(1), "{report}");
    assert_eq!(claw(&["skill", "test", "greeter", "--update"]).code, 0);
    let junit = directory.path().join("junit.xml");
    assert_eq!(
        claw(&["skill", "test", "greeter", "--junit", junit.to_str().unwrap()]).code,
        0
    );
    assert!(std::fs::read_to_string(junit).unwrap().contains("<testsuite"));

    // Code that does not compile ends with rustc's own words and a code of its own.
    let source = folder.join("src/lib.rs");
    let text = std::fs::read_to_string(&source).unwrap();
    std::fs::write(&source, format!("{text}\nfn broken() -> u8 {{ \"text\" }}\n")).unwrap();
    let broken = claw(&["skill", "build", "greeter"]);
    assert_eq!(broken.code, 101, "{broken:?}");
    assert!(broken.err.contains("E0308"), "{broken:?}");
    std::fs::remove_dir_all(folder.join("test/fixtures")).unwrap();
    std::fs::write(&source, text).unwrap();
    assert_eq!(claw(&["skill", "test", "greeter"]).code, 4);
}

#[tokio::test]
async fn the_terminal_is_a_caller_like_any_other() {
    let gateway = TestGateway::with(&["echo"]).await;
    let ran = gateway.claw(&["invoke", "echo", "--input", "text=hello", "--input", "n=3", "--json"]);
    let answer: Value = serde_json::from_str(&ran.out).unwrap_or_else(|_| panic!("{ran:?}"));
    assert_eq!(answer["output"], json!({ "text": "hello", "n": 3 }));
    let ran = gateway.claw(&["invoke", "nobody"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.err.contains("live are `echo`"), "{ran:?}");
    let tail = gateway.claw(&["audit", "tail"]);
    assert!(tail.out.contains("skill:echo@1.0.0"), "{}", tail.out);
    let stats = gateway.claw(&["audit", "stats"]);
    assert_eq!(stats.code, 0, "{stats:?}");
    // A second gateway on the home is refused in words.
    let second = gateway.claw(&["gateway", "run", "--listen", "127.0.0.1:0"]);
    assert!(second.code == 1 && second.err.contains("holds the home"), "{second:?}");
}
