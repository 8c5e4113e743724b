#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use super::*;

fn matches(pattern: &str, args: &[&str]) -> bool {
    let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
    Pattern::parse(pattern).unwrap().matches(&args)
}

#[test]
fn forms_take_what_they_say() {
    for (pattern, args) in [
        ("pr view * --json *", &["pr", "view", "7", "--json", "files,title"][..]),
        ("--version", &["--version"]),
        ("a **", &["a"]),
        ("a **", &["a", "b", "c"]),
        ("**", &[]),
        ("--max-count=<int> x", &["--max-count=12", "x"]),
        ("--json=*", &["--json=a b"]),
        ("<int>", &["123456789012345678"]),
        ("<range>", &["origin/main..HEAD"]),
        ("<range>", &["v1.0.0...feature/ä-b"]),
        ("<range>", &["HEAD~2..HEAD@{1}"]),
        ("<rev>", &["deadbeef^"]),
        ("<path>", &["src/a b/c.rs"]),
        ("<path>", &[".github/x"]),
        ("<repo>", &["acme/web.site"]),
    ] {
        assert!(matches(pattern, args), "`{pattern}` takes {args:?}");
    }
}

#[test]
fn no_place_takes_an_option_or_a_control_character() {
    for place in [
        "*",
        "**",
        "<int>",
        "<rev>",
        "<range>",
        "<path>",
        "<repo>",
        "--x=*",
        "--x=<range>",
    ] {
        for value in ["-x", "--output=x", "--", "-", "", "a\nb", "a\0b", "a\x1bb", "a..b\n", "7\r"] {
            let value = if place.starts_with("--x=") {
                format!("--x={value}")
            } else {
                value.to_owned()
            };
            assert!(!matches(place, &[&value]), "`{place}` refuses {value:?}");
        }
    }
}

#[test]
fn places_refuse_what_they_are_not() {
    for (pattern, value) in [
        ("<int>", "1e5"),
        ("<int>", "٣"),
        ("<int>", "+1"),
        ("<int>", "1234567890123456789"),
        ("<rev>", "a..b"),
        ("<rev>", "HEAD:secret"),
        ("<rev>", ":/text"),
        ("<rev>", "^main"),
        ("<rev>", "HEAD^{/x}"),
        ("<rev>", "a b"),
        ("<rev>", "$(id)"),
        ("<range>", "HEAD"),
        ("<range>", "..HEAD"),
        ("<range>", "HEAD.."),
        ("<range>", ".."),
        ("<range>", "a..--output=x"),
        ("<range>", "a..b..c"),
        ("<range>", "a....b"),
        ("<path>", "../a"),
        ("<path>", "a/../b"),
        ("<path>", "/etc/passwd"),
        ("<path>", "a//b"),
        ("<path>", ":(exclude)a"),
        ("<path>", "~root/a"),
        ("<path>", "a\\..\\b"),
        ("<repo>", "acme"),
        ("<repo>", "evil.example/acme/web"),
        ("<repo>", "../web"),
        ("<repo>", "acme/-web"),
        ("<repo>", "https://x/y"),
    ] {
        assert!(!matches(pattern, &[value]), "`{pattern}` refuses `{value}`");
    }
}

#[test]
fn the_number_of_arguments_counts() {
    for (pattern, args) in [
        ("a *", &["a"][..]),
        ("a *", &["a", "b", "c"]),
        ("a", &[]),
        ("a **", &["a", "b", "-c"]),
    ] {
        assert!(!matches(pattern, args), "`{pattern}` refuses {args:?}");
    }
}

#[test]
fn text_that_is_no_form_is_named() {
    for (text, error) in [
        ("  ", PatternError::Empty),
        ("a ** b", PatternError::RestBeforeEnd),
        ("a* b", PatternError::Unknown("a*".to_owned())),
        ("<word>", PatternError::Unknown("<word>".to_owned())),
        ("--*=*", PatternError::Unknown("--*=*".to_owned())),
        ("--x=<int>y", PatternError::Unknown("--x=<int>y".to_owned())),
    ] {
        assert_eq!(Pattern::parse(text), Err(error), "{text:?}");
    }
}

#[test]
fn forms_read_back_as_written() {
    for text in [
        "pr view * --json=* **",
        "diff --end-of-options <range> -- <path>",
        "--max-count=<int> <rev> <repo>",
    ] {
        assert_eq!(Pattern::parse(text).unwrap().to_string(), text);
    }
}
