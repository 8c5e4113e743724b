//! The rows of the journal, format 1, and the chain over them. Rows that were ever written
//! must keep reading back: `testdata/` holds some of every format.

use claw_core::audit::{Intent, Outcome};
use claw_core::grants::hex;
use claw_core::ids::InvocationId;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// Labels of the keys that are derived from the home's.
pub(crate) const BODY_HASH: &str = "audit body hash v1";
pub(crate) const BODY_SEAL: &str = "audit body seal v1";
pub(crate) const ANCHOR: &str = "audit anchor v1";

pub(crate) type Hash = [u8; 32];

/// A place in the chain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Head {
    /// The last row; 0 before the first.
    pub(crate) seq: u64,
    /// Its hash; zeros before the first.
    pub(crate) hash: Hash,
}

/// What a row is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A call begins.
    Intent,
    /// A call ended.
    Outcome,
    /// Something about the journal itself.
    Note,
}

impl Kind {
    pub(crate) fn number(self) -> u8 {
        match self {
            Kind::Intent => 0,
            Kind::Outcome => 1,
            Kind::Note => 2,
        }
    }
}

/// What the chain is over, beside the hash before it. The call's id and its parent's are
/// of intents, the intent's seq is of outcomes; absent ones are zeros.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Link<'a> {
    pub(crate) seq: u64,
    pub(crate) at_us: i64,
    pub(crate) kind: u8,
    pub(crate) intent: u64,
    pub(crate) call: [u8; 16],
    pub(crate) parent: [u8; 16],
    pub(crate) body: &'a [u8],
}

/// SHA-256 of: previous hash (32), seq (8), time (8), kind (1), the intent's seq (8), call id
/// (16), parent id (16), body. Integers are little-endian; the fixed-width fields come first,
/// so that no two rows share an encoding.
pub(crate) fn chain(previous: &Hash, link: &Link<'_>) -> Hash {
    Sha256::new()
        .chain_update(previous)
        .chain_update(link.seq.to_le_bytes())
        .chain_update(link.at_us.to_le_bytes())
        .chain_update([link.kind])
        .chain_update(link.intent.to_le_bytes())
        .chain_update(link.call)
        .chain_update(link.parent)
        .chain_update(link.body)
        .finalize()
        .into()
}

/// The bytes of an id, zeros for none.
pub(crate) fn id_bytes(id: Option<InvocationId>) -> [u8; 16] {
    id.map_or([0; 16], InvocationId::to_bytes)
}

/// What a row holds of a request, an answer or a journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct BodyNote {
    /// HMAC-SHA256 with a key of the home, hex.
    pub(crate) hash: String,
    /// How long it is.
    pub(crate) bytes: u64,
    /// It was kept, encrypted. It may have been erased since.
    #[serde(default)]
    pub(crate) kept: bool,
}

impl BodyNote {
    pub(crate) fn new(hash: &Hash, bytes: usize, kept: bool) -> Self {
        BodyNote {
            hash: hex(hash),
            bytes: bytes as u64,
            kept,
        }
    }

    /// The hash as bytes, where it reads as one.
    pub(crate) fn hash_bytes(&self) -> Option<Hash> {
        from_hex(&self.hash)
    }
}

/// 64 hex digits as bytes.
pub(crate) fn from_hex(text: &str) -> Option<Hash> {
    let mut hash = [0; 32];
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (place, digits) in hash.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        *place = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    }
    Some(hash)
}

/// The body of an intent row: the intent's own fields, and `request`.
#[derive(Serialize)]
pub(crate) struct IntentBody<'a> {
    #[serde(flatten)]
    pub(crate) intent: &'a Intent,
    pub(crate) request: BodyNote,
}

/// The body of an outcome row: the outcome's own fields, `response` and `journal`.
#[derive(Serialize)]
pub(crate) struct OutcomeBody<'a> {
    #[serde(flatten)]
    pub(crate) outcome: &'a Outcome,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) response: Option<BodyNote>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) journal: Option<BodyNote>,
}

/// The body of a note: the end of the journal was not where its anchor said.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct NoteBody {
    /// `truncated`, the only note so far.
    pub(crate) note: String,
    /// In words.
    pub(crate) why: String,
    /// The last row that the anchor vouched for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) anchored_seq: Option<u64>,
    /// Its hash, hex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) anchored_hash: Option<String>,
    /// The last row that was there.
    pub(crate) found_seq: u64,
}
