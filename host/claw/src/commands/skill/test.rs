//! `claw skill test`: a skill against its cases, in the real sandbox. What would leave the
//! sandbox is answered from the case's cassette; what the cassette lacks fails the case.

mod case;
mod cassette;
mod diff;
mod expect;
mod report;
mod same;
mod stage;
mod world;

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context as _, Result};
use claw_core::ports::Component as _;
use claw_engine::Loaded;
use futures::StreamExt as _;
use serde_json::json;

use super::build::{self, shown};
use super::folder::Folder;
use super::steps::Steps;
use crate::cli::TestArgs;
use crate::commands::Environment;
use crate::exit::{self, Exit, Failed};
use crate::output::{self, Style};

pub(super) use case::Case;
pub(super) use cassette::Cassette;
pub(super) use stage::{Ran, Setting, Stage, tree};
pub(super) use world::sandbox;

use report::{Outcome, Report};

/// How many cases run at once.
const AT_ONCE: usize = 2;

/// Runs the command.
///
/// # Errors
/// The folder is no skill, does not build, or has no case.
pub(super) fn run(args: &TestArgs, environment: &Environment) -> Result<Exit> {
    let steps = Steps::new(args.json);
    match test(args, environment, &steps) {
        Err(error) if args.json => {
            output::failure(&error);
            output::json(&json!({ "ok": false, "error": format!("{error:#}"), "messages": steps.take() }));
            Ok(exit::of(&error))
        }
        tested => tested,
    }
}

fn test(args: &TestArgs, environment: &Environment, steps: &Steps) -> Result<Exit> {
    let folder = build::folder_of(environment, args.skill.as_deref())?;
    let found = case::discover(&folder.path.join("test"))?;
    for orphan in &found.orphans {
        steps.say(format!("{}: {orphan}", Style::stderr().yellow("warning")));
    }
    let name = folder.manifest.name.clone();
    let wanted = |case: &Case| args.filter.as_ref().is_none_or(|part| case.name.contains(part.as_str()));
    let cases: Vec<Case> = found.cases.into_iter().filter(wanted).collect();
    if cases.is_empty() {
        return Err(nothing(&folder, args.filter.as_deref()).into());
    }
    let component = build::fresh(&folder, args.trust, environment, steps)?;
    let report = super::runtime()?.block_on(async {
        let sandbox = sandbox(environment)?;
        let skill = sandbox.load(&name, &component).await?;
        let outcomes = futures::stream::iter(cases.iter().map(|case| play(&skill, case, args.update)));
        let outcomes: Vec<Outcome> = outcomes.buffered(AT_ONCE).collect().await;
        let version = folder.manifest.version.to_string();
        anyhow::Ok(Report {
            skill: name,
            version,
            outcomes,
            warnings: found.orphans,
        })
    })?;
    if let Some(file) = &args.junit {
        std::fs::write(file, report.junit()).with_context(|| format!("cannot write `{}`", file.display()))?;
    }
    if args.json {
        output::json(&report.json());
    } else {
        output::raw(report.text(Style::stdout()).as_bytes());
    }
    Ok(if report.failed() == 0 { Exit::Ok } else { Exit::TestFailed })
}

fn nothing(folder: &Folder, filter: Option<&str>) -> Failed {
    let fixtures = shown(&folder.path.join("test").join("fixtures"));
    match filter {
        Some(filter) => Failed::new(
            Exit::NothingToTest,
            format!("no case of `{}` has `{filter}` in its name", folder.manifest.name),
        )
        .hint(format!("the cases are the `.json` files of `{fixtures}`")),
        None => Failed::new(Exit::NothingToTest, format!("`{}` has no cases", folder.manifest.name)).hint(format!(
            "write an input to `{fixtures}/<case>.json`, then run `claw skill test --update`"
        )),
    }
}

/// Plays one case and compares.
async fn play(skill: &Arc<Loaded>, case: &Case, update: bool) -> Outcome {
    let started = Instant::now();
    let mut outcome = match rehearse(skill, case).await {
        Ok((ran, mut failures)) => {
            let logs = ran.logs();
            let mut updated = Vec::new();
            // A run that missed calls proves nothing about its result.
            if failures.is_empty() && update {
                match expect::update(case, &ran) {
                    Ok(written) => updated = written,
                    Err(error) => failures.push(report::Failure::new("files", format!("{error:#}"))),
                }
            } else if failures.is_empty() {
                failures = expect::compare(case, &ran);
            }
            Outcome {
                name: case.name.clone(),
                failures,
                updated,
                logs,
                millis: 0,
            }
        }
        Err(failure) => Outcome {
            name: case.name.clone(),
            failures: vec![failure],
            updated: Vec::new(),
            logs: Vec::new(),
            millis: 0,
        },
    };
    outcome.millis = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    outcome
}

/// Plays one case against its cassette: how it ran, and what was wrong with its calls.
async fn rehearse(skill: &Arc<Loaded>, case: &Case) -> Result<(Ran, Vec<report::Failure>), report::Failure> {
    let input = case.input()?;
    let cassette = match case.cassette()? {
        Some(text) => Cassette::parse(&text).map_err(|error| report::Failure::new("cassette", error))?,
        None => Cassette::default(),
    };
    let stage = Stage::set(&skill.facts().manifest, case).map_err(|error| report::Failure::new("files", format!("{error:#}")))?;
    let (ran, failures) = replay(skill, &stage, input, cassette).await;
    Ok((ran, failures))
}

/// Runs a staged case with a cassette as all that lies outside.
pub(super) async fn replay(
    skill: &Arc<Loaded>,
    stage: &Stage,
    input: serde_json::Value,
    cassette: Cassette,
) -> (Ran, Vec<report::Failure>) {
    let player = Arc::new(cassette::Player::new(stage.skill(), stage.grants(), cassette));
    let host = player.clone();
    let ran = stage.run(skill, input, move |_| host).await;
    (ran, player.failures())
}

/// The name of a case as its files have it.
pub(super) fn is_case_name(name: &str) -> bool {
    !name.is_empty() && !name.contains('/') && name != "." && name != ".." && Path::new(name).file_name().is_some()
}
