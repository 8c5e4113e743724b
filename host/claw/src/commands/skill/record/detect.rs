//! Secrets and personal data in text, by their shapes. A guess on the safe side: it may take
//! a number for a telephone's; it refuses to say what it found, only of which kind it is.

use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

use crate::home::Home;

/// What was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Class {
    /// A value that this home or its environment keeps secret.
    OwnSecret,
    /// A private key, whole.
    PrivateKey,
    /// A signed token of the form `a.b.c`.
    Jwt,
    /// A key of a known provider.
    ApiKey,
    /// What follows `Bearer`, or stands as a password.
    Credential,
    /// An e-mail address.
    Email,
    /// A card number with a valid check digit.
    Card,
    /// A telephone number.
    Phone,
}

impl Class {
    /// The word in placeholders and messages.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Class::OwnSecret => "own-secret",
            Class::PrivateKey => "private-key",
            Class::Jwt => "jwt",
            Class::ApiKey => "api-key",
            Class::Credential => "credential",
            Class::Email => "email",
            Class::Card => "card",
            Class::Phone => "phone",
        }
    }

    /// It opens something; anything else is about a person.
    pub(super) fn is_secret(self) -> bool {
        match self {
            Class::OwnSecret | Class::PrivateKey | Class::Jwt | Class::ApiKey | Class::Credential => true,
            Class::Email | Class::Card | Class::Phone => false,
        }
    }
}

/// Secrets that are known by their value.
#[derive(Clone, Default)]
pub(super) struct Known {
    values: Vec<String>,
}

impl Known {
    /// The home's token and secrets, and what the environment calls a key, a token, a secret or a password.
    pub(super) fn of(home: &Home) -> Self {
        let named = |name: &str| {
            ["KEY", "TOKEN", "SECRET", "PASSWORD"]
                .iter()
                .any(|word| name.to_ascii_uppercase().contains(word))
        };
        let variables =
            std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        let variables = variables
            .filter(|(name, value)| named(name) && !value.contains('/'))
            .map(|(_, value)| value);
        // A store that does not open gives nothing away.
        let secrets = crate::config::secrets(home).unwrap_or_default();
        let kept = secrets.names().filter_map(|(name, _)| secrets.get(name).map(str::to_owned));
        Known::new(variables.chain(home.token().ok()).chain(kept))
    }

    /// These values; short ones would be found everywhere.
    pub(super) fn new(values: impl IntoIterator<Item = String>) -> Self {
        Known {
            values: values.into_iter().filter(|value| value.len() >= 12).collect(),
        }
    }
}

/// A shape, and which group of it is what was found.
struct Shape {
    class: Class,
    regex: Regex,
}

/// In the order in which they win where they overlap.
static SHAPES: LazyLock<Vec<Shape>> = LazyLock::new(|| {
    let shapes = [
        (
            Class::PrivateKey,
            r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----(?s:.*?)(?:-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----|\z)",
        ),
        (Class::Jwt, r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*"),
        (Class::ApiKey, r"\bsk-(?:ant|proj|svcacct|admin|or)?-?[A-Za-z0-9_-]{20,}"),
        (Class::ApiKey, r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"),
        (
            Class::ApiKey,
            r"\b(?:gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,}|glpat-[A-Za-z0-9_-]{16,})",
        ),
        (Class::ApiKey, r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}|\bxapp-[A-Za-z0-9-]{10,}"),
        (Class::ApiKey, r"\bAIza[A-Za-z0-9_-]{30,}|\bya29\.[A-Za-z0-9_-]{20,}"),
        (Class::ApiKey, r"\b[rs]k_(?:live|test)_[A-Za-z0-9]{16,}"),
        (
            Class::ApiKey,
            r"\bhf_[A-Za-z0-9]{20,}|\bnpm_[A-Za-z0-9]{30,}|\bpypi-[A-Za-z0-9_-]{30,}|\bgsk_[A-Za-z0-9]{20,}|\bclaw_[a-z]+_[0-9a-f]{16,}",
        ),
        (Class::ApiKey, r"\bSG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}"),
        (Class::Credential, r"(?i:\b(?:bearer|basic))\s+([A-Za-z0-9._~+/=-]{16,})"),
        (Class::Credential, r"://[^\s/:@]+:([^\s/@]+)@"),
        (
            Class::Credential,
            r#"(?i:\b[a-z0-9_-]*(?:api[_-]?key|access[_-]?key|secret|token|passwd|password))["']?\s*[:=]\s*["']?([A-Za-z0-9._~+/=-]{12,})"#,
        ),
        (Class::Email, r"[\w.%+-]+@[\w-]+(?:\.[\w-]+)*\.\pL{2,}"),
        (Class::Card, r"\b\d(?:[ -]?\d){12,18}\b"),
        (Class::Phone, r"\+\d{1,3}[ .-]?\(?\d{1,4}\)?(?:[ .-]?\d{2,4}){2,5}\b"),
        (Class::Phone, r"(?:\(\d{3}\) ?|\b\d{3}[ .-])\d{3}[ .-]\d{4}\b"),
    ];
    let shape = |(class, text): (Class, &str)| Regex::new(text).ok().map(|regex| Shape { class, regex });
    shapes.into_iter().filter_map(shape).collect()
});

/// Everything found in a text, from left to right, without overlaps.
pub(super) fn find(text: &str, known: &Known) -> Vec<(Range<usize>, Class)> {
    let mut found: Vec<(Range<usize>, Class)> = Vec::new();
    let mut add = |range: Range<usize>, class: Class| {
        let overlaps = |(taken, _): &(Range<usize>, Class)| taken.start < range.end && range.start < taken.end;
        if !found.iter().any(overlaps) {
            found.push((range, class));
        }
    };
    for value in &known.values {
        for (start, _) in text.match_indices(value.as_str()) {
            add(start..start + value.len(), Class::OwnSecret);
        }
    }
    for shape in SHAPES.iter() {
        for captures in shape.regex.captures_iter(text) {
            let Some(hit) = captures.get(1).or_else(|| captures.get(0)) else {
                continue;
            };
            if is_meant(shape.class, hit.as_str()) {
                add(hit.range(), shape.class);
            }
        }
    }
    found.sort_by_key(|(range, _)| range.start);
    found
}

fn is_meant(class: Class, text: &str) -> bool {
    match class {
        // `git@host` is how repositories are named.
        Class::Email => !text.starts_with("git@"),
        Class::Card => is_card(text),
        Class::Phone => (8..=15).contains(&text.bytes().filter(u8::is_ascii_digit).count()),
        Class::Credential => text.chars().any(|c| c.is_ascii_digit()) || text.len() < 12,
        Class::OwnSecret | Class::PrivateKey | Class::Jwt | Class::ApiKey => true,
    }
}

/// The check digit of ISO/IEC 7812 fits, and an issuer has numbers of that kind.
fn is_card(text: &str) -> bool {
    let digits: Vec<u32> = text.chars().filter_map(|c| c.to_digit(10)).collect();
    let begin = digits.iter().take(4).fold(0, |number, digit| number * 10 + digit);
    let issued = match digits.len() {
        13 | 19 => begin / 1_000 == 4 || begin / 100 == 62,
        14 => matches!(begin / 10, 300..=305 | 360..=369 | 380..=399),
        15 => matches!(begin / 100, 34 | 37),
        16 => begin / 1_000 == 4 || matches!(begin / 100, 50..=59 | 60..=69 | 35) || (2_221..=2_720).contains(&begin),
        _ => false,
    };
    let sum = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(place, digit)| match (place % 2, digit * 2) {
            (0, _) => *digit,
            (_, double) if double > 9 => double - 9,
            (_, double) => double,
        });
    issued && sum.sum::<u32>() % 10 == 0
}

#[cfg(test)]
mod tests;
