use super::super::node::Entry;
use super::*;

fn looks(key: &str, value: &str) -> bool {
    let entry = Entry {
        key: key.to_owned(),
        line: 3,
        node: Node::text(3, value, true),
    };
    !find(&Node {
        line: 1,
        kind: Kind::Map(vec![entry]),
    })
    .is_empty()
}

/// Put together here, so that no scanner takes this file for a leak.
fn key(prefix: &str) -> String {
    format!("{prefix}4f9Kd82LmQx7Zt{}", "5Rw1Yb3Hc6Nv")
}

#[test]
fn keys_are_found() {
    for prefix in ["sk-", "ghp_", "AKIA", "xoxb-", "glpat-"] {
        assert!(looks("description", &format!("use {} for this", key(prefix))), "{prefix}");
    }
    assert!(looks("description", "-----BEGIN PRIVATE KEY-----"));
    assert!(looks("api_key", &key("")));
    assert!(looks("clientSecret", &key("")));
}

#[test]
fn names_and_words_are_not() {
    assert!(!looks("primaryEnv", "GITHUB_TOKEN"));
    assert!(!looks("token", "GITHUB_TOKEN_2"));
    assert!(!looks("api_key", "${API_KEY_1}"));
    assert!(!looks("password", "ask the user for it, twice"));
    assert!(!looks("description", "sk-learn pipelines and hf_transfer"));
    assert!(!looks("sha256", &key("")));
}

#[test]
fn the_place_is_named() {
    let entry = Entry {
        key: "token".to_owned(),
        line: 4,
        node: Node::text(4, key(""), true),
    };
    let inner = Node {
        line: 4,
        kind: Kind::Map(vec![entry]),
    };
    let root = Node {
        line: 3,
        kind: Kind::Map(vec![Entry {
            key: "metadata".to_owned(),
            line: 3,
            node: inner,
        }]),
    };
    assert_eq!(find(&root), [("metadata.token".to_owned(), 4)]);
}
