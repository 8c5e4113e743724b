//! Names that a manifest has now and did not have before. A new version of a known name is
//! none.

use std::collections::BTreeSet;

use crate::change::File;
use crate::kinds;

/// The names, sorted. Only those that are names: at most 80 letters, digits and `@/._:-`.
pub fn added(file: &File) -> Vec<String> {
    let (_, manifest) = kinds::split(&file.path);
    let names =
        |lines: &mut dyn Iterator<Item = &str>| -> BTreeSet<String> { lines.filter_map(|line| name(manifest, line)).collect() };
    let before = names(&mut file.removed.iter().map(String::as_str));
    let now = names(&mut file.lines.iter().map(|line| line.text.as_str()));
    now.difference(&before).cloned().collect()
}

/// Keys by which a package speaks of itself, not of what it needs.
const OWN_KEYS: &[&str] = &[
    "authors",
    "categories",
    "description",
    "documentation",
    "edition",
    "exclude",
    "homepage",
    "include",
    "keywords",
    "license",
    "license-file",
    "lints",
    "publish",
    "python_full_version",
    "python_version",
    "readme",
    "repository",
    "rust-version",
    "version",
];

fn name(manifest: &str, line: &str) -> Option<String> {
    let line = line.trim();
    if line.starts_with(['#', '/', '[', '}', '{']) {
        return None;
    }
    let found = match manifest {
        "package.json" | "composer.json" | "deno.json" | "deno.jsonc" => {
            let (name, version) = line.split_once("\":")?;
            looks_like_version(version.trim().trim_matches([',', '"'])).then(|| name.trim_start_matches('"'))?
        }
        "Cargo.toml" | "Pipfile" => {
            let (name, value) = line.split_once('=')?;
            let value = value.trim();
            let is_table =
                value.starts_with('{') && ["version", "path", "git", "workspace"].iter().any(|key| value.contains(key));
            let name = name.trim().trim_end_matches(".workspace");
            let is_own = OWN_KEYS.contains(&name);
            (!is_own && (is_table || looks_like_version(value.trim_matches('"')) || line.contains(".workspace")))
                .then_some(name)?
        }
        "go.mod" => {
            let mut words = line.trim_start_matches("require ").split_whitespace();
            let module = words.next()?;
            words.next().filter(|version| version.starts_with('v')).map(|_| module)?
        }
        "Gemfile" => line.strip_prefix("gem ")?.split(['\'', '"']).nth(1)?,
        "mix.exs" => line.strip_prefix("{:")?.split(',').next()?,
        "pom.xml" => line.strip_prefix("<artifactId>")?.strip_suffix("</artifactId>")?,
        "build.gradle" | "build.gradle.kts" => {
            let is_dependency = [
                "implementation",
                "api",
                "compileOnly",
                "runtimeOnly",
                "testImplementation",
                "kapt",
                "classpath",
            ];
            is_dependency
                .iter()
                .any(|word| line.starts_with(word))
                .then(|| line.split(['\'', '"']).nth(1))??
        }
        "pubspec.yaml" => {
            let (name, version) = line.split_once(':')?;
            (name != "version" && looks_like_version(version.trim())).then_some(name)?
        }
        // requirements.txt, and the quoted requirements of pyproject.toml.
        _ => {
            let requirement = line.trim_matches([',', '"', '\'', ' ']);
            let end = requirement.find(['=', '<', '>', '~', '!', '[', ';', ' '])?;
            let (name, rest) = requirement.split_at(end);
            let is_requirement = ["==", ">=", "<=", "~=", "!=", "<", ">", "["]
                .iter()
                .any(|sign| rest.trim_start().starts_with(sign));
            is_requirement.then_some(name)?
        }
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '@' | '/' | '.' | '_' | '-' | ':');
    ((1..=80).contains(&found.len()) && found.chars().all(plain) && found.contains(|c: char| c.is_ascii_alphabetic()))
        .then(|| found.to_owned())
}

/// `^1.2`, `~> 3`, `>=1,<2`, `*`, `workspace:*`, `latest`.
fn looks_like_version(text: &str) -> bool {
    let rest = text.trim_start_matches(['^', '~', '>', '<', '=', 'v', ' ']);
    rest.starts_with(|c: char| c.is_ascii_digit()) && !rest.contains(['{', '(']) && rest.contains('.')
        || matches!(text, "*" | "latest" | "next")
        || ["workspace:", "npm:", "file:", "git+", "github:", "link:"]
            .iter()
            .any(|start| text.starts_with(start))
        || (rest != text && rest.starts_with(|c: char| c.is_ascii_digit()))
}

#[cfg(test)]
mod tests;
