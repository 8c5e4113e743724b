//! `claw invoke`: one call through the gateway, its answer for people or as JSON.

use std::io::Read as _;

use anyhow::{Context as _, Result};
use futures::StreamExt as _;
use serde_json::{Map, Value, json};

use super::Environment;
use crate::cli::InvokeArgs;
use crate::client::{Client, Problem};
use crate::exit::{Exit, Failed};
use crate::output::{self, Style};

/// Runs the command.
///
/// # Errors
/// The gateway cannot be reached, or answers with a problem.
pub(super) fn run(arguments: &InvokeArgs, environment: &Environment) -> Result<Exit> {
    let payload = payload(arguments)?;
    let client = Client::connect(environment)?;
    super::runtime()?.block_on(async {
        let body = json!({ "skill": arguments.skill, "payload": payload });
        let mut headers = Vec::new();
        if let Some(key) = &arguments.idempotency_key {
            headers.push(("idempotency-key", key.clone()));
        }
        if let Some(timeout) = arguments.timeout_ms {
            headers.push(("claw-timeout-ms", timeout.to_string()));
        }
        let answer = if arguments.stream {
            streamed(&client, &body, &headers).await?
        } else {
            client.post("/v1/invoke", &body, &headers).await?
        };
        show(&answer, arguments.json);
        Ok(Exit::Ok)
    })
}

fn payload(arguments: &InvokeArgs) -> Result<Value> {
    if let Some(text) = &arguments.json_input {
        let text = if text == "-" {
            let mut read = String::new();
            std::io::stdin()
                .read_to_string(&mut read)
                .context("cannot read standard input")?;
            read
        } else {
            text.clone()
        };
        return serde_json::from_str(&text)
            .map_err(|error| Failed::new(Exit::Usage, format!("the input is no JSON: {error}")).into());
    }
    let mut payload = Map::new();
    for pair in &arguments.input {
        let Some((key, text)) = pair.split_once('=') else {
            return Err(Failed::new(Exit::Usage, format!("`--input {pair}`: write `--input key=value`")).into());
        };
        let value = match text.strip_prefix('@') {
            Some(file) => {
                Value::String(std::fs::read_to_string(file).with_context(|| format!("`--input {pair}`: cannot read `{file}`"))?)
            }
            // What is no JSON is text: `repo=owner/name` needs no quotes.
            None => serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned())),
        };
        if payload.insert(key.to_owned(), value).is_some() {
            return Err(Failed::new(Exit::Usage, format!("`--input {key}=…` is there twice")).into());
        }
    }
    Ok(Value::Object(payload))
}

async fn streamed(client: &Client, body: &Value, headers: &[(&str, String)]) -> Result<Value> {
    let mut events = Box::pin(client.events("/v1/invoke", body, headers).await?);
    let text = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    while let Some(event) = events.next().await {
        let (name, data) = event?;
        match name.as_str() {
            "progress" => output::note(Style::stderr().dim(&output::printable(&text(&data, "message")))),
            // Pieces of the answer are for whoever waits; the answer itself follows whole.
            "chunk" => output::piece(&output::printable(&text(&data, "text"))),
            "result" => {
                output::note("");
                return Ok(data);
            }
            "error" => {
                let problem = Problem::of(&data)
                    .ok_or_else(|| Failed::new(Exit::Unexpected, "the gateway sent an error without a code"))?;
                return Err(problem.into_failed().into());
            }
            _ => {}
        }
    }
    Err(Failed::new(Exit::Unreachable, "the gateway ended the stream without an answer").into())
}

fn show(answer: &Value, as_json: bool) {
    if as_json {
        output::json(answer);
        return;
    }
    let text = |key: &str| answer.get(key).and_then(Value::as_str).unwrap_or_default();
    match answer.get("output") {
        Some(Value::Object(fields)) => {
            for (key, value) in fields {
                output::line(Style::stdout().bold(&format!("{key}:")));
                output::line(output::printable(&readable(value)));
            }
        }
        Some(Value::String(text)) => output::line(output::printable(text)),
        Some(other) => output::line(other.to_string()),
        None => {}
    }
    let is = |key: &str| answer.get(key).and_then(Value::as_bool) == Some(true);
    let mut facts = vec![format!("{} · {}", text("skill"), text("id"))];
    if is("offline") {
        facts.push("made offline, by no language model".to_owned());
    }
    if is("replayed") {
        facts.push("the stored answer of an earlier call".to_owned());
    }
    output::note(Style::stderr().dim(&facts.join(" · ")));
}

fn readable(value: &Value) -> String {
    match value {
        Value::String(text) => text.trim_end().to_owned(),
        Value::Array(items) if items.is_empty() => "  none".to_owned(),
        Value::Array(items) => items
            .iter()
            .map(|item| format!("  - {}", one_line(item)))
            .collect::<Vec<_>>()
            .join("\n"),
        other => format!("  {other}"),
    }
}

fn one_line(item: &Value) -> String {
    match item {
        Value::String(text) => text.clone(),
        Value::Object(fields) => {
            let shown = fields
                .iter()
                .filter(|(_, value)| !value.is_null())
                .map(|(key, value)| match value {
                    Value::String(text) => format!("{key}: {text}"),
                    other => format!("{key}: {other}"),
                });
            shown.collect::<Vec<_>>().join(", ")
        }
        other => other.to_string(),
    }
}
