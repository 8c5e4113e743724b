//! The command line. A first sentence for each command is its help; nothing is done here.

mod draft;
mod key;
mod models;
mod policy;
mod secret;
mod skill;
mod usage;

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

pub use draft::DraftCommand;
pub use key::{CreateKeyArgs, KeyCommand};
pub use models::{ExplainArgs, ModelsCommand, TestModelsArgs};
pub use policy::{ExplainPolicyArgs, PolicyCommand};
pub use secret::{Hidden, SecretCommand, SetSecretArgs};
pub use skill::{AllowArgs, BuildArgs, CheckArgs, InspectArgs, Language, NewArgs, RecordArgs, SkillCommand, TestArgs};
pub use usage::{By, UsageArgs};

/// AI skills and model calls as infrastructure: sandboxed, audited, on machines you own.
#[derive(Debug, Parser)]
#[command(name = "claw", version, about, propagate_version = true, disable_help_subcommand = true)]
pub struct Cli {
    /// What every command takes.
    #[command(flatten)]
    pub global: Global,
    /// The command.
    #[command(subcommand)]
    pub command: Command,
}

/// What every command takes.
#[derive(Clone, Debug, Args)]
pub struct Global {
    /// The home directory [default: ~/.claw]
    #[arg(long, global = true, env = "CLAW_HOME", value_name = "DIR")]
    pub home: Option<PathBuf>,
    /// The gateway's URL [default: the one that runs on this home]
    #[arg(long, global = true, env = "CLAW_GATEWAY", value_name = "URL")]
    pub gateway: Option<String>,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Set up a home: token, starter config files, directories
    Onboard(OnboardArgs),
    /// Run the gateway, ask how it is, stop it
    #[command(subcommand)]
    Gateway(GatewayCommand),
    /// Make, check, build, test and list skills
    #[command(subcommand)]
    Skill(SkillCommand),
    /// Invoke a skill or a capability through the gateway
    Invoke(InvokeArgs),
    /// List, try and explain the models
    #[command(subcommand)]
    Models(ModelsCommand),
    /// Keys of services: what each may call, spend, and until when
    #[command(subcommand)]
    Key(KeyCommand),
    /// Check, test and explain policies
    #[command(subcommand)]
    Policy(PolicyCommand),
    /// Look at, approve and reject the calls that wait for approval
    #[command(subcommand)]
    Draft(DraftCommand),
    /// Secrets that config files name, kept encrypted
    #[command(subcommand)]
    Secret(SecretCommand),
    /// What model calls used and cost, and how budgets stand
    Usage(UsageArgs),
    /// Look into the audit journal
    #[command(subcommand)]
    Audit(AuditCommand),
    /// Check and show the configuration
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Print the operator's token
    Token,
    /// Compile a component from standard input (used by the gateway itself)
    #[command(name = "__compile", hide = true)]
    Compile,
}

/// `claw onboard`.
#[derive(Debug, Args)]
pub struct OnboardArgs {
    /// Do not ask; take the defaults
    #[arg(long, short = 'y')]
    pub yes: bool,
    /// Offer a command with its shipped rules for looking: `git`, `gh` (repeatable)
    #[arg(long, value_name = "COMMAND")]
    pub exec: Vec<String>,
    /// A checkout that `exec.git` may work in, and the name skills give it (repeatable)
    #[arg(long, value_name = "NAME=DIR")]
    pub root: Vec<String>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `claw gateway …`.
#[derive(Debug, Subcommand)]
pub enum GatewayCommand {
    /// Run the gateway until it is stopped; sets up the home if it is new
    Run(RunArgs),
    /// Say whether a gateway answers, and how it is
    Status {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Stop the gateway: calls in flight get ten seconds to finish
    Stop,
}

/// `claw gateway run`.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// The address to listen on
    #[arg(long, default_value = "127.0.0.1:18789", value_name = "ADDRESS")]
    pub listen: SocketAddr,
    /// Another name that requests may give as their host (repeatable)
    #[arg(long = "allow-host", value_name = "HOST[:PORT]")]
    pub allow_host: Vec<String>,
    /// An origin whose pages may call, such as a proxy's: `https://claw.example` (repeatable)
    #[arg(long = "allow-origin", value_name = "ORIGIN")]
    pub allow_origin: Vec<String>,
    /// What a model call's audit entry survives before its answer leaves
    #[arg(long, default_value = "power", value_name = "LEVEL")]
    pub audit_models: AuditLevel,
    /// What a skill's own audit entry survives before its answer leaves
    #[arg(long, default_value = "process", value_name = "LEVEL")]
    pub audit_skills: AuditLevel,
    /// Log as JSON lines
    #[arg(long)]
    pub log_json: bool,
}

/// How durable an intent is before its call goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum AuditLevel {
    /// A crash of this program: the kernel has it
    Process,
    /// A power cut: the disk has it
    Power,
}

/// `claw invoke`.
#[derive(Debug, Args)]
pub struct InvokeArgs {
    /// A skill, `skill@version`, or a capability such as `llm.inference`
    #[arg(value_name = "SKILL")]
    pub skill: String,
    /// An input: `key=value`, where the value is JSON or else text (`n='"5"'` is the text 5);
    /// `key=@file` reads a file
    #[arg(long, short, value_name = "KEY=VALUE")]
    pub input: Vec<String>,
    /// All inputs as one JSON object; `-` reads it from standard input
    #[arg(long, value_name = "JSON", conflicts_with = "input")]
    pub json_input: Option<String>,
    /// Two invocations with the same key count as one
    #[arg(long, value_name = "KEY")]
    pub idempotency_key: Option<String>,
    /// Give up after this many milliseconds
    #[arg(long, value_name = "MS")]
    pub timeout_ms: Option<u64>,
    /// Show progress and partial results as they come
    #[arg(long)]
    pub stream: bool,
    /// Print the whole answer as JSON
    #[arg(long)]
    pub json: bool,
}

/// `claw audit …`.
#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// The last entries
    Tail {
        /// How many
        #[arg(long, short = 'n', default_value_t = 20, value_name = "N")]
        lines: usize,
        /// Wait for more
        #[arg(long, short)]
        follow: bool,
        /// Print JSON lines
        #[arg(long)]
        json: bool,
    },
    /// Entries that match
    Query(QueryArgs),
    /// One invocation as a tree, with its effects
    Show {
        /// Its id
        id: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Check the hash chain, and that every entry was closed
    Verify {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Calls, tokens, cost, latency and errors, and what is unusual about callers
    Stats {
        /// Only entries that began after this: RFC 3339, or `15m`, `2h`, `7d` ago
        #[arg(long, value_name = "TIME")]
        since: Option<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

/// `claw audit query`.
#[derive(Debug, Args)]
pub struct QueryArgs {
    /// Only this caller
    #[arg(long)]
    pub caller: Option<String>,
    /// Only this skill or capability
    #[arg(long, value_name = "NAME")]
    pub skill: Option<String>,
    /// Only entries that ended so: `ok`, `error`, `abandoned`, `interrupted`
    #[arg(long)]
    pub status: Option<String>,
    /// Only this error code
    #[arg(long)]
    pub code: Option<String>,
    /// Only entries that began after this: RFC 3339, or `15m`, `2h`, `7d` ago
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
    /// At most this many
    #[arg(long, default_value_t = 50, value_name = "N")]
    pub limit: usize,
    /// Print JSON lines
    #[arg(long)]
    pub json: bool,
}

/// `claw config …`.
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Check every config file; all mistakes at once
    Check {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Show what is in force, defaults included and keys left out
    Show {
        /// One part: `models`, `policies`, `channels`, `capabilities`, `grants`, `context`
        part: Option<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}
