//! `${NAME}` in a value. Refuses what is not closed; an empty variable counts as not set.

/// What stands before the name of a secret.
const SECRET: &str = "secret:";

/// Why a value cannot be filled in.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Unexpanded {
    /// `${` without a name and `}`.
    Malformed,
    /// The variable is not set, or empty.
    Unset(String),
}

/// The value with its variables filled in.
pub(crate) fn expand(text: &str, env: &dyn Fn(&str) -> Option<String>) -> Result<String, Unexpanded> {
    let mut expanded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        let (name, tail) = after.split_once('}').ok_or(Unexpanded::Malformed)?;
        if !is_variable(name) {
            return Err(Unexpanded::Malformed);
        }
        let value = env(name)
            .filter(|value| !value.is_empty())
            .ok_or_else(|| Unexpanded::Unset(name.to_owned()))?;
        expanded.push_str(before);
        expanded.push_str(&value);
        rest = tail;
    }
    expanded.push_str(rest);
    Ok(expanded)
}

/// How to set what is not set.
pub(crate) fn how_to_set(name: &str) -> String {
    match name.strip_prefix(SECRET) {
        Some(secret) => format!("keep it with `claw secret set {secret}`"),
        None => format!("set the environment variable `{name}`"),
    }
}

/// That it is not set, in words.
pub(crate) fn not_set(name: &str) -> String {
    match name.strip_prefix(SECRET) {
        Some(secret) => format!("there is no secret `{secret}`: {}", how_to_set(name)),
        None => format!("the environment variable `{name}` is not set"),
    }
}

/// A variable's name, or that of a secret of the home's own store: `secret:name`.
fn is_variable(name: &str) -> bool {
    if let Some(name) = name.strip_prefix(SECRET) {
        let good = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
        return (1..=64).contains(&name.len()) && name.bytes().all(good);
    }
    name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') && name.bytes().next().is_some_and(|b| !b.is_ascii_digit())
}
