//! `claw skill new`: a skill that builds and passes its own cases as it is. Refuses a name
//! that no skill may have, and a folder that holds something.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use super::build::shown;
use crate::cli::NewArgs;
use crate::exit::{Exit, Failed};
use crate::output;

/// Path in the new folder → text. Files whose own names would mean something here have others.
const TEMPLATE: [(&str, &str); 9] = [
    ("SKILL.md", include_str!("../../../templates/rust/SKILL.md.in")),
    ("Cargo.toml", include_str!("../../../templates/rust/Cargo.toml.in")),
    (".gitignore", include_str!("../../../templates/rust/gitignore.in")),
    ("src/lib.rs", include_str!("../../../templates/rust/src/lib.rs.in")),
    (
        "test/fixtures/greeting.json",
        include_str!("../../../templates/rust/test/fixtures/greeting.json"),
    ),
    (
        "test/fixtures/greeting.journal.jsonl",
        include_str!("../../../templates/rust/test/fixtures/greeting.journal.jsonl"),
    ),
    (
        "test/fixtures/blank.json",
        include_str!("../../../templates/rust/test/fixtures/blank.json"),
    ),
    (
        "test/expected/greeting.json",
        include_str!("../../../templates/rust/test/expected/greeting.json"),
    ),
    (
        "test/expected/blank.json",
        include_str!("../../../templates/rust/test/expected/blank.json"),
    ),
];

/// Runs the command.
///
/// # Errors
/// The name or the folder cannot be taken.
pub(super) fn run(args: &NewArgs) -> Result<Exit> {
    let name = &args.name;
    if !is_name(name) {
        let message = format!("`{}` is no name for a skill", output::printable(name));
        let mut failed = Failed::new(Exit::Usage, message);
        failed = match suggestion(name) {
            Some(better) => failed.hint(format!(
                "take small letters, digits and single `-` between them, at most 64: `{better}`"
            )),
            None => failed.hint("take small letters, digits and single `-` between them, at most 64"),
        };
        return Err(failed.into());
    }
    let folder = args.path.clone().unwrap_or_else(|| PathBuf::from(name));
    if !is_free(&folder)? {
        let message = format!("`{}` is there already and holds something", folder.display());
        return Err(Failed::new(Exit::Usage, message)
            .hint("take another name, or give a folder with `--path`")
            .into());
    }
    for (path, text) in TEMPLATE {
        write(&folder.join(path), &filled(text, name))?;
    }
    output::line(folder.display().to_string());
    let here = folder
        .canonicalize()
        .map_or_else(|_| folder.display().to_string(), |full| shown(&full));
    output::note(format!(
        "made `{name}`; next: `claw skill build {here}`, `claw skill test {here}`"
    ));
    Ok(Exit::Ok)
}

/// `[a-z0-9]+(-[a-z0-9]+)*`, at most 64 characters, as the format of SKILL.md has it.
fn is_name(text: &str) -> bool {
    let word = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    text.len() <= 64 && text.split('-').all(word)
}

fn suggestion(text: &str) -> Option<String> {
    let lower = text.to_ascii_lowercase();
    let words = lower
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty());
    let joined = words.collect::<Vec<_>>().join("-");
    is_name(&joined).then_some(joined)
}

fn is_free(folder: &Path) -> Result<bool> {
    match fs::read_dir(folder) {
        Ok(mut entries) => Ok(entries.next().is_none()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(true),
        Err(error) => Err(error).with_context(|| format!("cannot look into `{}`", folder.display())),
    }
}

fn filled(text: &str, name: &str) -> String {
    let title = name.replace('-', " ");
    let mut letters = title.chars();
    let title = letters
        .next()
        .map(|first| first.to_uppercase().chain(letters).collect::<String>())
        .unwrap_or_default();
    let package = if name.starts_with(|c: char| c.is_ascii_digit()) {
        format!("skill-{name}")
    } else {
        name.to_owned()
    };
    text.replace("{{name}}", name)
        .replace("{{title}}", &title)
        .replace("{{package}}", &package)
}

fn write(path: &Path, text: &str) -> Result<()> {
    let failed = || format!("cannot write `{}`", path.display());
    fs::create_dir_all(path.parent().unwrap_or(Path::new("."))).with_context(failed)?;
    fs::write(path, text).with_context(failed)
}

#[cfg(test)]
mod tests;
