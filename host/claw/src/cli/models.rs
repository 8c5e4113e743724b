//! `claw models …`.

use clap::{Args, Subcommand};

/// `claw models …`.
#[derive(Debug, Subcommand)]
pub enum ModelsCommand {
    /// What a call can name: entries, uses, aliases and models
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Ask entries one small question each, and say what came back (may cost a fraction of a cent)
    Test(TestModelsArgs),
    /// Say who would serve a call, who would not, and why; nothing is sent
    Explain(ExplainArgs),
}

/// `claw models test`.
#[derive(Debug, Args)]
pub struct TestModelsArgs {
    /// Entries, uses or models [default: every entry]
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,
    /// Give up on each after this many milliseconds
    #[arg(long, default_value_t = 30_000, value_name = "MS")]
    pub timeout_ms: u64,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `claw models explain`.
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// A use, an alias, an entry or a model
    #[arg(long = "use", visible_alias = "model", value_name = "NAME")]
    pub use_name: String,
    /// What would be asked; policy looks through it. `-` reads it from standard input
    #[arg(long, default_value = "", value_name = "TEXT")]
    pub text: String,
    /// The most tokens that are to come out
    #[arg(long, value_name = "N")]
    pub max_tokens: Option<u32>,
    /// As if this skill asked
    #[arg(long, value_name = "NAME")]
    pub skill: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}
