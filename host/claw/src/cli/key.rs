//! `claw key …`.

use clap::{Args, Subcommand};
use claw_core::budget::Limit;

use crate::spans::{Moment, Span};

/// `claw key …`.
#[derive(Debug, Subcommand)]
pub enum KeyCommand {
    /// Make a key for a service, and show it once
    ///
    /// A key that names uses or skills allows these and nothing else; one that names neither
    /// allows every call. It works at once, in a gateway that runs too.
    Create(CreateKeyArgs),
    /// The keys that there are
    List {
        /// Those that were revoked or have expired too
        #[arg(long)]
        all: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// One key: what it allows, and how it stands
    Show {
        /// Its id
        #[arg(value_name = "ID")]
        id: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Make a new secret for a key, and show it once
    Rotate {
        /// Its id
        #[arg(value_name = "ID")]
        id: String,
        /// How long the old one goes on working: `24h`, `30m`, `0s`
        #[arg(long, default_value = "24h", value_name = "TIME")]
        overlap: Span,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// End a key at once
    Revoke {
        /// Its id
        #[arg(value_name = "ID")]
        id: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

/// `claw key create`.
#[derive(Debug, Args)]
pub struct CreateKeyArgs {
    /// The service that holds it: the caller's name in audit entries
    #[arg(long, value_name = "NAME")]
    pub service: String,
    /// Model uses, entries and models that it may name; `*` stands for any text (repeatable)
    #[arg(long, value_name = "PATTERN", value_delimiter = ',')]
    pub uses: Vec<String>,
    /// Skills and capabilities that it may invoke, in the same way (repeatable)
    #[arg(long, value_name = "PATTERN", value_delimiter = ',')]
    pub skills: Vec<String>,
    /// What its calls may cost: `50usd/month`, `2.50usd/day`
    #[arg(long, value_name = "AMOUNT")]
    pub budget: Option<Limit>,
    /// How many requests it may make a minute
    #[arg(long, value_name = "N")]
    pub rpm: Option<u32>,
    /// When it ends: in `90d`, `12h`, or at `2027-01-31`
    #[arg(long, value_name = "TIME")]
    pub expires: Option<Moment>,
    /// It may see all drafts, and approve or reject those that its service did not propose
    #[arg(long)]
    pub approves: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}
