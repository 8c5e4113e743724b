use super::*;

fn fold(text: &str) -> Vec<Event> {
    let mut fold = Fold::default();
    let mut events: Vec<Event> = text
        .lines()
        .zip(1..)
        .filter_map(|(line, number)| fold.line(number, line))
        .collect();
    events.extend(fold.end());
    events
}

fn check(text: &str, expected: &[(Severity, &str, Option<&str>)]) {
    let events = fold(text);
    let got: Vec<_> = events
        .iter()
        .map(|event| (event.severity, event.message.as_str(), event.cause.as_deref()))
        .collect();
    assert_eq!(got, expected, "{text}");
}

#[test]
fn traces_belong_to_the_line_above() {
    use Severity::{Error, Fatal, Info};
    check(
        "2026-01-02 03:04:05 ERROR order failed\njava.lang.IllegalStateException: no stock\n\tat a.b.C.d(C.java:1)\n\tat a.b.E.f(E.java:2)\nCaused by: java.sql.SQLException: gone\n\t... 12 more\n2026-01-02 03:04:06 INFO next",
        &[
            (Error, "order failed", Some("java.sql.SQLException: gone")),
            (Info, "next", None),
        ],
    );
    check(
        "ERROR:web:order failed\nTraceback (most recent call last):\n  File \"a.py\", line 1, in f\n    g()\nValueError: no stock\nINFO:web:next",
        &[
            (Error, "web:order failed", Some("ValueError: no stock")),
            (Info, "web:next", None),
        ],
    );
    check(
        "Traceback (most recent call last):\n  File \"a.py\", line 1\nrequests.exceptions.Timeout: slow\nplain words",
        &[
            (
                Error,
                "Traceback (most recent call last):",
                Some("requests.exceptions.Timeout: slow"),
            ),
            (Info, "plain words", None),
        ],
    );
    check(
        "panic: runtime error: index out of range\n\ngoroutine 1 [running]:\nmain.main()\n\t/app/main.go:7 +0x1d\nexit status 2\nstarted again",
        &[
            (Fatal, "runtime error: index out of range", None),
            (Info, "started again", None),
        ],
    );
    check(
        "thread 'main' panicked at src/main.rs:2:5:\nno stock\nnote: run with `RUST_BACKTRACE=1`\nstarted again",
        &[
            (Fatal, "thread 'main' panicked at src/main.rs:2:5:", Some("no stock")),
            (Info, "started again", None),
        ],
    );
    check(
        "Error: no stock\n    at Object.<anonymous> (/app/a.js:1:7)\n    at node:internal/main:2\nlistening",
        &[(Error, "no stock", None), (Info, "listening", None)],
    );
    check(
        "Unhandled exception. System.InvalidOperationException: no stock\n   at A.B() in C.cs:line 3\n--- End of inner exception stack trace ---",
        &[(Error, "Unhandled exception. System.InvalidOperationException: no stock", None)],
    );
}

#[test]
fn a_marked_line_is_an_event_of_its_own() {
    use Severity::{Error, Info};
    check(
        "ERROR a\n2026-01-02 03:04:05 ERROR b\n\nERROR c",
        &[(Error, "a", None), (Error, "b", None), (Error, "c", None)],
    );
    check(
        "Traceback (most recent call last):\n2026-01-02 03:04:05 INFO x",
        &[(Error, "Traceback (most recent call last):", None), (Info, "x", None)],
    );
}

#[test]
fn colours_and_carriage_returns_are_no_words() {
    check(
        "\u{1b}[1;31mERROR\u{1b}[0m no \u{1b}[4mroute\u{1b}[0m\r\n",
        &[(Severity::Error, "no route", None)],
    );
    check("\u{1b}[", &[]);
    check("\u{0}\u{1}ERROR x", &[(Severity::Error, "x", None)]);
}

#[test]
fn events_know_their_first_line() {
    let lines: Vec<u64> = fold("INFO a\n\nERROR b\n\tat c\nWARN d")
        .iter()
        .map(|event| event.line)
        .collect();
    assert_eq!(lines, [1, 3, 5]);
}
