#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use serde_json::json;

use super::*;

fn draft(skill: Option<&str>) -> Draft {
    let id = DraftId::of(InvocationId::from_bytes([7; 16]));
    let (input, act) = (Payload::Json(json!({"args": ["push"]})), json!({"args": ["push"]}));
    Draft {
        id,
        state: DraftState::Pending,
        caller: "billing".to_owned(),
        key: None,
        skill: skill.map(str::to_owned),
        depth: 0,
        trace: TraceParent::generate().to_string(),
        capability: "exec.git".to_owned(),
        hash: Draft::hash_of(id, "exec.git", &input, &act),
        input,
        act,
        policies: vec!["careful".into()],
        created_us: 1_000,
        expires_us: 2_000,
        decided_by: None,
        decided_us: None,
        because: None,
        ran: None,
        output: None,
        fault: None,
    }
}

#[test]
fn ids_read_back_and_nothing_else_does() {
    let id = DraftId::of(InvocationId::generate());
    assert_eq!(id.to_string().parse::<DraftId>(), Ok(id));
    for text in [
        "",
        "drf_",
        "inv_01m8f4r5805g6cr07p1n1n3nbj",
        "drf_inv_01m8f4r5805g6cr07p1n1n3nbj",
        "drf_0é",
    ] {
        assert_eq!(text.parse::<DraftId>(), Err(NotAnId), "{text}");
    }
}

#[test]
fn a_hash_is_of_every_part_and_of_where_each_ends() {
    let id = DraftId::of(InvocationId::from_bytes([1; 16]));
    let other = DraftId::of(InvocationId::from_bytes([2; 16]));
    let input = |text: &str| Payload::Text(text.to_owned());
    let all = [
        Draft::hash_of(id, "exec.a", &input("b"), &json!(1)),
        Draft::hash_of(other, "exec.a", &input("b"), &json!(1)),
        Draft::hash_of(id, "exec.", &input("ab"), &json!(1)),
        Draft::hash_of(id, "exec.ab", &input(""), &json!(1)),
        Draft::hash_of(id, "exec.a", &Payload::Json(json!("b")), &json!(1)),
        Draft::hash_of(id, "exec.a", &input("b"), &json!(2)),
    ];
    let different: std::collections::BTreeSet<_> = all.iter().collect();
    assert_eq!(different.len(), all.len());
}

#[test]
fn what_is_shown_is_what_can_be_approved_once_and_in_time() {
    let mut it = draft(None);
    it.check_open(Some(&it.hash), 1_999).unwrap();
    assert_eq!(it.check_open(Some("0"), 1_999).unwrap_err().code, Code::DraftClosed);
    assert_eq!(it.check_open(None, 2_000).unwrap_err().code, Code::DraftClosed);
    for state in DraftState::ALL.into_iter().filter(|state| *state != DraftState::Pending) {
        it.state = state;
        let refused = it.check_open(None, 1_500).unwrap_err();
        assert!(refused.message.contains(state.as_str()), "{refused}");
    }
}

#[test]
fn nobody_approves_what_it_proposed() {
    draft(None).check_approver("operator").unwrap();
    assert_eq!(draft(None).check_approver("billing").unwrap_err().code, Code::PolicyDenied);
    draft(Some("poster")).check_approver("billing").unwrap();
}
