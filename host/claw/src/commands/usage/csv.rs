//! Usage as CSV (RFC 4180). Callers choose some of the names in it, and spreadsheets run a cell
//! that begins like a formula: such a name gets an apostrophe before it.

use claw_store::Usage;

/// One line a name, and a first one with what the columns are.
pub(super) fn of(usage: &Usage) -> String {
    let mut text = String::from(
        "name,calls,failed,input_tokens,output_tokens,cached_tokens,reasoning_tokens,cost_usd,cost_nanousd,\
         cost_unknown_calls,estimated_calls\r\n",
    );
    for row in &usage.rows {
        let sums = &row.totals;
        let cells = [
            cell(row.name.as_deref().unwrap_or_default()),
            sums.calls.to_string(),
            sums.failed.to_string(),
            sums.input_tokens.to_string(),
            sums.output_tokens.to_string(),
            sums.cached_tokens.to_string(),
            sums.reasoning_tokens.to_string(),
            decimals(sums.cost_nanousd),
            sums.cost_nanousd.to_string(),
            sums.cost_unknown_calls.to_string(),
            sums.estimated_calls.to_string(),
        ];
        text += &cells.join(",");
        text += "\r\n";
    }
    text
}

/// Dollars with all nine decimals, as spreadsheets read them.
fn decimals(nanousd: u64) -> String {
    format!("{}.{:09}", nanousd / 1_000_000_000, nanousd % 1_000_000_000)
}

pub(super) fn cell(text: &str) -> String {
    let mark = if text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        "'"
    } else {
        ""
    };
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{mark}{}\"", text.replace('"', "\"\""))
    } else {
        format!("{mark}{text}")
    }
}
