//! The two doors. Every capability and every skill goes through [`Invoker`], every model
//! call through [`Completer`], whatever brought it; a sandbox's imports go through them
//! again ([`Imports`]), so that they are decided and recorded again.

mod complete;
mod context;
mod contract;
mod drafts;
mod imports;
mod invoke;

pub use complete::{Answered, AnsweredBody, ByteStream, Complete, Completed, Completer, Explained, Said, explain};
pub use context::{ContextFrom, ContextSource, Contexts, NoContexts, fill};
pub use contract::{check_input, check_output};
pub use imports::Imports;
pub use invoke::{Doors, Invocation, Invoker, OpenDoor, Output};

#[cfg(test)]
mod tests;
