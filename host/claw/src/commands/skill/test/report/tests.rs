#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use super::*;

fn report() -> Report {
    let pair = Pair {
        left: "expected",
        right: "got",
        expected: "{\n  \"a\": 1\n}\n".to_owned(),
        got: "{\n  \"a\": \"<&\"\n}\n".to_owned(),
    };
    let outcome = |name: &str, failures, updated, logs| Outcome {
        name: name.to_owned(),
        failures,
        updated,
        logs,
        millis: 1_234,
    };
    Report {
        skill: "demo".to_owned(),
        version: "1.0.0".to_owned(),
        outcomes: vec![
            outcome(
                "good",
                vec![],
                vec!["test/expected/good.json".to_owned()],
                vec!["info: unseen".to_owned()],
            ),
            outcome(
                "bad \"quoted\"",
                vec![Failure::new("result", "it differs \u{1b}[2J").diff(pair)],
                vec![],
                vec!["stderr: \u{7}beep\nagain".to_owned()],
            ),
        ],
        warnings: vec!["odd".to_owned()],
    }
}

#[test]
fn people_see_what_differs_and_what_a_failing_case_logged() {
    let expected = "demo@1.0.0
ok    good  1234 ms
      wrote `test/expected/good.json`
FAIL  bad \"quoted\"  1234 ms
      it differs \u{fffd}[2J
      --- expected
      +++ got
      @@ -1,3 +1,3 @@
       {
      -  \"a\": 1
      +  \"a\": \"<&\"
       }
      log: stderr: \u{fffd}beep
      log: again
1 passed, 1 failed
";
    assert_eq!(report().text(Style::plain()), expected);
}

#[test]
fn programs_see_the_same_as_json() {
    let json = report().json();
    let at = |place: &str| json.pointer(place).unwrap().clone();
    assert_eq!(at("/ok"), false);
    assert_eq!((at("/passed"), at("/failed")), (json!(1), json!(1)));
    assert_eq!(
        at("/cases/0"),
        json!({
            "name": "good", "ok": true, "failures": [], "updated": ["test/expected/good.json"], "logs": ["info: unseen"], "duration_ms": 1234,
        })
    );
    assert_eq!(at("/cases/1/failures/0/kind"), "result");
    assert!(
        at("/cases/1/failures/0/diff")
            .as_str()
            .unwrap()
            .starts_with("--- expected\n+++ got\n")
    );
    assert_eq!(at("/warnings"), json!(["odd"]));
}

#[test]
fn ci_sees_it_as_junit_without_a_byte_that_xml_cannot_hold() {
    let xml = report().junit();
    let begin = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>
<testsuites tests=\"2\" failures=\"1\">
  <testsuite name=\"demo\" tests=\"2\" failures=\"1\" errors=\"0\" skipped=\"0\" time=\"2.468\">
    <testcase name=\"good\" classname=\"demo\" time=\"1.234\"/>
    <testcase name=\"bad &quot;quoted&quot;\" classname=\"demo\" time=\"1.234\">
      <failure type=\"result\" message=\"it differs \u{fffd}[2J\">it differs \u{fffd}[2J&#10;--- expected";
    assert!(xml.starts_with(begin), "{xml}");
    assert!(xml.contains("&lt;&amp;") && xml.ends_with("  </testsuite>\n</testsuites>\n"));
    assert!(xml.chars().all(|c| c == '\n' || !c.is_control()), "{xml}");
}
