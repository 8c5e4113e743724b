use super::*;

#[test]
fn what_differs_is_taken_out() {
    for (message, expected) in [
        ("", ""),
        ("plain words", "plain words"),
        ("took 12.5ms after -3 of 1_000", "took <n>ms after <n> of <n>"),
        ("order-1234 and node7.web", "order-<n> and node<n>.web"),
        ("user 550e8400-e29b-41d4-a716-446655440000 gone", "user <uuid> gone"),
        ("from 10.0.0.7:5432 and ::1 and fe80::1.", "from <ip> and <ip> and <ip>."),
        ("at 0xDEADBEEF commit 4f2a9c1d8e7b", "at <hex> commit <hex>"),
        ("facade decade", "facade decade"),
        ("open /var/lib/x.db: denied", "open <path>: denied"),
        ("in src/a.rs and C:\\x\\y and and/or", "in <path> and <path> and and/or"),
        ("GET https://a.example/x?y=1 failed", "GET <url> failed"),
        ("mail to ada@example.com bounced", "mail to <email> bounced"),
        ("user \"ada\" and 'bob' and `c d`", "user \"…\" and '…' and `…`"),
        ("it's not what's said", "it's not what's said"),
        ("no \"end", "no \"end"),
        ("id=7, size=[3]  end", "id=<n>, size=[<n>] end"),
        ("версия 3 не найдена", "версия <n> не найдена"),
        ("🦀7", "🦀<n>"),
        ("\u{fffd}\u{fffd}9", "\u{fffd}\u{fffd}<n>"),
    ] {
        assert_eq!(template(message), expected, "{message}");
    }
}

#[test]
fn a_template_is_bounded() {
    for message in [
        "word ".repeat(100_000),
        "A".repeat(100_000),
        "7 ".repeat(100_000),
        "ä".repeat(5_000),
    ] {
        let long = template(&message);
        assert_eq!((long.chars().count(), long.ends_with('…')), (LONGEST + 1, true), "{long}");
    }
    // One word without end is one piece.
    assert_eq!(template(&"7".repeat(1_000_000)), "<n>");
}
