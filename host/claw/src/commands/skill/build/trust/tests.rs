#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use std::os::unix::fs::PermissionsExt as _;

use super::*;

fn asker(roots: &[&Path]) -> Asker {
    let roots = roots.iter().map(|root| root.canonicalize().unwrap()).collect();
    Asker {
        user: rustix::process::geteuid().as_raw(),
        group: rustix::process::getegid().as_raw(),
        roots,
    }
}

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_folder_of_ones_own_below_a_root_or_a_checkout_is_trusted() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path().canonicalize().unwrap().join("work/demo");
    fs::create_dir_all(folder.join("src")).unwrap();
    mode(&folder, 0o755);
    let elsewhere = tempfile::tempdir().unwrap();
    assert_eq!(why_not(&folder, &asker(&[scratch.path()])), None);
    assert_eq!(why_not(&folder, &asker(&[&folder])), None);
    let refused = why_not(&folder, &asker(&[elsewhere.path()])).unwrap();
    assert!(refused.contains("neither below"), "{refused}");
    assert!(
        why_not(&folder, &asker(&[Path::new("/")])).is_some(),
        "the whole machine is nobody's tree"
    );
    fs::create_dir(scratch.path().join("work/.git")).unwrap();
    assert_eq!(why_not(&folder, &asker(&[elsewhere.path()])), None);
}

#[test]
fn what_others_own_or_may_write_is_not() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path().canonicalize().unwrap();
    fs::create_dir(folder.join("src")).unwrap();
    for (name, bits) in [("", 0o707), ("src", 0o757)] {
        let path = folder.join(name);
        mode(&path, bits);
        let why = why_not(&folder, &asker(&[&folder])).unwrap();
        assert!(why.starts_with("others may write to"), "{why}");
        mode(&path, 0o755);
    }
    let me = asker(&[&folder]);
    mode(&folder, 0o775);
    assert_eq!(why_not(&folder, &asker(&[&folder])), None, "a group of one's own");
    assert!(
        why_not(
            &folder,
            &Asker {
                group: me.group + 1,
                ..asker(&[&folder])
            }
        )
        .is_some(),
        "another group"
    );
    let why = why_not(&folder, &Asker { user: me.user + 1, ..me }).unwrap();
    assert!(why.ends_with("belongs to another user"), "{why}");
}
