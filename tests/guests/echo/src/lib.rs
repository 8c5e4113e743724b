//! The smallest real skill: what goes in comes out.

use claw_skill::{Context, Error, Skill};
use serde_json::Value;

struct Echo;

impl Skill for Echo {
    type Input = Value;
    type Output = Value;

    fn invoke(input: Value, _context: &Context) -> Result<Value, Error> {
        Ok(input)
    }
}

claw_skill::export!(Echo);
