//! `claw skill inspect`: what a component is, what it can do and what it asks for, found
//! without running it.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use claw_core::grants::{Access, Requests};
use claw_core::manifest::Manifest;
use claw_engine::Inspected;
use serde_json::{Value, json};

use super::component::{self, dropped};
use super::folder::{self, Folder};
use super::{build, check};
use crate::cli::InspectArgs;
use crate::commands::Environment;
use crate::exit::{Exit, Failed};
use crate::output::{self, Style, printable};

/// Runs the command.
///
/// # Errors
/// There is no such component, or it is none that could be loaded.
pub(super) fn run(args: &InspectArgs, environment: &Environment) -> Result<Exit> {
    if args.file.is_dir() || is_manifest(&args.file) {
        let folder = Folder::open(&args.file)?;
        return Ok(show_folder(&folder, args.json));
    }
    let path = find(&args.file, environment)?;
    let bytes = component::read(&path).with_context(|| format!("cannot read `{}`", path.display()))?;
    let found = claw_engine::inspect(&bytes).map_err(|error| build::refused(&path.display().to_string(), &error))?;
    if args.json {
        output::json(&as_json(&found, &path));
    } else {
        output::raw(as_text(&found, &path, Style::stdout()).as_bytes());
    }
    Ok(Exit::Ok)
}

fn is_manifest(path: &Path) -> bool {
    path.extension().is_some_and(|end| end.eq_ignore_ascii_case("md"))
}

/// The file itself, or the newest version of that name in the home.
fn find(asked: &Path, environment: &Environment) -> Result<PathBuf> {
    if asked.is_file() {
        return Ok(asked.to_owned());
    }
    let text = asked.to_string_lossy();
    let (name, version) = text
        .split_once('@')
        .map_or((&*text, None), |(name, version)| (name, Some(version)));
    let mut versions: Vec<_> = dropped(&environment.home)
        .into_iter()
        .filter_map(|one| Some((one.found.ok()?.manifest, one.path)))
        .filter(|(manifest, _)| manifest.name == name && version.is_none_or(|wanted| manifest.version.to_string() == wanted))
        .collect();
    versions.sort_by(|(one, _), (other, _)| one.version.cmp(&other.version));
    if let Some((_, path)) = versions.pop() {
        return Ok(path);
    }
    if let Some(built) = folder::find(environment, Some(&*text))
        .ok()
        .and_then(|place| Folder::open(&place).ok())
    {
        let component = built.component();
        if component.is_file() {
            return Ok(component);
        }
    }
    let message = format!(
        "there is no file `{text}`, and no skill of that name in `{}`",
        environment.home.skills().display()
    );
    Err(Failed::new(Exit::Usage, message)
        .hint("give a `.wasm`, the name of a skill of the home, or a folder with a SKILL.md")
        .into())
}

fn show_folder(folder: &Folder, as_json: bool) -> Exit {
    let manifest = &folder.manifest;
    if as_json {
        let mut json = manifest_json(manifest);
        if let Some(map) = json.as_object_mut() {
            map.insert("warnings".to_owned(), json!(folder.warnings));
        }
        output::json(&json);
    } else {
        let style = Style::stdout();
        let mut text = head(manifest, style);
        let _ = writeln!(text, "{}  {}", style.bold("folder  "), folder.path.display());
        text.push_str(&tail(manifest, style));
        output::raw(text.as_bytes());
        for found in &folder.warnings {
            output::note(check::one(found, Style::stderr()));
        }
    }
    Exit::Ok
}

fn manifest_json(manifest: &Manifest) -> Value {
    json!({
        "name": manifest.name,
        "version": manifest.version.to_string(),
        "description": manifest.description,
        "license": manifest.license,
        "requests": manifest.requests,
        "limits": manifest.limits,
        "idempotent": manifest.idempotent,
        "config": manifest.config,
        "inputs": manifest.contract.inputs.json(),
        "outputs": manifest.contract.outputs.json(),
        "headings": manifest.headings,
    })
}

fn as_json(found: &Inspected, path: &Path) -> Value {
    let mut json = manifest_json(&found.manifest);
    if let Some(map) = json.as_object_mut() {
        let files = found
            .packaged
            .files
            .iter()
            .map(|(path, bytes)| json!({ "path": path, "size_bytes": bytes.len() }));
        map.insert("file".to_owned(), json!(path));
        map.insert("sha256".to_owned(), json!(found.sha256));
        map.insert("size_bytes".to_owned(), json!(found.size));
        map.insert("imports".to_owned(), json!(found.imports));
        map.insert("can".to_owned(), json!(abilities(&found.imports, &found.manifest.requests)));
        map.insert("files".to_owned(), files.collect());
    }
    json
}

/// What a component can do, in words. What it does not import it cannot do, whatever it asks for.
fn abilities(imports: &[String], requests: &Requests) -> Vec<String> {
    let has = |interface: &str| imports.iter().any(|import| import.split('@').next() == Some(interface));
    let list = |names: &mut dyn Iterator<Item = String>| names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let mut words = Vec::new();
    if has("claw:skill/model") {
        words.push(format!("call models for {}", list(&mut requests.model.iter().cloned())));
    }
    if has("claw:skill/files") {
        words.push("read its packaged files".to_owned());
        for (name, access) in &requests.files {
            let verb = if *access == Access::Read { "read" } else { "read and write" };
            words.push(format!("{verb} files below `{name}`"));
        }
    }
    if has("claw:skill/nodes") {
        words.push(format!("use {}", list(&mut requests.capabilities.iter().cloned())));
    }
    if has("claw:skill/output") {
        words.push("send its caller progress and partial results".to_owned());
    }
    if words.is_empty() {
        words.push("compute; nothing leaves the sandbox but its result and its log".to_owned());
    }
    words
}

fn head(manifest: &Manifest, style: Style) -> String {
    let title = style.bold(&format!("{}@{}", manifest.name, manifest.version));
    format!("{title}\n{}\n\n", printable(manifest.description.trim()))
}

fn tail(manifest: &Manifest, style: Style) -> String {
    let mut text = String::new();
    let mut row = |key: &str, value: &str| {
        let _ = writeln!(text, "{}  {}", style.bold(&format!("{key:<8}")), printable(value));
    };
    let asks = asks(&manifest.requests);
    row("asks for", if asks.is_empty() { "nothing" } else { &asks });
    let limits = &manifest.limits;
    row(
        "limits",
        &format!(
            "{} MiB, {} ms, {} KiB of output",
            limits.memory_mb, limits.timeout_ms, limits.output_kb
        ),
    );
    row("inputs", &shape(manifest.contract.inputs.json()));
    row("outputs", &shape(manifest.contract.outputs.json()));
    for heading in manifest.headings.iter().take(20) {
        row(
            if heading.line == manifest.headings.first().map_or(0, |first| first.line) {
                "headings"
            } else {
                ""
            },
            &heading.text,
        );
    }
    text
}

fn asks(requests: &Requests) -> String {
    let model = requests.model.iter().map(|name| format!("model {name}"));
    let files = requests
        .files
        .iter()
        .map(|(name, access)| format!("files {name} ({})", access.as_str()));
    let capabilities = requests.capabilities.iter().cloned();
    model.chain(files).chain(capabilities).collect::<Vec<_>>().join(", ")
}

/// The properties of an object schema in a line: `text: string, audience: string?`.
fn shape(schema: &Value) -> String {
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else {
        return "any object".to_owned();
    };
    let required = schema.get("required").and_then(Value::as_array);
    let is_required = |name: &String| required.is_some_and(|names| names.iter().any(|one| one == name));
    let parts = properties.iter().map(|(name, schema)| {
        let kind = match schema.get("type") {
            Some(Value::String(kind)) => kind.clone(),
            Some(Value::Array(kinds)) => kinds.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("|"),
            _ => "any".to_owned(),
        };
        format!("{name}: {kind}{}", if is_required(name) { "" } else { "?" })
    });
    parts.collect::<Vec<_>>().join(", ")
}

fn as_text(found: &Inspected, path: &Path, style: Style) -> String {
    let mut text = head(&found.manifest, style);
    let mut row = |key: &str, value: &str| {
        let _ = writeln!(text, "{}  {}", style.bold(&format!("{key:<8}")), printable(value));
    };
    row("file", &format!("{}, {} bytes", path.display(), found.size));
    row("sha256", &found.sha256);
    for (place, ability) in abilities(&found.imports, &found.manifest.requests).iter().enumerate() {
        row(if place == 0 { "can" } else { "" }, ability);
    }
    let files = found
        .packaged
        .files
        .iter()
        .map(|(path, bytes)| format!("{path} ({} bytes)", bytes.len()));
    for (place, file) in files.enumerate() {
        row(if place == 0 { "packaged" } else { "" }, &file);
    }
    text.push_str(&tail(&found.manifest, style));
    text
}

#[cfg(test)]
mod tests;
