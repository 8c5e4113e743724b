//! `capabilities.yaml`, checked whole: what cannot be made safe is refused here, with the
//! key and what to write instead, and not at the first call.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use claw_core::ports::Effects;

use crate::config::{CapabilitiesFile, CommandEntry, ConfigError, ConfigErrors, Environment};
use crate::pattern::Pattern;
use crate::redact::Redactor;
use crate::{git, root};

const CONCURRENCY: u16 = 8;
const TIMEOUT_MS: u64 = 30_000;
const MAX_TIMEOUT_MS: u64 = 3_600_000;
const OUTPUT_KB: u32 = 1_024;
const MAX_OUTPUT_KB: u32 = 8_192;

/// Commands whose arguments are programs: a free word there is a shell.
const INTERPRETERS: &[&str] = &[
    "awk",
    "bash",
    "bun",
    "busybox",
    "cmd",
    "csh",
    "dash",
    "deno",
    "doas",
    "env",
    "eval",
    "exec",
    "find",
    "fish",
    "gawk",
    "ksh",
    "lua",
    "make",
    "nice",
    "node",
    "nohup",
    "parallel",
    "perl",
    "php",
    "powershell",
    "pwsh",
    "python",
    "python3",
    "ruby",
    "sed",
    "setsid",
    "sh",
    "ssh",
    "su",
    "sudo",
    "tcsh",
    "time",
    "timeout",
    "watch",
    "xargs",
    "zsh",
];

/// A file that holds.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) concurrency: usize,
    pub(crate) commands: BTreeMap<String, Command>,
}

/// One command, ready to be called.
#[derive(Debug)]
pub(crate) struct Command {
    pub(crate) name: String,
    /// It is git, however it is called.
    pub(crate) is_git: bool,
    pub(crate) binary: Binary,
    pub(crate) rules: Vec<Rule>,
    /// Name → the directory, its links resolved.
    pub(crate) roots: BTreeMap<String, PathBuf>,
    /// `PATH` and what the file names, as it will be given.
    pub(crate) env: Vec<(String, OsString)>,
    pub(crate) redactor: Redactor,
    pub(crate) timeout: Duration,
    pub(crate) output_bytes: usize,
}

#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) pattern: Pattern,
    pub(crate) effects: Effects,
    pub(crate) stdin: bool,
}

/// Where a command lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Binary {
    /// As the file says.
    Fixed(PathBuf),
    /// The first of this name in these directories.
    Search(Vec<PathBuf>),
}

impl Binary {
    /// The binary as it is there now.
    pub(crate) fn find(&self, name: &str) -> Option<PathBuf> {
        match self {
            Binary::Fixed(path) => is_executable(path).then(|| path.clone()),
            Binary::Search(folders) => folders
                .iter()
                .map(|folder| folder.join(name))
                .find(|path| is_executable(path)),
        }
    }
}

fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    path.metadata()
        .is_ok_and(|about| about.is_file() && about.permissions().mode() & 0o111 != 0)
}

impl Loaded {
    pub(crate) fn check(file: &CapabilitiesFile, env: &Environment) -> Result<Self, ConfigErrors> {
        let mut found = Found::default();
        let concurrency = file.concurrency.unwrap_or(CONCURRENCY);
        if concurrency == 0 {
            found.add("concurrency", "0 lets nothing run", "write 1 or more, or leave it out");
        }
        let mut commands = BTreeMap::new();
        for (name, entry) in &file.commands {
            let command = found.command(name, entry, env);
            commands.insert(name.clone(), command);
        }
        if found.errors.is_empty() {
            Ok(Loaded {
                concurrency: usize::from(concurrency),
                commands,
            })
        } else {
            Err(ConfigErrors(found.errors))
        }
    }
}

#[derive(Default)]
struct Found {
    errors: Vec<ConfigError>,
}

impl Found {
    fn add(&mut self, key: impl Into<String>, message: impl Into<String>, hint: impl Into<String>) {
        self.errors.push(ConfigError {
            key: key.into(),
            message: message.into(),
            hint: Some(hint.into()),
        });
    }

    fn command(&mut self, name: &str, entry: &CommandEntry, env: &Environment) -> Command {
        let key = format!("commands.{name}");
        if !is_command_name(name) {
            self.add(
                &key,
                "is no name of a command",
                "letters, digits, `.`, `_`, `-` and `+`; a path goes under `path`",
            );
        }
        if let Some(preset) = entry.preset.filter(|preset| preset.command() != name) {
            let hint = format!("move it to `commands.{}`", preset.command());
            self.add(
                format!("{key}.preset"),
                format!("holds rules for `{}`", preset.command()),
                hint,
            );
        }
        let roots = self.roots(&key, entry);
        let folders = search_path(env);
        let binary = self.binary(&key, entry, &folders);
        if let Some(path) = binary.find(name)
            && let Ok(real) = path.canonicalize()
            && let Some((root, _)) = roots.iter().find(|(_, root)| real.starts_with(root))
        {
            let hint = "set `path` to one that callers and their checkouts cannot write";
            self.add(
                format!("{key}.path"),
                format!("`{}` lies below the root `{root}`", path.display()),
                hint,
            );
        }
        let (env, redactor) = self.environment(&key, entry, env, &folders);
        let timeout_ms = entry.timeout_ms.unwrap_or(TIMEOUT_MS);
        if !(1..=MAX_TIMEOUT_MS).contains(&timeout_ms) {
            self.add(
                format!("{key}.timeout_ms"),
                format!("{timeout_ms} is out of bounds"),
                format!("write 1 to {MAX_TIMEOUT_MS}"),
            );
        }
        let output_kb = entry.output_kb.unwrap_or(OUTPUT_KB);
        if !(1..=MAX_OUTPUT_KB).contains(&output_kb) {
            self.add(
                format!("{key}.output_kb"),
                format!("{output_kb} is out of bounds"),
                format!("write 1 to {MAX_OUTPUT_KB}"),
            );
        }
        Command {
            name: name.to_owned(),
            is_git: is_git(name, entry),
            binary,
            rules: self.rules(&key, name, entry),
            roots,
            env,
            redactor,
            timeout: Duration::from_millis(timeout_ms),
            output_bytes: output_kb as usize * 1_024,
        }
    }

    fn binary(&mut self, key: &str, entry: &CommandEntry, folders: &[PathBuf]) -> Binary {
        match &entry.path {
            Some(path) => {
                if !path.is_absolute() {
                    let message = format!("`{}` is not an absolute path", path.display());
                    self.add(
                        format!("{key}.path"),
                        message,
                        "write the whole path, or leave it out to search `PATH`",
                    );
                }
                Binary::Fixed(path.clone())
            }
            None => Binary::Search(folders.to_vec()),
        }
    }

    fn roots(&mut self, key: &str, entry: &CommandEntry) -> BTreeMap<String, PathBuf> {
        let mut roots = BTreeMap::new();
        for (name, path) in &entry.roots {
            let key = format!("{key}.roots.{name}");
            if name.is_empty() || name.starts_with('-') || name.chars().any(char::is_control) || name.len() > 128 {
                self.add(
                    &key,
                    "is no name for a root",
                    "callers write it as `cwd`: 1 to 128 characters, not beginning with `-`",
                );
            }
            match root::resolve(path) {
                Ok(real) => {
                    roots.insert(name.clone(), real);
                }
                Err(why) => self.add(&key, why, "name a directory that exists, by its absolute path"),
            }
        }
        roots
    }

    fn rules(&mut self, key: &str, name: &str, entry: &CommandEntry) -> Vec<Rule> {
        let shipped = entry.preset.map(|preset| preset.rules()).unwrap_or_default();
        let mut rules = Vec::new();
        for (at, rule) in shipped
            .iter()
            .map(|rule| (None, rule))
            .chain(entry.allow.iter().enumerate().map(|(at, rule)| (Some(at), rule)))
        {
            let key = at.map_or_else(|| format!("{key}.preset"), |at| format!("{key}.allow[{at}].args"));
            let pattern = match Pattern::parse(&rule.args) {
                Ok(pattern) => pattern,
                Err(error) => {
                    self.add(
                        key,
                        format!("`{}`: {error}", rule.args),
                        "write the words of the call, with places for the caller's values",
                    );
                    continue;
                }
            };
            if is_git(name, entry)
                && let Err(error) = git::check(&pattern)
            {
                self.add(
                    key,
                    format!("`{pattern}`: {error}"),
                    "`diff --numstat --end-of-options <range> --` is a rule that holds",
                );
                continue;
            }
            if is_interpreter(name, entry) && pattern.is_free() {
                self.add(
                    key,
                    format!("a free argument of `{name}` is a program"),
                    "name every word, or offer the program it should run",
                );
                continue;
            }
            rules.push(Rule {
                pattern,
                effects: rule.effects.into(),
                stdin: rule.stdin,
            });
        }
        if rules.is_empty() && entry.preset.is_none() && entry.allow.is_empty() {
            self.add(
                format!("{key}.allow"),
                "no rule allows anything",
                "add a rule, a `preset`, or take the command out",
            );
        }
        rules
    }

    fn environment(
        &mut self,
        key: &str,
        entry: &CommandEntry,
        env: &Environment,
        folders: &[PathBuf],
    ) -> (Vec<(String, OsString)>, Redactor) {
        let mut given = Vec::new();
        let mut secret = Vec::new();
        let shipped = entry.preset.map(|preset| preset.env()).unwrap_or_default();
        for name in shipped.iter().copied().chain(entry.env.iter().map(String::as_str)) {
            if !is_passable(name) {
                let hint = "name variables that hold values for the command: they are passed on and cut out of its output";
                self.add(format!("{key}.env"), format!("`{name}` cannot be passed on"), hint);
            } else if let Some(value) = env.get(name).filter(|value| !value.is_empty()) {
                given.push((name.to_owned(), OsString::from(value)));
                secret.push((name.to_owned(), value.clone()));
            }
        }
        given.push(("PATH".to_owned(), std::env::join_paths(folders).unwrap_or_default()));
        (given, Redactor::new(secret))
    }
}

/// The absolute directories of `PATH`: a relative one would be searched in a checkout.
fn search_path(env: &Environment) -> Vec<PathBuf> {
    let path = env.get("PATH").map_or("/usr/local/bin:/usr/bin:/bin", String::as_str);
    std::env::split_paths(path).filter(|folder| folder.is_absolute()).collect()
}

fn is_command_name(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '+'))
}

/// Neither what the host sets itself nor what makes a loader, a shell or git run programs.
fn is_passable(name: &str) -> bool {
    let letters = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    let set = [
        "PATH",
        "HOME",
        "LANG",
        "PWD",
        "SHELL",
        "IFS",
        "ENV",
        "BASH_ENV",
        "EDITOR",
        "VISUAL",
        "PAGER",
        "GH_PAGER",
        "GH_CONFIG_DIR",
    ];
    let begins = ["LD_", "DYLD_", "GIT_", "XDG_", "CLAW_"];
    letters && !set.contains(&name) && !begins.iter().any(|begin| name.starts_with(begin))
}

/// What the binary is called, however the entry is.
fn file_names<'a>(name: &'a str, entry: &'a CommandEntry) -> impl Iterator<Item = String> + 'a {
    let real = entry.path.as_deref().and_then(|path| path.canonicalize().ok());
    let paths = [entry.path.clone(), real].into_iter().flatten();
    let names = paths.filter_map(|path| Some(path.file_name()?.to_string_lossy().into_owned()));
    std::iter::once(name.to_owned()).chain(names)
}

fn is_git(name: &str, entry: &CommandEntry) -> bool {
    file_names(name, entry).any(|name| name == "git")
}

fn is_interpreter(name: &str, entry: &CommandEntry) -> bool {
    file_names(name, entry).any(|name| {
        let plain = name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
        INTERPRETERS.contains(&name.as_str()) || INTERPRETERS.contains(&plain)
    })
}
