//! Paths as git writes them: quoted with C escapes where they hold anything unusual.

/// The name that both sides of `diff --git a/x b/x` have, or the new one where the two are
/// quoted and differ. `None` where only later lines can tell.
pub fn both(names: &str) -> Option<String> {
    let names = names.strip_suffix('\r').unwrap_or(names);
    if names.starts_with('"') || names.ends_with('"') {
        let second = if names.ends_with('"') {
            let start = names.get(..names.len() - 1)?.rfind(" \"")? + 1;
            names.get(start..)?
        } else {
            let (_, rest) = quoted(names)?;
            rest.strip_prefix(' ')?
        };
        return side(second);
    }
    // `a/` NAME ` b/` NAME: the only place to split is the middle.
    let middle = names.len() / 2;
    let (old, new) = (names.get(..middle)?, names.get(middle..)?.strip_prefix(' ')?);
    let plain = |name: &'_ str| name.split_once('/').map(|(_, rest)| rest.to_owned());
    (plain(old)? == plain(new)?).then(|| plain(new)).flatten()
}

/// The path of one side, without its `a/` or `b/`; `None` for `/dev/null`.
pub fn side(name: &str) -> Option<String> {
    // A tab ends a name that holds spaces.
    let name = name.strip_suffix('\t').unwrap_or(name);
    if name == "/dev/null" {
        return None;
    }
    let name = unquote(name);
    let path = name.strip_prefix("a/").or_else(|| name.strip_prefix("b/")).unwrap_or(&name);
    Some(path.to_owned())
}

/// The path, its quotes and escapes undone.
pub fn unquote(name: &str) -> String {
    let name = name.strip_suffix('\r').unwrap_or(name);
    match quoted(name) {
        Some((bytes, _)) => shown(&bytes),
        None => name.to_owned(),
    }
}

/// A quoted name at the start of the text, and what follows it.
fn quoted(text: &str) -> Option<(Vec<u8>, &str)> {
    let mut rest = text.strip_prefix('"')?;
    let mut bytes = Vec::new();
    loop {
        let next = rest.chars().next()?;
        rest = rest.get(next.len_utf8()..)?;
        match next {
            '"' => return Some((bytes, rest)),
            '\\' => {
                let escaped = rest.chars().next()?;
                if let Some(value) = rest.get(..3).and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
                    bytes.push(value);
                    rest = rest.get(3..)?;
                    continue;
                }
                rest = rest.get(escaped.len_utf8()..)?;
                let byte = match escaped {
                    'a' => 7,
                    'b' => 8,
                    't' => b'\t',
                    'n' => b'\n',
                    'v' => 11,
                    'f' => 12,
                    'r' => b'\r',
                    other => {
                        bytes.extend_from_slice(other.encode_utf8(&mut [0; 4]).as_bytes());
                        continue;
                    }
                };
                bytes.push(byte);
            }
            other => bytes.extend_from_slice(other.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
}

/// Bytes as text in which nothing is lost: what is no UTF-8 or a control stands as `\xNN`.
fn shown(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            if c.is_control() {
                text.push_str(&format!("\\x{:02x}", u32::from(c)));
            } else {
                text.push(c);
            }
        }
        for byte in chunk.invalid() {
            text.push_str(&format!("\\x{byte:02x}"));
        }
    }
    text
}

#[cfg(test)]
mod tests;
