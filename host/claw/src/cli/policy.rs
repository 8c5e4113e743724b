//! `claw policy …`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// `claw policy …`.
#[derive(Debug, Subcommand)]
pub enum PolicyCommand {
    /// Read policies and say in words what each does
    Check {
        /// A file of policies [default: the home's]
        #[arg(value_name = "FILE")]
        file: Option<PathBuf>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Run cases: calls, and what policies have to make of them; nothing is sent
    Test {
        /// A file of cases [default: `policy-tests.yaml` of the home]
        #[arg(value_name = "FILE")]
        cases: Option<PathBuf>,
        /// Other policies than the home's
        #[arg(long, value_name = "FILE")]
        policies: Option<PathBuf>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Say what each policy makes of one call, and why; nothing is sent
    Explain(Box<ExplainPolicyArgs>),
}

/// `claw policy explain`.
#[derive(Debug, Args)]
#[command(group(clap::ArgGroup::new("target").required(true).args(["use_name", "capability"])))]
pub struct ExplainPolicyArgs {
    /// A model call, of this use, alias, entry or model
    #[arg(long = "use", visible_alias = "model", value_name = "NAME")]
    pub use_name: Option<String>,
    /// A call of this capability: `exec.gh`, `skill:pr-review-prep`
    #[arg(long, value_name = "NAME")]
    pub capability: Option<String>,
    /// The call would act outside
    #[arg(long, requires = "capability")]
    pub act: bool,
    /// What would be asked; policy looks through it. `-` reads it from standard input
    #[arg(long, value_name = "TEXT", default_value = "", requires = "use_name")]
    pub text: String,
    /// The most tokens that are to come out
    #[arg(long, value_name = "N", requires = "use_name")]
    pub max_tokens: Option<u32>,
    /// Who calls
    #[arg(long, value_name = "NAME", default_value = "operator")]
    pub caller: String,
    /// The public id of its key
    #[arg(long, value_name = "ID")]
    pub key: Option<String>,
    /// The skill whose sandbox makes the call
    #[arg(long, value_name = "NAME")]
    pub skill: Option<String>,
    /// When it is made [default: now]
    #[arg(long, value_name = "TIME")]
    pub at: Option<crate::spans::Moment>,
    /// Other policies than the home's
    #[arg(long, value_name = "FILE")]
    pub policies: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}
