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
    let text = "policies:\n  - {name: it, rule: all_outputs_are_drafts, enforce: true}";
    let expected = PolicyError::NotImplemented {
        name: "it".into(),
        rule: "all_outputs_are_drafts".into(),
    };
    assert_eq!(parse(text).unwrap_err(), expected);
    assert!(parse(&text.replace("true", "false")).is_ok());
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

fn route(entry: &str, provider: &str, model: &str, local: bool) -> ModelRoute {
    ModelRoute {
        entry: entry.into(),
        provider: provider.into(),
        model: model.into(),
        local,
        offline: false,
    }
}

fn plan() -> Plan {
    let candidates = [
        route("cloud", "anthropic", "claude-x", false),
        route("other", "openai", "gpt-x", false),
        route("here", "ollama", "llama", true),
    ];
    Plan {
        name: "general".into(),
        candidates: candidates
            .into_iter()
            .map(|route| crate::routing::Candidate {
                route,
                why: String::new(),
                ceiling_nanousd: None,
            })
            .collect(),
        passed_over: Vec::new(),
    }
}

struct Words(&'static [&'static str]);

impl Texts for Words {
    fn visit(&self, see: &mut dyn FnMut(&str)) {
        self.0.iter().for_each(|text| see(text));
    }
}

fn question(caller: &str) -> Question<'_> {
    Question {
        caller,
        capability: "llm.inference",
        effects: Effects::None,
        depth: 0,
        skill: Some("pr-notes"),
    }
}

fn ask(policy: &Policy, caller: &str, texts: &'static [&'static str]) -> Result<Permit, Fault> {
    let model = ModelQuestion {
        use_name: "general",
        plan: &plan(),
        texts: &Words(texts),
    };
    policy.permit_model(&question(caller), &model)
}

/// The entries of the plan that a permit lets see the call.
fn may_see(permit: &Permit) -> Vec<String> {
    let mut plan = plan();
    plan.hold_to(|route| permit.check(route));
    plan.candidates.into_iter().map(|candidate| candidate.route.entry).collect()
}

#[test]
fn personal_data_stays_on_this_machine() {
    let text = "policies: [{name: here, rule: if_context_contains_pii_use_sensitive_model, enforce: true}]";
    let policy = parse(text).unwrap();
    let clean = ask(&policy, "svc", &["nothing to see"]).unwrap();
    assert_eq!((clean.served_by(), may_see(&clean).len()), (None, 3));
    let private = ask(&policy, "svc", &["nothing", "mail anna@example.com"]).unwrap();
    assert_eq!(private.served_by(), Some("sensitive"));
    assert_eq!(may_see(&private), ["here"]);
    assert_eq!(private.decision().applied, ["here".into()]);
    assert_eq!(
        private.decision().found.iter().map(Class::as_str).collect::<Vec<_>>(),
        ["email"]
    );
    let named = parse(&text.replace("pii_use_sensitive_model,", "pii_use_sensitive_model, use: mine,")).unwrap();
    assert_eq!(ask(&named, "svc", &["anna@example.com"]).unwrap().served_by(), Some("mine"));
    let noted = parse(&text.replace("true", "false")).unwrap();
    let noted = ask(&noted, "svc", &["anna@example.com"]).unwrap();
    assert_eq!((noted.served_by(), may_see(&noted).len()), (None, 3));
    assert_eq!(noted.decision().reported, ["here".into()]);
}

#[test]
fn a_rule_fits_what_fits_all_that_it_says() {
    for (when, fits) in [
        ("{}", true),
        ("{caller: 'svc*'}", true),
        ("{caller: other}", false),
        ("{caller: [other, svc]}", true),
        ("{caller: svc, skill: 'pr-*'}", true),
        ("{caller: svc, skill: elsewhere}", false),
        ("{capability: 'llm.*'}", true),
        ("{capability: 'exec.*'}", false),
        ("{use: general}", true),
        ("{use: private}", false),
        ("{data: email}", true),
        ("{data: [card, email]}", true),
        ("{data: card}", false),
        ("{provider: anthropic}", true),
        ("{provider: gemini}", false),
        ("{provider: anthropic, model: 'gpt-*'}", false),
    ] {
        let text = format!("policies: [{{name: a, match: {when}, then: report, enforce: true}}]");
        let permit = ask(&parse(&text).unwrap(), "svc", &["anna@example.com"]).unwrap();
        assert_eq!(!permit.decision().applied.is_empty(), fits, "{when}");
    }
}

#[test]
fn what_a_rule_does_is_done() {
    let with = |rule: &str| {
        let policy = parse(&format!("policies: [{{name: a, {rule}, enforce: true}}]")).unwrap();
        ask(&policy, "svc", &["anna@example.com"])
    };
    let refused = with("match: {caller: svc}, then: deny, message: ask first").unwrap_err();
    assert_eq!(refused.code, Code::PolicyDenied);
    assert!(refused.message.contains("`a`: ask first"), "{}", refused.message);
    let only = with("match: {provider: [anthropic, openai]}, then: deny").unwrap();
    assert_eq!(may_see(&only), ["here"]);
    assert_eq!(may_see(&with("match: {caller: svc}, then: local_only").unwrap()), ["here"]);
    assert_eq!(
        with("match: {data: email}, then: {route: mine}").unwrap().served_by(),
        Some("mine")
    );
    let redacting = with("match: {data: email}, then: {redact: [email]}").unwrap();
    let mut texts = ["to anna@example.com".to_owned(), "nobody".to_owned()];
    redacting.redaction().unwrap().texts(&mut texts).unwrap();
    assert_eq!(texts, ["to [EMAIL]", "nobody"]);
}

#[test]
fn of_several_rules_all_count() {
    let policy = parse(
        "policies:
  - {name: first, match: {data: email}, then: {route: one}, enforce: true}
  - {name: second, match: {data: email}, then: {route: two}, enforce: true}
  - {name: third, match: {model: 'claude-*'}, then: deny, enforce: true}
  - {name: fourth, match: {caller: nobody}, then: deny, enforce: true}",
    )
    .unwrap();
    let permit = ask(&policy, "svc", &["anna@example.com"]).unwrap();
    assert_eq!(permit.served_by(), Some("one"));
    assert_eq!(may_see(&permit), ["other", "here"]);
    assert_eq!(permit.decision().applied, ["first".into(), "second".into(), "third".into()]);
}

#[test]
fn what_cannot_be_looked_through_is_not_sent() {
    #[derive(Debug)]
    struct Broken;
    impl Inspector for Broken {
        fn inspect(&self, text: &str) -> Result<Vec<Finding>, InspectFailed> {
            assert!(!text.contains("panic"), "it was told to");
            Err(InspectFailed("out of order".to_owned()))
        }
    }
    let text = "policies: [{name: here, rule: if_context_contains_pii_use_sensitive_model, enforce: true}]";
    for words in [&["text"], &["panic"]] {
        for (enforced, expected) in [(true, Some(Code::PolicyUnavailable)), (false, None)] {
            let file = serde_yaml::from_str(&text.replace("true", &enforced.to_string())).unwrap();
            let policy = Policy::with_inspector(&file, Arc::new(Broken)).unwrap();
            assert_eq!(ask(&policy, "svc", words).err().map(|fault| fault.code), expected);
        }
    }
}

#[test]
fn an_entry_that_means_nothing_is_refused() {
    for (entry, expected) in [
        ("{name: a}", PolicyError::Shape("a".into())),
        ("{name: a, match: {}}", PolicyError::Shape("a".into())),
        ("{name: a, then: deny}", PolicyError::Shape("a".into())),
        (
            "{name: a, rule: log_all_requests_and_responses, then: deny}",
            PolicyError::Shape("a".into()),
        ),
        (
            "{name: a, match: {}, then: deny, use: b}",
            PolicyError::Needless {
                name: "a".into(),
                key: "use",
            },
        ),
    ] {
        assert_eq!(parse(&format!("policies: [{entry}]")).unwrap_err(), expected, "{entry}");
    }
    assert!(serde_yaml::from_str::<PoliciesFile>("policies: [{name: a, match: {colour: red}, then: deny}]").is_err());
    assert!(serde_yaml::from_str::<PoliciesFile>("policies: [{name: a, match: {}, then: shrug}]").is_err());
}
