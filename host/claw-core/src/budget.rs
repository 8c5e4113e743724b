//! What may be spent: limits as people write them, the windows they count over, and the ledger
//! that sets money aside before a call and charges it after. Amounts are whole billionths of a
//! US dollar; nothing here is a float, reads a clock, or waits.
//!
//! Windows are days and months of the Gregorian calendar in UTC. A call belongs to the window
//! in which it began, by the time in its id, also where it ends in the next one.

mod book;
mod file;
mod ledger;
mod limit;
mod refusal;
mod rule;
mod spending;
mod window;

pub use book::{Ask, Book, BudgetStatus, Ceiling, Note, Reserved};
pub use file::{BudgetEntry, BudgetError, BudgetErrors, BudgetsFile, Problem};
pub use ledger::Ledger;
pub use limit::{BadLimit, Limit, Period, Usd, usd};
pub use rule::{Budget, OnUnknown, Payers};
pub use spending::{Charge, Payer, Spending, Sum};
pub use window::Window;
