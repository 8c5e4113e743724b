#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use super::*;

/// Text, class → exactly what is found.
#[test]
fn shapes_are_found_whole() {
    // Put together here, so that no scanner takes this file for a leak.
    let key = |prefix: &str, length: usize| {
        format!(
            "{prefix}{}",
            "a1B2c3D4e5F6".repeat(8).chars().take(length).collect::<String>()
        )
    };
    let pem = "-----BEGIN RSA PRIVATE KEY-----\nMIIE\nabcd\n-----END RSA PRIVATE KEY-----";
    let jwt = format!("{}.{}.{}", key("eyJ", 20), key("eyJ", 30), key("", 20));
    let table = [
        (format!("x {pem} y"), Class::PrivateKey, pem.to_owned()),
        (format!("{pem:.60}"), Class::PrivateKey, format!("{pem:.60}")),
        (format!("t={jwt}"), Class::Jwt, jwt.clone()),
        (key("sk-ant-api03-", 40), Class::ApiKey, key("sk-ant-api03-", 40)),
        (format!("key {} end", key("sk-proj-", 40)), Class::ApiKey, key("sk-proj-", 40)),
        (key("ghp_", 36), Class::ApiKey, key("ghp_", 36)),
        (key("github_pat_", 40), Class::ApiKey, key("github_pat_", 40)),
        (key("xoxb-", 30), Class::ApiKey, key("xoxb-", 30)),
        (key("AIza", 35), Class::ApiKey, key("AIza", 35)),
        (
            format!("{}{}", "AKIA", "IOSFODNN7EXAMPLE"),
            Class::ApiKey,
            format!("{}{}", "AKIA", "IOSFODNN7EXAMPLE"),
        ),
        (
            format!("claw_op_{}", "0f".repeat(32)),
            Class::ApiKey,
            format!("claw_op_{}", "0f".repeat(32)),
        ),
        (
            format!("Authorization: Bearer {}", key("", 24)),
            Class::Credential,
            key("", 24),
        ),
        (
            "postgres://user:hunter2@db/x".to_owned(),
            Class::Credential,
            "hunter2".to_owned(),
        ),
        (format!("\"api_key\": \"{}\"", key("", 20)), Class::Credential, key("", 20)),
        (format!("DB_PASSWORD={}", key("", 20)), Class::Credential, key("", 20)),
        (
            "Ann <ann.o-neil+x@mail.example.co.uk>".to_owned(),
            Class::Email,
            "ann.o-neil+x@mail.example.co.uk".to_owned(),
        ),
        (
            "jürgen@bücher.example".to_owned(),
            Class::Email,
            "jürgen@bücher.example".to_owned(),
        ),
        (
            "pay 4012-8888-8888-1881 now".to_owned(),
            Class::Card,
            "4012-8888-8888-1881".to_owned(),
        ),
        ("371449635398431".to_owned(), Class::Card, "371449635398431".to_owned()),
        ("call +49 30 1234567".to_owned(), Class::Phone, "+49 30 1234567".to_owned()),
        ("call (425) 882-9090".to_owned(), Class::Phone, "(425) 882-9090".to_owned()),
    ];
    for (text, class, expected) in table {
        let found = find(&text, &Known::default());
        let found: Vec<_> = found
            .into_iter()
            .map(|(range, class)| (text.get(range).unwrap().to_owned(), class))
            .collect();
        assert_eq!(found, [(expected, class)], "{text}");
    }
}

#[test]
fn ordinary_text_is_left_alone() {
    let table = [
        "git clone git@github.com:owner/repo.git",
        "commit 9fceb02d0ae598e95dc970b74767f19372d61af8",
        "2026-01-02T03:04:05Z 1767225600000000000 1767225600",
        "@@ -12,5 +12,6 @@ fn main() {",
        "4012888888881882",
        "1234567812345670",
        "https://example.com/a:b/c",
        "version 1.2.3-rc.1+build.5, 127.0.0.1:18789",
        "password: please ask",
        "token: string",
        "the skeleton-of-a-very-long-word-with-hyphens",
        "«email-1» and «api-key-2»",
    ];
    for text in table {
        let found = find(text, &Known::default());
        assert!(found.is_empty(), "{text}: {found:?}");
    }
}

#[test]
fn known_values_are_found_whatever_their_shape_and_short_ones_are_not() {
    let known = Known::new(["correct horse battery".to_owned(), "short".to_owned()]);
    let found = find("say correct horse battery, in short", &known);
    assert_eq!(found, [(4..25, Class::OwnSecret)]);
}

#[test]
fn the_secrets_of_a_home_are_known_and_a_store_that_does_not_open_is_no_obstacle() {
    let directory = tempfile::tempdir().unwrap();
    let home = Home::find(Some(directory.path().join("home"))).unwrap();
    home.create().unwrap();
    let key = claw_store::HomeKey::load_or_create(&home.key()).unwrap();
    let store = claw_store::SecretStore::new(&home.secrets(), &key);
    store.set("plain", "no shape that anybody knows").unwrap();
    let text = "say no shape that anybody knows";
    assert_eq!(find(text, &Known::of(&home)), [(4..text.len(), Class::OwnSecret)]);
    std::fs::write(home.secrets(), "forged").unwrap();
    assert_eq!(find(text, &Known::of(&home)), []);
}

#[test]
fn overlaps_are_found_once() {
    let text = format!("Authorization: Bearer ghp_{}", "a1B2c3D4e5F6".repeat(3));
    let found = find(&text, &Known::default());
    assert_eq!(found.len(), 1, "{found:?}");
}

#[test]
fn every_shape_is_a_regular_expression() {
    assert_eq!(SHAPES.len(), 17);
}
