use super::*;

fn check(line: &str, severity: Severity, time: Option<&str>, message: &str) {
    let head = parse(line);
    assert_eq!(
        (head.severity, head.time.as_deref(), head.message.as_str()),
        (severity, time, message),
        "{line}"
    );
}

#[test]
fn lines_of_every_form_say_their_level_time_and_words() {
    use Severity::{Error, Fatal, Info, Warning};
    check(
        "2026-01-02T03:04:05.678Z ERROR no route",
        Error,
        Some("2026-01-02T03:04:05.678Z"),
        "no route",
    );
    check(
        "2026-01-02 03:04:05,678 [main] ERROR c.a.Web - no route",
        Error,
        Some("2026-01-02 03:04:05,678"),
        "c.a.Web - no route",
    );
    check(
        "[2026/01/02 03:04:05] [warn] 12#0: upstream slow",
        Warning,
        Some("2026/01/02 03:04:05"),
        "12#0: upstream slow",
    );
    check(
        "2026-01-02T03:04:05+01:00 | CRITICAL | disk full",
        Fatal,
        Some("2026-01-02T03:04:05+01:00"),
        "disk full",
    );
    check(
        "Jan  2 03:04:05 web sshd[812]: error: kex failed",
        Error,
        Some("Jan  2 03:04:05"),
        "kex failed",
    );
    check(
        "<34>1 2026-10-11T22:14:15.003Z web su - ID47 - failed for root",
        Error,
        Some("2026-10-11T22:14:15.003Z"),
        "web su - ID47 - failed for root",
    );
    check(
        "[10/Oct/2026:13:55:36 +0000] all well",
        Info,
        Some("10/Oct/2026:13:55:36 +0000"),
        "all well",
    );
    check("ERROR:root:no route", Error, None, "root:no route");
    check("E all well", Info, None, "E all well");
    check(
        "level=error ts=1 msg=\"no \\\"route\\\"\" err=timeout",
        Error,
        Some("1"),
        "no \"route\": timeout",
    );
    check("time=\"x\" level=warning msg=slow", Warning, Some("x"), "slow");
    check(
        r#"{"level":"error","time":"t1","msg":"no route","err":{"message":"timeout"}}"#,
        Error,
        Some("t1"),
        "no route: timeout",
    );
    check(
        r#"{"level":50,"time":1767323045,"msg":"no route"}"#,
        Error,
        Some("1767323045"),
        "no route",
    );
    check(r#"{"severity":"WARNING","message":"slow"}"#, Warning, None, "slow");
    check(
        r#"{"log":{"level":"fatal"},"@timestamp":"t","message":"gone"}"#,
        Fatal,
        Some("t"),
        "gone",
    );
    check(r#"{"message":"request failed"}"#, Error, None, "request failed");
    check(r#"{"level": broken"#, Info, None, r#"{"level": broken"#);
    check("an error occurred", Error, None, "an error occurred");
    check("INFO: no error at all", Info, None, "no error at all");
    check(
        "2026-01-02 03:04:05 INFO retried after ERROR",
        Info,
        Some("2026-01-02 03:04:05"),
        "retried after ERROR",
    );
    check(
        "java.lang.IllegalStateException: x",
        Error,
        None,
        "java.lang.IllegalStateException: x",
    );
    check("ERROR", Error, None, "ERROR");
    check("", Info, None, "");
}

#[test]
fn broken_lines_are_lines() {
    for line in [
        "{",
        "{}",
        "[",
        "<",
        "<34>",
        "2026-",
        "Jan",
        "Jan 99 x",
        "10/Oct/",
        "level=",
        "level=\"",
        "=",
        "é",
        "\u{fffd}\u{fffd}",
        "99:99:99",
    ] {
        let _ = parse(line);
    }
    let deep = format!("{{\"a\":{}", "[".repeat(20_000));
    assert_eq!(parse(&deep).severity, Severity::Info);
}
