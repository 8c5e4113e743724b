#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use std::path::Path;

use super::*;

fn home(scratch: &Path) -> Home {
    let home = Home::find(Some(scratch.join("home"))).unwrap();
    home.create().unwrap();
    home
}

fn args(name: &str) -> AllowArgs {
    AllowArgs {
        name: name.to_owned(),
        model: Vec::new(),
        capability: Vec::new(),
        files: Vec::new(),
        all: false,
        pin: None,
        revoke: false,
        json: true,
    }
}

fn requests() -> Requests {
    Requests {
        model: ["general".to_owned()].into(),
        files: [("logs".to_owned(), Access::ReadWrite)].into(),
        capabilities: ["exec.git".to_owned()].into(),
    }
}

fn deployed() -> Deployed {
    Deployed {
        versions: BTreeMap::from([(Version::new(1, 0, 0), requests())]),
    }
}

#[test]
fn what_is_allowed_is_added_and_taken_back() {
    let scratch = tempfile::tempdir().unwrap();
    let home = home(scratch.path());
    let environment = Environment {
        home: home.clone(),
        gateway: None,
    };
    let logs = scratch.path().join("logs");
    std::fs::create_dir(&logs).unwrap();
    let first = AllowArgs {
        model: vec!["general".into(), "drafting".into()],
        files: vec![format!("logs={}:rw", logs.display())],
        ..args("demo")
    };
    run(&first, &environment).unwrap();
    run(
        &AllowArgs {
            capability: vec!["exec.git".into()],
            pin: Some("1.0.0".into()),
            ..args("demo")
        },
        &environment,
    )
    .unwrap();
    let read = || Book::open(&home).unwrap().allowance("demo");
    let expected = Allowance {
        model: ["drafting".to_owned(), "general".to_owned()].into(),
        files: [(
            "logs".to_owned(),
            AllowedFiles {
                path: logs,
                access: Access::ReadWrite,
            },
        )]
        .into(),
        capabilities: ["exec.git".to_owned()].into(),
        pin: Some("1.0.0".to_owned()),
    };
    assert_eq!(read(), expected);
    let back = AllowArgs {
        model: vec!["drafting".into()],
        files: vec!["logs".into()],
        pin: Some("1.0.0".into()),
        revoke: true,
        ..args("demo")
    };
    run(&back, &environment).unwrap();
    let expected = Allowance {
        model: ["general".to_owned()].into(),
        capabilities: ["exec.git".to_owned()].into(),
        ..Allowance::default()
    };
    assert_eq!(read(), expected);
    run(
        &AllowArgs {
            revoke: true,
            ..args("demo")
        },
        &environment,
    )
    .unwrap();
    assert_eq!(read(), Allowance::default());
}

#[test]
fn directories_that_cannot_be_granted_are_refused_with_the_reason() {
    let scratch = tempfile::tempdir().unwrap();
    let home = home(scratch.path());
    let file = scratch.path().join("file");
    std::fs::write(&file, "").unwrap();
    let link = scratch.path().join("link");
    std::os::unix::fs::symlink(home.state(), &link).unwrap();
    let show = |path: &Path| path.display().to_string();
    let table = [
        ("logs".to_owned(), Exit::Usage, "says no directory"),
        ("=/tmp".to_owned(), Exit::Usage, "is not `name=/a/directory`"),
        ("logs=".to_owned(), Exit::Usage, "is not `name=/a/directory`"),
        ("logs=/no/such/directory".to_owned(), Exit::Usage, "there is no directory"),
        (format!("logs={}", show(&file)), Exit::Usage, "is no directory"),
        ("logs=/".to_owned(), Exit::Refused, "holds this home"),
        (format!("logs={}", show(scratch.path())), Exit::Refused, "holds this home"),
        (format!("logs={}", show(&home.state())), Exit::Refused, "lies in this home"),
        (format!("logs={}:rw", show(&link)), Exit::Refused, "lies in this home"),
    ];
    for (text, exit, expected) in table {
        let error = files_grant(&text, false, &home).unwrap_err();
        assert_eq!(crate::exit::of(&error), exit, "{text}");
        assert!(error.to_string().contains(expected), "{text}: {error}");
    }
}

#[test]
fn a_relative_directory_becomes_absolute() {
    let scratch = tempfile::tempdir().unwrap();
    let (name, allowed) = files_grant("here=src", false, &home(scratch.path())).unwrap();
    let allowed = allowed.unwrap();
    assert!(
        allowed.path.is_absolute() && allowed.path.ends_with("src"),
        "{}",
        allowed.path.display()
    );
    assert_eq!((name.as_str(), allowed.access), ("here", Access::Read));
}

#[test]
fn what_no_deployed_version_asks_for_is_refused() {
    let change = |model: &[&str], pin: Option<&str>| Change {
        model: model.iter().map(|name| (*name).to_owned()).collect(),
        pin: pin.map(str::to_owned),
        ..Change::default()
    };
    let deployed = deployed();
    assert!(deployed.check("demo", &change(&["general"], Some("1.0.0"))).is_ok());
    let error = deployed.check("demo", &change(&["drafting"], None)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "no deployed version of `demo` asks for the model use `drafting`"
    );
    let error = deployed.check("demo", &change(&[], Some("2.0.0"))).unwrap_err();
    assert_eq!(error.to_string(), "`demo@2.0.0` is not deployed");
    let nothing = Deployed::default();
    assert!(
        nothing.check("demo", &change(&["drafting"], Some("2.0.0"))).is_ok(),
        "before a deployment everything is kept"
    );
    assert!(
        nothing
            .check(
                "demo",
                &Change {
                    all: true,
                    ..Change::default()
                }
            )
            .is_err()
    );
}

#[test]
fn all_means_everything_but_files_and_the_rest_is_named() {
    let mut allowance = Allowance::default();
    allow(
        &mut allowance,
        &Change {
            all: true,
            ..Change::default()
        },
        &deployed(),
    );
    assert!(allowance.model.contains("general") && allowance.capabilities.contains("exec.git") && allowance.files.is_empty());
    let missing = deployed().missing(&allowance, "demo");
    assert_eq!(
        missing,
        ["`demo@1.0.0` asks for more: claw skill allow demo --files logs=/a/directory:rw"]
    );
}

#[test]
fn a_call_that_asks_for_nothing_or_for_no_name_is_refused() {
    let scratch = tempfile::tempdir().unwrap();
    let home = home(scratch.path());
    let table = [
        args("demo"),
        args("de mo"),
        AllowArgs {
            model: vec!["a b".into()],
            ..args("demo")
        },
        AllowArgs {
            capability: vec![String::new()],
            ..args("demo")
        },
        AllowArgs {
            pin: Some("latest".into()),
            ..args("demo")
        },
    ];
    for args in table {
        let error = Change::of(&args, &home).unwrap_err();
        assert_eq!(crate::exit::of(&error), Exit::Usage, "{args:?}");
    }
    let nowhere = Environment {
        home: Home::find(Some(scratch.path().join("none"))).unwrap(),
        gateway: None,
    };
    let error = run(
        &AllowArgs {
            model: vec!["general".into()],
            ..args("demo")
        },
        &nowhere,
    )
    .unwrap_err();
    assert_eq!(crate::exit::of(&error), Exit::BadConfig);
}
