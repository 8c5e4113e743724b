use super::*;

/// What a text becomes, without the blank lines that stand for lines put together.
fn repaired(text: &str) -> String {
    let (repaired, findings) = repair(text, 1);
    assert_eq!(
        repaired.split('\n').count(),
        text.split('\n').count(),
        "lines stay where they are: {text}"
    );
    assert_eq!(repaired == text, findings.is_empty(), "what is changed is reported: {text}");
    repaired
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn what_yaml_refuses_is_quoted() {
    let check = |text: &str, expected: &str| assert_eq!(repaired(text), expected, "{text}");
    check("a: b: c", "a: \"b: c\"");
    check("a: b:", "a: \"b:\"");
    check("a: @b", "a: \"@b\"");
    check("a: *b* c", "a: \"*b* c\"");
    check("a: `b`", "a: \"`b`\"");
    check("a: %b", "a: \"%b\"");
    check("a: > b", "a: \"> b\"");
    check("a: [b] c", "a: \"[b] c\"");
    check("a: {b", "a: \"{b\"");
    check("a: - b", "a: \"- b\"");
    check("a: \"b\" c", "a: \"\\\"b\\\" c\"");
    check("a: \"b \"c\" d\"", "a: \"b \\\"c\\\" d\"");
    check("a: \"\\d\"", "a: \"\\\\d\"");
    check("a: b\n  c: d\n  e", "a: \"b c: d e\"");
    check("a: b\n  c #d\n  e", "a: \"b c #d e\"");
    check("- @a", "- \"@a\"");
    check("- a: b: c", "- a: \"b: c\"");
    check("name:x", "name: x");
    check("a:\n\t- b", "a:\n  - b");
}

#[test]
fn what_yaml_takes_is_left_alone() {
    for text in [
        "a: b",
        "a: b # c",
        "a: \"b: c\"",
        "a: 'it''s'",
        "a: [b, c]",
        "a: {b: c}",
        "a: |\n  b: c: d\n  *e",
        "a: >-\n  b: c: d",
        "a: &x b\nc: *x",
        "a: !!str b",
        "a:\n  b: c",
        "# a: b: c",
        "a: http://b",
        "url:http",
        "a: \"b\n  c\"",
        "a: {\n  b: c\n  }",
    ] {
        assert_eq!(repaired(text), text);
    }
}

#[test]
fn brackets_at_the_margin_are_indented() {
    assert_eq!(repaired("a: {\n\"b\": 1\n}"), "a: {\n  \"b\": 1\n  }");
    assert_eq!(repaired("a:\n{\n\"b\": 1\n}"), "a:\n  {\n  \"b\": 1\n  }");
    assert_eq!(repaired("a: {\n// why\nb: 1,\n}"), "a: {\"b\":1}");
}
