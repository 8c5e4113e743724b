#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use super::*;
use crate::home::Home;

const SKILL_MD: &str = "---\nname: demo\ndescription: Shows one.\n---\n\n# Demo\n";

fn put(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn environment(home: &Path) -> Environment {
    Environment {
        home: Home::find(Some(home.to_owned())).unwrap(),
        gateway: None,
    }
}

#[test]
fn a_name_means_a_skill_of_the_home_and_a_path_means_itself() {
    let scratch = tempfile::tempdir().unwrap();
    put(&scratch.path().join("home/skills/demo/SKILL.md"), SKILL_MD);
    put(&scratch.path().join("elsewhere/SKILL.md"), SKILL_MD);
    let environment = environment(&scratch.path().join("home"));
    assert_eq!(
        find(&environment, Some("demo")).unwrap(),
        scratch.path().join("home/skills/demo")
    );
    let path = scratch.path().join("elsewhere");
    assert_eq!(find(&environment, path.to_str()).unwrap(), path);
    assert_eq!(find(&environment, None).unwrap(), Path::new("."));
}

#[test]
fn a_name_that_is_nowhere_names_the_places_that_were_tried() {
    let scratch = tempfile::tempdir().unwrap();
    let error = find(&environment(scratch.path()), Some("no-such-skill")).unwrap_err();
    assert_eq!(crate::exit::of(&error), Exit::BadSkill);
    let text = error.to_string();
    let last = format!("`{}`", scratch.path().join("skills/no-such-skill").display());
    assert!(
        text.starts_with("there is no skill `no-such-skill`: no SKILL.md in `no-such-skill`, `skills/no-such-skill`, ")
            && text.ends_with(&last),
        "{text}"
    );
}

#[test]
fn a_folder_lends_its_name_and_small_letters_will_do() {
    let scratch = tempfile::tempdir().unwrap();
    put(&scratch.path().join("lent/skill.md"), "---\ndescription: Shows one.\n---\n");
    let folder = Folder::open(&scratch.path().join("lent")).unwrap();
    assert_eq!(
        (folder.manifest.name.as_str(), folder.skill_md_name.as_str()),
        ("lent", "skill.md")
    );
    assert!(!folder.warnings.is_empty());
    assert!(folder.component().ends_with("lent/target/lent.wasm"));
}

#[test]
fn the_file_itself_means_its_folder() {
    let scratch = tempfile::tempdir().unwrap();
    put(&scratch.path().join("demo/SKILL.md"), SKILL_MD);
    let folder = Folder::open(&scratch.path().join("demo/SKILL.md")).unwrap();
    assert_eq!(folder.path, scratch.path().join("demo").canonicalize().unwrap());
}

#[test]
fn what_does_not_load_says_all_that_is_wrong() {
    let scratch = tempfile::tempdir().unwrap();
    let table = [
        ("none", None, "there is no SKILL.md in"),
        (
            "broken",
            Some(
                "---\nname: broken\ndescription: x\nmetadata:\n  claw:\n    model: general\n    limits: {memory_mb: a lot}\n---\n",
            ),
            "memory_mb",
        ),
    ];
    for (name, text, expected) in table {
        let path = scratch.path().join(name);
        fs::create_dir_all(&path).unwrap();
        if let Some(text) = text {
            put(&path.join("SKILL.md"), text);
        }
        let error = Folder::open(&path).unwrap_err();
        assert_eq!(crate::exit::of(&error), Exit::BadSkill, "{name}");
        assert!(error.to_string().contains(expected), "{name}: {error}");
    }
}
