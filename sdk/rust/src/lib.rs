//! Write a skill in Rust. A skill is a type that implements [`Skill`] and is named once in
//! [`export!`]; everything it can reach is in the modules here, each call decided and
//! recorded by the host.
//!
//! ```
//! use claw_skill::{Context, Error, Skill, model::Prompt};
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Deserialize)]
//! struct Input { text: String }
//! #[derive(Serialize)]
//! struct Output { summary: String }
//! struct Summarise;
//!
//! impl Skill for Summarise {
//!     type Input = Input;
//!     type Output = Output;
//!     fn invoke(input: Input, _context: &Context) -> Result<Output, Error> {
//!         let answer = Prompt::new("summarization").system("One sentence.").user(input.text).send()?;
//!         Ok(Output { summary: answer.text() })
//!     }
//! }
//!
//! claw_skill::export!(Summarise);
//! ```

#[cfg(target_arch = "wasm32")]
#[doc(hidden)]
pub mod bindings {
    wit_bindgen::generate!({
        path: "../../wit",
        world: "skill",
        pub_export_macro: true,
        default_bindings_module: "claw_skill::bindings",
    });
}

pub mod context;
mod error;
pub mod exec;
pub mod files;
mod line;
pub mod log;
pub mod model;
pub mod nodes;
mod output;
#[cfg(target_arch = "wasm32")]
mod sandbox;
#[cfg(not(target_arch = "wasm32"))]
pub mod testing;

#[cfg(target_arch = "wasm32")]
use sandbox as host;
#[cfg(not(target_arch = "wasm32"))]
use testing::host;

pub use context::Context;
pub use error::{Error, Kind};
pub use output::{emit, progress};
pub use {serde, serde_json};

use serde::Serialize;
use serde::de::DeserializeOwned;

/// What a skill is: one function from its declared inputs to its declared outputs.
pub trait Skill {
    /// The inputs that SKILL.md declares, as one object. The host has checked them.
    type Input: DeserializeOwned;
    /// The outputs that SKILL.md declares, as one object. The host checks them.
    type Output: Serialize;

    /// One invocation, in a new instance that is dropped afterwards: nothing kept in memory
    /// outlives it.
    ///
    /// # Errors
    /// The caller sees the error's code and message. Codes of a skill's own begin with
    /// `skill.`; see [`Error::new`].
    fn invoke(input: Self::Input, context: &Context) -> Result<Self::Output, Error>;
}

/// Makes a type that implements [`Skill`] the skill of this component. Once in a crate; on
/// any other target than wasm it does nothing, so that `cargo test` works.
#[macro_export]
macro_rules! export {
    ($skill:ty) => {
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            struct Exported;
            impl $crate::bindings::exports::claw::skill::handler::Guest for Exported {
                fn invoke(
                    request: $crate::bindings::exports::claw::skill::handler::Request,
                ) -> ::core::result::Result<
                    $crate::bindings::claw::skill::types::Payload,
                    $crate::bindings::claw::skill::types::Error,
                > {
                    $crate::__invoke::<$skill>(request)
                }
            }
    $crate::bindings::export!(Exported with_types_in $crate::bindings);
        };
    };
}

#[cfg(target_arch = "wasm32")]
#[doc(hidden)]
pub use sandbox::__invoke;

/// The same on every target: text in, text out.
fn run<S: Skill>(input: nodes::Payload, context: &Context) -> Result<serde_json::Value, Error> {
    let refused = |error: serde_json::Error| Error::invalid_input("input", format!("the input does not fit: {error}"));
    let input: S::Input = match input {
        nodes::Payload::Json(value) => serde_json::from_value(value).map_err(refused)?,
        nodes::Payload::Text(text) => serde_json::from_value(serde_json::Value::String(text)).map_err(refused)?,
        nodes::Payload::Bytes { mime, .. } => {
            let message = format!("the input is `{mime}`; this skill takes JSON");
            return Err(Error::invalid_input("input", message));
        }
    };
    let output = S::invoke(input, context)?;
    serde_json::to_value(&output).map_err(|error| Error::new("output", format!("the result cannot be written as JSON: {error}")))
}

#[cfg(test)]
mod tests;
