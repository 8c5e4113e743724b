//! Values that a command was given and nobody else may see, cut out of what it writes.

/// Values shorter than this are no secrets, and cutting them out would eat the output.
const SHORTEST: usize = 4;

/// Names and values of what is to be cut out.
#[derive(Clone, Default)]
pub(crate) struct Redactor {
    secrets: Vec<(String, Vec<u8>)>,
}

impl std::fmt::Debug for Redactor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.secrets.iter().map(|(name, _)| name)).finish()
    }
}

impl Redactor {
    pub(crate) fn new(values: impl IntoIterator<Item = (String, String)>) -> Self {
        let mut secrets: Vec<(String, Vec<u8>)> = values
            .into_iter()
            .map(|(name, value)| (name, value.trim().as_bytes().to_vec()))
            .filter(|(_, value)| value.len() >= SHORTEST)
            .collect();
        // One value may hold another.
        secrets.sort_by_key(|(_, value)| std::cmp::Reverse(value.len()));
        Redactor { secrets }
    }

    /// The bytes without the values. Where the output was `cut`, its end may hold the
    /// beginning of one: that goes too.
    pub(crate) fn redact(&self, mut bytes: Vec<u8>, cut: bool) -> Vec<u8> {
        for (name, secret) in &self.secrets {
            if bytes.windows(secret.len()).any(|window| window == secret) {
                bytes = replace(&bytes, secret, format!("[redacted:{name}]").as_bytes());
            }
            if cut {
                let most = (secret.len() - 1).min(bytes.len());
                let tail = (1..=most)
                    .rev()
                    .find(|length| bytes.ends_with(secret.get(..*length).unwrap_or_default()));
                bytes.truncate(bytes.len() - tail.unwrap_or(0));
            }
        }
        bytes
    }
}

fn replace(bytes: &[u8], secret: &[u8], with: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((first, after)) = rest.split_first() {
        match rest.strip_prefix(secret) {
            Some(after) => {
                out.extend_from_slice(with);
                rest = after;
            }
            None => {
                out.push(*first);
                rest = after;
            }
        }
    }
    out
}

#[cfg(test)]
mod tests;
