#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
use super::*;
use crate::config::{Config, load};

fn home() -> (tempfile::TempDir, Home) {
    let directory = tempfile::tempdir().unwrap();
    let home = Home::find(Some(directory.path().join("home"))).unwrap();
    home.create().unwrap();
    (directory, home)
}

fn keep(home: &Home, name: &str, value: &str) {
    let key = HomeKey::load_or_create(&home.key()).unwrap();
    SecretStore::new(&home.secrets(), &key).set(name, value).unwrap();
}

#[test]
fn every_place_that_names_a_secret_is_found() {
    let (_directory, home) = home();
    let models = "models:\n  a: {provider: openai, model: m, api_key: '${secret:one}', headers: {x-team: 'a-${secret:two}-${secret:one}'}}\n  \
                  b: {provider: openai, model: '${ENV}', api_keys: ['${secret:two}', '${secret:cut']}\naliases: {c: '${secret:three}'}\n";
    std::fs::write(home.join("models.yaml"), models).unwrap();
    std::fs::write(
        home.join("context.yaml"),
        "context:\n  docs: {url: 'x', headers: {k: '${secret:one}'}}\n",
    )
    .unwrap();
    let found: Vec<(String, String)> = references(&home)
        .into_iter()
        .map(|found| (found.secret, found.entry))
        .collect();
    let expected = [
        ("one", "context.docs"),
        ("one", "models.a"),
        ("three", "aliases.c"),
        ("two", "models.a"),
        ("two", "models.b"),
    ];
    assert_eq!(found, expected.map(|(secret, entry)| (secret.to_owned(), entry.to_owned())));
    for broken in ["models: [", "", "[]", "3"] {
        std::fs::write(home.join("models.yaml"), broken).unwrap();
        assert_eq!(references(&home).len(), 1, "{broken}");
    }
}

#[test]
fn a_secret_stands_for_its_value_and_a_variable_for_its_own() {
    let (_directory, home) = home();
    keep(&home, "PATH", "sk-canary-value");
    let config = load(&home).unwrap();
    assert_eq!(config.variable("secret:PATH").as_deref(), Some("sk-canary-value"));
    assert_eq!(config.variable("PATH"), std::env::var("PATH").ok());
    assert_eq!(config.variable("secret:HOME"), None, "no variable stands in for a secret");
    assert_eq!(config.variable("secret:"), None);
    assert!(!format!("{config:?}").contains("canary"));
    assert_eq!(Config::default().variable("secret:PATH"), None);
}

#[test]
fn secrets_that_do_not_open_are_a_mistake_in_words() {
    let (_directory, home) = home();
    keep(&home, "a", "sk-canary-value");
    let check = |expected: &str| {
        let mistakes = load(&home).unwrap_err().to_string();
        assert!(mistakes.starts_with(FILE) && mistakes.contains(expected), "{mistakes}");
        assert!(!mistakes.contains("canary"), "{mistakes}");
    };
    let key = std::fs::read(home.key()).unwrap();
    std::fs::write(home.key(), [0; 32]).unwrap();
    check("does not open");
    std::fs::write(home.key(), [0; 31]).unwrap();
    check("holds 31 bytes");
    std::fs::remove_file(home.key()).unwrap();
    check("home.key");
    assert!(!home.key().exists(), "a new key would open nothing");
    HomeKey::load_or_create(&home.key()).unwrap();
    std::fs::write(home.key(), key).unwrap();
    std::fs::write(home.secrets(), "").unwrap();
    check("not a file of this kind");
}
