//! Control frames: JSON objects in text frames, named by `type`. What a later version adds is
//! passed over; what this one needs and does not find is refused by name. `testdata/` holds a
//! sample of each, which every later version has to read.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The longest control frame, in bytes: room for a thousand capabilities with their schemas.
pub const MAX_FRAME: usize = 1 << 20;

/// The versions of the protocol that this program speaks: the newest, and the one before it once
/// there is one.
pub const SPOKEN: Versions = Versions { oldest: 1, newest: 1 };

/// A range of versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Versions {
    /// The oldest that is spoken.
    pub oldest: u16,
    /// The newest.
    pub newest: u16,
}

impl Versions {
    /// The newest version that both ends speak.
    pub fn common(self, other: Versions) -> Option<u16> {
        let newest = self.newest.min(other.newest);
        let sound = self.oldest <= self.newest && other.oldest <= other.newest;
        (sound && newest >= self.oldest && newest >= other.oldest).then_some(newest)
    }
}

/// A control frame.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Frame {
    /// The gateway's first: who it is, and what a node has to sign.
    Challenge(Challenge),
    /// The node's answer: who it is, with proof, and what it offers.
    Hello(Box<Hello>),
    /// The gateway takes the node.
    Welcome(Welcome),
    /// The gateway does not, and closes the link.
    Refused(Refused),
    /// What the node offers from now on.
    Advertise(Advertise),
    /// How busy the node is.
    Heartbeat(Heartbeat),
    /// No more calls are to come by this link; those under way are finished.
    Drain(Drain),
    /// A frame of a later version. It is passed over.
    #[serde(skip)]
    Later(String),
}

/// What a node has to sign.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Challenge {
    /// The versions that the gateway speaks.
    pub versions: Versions,
    /// The gateway's public key, in base64.
    pub gateway_key: String,
    /// Random bytes, used once, in base64.
    pub nonce: String,
}

/// Who a node is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Hello {
    /// The version that is spoken from now on.
    pub version: u16,
    /// The node's id.
    pub node: String,
    /// Proof that it is.
    pub proof: Proof,
    /// The version of the program.
    pub program: String,
    /// What it offers.
    #[serde(default)]
    pub capabilities: Vec<Offer>,
    /// How many calls it takes at once.
    pub max_inflight: u32,
}

/// Proof of who a node is.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Proof {
    /// It has the private half of a key.
    Key {
        /// The public half, in base64.
        public_key: String,
        /// Of what the gateway has said, in base64.
        signature: String,
        /// The one-shot token of its first time, or its credential.
        token: String,
    },
    /// It knows a secret that both have from their operators.
    Secret {
        /// The secret.
        secret: String,
    },
}

impl fmt::Debug for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Proof::Key { public_key, .. } => write!(f, "Key({public_key:?}, …)"),
            Proof::Secret { .. } => f.write_str("Secret(…)"),
        }
    }
}

/// A capability that a node offers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Offer {
    /// Its name: `skill:pr-notes`, `exec.gh`, `llm.inference`.
    pub name: String,
    /// Its version, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The hash of the component, where it is a skill.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// The models that it serves.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub models: Vec<String>,
    /// JSON Schemas of its input and output.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub schema: Map<String, Value>,
    /// How many calls of it are taken at once, where fewer than the node takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_inflight: Option<u32>,
    /// Making a call twice does no more than making it once.
    #[serde(default)]
    pub idempotent: bool,
}

/// The node is taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Welcome {
    /// The names that may be called, of those that were offered.
    pub granted: Vec<String>,
    /// The others, and why not.
    #[serde(default)]
    pub refused: Vec<NotGranted>,
    /// How often the node says how busy it is, in milliseconds.
    pub heartbeat_ms: u64,
}

/// A capability that may not be called.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotGranted {
    /// Its name.
    pub name: String,
    /// Why not.
    pub why: String,
}

/// The node is not taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// A stable code: `node_id_taken`, `node_revoked`, `protocol_version`.
    pub code: String,
    /// In words.
    pub message: String,
    /// When to come back; without it, not by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
}

/// What a node offers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Advertise {
    /// All of it; what is not there any more is not offered any more.
    pub capabilities: Vec<Offer>,
}

/// How busy a node is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heartbeat {
    /// Calls under way, from wherever they came.
    pub in_flight: u32,
    /// Calls that wait.
    #[serde(default)]
    pub queued: u32,
}

/// The last calls.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drain {
    /// Why, in words.
    pub reason: String,
}

/// A text frame that is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadFrame {
    /// Nobody sends so much.
    #[error("a control frame of {0} bytes is longer than {MAX_FRAME}")]
    TooLong(usize),
    /// It is no JSON object.
    #[error("a control frame is not a JSON object: {0}")]
    NotJson(String),
    /// Nothing says what it is.
    #[error("a control frame has no `type`")]
    NoType,
    /// It lacks something, or has something wrong in it.
    #[error("the control frame `{kind}` is not sound: {why}")]
    Unsound {
        /// What it calls itself.
        kind: String,
        /// What is the matter.
        why: String,
    },
}

/// The longest name, id or version, in bytes.
const LONGEST_NAME: usize = 256;

/// The most capabilities of one node.
const MOST_OFFERS: usize = 4096;

impl Frame {
    /// Its name.
    pub fn kind(&self) -> &str {
        match self {
            Frame::Challenge(_) => "challenge",
            Frame::Hello(_) => "hello",
            Frame::Welcome(_) => "welcome",
            Frame::Refused(_) => "refused",
            Frame::Advertise(_) => "advertise",
            Frame::Heartbeat(_) => "heartbeat",
            Frame::Drain(_) => "drain",
            Frame::Later(kind) => kind,
        }
    }

    /// As it is sent.
    pub fn encode(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// As it arrived.
    ///
    /// # Errors
    /// It is none, and why.
    pub fn decode(text: &str) -> Result<Frame, BadFrame> {
        if text.len() > MAX_FRAME {
            return Err(BadFrame::TooLong(text.len()));
        }
        let fields: Map<String, Value> = serde_json::from_str(text).map_err(|error| BadFrame::NotJson(error.to_string()))?;
        let kind = fields.get("type").and_then(Value::as_str).ok_or(BadFrame::NoType)?.to_owned();
        let frame = Frame::of(&kind, Value::Object(fields)).map_err(|error| error.to_string());
        frame
            .and_then(|frame| frame.check().map(|()| frame))
            .map_err(|why| BadFrame::Unsound {
                kind: kind.chars().take(64).collect(),
                why,
            })
    }

    fn of(kind: &str, value: Value) -> serde_json::Result<Frame> {
        use serde_json::from_value;
        Ok(match kind {
            "challenge" => Frame::Challenge(from_value(value)?),
            "hello" => Frame::Hello(from_value(value)?),
            "welcome" => Frame::Welcome(from_value(value)?),
            "refused" => Frame::Refused(from_value(value)?),
            "advertise" => Frame::Advertise(from_value(value)?),
            "heartbeat" => Frame::Heartbeat(from_value(value)?),
            "drain" => Frame::Drain(from_value(value)?),
            other => Frame::Later(other.chars().take(64).collect()),
        })
    }

    fn check(&self) -> Result<(), String> {
        match self {
            Frame::Hello(hello) => {
                name("node", &hello.node)?;
                name("program", &hello.program)?;
                offers(&hello.capabilities)
            }
            Frame::Advertise(advertise) => offers(&advertise.capabilities),
            Frame::Challenge(_)
            | Frame::Welcome(_)
            | Frame::Refused(_)
            | Frame::Heartbeat(_)
            | Frame::Drain(_)
            | Frame::Later(_) => Ok(()),
        }
    }
}

fn name(field: &str, text: &str) -> Result<(), String> {
    if text.is_empty() || text.len() > LONGEST_NAME || text.chars().any(char::is_control) {
        return Err(format!(
            "`{field}` has to be of 1 to {LONGEST_NAME} bytes without control characters"
        ));
    }
    Ok(())
}

fn offers(offers: &[Offer]) -> Result<(), String> {
    if offers.len() > MOST_OFFERS {
        return Err(format!("`capabilities` are {}, more than {MOST_OFFERS}", offers.len()));
    }
    let mut seen = std::collections::HashSet::new();
    for (place, offer) in offers.iter().enumerate() {
        name(&format!("capabilities[{place}].name"), &offer.name)?;
        if let Some(version) = &offer.version {
            name(&format!("capabilities[{place}].version"), version)?;
        }
        if !seen.insert((&offer.name, &offer.version)) {
            return Err(format!("`capabilities[{place}].name`: `{}` is there twice", offer.name));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
