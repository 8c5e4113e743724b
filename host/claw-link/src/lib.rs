//! The link between a gateway and a node, as both ends share it: one WebSocket, dialled by the
//! node, whose binary frames carry HTTP/2 with the roles reversed (the node serves, the gateway
//! asks) and whose text frames are control frames. Opens no socket, keeps no credential, and
//! decides nothing about calls.
//!
//! HTTP/2 brings streams, flow control, cancellation, drain and ping; a link that has died takes
//! its calls with it, and [`Fate`] says which of them may be made elsewhere.

mod coalesce;
pub mod frames;
mod greeting;
mod http2;
pub mod liveness;
pub mod proof;
mod redial;
mod wire;

pub use coalesce::{Coalesced, Failed};
pub use greeting::{Answering, Greeting, NoGreeting, answer};
pub use http2::{Asking, Call, Coalescing, Fate, NotAnswered, ask, serve};
pub use redial::Redial;
pub use wire::{Control, NotSent, Wire, split, websocket_config};
