#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use serde_json::json;

use super::*;

fn detector() -> Detector {
    Detector::try_new(&PiiSettings::default()).unwrap()
}

fn found(text: &str) -> Vec<(String, String)> {
    let findings = detector().inspect(text).unwrap();
    findings
        .iter()
        .map(|finding| {
            (
                finding.class.to_string(),
                text.get(finding.start..finding.end).unwrap().to_owned(),
            )
        })
        .collect()
}

#[track_caller]
fn one(text: &str, class: &str, value: &str) {
    assert_eq!(found(text), [(class.to_owned(), value.to_owned())], "{text}");
}

#[test]
fn each_class_is_found_in_several_languages() {
    for (text, class, value) in [
        (
            "Write to anna.muster+x@sub.example.co.uk today.",
            "email",
            "anna.muster+x@sub.example.co.uk",
        ),
        ("Schreib an jürgen@müller.de, bitte", "email", "jürgen@müller.de"),
        ("call +49 30 1234567 now", "phone", "+49 30 1234567"),
        ("+1 (415) 555-2671", "phone", "+1 (415) 555-2671"),
        ("0044 20 7946 0958 is mine", "phone", "0044 20 7946 0958"),
        ("reach me at 415-555-2671", "phone", "415-555-2671"),
        ("mein Handy: 0171 2345678", "phone", "0171 2345678"),
        ("Tél. 01 23 45 67 89", "phone", "01 23 45 67 89"),
        ("mi móvil es 612 345 678", "phone", "612 345 678"),
        ("card 4012 8888 8888 1881 ok", "card", "4012 8888 8888 1881"),
        ("5555-5555-5555-4444", "card", "5555-5555-5555-4444"),
        ("IBAN DE89 3704 0044 0532 0130 00", "iban", "DE89 3704 0044 0532 0130 00"),
        ("pay to gb82west12345698765432.", "iban", "gb82west12345698765432"),
        ("ssn 536-90-4399", "ssn", "536-90-4399"),
        ("Social Security: 536904399", "ssn", "536904399"),
        ("NI number AB 12 34 56 C", "national_id", "AB 12 34 56 C"),
        ("NHS 943 476 5919", "national_id", "943 476 5919"),
        ("Steuer-ID 86 095 742 719", "national_id", "86 095 742 719"),
        ("NIR 2 55 08 14 168 025 38", "national_id", "2 55 08 14 168 025 38"),
        ("mi DNI es 12345678Z", "national_id", "12345678Z"),
        ("NIE X1234567L", "national_id", "X1234567L"),
        ("codice fiscale RSSMRA85T10A562S", "national_id", "RSSMRA85T10A562S"),
        ("BSN 111222333", "national_id", "111222333"),
        ("PESEL 44051401359", "national_id", "44051401359"),
        ("811218-9876", "national_id", "811218-9876"),
        ("131052-308T", "national_id", "131052-308T"),
        ("Aadhaar 2341 2341 2346", "national_id", "2341 2341 2346"),
        ("PAN ABCPE1234F", "national_id", "ABCPE1234F"),
        ("CPF 529.982.247-25", "national_id", "529.982.247-25"),
        ("CNPJ 11.222.333/0001-81", "national_id", "11.222.333/0001-81"),
        ("S1234567D", "national_id", "S1234567D"),
        ("from 203.0.113.7 again", "ip", "203.0.113.7"),
        ("host 2001:db8::8a2e:370:7334 up", "ip", "2001:db8::8a2e:370:7334"),
        (
            "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa",
            "crypto_address",
            "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa",
        ),
        (
            "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq",
            "crypto_address",
            "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq",
        ),
        (
            "0x742d35Cc6634C0532925a3b844Bc454e4438f44e",
            "crypto_address",
            "0x742d35Cc6634C0532925a3b844Bc454e4438f44e",
        ),
        (
            "key sk-ant-api03-abcdefghijklmnopqrstuvwxyz",
            "secret",
            "sk-ant-api03-abcdefghijklmnopqrstuvwxyz",
        ),
        ("AKIAIOSFODNN7EXAMPLE", "secret", "AKIAIOSFODNN7EXAMPLE"),
        ("password: hunter2hunter2", "secret", "hunter2hunter2"),
        ("Passwort = geheim123", "secret", "geheim123"),
        ("postgres://bob:s3cret@db.example/x", "secret", "postgres://bob:s3cret@"),
        ("born on 12 March 1980 in Rome", "date_of_birth", "12 March 1980"),
        ("geboren am 12.03.1980", "date_of_birth", "12.03.1980"),
        ("né le 3 février 1975", "date_of_birth", "3 février 1975"),
        ("DOB: 1980-03-12", "date_of_birth", "1980-03-12"),
    ] {
        one(text, class, value);
    }
}

#[test]
fn near_misses_are_left_alone() {
    for text in [
        "",
        "order 1234567890, build 20261127, page 42 of 100",
        "version 1.2.3.4 and v10.20.30.40",
        "at 10:30:45 on 2026-11-27T18:02:33.123456Z",
        "550e8400-e29b-41d4-a716-446655440000",
        "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "4012 8888 8888 1882",
        "DE89370400440532013001",
        "666-12-3456 and 000-12-3456",
        "12345678A",
        "RSSMRA85T10A562T",
        "price 13.50, 1,299.00 USD, 3.14159265358979",
        "127.0.0.1 and ::1 and 0.0.0.0",
        "256.1.1.1",
        "password: <your-password>",
        "api_key: ${API_KEY}",
        "secret: something",
        "not@an address, @handle, user@localhost",
        "std::vec::Vec and a::b",
        "inv_01m8f1m4f0pg0v5xba5mtj9mrw",
        "the meeting is on 12.03.2026",
        "range 1000000-2000000",
        "ISBN 978-3-16-148410-0",
        "coordinates 48.137154, 11.576124",
    ] {
        assert_eq!(found(text), [], "{text}");
    }
}

#[test]
fn what_is_hidden_is_found_where_it_stands() {
    for (text, class) in [
        ("a\u{200b}nna@exam\u{200d}ple.com", "email"),
        ("4012\u{200b}8888\u{ad}8888\u{2060}1881", "card"),
        ("４０１２８８８８８８８８１８８１", "card"),
        ("تلفن +٤٩ ٣٠ ١٢٣٤٥٦٧", "phone"),
    ] {
        let findings = detector().inspect(text).unwrap();
        let first = findings.first().unwrap_or_else(|| unreachable!("{text}"));
        assert_eq!((findings.len(), first.class.as_str()), (1, class), "{text}");
        assert!(text.get(first.start..first.end).is_some());
    }
}

#[test]
fn settings_choose_and_custom_patterns_add() {
    let settings: PiiSettings = serde_json::from_value(json!({
        "classes": ["email"], "custom": [{ "name": "ticket", "pattern": "TCK-\\d{4}" }], "allow": ["Support@Example.com"],
    }))
    .unwrap();
    let detector = Detector::try_new(&settings).unwrap();
    let findings = detector
        .inspect("support@example.com, ann@example.com, TCK-1234, 4012888888881881")
        .unwrap();
    let classes: Vec<&str> = findings.iter().map(|finding| finding.class.as_str()).collect();
    assert_eq!(classes, ["email", "ticket"]);
    let bad = |value: serde_json::Value| {
        Detector::try_new(&serde_json::from_value(value).unwrap())
            .unwrap_err()
            .to_string()
    };
    assert!(bad(json!({ "classes": ["emails"] })).contains("`emails`; there are `secret`"));
    for pattern in ["(", "", "a*", "(?:a{1000}){1000}"] {
        assert!(
            bad(json!({ "custom": [{ "name": "x", "pattern": pattern }] })).contains("`x`"),
            "{pattern}"
        );
    }
}

/// A generator of odd texts, the same at every run of a seed.
struct Odd(u64);

impl Odd {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }

    fn text(&mut self) -> String {
        const PIECES: [&str; 20] = [
            "ann@example.com",
            "4012888888881881",
            " ",
            "\n",
            "[EMAIL_1]",
            "[",
            "]",
            "+49 30 1234567",
            "\u{200b}",
            "😀",
            "tel ",
            "5",
            "-",
            ".",
            "@",
            "ü",
            "DE89370400440532013000",
            "[CARD_",
            "born 1980-03-12",
            "x",
        ];
        let count = self.below(24);
        (0..count)
            .filter_map(|_| PIECES.get(self.below(20) as usize))
            .copied()
            .collect()
    }
}

#[test]
fn findings_are_apart_and_masks_are_undone_in_any_pieces() {
    let detector = detector();
    for seed in 0..3_000 {
        let mut odd = Odd(seed);
        let text = odd.text();
        let findings = detector.inspect(&text).unwrap();
        let mut at = 0;
        for finding in &findings {
            assert!(
                finding.start >= at && finding.end > finding.start,
                "seed {seed}: {text:?} {findings:?}"
            );
            assert!(text.get(finding.start..finding.end).is_some(), "seed {seed}");
            at = finding.end;
        }
        let mut vault = Vault::new();
        let masked = vault.mask(&text, &findings);
        assert_eq!(vault.restore(&masked), text, "seed {seed}: {masked:?}");
        let mut restorer = Restorer::new(vault.into());
        let (mut whole, mut rest) = (String::new(), masked.as_str());
        while let Some(c) = rest.chars().next() {
            let mut end = c.len_utf8();
            while odd.below(3) > 0 && rest.len() > end {
                end += rest.get(end..).and_then(|rest| rest.chars().next()).map_or(0, char::len_utf8);
            }
            whole.push_str(&restorer.push(rest.get(..end).unwrap()));
            rest = rest.get(end..).unwrap();
        }
        whole.push_str(&restorer.end());
        assert_eq!(whole, text, "seed {seed}: {masked:?}");
        assert!(
            !redact(&text, &findings).contains("ann@example.com") || findings.is_empty(),
            "seed {seed}"
        );
    }
}

#[test]
fn what_is_put_back_into_json_leaves_it_json() {
    let value = "Anna \"A\" \\ Oslo";
    let finding = Finding {
        class: Class::of("name"),
        start: 0,
        end: value.len(),
    };
    let mut vault = Vault::new();
    let placeholder = vault.mask(value, &[finding]);
    let answer =
        json!({ "text": format!("for {placeholder}"), "call": { "arguments": format!("{{\"to\":  \"{placeholder}\"}}") } });
    let mut back = answer.clone();
    vault.restore_value(&mut back);
    assert_eq!(back.get("text").unwrap(), &format!("for {value}"));
    let arguments = back.pointer("/call/arguments").and_then(serde_json::Value::as_str).unwrap();
    let arguments: serde_json::Value = serde_json::from_str(arguments).unwrap();
    assert_eq!(arguments.get("to").unwrap(), value);
}

#[test]
fn hostile_texts_are_looked_through_too() {
    for text in [
        "1".repeat(200_000),
        "a@".repeat(100_000),
        "-".repeat(200_000),
        "ab:".repeat(60_000),
        "sk-".repeat(60_000),
        "+1 ".repeat(60_000),
        "1.2.3.4 ".repeat(60_000),
        "\\u005c\\n".repeat(60_000),
    ] {
        assert!(detector().inspect(&text).is_ok());
        assert!(unescaped(&text).is_none_or(|plain| plain.len() < text.len()));
    }
    assert!(detector().inspect(&"x".repeat((64 << 20) + 1)).is_err(), "not half of it");
}

#[test]
fn many_values_and_many_brackets_are_masked_and_put_back() {
    let text: String = (0..20_000).map(|number| format!("[u{number}@example.com ")).collect();
    let findings = detector().inspect(&text).unwrap();
    assert_eq!(findings.len(), 20_000);
    let mut vault = Vault::new();
    let masked = vault.mask(&text, &findings);
    assert!(!masked.contains('@'));
    assert_eq!(vault.restore(&masked), text);
    let brackets = "[".repeat(1_000_000);
    assert_eq!(vault.restore(&brackets), brackets);
    let mut restorer = Restorer::new(vault.into());
    let back = restorer.push(&brackets) + &restorer.end();
    assert_eq!(back, brackets);
}

#[test]
fn escapes_are_undone_one_layer_at_a_time() {
    for (text, plain) in [
        (r"a\nb", Some("a\nb")),
        (r"\u0040\u00e4\ud83d\ude00", Some("@ä😀")),
        (r"\\u0040", Some(r"\u0040")),
        (r#"\"\/\t"#, Some("\"/\t")),
        (r"\ud83d x", Some("\u{fffd} x")),
        (r"\ud83d\u0041", Some("\u{fffd}A")),
        (r"C:\x\", None),
        (r"\u00", None),
        (r"\u+123", None),
        ("none", None),
        ("", None),
    ] {
        assert_eq!(unescaped(text).as_deref(), plain, "{text}");
    }
}

#[test]
fn every_text_of_a_value_is_seen_but_for_media() {
    let (picture, photo) = ("AAAA".repeat(16), "BBBB".repeat(16));
    let value = json!({
        "messages": [{ "content": [
            { "type": "text", "text": "one" },
            { "type": "image_url", "image_url": { "url": format!("data:image/png;base64,{picture}") } },
            { "type": "image", "source": { "type": "base64", "media_type": "image/png", "data": photo } },
            { "type": "document", "source": { "type": "text", "media_type": "text/plain", "data": "two" } },
            { "type": "file", "file": { "file_data": "data:text/plain;base64,CCCC" } },
        ] }],
        "tools": [{ "arguments": "{\"three\": 1}" }], "four": null,
    });
    let mut seen = Vec::new();
    texts(&value, &mut |text| seen.push(text.to_owned()));
    for wanted in [
        "one",
        "two",
        "{\"three\": 1}",
        "four",
        "messages",
        "data:text/plain;base64,CCCC",
    ] {
        assert!(seen.iter().any(|text| text == wanted), "{wanted}: {seen:?}");
    }
    assert!(!seen.iter().any(|text| text.contains("AAAA") || text.contains("BBBB")));
    let mut changed = value.clone();
    map_texts(&mut changed, &mut |text| (text == "one").then(|| "1".to_owned()));
    assert_eq!(changed.to_string(), value.to_string().replace("\"one\"", "\"1\""));
    let mut deep = json!("deep");
    for _ in 0..10_000 {
        deep = serde_json::Value::Array(vec![deep]);
    }
    let mut found = false;
    texts(&deep, &mut |text| found |= text == "deep");
    assert!(found);
    std::mem::forget(deep);
}

#[test]
fn a_vault_shows_nothing() {
    let mut vault = Vault::new();
    let text = "ann@example.com and ann@example.com and bob@example.com, [EMAIL_1]";
    let masked = vault.mask(text, &detector().inspect(text).unwrap());
    assert_eq!(masked, "[EMAIL_2] and [EMAIL_2] and [EMAIL_3], [EMAIL_1]");
    assert!(!format!("{vault:?}").contains("ann"));
}

#[tokio::test]
async fn a_stream_that_tears_placeholders_is_put_back_together() {
    use crate::model::{Completion, Finish, Message, ModelEvent, Role, ToolCall, Usage};
    use futures::StreamExt as _;

    let mut vault = Vault::new();
    let text = "ann@example.com";
    assert_eq!(vault.mask(text, &detector().inspect(text).unwrap()), "[EMAIL_1]");
    let call = ToolCall {
        id: "1".into(),
        name: "send".into(),
        arguments: "{\"to\":\"[EMAIL_1]\",\"n\":[1]}".into(),
    };
    let mut message = Message::text(Role::Assistant, "to [EMAIL_1] [EMA");
    message.parts.push(crate::model::Part::ToolCall(call.clone()));
    let done = Completion {
        message,
        finish: Finish::Stop,
        usage: Usage::default(),
        model: String::new(),
        provider: String::new(),
        offline: false,
        attempts: 1,
    };
    let pieces = ["to [", "EMA", "IL_", "1", "] [", "x] [EMA"].map(|piece| Ok(ModelEvent::TextDelta(piece.into())));
    let rest = [Ok(ModelEvent::ToolCall(call)), Ok(ModelEvent::Done(Box::new(done)))];
    let inner = futures::stream::iter(pieces.into_iter().chain(rest));
    let events: Vec<_> = restored(Box::pin(inner), vault.into()).collect().await;
    let (mut said, mut called, mut whole) = (String::new(), None, None);
    for event in events {
        match event.unwrap() {
            ModelEvent::TextDelta(text) => said.push_str(&text),
            ModelEvent::ToolCall(call) => called = Some(call.arguments),
            ModelEvent::Done(done) => whole = Some(done.message),
        }
    }
    assert_eq!(said, "to ann@example.com [x] [EMA");
    assert_eq!(called.as_deref(), Some("{\"to\":\"ann@example.com\",\"n\":[1]}"));
    assert_eq!(whole.unwrap().joined_text(), "to ann@example.com [EMA");
}

#[test]
fn a_number_with_a_plus_or_words_of_the_telephone_is_a_phone() {
    for (text, class) in [
        ("+1 415 555 2671", "phone"),
        ("write or call +1 212 555 1233", "phone"),
        ("+1 943 476 5919", "phone"),
        ("call me at 415 555 2671", "phone"),
        ("NHS number 943 476 5919", "national_id"),
        ("943 476 5919", "national_id"),
    ] {
        let found = detector().inspect(text).unwrap();
        let classes: Vec<_> = found.iter().map(|finding| finding.class.as_str()).collect();
        assert_eq!(classes, [class], "{text}");
    }
}
