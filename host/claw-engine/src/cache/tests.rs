#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use super::*;

fn origin<'a>(sha256: &'a str, engine: &'a str) -> Origin<'a> {
    Origin { sha256, engine }
}

#[test]
fn only_what_this_home_wrote_is_loaded() {
    let home = tempfile::tempdir().unwrap();
    let cache = Cache::open(home.path(), [1; 32]).unwrap();
    let a = origin("aa", "48");
    assert_eq!(cache.load(&a), None);
    cache.store(&a, b"code").unwrap();
    assert_eq!(cache.load(&a).as_deref(), Some(b"code".as_slice()));
    assert_eq!(cache.load(&origin("aa", "49")), None, "another engine");
    assert_eq!(cache.load(&origin("ab", "48")), None, "another component");

    let other = Cache::open(home.path(), [2; 32]).unwrap();
    assert_eq!(other.load(&a), None, "another home's key");
}

#[test]
fn a_changed_or_moved_artifact_is_not_loaded() {
    let home = tempfile::tempdir().unwrap();
    let cache = Cache::open(home.path(), [1; 32]).unwrap();
    let (a, b) = (origin("aa", "48"), origin("bb", "48"));
    cache.store(&a, b"code of a").unwrap();
    let written = fs::read(cache.path(&a)).unwrap();

    fs::write(cache.path(&b), &written).unwrap();
    assert_eq!(cache.load(&b), None, "an artifact under another's name");

    for place in [0, TAG, written.len() - 1] {
        let mut changed = written.clone();
        *changed.get_mut(place).unwrap() ^= 1;
        fs::write(cache.path(&a), &changed).unwrap();
        assert_eq!(cache.load(&a), None, "byte {place} changed");
    }
    for length in [0, TAG - 1, TAG, written.len() - 1] {
        fs::write(cache.path(&a), written.get(..length).unwrap()).unwrap();
        assert_eq!(cache.load(&a), None, "cut to {length}");
    }
}
