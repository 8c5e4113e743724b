//! State on this machine's disk: the audit journal, its readers and its mirror, the answers
//! kept by idempotency key, the keys of services, the secrets of providers, and the home's key.
//! Decides nothing about calls.

mod drafts;
mod error;
mod idempotency;
mod journal;
mod key;
mod private_file;
mod reader;
mod secrets;
mod service_keys;
mod sessions;
mod tally;
pub mod time;

#[cfg(test)]
mod testing;

pub use drafts::{DraftLimits, DraftStore};
pub use error::StoreError;
pub use idempotency::{IdempotencyLimits, IdempotencyStore};
pub use journal::{Journal, JournalOptions, Recovered, Truncated};
pub use key::HomeKey;
pub use reader::{
    AnchorState, Bad, BodyView, Content, Entry, EntryStatus, Figure, Filter, Followed, Head, Latency, Page, PolicyView, Reader,
    Span, Stats, Totals, Tree, TriedView, Unusual, Usage, UsageBy, UsageRow, UsageTotals, Verified,
};
pub use secrets::{SecretError, SecretStore, Secrets};
pub use service_keys::{KeyError, KeyRecord, KeyState, KeyStore, KeyView, Made, ServiceKeys, ServiceSecret};
pub use sessions::{SessionLimits, Sessions};
pub use tally::Tally;
