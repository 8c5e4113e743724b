//! A service's key itself. Never shows itself by accident, and is never stored.

use std::fmt;

use claw_core::grants::hex;
use rand::RngExt as _;
use sha2::{Digest, Sha256};

/// What it begins with, so that scanners for leaked keys can know it.
const PREFIX: &str = "claw_sk_";
/// 256 random bits in hex.
const DIGITS: usize = 64;
/// The letters of ids: no i, l, o, u.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// Characters of an id behind its prefix: 80 random bits.
const ID_LETTERS: usize = 16;

/// A key, at the one moment when it can be seen.
pub struct ServiceSecret(String);

impl ServiceSecret {
    pub(super) fn generate() -> Self {
        let random: [u8; DIGITS / 2] = rand::rng().random();
        ServiceSecret(format!("{PREFIX}{}", hex(&random)))
    }

    /// The text, for the one who asked for it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    pub(super) fn hash(&self) -> [u8; 32] {
        Sha256::digest(&self.0).into()
    }
}

impl fmt::Debug for ServiceSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// What is kept of a key that has this form; nothing for what cannot be one.
pub(super) fn hash_of(presented: &str) -> Option<[u8; 32]> {
    let digits = presented.strip_prefix(PREFIX)?;
    let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    (digits.len() == DIGITS && digits.bytes().all(is_digit)).then(|| Sha256::digest(presented).into())
}

/// A public id.
pub(super) fn new_id() -> String {
    let random: u128 = rand::rng().random();
    let letters = (0..ID_LETTERS).map(|place| {
        let digit = (random >> (place * 5)) & 31;
        char::from(ALPHABET.get(digit as usize).copied().unwrap_or(b'0'))
    });
    "key_".chars().chain(letters).collect()
}
