//! `claw usage`.

use clap::{Args, ValueEnum};

/// `claw usage`.
#[derive(Debug, Args)]
pub struct UsageArgs {
    /// What to count by
    #[arg(long, default_value = "service", value_name = "WHAT")]
    pub by: By,
    /// Only calls that began at this time or later: a date, RFC 3339, or `15m`, `2h`, `7d` ago
    #[arg(long, default_value = "30d", value_name = "TIME")]
    pub since: String,
    /// Only calls that began before this time
    #[arg(long, value_name = "TIME")]
    pub until: Option<String>,
    /// Show the budgets instead: what is spent of them, and when they begin anew
    #[arg(long, conflicts_with_all = ["by", "since", "until", "csv"])]
    pub budgets: bool,
    /// Print CSV
    #[arg(long, conflicts_with = "json")]
    pub csv: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// What calls are counted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum By {
    /// Who called
    Service,
    /// The model that served them
    Model,
    /// The skill that made them
    Skill,
    /// The model use that was named
    Use,
    /// The key that was presented
    Key,
    /// The day on which they began, in UTC
    Day,
    /// The provider that served them
    Provider,
}
