#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may stop at the first surprise"
)]

use std::os::unix::fs::PermissionsExt as _;

use super::*;

#[test]
fn a_new_key_is_private_and_reads_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("home.key");
    let made = HomeKey::load_or_create(&path).unwrap();
    let facts = std::fs::metadata(&path).unwrap();
    assert_eq!((facts.len(), facts.permissions().mode() & 0o777), (32, 0o600));
    assert_eq!(HomeKey::load_or_create(&path).unwrap().derive("x"), made.derive("x"));
    assert_ne!(made.derive("x"), made.derive("y"));
    assert_eq!(
        std::fs::read_dir(folder.path()).unwrap().count(),
        1,
        "nothing else is left there"
    );
}

#[test]
fn whoever_comes_first_makes_the_key_for_all() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("home.key");
    let made: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|_| scope.spawn(|| HomeKey::load_or_create(&path).unwrap().derive("x")))
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let read = HomeKey::load(&path).unwrap().derive("x");
    assert!(made.iter().all(|key| *key == read));
}

#[test]
fn other_files_are_no_key() {
    let folder = tempfile::tempdir().unwrap();
    let check = |name: &str, bytes: &[u8], mode: u32, expected: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        let refused = HomeKey::load_or_create(&path).unwrap_err().to_string();
        assert!(refused.contains(expected) && refused.contains(name), "{refused}");
        assert_eq!(std::fs::read(&path).unwrap(), bytes, "it is left as it was");
    };
    check("wide", &[1; 32], 0o644, "(mode 0644)\nhint: run `chmod 600 ");
    check("group", &[1; 32], 0o620, "(mode 0620)");
    check("empty", &[], 0o600, "holds 0 bytes, and a key has 32");
    check("short", &[1; 31], 0o600, "holds 31 bytes");
    check("long", &[1; 33], 0o600, "holds 33 bytes");
    check("huge", &[1; 100_000], 0o600, "holds 100000 bytes");
}

#[test]
fn links_and_folders_are_no_key() {
    let folder = tempfile::tempdir().unwrap();
    let (link, target) = (folder.path().join("link"), folder.path().join("target"));
    HomeKey::load_or_create(&target).unwrap();
    std::os::unix::fs::symlink(&target, &link).unwrap();
    for path in [link.as_path(), folder.path()] {
        let refused = HomeKey::load_or_create(path).unwrap_err();
        assert!(matches!(refused, StoreError::KeyNotAFile { .. }), "{refused}");
    }
}

#[test]
fn a_key_does_not_show_itself() {
    assert_eq!(format!("{:?}", HomeKey::from_bytes([65; 32])), "HomeKey(..)");
}

#[test]
fn what_is_sealed_opens_only_as_it_was() {
    let sealer = Sealer::new(&HomeKey::from_bytes([1; 32]), "test");
    let sealed = sealer.seal(b"name", b"secret words").unwrap();
    assert!(!sealed.windows(6).any(|window| window == b"secret"));
    assert_eq!(sealer.open(b"name", &sealed).as_deref(), Some(b"secret words".as_slice()));
    assert_ne!(sealer.seal(b"name", b"secret words").unwrap(), sealed, "every nonce is new");
    assert_eq!(sealer.open(b"other", &sealed), None);
    assert_eq!(
        Sealer::new(&HomeKey::from_bytes([2; 32]), "test").open(b"name", &sealed),
        None
    );
    assert_eq!(sealer.open(b"name", sealed.get(..20).unwrap()), None);
    for place in [0, 30, sealed.len() - 1] {
        let mut changed = sealed.clone();
        changed[place] ^= 1;
        assert_eq!(sealer.open(b"name", &changed), None);
    }
}

#[test]
fn lists_of_texts_do_not_run_together() {
    let hasher = Hasher::new(&HomeKey::from_bytes([1; 32]), "test");
    assert_ne!(hasher.hash_all(&[b"ab", b"c"]), hasher.hash_all(&[b"a", b"bc"]));
    assert_ne!(hasher.hash_all(&[b"ab"]), hasher.hash_all(&[b"ab", b""]));
    assert!(hasher.is(b"x", &hasher.hash(b"x")) && !hasher.is(b"y", &hasher.hash(b"x")));
}

#[test]
fn keyed_hashes_are_hmac_sha256() {
    // RFC 4231, test case 2 has a short key; ours always has 32 bytes, so the reference is
    // computed by the general constructor of the library.
    let mut reference = <Hmac<Sha256> as hmac::Mac>::new_from_slice(&[9; 32]).unwrap();
    reference.update(b"label");
    assert_eq!(
        HomeKey::from_bytes([9; 32]).derive("label"),
        <[u8; 32]>::from(reference.finalize().into_bytes())
    );
}
