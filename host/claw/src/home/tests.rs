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
