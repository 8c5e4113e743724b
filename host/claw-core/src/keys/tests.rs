use super::*;

#[test]
fn a_star_stands_for_any_text() {
    let check = |pattern: &str, name: &str, expected: bool| {
        assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
    };
    check("pr-*", "pr-review-prep", true);
    check("pr-*", "pr-", true);
    check("pr-*", "log-pr-", false);
    check("*", "", true);
    check("a*b*c", "a-b-c", true);
    check("a*b*c", "acb", false);
    check("*ab", "aab", true);
    check("a*a", "a", false);
    check("exact", "exact", true);
    check("exact", "exactly", false);
    check("", "", true);
    check("", "x", false);
}

#[test]
fn a_key_that_names_one_kind_allows_nothing_of_the_other() {
    let key = |uses: Option<&[&str]>, skills: Option<&[&str]>| {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        KeyScope {
            id: "key_a".into(),
            uses: uses.map(owned),
            skills: skills.map(owned),
            ..KeyScope::default()
        }
    };
    let check = |key: &KeyScope, use_name: Option<bool>, skill: Option<bool>| {
        if let Some(expected) = use_name {
            assert_eq!(key.check_use("summarization").is_ok(), expected, "{key:?}");
        }
        if let Some(expected) = skill {
            let target = "skill:pr-review-prep@1.0.0".parse::<Target>();
            assert_eq!(
                target.is_ok_and(|target| key.check_target(&target).is_ok()),
                expected,
                "{key:?}"
            );
        }
    };
    check(&key(None, None), Some(true), Some(true));
    check(&key(Some(&["summ*"]), None), Some(true), Some(false));
    check(&key(None, Some(&["pr-*"])), Some(false), Some(true));
    check(&key(Some(&[]), Some(&["log-*"])), Some(false), Some(false));
}

#[test]
fn a_scope_that_cannot_be_meant_is_refused_by_name() {
    let scope = |service: &str| KeyScope {
        service: service.to_owned(),
        ..KeyScope::default()
    };
    let check = |scope: KeyScope, expected: Option<&str>| {
        let found = scope.validate().err();
        assert_eq!(found.is_some(), expected.is_some(), "{scope:?}: {found:?}");
        if let (Some(found), Some(expected)) = (found, expected) {
            assert_eq!(found.code, Code::InvalidInput);
            assert!(found.message.contains(expected), "{found}");
        }
    };
    for name in ["billing", "b", "team-a.billing_2", &"a".repeat(64)] {
        check(scope(name), None);
    }
    for name in ["", "Billing", "bill ing", "b\n", "bïlling", "../x", &"a".repeat(65)] {
        check(scope(name), Some("service's name"));
    }
    for name in RESERVED {
        check(scope(name), Some(name));
    }
    let with = |uses: &[&str]| KeyScope {
        uses: Some(uses.iter().map(|name| (*name).to_owned()).collect()),
        ..scope("billing")
    };
    check(with(&["summ*", "*"]), None);
    check(with(&[]), None);
    for pattern in ["", "a b", "a\u{0}b", "a,b", &"x".repeat(129)] {
        check(with(&[pattern]), Some("--uses"));
    }
    check(with(&["x"; 65]), Some("at most 64"));
    let rate = |rpm| KeyScope {
        rpm: Some(rpm),
        ..scope("billing")
    };
    check(rate(1), None);
    check(rate(MOST_RPM), None);
    check(rate(0), Some("requests a minute"));
    check(rate(u32::MAX), Some("requests a minute"));
}

#[test]
fn a_scope_reads_back_and_one_of_the_first_form_still_does() {
    let scope = KeyScope {
        id: "key_a".into(),
        service: "billing".into(),
        uses: Some(vec!["summ*".into()]),
        skills: None,
        budget: "12.5usd/month".parse().ok(),
        rpm: Some(600),
        expires_at_us: Some(1_790_000_000_000_000),
        approves: true,
    };
    let json = serde_json::to_value(&scope).unwrap_or_default();
    assert_eq!(json.get("budget"), Some(&serde_json::json!("12.50usd/month")));
    assert_eq!(serde_json::from_value(json).ok(), Some(scope));
    let first: Result<KeyScope, _> = serde_json::from_value(serde_json::json!({ "id": "key_a", "uses": ["x"] }));
    assert!(first.is_ok_and(|scope| scope.rpm.is_none() && scope.uses == Some(vec!["x".into()])));
}
