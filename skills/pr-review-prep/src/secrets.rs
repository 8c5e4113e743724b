//! What looks like a secret in a line of text. Answers what kind it is and never the value.

/// A token that begins in a way that only such tokens do.
struct Shape {
    kind: &'static str,
    prefix: &'static str,
    /// How many characters of `rest` follow, at least.
    least: usize,
    /// Whether exactly so many do.
    exact: bool,
    rest: fn(char) -> bool,
}

fn upper(c: char) -> bool {
    c.is_ascii_uppercase() || c.is_ascii_digit()
}

fn alnum(c: char) -> bool {
    c.is_ascii_alphanumeric()
}

fn word(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-')
}

const fn shape(kind: &'static str, prefix: &'static str, least: usize, exact: bool, rest: fn(char) -> bool) -> Shape {
    Shape {
        kind,
        prefix,
        least,
        exact,
        rest,
    }
}

const SHAPES: &[Shape] = &[
    shape("AWS access key", "AKIA", 16, true, upper),
    shape("AWS access key", "ASIA", 16, true, upper),
    shape("GitHub token", "ghp_", 30, false, alnum),
    shape("GitHub token", "gho_", 30, false, alnum),
    shape("GitHub token", "ghu_", 30, false, alnum),
    shape("GitHub token", "ghs_", 30, false, alnum),
    shape("GitHub token", "ghr_", 30, false, alnum),
    shape("GitHub token", "github_pat_", 22, false, word),
    shape("GitLab token", "glpat-", 20, false, word),
    shape("Slack token", "xoxb-", 10, false, word),
    shape("Slack token", "xoxp-", 10, false, word),
    shape("Slack token", "xoxa-", 10, false, word),
    shape("Slack token", "xoxs-", 10, false, word),
    shape("Slack webhook", "hooks.slack.com/services/T", 20, false, |c| {
        word(c) || c == '/'
    }),
    shape("Google API key", "AIza", 35, true, word),
    shape("Stripe key", "sk_live_", 16, false, alnum),
    shape("Stripe key", "rk_live_", 16, false, alnum),
    shape("model provider key", "sk-ant-", 20, false, word),
    shape("model provider key", "sk-proj-", 20, false, word),
    shape("model provider key", "sk-", 40, false, alnum),
    shape("npm token", "npm_", 36, true, alnum),
    shape("PyPI token", "pypi-AgE", 30, false, word),
    shape("SendGrid key", "SG.", 60, false, |c| word(c) || c == '.'),
];

/// Words in the name of what is assigned, that make its value a secret.
const NAMES: &[&str] = &[
    "accesskey",
    "apikey",
    "authtoken",
    "clientsecret",
    "credential",
    "encryptionkey",
    "passphrase",
    "passwd",
    "password",
    "privatekey",
    "pwd",
    "secret",
    "secretkey",
    "signingkey",
    "token",
];

/// Words in a value, that make it a stand-in.
const STAND_INS: &[&str] = &[
    "change",
    "dummy",
    "env",
    "example",
    "fake",
    "foo",
    "getenv",
    "insert",
    "lorem",
    "mock",
    "password",
    "placeholder",
    "redacted",
    "replace",
    "sample",
    "secret",
    "test",
    "todo",
    "vault",
    "xxxx",
    "your",
    "****",
    "....",
];

/// What kind of secret the line seems to hold.
pub fn kind_in(line: &str) -> Option<&'static str> {
    private_key(line)
        .or_else(|| shaped(line))
        .or_else(|| jwt(line))
        .or_else(|| url_password(line))
        .or_else(|| assigned(line))
}

fn private_key(line: &str) -> Option<&'static str> {
    let (_, rest) = line.split_once("-----BEGIN ")?;
    let (what, _) = rest.split_once("-----")?;
    what.contains("PRIVATE KEY").then_some("private key")
}

/// Every place of `needle` that no letter or digit stands before.
fn places<'a>(line: &'a str, needle: &'a str) -> impl Iterator<Item = &'a str> {
    line.match_indices(needle).filter_map(move |(at, _)| {
        let before = line.get(..at)?.chars().next_back();
        before.is_none_or(|c| !word(c)).then(|| line.get(at + needle.len()..))?
    })
}

fn shaped(line: &str) -> Option<&'static str> {
    let fits = |shape: &&Shape| {
        places(line, shape.prefix).any(|rest| {
            let length = rest.chars().take_while(|c| (shape.rest)(*c)).count();
            let value: String = rest.chars().take(length).collect();
            (length == shape.least || (!shape.exact && length > shape.least)) && !is_repetitive(&value)
        })
    };
    SHAPES.iter().find(fits).map(|shape| shape.kind)
}

/// `xxxxxxxx` and `00000000` are in every document.
fn is_repetitive(value: &str) -> bool {
    let mut seen: Vec<char> = value.chars().collect();
    seen.sort_unstable();
    seen.dedup();
    seen.len() < 5
}

fn jwt(line: &str) -> Option<&'static str> {
    let is_jwt = places(line, "eyJ").any(|rest| {
        let token: String = rest.chars().take_while(|c| word(*c) || *c == '.').collect();
        let mut parts = token.split('.');
        let long = |part: Option<&str>| part.is_some_and(|part| part.len() >= 10);
        long(parts.next()) && parts.next().is_some_and(|part| part.starts_with("eyJ") && part.len() >= 10) && long(parts.next())
    });
    is_jwt.then_some("JSON web token")
}

/// `scheme://user:password@host`
fn url_password(line: &str) -> Option<&'static str> {
    let found = line.match_indices("://").any(|(at, _)| {
        let rest = line.get(at + 3..).unwrap_or_default();
        let authority = rest
            .split(['/', '?', '#', '"', '\'', '`', ' ', '<', '>', ')'])
            .next()
            .unwrap_or_default();
        let Some((user, _)) = authority.rsplit_once('@') else {
            return false;
        };
        let Some((_, password)) = user.split_once(':') else {
            return false;
        };
        password.len() >= 6 && !is_stand_in(password)
    });
    found.then_some("password in a URL")
}

/// `api_key = "…"`, `SECRET: …`, `"token": "…"`.
fn assigned(line: &str) -> Option<&'static str> {
    // A line of a megabyte is no assignment.
    const LONGEST: usize = 4_096;
    if line.len() > LONGEST {
        return None;
    }
    let found = line.char_indices().filter(|(_, c)| matches!(c, '=' | ':')).any(|(at, sign)| {
        let before = line
            .get(..at)
            .unwrap_or_default()
            .trim_end_matches([' ', '\t', '"', '\'', ':', '=', '?']);
        let start = before.rfind(|c: char| !(word(c) || c == '.')).map_or(0, |at| {
            at + before
                .get(at..)
                .and_then(|rest| rest.chars().next())
                .map_or(1, char::len_utf8)
        });
        let name: String = before
            .get(start..)
            .unwrap_or_default()
            .to_lowercase()
            .chars()
            .filter(char::is_ascii_alphanumeric)
            .collect();
        let after = line
            .get(at + sign.len_utf8()..)
            .unwrap_or_default()
            .trim_start_matches([' ', '\t', '=', '>']);
        NAMES.iter().any(|known| name.ends_with(known)) && is_secret_value(after)
    });
    found.then_some("assigned secret")
}

fn is_secret_value(after: &str) -> bool {
    let (value, quoted) = match after.chars().next() {
        Some(quote @ ('"' | '\'' | '`')) => (
            after.get(1..).and_then(|rest| rest.split(quote).next()).unwrap_or_default(),
            true,
        ),
        _ => (after.split([' ', '\t', ',', ';', '#']).next().unwrap_or_default(), false),
    };
    // An expression is no value, and unquoted names are none either.
    let plain = |c: char| alnum(c) || matches!(c, '_' | '-' | '+' | '/' | '=' | '.' | '!' | '@' | '%' | '^' | '&' | '*' | '~');
    if !(16..=512).contains(&value.len()) || !value.chars().all(plain) || is_stand_in(value) {
        return false;
    }
    let digits = value.chars().filter(char::is_ascii_digit).count();
    let letters = value.chars().filter(char::is_ascii_alphabetic).count();
    let path_like = value.contains('/') && value.split('/').all(|part| part.len() < 16);
    digits >= 2 && letters >= 2 && !path_like && entropy(value) >= if quoted { 3.2 } else { 3.5 }
}

fn is_stand_in(value: &str) -> bool {
    let lower = value.to_lowercase();
    lower.starts_with(['$', '{', '<', '%', '[']) || STAND_INS.iter().any(|word| lower.contains(word))
}

/// Bits a character.
fn entropy(value: &str) -> f64 {
    let mut counts = [0_u32; 128];
    for byte in value.bytes() {
        if let Some(count) = counts.get_mut(usize::from(byte)) {
            *count += 1;
        }
    }
    let length = value.len() as f64;
    counts.iter().filter(|count| **count > 0).fold(0.0, |bits, count| {
        let share = f64::from(*count) / length;
        bits - share * share.log2()
    })
}

#[cfg(test)]
mod tests;
