//! Callers known by fixed tokens, and several ways to know one. Keeps hashes only, compares
//! them in constant time, and refuses tokens that could be guessed.

use std::fmt;
use std::sync::Arc;

use claw_core::ports::{Caller, Identity};
use sha2::{Digest, Sha256};
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};

/// Tokens shorter than this could be guessed.
const SHORTEST_TOKEN: usize = 32;

/// Callers by the SHA-256 of their tokens.
#[derive(Default)]
pub struct StaticTokens {
    known: Vec<([u8; 32], Caller)>,
}

/// The token is too short to be beyond guessing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a token needs at least {SHORTEST_TOKEN} characters, made at random")]
pub struct WeakToken;

impl StaticTokens {
    /// Nobody is known.
    pub fn new() -> Self {
        StaticTokens::default()
    }

    /// Knows a caller by a token, of which only the hash is kept.
    ///
    /// # Errors
    /// [`WeakToken`] for one of fewer than 32 characters.
    pub fn with_token(self, token: &str, caller: Caller) -> Result<Self, WeakToken> {
        if token.len() < SHORTEST_TOKEN {
            return Err(WeakToken);
        }
        Ok(self.with_hash(Self::hash(token), caller))
    }

    /// Knows a caller by the hash of a token, as [`StaticTokens::hash`] makes it.
    #[must_use]
    pub fn with_hash(mut self, hash: [u8; 32], caller: Caller) -> Self {
        self.known.push((hash, caller));
        self
    }

    /// What is kept of a token.
    pub fn hash(token: &str) -> [u8; 32] {
        Sha256::digest(token).into()
    }
}

impl Identity for StaticTokens {
    fn authenticate(&self, presented: &str) -> Option<Caller> {
        let presented = Self::hash(presented);
        // Every hash is looked at, whichever matches: the time says nothing.
        let mut place = 0u64;
        let mut found = Choice::from(0);
        for (index, (hash, _)) in (0u64..).zip(&self.known) {
            let same = hash.ct_eq(&presented);
            place.conditional_assign(&index, same);
            found |= same;
        }
        let place = usize::try_from(place).ok().filter(|_| found.into())?;
        self.known.get(place).map(|(_, caller)| caller.clone())
    }
}

impl fmt::Debug for StaticTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.known.iter().map(|(_, caller)| caller)).finish()
    }
}

/// Several ways to know a caller: the first that does counts.
pub struct FirstOf(Vec<Arc<dyn Identity>>);

impl FirstOf {
    /// These, asked in this order.
    pub fn new(identities: Vec<Arc<dyn Identity>>) -> Self {
        FirstOf(identities)
    }
}

impl Identity for FirstOf {
    fn authenticate(&self, presented: &str) -> Option<Caller> {
        self.0.iter().find_map(|identity| identity.authenticate(presented))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
    use super::*;

    fn caller(subject: &str) -> Caller {
        Caller {
            subject: subject.to_owned(),
            operator: false,
            key: None,
        }
    }

    #[test]
    fn finds_the_caller_of_a_token_and_nobody_else() {
        let (one, two) = ("1".repeat(32), "2".repeat(32));
        let tokens = StaticTokens::new()
            .with_token(&one, caller("one"))
            .unwrap()
            .with_token(&two, caller("two"))
            .unwrap();
        assert_eq!(tokens.authenticate(&one), Some(caller("one")));
        assert_eq!(tokens.authenticate(&two), Some(caller("two")));
        for wrong in ["", &one[1..], &format!("{one} "), &one.replace('1', "3")] {
            assert_eq!(tokens.authenticate(wrong), None, "{wrong:?}");
        }
        assert_eq!(StaticTokens::new().authenticate(&one), None);
    }

    #[test]
    fn several_are_asked_in_their_order() {
        let [one, two] = ["1", "2"].map(|digit| digit.repeat(32));
        let knows = |token: &str, name: &str| -> Arc<dyn Identity> {
            Arc::new(StaticTokens::new().with_token(token, caller(name)).unwrap())
        };
        let both = FirstOf::new(vec![knows(&one, "a"), knows(&two, "b"), knows(&one, "c")]);
        assert_eq!(both.authenticate(&one), Some(caller("a")));
        assert_eq!(both.authenticate(&two), Some(caller("b")));
        assert_eq!(both.authenticate("3"), None);
        assert_eq!(FirstOf::new(Vec::new()).authenticate(&one), None);
    }

    #[test]
    fn keeps_no_token_and_no_weak_one() {
        assert_eq!(StaticTokens::new().with_token("short", caller("x")).err(), Some(WeakToken));
        let token = "canary-0123456789-0123456789-0123456789";
        let tokens = StaticTokens::new().with_token(token, caller("x")).unwrap();
        assert!(!format!("{tokens:?}").contains("canary"));
    }
}
