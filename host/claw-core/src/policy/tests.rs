#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use super::*;

fn parse(text: &str) -> Result<Policy, PolicyError> {
    Policy::try_new(&serde_yaml::from_str(text).unwrap())
}

#[test]
fn the_audit_rule_keeps_bodies() {
    let text = "policies:\n  - name: audit_everything\n    rule: log_all_requests_and_responses\n    enforce: ";
    assert!(parse(&format!("{text}true")).unwrap().keep_bodies());
    assert!(!parse(&format!("{text}false")).unwrap().keep_bodies());
}

#[test]
fn an_enforced_rule_that_is_not_implemented_is_refused_by_name() {
    for rule in ["all_outputs_are_drafts", "if_context_contains_pii_use_sensitive_model"] {
        let text = format!("policies:\n  - {{name: it, rule: {rule}, enforce: true}}");
        let expected = PolicyError::NotImplemented {
            name: "it".into(),
            rule: rule.into(),
        };
        assert_eq!(parse(&text).unwrap_err(), expected);
        assert!(parse(&text.replace("true", "false")).is_ok());
    }
}

#[test]
fn unknown_rules_and_doubles_are_refused() {
    assert!(serde_yaml::from_str::<PoliciesFile>("policies: [{name: a, rule: be_nice, enforce: true}]").is_err());
    assert!(serde_yaml::from_str::<PoliciesFile>("policies: [{name: a, rule: all_outputs_are_drafts, enforced: true}]").is_err());
    let twice = "policies: [{name: a, rule: all_outputs_are_drafts}, {name: a, rule: all_outputs_are_drafts}]";
    assert_eq!(parse(twice).unwrap_err(), PolicyError::Duplicate("a".into()));
}

#[test]
fn calls_nest_only_so_deep() {
    let policy = parse("policies: []").unwrap();
    let ask = |depth| {
        policy.permit(&Question {
            caller: "a",
            capability: "skill:b",
            effects: Effects::None,
            depth,
            skill: None,
        })
    };
    assert!(ask(MAX_DEPTH).is_ok());
    assert_eq!(ask(MAX_DEPTH + 1).unwrap_err().code, Code::LimitDepth);
}
