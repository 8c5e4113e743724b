use super::*;

fn check(secrets: &[(&str, &str)], text: &str, cut: bool, expected: &str) {
    let redactor = Redactor::new(secrets.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    assert_eq!(
        String::from_utf8_lossy(&redactor.redact(text.as_bytes().to_vec(), cut)),
        expected
    );
}

#[test]
fn values_are_cut_out_wherever_they_stand() {
    check(
        &[("T", "s3cret")],
        "a s3cret b s3crets3cret",
        false,
        "a [redacted:T] b [redacted:T][redacted:T]",
    );
    check(&[("T", "s3cret\n")], "s3cret", false, "[redacted:T]");
    check(
        &[("A", "abcd"), ("B", "xabcdx")],
        "xabcdx abcd",
        false,
        "[redacted:B] [redacted:A]",
    );
}

#[test]
fn the_beginning_of_a_value_at_a_cut_goes_too() {
    check(&[("T", "s3cret")], "text s3cr", true, "text ");
    check(&[("T", "s3cret")], "text s3cr", false, "text s3cr");
    check(&[("T", "s3cret")], "s", true, "");
}

#[test]
fn nothing_short_is_a_secret() {
    check(&[("T", "1"), ("E", "")], "1 and 11", false, "1 and 11");
}
