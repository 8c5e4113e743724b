#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may stop at the first surprise"
)]

use serde_json::json;

use super::*;

/// The committed samples of one version, by file name.
fn samples(version: &str) -> Vec<(String, String)> {
    let directory = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("testdata")
        .join(version);
    let mut all: Vec<_> = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            (name, std::fs::read_to_string(path).unwrap())
        })
        .collect();
    all.sort();
    all
}

#[test]
fn every_sample_is_read_and_written_as_it_was() {
    let samples = samples("v1");
    for (name, text) in &samples {
        let frame = Frame::decode(text).unwrap();
        assert!(!matches!(frame, Frame::Later(_)) && name.starts_with(frame.kind()), "{name}");
        let written: Value = serde_json::from_str(&frame.encode()).unwrap();
        assert_eq!(written, serde_json::from_str::<Value>(text).unwrap(), "{name}");
    }
    let kinds: Vec<&str> = samples.iter().map(|(name, _)| name.as_str()).collect();
    let every = [
        "advertise",
        "challenge",
        "drain",
        "heartbeat",
        "hello",
        "hello-secret",
        "refused",
        "welcome",
    ];
    assert_eq!(kinds, every, "each frame has a sample");
}

#[test]
fn what_a_later_version_adds_is_passed_over() {
    for (name, text) in samples("v1") {
        let mut value: Value = serde_json::from_str(&text).unwrap();
        value["added"] = json!({ "later": [1, 2] });
        assert_eq!(
            Frame::decode(&value.to_string()).unwrap(),
            Frame::decode(&text).unwrap(),
            "{name}"
        );
    }
    assert_eq!(Frame::decode("{\"type\":\"lease\"}").unwrap(), Frame::Later("lease".into()));
    let offer = Frame::decode("{\"type\":\"advertise\",\"capabilities\":[{\"name\":\"a\",\"price\":3}]}").unwrap();
    assert!(matches!(offer, Frame::Advertise(_)));
}

#[test]
fn what_is_missing_or_wrong_is_named() {
    for (text, wanted) in [
        ("", "not a JSON object"),
        ("[]", "not a JSON object"),
        ("{\"a\":1}", "no `type`"),
        ("{\"type\":7}", "no `type`"),
        (
            "{\"type\":\"hello\",\"version\":1}",
            "`hello` is not sound: missing field `node`",
        ),
        ("{\"type\":\"heartbeat\",\"in_flight\":-1}", "invalid value"),
        ("{\"type\":\"heartbeat\",\"in_flight\":1e99}", "`heartbeat` is not sound"),
        (
            "{\"type\":\"advertise\",\"capabilities\":[{\"name\":\"\"}]}",
            "`capabilities[0].name`",
        ),
        (
            "{\"type\":\"advertise\",\"capabilities\":[{\"name\":\"a\"},{\"name\":\"a\"}]}",
            "`a` is there twice",
        ),
        (
            "{\"type\":\"advertise\",\"capabilities\":[{\"name\":\"a\\u0007\"}]}",
            "control characters",
        ),
        (
            "{\"type\":\"advertise\",\"capabilities\":[{\"name\":\"a\",\"version\":\"\"}]}",
            "`capabilities[0].version`",
        ),
    ] {
        let why = Frame::decode(text).unwrap_err().to_string();
        assert!(why.contains(wanted), "{text}: {why}");
    }
    let long = format!("{{\"type\":\"drain\",\"reason\":\"{}\"}}", "x".repeat(MAX_FRAME));
    assert_eq!(Frame::decode(&long), Err(BadFrame::TooLong(long.len())));
    let many: Vec<Value> = (0..=MOST_OFFERS)
        .map(|place| json!({ "name": format!("c{place}") }))
        .collect();
    let text = json!({ "type": "advertise", "capabilities": many }).to_string();
    assert!(Frame::decode(&text).unwrap_err().to_string().contains("more than 4096"));
    let deep = format!("{{\"type\":{}", "[".repeat(100_000));
    assert!(matches!(Frame::decode(&deep), Err(BadFrame::NotJson(_))));
}

#[test]
fn every_torn_or_changed_sample_is_a_frame_or_an_error_and_never_a_panic() {
    for (_, text) in samples("v1") {
        for cut in 0..text.len() {
            let _ = Frame::decode(&text[..cut]);
            let mut bytes = text.clone().into_bytes();
            bytes[cut] = b'"';
            let _ = Frame::decode(&String::from_utf8(bytes).unwrap());
        }
    }
}

#[test]
fn no_proof_is_shown() {
    for (_, text) in samples("v1") {
        let shown = format!("{:?}", Frame::decode(&text).unwrap());
        assert!(!shown.contains("sesame") && !shown.contains("claw_node_once"), "{shown}");
    }
}

#[test]
fn both_ends_speak_the_newest_version_that_both_know() {
    let of = |oldest, newest| Versions { oldest, newest };
    assert_eq!(of(1, 1).common(SPOKEN), Some(1));
    assert_eq!(of(1, 2).common(of(2, 3)), Some(2));
    assert_eq!(of(1, 1).common(of(2, 3)), None);
    assert_eq!(of(3, 1).common(of(1, 3)), None, "that is no range");
}
