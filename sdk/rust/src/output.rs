//! What reaches the caller before the result does. A caller that asked for no stream does
//! not see it.

use crate::{Error, host};

/// Tells the caller how far the work is. `percent`, where known, is 0 to 100.
///
/// # Errors
/// `cancelled` once the caller has gone; `limit.output` past the output limit.
pub fn progress(message: impl AsRef<str>, percent: impl Into<Option<u8>>) -> Result<(), Error> {
    host::progress(message.as_ref(), percent.into().map(|percent| percent.min(100)))
}

/// Hands the caller a piece of the result as it is made. Waits while the caller is slow.
///
/// # Errors
/// `cancelled` once the caller has gone; `limit.output` past the output limit.
pub fn emit(chunk: impl AsRef<str>) -> Result<(), Error> {
    host::emit(chunk.as_ref())
}
