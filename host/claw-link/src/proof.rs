//! Proof of who a node is: it signs what the gateway has just said, with a key that never leaves
//! it. The gateway's host and key are in what is signed, so that no false gateway can hand the
//! proof on; the nonce is, so that none is good twice. Stores no key and decides about no node.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ring::rand::SystemRandom;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};

/// What the signature is for, so that it is none for anything else.
const PURPOSE: &[u8] = b"claw-node-v1";

/// A nonce is so long, in bytes.
const NONCE: usize = 32;

/// What a node claims, as both ends see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim<'a> {
    /// The host and port of the gateway, as the node dialled it, in lower case.
    pub gateway_host: &'a str,
    /// The gateway's public key, as its challenge has it.
    pub gateway_key: &'a str,
    /// The node's id.
    pub node: &'a str,
    /// The challenge's nonce, as it came.
    pub nonce: &'a str,
}

impl Claim<'_> {
    /// Each part with its length before it: no two claims are the same bytes.
    fn bytes(&self) -> Vec<u8> {
        let parts = [
            PURPOSE,
            self.gateway_host.as_bytes(),
            self.gateway_key.as_bytes(),
            self.node.as_bytes(),
            self.nonce.as_bytes(),
        ];
        let mut bytes = Vec::new();
        for part in parts {
            bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
            bytes.extend_from_slice(part);
        }
        bytes
    }
}

/// A nonce that nobody can guess, in base64.
///
/// # Errors
/// The machine gives no random bytes.
pub fn nonce() -> Result<String, NoRandom> {
    let mut bytes = [0; NONCE];
    ring::rand::SecureRandom::fill(&SystemRandom::new(), &mut bytes).map_err(|_| NoRandom)?;
    Ok(BASE64.encode(bytes))
}

/// The machine gives no random bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the machine gives no random bytes")]
pub struct NoRandom;

/// A proof that is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadProof {
    /// It is no Ed25519 key.
    #[error("the public key is not 32 bytes in base64")]
    Key,
    /// It is no signature.
    #[error("the signature is not 64 bytes in base64")]
    Signature,
    /// Another key signed, or something else was signed.
    #[error("the signature is not of this key over what this gateway said")]
    Mismatch,
    /// The file of a key is damaged.
    #[error("the private key is no Ed25519 key in PKCS#8")]
    PrivateKey,
}

/// The two halves of a node's key.
pub struct NodeKey {
    pair: Ed25519KeyPair,
    pkcs8: Vec<u8>,
}

impl NodeKey {
    /// A new one.
    ///
    /// # Errors
    /// The machine gives no random bytes.
    pub fn generate() -> Result<Self, NoRandom> {
        let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).map_err(|_| NoRandom)?;
        NodeKey::from_pkcs8(pkcs8.as_ref()).map_err(|_| NoRandom)
    }

    /// One that was kept.
    ///
    /// # Errors
    /// [`BadProof::PrivateKey`].
    pub fn from_pkcs8(pkcs8: &[u8]) -> Result<Self, BadProof> {
        let pair = Ed25519KeyPair::from_pkcs8(pkcs8).map_err(|_| BadProof::PrivateKey)?;
        Ok(NodeKey {
            pair,
            pkcs8: pkcs8.to_vec(),
        })
    }

    /// What to keep, and to show nobody.
    pub fn to_pkcs8(&self) -> &[u8] {
        &self.pkcs8
    }

    /// The public half, in base64.
    pub fn public_key(&self) -> String {
        BASE64.encode(self.pair.public_key())
    }

    /// Proof of a claim, in base64.
    pub fn sign(&self, claim: &Claim<'_>) -> String {
        BASE64.encode(self.pair.sign(&claim.bytes()))
    }
}

impl fmt::Debug for NodeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NodeKey({})", self.public_key())
    }
}

/// Whether a signature proves a claim.
///
/// # Errors
/// It does not, and why.
pub fn verify(claim: &Claim<'_>, public_key: &str, signature: &str) -> Result<(), BadProof> {
    let sized = |text: &str, size: usize| BASE64.decode(text).ok().filter(|bytes| bytes.len() == size);
    let key = sized(public_key, 32).ok_or(BadProof::Key)?;
    let signature = sized(signature, 64).ok_or(BadProof::Signature)?;
    UnparsedPublicKey::new(&ED25519, key)
        .verify(&claim.bytes(), &signature)
        .map_err(|_| BadProof::Mismatch)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

    use super::*;

    fn claim(nonce: &str) -> Claim<'_> {
        Claim {
            gateway_host: "gateway.example.com:443",
            gateway_key: "Z2F0ZXdheQ==",
            node: "local-gpu-node-01",
            nonce,
        }
    }

    #[test]
    fn who_has_the_key_is_believed_and_a_kept_key_is_the_same() {
        let key = NodeKey::generate().unwrap();
        let nonce = nonce().unwrap();
        let proof = key.sign(&claim(&nonce));
        verify(&claim(&nonce), &key.public_key(), &proof).unwrap();
        let kept = NodeKey::from_pkcs8(key.to_pkcs8()).unwrap();
        verify(&claim(&nonce), &kept.public_key(), &kept.sign(&claim(&nonce))).unwrap();
        assert_eq!(format!("{key:?}"), format!("NodeKey({})", key.public_key()));
    }

    #[test]
    fn a_proof_is_good_for_one_gateway_one_node_and_one_nonce() {
        let key = NodeKey::generate().unwrap();
        let proof = key.sign(&claim("once"));
        let own = claim("once");
        for other in [
            claim("again"),
            Claim {
                gateway_host: "evil.example.com:443",
                ..own
            },
            Claim {
                gateway_key: "ZXZpbA==",
                ..own
            },
            Claim { node: "other", ..own },
            // The same letters, parted elsewhere.
            Claim {
                node: "local-gpu-node-01o",
                nonce: "nce",
                ..own
            },
        ] {
            assert_eq!(
                verify(&other, &key.public_key(), &proof),
                Err(BadProof::Mismatch),
                "{other:?}"
            );
        }
        let stranger = NodeKey::generate().unwrap();
        assert_eq!(verify(&own, &stranger.public_key(), &proof), Err(BadProof::Mismatch));
        assert_ne!(nonce().unwrap(), nonce().unwrap());
    }

    #[test]
    fn what_is_no_proof_is_named() {
        let key = NodeKey::generate().unwrap();
        let (public, proof) = (key.public_key(), key.sign(&claim("n")));
        for bad in ["", "!", "AAAA", &proof] {
            assert_eq!(verify(&claim("n"), bad, &proof), Err(BadProof::Key), "{bad}");
        }
        for bad in ["", "!", "AAAA", &public] {
            assert_eq!(verify(&claim("n"), &public, bad), Err(BadProof::Signature), "{bad}");
        }
        let zeros = BASE64.encode([0; 32]);
        assert_eq!(verify(&claim("n"), &zeros, &proof), Err(BadProof::Mismatch));
        for damaged in [&[][..], &[0; 85], key.to_pkcs8().split_last().unwrap().1] {
            assert_eq!(NodeKey::from_pkcs8(damaged).err(), Some(BadProof::PrivateKey));
        }
    }
}
