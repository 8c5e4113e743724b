//! What model calls cost, row by row: what budgets begin with after a start. Only a model call
//! has a use; the invocation around it carries no cost.

use claw_core::budget::{Charge, Payer};
use claw_core::ids::InvocationId;
use claw_core::model::Usage;
use rusqlite::params;
use serde::Deserialize;

use super::entry::{BadBody, Raw};
use super::{PIECE, Reader};
use crate::error::StoreError;

/// Of an intent, who pays.
#[derive(Deserialize)]
struct Paying {
    id: InvocationId,
    caller: String,
    key: Option<String>,
    skill: Option<String>,
    model_use: Option<String>,
}

/// Of an outcome, what was used.
#[derive(Deserialize)]
struct Used {
    usage: Option<Usage>,
}

impl Reader {
    /// Shows every charge whose row comes after `after`, in the order of the rows, and says up
    /// to which row it has read. An outcome is written once and never changes.
    ///
    /// # Errors
    /// [`StoreError::BadRow`] or [`StoreError::Sqlite`].
    pub fn charges(&self, after: u64, mut see: impl FnMut(&Charge)) -> Result<u64, StoreError> {
        let sql = "SELECT i.seq, i.at_us, i.body, o.seq, o.body FROM journal o CROSS JOIN journal i ON i.seq = o.intent
                   WHERE o.seq > ?1 AND o.seq <= ?2 AND o.kind = 1 AND instr(o.body, '\"usage\":') > 0 ORDER BY o.seq";
        let last = self.last_seq()?;
        let mut read = after.min(last);
        while read < last {
            let to = last.min(read + PIECE);
            self.each(sql, params![read.cast_signed(), to.cast_signed()], |raw| {
                if let Some(charge) = charge(raw)? {
                    see(&charge);
                }
                Ok(true)
            })?;
            read = to;
        }
        Ok(read)
    }
}

fn charge(raw: &Raw<'_>) -> Result<Option<Charge>, BadBody> {
    let Some((seq, outcome)) = raw.outcome else { return Ok(None) };
    let bad = |seq| {
        move |error: serde_json::Error| BadBody {
            seq,
            why: error.to_string(),
        }
    };
    let Some(usage) = serde_json::from_str::<Used>(outcome).map_err(bad(seq))?.usage else {
        return Ok(None);
    };
    let intent: Paying = serde_json::from_str(raw.intent).map_err(bad(raw.seq))?;
    let Some(model_use) = intent.model_use else { return Ok(None) };
    Ok(Some(Charge {
        at_us: intent.id.unix_us(),
        payer: Payer {
            service: intent.caller,
            key: intent.key,
            skill: intent.skill,
            model_use,
        },
        cost_nanousd: usage.cost_nanousd,
    }))
}
