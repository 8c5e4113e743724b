//! `claw skill record`: one case run live, and its calls written down as the case's cassette.
//! Secrets and personal data are masked; what cannot be masked without breaking the replay
//! is refused. Nothing is written that does not replay.

mod detect;
mod mask;

use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result, anyhow};
use claw_core::errors::Code;
use claw_core::grants::Requests;
use claw_core::ids::{InvocationId, TraceParent};
use claw_core::journal::{Answer, Effect, Line, to_jsonl};
use claw_core::pipeline::{Doors, Imports};
use claw_core::ports::Component as _;
use claw_engine::Loaded;
use serde_json::Value;

use super::build;
use super::component;
use super::folder::Folder;
use super::steps::Steps;
use super::test::{Case, Cassette, Ran, Stage, is_case_name, replay, sandbox};
use crate::cli::RecordArgs;
use crate::commands::Environment;
use crate::compose::{self, Host};
use crate::exit::{Exit, Failed};
use crate::home::Home;
use crate::output;

use detect::Known;
use mask::{Context, Masked};

/// Runs the command.
///
/// # Errors
/// The case or the skill is not there, the home does not allow what it calls, or what was
/// recorded cannot be masked or replayed.
pub(super) fn run(args: &RecordArgs, environment: &Environment) -> Result<Exit> {
    let steps = Steps::new(false);
    let folder = build::folder_of(environment, args.skill.as_deref())?;
    let case = find(&folder, &args.case)?;
    let input = case.input().map_err(|failure| Failed::new(Exit::Usage, failure.message()))?;
    let component = build::fresh(&folder, args.trust, environment, &steps)?;
    check_grants(&folder, &environment.home)?;
    super::runtime()?.block_on(async {
        let skill = sandbox(environment)?.load(&folder.manifest.name, &component).await?;
        steps.say(format!("running `{}` live", case.name));
        let mut host = Host::open_for_record(&environment.home)?;
        host.start().await;
        let stage = Stage::set(&skill.facts().manifest, &case)?;
        let ran = live(host.doors.clone(), &skill, &stage, input.clone()).await;
        host.close().await?;
        let context = Context {
            input: &input,
            files: &case.files_path(),
            component: &component::read(&component)?,
        };
        let masked = mask(&ran, &context, &environment.home, args.raw, &steps)?;
        verify(&skill, &case, input.clone(), &masked.lines, args.raw, &steps).await?;
        write(&case, &masked.lines, &steps)?;
        match &ran.result {
            Ok(_) => steps.say(format!(
                "it succeeded; `claw skill test --update --filter {}` writes what came out",
                case.name
            )),
            Err(fault) => steps.say(format!("it failed with `{}`: {}", fault.code, fault.message)),
        }
        Ok(Exit::Ok)
    })
}

fn find(folder: &Folder, name: &str) -> Result<Case> {
    let test = folder.path.join("test");
    let case = Case::named(&test, name);
    if is_case_name(name) && case.input_path().is_file() {
        return Ok(case);
    }
    let message = format!("`{}` has no case `{}`", folder.manifest.name, output::printable(name));
    let hint = format!(
        "write its input to `{}`",
        build::shown(&test.join("fixtures").join("<case>.json"))
    );
    Err(Failed::new(Exit::NothingToTest, message).hint(hint).into())
}

/// A live run may do what the operator allowed, and nothing more. Files come from the case.
fn check_grants(folder: &Folder, home: &Home) -> Result<()> {
    let manifest = &folder.manifest;
    let outside = Requests {
        files: Default::default(),
        ..manifest.requests.clone()
    };
    let missing = compose::grants(home)?.intersect(&manifest.name, &outside).missing;
    match super::allow::command(&manifest.name, &missing) {
        None => Ok(()),
        Some(command) => {
            let message = format!(
                "`{}` is not allowed all that it asks for, and a recording runs live",
                manifest.name
            );
            Err(Failed::new(Exit::Refused, message).hint(command).into())
        }
    }
}

/// Runs a staged case once with a live host behind these doors.
async fn live(doors: Arc<Doors>, skill: &Arc<Loaded>, stage: &Stage, input: Value) -> Ran {
    let (name, grants) = (stage.skill().to_owned(), stage.grants());
    let imports = |setting: &super::test::Setting| {
        Arc::new(Imports {
            doors,
            parent: InvocationId::generate(),
            trace: TraceParent::generate(),
            caller: "record".to_owned(),
            key: None,
            depth: 1,
            skill: name,
            grants,
            journal: setting.journal.clone(),
            deadline: setting.deadline,
        })
    };
    stage.run(skill, input, imports).await
}

/// The calls of a run, masked.
fn mask(ran: &Ran, context: &Context<'_>, home: &Home, raw: bool, steps: &Steps) -> Result<Masked> {
    if ran.lines.iter().any(|line| matches!(line.effect, Effect::Dropped { .. })) {
        let message = "the run made more calls, or larger ones, than a journal keeps";
        return Err(Failed::new(Exit::Unexpected, message).hint("record a smaller case").into());
    }
    let calls = ran.lines.iter().filter(|line| is_call(&line.effect)).map(|line| Line {
        at_us: 0,
        effect: bare(&line.effect),
    });
    let masked = mask::mask(calls.collect(), &Known::of(home), context)?;
    if !masked.stuck.is_empty() && !raw {
        let places: Vec<String> = masked.stuck.iter().take(10).map(|stuck| format!("\n  {stuck}")).collect();
        let message = format!(
            "what the skill sent holds what a cassette must not, and masking it would break the replay:{}",
            places.concat()
        );
        let hint = "take it out of the fixture or the skill, or keep it with `--raw`";
        return Err(Failed::new(Exit::Refused, message).hint(hint).into());
    }
    for stuck in &masked.stuck {
        steps.say(format!("kept as it is: {stuck}"));
    }
    for (class, count) in &masked.counts {
        steps.say(format!("masked: {class}, {count} different"));
    }
    if masked.opaque > 0 {
        steps.say(format!(
            "{} pieces of data that are no text were kept as they are: look at them",
            masked.opaque
        ));
    }
    Ok(masked)
}

/// What leaves the sandbox. A refusal of the skill's own grants is made anew at each replay.
fn is_call(effect: &Effect) -> bool {
    let refused = |fault: &claw_core::errors::Fault| fault.code == Code::GrantUndeclared;
    match effect {
        Effect::Model {
            answer: Answer::Err(fault),
            ..
        }
        | Effect::Embed {
            answer: Answer::Err(fault),
            ..
        }
        | Effect::Invoke {
            answer: Answer::Err(fault),
            ..
        } => !refused(fault),
        Effect::Model { .. } | Effect::Embed { .. } | Effect::Invoke { .. } => true,
        _ => false,
    }
}

/// Without what differs from one recording to the next.
fn bare(effect: &Effect) -> Effect {
    let mut effect = effect.clone();
    if let Effect::Model { entry, .. } | Effect::Embed { entry, .. } | Effect::Invoke { entry, .. } = &mut effect {
        *entry = None;
    }
    effect
}

/// Plays the recording once: it has to answer every call, and every line has to be asked for.
async fn verify(skill: &Arc<Loaded>, case: &Case, input: Value, lines: &[Line], raw: bool, steps: &Steps) -> Result<()> {
    let stage = Stage::set(&skill.facts().manifest, case)?;
    let (_, failures) = replay(skill, &stage, input, Cassette::of(lines)).await;
    let Some(first) = failures.first() else { return Ok(()) };
    let message = format!("the recording does not replay: {}", first.message());
    if raw {
        steps.say(message);
        return Ok(());
    }
    let hint =
        "a skill whose calls depend on more than its input, or that takes masked text apart, has to be recorded with `--raw`";
    Err(Failed::new(Exit::Refused, message).hint(hint).into())
}

fn write(case: &Case, lines: &[Line], steps: &Steps) -> Result<()> {
    let path = case.cassette_path();
    if lines.is_empty() {
        match std::fs::remove_file(&path) {
            Ok(()) => steps.say(format!("it made no calls; `{}` is removed", case.short(&path))),
            Err(_) => steps.say("it made no calls: there is nothing to record"),
        }
        return Ok(());
    }
    let failed = || format!("cannot write `{}`", path.display());
    let directory = path.parent().unwrap_or(Path::new("."));
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    let mut file = tempfile::Builder::new()
        .prefix(".partial-")
        .permissions(mode)
        .tempfile_in(directory)
        .with_context(failed)?;
    file.write_all(&to_jsonl(lines)).with_context(failed)?;
    file.persist(&path)
        .map_err(|error| anyhow!(error.error))
        .with_context(failed)?;
    steps.say(format!("wrote {} calls", lines.len()));
    output::line(build::shown(&path));
    Ok(())
}
