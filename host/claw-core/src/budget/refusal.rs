//! The words of a refusal: which budget, what of it is gone, and when it begins anew.

use serde_json::json;

use super::book::Account;
use super::usd;
use crate::calendar::rfc3339;
use crate::errors::{Code, Fault};

/// A call that would go beyond its budget.
pub(super) fn used_up(account: &Account, ceiling_nanousd: Option<u64>, now_us: i64) -> Fault {
    let mut message = format!(
        "the budget `{}` of {} is used up: {} are spent",
        account.budget.name,
        account.budget.limit,
        usd(account.spent.nanousd),
    );
    if account.reserved > 0 {
        message += &format!(", {} are set aside for calls under way", usd(account.reserved));
    }
    if let Some(ceiling) = ceiling_nanousd {
        message += &format!(", and this call may cost {}", usd(ceiling));
    }
    fault(account, message, now_us)
}

/// A call of which nobody knows what it will cost, where the budget does not take such.
pub(super) fn unknown(account: &Account, now_us: i64) -> Fault {
    let message = format!("the budget `{}` takes no call whose price is not known", account.budget.name);
    let mut fault = fault(account, message, now_us);
    fault.retry_after_ms = None;
    fault.hint("give the model a price in prices.yaml, or say `on_unknown_price: allow` in budgets.yaml")
}

fn fault(account: &Account, mut message: String, now_us: i64) -> Fault {
    let budget = &account.budget;
    let resets_at = account.window.ends_us.map(rfc3339);
    if let Some(at) = &resets_at {
        message += &format!("; it begins anew at {at}");
    }
    let hint = if budget.payers.key.as_ref() == Some(&budget.name) {
        "make a key with a larger `--budget`; `claw usage --budgets` shows what is left"
    } else {
        "raise it in budgets.yaml; `claw usage --budgets` shows what is left"
    };
    let fault = Fault::new(Code::BudgetExceeded, message).hint(hint).details(json!({
        "budget": budget.name,
        "limit_nanousd": budget.limit.limit_nanousd,
        "per": budget.limit.per,
        "spent_nanousd": account.spent.nanousd,
        "reserved_nanousd": account.reserved,
        "resets_at": resets_at,
    }));
    match account.window.ends_us {
        // Rounded up: whoever comes back then finds the next window.
        Some(ends) => fault.retry_after_ms(ends.saturating_sub(now_us).max(0).unsigned_abs().div_ceil(1_000)),
        None => fault,
    }
}
