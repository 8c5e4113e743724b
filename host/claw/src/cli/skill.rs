//! `claw skill …`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

/// `claw skill …`.
#[derive(Debug, Subcommand)]
pub enum SkillCommand {
    /// Start a skill from a template
    New(NewArgs),
    /// Check SKILL.md files: do they load, and what would a strict reader say
    Check(CheckArgs),
    /// Compile a skill to one `.wasm` that holds its SKILL.md and files
    ///
    /// Writes `DIR/target/NAME.wasm`, and prints its path. Cargo works in `CARGO_TARGET_DIR` if
    /// that is set, else in the home, else in `DIR/target`.
    ///
    /// Building runs the skill's build scripts and macros with your rights. Without `--trust`
    /// the folder has to be yours: owned by you, writable by nobody else, and below the current
    /// directory, your home, or a git checkout that you own.
    Build(BuildArgs),
    /// Run a skill against its fixtures, in the sandbox
    ///
    /// `test/fixtures/CASE.json` goes in; `test/fixtures/CASE/NAME/` holds the files of the grant
    /// NAME; `test/fixtures/CASE.journal.jsonl` answers what would leave the sandbox. What must
    /// come out is `test/expected/CASE.json`, the output or `{"error": {"code": …}}`, and the
    /// files of `test/expected/CASE/`.
    Test(TestArgs),
    /// Run one case live and write down what it called
    ///
    /// Secrets and personal data in answers are masked, the same everywhere, so that the cassette
    /// replays; in what the skill itself sends they are refused without `--raw`.
    Record(RecordArgs),
    /// Skills of the home: live, waiting for a grant, refused
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// What a `.wasm` is and can do
    Inspect(InspectArgs),
    /// Allow a skill what it asks for
    Allow(AllowArgs),
}

/// Languages that a template exists for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Language {
    /// Rust
    Rust,
}

/// `claw skill new`.
#[derive(Debug, Args)]
pub struct NewArgs {
    /// The skill's name: lower-case words with `-` between them
    pub name: String,
    /// The language
    #[arg(long, default_value = "rust")]
    pub lang: Language,
    /// Where to put it [default: ./NAME]
    #[arg(long, value_name = "DIR")]
    pub path: Option<PathBuf>,
}

/// `claw skill check`.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// Files, skills, or folders of skills [default: .]
    pub paths: Vec<PathBuf>,
    /// Fail on what the lint says too, not only where a file does not load
    #[arg(long)]
    pub strict: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `claw skill build`.
#[derive(Debug, Args)]
pub struct BuildArgs {
    /// The skill's folder [default: .]
    pub dir: Option<PathBuf>,
    /// Optimise (the default; `--debug` builds faster)
    #[arg(long, conflicts_with = "debug")]
    pub release: bool,
    /// Build fast, without optimising
    #[arg(long)]
    pub debug: bool,
    /// Run the build scripts and macros of a folder that is not yours
    #[arg(long)]
    pub trust: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `claw skill test`.
#[derive(Debug, Args)]
pub struct TestArgs {
    /// A skill's name or folder [default: .]
    pub skill: Option<String>,
    /// Only cases whose name holds this text
    #[arg(long, value_name = "TEXT")]
    pub filter: Option<String>,
    /// Write what came out as the new expectations
    #[arg(long)]
    pub update: bool,
    /// Print JSON
    #[arg(long, conflicts_with = "junit")]
    pub json: bool,
    /// Write a JUnit report
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
    /// Run the build scripts and macros of a folder that is not yours
    #[arg(long)]
    pub trust: bool,
}

/// `claw skill record`.
#[derive(Debug, Args)]
pub struct RecordArgs {
    /// The case: the name of a file in `test/fixtures`, without `.json`
    pub case: String,
    /// A skill's name or folder [default: .]
    #[arg(long, value_name = "NAME|DIR")]
    pub skill: Option<String>,
    /// Keep what cannot be masked
    #[arg(long)]
    pub raw: bool,
    /// Run the build scripts and macros of a folder that is not yours
    #[arg(long)]
    pub trust: bool,
}

/// `claw skill inspect`.
#[derive(Debug, Args)]
pub struct InspectArgs {
    /// A component, or the name of a skill of the home
    pub file: PathBuf,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `claw skill allow`.
#[derive(Debug, Args)]
pub struct AllowArgs {
    /// The skill
    pub name: String,
    /// A model use (repeatable)
    #[arg(long, value_name = "USE")]
    pub model: Vec<String>,
    /// A capability (repeatable)
    #[arg(long, value_name = "NAME")]
    pub capability: Vec<String>,
    /// A directory for a name: `logs=/var/log/app`, and `:rw` at its end to let it write (repeatable)
    #[arg(long, value_name = "NAME=DIR[:rw]")]
    pub files: Vec<String>,
    /// Everything that the live version asks for, except files
    #[arg(long)]
    pub all: bool,
    /// The version that the bare name means
    #[arg(long, value_name = "VERSION")]
    pub pin: Option<String>,
    /// Take it back instead
    #[arg(long)]
    pub revoke: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}
