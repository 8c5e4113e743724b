//! Payloads of the contract as ours, and back.

use bytes::Bytes;
use claw_core::capability::Payload;
use claw_core::errors::{Code, Fault};

use crate::bindings::claw::skill::types;

/// A payload of the contract as one of ours.
///
/// # Errors
/// [`Code::InvalidInput`] where `json` holds none.
pub(crate) fn from_guest(payload: types::Payload) -> Result<Payload, Fault> {
    match payload {
        types::Payload::Json(text) => serde_json::from_str(&text)
            .map(Payload::Json)
            .map_err(|error| Fault::new(Code::InvalidInput, format!("the payload is no JSON: {error}"))),
        types::Payload::Text(text) => Ok(Payload::Text(text)),
        types::Payload::Bytes(blob) => Ok(Payload::Bytes {
            mime: blob.mime,
            data: Bytes::from(blob.data),
        }),
    }
}

/// One of our payloads as one of the contract.
pub(crate) fn to_guest(payload: Payload) -> types::Payload {
    match payload {
        Payload::Json(value) => types::Payload::Json(value.to_string()),
        Payload::Text(text) => types::Payload::Text(text),
        Payload::Bytes { mime, data } => types::Payload::Bytes(types::Blob { mime, data: data.into() }),
    }
}
