use super::*;

/// Joined here, so that no scanner takes this file for a leak.
fn check(kind: Option<&str>, parts: &[&str]) {
    let line = parts.concat();
    assert_eq!(kind_in(&line), kind, "{line}");
}

#[test]
fn what_is_a_secret_is_told_by_its_kind() {
    check(Some("AWS access key"), &["key = AKIA", "Q3EGUX7WPLRT5D2K"]);
    check(Some("GitHub token"), &["\"gh", "p_aB3dE6gH9jK2mN5pQ8sT1vW4yZ7cF0iL3oR6\""]);
    check(Some("GitHub token"), &["github_", "pat_11ABCDEFG0aB3dE6gH9jK2mN5pQ"]);
    check(Some("Slack token"), &["xox", "b-2384756109-abcdefABCDEF"]);
    check(
        Some("Slack webhook"),
        &[
            "https://hooks.slack.com/services",
            "/T0AB1CD2E/B0AB1CD2E/abcdefghijk123456789",
        ],
    );
    check(Some("Google API key"), &["AI", "zaSyA1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q"]);
    check(Some("private key"), &["-----BEGIN RSA", " PRIVATE KEY-----"]);
    check(Some("private key"), &["-----BEGIN", " PRIVATE KEY-----\\nMIIE"]);
    check(
        Some("JSON web token"),
        &[
            "Bearer eyJ",
            "hbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P",
        ],
    );
    check(
        Some("password in a URL"),
        &["postgres://app:", "hunter2hunter@db.internal/app"],
    );
    check(Some("model provider key"), &["sk-", "ant-api03-aB3dE6gH9jK2mN5pQ8sT"]);
    for line in [
        "api_key = \"q7Xn2Lr9Tz4Kw8Pv\"",
        "  \"clientSecret\": \"b4f8e1c6-09a2-4d7b-8e3f\",",
        "DB_PASSWORD=tR4nsF0rm3r-9x2Lq7",
        "token: 'a81f3c9e77d24b06bd5e'",
        "ENCRYPTION_KEY => \"9f8e7d6c5b4a39281706f5e4\"",
    ] {
        check(Some("assigned secret"), &[line]);
    }
}

#[test]
fn what_only_looks_like_one_is_none() {
    for line in [
        "",
        "password = os.environ[\"DB_PASSWORD_PRODUCTION_1\"]",
        "token: ${GITHUB_TOKEN_FOR_RELEASES_2}",
        "api_key = \"your-api-key-goes-here-123\"",
        "secret = \"xxxxxxxxxxxxxxxxxxxxxxxx\"",
        "password: changeme12345678901",
        "let token = parser.next_token_at(position)?;",
        "token_count = 1234567890123456",
        "integrity sha512-q7Xn2Lr9Tz4Kw8PvA81f3c9e77d24b06bd5e==",
        "commit = \"4f2a9c1d8e7b6a5f4e3d2c1b0a9f8e7d6c5b4a39\"",
        "AKIAlowercase0000000",
        "XAKIAQ3EGUX7WPLRT5D2K",
        "AKIAAAAAAAAAAAAAAAAA",
        "https://example.com/a:b@c",
        "postgres://app:${PASSWORD}@db/app",
        "-----BEGIN CERTIFICATE-----",
        "the secret is: never tell anybody anything",
        "token = \"src/main/java/com/acme1/web2/token\"",
        "ä = ö: ü",
    ] {
        check(None, &[line]);
    }
}

#[test]
fn a_huge_line_is_answered() {
    assert_eq!(kind_in(&"=".repeat(1 << 20)), None);
    assert_eq!(
        kind_in(&format!("{}AKIA{}", " ".repeat(1 << 20), "Q3EGUX7WPLRT5D2K")),
        Some("AWS access key")
    );
}
