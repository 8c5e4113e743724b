//! `claw draft …`.

use clap::Subcommand;

/// `claw draft …`.
#[derive(Debug, Subcommand)]
pub enum DraftCommand {
    /// The calls that wait for approval
    List {
        /// Also those that are over
        #[arg(long, conflicts_with = "state")]
        all: bool,
        /// Those that stand so: `pending`, `running`, `done`, `failed`, `interrupted`, `rejected`, `expired`
        #[arg(long, value_name = "STATE")]
        state: Option<claw_core::draft::DraftState>,
        /// No more than the newest so many
        #[arg(long, default_value_t = 100, value_name = "N")]
        limit: usize,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// One draft: who proposed it, and exactly what it would do
    Show {
        /// Its id
        #[arg(value_name = "ID")]
        id: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Approve a draft, after showing it, and have the gateway make its call
    Approve {
        /// Its id
        #[arg(value_name = "ID")]
        id: String,
        /// The hash of what you saw; without it, it is shown and asked about
        #[arg(long, value_name = "SHA256")]
        hash: Option<String>,
        /// Do not ask
        #[arg(long, short = 'y')]
        yes: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Reject a draft
    Reject {
        /// Its id
        #[arg(value_name = "ID")]
        id: String,
        /// Why; its caller sees it
        #[arg(long, value_name = "TEXT")]
        because: Option<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}
