//! `claw audit tail|query|show|verify|stats`: reads the journal itself, so that it works
//! whether or not a gateway runs.

use std::time::Duration;

use anyhow::Result;
use claw_core::cost::dollars;
use claw_core::ids::InvocationId;
use claw_store::{Entry, EntryStatus, Filter, HomeKey, Reader, Verified};

use super::{Environment, times};
use crate::cli::{AuditCommand, QueryArgs};
use crate::exit::{Exit, Failed};
use crate::home::Home;
use crate::output::{self, Style};

mod stats;
mod tree;

/// Runs the command.
///
/// # Errors
/// There is no journal, or it cannot be read.
pub(super) fn run(command: AuditCommand, environment: &Environment) -> Result<Exit> {
    let home = &environment.home;
    if !home.journal().exists() {
        return Err(without_journal(home).into());
    }
    let key = HomeKey::load(&home.state().join("home.key"))?;
    let reader = Reader::open(&home.journal(), &key)?;
    match command {
        AuditCommand::Tail { lines, follow, json } => tail(&reader, lines, follow, json),
        AuditCommand::Query(arguments) => query(&reader, &arguments),
        AuditCommand::Show { id, json } => show(&reader, &id, json),
        AuditCommand::Verify { json } => verify(&reader, json),
        AuditCommand::Stats { since, json } => stats::run(&reader, since.as_deref(), json),
    }
}

/// No gateway ever ran on this home.
pub(super) fn without_journal(home: &Home) -> Failed {
    Failed::new(
        Exit::Unexpected,
        format!("the home `{}` has no audit journal yet", home.path().display()),
    )
    .hint("it is made when the gateway first runs")
}

fn tail(reader: &Reader, lines: usize, follow: bool, as_json: bool) -> Result<Exit> {
    let mut seen = reader.last_seq()?;
    let entries = reader.tail(lines)?;
    print(&entries, as_json, true);
    if !follow {
        return Ok(Exit::Ok);
    }
    loop {
        std::thread::sleep(Duration::from_millis(250));
        let more = reader.since(seen, 1_000)?;
        seen = more.seq;
        print(&more.entries, as_json, false);
    }
}

fn query(reader: &Reader, arguments: &QueryArgs) -> Result<Exit> {
    let outcome = arguments.status.as_deref().map(status).transpose()?;
    let since_us = arguments
        .since
        .as_deref()
        .map(|since| times::at_us("--since", since))
        .transpose()?;
    let filter = Filter {
        caller: arguments.caller.clone(),
        capability: arguments.skill.clone(),
        outcome,
        code: arguments.code.clone(),
        since_us,
        limit: arguments.limit,
        ..Filter::default()
    };
    let mut entries = all(reader, filter)?;
    entries.reverse();
    print(&entries, arguments.json, true);
    Ok(Exit::Ok)
}

/// Pages until there are as many as were asked for, newest first.
fn all(reader: &Reader, mut filter: Filter) -> Result<Vec<Entry>> {
    let wanted = filter.limit;
    let mut entries = Vec::new();
    loop {
        filter.limit = wanted.saturating_sub(entries.len());
        let page = reader.query(&filter)?;
        entries.extend(page.entries);
        match page.next {
            Some(before) if entries.len() < wanted => filter.before_seq = Some(before),
            Some(_) | None => return Ok(entries),
        }
    }
}

fn status(text: &str) -> Result<EntryStatus> {
    serde_json::from_value(serde_json::json!(text)).map_err(|_| {
        Failed::new(Exit::Usage, format!("`--status {text}`: no entry ends so"))
            .hint("entries are `ok`, `error`, `abandoned`, `interrupted` or `open`")
            .into()
    })
}

fn print(entries: &[Entry], as_json: bool, head: bool) {
    if as_json {
        for entry in entries {
            output::line(serde_json::to_string(entry).unwrap_or_default());
        }
        return;
    }
    let rows: Vec<Vec<String>> = entries.iter().map(row).collect();
    let head_row = ["TIME", "ID", "CALLER", "WHAT", "MODEL", "OUTCOME", "MS", "TOKENS", "COST"];
    let text = output::table(&head_row, &rows, Style::stdout());
    let text = if head {
        text
    } else {
        text.split_once('\n').map_or(String::new(), |(_, rest)| rest.to_owned())
    };
    if !text.is_empty() {
        output::line(text.trim_end());
    }
}

fn row(entry: &Entry) -> Vec<String> {
    let tokens = match (entry.input_tokens, entry.output_tokens) {
        (None, None) => String::new(),
        (input, output) => format!("{}+{}", input.unwrap_or_default(), output.unwrap_or_default()),
    };
    vec![
        entry.time.clone(),
        entry.id.to_string(),
        entry.caller.clone(),
        entry.capability.clone(),
        entry.model.clone().unwrap_or_default(),
        outcome(entry),
        entry.latency_ms.map_or_else(String::new, |latency| format!("{latency:.1}")),
        tokens,
        cost(entry),
    ]
}

/// How an entry ended, with its code.
fn outcome(entry: &Entry) -> String {
    match &entry.code {
        Some(code) => format!("{} {code}", entry.outcome.as_str()),
        None => entry.outcome.as_str().to_owned(),
    }
}

/// The cost of a model call in dollars; what is unknown says so.
fn cost(entry: &Entry) -> String {
    match entry.cost_nanousd {
        Some(nano) => dollars(nano),
        None if entry.input_tokens.is_some() => "unknown".to_owned(),
        None => String::new(),
    }
}

fn show(reader: &Reader, id: &str, as_json: bool) -> Result<Exit> {
    let parsed: InvocationId = id
        .parse()
        .map_err(|error| Failed::new(Exit::Usage, format!("`{id}`: {error}")))?;
    let Some(tree) = reader.show(parsed)? else {
        return Err(Failed::new(Exit::Unexpected, format!("no entry `{id}` in the journal"))
            .hint("`claw audit tail` shows the last ones")
            .into());
    };
    if as_json {
        output::json(&tree);
    } else {
        output::line(tree::render(&tree, Style::stdout()).trim_end());
    }
    Ok(Exit::Ok)
}

fn verify(reader: &Reader, as_json: bool) -> Result<Exit> {
    let verified = reader.verify()?;
    if as_json {
        output::json(&verified);
    } else {
        output::line(words(&verified));
    }
    Ok(if verified.ok { Exit::Ok } else { Exit::Unexpected })
}

fn words(verified: &Verified) -> String {
    let style = Style::stdout();
    let mut lines = vec![format!(
        "{}: {} rows, {} entries, {} open",
        if verified.ok {
            style.green("whole")
        } else {
            style.red("broken")
        },
        verified.rows,
        verified.entries,
        verified.open
    )];
    if let Some(bad) = &verified.first_bad {
        lines.push(format!("row {}: {}", bad.seq, bad.why));
    }
    if let Some(truncated) = &verified.truncated {
        lines.push(truncated.why.clone());
    }
    lines.join("\n")
}
