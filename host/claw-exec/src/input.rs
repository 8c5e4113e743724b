//! What a caller may send: `{"args": […], "cwd": "…"?, "stdin": "…"?}`, all of it bounded
//! before any rule looks at it.

use claw_core::capability::Payload;
use claw_core::errors::{Code, Fault};
use serde::Deserialize;

const MAX_ARGS: usize = 64;
const MAX_ARG_BYTES: usize = 4 << 10;
const MAX_ARGS_BYTES: usize = 32 << 10;
const MAX_STDIN_BYTES: usize = 1 << 20;

/// One call, within its bounds.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Input {
    pub(crate) args: Vec<String>,
    #[serde(default)]
    pub(crate) cwd: Option<String>,
    #[serde(default)]
    pub(crate) stdin: Option<String>,
}

impl Input {
    /// Reads a payload. Its errors never repeat what was sent.
    pub(crate) fn read(capability: &str, payload: &Payload) -> Result<Self, Fault> {
        let refused = |why: &str| {
            let hint = format!(r#"`{capability}` takes {{"args": ["…"], "cwd": "…"?, "stdin": "…"?}}"#);
            Err(Fault::new(Code::InvalidInput, format!("the input of `{capability}` {why}")).hint(hint))
        };
        let Payload::Json(value) = payload else {
            return refused("is not JSON");
        };
        let Ok(input) = Input::deserialize(value) else {
            return refused("does not have its form");
        };
        if input.args.len() > MAX_ARGS {
            return refused(&format!("has more than {MAX_ARGS} arguments"));
        }
        if let Some(at) = input.args.iter().position(|arg| arg.len() > MAX_ARG_BYTES) {
            return refused(&format!(
                "has an argument of more than {MAX_ARG_BYTES} bytes, number {}",
                at + 1
            ));
        }
        if input.args.iter().map(String::len).sum::<usize>() > MAX_ARGS_BYTES {
            return refused(&format!("has arguments of more than {MAX_ARGS_BYTES} bytes together"));
        }
        if let Some(at) = input.args.iter().position(|arg| arg.contains('\0')) {
            return refused(&format!("has a NUL in argument number {}", at + 1));
        }
        if input.stdin.as_ref().is_some_and(|text| text.len() > MAX_STDIN_BYTES) {
            return refused(&format!("has more than {MAX_STDIN_BYTES} bytes in `stdin`"));
        }
        Ok(input)
    }
}
