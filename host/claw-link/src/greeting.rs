//! The first words of a link, without the link: the gateway's challenge, the node's hello, and
//! whether its proof holds. Each challenge is good for one hello. Who a key belongs to, and what
//! it may offer, is for others to say.

use crate::frames::{BadFrame, Challenge, Frame, Hello, Proof, Refused, SPOKEN};
use crate::proof::{BadProof, Claim, NoRandom, NodeKey, nonce, verify};

/// Why a node is not taken, or does not go on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoGreeting {
    /// The two ends have no version in common.
    #[error("this end speaks the versions {} to {} of the protocol, the other end {theirs}", SPOKEN.oldest, SPOKEN.newest)]
    Version {
        /// Theirs, in words.
        theirs: String,
    },
    /// Something else was to come first.
    #[error("`{wanted}` was to come first, and `{came}` came")]
    Order {
        /// The frame that was waited for.
        wanted: &'static str,
        /// The frame that came.
        came: String,
    },
    /// What came is no frame.
    #[error(transparent)]
    Frame(#[from] BadFrame),
    /// It is not the gateway that the node knows.
    #[error("the gateway's key is not the one that this node was enrolled with")]
    Stranger,
    /// What came proves nothing.
    #[error("the node's proof does not hold: {0}")]
    Proof(#[from] BadProof),
}

impl NoGreeting {
    /// The frame that says so to the other end. Nothing of this mends itself by dialling again.
    pub fn to_frame(&self) -> Frame {
        let code = match self {
            NoGreeting::Version { .. } => "protocol_version",
            NoGreeting::Order { .. } | NoGreeting::Frame(_) => "bad_frame",
            NoGreeting::Stranger => "unknown_gateway",
            NoGreeting::Proof(_) => "bad_proof",
        };
        Frame::Refused(Refused {
            code: code.to_owned(),
            message: self.to_string(),
            retry_after_ms: None,
        })
    }
}

/// A gateway that has said who it is, to one node, once.
#[derive(Debug)]
pub struct Greeting {
    host: String,
    challenge: Challenge,
}

impl Greeting {
    /// Of a gateway of this key, which the node reached under this host and port.
    ///
    /// # Errors
    /// The machine gives no random bytes.
    pub fn new(host: &str, gateway_key: &str) -> Result<Self, NoRandom> {
        Ok(Greeting {
            host: host.to_ascii_lowercase(),
            challenge: Challenge {
                versions: SPOKEN,
                gateway_key: gateway_key.to_owned(),
                nonce: nonce()?,
            },
        })
    }

    /// What to send.
    pub fn frame(&self) -> Frame {
        Frame::Challenge(self.challenge.clone())
    }

    /// What the node answers. A signature in it holds; a secret or a token in it has yet to be
    /// looked at. A second hello needs a second greeting.
    ///
    /// # Errors
    /// It is no hello to this greeting.
    pub fn hear(self, text: &str) -> Result<Hello, NoGreeting> {
        let hello = match Frame::decode(text)? {
            Frame::Hello(hello) => *hello,
            other => {
                return Err(NoGreeting::Order {
                    wanted: "hello",
                    came: other.kind().to_owned(),
                });
            }
        };
        if !(SPOKEN.oldest..=SPOKEN.newest).contains(&hello.version) {
            return Err(NoGreeting::Version {
                theirs: hello.version.to_string(),
            });
        }
        if let Proof::Key {
            public_key, signature, ..
        } = &hello.proof
        {
            let claim = claim(&self.host, &self.challenge, &hello.node);
            verify(&claim, public_key, signature)?;
        }
        Ok(hello)
    }
}

fn claim<'a>(host: &'a str, challenge: &'a Challenge, node: &'a str) -> Claim<'a> {
    Claim {
        gateway_host: host,
        gateway_key: &challenge.gateway_key,
        node,
        nonce: &challenge.nonce,
    }
}

/// Who answers a challenge.
#[derive(Clone, Copy, Debug)]
pub struct Answering<'a> {
    /// The host and port that it dialled.
    pub host: &'a str,
    /// The gateway's public key, once it has been enrolled there.
    pub gateway_key: Option<&'a str>,
    /// Its id.
    pub node: &'a str,
    /// Its key.
    pub key: &'a NodeKey,
    /// The one-shot token of its first time, or its credential.
    pub token: &'a str,
}

/// A node's answer to a challenge: the version that both speak, and its proof.
///
/// # Errors
/// It is no challenge, there is no such version, or it is a stranger's.
pub fn answer(text: &str, who: &Answering<'_>) -> Result<(u16, Proof), NoGreeting> {
    let challenge = match Frame::decode(text)? {
        Frame::Challenge(challenge) => challenge,
        other => {
            return Err(NoGreeting::Order {
                wanted: "challenge",
                came: other.kind().to_owned(),
            });
        }
    };
    let Some(version) = SPOKEN.common(challenge.versions) else {
        let theirs = challenge.versions;
        return Err(NoGreeting::Version {
            theirs: format!("{} to {}", theirs.oldest, theirs.newest),
        });
    };
    if who.gateway_key.is_some_and(|known| known != challenge.gateway_key) {
        return Err(NoGreeting::Stranger);
    }
    let proof = Proof::Key {
        public_key: who.key.public_key(),
        signature: who.key.sign(&claim(&who.host.to_ascii_lowercase(), &challenge, who.node)),
        token: who.token.to_owned(),
    };
    Ok((version, proof))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

    use super::*;
    use crate::frames::{Heartbeat, Versions};

    const HOST: &str = "gateway.example.com:443";

    fn hello(version: u16, proof: Proof) -> String {
        let hello = Hello {
            version,
            node: "desk".to_owned(),
            proof,
            program: "0.1.0".to_owned(),
            capabilities: Vec::new(),
            max_inflight: 4,
        };
        Frame::Hello(Box::new(hello)).encode()
    }

    fn who<'a>(host: &'a str, node: &'a str, key: &'a NodeKey) -> Answering<'a> {
        Answering {
            host,
            gateway_key: Some("Z2F0ZXdheQ=="),
            node,
            key,
            token: "once",
        }
    }

    fn greeting() -> Greeting {
        Greeting::new(HOST, "Z2F0ZXdheQ==").unwrap()
    }

    #[test]
    fn a_node_that_answers_its_challenge_is_heard() {
        let (greeting, key) = (greeting(), NodeKey::generate().unwrap());
        let (version, proof) = answer(&greeting.frame().encode(), &who("Gateway.Example.com:443", "desk", &key)).unwrap();
        let heard = greeting.hear(&hello(version, proof)).unwrap();
        assert_eq!((heard.version, heard.node.as_str()), (SPOKEN.newest, "desk"));
        let secret = Proof::Secret {
            secret: "sesame".to_owned(),
        };
        assert!(
            super::Greeting::new(HOST, "k").unwrap().hear(&hello(1, secret)).is_ok(),
            "its secret is looked at elsewhere"
        );
    }

    #[test]
    fn a_proof_for_another_greeting_gateway_or_node_does_not_hold() {
        let key = NodeKey::generate().unwrap();
        let first = greeting();
        let said = |greeting: &Greeting| greeting.frame().encode();
        let replayed = answer(&said(&first), &who(HOST, "desk", &key)).unwrap().1;
        let elsewhere = greeting();
        let handed_on = answer(&said(&elsewhere), &who("evil.example.com:443", "desk", &key))
            .unwrap()
            .1;
        let renamed = greeting();
        let other = answer(&said(&renamed), &who(HOST, "other", &key)).unwrap().1;
        for (greeting, proof) in [(greeting(), replayed), (elsewhere, handed_on), (renamed, other)] {
            let refused = greeting.hear(&hello(1, proof)).unwrap_err();
            assert_eq!(refused, NoGreeting::Proof(BadProof::Mismatch));
            assert!(matches!(refused.to_frame(), Frame::Refused(said) if said.code == "bad_proof"));
        }
    }

    #[test]
    fn what_comes_out_of_order_or_in_another_version_is_said() {
        let key = NodeKey::generate().unwrap();
        let beat = Frame::Heartbeat(Heartbeat::default()).encode();
        let early = greeting().hear(&beat).unwrap_err();
        assert_eq!(early.to_string(), "`hello` was to come first, and `heartbeat` came");
        let early = answer(&beat, &who(HOST, "desk", &key)).unwrap_err();
        assert_eq!(early.to_string(), "`challenge` was to come first, and `heartbeat` came");
        assert!(matches!(greeting().hear("nonsense"), Err(NoGreeting::Frame(_))));
        let secret = || Proof::Secret {
            secret: "sesame".to_owned(),
        };
        for version in [0, 2, u16::MAX] {
            let refused = greeting().hear(&hello(version, secret())).unwrap_err();
            assert!(refused.to_string().contains(&version.to_string()), "{refused}");
            assert!(matches!(refused.to_frame(), Frame::Refused(said) if said.code == "protocol_version"));
        }
        let newer = Frame::Challenge(Challenge {
            versions: Versions { oldest: 2, newest: 3 },
            gateway_key: "k".to_owned(),
            nonce: "n".to_owned(),
        });
        let refused = answer(&newer.encode(), &who(HOST, "desk", &key)).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "this end speaks the versions 1 to 1 of the protocol, the other end 2 to 3"
        );
    }
    #[test]
    fn a_node_proves_nothing_to_a_stranger() {
        let key = NodeKey::generate().unwrap();
        let stranger = Greeting::new(HOST, "ZXZpbA==").unwrap().frame().encode();
        assert_eq!(answer(&stranger, &who(HOST, "desk", &key)), Err(NoGreeting::Stranger));
        let first_time = Answering {
            gateway_key: None,
            ..who(HOST, "desk", &key)
        };
        assert!(answer(&stranger, &first_time).is_ok());
    }
}
