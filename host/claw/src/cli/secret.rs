//! `claw secret …`. A value is never an argument: those stay in the shell's history and are
//! shown to every user of the machine.

use clap::{Args, Subcommand};

/// `claw secret …`.
#[derive(Debug, Subcommand)]
pub enum SecretCommand {
    /// Keep a secret, encrypted; config files name it as `${secret:NAME}`
    Set(SetSecretArgs),
    /// The names of what is kept, and which models use it
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Replace the value of a secret that is there
    Rotate(SetSecretArgs),
    /// Forget a secret
    Rm {
        /// Its name
        #[arg(value_name = "NAME")]
        name: String,
        /// Also where a config file names it
        #[arg(long)]
        force: bool,
    },
}

/// `claw secret set|rotate`.
#[derive(Debug, Args)]
pub struct SetSecretArgs {
    /// Its name: 1 to 64 of A-Z, a-z, 0-9, `-`, `_` and `.`
    #[arg(value_name = "NAME")]
    pub name: String,
    /// Read the value from standard input; without this it is asked for, and not shown
    #[arg(long)]
    pub value_stdin: bool,
    /// What was given beside the name. It is refused in words of our own: clap's would repeat it.
    #[arg(hide = true, num_args = 0..)]
    pub refused: Vec<Hidden>,
    /// The same, as an option.
    #[arg(long = "value", hide = true, num_args = 0..=1, default_missing_value = "")]
    pub refused_value: Option<Hidden>,
}

/// An argument that should not have been one.
#[derive(Clone)]
pub struct Hidden;

impl From<&str> for Hidden {
    fn from(_: &str) -> Self {
        Hidden
    }
}

impl std::fmt::Debug for Hidden {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[secret]")
    }
}
