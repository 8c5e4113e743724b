#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use super::*;

fn drain(framer: &mut Framer) -> Vec<(bool, String)> {
    std::iter::from_fn(|| framer.next_frame())
        .map(|frame| (frame.is_error, frame.data))
        .collect()
}

/// The same events, wherever the bytes are cut.
fn check(make: fn() -> Framer, bytes: &[u8], expected: &[(bool, &str)]) {
    let expected: Vec<_> = expected
        .iter()
        .map(|(is_error, data)| (*is_error, (*data).to_owned()))
        .collect();
    for size in 1..=bytes.len().max(1) {
        let mut framer = make();
        for piece in bytes.chunks(size) {
            framer.push(piece).unwrap();
        }
        framer.end().unwrap();
        assert_eq!(
            drain(&mut framer),
            expected,
            "in pieces of {size}: {:?}",
            String::from_utf8_lossy(bytes)
        );
    }
}

#[test]
fn server_sent_events_are_put_together() {
    let sse = Framer::server_sent_events;
    check(sse, b"data: a\n\ndata: b\n\n", &[(false, "a"), (false, "b")]);
    check(sse, b"data: a\r\n\r\ndata: b\r\n\r\n", &[(false, "a"), (false, "b")]);
    check(sse, b"data: a\r\rdata: b\r\r", &[(false, "a"), (false, "b")]);
    check(sse, b"data:a\ndata:  b\ndata\n\n", &[(false, "a\n b\n")]);
    check(
        sse,
        b": comment\n\nid: 7\nretry: 10\nevent: x\n\ndata: a\n\n",
        &[(false, "a")],
    );
    check(
        sse,
        b"event: error\ndata: {}\n\ndata: after\n\n",
        &[(true, "{}"), (false, "after")],
    );
    check(sse, "\u{feff}data: ä世🦀\n\n".as_bytes(), &[(false, "ä世🦀")]);
    check(sse, b"data: \n\n", &[(false, "")]);
    check(sse, b"data: no empty line\n", &[(false, "no empty line")]);
    check(sse, b"data: no end of line", &[(false, "no end of line")]);
    check(sse, b"\n\n\n", &[]);
    check(sse, b"", &[]);
}

#[test]
fn json_lines_are_split() {
    let lines = Framer::json_lines;
    check(
        lines,
        b"{\"a\":1}\n{\"b\":2}\n",
        &[(false, "{\"a\":1}"), (false, "{\"b\":2}")],
    );
    check(lines, b"{}\r\n\r\n \n{}", &[(false, "{}"), (false, "{}")]);
    check(lines, "{\"a\":\"世\"}\n".as_bytes(), &[(false, "{\"a\":\"世\"}")]);
}

#[test]
fn what_is_not_utf8_is_refused() {
    let mut framer = Framer::server_sent_events();
    assert_eq!(framer.push(b"data: \xff\xfe\n\n"), Err(BadFrame::NotUtf8));
    let mut framer = Framer::json_lines();
    assert_eq!(framer.push(b"{\"a\":\"\xc3\"}\n"), Err(BadFrame::NotUtf8));
}

#[test]
fn events_are_bounded() {
    let half = vec![b'x'; MAX_FRAME / 2 + 1];
    let mut framer = Framer::json_lines();
    framer.push(&half).unwrap();
    assert_eq!(framer.push(&half), Err(BadFrame::TooLong), "a line without an end");

    let mut framer = Framer::server_sent_events();
    let line = [b"data: ".as_slice(), &half, b"\n"].concat();
    framer.push(&line).unwrap();
    assert_eq!(framer.push(&line), Err(BadFrame::TooLong), "an event of many lines");
}
