//! The patterns: what a span of a class looks like, what it must pass, and which words must
//! stand near it where its form alone says too little.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::LazyLock;

use regex::Regex;

use super::Class;
use super::checks::{
    aadhaar, base58, bech32, brazilian, bsn, card, codice_fiscale, dni, german_tax_id, hetu, iban, itin, korean, nhs, nino, nir,
    nric, personnummer, pesel, ssn, tfn,
};

/// What a text must hold for a rule to be worth trying.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Needs {
    /// An `@`.
    At,
    /// So many digits.
    Digits(usize),
    /// A `:`.
    Colon,
    /// Nothing in particular.
    Nothing,
}

/// One rule.
pub(super) struct Rule {
    pub(super) class: Class,
    pub(super) needs: Needs,
    pub(super) pattern: Regex,
    /// What the span without its separators, in capitals, must pass.
    pub(super) check: fn(&str) -> bool,
    /// One of these must stand shortly before or after it.
    pub(super) near: Option<&'static LazyLock<Regex>>,
}

macro_rules! words {
    ($name:ident = $pattern:literal) => {
        static $name: LazyLock<Regex> = LazyLock::new(|| compiled($pattern));
    };
}

words!(
    PHONE = r"(?i)\b(?:phone|tel|telephone|mobile|cell|call|fax|whatsapp|sms|telefon|handy|mobil|rufnummer|anruf|tél|téléphone|portable|teléfono|móvil|celular|telefono|cellulare|telefoon|telefone|numer|komórk\w*|ring)\b"
);
words!(
    BIRTH = r"(?i)\b(?:born|birth|birthday|dob|d\.o\.b|geboren|geburtsdatum|geb|né|née|naissance|nacid[oa]|nacimiento|nat[oa]|nascita|geboortedatum|nascid[oa]|nascimento|urodz\w*|född|syntynyt|født)\b"
);
words!(SSN = r"(?i)\b(?:ssn|social security|itin|taxpayer)\b");
words!(NHS = r"(?i)\bnhs\b");
words!(GERMAN_TAX = r"(?i)\b(?:steuer\w*|idnr|tin|tax id)\b");
words!(BSN = r"(?i)\b(?:bsn|burgerservicenummer|sofi\w*)\b");
words!(PESEL = r"(?i)\bpesel\b");
words!(AADHAAR = r"(?i)\b(?:aadhaar|uidai|aadhar)\b");
words!(CPF = r"(?i)\b(?:cpf|cnpj)\b");
words!(TFN = r"(?i)\b(?:tfn|tax file)\b");

fn compiled(pattern: &str) -> Regex {
    // The patterns stand here and are compiled by a test; one that could not be would find
    // something everywhere, which errs on the safe side.
    Regex::new(pattern).unwrap_or_else(|_| EVERYTHING.clone())
}

static EVERYTHING: LazyLock<Regex> = LazyLock::new(|| Regex::new("").unwrap_or_else(|_| unreachable!("an empty pattern is one")));

/// Classes that are looked for where nothing else is said.
pub(super) const EMAIL: Class = Class::of("email");
pub(super) const PHONE_CLASS: Class = Class::of("phone");
pub(super) const CARD: Class = Class::of("card");
pub(super) const IBAN: Class = Class::of("iban");
pub(super) const SSN_CLASS: Class = Class::of("ssn");
pub(super) const NATIONAL: Class = Class::of("national_id");
pub(super) const IP: Class = Class::of("ip");
pub(super) const CRYPTO: Class = Class::of("crypto_address");
pub(super) const SECRET: Class = Class::of("secret");
pub(super) const BIRTH_CLASS: Class = Class::of("date_of_birth");

/// All classes.
pub(super) const CLASSES: [Class; 10] = [
    SECRET,
    EMAIL,
    IBAN,
    CARD,
    CRYPTO,
    SSN_CLASS,
    NATIONAL,
    PHONE_CLASS,
    IP,
    BIRTH_CLASS,
];

fn any(_: &str) -> bool {
    true
}

/// A value that was given a name like `password`: no placeholder, no word of a language.
fn is_secret_value(text: &str) -> bool {
    let value = text.trim_matches(|c: char| matches!(c, '"' | '\'' | '`'));
    let has = |kind: fn(&char) -> bool| value.chars().any(|c| kind(&c));
    let mixed = has(char::is_ascii_digit) && value.chars().any(|c| c.is_ascii_alphabetic());
    let placeholder = value.starts_with(['<', '$', '{', '*', '[']) || value.contains("...");
    mixed && !placeholder && value.len() >= 8
}

fn ip4(text: &str) -> bool {
    text.parse::<Ipv4Addr>()
        .is_ok_and(|ip| !ip.is_loopback() && !ip.is_unspecified() && !ip.is_broadcast())
}

fn ip6(text: &str) -> bool {
    let bare = text.split(['%', '/']).next().unwrap_or_default();
    bare.parse::<Ipv6Addr>()
        .is_ok_and(|ip| !ip.is_loopback() && !ip.is_unspecified() && says_something(bare))
}

/// `a::b` is an address too, and much more often something else.
fn says_something(text: &str) -> bool {
    let groups = text.split(':').filter(|group| !group.is_empty()).count();
    text.bytes().any(|b| b.is_ascii_digit()) && (groups > 2 || text.len() > 5)
}

/// E.164: a country's code, and 7 to 15 digits in all.
fn international(text: &str) -> bool {
    const ONE: &str = "17";
    const TWO: &[&str] = &[
        "20", "27", "30", "31", "32", "33", "34", "36", "39", "40", "41", "43", "44", "45", "46", "47", "48", "49", "51", "52",
        "53", "54", "55", "56", "57", "58", "60", "61", "62", "63", "64", "65", "66", "81", "82", "84", "86", "90", "91", "92",
        "93", "94", "95", "98",
    ];
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    let digits = digits.strip_prefix("00").unwrap_or(&digits);
    let known = digits.starts_with(|c| ONE.contains(c))
        || TWO.iter().any(|code| digits.starts_with(code))
        || matches!(digits.get(..1), Some("2" | "3" | "4" | "5" | "6" | "8" | "9"));
    known && (8..=15).contains(&digits.len()) && !is_run(digits)
}

fn national_phone(text: &str) -> bool {
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    (7..=13).contains(&digits.len()) && !is_run(&digits)
}

/// One digit again and again.
fn is_run(digits: &str) -> bool {
    digits.bytes().all(|digit| Some(digit) == digits.bytes().next())
}

/// The rules, the surest first: where two overlap, the earlier counts.
pub(super) static RULES: LazyLock<Vec<Rule>> = LazyLock::new(|| {
    let rule = |class: Class, needs: Needs, pattern: &str, check: fn(&str) -> bool| Rule {
        class,
        needs,
        pattern: compiled(pattern),
        check,
        near: None,
    };
    let near = |rule: Rule, words: &'static LazyLock<Regex>| Rule {
        near: Some(words),
        ..rule
    };
    use Needs::{At, Colon, Digits, Nothing};
    vec![
        rule(
            SECRET,
            Nothing,
            r"(?x)-----BEGIN\ [A-Z\ ]{0,24}PRIVATE\ KEY-----[\s\S]{0,8192}?(?:-----END\ [A-Z\ ]{0,24}PRIVATE\ KEY-----|\z)
            | \bsk-(?:ant-|proj-|svcacct-|or-v1-)?[A-Za-z0-9_\-]{20,}
            | \b(?:AKIA|ASIA)[0-9A-Z]{16}\b
            | \bgh[pousr]_[A-Za-z0-9]{36,} | \bgithub_pat_[A-Za-z0-9_]{22,} | \bglpat-[A-Za-z0-9_\-]{20,}
            | \bxox[abeoprs]-[A-Za-z0-9\-]{10,} | \bhooks\.slack\.com/services/[A-Za-z0-9/]{20,}
            | \bAIza[A-Za-z0-9_\-]{35} | \b[sr]k_(?:live|test)_[A-Za-z0-9]{16,} | \bwhsec_[A-Za-z0-9]{24,}
            | \beyJ[A-Za-z0-9_\-]{10,}\.[A-Za-z0-9_\-]{10,}\.[A-Za-z0-9_\-]{5,}
            | \bnpm_[A-Za-z0-9]{36} | \bpypi-[A-Za-z0-9_\-]{40,} | \bhf_[A-Za-z0-9]{30,} | \bSG\.[A-Za-z0-9_\-]{16,}\.[A-Za-z0-9_\-]{16,}
            | \bdop_v1_[a-f0-9]{64} | \bclaw_(?:sk|op)_[A-Za-z0-9]{20,} | \bAGE-SECRET-KEY-1[A-Z0-9]{50,}",
            any,
        ),
        rule(
            SECRET,
            At,
            r"(?i)\b[a-z][a-z0-9+.\-]{1,20}://[^\s/:@]{1,128}:[^\s/@]{1,256}@",
            any,
        ),
        rule(
            SECRET,
            Nothing,
            r#"(?i)\b(?:pass(?:word|wd|phrase)?|pwd|secret|api[_\- ]?key|(?:access|auth|refresh)[_\- ]?token|client[_\- ]?secret|passwort|kennwort|contraseña|mot de passe|senha|wachtwoord|hasło)["']?\s{0,3}[:=]\s{0,3}(?P<value>["'`]?[^\s"'`,;<>]{8,256}["'`]?)"#,
            is_secret_value,
        ),
        rule(EMAIL, At, r"(?i)[\w.%+\-]+@(?:\w[\w\-]*\.)+[a-z]{2,24}", any),
        rule(IBAN, Digits(8), r"(?i)\b[a-z]{2}\d{2}(?:[ \-]?[a-z0-9]{1,4}){3,8}\b", iban),
        rule(CRYPTO, Digits(1), r"\b[13][1-9A-HJ-NP-Za-km-z]{25,34}\b", base58),
        rule(CRYPTO, Nothing, r"(?i)\bbc1[02-9ac-hj-np-z]{11,71}\b", bech32),
        rule(CRYPTO, Digits(1), r"\b0x[0-9a-fA-F]{40}\b", any),
        rule(
            NATIONAL,
            Digits(5),
            r"(?i)\b[A-Z]{6}\d{2}[ABCDEHLMPRST]\d{2}[A-Z]\d{3}[A-Z]\b",
            codice_fiscale,
        ),
        rule(
            NATIONAL,
            Digits(13),
            r"\b[12] ?\d{2} ?(?:0[1-9]|1[0-2]|[2-9]\d) ?(?:2[AB]|\d{2}) ?\d{3} ?\d{3} ?\d{2}\b",
            nir,
        ),
        rule(CARD, Digits(12), r"\b(?:\d[ \-]?){11,18}\d\b", card),
        rule(NATIONAL, Digits(7), r"(?i)\b(?:\d{8}|[XYZ]\d{7})[ \-]?[A-Z]\b", dni),
        rule(
            NATIONAL,
            Digits(6),
            r"\b[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?\d{2} ?\d{2} ?\d{2} ?[A-D]\b",
            nino,
        ),
        rule(NATIONAL, Digits(7), r"\b[STFG]\d{7}[A-Z]\b", nric),
        rule(NATIONAL, Digits(4), r"\b[A-Z]{3}[ABCFGHLJPT][A-Z]\d{4}[A-Z]\b", any),
        rule(NATIONAL, Digits(9), r"\b\d{6}[\-+A]\d{3}[0-9A-FHJ-NPR-Y]\b", hetu),
        rule(NATIONAL, Digits(10), r"\b\d{6}[\-+]\d{4}\b", personnummer),
        rule(NATIONAL, Digits(13), r"\b\d{6}-[1-4]\d{6}\b", korean),
        rule(NATIONAL, Digits(11), r"\b\d{3}\.\d{3}\.\d{3}-\d{2}\b", brazilian),
        rule(NATIONAL, Digits(14), r"\b\d{2}\.\d{3}\.\d{3}/\d{4}-\d{2}\b", brazilian),
        rule(SSN_CLASS, Digits(9), r"\b\d{3}[\- .]\d{2}[\- .]\d{4}\b", ssn),
        rule(SSN_CLASS, Digits(9), r"\b9\d{2}[\- ]\d{2}[\- ]\d{4}\b", itin),
        near(rule(SSN_CLASS, Digits(9), r"\b\d{9}\b", |text| ssn(text) || itin(text)), &SSN),
        // No id begins with `+`.
        rule(
            PHONE_CLASS,
            Digits(8),
            r"(?:\+|\b00)[1-9]\d{0,2}(?:[ ().\-/]{0,3}\d){6,13}\b",
            international,
        ),
        near(rule(NATIONAL, Digits(10), r"\b\d{3} ?\d{3} ?\d{4}\b", nhs), &NHS),
        near(
            rule(NATIONAL, Digits(11), r"\b\d{2} ?\d{3} ?\d{3} ?\d{3}\b", german_tax_id),
            &GERMAN_TAX,
        ),
        near(rule(NATIONAL, Digits(9), r"\b\d{4}[. ]?\d{2}[. ]?\d{3}\b", bsn), &BSN),
        near(rule(NATIONAL, Digits(11), r"\b\d{11}\b", pesel), &PESEL),
        rule(NATIONAL, Digits(12), r"\b[2-9]\d{3}[ \-]\d{4}[ \-]\d{4}\b", aadhaar),
        near(rule(NATIONAL, Digits(12), r"\b[2-9]\d{11}\b", aadhaar), &AADHAAR),
        near(rule(NATIONAL, Digits(11), r"\b\d{11}(?:\d{3})?\b", brazilian), &CPF),
        near(rule(NATIONAL, Digits(9), r"\b\d{3} ?\d{3} ?\d{3}\b", tfn), &TFN),
        rule(
            PHONE_CLASS,
            Digits(10),
            r"(?:\b1[ .\-])?(?:\([2-9]\d{2}\) ?|\b[2-9]\d{2}[.\- ])[2-9]\d{2}[.\-]\d{4}\b",
            national_phone,
        ),
        near(
            rule(
                PHONE_CLASS,
                Digits(7),
                r"[(]?\b\d(?:[ ().\-/]{0,3}\d){6,12}\b",
                national_phone,
            ),
            &PHONE,
        ),
        // Words near it say more than one check digit.
        rule(NATIONAL, Digits(10), r"\b\d{3} \d{3} \d{4}\b", nhs),
        rule(IP, Digits(4), r"\b(?:\d{1,3}\.){3}\d{1,3}\b", ip4),
        rule(
            IP,
            Colon,
            r"(?:[0-9A-Fa-f]{1,4}:|::)(?:[0-9A-Fa-f]{0,4}:){1,6}(?:[0-9A-Fa-f]{1,4}|(?:\d{1,3}\.){3}\d{1,3})?|::[0-9A-Fa-f]{1,4}\b",
            ip6,
        ),
        near(
            rule(
                BIRTH_CLASS,
                Digits(3),
                r"(?i)\b(?:\d{1,4}[./\-]\d{1,2}[./\-]\d{1,4}|\d{1,2}\.?(?:st|nd|rd|th)? (?:de )?[a-zäéû]{3,10}\.?,? (?:de )?\d{4}|[a-z]{3,9}\.? \d{1,2}(?:st|nd|rd|th)?,? \d{4})\b",
                any,
            ),
            &BIRTH,
        ),
    ]
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pattern_is_one_and_matches_no_empty_text() {
        for rule in RULES.iter() {
            assert!(
                !rule.pattern.as_str().is_empty() && !rule.pattern.is_match(""),
                "{}",
                rule.class
            );
            assert!(rule.near.is_none_or(|near| !near.is_match("")), "{}", rule.class);
        }
    }
}
