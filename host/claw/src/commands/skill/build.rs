//! `claw skill build`: from a folder to one `.wasm` that holds its SKILL.md and files. Runs
//! cargo, and with it build scripts and macros, with the user's rights: never for a folder
//! that is not theirs unless they say so.

mod cargo;
mod pack;
mod sdk;
mod stamp;
mod trust;

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use claw_engine::{LoadError, inspect, package};
use serde::Serialize;

use super::folder::{self, Folder};
use super::steps::Steps;
use crate::cli::BuildArgs;
use crate::commands::Environment;
use crate::exit::{self, Exit, Failed};
use crate::output;

pub(super) use cargo::Profile;

/// A built component.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Built {
    /// The skill's name.
    pub(super) name: String,
    /// Its version.
    pub(super) version: String,
    /// The component.
    pub(super) path: PathBuf,
    /// Its size in bytes.
    pub(super) size_bytes: u64,
    /// SHA-256 of the component, hex.
    pub(super) sha256: String,
    /// The files inside it.
    pub(super) files: Vec<String>,
    /// What the loader overlooked, and files that were left out.
    pub(super) warnings: Vec<String>,
}

/// Runs the command.
///
/// # Errors
/// The folder is no skill, is not trusted, or does not build.
pub(super) fn run(args: &BuildArgs, environment: &Environment) -> Result<Exit> {
    let steps = Steps::new(args.json);
    let profile = if args.debug { Profile::Debug } else { Profile::Release };
    let place = args.dir.clone().unwrap_or_else(|| PathBuf::from("."));
    let built = Folder::open(&place).and_then(|folder| build(&folder, profile, args.trust, environment, &steps));
    if !args.json {
        output::line(shown(&built?.path));
        return Ok(Exit::Ok);
    }
    match built {
        Ok(built) => {
            let mut report = serde_json::to_value(&built)?;
            if let Some(report) = report.as_object_mut() {
                report.insert("ok".to_owned(), true.into());
            }
            output::json(&report);
            Ok(Exit::Ok)
        }
        Err(error) => {
            output::failure(&error);
            output::json(&serde_json::json!({ "ok": false, "error": format!("{error:#}"), "messages": steps.take() }));
            Ok(exit::of(&error))
        }
    }
}

/// The component of a folder, built where its sources have changed since.
///
/// # Errors
/// As [`build`].
pub(super) fn fresh(folder: &Folder, trust: bool, environment: &Environment, steps: &Steps) -> Result<PathBuf> {
    let path = folder.component();
    if stamp::is_fresh(folder, &path) {
        return Ok(path);
    }
    build(folder, Profile::Release, trust, environment, steps).map(|built| built.path)
}

/// Builds a folder.
///
/// # Errors
/// The folder is not trusted, cargo is missing or fails, or the component imports what its
/// SKILL.md does not declare.
pub(super) fn build(folder: &Folder, profile: Profile, trust: bool, environment: &Environment, steps: &Steps) -> Result<Built> {
    let name = &folder.manifest.name;
    if !folder.path.join("Cargo.toml").is_file() {
        let message = format!("`{name}` has no Cargo.toml, and there is nothing else to build yet");
        let hint = "this version builds skills written in Rust: `claw skill new` starts one";
        return Err(Failed::new(Exit::BuildFailed, message).hint(hint).into());
    }
    if !trust {
        trust::check(&folder.path)?;
    }
    let mut warnings: Vec<String> = folder.warnings.iter().map(ToString::to_string).collect();
    let before = stamp::inputs(folder);
    let packed = pack::collect(folder)?;
    let skipped = packed.skipped.iter();
    warnings.extend(skipped.map(|path| format!("{path}: warning: it is a link or no regular file, and is left out")));
    for warning in &warnings {
        steps.say(warning);
    }
    let target = target_directory(folder, environment);
    steps.say(format!(
        "building `{name}` with cargo; its build scripts and macros run with your rights"
    ));
    let wasm = cargo::compile(
        &cargo::Order {
            directory: &folder.path,
            target: &target,
            profile,
        },
        steps,
    )?;
    let component =
        package::embed(&wasm, &packed.files).map_err(|error| Failed::new(Exit::BuildFailed, format!("`{name}`: {error}")))?;
    let found = inspect(&component).map_err(|error| refused(name, &error))?;
    if found.manifest.name != *name {
        // Inside a component there is no folder that could lend its name.
        let message = format!(
            "the skill is called `{name}` only after its folder; alone it would be `{}`",
            found.manifest.name
        );
        return Err(Failed::new(Exit::BadSkill, message)
            .hint(format!("write `name: {name}` in its SKILL.md"))
            .into());
    }
    let path = folder.component();
    write(&path, &component)?;
    stamp::write(&path, &before, &folder.path, &found.sha256);
    let size_bytes = found.size;
    let (count, word) = (packed.files.len(), if packed.files.len() == 1 { "file" } else { "files" });
    steps.say(format!(
        "packaged {count} {word} ({}), {size_bytes} bytes, sha256 {}",
        in_short(packed.files.keys()),
        found.sha256
    ));
    Ok(Built {
        name: name.clone(),
        version: found.manifest.version.to_string(),
        path,
        size_bytes,
        sha256: found.sha256,
        files: packed.files.into_keys().collect(),
        warnings,
    })
}

/// The first names of many.
fn in_short<'n>(names: impl ExactSizeIterator<Item = &'n String>) -> String {
    let count = names.len();
    let mut shown: Vec<&str> = names.take(12).map(String::as_str).collect();
    let more = format!("and {} more", count.saturating_sub(shown.len()));
    if count > shown.len() {
        shown.push(&more);
    }
    shown.join(", ")
}

/// Why a component was refused, with the code that it ends the program with.
pub(super) fn refused(name: &str, error: &LoadError) -> Failed {
    let exit = match error {
        LoadError::Undeclared { .. } | LoadError::Manifest(_) => Exit::BadSkill,
        LoadError::Package(_)
        | LoadError::Foreign { .. }
        | LoadError::Contract(_)
        | LoadError::NoHandler
        | LoadError::Compile(_)
        | LoadError::Link(_) => Exit::BuildFailed,
    };
    let failed = Failed::new(exit, format!("the component of `{name}`: {error}"));
    match error {
        LoadError::Undeclared { key, example, .. } => failed.hint(format!(
            "write `metadata:`, below it `claw:`, and below that `{key}: {example}` in its SKILL.md"
        )),
        LoadError::NoHandler => failed.hint("name the skill once in `claw_skill::export!`"),
        _ => failed,
    }
}

/// One target directory for all skills spares the crates that they share: cargo's own if it
/// is set, else the home's, else the folder's.
fn target_directory(folder: &Folder, environment: &Environment) -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR").filter(|value| !value.is_empty()) {
        Some(directory) => std::path::absolute(&directory).unwrap_or_else(|_| PathBuf::from(directory)),
        None if environment.home.exists() => environment.home.state().join("build"),
        None => folder.path.join("target"),
    }
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let failed = || format!("cannot write `{}`", path.display());
    let directory = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(directory).with_context(failed)?;
    let mode = std::fs::Permissions::from_mode(0o644);
    let mut file = tempfile::Builder::new()
        .prefix(".partial-")
        .permissions(mode)
        .tempfile_in(directory)
        .with_context(failed)?;
    file.write_all(bytes).with_context(failed)?;
    file.persist(path).map_err(|error| error.error).with_context(failed)?;
    Ok(())
}

/// A path as short as it can be said from here.
pub(super) fn shown(path: &Path) -> String {
    let here = std::env::current_dir().ok().and_then(|here| here.canonicalize().ok());
    let short = here.as_ref().and_then(|here| path.strip_prefix(here).ok()).unwrap_or(path);
    short.display().to_string()
}

/// The folder and its component, for commands that run it.
///
/// # Errors
/// As [`fresh`].
pub(super) fn folder_of(environment: &Environment, asked: Option<&str>) -> Result<Folder> {
    Folder::open(&folder::find(environment, asked)?)
}

#[cfg(test)]
mod tests;
