//! What may be spent. Amounts are whole billionths of a US dollar; nothing here is a float.

mod limit;

pub use limit::{BadLimit, Limit, Period};
