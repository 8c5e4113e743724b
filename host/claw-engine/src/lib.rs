//! The sandbox: wasmtime lives here and nowhere else. A component goes in as bytes, is
//! checked, compiled in a child process and kept; every invocation gets an instance of its
//! own and nothing but its grants. Refuses everything that the contract in `wit/` does not
//! name.

mod bindings;
mod cache;
mod catalog;
mod compile;
mod component;
mod context;
mod engine;
mod files;
mod imports;
mod limits;
pub mod package;
mod refuse;
mod run;
mod stdio;
mod watch;
mod world;

pub use catalog::{Catalog, Deployed};
pub use compile::{Compiler, compile_stdin};
pub use component::{Inspected, LoadError, Loaded, Loader, inspect};
pub use engine::{Engine, EngineError, EngineSettings};
pub use watch::{WatchSettings, Watcher};
