//! Who may import whom, what the engine is built with, and what the sandbox is not named
//! outside the host: read from cargo itself.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

use crate::support::root;

fn cargo(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO"))
        .args(arguments)
        .current_dir(root())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "cargo {arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// Each crate's direct dependencies, those of its tests left out.
fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let metadata: Value = serde_json::from_str(&cargo(&["metadata", "--format-version", "1", "--no-deps", "--offline"])).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let direct = |package: &Value| {
        let all = package["dependencies"].as_array().unwrap().iter();
        let own = all.filter(|dependency| dependency["kind"] != "dev");
        own.map(|dependency| dependency["name"].as_str().unwrap().to_owned())
            .collect()
    };
    packages
        .iter()
        .map(|package| (package["name"].as_str().unwrap().to_owned(), direct(package)))
        .collect()
}

#[test]
fn the_crates_in_the_middle_meet_only_in_the_binary() {
    let dependencies = dependencies();
    for (name, direct) in &dependencies {
        let ours: BTreeSet<&str> = direct
            .iter()
            .map(String::as_str)
            .filter(|direct| dependencies.contains_key(*direct))
            .collect();
        match name.as_str() {
            "claw" => assert!(ours.contains("claw-core")),
            "claw-core" => assert_eq!(ours, BTreeSet::new(), "claw-core imports none of the others"),
            _ => assert_eq!(ours, BTreeSet::from(["claw-core"]), "{name} imports claw-core alone"),
        }
    }
}

#[test]
fn each_heavy_dependency_lives_in_one_crate() {
    let homes = [
        ("wasmtime", "claw-engine"),
        ("wasmtime-wasi", "claw-engine"),
        ("axum", "claw-gateway"),
        ("rusqlite", "claw-store"),
        ("cap-std", "claw-engine"),
    ];
    for (name, direct) in dependencies() {
        for (dependency, home) in homes {
            assert!(
                !direct.contains(dependency) || name == home,
                "{name} imports {dependency}, which lives in {home}"
            );
        }
        if name == "claw-core" {
            for heavy in ["reqwest", "hyper", "tracing"] {
                assert!(!direct.contains(heavy), "claw-core imports {heavy}");
            }
        }
    }
}

#[test]
fn wasmtime_is_built_without_what_no_skill_gets() {
    let tree = cargo(&["tree", "--offline", "-e", "features", "-i", "wasmtime", "-p", "claw"]);
    for feature in ["gc", "threads", "component-model-async", "cache", "profiling", "wat"] {
        let line = format!("wasmtime feature \"{feature}\"");
        assert!(
            !tree.lines().any(|found| found.contains(&line)),
            "wasmtime is built with `{feature}`"
        );
    }
}

#[test]
fn wasmtime_is_at_or_above_its_floor_and_keys_its_cache() {
    let lock = std::fs::read_to_string(root().join("Cargo.lock")).unwrap();
    let version = lock
        .split("name = \"wasmtime\"\nversion = \"")
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap();
    let parts: Vec<u32> = version.split('.').map(|part| part.parse().unwrap()).collect();
    assert!(
        parts[0] == 48 && (parts[1], parts[2]) >= (0, 8),
        "wasmtime {version} lacks fixes of 48.0.8"
    );
    let source = std::fs::read_to_string(root().join("host/claw-engine/src/component.rs")).unwrap();
    let keyed = format!("const WASMTIME: &str = \"{version}\";");
    assert!(
        source.contains(&keyed),
        "the artifact cache is not keyed with wasmtime {version}"
    );
}

#[test]
fn guests_name_no_crate_of_the_host() {
    let mut seen = 0;
    for folder in ["sdk/rust", "skills", "tests/guests"] {
        for file in files_below(&root().join(folder)) {
            let text = std::fs::read_to_string(&file).unwrap_or_default();
            seen += 1;
            for host in [
                "claw_core",
                "claw-core",
                "claw_engine",
                "claw-engine",
                "claw_store",
                "claw-store",
                "claw_gateway",
                "claw-gateway",
            ] {
                assert!(!text.contains(host), "{} names {host}", file.display());
            }
        }
    }
    assert!(seen > 20, "only {seen} files were looked at");
}

fn files_below(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        if entry.file_name() == "target" {
            continue;
        }
        if entry.file_type().unwrap().is_dir() {
            files.extend(files_below(&entry.path()));
        } else if entry
            .path()
            .extension()
            .is_some_and(|kind| kind == "rs" || kind == "toml" || kind == "md")
        {
            files.push(entry.path());
        }
    }
    files
}
