#![expect(clippy::indexing_slicing, reason = "a test may stop at the first surprise")]

use super::*;

fn event(severity: Severity, message: &str, time: Option<&str>) -> Event {
    Event {
        severity,
        time: time.map(str::to_owned),
        line: 1,
        message: message.to_owned(),
        cause: None,
    }
}

#[test]
fn the_gravest_and_most_frequent_come_first() {
    let mut groups = Groups::default();
    for (severity, message) in [
        (Severity::Warning, "slow 1"),
        (Severity::Warning, "slow 2"),
        (Severity::Warning, "slow 3"),
        (Severity::Error, "b 1"),
        (Severity::Error, "a 1"),
        (Severity::Error, "c 1"),
        (Severity::Error, "c 2"),
        (Severity::Fatal, "gone"),
        (Severity::Info, "fine"),
    ] {
        groups.add(event(severity, message, None));
    }
    groups.finish();
    assert_eq!(
        (groups.events(), groups.levels()["info"], groups.levels()["error"]),
        (9, 1, 4)
    );
    let (top, left_out) = groups.into_top(3);
    let brief: Vec<_> = top
        .iter()
        .map(|group| (group.level, group.count, group.template.as_str()))
        .collect();
    assert_eq!(brief, [("fatal", 1, "gone"), ("error", 2, "c <n>"), ("error", 1, "a <n>")]);
    assert_eq!(left_out, LeftOut { groups: 2, events: 4 });
}

#[test]
fn first_and_last_are_those_of_the_file() {
    let mut groups = Groups::default();
    for time in [None, Some("t2"), Some("t1"), None] {
        groups.add(event(Severity::Error, "x", time));
    }
    let (top, _) = groups.into_top(1);
    assert_eq!(
        (top[0].first.as_deref(), top[0].last.as_deref(), top[0].count),
        (None, Some("t1"), 4)
    );
}

#[test]
fn kinds_without_end_are_held_within_bounds() {
    let word = |mut number: u32| -> String {
        let mut text = String::new();
        while number > 0 {
            text.push(char::from(b'a' + u8::try_from(number % 26).unwrap_or_default()));
            number /= 26;
        }
        text
    };
    let mut groups = Groups::default();
    for number in 1..=20_000 {
        groups.add(event(Severity::Error, &word(number), None));
    }
    assert_eq!(groups.held.len(), MOST_HELD);
    let (top, left_out) = groups.into_top(10);
    assert_eq!(
        (top.len(), left_out),
        (
            10,
            LeftOut {
                groups: 4_990,
                events: 19_990
            }
        )
    );
}

#[test]
fn a_sample_is_bounded_and_holds_what_was_thrown() {
    let mut groups = Groups::default();
    let mut thrown = event(Severity::Error, &"ä".repeat(1_000), None);
    thrown.cause = Some("X".to_owned());
    groups.add(thrown);
    groups.add(Event {
        cause: Some("E: 7".to_owned()),
        ..event(Severity::Error, "failed", None)
    });
    let (top, _) = groups.into_top(9);
    assert_eq!(top[0].sample, "failed | E: 7");
    assert_eq!(top[0].template, "failed | E: <n>");
    assert_eq!(top[1].sample.chars().count(), LONGEST_SAMPLE + 1);
}
