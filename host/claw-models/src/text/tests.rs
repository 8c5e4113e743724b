use super::*;

const KEY: &str = "sk-canary-0123456789";

fn check(given: &str, expected: &str) {
    assert_eq!(clean(given, &[Secret::new(KEY)]), expected, "of {given:?}");
}

#[test]
fn foreign_words_are_made_fit() {
    check("model not found", "model not found");
    check("  two\r\nlines\tand a tab ", "two  lines and a tab");
    check("\u{1b}[31mred\u{1b}[0m\u{7}\u{0}", "[31mred[0m");
    check("a\u{202e}b\u{200b}c\u{feff}", "abc");
    check("", "");
}

#[test]
fn keys_are_taken_out_even_when_something_hides_them() {
    check(&format!("bad key {KEY}, or {KEY}"), "bad key [key], or [key]");
    check("bad key sk-can\u{200b}ary-01\u{0}23456789!", "bad key [key]!");
    let at_the_edge = format!("{}{KEY}", "x".repeat(MAX_CHARS - 5));
    assert!(
        !clean(&at_the_edge, &[Secret::new(KEY)]).contains("sk-"),
        "a key must not be cut before it is found"
    );
    assert_eq!(clean("x", &[Secret::new("")]), "x", "an empty key is in no text");
}

#[test]
fn long_words_are_cut_at_a_character() {
    let long = "é".repeat(1000);
    assert_eq!(clean(&long, &[]), format!("{}…", "é".repeat(MAX_CHARS)));
    assert_eq!(clip("abc", 3), "abc");
    assert_eq!(clip("abcd", 3), "abc…");
}
