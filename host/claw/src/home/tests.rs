#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use super::*;

fn home() -> (tempfile::TempDir, Home) {
    let directory = tempfile::tempdir().unwrap();
    let home = Home::find(Some(directory.path().join("home"))).unwrap();
    home.create().unwrap();
    (directory, home)
}

#[test]
fn only_the_owner_can_look_into_a_home() {
    let (_directory, home) = home();
    home.create_token().unwrap();
    let mode = |path: PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(home.path().to_owned()), 0o700);
    assert_eq!(mode(home.state().join("operator.token")), 0o600);
}

#[test]
fn a_home_that_others_may_write_to_is_refused() {
    let (_directory, home) = home();
    fs::set_permissions(home.path(), fs::Permissions::from_mode(0o777)).unwrap();
    assert!(home.create().unwrap_err().to_string().contains("others may write"));
}

#[test]
fn one_gateway_holds_a_home_and_says_where_it_is() {
    let (_directory, home) = home();
    let lock = home.lock().unwrap();
    let running = Running {
        url: "http://127.0.0.1:1".into(),
        pid: 42,
        version: "1".into(),
    };
    lock.announce(&running).unwrap();
    assert_eq!(home.running(), Some(running));
    let refused = home.lock().unwrap_err().to_string();
    assert!(refused.contains("http://127.0.0.1:1 (pid 42)"), "{refused}");
    drop(lock);
    assert_eq!(home.running(), None);
    home.lock().unwrap();
}

#[test]
fn the_token_is_made_once() {
    let (_directory, home) = home();
    assert!(home.token().is_err());
    let token = home.create_token().unwrap();
    assert_eq!(token.len(), "claw_op_".len() + 64);
    assert_eq!(home.create_token().unwrap(), token);
}

fn running() -> Running {
    Running {
        url: "http://127.0.0.1:1".into(),
        pid: 42,
        version: "1".into(),
    }
}

#[test]
fn what_a_killed_gateway_left_is_not_believed() {
    let (_directory, home) = home();
    let announcement = serde_json::to_vec(&running()).unwrap();
    // No gateway ever took the lock.
    home.write(ANNOUNCEMENT, &announcement).unwrap();
    assert_eq!(home.running(), None);
    // One did, and was killed.
    drop(home.lock().unwrap());
    home.write(ANNOUNCEMENT, &announcement).unwrap();
    assert_eq!(home.running(), None);
    assert!(!home.join(ANNOUNCEMENT).exists());
    // The next one holds the lock, and has not said yet where it is.
    home.write(ANNOUNCEMENT, &announcement).unwrap();
    let lock = home.lock().unwrap();
    assert_eq!(home.running(), None);
    lock.announce(&running()).unwrap();
    assert_eq!(home.running(), Some(running()));
    assert!(home.join(ANNOUNCEMENT).exists());
}

#[test]
fn two_commands_that_look_at_once_are_not_taken_for_a_gateway() {
    let (_directory, home) = home();
    drop(home.lock().unwrap());
    home.write(ANNOUNCEMENT, &serde_json::to_vec(&running()).unwrap()).unwrap();
    let other = home.open_lock(false).unwrap();
    other.try_lock_shared().unwrap();
    assert_eq!(home.running(), None);
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_home_that_others_may_look_into_is_closed() {
    let (_directory, home) = home();
    set_mode(home.path(), 0o755);
    home.create().unwrap();
    assert_eq!(fs::metadata(home.path()).unwrap().mode() & 0o777, 0o700);
}

#[test]
fn directories_that_others_may_change_are_refused_with_the_command_to_run() {
    for (name, mode) in [
        (".", 0o720),
        ("skills", 0o722),
        ("state", 0o750),
        ("state", 0o701),
        ("state/cache", 0o702),
    ] {
        let (_directory, home) = home();
        set_mode(&home.join(name), mode);
        let error = home.create().unwrap_err();
        assert!(error.to_string().starts_with("others may"), "{name}: {error}");
        let hint = error.downcast::<Failed>().unwrap().hint.unwrap();
        assert!(hint.starts_with("chmod 700 "), "{name}: {hint}");
    }
}

#[test]
fn what_belongs_to_another_user_is_refused() {
    let us = rustix::process::geteuid().as_raw();
    let path = Path::new("/home/someone");
    only_ours("the directory", path, us, 0o700, 0o077).unwrap();
    let error = only_ours("the directory", path, us + 1, 0o700, 0o077).unwrap_err();
    assert!(error.message.contains("belongs to the user"), "{error}");
    assert_eq!(error.hint, Some(format!("chown {us} /home/someone")));
}

#[test]
fn a_token_that_is_not_its_owners_alone_is_refused_and_stays() {
    let (_directory, home) = home();
    let token = home.create_token().unwrap();
    for mode in [0o640, 0o604, 0o620] {
        set_mode(&home.token_path(), mode);
        for error in [home.token().unwrap_err(), home.create_token().unwrap_err()] {
            assert_eq!(crate::exit::of(&error), Exit::BadConfig);
            let hint = error.downcast::<Failed>().unwrap().hint.unwrap();
            assert!(hint.starts_with("chmod 600 "), "{hint}");
        }
    }
    set_mode(&home.token_path(), 0o600);
    assert_eq!(home.create_token().unwrap(), token);

    let elsewhere = home.join("elsewhere");
    fs::rename(home.token_path(), &elsewhere).unwrap();
    std::os::unix::fs::symlink(&elsewhere, home.token_path()).unwrap();
    assert!(home.token().unwrap_err().to_string().contains("no regular file"));
    fs::remove_file(home.token_path()).unwrap();
    fs::create_dir(home.token_path()).unwrap();
    assert!(home.create_token().unwrap_err().to_string().contains("no regular file"));
    fs::remove_dir(home.token_path()).unwrap();
    write_private(&home.token_path(), b" \n").unwrap();
    assert!(home.token().unwrap_err().to_string().contains("is empty"));
}
