//! Changes single values of a JSON object's text and leaves every other byte as it is: white
//! space, number formats, escapes, fields that nobody here knows.

use std::ops::Range;

use bytes::Bytes;

/// A field of the outermost object.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Field {
    /// Its name, with escapes undone.
    pub(super) name: String,
    /// Where its value stands.
    pub(super) value: Range<usize>,
}

/// The fields of an object's text, in their order, those of one name included. The text was
/// parsed before: what is no JSON gives nothing.
pub(super) fn fields(text: &[u8]) -> Vec<Field> {
    let mut reader = Reader { text, at: 0 };
    let mut found = Vec::new();
    if reader.next_token() != Some(b'{') {
        return found;
    }
    loop {
        match reader.peek_token() {
            Some(b'"') => {}
            Some(b',') => {
                reader.at += 1;
                continue;
            }
            _ => return found,
        }
        let start = reader.at;
        reader.skip_string();
        let name = text
            .get(start..reader.at)
            .and_then(|name| serde_json::from_slice::<String>(name).ok());
        if reader.next_token() != Some(b':') {
            return found;
        }
        let Some(first) = reader.peek_token() else { return found };
        let start = reader.at;
        reader.skip_value(first);
        if let Some(name) = name {
            found.push(Field {
                name,
                value: start..reader.at,
            });
        }
    }
}

/// The text with these ranges, in their order, replaced.
pub(super) fn replaced(text: &Bytes, edits: &[(Range<usize>, String)]) -> Bytes {
    if edits.is_empty() {
        return text.clone();
    }
    let mut whole = Vec::with_capacity(text.len() + edits.iter().map(|(_, new)| new.len()).sum::<usize>());
    let mut at = 0;
    for (range, new) in edits {
        whole.extend_from_slice(text.get(at..range.start).unwrap_or_default());
        whole.extend_from_slice(new.as_bytes());
        at = range.end;
    }
    whole.extend_from_slice(text.get(at..).unwrap_or_default());
    Bytes::from(whole)
}

struct Reader<'a> {
    text: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn peek_token(&mut self) -> Option<u8> {
        while self.text.get(self.at).is_some_and(u8::is_ascii_whitespace) {
            self.at += 1;
        }
        self.text.get(self.at).copied()
    }

    fn next_token(&mut self) -> Option<u8> {
        let token = self.peek_token()?;
        self.at += 1;
        Some(token)
    }

    /// Past a string that begins here.
    fn skip_string(&mut self) {
        self.at += 1;
        while let Some(byte) = self.text.get(self.at) {
            self.at += match byte {
                b'\\' => 2,
                _ => 1,
            };
            if *byte == b'"' {
                return;
            }
        }
    }

    /// Past a value that begins here with this byte.
    fn skip_value(&mut self, first: u8) {
        match first {
            b'"' => self.skip_string(),
            b'{' | b'[' => self.skip_nested(),
            _ => {
                let ends = |byte: &u8| matches!(byte, b',' | b'}' | b']') || byte.is_ascii_whitespace();
                while self.text.get(self.at).is_some_and(|byte| !ends(byte)) {
                    self.at += 1;
                }
            }
        }
    }

    fn skip_nested(&mut self) {
        let mut depth = 0u64;
        while let Some(byte) = self.text.get(self.at) {
            match byte {
                b'"' => {
                    self.skip_string();
                    continue;
                }
                b'{' | b'[' => depth += 1,
                b'}' | b']' => depth -= 1,
                _ => {}
            }
            self.at += 1;
            if depth == 0 {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
    use super::*;
    use serde_json::Value;

    fn named<'a>(text: &'a str, name: &str) -> Vec<&'a str> {
        let fields = fields(text.as_bytes());
        let named = fields.iter().filter(|field| field.name == name);
        named.map(|field| text.get(field.value.clone()).unwrap()).collect()
    }

    #[test]
    fn only_the_outermost_fields_are_found() {
        let check = |text: &str, expected: &[&str]| assert_eq!(named(text, "model"), expected, "{text}");
        check(r#"{"model":"a"}"#, &["\"a\""]);
        check(
            "\n { \"x\" : { \"model\" : 1 } ,\t\"model\"\r\n:\n\"a b\" , \"y\":[{\"model\":2}]}",
            &["\"a b\""],
        );
        check(r#"{"model":"a","model":"b"}"#, &["\"a\"", "\"b\""]);
        check(r#"{"\u006dodel":"a"}"#, &["\"a\""]);
        check(r#"{"x":"\"model\":1,","model":-1.0e5}"#, &["-1.0e5"]);
        check(r#"{"x":"\\","model":null}"#, &["null"]);
        check(r#"{"model":{"a":"}"}}"#, &["{\"a\":\"}\"}"]);
        check(r#"{"models":1}"#, &[]);
        for broken in [
            "",
            "[]",
            "{",
            "{\"model\"",
            "{\"model\":",
            "{\"model\" 1}",
            "{\"a\":\"\\",
            "3",
            "{\"a\":[[[",
        ] {
            check(broken, &[]);
        }
    }

    /// A small generator of odd documents, the same at every run of a seed.
    struct Odd(u64);

    impl Odd {
        fn below(&mut self, bound: u64) -> u64 {
            self.0 = self
                .0
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (self.0 >> 33) % bound
        }

        fn blank(&mut self) -> &'static str {
            ["", " ", "\n", "\t ", "\r\n"]
                .get(self.below(5) as usize)
                .copied()
                .unwrap_or("")
        }

        fn value(&mut self, depth: u64) -> String {
            match self.below(if depth == 0 { 6 } else { 8 }) {
                0 => "null".into(),
                1 => "1.0e-3".into(),
                2 => "-0".into(),
                3 => "\"\\\"model\\\":\\\\\"".into(),
                4 => "\"😀 \\u0000 }{\"".into(),
                5 => "true".into(),
                6 => format!("[{}{},{}]", self.blank(), self.value(depth - 1), self.value(depth - 1)),
                _ => format!("{{\"model\":{}{}}}", self.blank(), self.value(depth - 1)),
            }
        }
    }

    #[test]
    fn a_splice_changes_its_value_and_nothing_else() {
        for seed in 0..2_000 {
            let mut odd = Odd(seed);
            let (before, after) = (odd.value(3), odd.value(3));
            let text = format!(
                "{}{{{}\"a\":{before},{}\"model\"{}:{}\"old\"{},\"b\":{after}}}{}",
                odd.blank(),
                odd.blank(),
                odd.blank(),
                odd.blank(),
                odd.blank(),
                odd.blank(),
                odd.blank()
            );
            let edits: Vec<_> = fields(text.as_bytes())
                .into_iter()
                .filter(|field| field.name == "model")
                .map(|field| (field.value, "\"new\"".to_owned()))
                .collect();
            assert_eq!(edits.len(), 1, "seed {seed}: {text}");
            let spliced = replaced(&Bytes::from(text.clone()), &edits);
            assert_eq!(spliced, text.replacen("\"old\"", "\"new\"", 1), "seed {seed}");
            let mut expected: Value = serde_json::from_str(&text).unwrap();
            expected.as_object_mut().unwrap().insert("model".into(), "new".into());
            assert_eq!(serde_json::from_slice::<Value>(&spliced).unwrap(), expected, "seed {seed}");
        }
    }
}
