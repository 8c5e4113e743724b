//! `claw policy check|test|explain`: what policies would make of calls, from the files alone,
//! whether or not a gateway runs.

mod asked;
mod cases;

use std::path::Path;

use anyhow::Result;
use claw_core::policy::{Then, When, Why};
use serde_json::{Value, json};

use super::Environment;
use crate::cli::{ExplainPolicyArgs, PolicyCommand};
use crate::config::{self, Config};
use crate::exit::{Exit, Failed};
use crate::output::{self, Style, printable};
use asked::{Answer, Bench, Call};
use cases::CasesFile;

/// Runs the command.
///
/// # Errors
/// The home is not there, or a file has mistakes.
pub(super) fn run(command: PolicyCommand, environment: &Environment) -> Result<Exit> {
    let config = match environment.home.exists() {
        true => config::load(&environment.home).map_err(Failed::from)?,
        false => Config::default(),
    };
    match command {
        PolicyCommand::Check { file, json } => check(&Bench::new(&config, file.as_deref())?, json),
        PolicyCommand::Test { cases, policies, json } => {
            let own = environment.home.join("policy-tests.yaml");
            test(
                &Bench::new(&config, policies.as_deref())?,
                cases.as_ref().unwrap_or(&own),
                json,
            )
        }
        PolicyCommand::Explain(arguments) => {
            let bench = Bench::new(&config, arguments.policies.as_deref())?;
            explain(&bench, *arguments)
        }
    }
}

fn check(bench: &Bench, as_json: bool) -> Result<Exit> {
    let policies = &bench.file.policies;
    if as_json {
        output::json(&json!({ "ok": true, "policies": policies }));
        return Ok(Exit::Ok);
    }
    let cells = policies.iter().map(|entry| {
        let (about, what) = match (&entry.rule, &entry.when, &entry.then) {
            (Some(rule), ..) => ("every call".to_owned(), word(&json!(rule))),
            (None, Some(when), Some(then)) => (about(when), done(std::slice::from_ref(then))),
            _ => Default::default(),
        };
        let enforced = if entry.enforce { "enforced" } else { "only written down" };
        vec![
            printable(&entry.name),
            enforced.to_owned(),
            printable(&about),
            printable(&what),
        ]
    });
    let cells: Vec<Vec<String>> = cells.collect();
    output::raw(output::table(&["POLICY", "", "ABOUT", "DOES"], &cells, Style::stdout()).as_bytes());
    Ok(Exit::Ok)
}

fn test(bench: &Bench, path: &Path, as_json: bool) -> Result<Exit> {
    if !path.exists() {
        return Err(Failed::new(Exit::NothingToTest, format!("no cases at `{}`", path.display()))
            .hint("write `cases: [{name: …, call: {use: general, text: …}, expect: {outcome: allow}}]`")
            .into());
    }
    let file: CasesFile = asked::read(path)?;
    if file.cases.is_empty() {
        return Err(Failed::new(Exit::NothingToTest, format!("`{}` holds no cases", path.display())).into());
    }
    let style = Style::stdout();
    let (mut results, mut failed) = (Vec::new(), 0);
    for case in &file.cases {
        let wrong = case.run(bench).unwrap_or_else(|error| vec![format!("{error:#}")]);
        failed += usize::from(!wrong.is_empty());
        if !as_json {
            let mark = if wrong.is_empty() {
                style.green("ok  ")
            } else {
                style.red("FAIL")
            };
            output::line(format!("{mark}  {}", printable(&case.name)));
            for line in &wrong {
                output::line(format!("      {}", printable(line)));
            }
        }
        results.push(json!({ "name": case.name, "ok": wrong.is_empty(), "wrong": wrong }));
    }
    if as_json {
        output::json(&json!({ "ok": failed == 0, "cases": results }));
    } else {
        output::line(format!("{} passed, {failed} failed", file.cases.len() - failed));
    }
    Ok(if failed == 0 { Exit::Ok } else { Exit::TestFailed })
}

fn explain(bench: &Bench, arguments: ExplainPolicyArgs) -> Result<Exit> {
    let call = Call {
        use_name: arguments.use_name,
        capability: arguments.capability,
        act: arguments.act,
        text: super::models::given(&arguments.text)?,
        max_tokens: arguments.max_tokens,
        caller: arguments.caller,
        key: arguments.key,
        skill: arguments.skill,
        at: arguments.at.map(|moment| claw_store::time::rfc3339(moment.0)),
    };
    let answer = bench.ask(&call)?;
    if arguments.json {
        output::json(&answer);
    } else {
        show(&answer);
    }
    Ok(if answer.outcome == "allow" { Exit::Ok } else { Exit::Refused })
}

fn show(answer: &Answer) {
    let style = Style::stdout();
    let outcome = match answer.outcome {
        "allow" => style.green("allowed"),
        "hold" => style.yellow("held until somebody approves it"),
        _ => style.red("refused"),
    };
    output::line(match &answer.error {
        Some(fault) => format!("{outcome}: {}: {}", fault.code, printable(&fault.message)),
        None => outcome,
    });
    let rows = answer.rules.iter().map(|rule| {
        let mark = match (&rule.why, rule.enforce) {
            (Why::Yes, true) => "counts".to_owned(),
            (Why::Yes, false) => "would count".to_owned(),
            (Why::No { because }, _) => format!("no: `{because}` does not fit"),
            (Why::NotAModelCall, _) => "no: it is about model calls".to_owned(),
            (Why::Allowed { by }, _) => format!("not asked: `{by}` allowed the call"),
        };
        vec![printable(&rule.policy), printable(&mark), printable(&done(&rule.then))]
    });
    let rows: Vec<Vec<String>> = rows.collect();
    if !rows.is_empty() {
        output::raw(output::table(&["POLICY", "HERE", "DOES"], &rows, style).as_bytes());
    }
    for (label, names) in [("found in the text", &answer.found), ("may be served by", &answer.entries)] {
        if !names.is_empty() {
            output::line(printable(&format!("{label}: {}", names.join(", "))));
        }
    }
    if answer.local_only {
        output::line("only local providers may see it");
    }
    if answer.draft {
        output::line("the answer is a draft");
    }
    if let Some(sent) = &answer.sent {
        output::line(printable(&format!("is sent as: {sent}")));
    }
}

/// What a match is about, as it would be written.
fn about(when: &When) -> String {
    let value = json!(when);
    let said: Vec<String> = value
        .as_object()
        .into_iter()
        .flatten()
        .map(|(key, value)| format!("{key} {}", word(value)))
        .collect();
    if said.is_empty() {
        "every call".to_owned()
    } else {
        said.join(", ")
    }
}

fn done(then: &[Then]) -> String {
    then.iter().map(|then| word(&json!(then))).collect::<Vec<_>>().join(", ")
}

fn word(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(word).collect::<Vec<_>>().join("|"),
        Value::Object(fields) => fields
            .iter()
            .map(|(key, value)| format!("{key} {}", word(value)))
            .collect::<Vec<_>>()
            .join(" "),
        other => other.to_string(),
    }
}
