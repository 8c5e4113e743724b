//! `claw usage`: what model calls used and cost, and how budgets stand. Reads the journal
//! itself, so that it works whether or not a gateway runs, and agrees with it to the last digit.

mod csv;

use anyhow::Result;
use claw_core::budget::{Book, Budget, BudgetStatus, Limit};
use claw_core::calendar::rfc3339;
use claw_core::cost::dollars;
use claw_store::time::now_us;
use claw_store::{Filter, HomeKey, KeyState, KeyStore, Reader, Usage, UsageBy, UsageTotals};
use serde_json::json;

use super::audit::without_journal;
use super::{Environment, times};
use crate::cli::{By, UsageArgs};
use crate::config;
use crate::exit::{Exit, Failed};
use crate::home::Home;
use crate::output::{self, Style};
use crate::spending;

/// Runs the command.
///
/// # Errors
/// There is no journal, it cannot be read, or a time is none.
pub(super) fn run(arguments: &UsageArgs, environment: &Environment) -> Result<Exit> {
    let home = &environment.home;
    if !home.journal().exists() {
        return Err(without_journal(home).into());
    }
    let key = HomeKey::load(&home.state().join("home.key"))?;
    if arguments.budgets {
        let config = config::load(home).map_err(Failed::from)?;
        let spent = spending::tally(&home.journal(), &key)?;
        let mut budgets = config.budgets.budgets()?;
        budgets.extend(of_keys(home)?);
        let status = Book::new(budgets, spent.spending().clone(), now_us()).status(now_us());
        if arguments.json {
            output::json(&json!({ "budgets": status }));
        } else {
            output::raw(of_budgets(&status, Style::stdout()).as_bytes());
        }
        return Ok(Exit::Ok);
    }
    let since_us = times::at_us("--since", &arguments.since)?;
    let until_us = arguments
        .until
        .as_deref()
        .map(|until| times::at_us("--until", until))
        .transpose()?;
    let filter = Filter {
        since_us: Some(since_us),
        until_us,
        ..Filter::default()
    };
    let usage = Reader::open(&home.journal(), &key)?.usage(&filter, by(arguments.by))?;
    if arguments.json {
        output::json(&shown(&usage, since_us, until_us));
    } else if arguments.csv {
        output::raw(csv::of(&usage).as_bytes());
    } else {
        output::raw(table(&usage, Style::stdout()).as_bytes());
        if usage.total.cost_unknown_calls > 0 {
            output::note(format!(
                "{}: {} have no known price and are in no sum; give their models one in prices.yaml",
                Style::stderr().yellow("note"),
                counted(usage.total.cost_unknown_calls)
            ));
        }
    }
    Ok(Exit::Ok)
}

/// The budgets that keys which still work were made with.
fn of_keys(home: &Home) -> Result<Vec<Budget>> {
    let path = home.state().join("keys.db");
    if !path.exists() {
        return Ok(Vec::new());
    }
    let (keys, now_us) = (KeyStore::open(&path)?.list()?, now_us());
    let works = keys
        .iter()
        .filter(|key| matches!(key.state(now_us), KeyState::Active | KeyState::Rotating));
    Ok(works.filter_map(|key| Budget::of_key(&key.scope)).collect())
}

fn by(by: By) -> UsageBy {
    match by {
        By::Service => UsageBy::Service,
        By::Model => UsageBy::Model,
        By::Skill => UsageBy::Skill,
        By::Use => UsageBy::Use,
        By::Key => UsageBy::Key,
        By::Day => UsageBy::Day,
        By::Provider => UsageBy::Provider,
    }
}

fn counted(calls: u64) -> String {
    if calls == 1 {
        "1 call".to_owned()
    } else {
        format!("{calls} calls")
    }
}

fn shown(usage: &Usage, since_us: i64, until_us: Option<i64>) -> serde_json::Value {
    json!({
        "since": rfc3339(since_us),
        "until": until_us.map(rfc3339),
        "by": usage.by,
        "rows": usage.rows,
        "total": usage.total,
    })
}

fn table(usage: &Usage, style: Style) -> String {
    let head = match usage.by {
        UsageBy::Service => "SERVICE",
        UsageBy::Model => "MODEL",
        UsageBy::Skill => "SKILL",
        UsageBy::Use => "USE",
        UsageBy::Key => "KEY",
        UsageBy::Day => "DAY",
        UsageBy::Provider => "PROVIDER",
    };
    let row = |name: &str, totals: &UsageTotals| {
        let unknown = match totals.cost_unknown_calls {
            0 => String::new(),
            calls => format!(" + {} of unknown price", counted(calls)),
        };
        vec![
            name.to_owned(),
            totals.calls.to_string(),
            totals.failed.to_string(),
            totals.input_tokens.to_string(),
            totals.output_tokens.to_string(),
            totals.cached_tokens.to_string(),
            totals.reasoning_tokens.to_string(),
            format!("{}{unknown}", dollars(totals.cost_nanousd)),
        ]
    };
    let mut rows: Vec<_> = usage
        .rows
        .iter()
        .map(|line| row(line.name.as_deref().unwrap_or("-"), &line.totals))
        .collect();
    rows.push(row("total", &usage.total));
    let head = [head, "CALLS", "FAILED", "IN", "OUT", "CACHED", "REASONING", "COST"];
    output::table(&head, &rows, style)
}

fn of_budgets(status: &[BudgetStatus], style: Style) -> String {
    let row = |status: &BudgetStatus| {
        let payers = &status.budget.payers;
        let named = [
            ("service", &payers.service),
            ("key", &payers.key),
            ("skill", &payers.skill),
            ("use", &payers.model_use),
        ];
        let named = named
            .iter()
            .filter_map(|(what, pattern)| Some(format!("{what} {}", pattern.as_ref()?)));
        let whom = named.collect::<Vec<_>>().join(", ");
        let unknown = match status.cost_unknown_calls {
            0 => String::new(),
            calls => format!(" + {} of unknown price", counted(calls)),
        };
        vec![
            status.budget.name.clone(),
            if whom.is_empty() { "everybody".to_owned() } else { whom },
            status.budget.limit.to_string(),
            format!("{}{unknown}", dollars(status.spent_nanousd)),
            percent(status.spent_nanousd, &status.budget.limit),
            status.resets_at.clone().unwrap_or_else(|| "never".to_owned()),
        ]
    };
    let rows: Vec<_> = status.iter().map(row).collect();
    output::table(&["BUDGET", "OF", "LIMIT", "SPENT", "USED", "BEGINS ANEW"], &rows, style)
}

/// Rounded up: what is not untouched does not look so.
fn percent(spent: u64, limit: &Limit) -> String {
    match u128::from(limit.limit_nanousd) {
        0 => "-".to_owned(),
        limit => format!("{}%", (u128::from(spent) * 100).div_ceil(limit)),
    }
}

#[cfg(test)]
mod tests;
