use super::*;

fn record(id: &str, uses: Option<&str>, skills: Option<&str>) -> KeyRecord {
    let owned = |names: &str| names.split(',').map(str::to_owned).collect();
    KeyRecord {
        scope: KeyScope {
            id: id.to_owned(),
            service: "billing".to_owned(),
            uses: uses.map(owned),
            skills: skills.map(owned),
            budget: None,
            rpm: None,
            expires_at_us: None,
            approves: false,
        },
        created_at_us: 1_700_000_000_000_000,
        revoked_at_us: None,
        last_used_at_us: None,
        secret_made_at_us: Some(1_700_000_000_000_000),
        overlap_until_us: None,
    }
}

#[test]
fn a_list_says_what_each_key_may_do_and_how_it_stands() {
    let now_us = 1_700_000_100_000_000;
    let mut full = record("key_full", Some("summ*,drafting"), Some("pr-*"));
    full.scope.budget = "12.5usd/month".parse().ok();
    full.scope.rpm = Some(600);
    full.scope.expires_at_us = Some(now_us + 1);
    full.overlap_until_us = Some(now_us + 1);
    let mut expired = record("key_expired", None, Some("pr-*"));
    expired.scope.expires_at_us = Some(now_us);
    expired.last_used_at_us = Some(now_us - 60_000_000);
    let mut revoked = record("key_revoked", Some("x"), None);
    revoked.revoked_at_us = Some(now_us);
    // A name that came from elsewhere moves no cursor.
    let mut odd = record("key_odd", None, None);
    odd.scope.service = "a\u{1b}[31m".to_owned();
    insta::assert_snapshot!(table(&[full, expired, revoked, odd], now_us, Style::plain()), @r"
    ID           SERVICE  STATE     USES            SKILLS  BUDGET          RPM  EXPIRES                   LAST USED
    key_full     billing  rotating  summ*,drafting  pr-*    12.50usd/month  600  2023-11-14T22:15:00.000Z  -
    key_expired  billing  expired   none            pr-*    -               -    2023-11-14T22:15:00.000Z  2023-11-14T22:14:00.000Z
    key_revoked  billing  revoked   x               none    -               -    -                         -
    key_odd      a�[31m   active    all             all     -               -    -                         -
    ");
}

#[test]
fn programs_are_shown_times_they_can_read_and_an_overlap_only_while_it_lasts() {
    let mut record = record("key_a", Some("x"), None);
    record.scope.budget = "50usd/month".parse().ok();
    record.overlap_until_us = Some(1_700_000_000_500_000);
    let during = record.view(1_700_000_000_000_000);
    assert_eq!(
        (during.state, during.overlap_until.as_deref()),
        ("rotating", Some("2023-11-14T22:13:20.500Z"))
    );
    let after = record.view(1_700_000_001_000_000);
    assert_eq!((after.state, after.overlap_until), ("active", None));
    assert_eq!(
        (after.budget.as_deref(), after.budget_nanousd),
        (Some("50usd/month"), Some(50_000_000_000))
    );
    assert_eq!(after.created_at, "2023-11-14T22:13:20.000Z");
}
