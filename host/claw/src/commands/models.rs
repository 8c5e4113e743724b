//! `claw models list|test|explain`: asked of the gateway that runs, since only it knows which
//! breakers are open and who is at its limit.

use std::io::Read as _;
use std::time::Instant;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use super::{Environment, runtime};
use crate::cli::{ExplainArgs, ModelsCommand, TestModelsArgs};
use crate::client::Client;
use crate::exit::{Exit, Failed};
use crate::output::{self, Style};

/// A text that is longer is not taken from standard input, in bytes.
const MAX_TEXT: u64 = 4 << 20;

/// Runs the command.
///
/// # Errors
/// No gateway answers, or what it refuses.
pub(super) fn run(command: ModelsCommand, environment: &Environment) -> Result<Exit> {
    let client = Client::connect(environment)?;
    runtime()?.block_on(async {
        match command {
            ModelsCommand::List { json } => list(&client, json).await,
            ModelsCommand::Test(arguments) => test(&client, &arguments).await,
            ModelsCommand::Explain(arguments) => explain(&client, &arguments).await,
        }
    })
}

async fn list(client: &Client, as_json: bool) -> Result<Exit> {
    let page = client.get("/v1/models").await?;
    let rows = rows(&page, "data");
    if as_json {
        output::json(&rows);
        return Ok(Exit::Ok);
    }
    let cells = rows.iter().map(|row| {
        let claw = at(row, "/claw");
        let leads_to = at(claw, "/leads_to");
        vec![
            text(at(row, "/id")),
            text(at(claw, "/kind")),
            text(at(leads_to, "/provider")),
            text(at(leads_to, "/model")),
            if at(leads_to, "/local") == true { "local" } else { "" }.to_owned(),
            at(claw, "/context_tokens")
                .as_u64()
                .map(|tokens| tokens.to_string())
                .unwrap_or_default(),
        ]
    });
    let head = ["NAME", "KIND", "PROVIDER", "MODEL", "WHERE", "CONTEXT"];
    output::raw(output::table(&head, &cells.collect::<Vec<_>>(), Style::stdout()).as_bytes());
    Ok(Exit::Ok)
}

async fn test(client: &Client, arguments: &TestModelsArgs) -> Result<Exit> {
    let names = if arguments.names.is_empty() {
        let page = client.get("/v1/models").await?;
        let entries = rows(&page, "data").into_iter().filter(|row| at(row, "/claw/kind") == "entry");
        entries.map(|row| text(at(&row, "/id"))).collect()
    } else {
        arguments.names.clone()
    };
    let mut results = Vec::new();
    for name in &names {
        if !arguments.json {
            output::piece(&format!("{}: ", output::printable(name)));
        }
        let result = ask(client, name, arguments.timeout_ms).await;
        if !arguments.json {
            output::note(said(&result));
        }
        results.push(result);
    }
    if arguments.json {
        output::json(&results);
    }
    let bad = results.iter().any(|result| at(result, "/ok") != true);
    Ok(if bad { Exit::Unexpected } else { Exit::Ok })
}

async fn ask(client: &Client, name: &str, timeout_ms: u64) -> Value {
    let body = json!({
        "skill": "llm.inference",
        "payload": { "prompt": "Answer with the single word OK.", "model": name, "max_tokens": 64 },
    });
    let started = Instant::now();
    let headers = [("claw-timeout-ms", timeout_ms.to_string())];
    let answer = client.post("/v1/invoke", &body, &headers).await;
    let took = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    match answer {
        Ok(answer) => {
            let output = at(&answer, "/output");
            json!({
                "name": name, "ok": true, "latency_ms": took, "model": at(output, "/model"), "provider": at(output, "/provider"),
                "usage": at(output, "/usage"), "offline": at(&answer, "/offline"), "id": at(&answer, "/id"),
            })
        }
        Err(error) => json!({ "name": name, "ok": false, "latency_ms": took, "error": format!("{error:#}") }),
    }
}

fn said(result: &Value) -> String {
    let style = Style::stderr();
    if at(result, "/ok") != true {
        return format!("{} {}", style.red("failed"), output::printable(&text(at(result, "/error"))));
    }
    let cost = match at(result, "/usage/cost_nanousd").as_u64() {
        Some(cost) => format!("{:.9} USD", cost as f64 / 1e9),
        None => style.yellow("unknown price"),
    };
    let (provider, model) = (text(at(result, "/provider")), text(at(result, "/model")));
    format!(
        "{} {provider} {} in {} ms, {cost}",
        style.green("ok"),
        output::printable(&model),
        at(result, "/latency_ms")
    )
}

async fn explain(client: &Client, arguments: &ExplainArgs) -> Result<Exit> {
    let body = json!({
        "use": arguments.use_name,
        "text": given(&arguments.text)?,
        "max_tokens": arguments.max_tokens,
        "skill": arguments.skill,
    });
    let explained = client.post("/v1/explain", &body, &[]).await?;
    if arguments.json {
        output::json(&explained);
        return Ok(Exit::Ok);
    }
    let style = Style::stdout();
    let plan = at(&explained, "/plan");
    let mut cells = Vec::new();
    for (place, row) in rows(plan, "candidates").iter().enumerate() {
        cells.push(cells_of(&(place + 1).to_string(), row));
    }
    for row in rows(plan, "passed_over") {
        cells.push(cells_of("-", &row));
    }
    let head = ["", "ENTRY", "PROVIDER", "MODEL", "WHY"];
    output::raw(output::table(&head, &cells, style).as_bytes());
    let policy = at(&explained, "/policy");
    for (key, words) in [
        ("applied", "policies that apply"),
        ("reported", "would apply, if enforced"),
        ("found", "found in the text"),
    ] {
        let names: Vec<String> = policy
            .get(key)
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .map(text)
            .collect();
        if !names.is_empty() {
            output::line(output::printable(&format!("{words}: {}", names.join(", "))));
        }
    }
    if at(policy, "/local_only") == true {
        output::line(style.yellow("only local providers may see it"));
    }
    if at(&explained, "/draft") == true {
        output::line("the answer is a draft");
    }
    Ok(Exit::Ok)
}

pub(super) fn given(asked: &str) -> Result<String> {
    if asked != "-" {
        return Ok(asked.to_owned());
    }
    let mut read = String::new();
    std::io::stdin()
        .lock()
        .take(MAX_TEXT + 1)
        .read_to_string(&mut read)
        .context("standard input is not text")?;
    if read.len() as u64 > MAX_TEXT {
        return Err(Failed::new(Exit::Usage, format!("standard input is longer than {MAX_TEXT} bytes")).into());
    }
    Ok(read)
}

fn cells_of(place: &str, row: &Value) -> Vec<String> {
    let field = |key: &str| text(row.get(key).unwrap_or_default());
    vec![
        place.to_owned(),
        field("entry"),
        field("provider"),
        field("model"),
        field("why"),
    ]
}

fn rows(page: &Value, key: &str) -> Vec<Value> {
    page.get(key).and_then(Value::as_array).cloned().unwrap_or_default()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// What stands at a JSON Pointer; null where nothing does.
fn at<'a>(value: &'a Value, pointer: &str) -> &'a Value {
    value.pointer(pointer).unwrap_or(&Value::Null)
}
