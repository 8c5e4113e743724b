#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may stop at the first surprise"
)]

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
            depth,
            ..Question::new("a", "skill:b")
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
        input_tokens: 0,
        name: "general".into(),
        candidates: candidates
            .into_iter()
            .map(|route| crate::routing::Candidate {
                route,
                why: String::new(),
                ceiling_nanousd: None,
                hedged: false,
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
        skill: Some("pr-notes"),
        ..Question::new(caller, "llm.inference")
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

fn hold(policy: &str, effects: Effects, approval: Option<&crate::draft::Approval>) -> Result<Decided, Fault> {
    parse(policy).unwrap().decide(&Question {
        effects,
        approval,
        ..Question::new("svc", "exec.gh")
    })
}

#[test]
fn only_what_acts_waits_and_an_approval_lets_it_go_but_not_past_a_refusal() {
    let drafts = "policies: [{name: drafts, rule: all_outputs_are_drafts, enforce: true}]";
    let approval = crate::draft::Approval {
        draft: crate::draft::DraftId::of(crate::ids::InvocationId::generate()),
        by: "operator".into(),
        hash: String::new(),
    };
    let Ok(Decided::Allowed(looks)) = hold(drafts, Effects::None, None) else {
        panic!()
    };
    assert!(looks.draft());
    let Ok(Decided::Held(waits)) = hold(drafts, Effects::Act, None) else {
        panic!()
    };
    assert_eq!(waits.held_by, ["drafts".into()]);
    let Ok(Decided::Allowed(goes)) = hold(drafts, Effects::Act, Some(&approval)) else {
        panic!()
    };
    assert_eq!((goes.draft(), &goes.decision().approved), (false, &Some(approval.clone())));
    assert!(matches!(
        hold(&drafts.replace("true", "false"), Effects::Act, None),
        Ok(Decided::Allowed(_))
    ));
    let refused = drafts.replace(
        "policies: [",
        "policies: [{name: no, match: {capability: 'exec.*'}, then: deny, enforce: true}, ",
    );
    assert_eq!(
        hold(&refused, Effects::Act, Some(&approval)).unwrap_err().code,
        Code::PolicyDenied
    );
    let careful = "policies: [{name: careful, match: {capability: exec.gh}, then: require_approval, enforce: true}]";
    let Ok(Decided::Allowed(looks)) = hold(careful, Effects::None, None) else {
        panic!()
    };
    assert!(!looks.draft());
    assert!(matches!(hold(careful, Effects::Act, None), Ok(Decided::Held(_))));
    let unkept = parse(careful).unwrap().permit(&Question {
        effects: Effects::Act,
        ..Question::new("svc", "exec.gh")
    });
    assert_eq!(unkept.unwrap_err().code, Code::DraftHeld);
}

#[test]
fn an_allowed_call_is_not_asked_about_further_down() {
    let text = "policies:
  - {name: above, match: {caller: svc}, then: local_only, enforce: true}
  - {name: friend, match: {caller: svc}, then: allow, enforce: true}
  - {name: below, match: {}, then: deny, enforce: true}";
    let permit = ask(&parse(text).unwrap(), "svc", &["x"]).unwrap();
    assert_eq!(permit.decision().applied, ["above".into(), "friend".into()]);
    assert_eq!(may_see(&permit), ["here"]);
    assert!(ask(&parse(text).unwrap(), "other", &["x"]).is_err());
    // One that is only written down frees nothing.
    let noted = text.replace("then: allow, enforce: true", "then: allow, enforce: false");
    assert!(ask(&parse(&noted).unwrap(), "svc", &["x"]).is_err());
}

#[test]
fn rules_know_the_time_the_key_and_the_cost() {
    let fits = |when: &str, key: Option<&str>, at_s: i64, ceiling: Option<u64>| {
        let text = format!("policies: [{{name: a, match: {when}, then: report, enforce: true}}]");
        let mut plan = plan();
        for candidate in &mut plan.candidates {
            candidate.ceiling_nanousd = ceiling;
        }
        let model = ModelQuestion {
            use_name: "general",
            plan: &plan,
            texts: &Words(&[]),
        };
        let call = Question {
            key,
            at_s,
            ..Question::new("svc", "llm.inference")
        };
        let permit = parse(&text).unwrap().permit_model(&call, &model).unwrap();
        !permit.decision().applied.is_empty()
    };
    // 1970-01-03 was a Saturday; 23:00 and noon of it, in UTC.
    let (night, noon) = (2 * 86_400 + 23 * 3_600, 2 * 86_400 + 12 * 3_600);
    let nights = "{time: {hours: '22:00-06:00', days: [sat]}}";
    assert!(fits(nights, None, night, None) && !fits(nights, None, noon, None));
    assert!(!fits(nights, None, night + 86_400, None));
    assert!(fits("{key: 'key_*'}", Some("key_1"), noon, None));
    assert!(!fits("{key: 'key_*'}", None, noon, None));
    let dear = "{cost_over: 0.50usd}";
    assert!(fits(dear, None, noon, Some(500_000_001)) && !fits(dear, None, noon, Some(500_000_000)));
    assert!(fits(dear, None, noon, None), "what nobody knows the price of may cost more");
}

#[test]
fn what_is_masked_comes_back_and_what_is_redacted_does_not() {
    let policy = parse(
        "policies:
  - {name: masks, match: {data: [email, card]}, then: {mask: ['*']}, enforce: true}
  - {name: cuts, match: {data: card}, then: {redact: [card]}, enforce: true}",
    )
    .unwrap();
    let words = "anna@example.com pays with 4111 1111 1111 1111";
    let permit = ask(&policy, "svc", &["anna@example.com pays with 4111 1111 1111 1111"]).unwrap();
    let request = crate::model::CompletionRequest {
        messages: vec![crate::model::Message::text(crate::model::Role::User, words)],
        ..Default::default()
    };
    let changed = permit.redaction().unwrap().request(request).unwrap();
    let sent = changed.request.messages[0].joined_text();
    assert_eq!(sent, "[EMAIL_1] pays with [CARD]");
    assert_eq!(changed.vault.unwrap().restore(&sent), "anna@example.com pays with [CARD]");
}

#[test]
fn json_in_a_text_is_read_as_json_and_stays_so() {
    let policy = parse("policies: [{name: masks, match: {data: email}, then: {mask: ['*']}, enforce: true}]").unwrap();
    let arguments = r#"{"note": "to:\nanna@example.com", "to": "otto\u0040example.com", "n": 1}"#;
    let permit = ask(&policy, "svc", &[r#"{"to": "otto\u0040example.com"}"#]).unwrap();
    let call = crate::model::ToolCall {
        id: "a".into(),
        name: "send".into(),
        arguments: arguments.into(),
    };
    let request = crate::model::CompletionRequest {
        messages: vec![crate::model::Message {
            role: crate::model::Role::Assistant,
            parts: vec![crate::model::Part::ToolCall(call)],
        }],
        ..Default::default()
    };
    let changed = permit.redaction().unwrap().request(request).unwrap();
    let crate::model::Part::ToolCall(sent) = &changed.request.messages[0].parts[0] else {
        unreachable!("it was a call");
    };
    let value: serde_json::Value = serde_json::from_str(&sent.arguments).unwrap();
    let to = value["to"].as_str().unwrap();
    assert!(
        to.starts_with("[EMAIL_") && !sent.arguments.contains("example.com"),
        "{value}"
    );
    let vault = changed.vault.unwrap();
    let back: serde_json::Value = serde_json::from_str(&vault.restore(&sent.arguments)).unwrap();
    assert_eq!(back, serde_json::from_str::<serde_json::Value>(arguments).unwrap());
}

/// What a mask of everything makes of a tool call's arguments.
fn masked(arguments: &str) -> Result<String, Fault> {
    let policy = parse("policies: [{name: masks, match: {data: '*'}, then: {mask: ['*']}, enforce: true}]").unwrap();
    let asked = crate::model::CompletionRequest {
        messages: vec![crate::model::Message {
            role: crate::model::Role::Assistant,
            parts: vec![crate::model::Part::ToolCall(crate::model::ToolCall {
                id: "a".into(),
                name: "send".into(),
                arguments: arguments.into(),
            })],
        }],
        ..Default::default()
    };
    let model = ModelQuestion {
        use_name: "general",
        plan: &plan(),
        texts: &asked,
    };
    let permit = policy.permit_model(&question("svc"), &model)?;
    assert!(!permit.decision().found.is_empty(), "nothing was found in {arguments}");
    let changed = permit.redaction().unwrap().request(asked)?;
    let crate::model::Part::ToolCall(sent) = &changed.request.messages[0].parts[0] else {
        unreachable!("it was a call");
    };
    Ok(sent.arguments.clone())
}

#[test]
fn what_is_found_in_json_is_taken_out_of_it_wherever_it_stands() {
    for arguments in [
        r#"{"otto\u0040example.com": 1}"#,
        r#"{"card": 4111111111111111}"#,
        r#"{"password": "hunter2abc1"}"#,
        r#"{"within": "{\"to\": \"otto\\u0040example.com\"}"}"#,
        r#"["a\nanna@example.com", "password=hunter2abc1"]"#,
    ] {
        let sent = masked(arguments).unwrap();
        let value: serde_json::Value = serde_json::from_str(&sent).unwrap();
        let all = value.to_string();
        for hidden in ["example.com", "4111", "hunter2"] {
            assert!(!all.contains(hidden), "{arguments}: {all}");
        }
        assert!(all.contains('[') && !all.contains("_2]"), "{arguments}: {all}");
    }
}

#[test]
fn what_only_shows_without_escapes_is_found_and_not_sent_where_it_has_to_go() {
    for text in [
        r#"Record: {"note":"card:\n4111111111111111"}"#,
        "{\"a\": 1}\n{\"to\": \"otto\\u0040example.com\"}",
        r#"```json {"to": "{\"x\": \"otto\\u0040example.com\"}"} ```"#,
    ] {
        let fault = masked(text).unwrap_err();
        assert_eq!(fault.code, Code::PolicyUnavailable, "{text}");
    }
}

#[test]
fn what_was_to_be_taken_out_before_a_route_still_is() {
    let policy = parse(
        "policies:
  - {name: masks, match: {cost_over: 0.01usd, data: email}, then: {mask: ['*']}, enforce: true}
  - {name: cheap, match: {use: big}, then: {route: small}, enforce: true}
  - {name: dear, match: {cost_over: 0.5usd}, then: deny, enforce: false}",
    )
    .unwrap();
    let model = |plan: &'static Plan| ModelQuestion {
        use_name: "big",
        plan,
        texts: &Words(&["anna@example.com"]),
    };
    let priced = |nanousd| -> &'static Plan {
        let mut plan = plan();
        plan.candidates
            .iter_mut()
            .for_each(|candidate| candidate.ceiling_nanousd = Some(nanousd));
        Box::leak(Box::new(plan))
    };
    let first = policy.permit_model(&question("svc"), &model(priced(1_000_000_000))).unwrap();
    assert!(first.redaction().is_some() && first.served_by() == Some("small"));
    let permit = policy.permit_rerouted(&question("svc"), &model(priced(1)), first).unwrap();
    let reported: Vec<&str> = permit.decision().reported.iter().map(|name| &**name).collect();
    assert_eq!(reported, ["dear"], "what was reported before is still");
    let mut texts = ["to anna@example.com".to_owned()];
    permit.redaction().unwrap().texts(&mut texts).unwrap();
    assert_eq!(texts, ["to [EMAIL_1]"]);
}

#[test]
fn a_match_that_says_nothing_together_with_what_is_done_is_refused() {
    for (entry, key) in [
        ("match: {provider: openai}, then: allow", "provider"),
        ("match: {model: 'gpt-*'}, then: allow", "model"),
        ("match: {data: email}, then: require_approval", "require_approval"),
    ] {
        let refused = parse(&format!("policies: [{{name: a, {entry}}}]")).unwrap_err();
        assert_eq!(refused, PolicyError::Needless { name: "a".into(), key }, "{entry}");
    }
    for bad in [
        "then: {mask: email}",
        "then: {mask: [email], redact: [email]}",
        "then: allowed",
    ] {
        let text = format!("policies: [{{name: a, match: {{}}, {bad}}}]");
        assert!(serde_yaml::from_str::<PoliciesFile>(&text).is_err(), "{bad}");
    }
    for bad in ["cost_over: 1", "cost_over: -1usd", "time: {hours: '25:00-06:00'}"] {
        let text = format!("policies: [{{name: a, match: {{{bad}}}, then: deny}}]");
        assert!(serde_yaml::from_str::<PoliciesFile>(&text).is_err(), "{bad}");
    }
    assert!(serde_yaml::from_str::<PoliciesFile>("drafts: {expire: soon}").is_err());
}

#[test]
fn every_rule_says_what_it_made_of_a_call() {
    let policy = parse(
        "policies:
  - {name: far, match: {caller: svc, data: email}, then: local_only, enforce: true}
  - {name: nobody, match: {caller: nobody}, then: deny, enforce: true}
  - {name: friend, match: {caller: svc}, then: allow, enforce: true}
  - {name: rest, match: {}, then: deny, enforce: true}",
    )
    .unwrap();
    let model = ModelQuestion {
        use_name: "general",
        plan: &plan(),
        texts: &Words(&["anna@example.com"]),
    };
    let (considered, found) = policy.consider(&Question::new("svc", "llm.inference"), Some(&model)).unwrap();
    let why: Vec<_> = considered.into_iter().map(|rule| rule.why).collect();
    let expected = [
        Why::Yes,
        Why::No { because: "caller" },
        Why::Yes,
        Why::Allowed { by: "friend".into() },
    ];
    assert_eq!((why.as_slice(), found.len()), (expected.as_slice(), 1));
    let (considered, _) = policy.consider(&Question::new("svc", "exec.git"), None).unwrap();
    assert_eq!(considered[0].why, Why::NotAModelCall);
}

#[test]
fn token_ids_are_not_sent_where_data_has_to_be_looked_for() {
    let asked = |enforced: bool, input: serde_json::Value| {
        let policy = parse(&format!(
            "policies: [{{name: here, rule: if_context_contains_pii_use_sensitive_model, enforce: {enforced}}}]"
        ))
        .unwrap();
        let value = serde_json::json!({ "model": "general", "input": input });
        let request = crate::wire::WireRequest {
            api: crate::wire::Api::Embeddings,
            body: serde_json::to_vec(&value).unwrap().into(),
            value: value.into(),
            stream: false,
            headers: Vec::new(),
            masked: None,
        };
        let model = ModelQuestion {
            use_name: "general",
            plan: &plan(),
            texts: &request,
        };
        policy.permit_model(&question("svc"), &model).map(drop)
    };
    for input in [
        serde_json::json!([1, 2]),
        serde_json::json!([[1, 2], [3]]),
        serde_json::json!(["a", 5]),
    ] {
        let fault = asked(true, input.clone()).unwrap_err();
        assert_eq!(fault.code, Code::PolicyUnavailable);
        assert!(fault.message.contains("token ids"), "{fault}");
        asked(false, input).unwrap();
    }
    asked(true, serde_json::json!(["a", "b"])).unwrap();
}

#[test]
fn a_class_that_nothing_is_found_of_is_refused() {
    for (rule, class) in [
        ("match: {data: [email, emial]}, then: deny", "emial"),
        ("match: {data: 'natonal*'}, then: deny", "natonal*"),
        ("match: {}, then: {mask: [e-mail]}", "e-mail"),
        ("match: {}, then: {redact: [phonne]}", "phonne"),
    ] {
        let refused = parse(&format!("policies: [{{name: a, {rule}}}]")).unwrap_err();
        assert!(
            matches!(&refused, PolicyError::NoSuchClass { class: named, .. } if named == class),
            "{refused}"
        );
        assert!(refused.to_string().contains("email, "), "{refused}");
    }
    let own = "personal_data: {custom: [{name: badge, pattern: 'B-[0-9]{6}'}]}
policies: [{name: a, match: {data: [badge, 'national*', '*']}, then: {mask: [badge]}}]";
    parse(own).unwrap();
}
